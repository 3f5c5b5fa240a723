"""`python3 notebooks [options of jupyter lab]`: sets up `.venv` the first time, then opens the series in JupyterLab."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
VENV = os.path.join(ROOT, ".venv")
SETTINGS = os.path.join(ROOT, "binder")  # JupyterLab's: the Binder image has the same


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

    return environment.command(HERE, ["requirements.txt"], serve, arguments)


def serve(arguments):
    """Runs JupyterLab in this process until it is stopped; says the address once the server answers."""
    import signal
    import threading

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
    threading.Thread(target=tell_address, args=[ServerApp], daemon=True).start()
    LabApp.launch_instance(options(arguments) + arguments)
    if ServerApp.initialized():
        print("JupyterLab has stopped. Your notebooks are saved as you last saved them. Goodbye!", flush=True)
    return 0


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

    with open(os.path.join(SETTINGS, "jupyter_server_config.json"), encoding="utf-8") as file:
        lab = json.load(file)["LabApp"]  # the first page; no request to the internet: news, updates, extensions
    chosen = {
        "ServerApp.root_dir": ROOT,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.answer_yes": "True",  # one Ctrl-C is enough
        "ServerApp.open_browser": str(has_browser()),
        "ServerApp.use_redirect_file": str(not browser_is_confined()),
        "ServerApp.allow_root": str(hasattr(os, "geteuid") and os.geteuid() == 0),
        **{"LabApp." + name: str(value) for name, value in lab.items()},
        "Application.log_level": "WARN",
    }
    if os.access(VENV, os.W_OK):  # the tabs of other projects stay where they are
        chosen["LabApp.workspaces_dir"] = os.path.join(VENV, "workspaces")
    if not os.environ.get("JUPYTER_TOKEN") and not os.environ.get("JUPYTER_TOKEN_FILE"):
        chosen["IdentityProvider.token"] = secrets.token_hex(24)
    given = {word.split("=")[0].lstrip("-") for word in arguments}
    short = {
        "ServerApp.ip": {"ip"},
        "ServerApp.open_browser": {"no-browser"},
        "ServerApp.answer_yes": {"y"},
        "ServerApp.allow_root": {"allow-root"},
        "ServerApp.root_dir": {"notebook-dir"},
        "Application.log_level": {"log-level", "debug", "show-config", "ServerApp.log_level"},
        "LabApp.default_url": {"ServerApp.default_url"},
        "IdentityProvider.token": {"ServerApp.token"},
    }
    return ["--%s=%s" % item for item in chosen.items() if not given & ({item[0]} | short.get(item[0], set()))]


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
