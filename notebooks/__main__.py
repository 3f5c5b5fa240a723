"""`python3 notebooks [options of jupyter lab]`: sets up `.venv` the first time, then opens a learner's copy in JupyterLab."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
VENV = os.path.join(ROOT, ".venv")
SETTINGS = os.path.join(ROOT, "binder")  # JupyterLab's: the Binder image has the same
LOUD = {
    "log-level",
    "debug",
    "show-config",
    "Application.log_level",
    "ServerApp.log_level",
}  # somebody wants it all said

HELP = """\
python3 notebooks                   sets everything up the first time, then opens the lessons in JupyterLab
python3 notebooks --reset LESSON    puts a lesson back as the course has it; your work stays beside it under another name
python3 notebooks --help            says this, and does nothing

You work in my_course/, a copy of the lessons that is yours. A lesson there that you have not touched is renewed when the
course changes. LESSON is a number, a name or a path: 3, two_stages, my_course/03_two_stages.ipynb.
Any other option goes to JupyterLab, such as --no-browser or --port 9999; --help-all lists them."""


def main(arguments):
    """Returns the exit code."""
    if sys.version_info < (3, 11):  # this file has to parse on such a Python, environment.py need not
        print(
            "This is Python %d.%d; Factory Floor needs 3.11 or newer. Install one from python.org or your system's "
            "packages and start with that, for instance `python3.11 notebooks`. Nothing was changed."
            % sys.version_info[:2]
        )
        return 1
    import environment

    ours, meant = arguments[:1], slip(arguments[:1])
    if ours in (["--help"], ["-h"]):
        print(HELP)
        return 0
    if meant:
        print("%s is no option here: did you mean `python3 notebooks %s`? Nothing was changed." % (ours[0], meant))
        return 2
    if ours and ours[0].split("=")[0] == "--reset":
        return reset(arguments)
    return environment.command(HERE, ["requirements.txt"], serve, arguments)


def slip(first):
    """Which option of this command was meant by a word that is nearly one; "" for every other."""
    import difflib

    words = [word for word in first if word.split("=")[0] not in ("--reset", "--help")]
    close = [difflib.get_close_matches(word.split("=")[0], ["--reset", "--help"], n=1, cutoff=0.8) for word in words]
    return close[0][0] if close and close[0] else ""


def reset(arguments):
    """`--reset LESSON …` or `--reset=LESSON`; returns the exit code."""
    import course
    import environment

    lessons = arguments[1:] if arguments[0] == "--reset" else [arguments[0].split("=", 1)[1], *arguments[1:]]
    try:
        if not lessons:
            raise environment.Problem(
                "Which lesson? For instance `python3 notebooks --reset 3`. Nothing was changed.", 2
            )
        for lesson in lessons:
            print(course.reset(lesson))
    except environment.Problem as problem:
        print(problem, file=sys.stderr)
        return problem.code
    return 0


def serve(arguments):
    """Runs JupyterLab in this process until it is stopped; says the address once the server answers."""
    import logging
    import signal
    import threading

    import course

    if not names_of(arguments) & {"ServerApp.root_dir", "notebook-dir"}:
        print("".join(line + "\n" for line in course.update()), end="")
    print("Opening JupyterLab ...", flush=True)
    from jupyter_server.serverapp import ServerApp
    from jupyterlab.labapp import LabApp

    def stop(number, frame):
        if not ServerApp.initialized():
            raise KeyboardInterrupt
        ServerApp.instance().stop(from_signal=True)

    signal.signal(signal.SIGINT, stop)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, stop)  # the terminal's window was closed
    set_defaults()
    if not names_of(arguments) & LOUD:
        for name in ("ServerApp", "tornado.general"):
            logging.getLogger(name).addFilter(matters)
    threading.Thread(target=tell_address, args=[ServerApp], daemon=True).start()
    LabApp.launch_instance(options(arguments) + arguments)
    if ServerApp.initialized():
        print("JupyterLab has stopped. Your notebooks are saved as you last saved them. Goodbye!", flush=True)
    return 0


def matters(record):
    """Whether a line of the server's log is for a learner. A notebook is not trusted whenever one is opened that was not run
    here, and JupyterLab's own settings do not fit together: that is said again and again, asks for nothing, and is no fault."""
    said = record.getMessage()
    return not any(chatter in said for chatter in ("is not trusted", "websocket_ping_timeout"))


def set_defaults():
    """Defaults, kept in .venv: JupyterLab asks nothing about news, and a kernel that was restarted says which cells to run
    first. A person's own settings win."""
    import contextlib
    import shutil

    places = {
        "overrides.json": os.path.join(VENV, "share", "jupyter", "lab", "settings"),
        "ipython_kernel_config.py": os.path.join(VENV, "etc", "ipython"),
    }
    for name, folder in places.items():
        with contextlib.suppress(OSError):  # a read-only folder: then it does without
            os.makedirs(folder, exist_ok=True)
            shutil.copyfile(os.path.join(SETTINGS, name), os.path.join(folder, name))


def options(arguments):
    """What JupyterLab is told, except for what `arguments` say themselves."""
    import json
    import secrets

    import course

    with open(os.path.join(SETTINGS, "jupyter_server_config.json"), encoding="utf-8") as file:
        lab = json.load(file)["LabApp"]  # the first page; no request to the internet: news, updates, extensions
    chosen = {
        "ServerApp.root_dir": course.COPY,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.answer_yes": "True",  # one Ctrl-C is enough
        "ServerApp.open_browser": str(has_browser()),
        "ServerApp.use_redirect_file": str(not browser_is_confined()),
        "ServerApp.allow_root": str(hasattr(os, "geteuid") and os.geteuid() == 0),
        **{"LabApp." + name: str(value) for name, value in lab.items()},
        "Application.log_level": "WARN",
    }
    if os.access(VENV, os.W_OK):  # the tabs of other projects stay where they are
        chosen["LabApp.workspaces_dir"] = os.path.join(VENV, "my_course.workspaces")
    if not os.environ.get("JUPYTER_TOKEN") and not os.environ.get("JUPYTER_TOKEN_FILE"):
        chosen["IdentityProvider.token"] = secrets.token_hex(24)
    given = names_of(arguments)
    short = {
        "ServerApp.ip": {"ip"},
        "ServerApp.open_browser": {"no-browser"},
        "ServerApp.answer_yes": {"y"},
        "ServerApp.allow_root": {"allow-root"},
        "ServerApp.root_dir": {"notebook-dir"},
        "Application.log_level": LOUD,
        "LabApp.default_url": {"ServerApp.default_url"},
        "IdentityProvider.token": {"ServerApp.token"},
    }
    return ["--%s=%s" % item for item in chosen.items() if not given & ({item[0]} | short.get(item[0], set()))]


def names_of(arguments):
    """The names of the options among them, without dashes."""
    return {word.split("=")[0].lstrip("-") for word in arguments}


def has_browser():
    """Whether a browser can be shown here: there is a screen, and not only at the far end of an SSH line."""
    import webbrowser

    if not os.environ.get("BROWSER"):
        screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if not screen and (sys.platform not in ("darwin", "win32") or os.environ.get("SSH_CONNECTION")):
            return False
    try:
        return type(webbrowser.get()) is not webbrowser.GenericBrowser or bool(os.environ.get("BROWSER"))
    except webbrowser.Error:
        return False


def browser_is_confined():
    """Whether the browser may be unable to read JupyterLab's redirect file: in a snap, or in Windows seen from WSL."""
    import platform

    return os.path.isdir("/snap/bin") or "microsoft" in platform.release().lower()


def tell_address(app):
    """Prints the address, with its token, as soon as the server answers there."""
    import ssl
    import time
    import urllib.parse
    import urllib.request

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # asks only this machine whether it is up
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    while True:
        time.sleep(0.05)
        server = app.instance() if app.initialized() else None
        if server is None or not getattr(server, "http_server", None) or server.sock:
            continue
        address = urllib.parse.urlsplit(server.connection_url)
        if server.ip in ("", "*", "0.0.0.0", "::"):
            address = address._replace(netloc="127.0.0.1:%d" % server.port)
        token = server.identity_provider.token
        # Only this server knows the token: while it looks for a free port, another one may answer at the first.
        question = urllib.request.Request(
            urllib.parse.urljoin(address.geturl(), "api/status" if token else "api"),
            headers={"Authorization": "token " + token} if token else {},
        )
        try:
            browser.open(question, timeout=5).close()
            break
        except OSError:
            continue
    page = address._replace(path=server.default_url, query=urllib.parse.urlencode({"token": token} if token else {}))
    print(
        "\nFactory Floor is open. Ctrl-C here stops it. The address, should no browser show it:\n\n    %s"
        % page.geturl(),
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
