"""uv is found, or fetched once and whole, or done without; it goes by what pip is told. Real programs, indexes on loopback."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import environment
import installer
import pytest
from environments import (
    ensure,
    installed_by,
    names,
    package,
    program,
    real_uv,
    start,
    wait_for,
    without_uv,
)
from workshop.layer import cache

slow = pytest.mark.slow  # these make an environment, or two


def wheel(folder: Path, name: str, version: str = "1.0", scripts: dict[str, Path] | None = None) -> Path:
    """A wheel of one empty module; scripts: {name: file} of what goes beside the Python."""
    folder.mkdir(parents=True, exist_ok=True)
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        for script, file in (scripts or {}).items():
            entry = zipfile.ZipInfo(f"{name}-{version}.data/scripts/{script}")
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, file.read_bytes())
        archive.writestr(f"{info}/RECORD", "")
    return path


class Index:
    """A package index on loopback: wheels in folders, one folder an index, at `address(folder)`."""

    def __init__(self, root: Path, certificate: tuple[Path, Path] | None = None):
        self.asked: list[tuple[str, str]] = []  # (path, who asked)
        self.begun, self.go_on = root / "begun", threading.Event()  # half of a wheel is sent; the other half may go
        self.go_on.set()
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                index.asked.append((self.path, self.headers["User-Agent"]))
                folder, _, *rest = self.path.strip("/").split("/")
                found = sorted((root / folder).glob(f"{rest[0]}-*.whl"))
                if len(rest) == 1 and found:
                    links = "".join(f'<a href="{path.name}">{path.name}</a>' for path in found)
                    self.reply("text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
                elif len(rest) == 2 and (root / folder / rest[1]).exists():
                    self.reply("application/zip", (root / folder / rest[1]).read_bytes())
                else:
                    self.send_error(404)

            def reply(self, kind, body):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # whoever asked was stopped
                    self.wfile.write(body[: len(body) // 2])
                    if kind != "text/html" and not index.go_on.is_set():
                        index.begun.touch()
                        index.go_on.wait()
                    self.wfile.write(body[len(body) // 2 :])

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "https" if certificate else "http"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self, folder: str) -> str:
        return f"{self.scheme}://localhost:{self.server.server_address[1]}/{folder}/simple"

    def askers(self, name: str) -> set[str]:
        """Which programs asked for that package."""
        return {who.split("/")[0] for path, who in self.asked if path.split("/")[3] == name}


@pytest.fixture
def index(tmp_path):
    index = Index(tmp_path)
    yield index
    index.go_on.set()
    index.server.shutdown()
    index.server.server_close()


@pytest.fixture
def place(tmp_path):
    """A place that asks for package alpha, from any index."""
    place = tmp_path / "place"
    place.mkdir()
    (place / "requirements.txt").write_text("alpha\n")
    return place


@pytest.fixture
def nothing(tmp_path):
    """Variables with which no uv is at hand, and pip is told no more than a test tells it."""
    told = {"PIP_NO_INDEX": "0", "PIP_RETRIES": "1"}
    told |= dict.fromkeys(("PIP_FIND_LINKS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), "")
    return without_uv(tmp_path / "none") | told


@pytest.fixture(params=["uv", "pip"])
def by(request, tmp_path, nothing):
    """(uv or pip, the variables with which it does it)."""
    return request.param, nothing | (program(tmp_path / "real") if request.param == "uv" else {})


@pytest.fixture
def with_uv(tmp_path):
    """A folder of wheels: alpha, and the real uv."""
    wheel(tmp_path / "main", "alpha")
    wheel(tmp_path / "main", "uv", "9.9.9", {installer.UV: Path(real_uv())})
    return tmp_path / "main"


# ---- fetched, or not ----


@slow
@pytest.mark.parametrize("insists", ["", "1"])
def test_where_there_is_no_uv_one_is_fetched_once(place, nothing, with_uv, index, tmp_path, insists):
    """Also where a person has told pip to install into environments alone."""
    told = nothing | {"PIP_INDEX_URL": index.address("main"), "PIP_REQUIRE_VIRTUALENV": insists}
    code, said = ensure(place, **told)
    assert code == 0 and "Going on" not in said, said
    assert installed_by(place, "alpha") == "uv" and names(place) == [".venv"]
    assert not (place / ".venv" / "tmp").exists()
    assert [path.name for path in (tmp_path / "none" / "fetched").iterdir()] == [installer.UV]
    before = len(index.asked)
    (place / "requirements.txt").write_text("alpha>=1\n")
    code, said = ensure(place, **told)
    assert code == 0 and installed_by(place, "alpha") == "uv"
    assert not [path for path, _ in index.asked[before:] if "/uv/" in path]


def test_what_a_killed_fetch_left_is_removed_and_what_another_one_is_writing_is_not(tmp_path):
    old, new, uv = (
        tmp_path / name for name in (f"{installer.UV}.11.partial", f"{installer.UV}.12.partial", installer.UV)
    )
    for path in (old, new, uv):
        path.touch()
    for path in (old, uv):
        os.utime(path, (time.time() - 7200,) * 2)
    installer._sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([new, uv])


@slow
def test_two_that_fetch_at_once_do_each_other_no_harm(place, nothing, with_uv, index, tmp_path):
    other = shutil.copytree(place, tmp_path / "other")
    told = nothing | {"PIP_INDEX_URL": index.address("main")}
    index.go_on.clear()
    starts = [start(each, **told) for each in (place, other)]
    wait_for(index.begun)
    index.go_on.set()
    said = [process.communicate(timeout=60)[0] for process in starts]
    assert [process.returncode for process in starts] == [0, 0], said
    assert installed_by(place, "alpha") == installed_by(other, "alpha") == "uv"
    assert [path.name for path in (tmp_path / "none" / "fetched").iterdir()] == [installer.UV]


@slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_fetch_that_is_stopped_leaves_nothing_half_made(place, nothing, with_uv, index, tmp_path, number):
    told = nothing | {"PIP_INDEX_URL": index.address("main")}
    index.go_on.clear()
    process = start(place, **told)
    wait_for(index.begun)
    process.send_signal(number)
    said = process.communicate(timeout=20)[0]
    assert process.returncode == 128 + number
    assert said.endswith("Problem: Stopped. Nothing was left behind; the next start tries again.\n"), said
    assert names(place) == [] and not (tmp_path / "none" / "fetched").exists()
    index.go_on.set()
    code, said = ensure(place, **told)
    assert code == 0 and installed_by(place, "alpha") == "uv", said


@slow
def test_a_cache_folder_that_cannot_be_written_is_no_obstacle(place, nothing, with_uv, index, tmp_path):
    (tmp_path / "a file").touch()
    told = nothing | {"PIP_INDEX_URL": index.address("main"), "FACTORY_FLOOR_CACHE": str(tmp_path / "a file" / "x")}
    code, said = ensure(place, **told)
    assert code == 0 and installed_by(place, "alpha") == "uv", said


@slow
def test_a_python_without_pip_lets_the_environments_own_fetch_uv(place, nothing, with_uv, index):
    lacks = """
import installer
has_pip = installer._has_pip
installer._has_pip = lambda python: python != installer.BASE and has_pip(python)  # Debian's, with python3-venv alone
"""
    code, said = ensure(place, before=lacks, **nothing, PIP_INDEX_URL=index.address("main"))
    assert code == 0 and installed_by(place, "alpha") == "uv" and installed_by(place, "pip") == "pip", said


@slow
def test_a_user_without_a_home_folder_leaves_it_to_pip(place, nothing, tmp_path):
    (place / "requirements.txt").write_text(package(place, "alpha") + "\n")
    unknown = "import pathlib\ndef home():\n    raise RuntimeError('no home')\npathlib.Path.home = home"
    code, said = ensure(place, before=unknown, **nothing | {"FACTORY_FLOOR_CACHE": "", "PIP_NO_INDEX": "1"})
    assert code == 0 and "there is no home folder" in said, said
    assert installed_by(place, "alpha") == "pip"


@slow
def test_an_index_without_uv_leaves_it_to_pip(place, nothing, index, tmp_path):
    wheel(tmp_path / "main", "alpha")
    code, said = ensure(place, **nothing, PIP_INDEX_URL=index.address("main"))
    assert code == 0 and "Going on with pip, which takes longer" in said and "uv>=" in said, said
    assert installed_by(place, "alpha") == "pip"


@slow
@pytest.mark.parametrize("script", ["exit 1", "echo uv 9.9.9; [ $# = 1 ]"])
def test_a_uv_that_is_broken_leaves_it_to_pip(place, nothing, tmp_path, script):
    (place / "requirements.txt").write_text(package(place, "alpha") + "\n")
    told = nothing | program(tmp_path / "broken", script) | {"PIP_NO_INDEX": "1"}
    code, said = ensure(place, **told)
    assert code == 0 and "Going on with pip" in said, said
    assert installed_by(place, "alpha") == "pip" and names(place) == [".venv"]


@slow
def test_the_environment_gets_a_pip_for_people_where_the_index_has_one(place, nothing, index, tmp_path):
    wheel(tmp_path / "main", "alpha")
    wheel(tmp_path / "main", "pip", "99")
    told = nothing | program(tmp_path / "real") | {"PIP_INDEX_URL": index.address("main")}
    code, said = ensure(place, **told)
    assert code == 0 and installed_by(place, "pip") == installed_by(place, "alpha") == "uv", said


# ---- uv goes by what pip is told ----


@slow
def test_a_mirror_that_pips_configuration_names_is_where_it_comes_from(by, place, index, tmp_path):
    name, told = by
    wheel(tmp_path / "main", "alpha")
    (tmp_path / "pip.conf").write_text(
        f"[global]\nindex-url = http://127.0.0.1:9/simple\n[install]\nindex-url = {index.address('main')}\n"
        "trusted-host = localhost\n"
    )
    code, said = ensure(place, **told, PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    assert code == 0 and installed_by(place, "alpha") == name, said
    assert index.askers("alpha") == {name}


@slow
def test_the_best_of_all_indexes_is_taken(by, place, index, tmp_path):
    name, told = by
    for folder, version in (("main", "2.0"), ("more", "1.0"), ("extra", "3.0")):
        wheel(tmp_path / folder, "alpha", version)
    more = f"{index.address('more')} {index.address('extra')}"
    code, said = ensure(place, **told, PIP_INDEX_URL=index.address("main"), PIP_EXTRA_INDEX_URL=more)
    assert code == 0 and installed_by(place, "alpha") == name, said
    assert list((place / ".venv").glob("lib/python*/site-packages/alpha-3.0.dist-info"))


@slow
def test_a_folder_of_wheels_does_without_any_index(by, place, tmp_path, monkeypatch):
    name, told = by
    wheel(tmp_path / "wheels", "alpha")
    monkeypatch.chdir(tmp_path)  # pip takes the folder from where it is started
    code, said = ensure(place, **told | {"PIP_NO_INDEX": "yes", "PIP_FIND_LINKS": "wheels"})
    assert code == 0 and installed_by(place, "alpha") == name, said


@slow
def test_another_projects_settings_of_uv_are_none_of_ours(place, nothing, index, tmp_path, monkeypatch):
    wheel(tmp_path / "main", "alpha")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pyproject.toml").write_text('[tool.uv]\nno-index = true\n[project]\nname = "x"\nversion = "1"\n')
    monkeypatch.chdir(elsewhere)
    told = nothing | program(tmp_path / "real") | {"PIP_INDEX_URL": index.address("main")}
    code, said = ensure(place, **told)
    assert code == 0 and installed_by(place, "alpha") == "uv", said


@pytest.fixture
def intercepted(tmp_path):
    """(an index whose certificate no system knows, the file that PIP_CERT has to name)."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl, to make a certificate authority of its own")
    key, pem = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    constraint = ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(
        [*command.split(), *constraint, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True
    )
    wheel(tmp_path / "main", "alpha")
    index = Index(tmp_path, (pem, key))
    yield index, pem
    index.server.shutdown()
    index.server.server_close()


@slow
def test_a_network_that_inspects_tls_is_told_in_one_sentence(by, place, intercepted):
    index, _ = intercepted
    code, said = ensure(place, **by[1], PIP_INDEX_URL=index.address("main"))
    assert code == 1 and "set PIP_CERT to the file with your organisation's CA certificate" in said, said
    assert "Nothing was left behind" in said and names(place) == []


@slow
@pytest.mark.parametrize("variable", ["PIP_CERT", "REQUESTS_CA_BUNDLE"])
def test_the_organisations_certificate_lets_it_through(by, place, intercepted, variable):
    name, told = by
    index, pem = intercepted
    code, said = ensure(place, **told | {"PIP_INDEX_URL": index.address("main"), variable: str(pem)})
    assert code == 0 and installed_by(place, "alpha") == name, said


@pytest.fixture
def bare(monkeypatch):
    """Nothing in this process's variables that speaks to pip or uv."""
    for name in list(os.environ):
        if name.upper().startswith(("UV_", "PIP_")) or name.upper().endswith(("_PROXY", "_CA_BUNDLE")):
            monkeypatch.delenv(name)


LISTING = """\
WARNING: something else
:env:.cert='ca.pem'
:env:.default-timeout='180'
global.cert='/etc/another.pem'
global.extra-index-url='https://one/simple\\nhttps://two/simple'
global.index-url='https://wrong/simple'
install.index-url='https://right/simple'
install.constraint='pins.txt https://company/pins.txt'
install.only-binary=':all:,alpha'
freeze.index-url='https://other/simple'
"""


def test_later_sections_and_variables_win_as_they_do_in_pip(bare):
    options, variables = installer.as_pip_is_told(LISTING)
    assert variables["UV_DEFAULT_INDEX"] == "https://right/simple"
    assert variables["UV_INDEX"] == "https://one/simple https://two/simple"
    assert variables["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert variables["UV_HTTP_TIMEOUT"] == "180"
    assert variables["SSL_CERT_FILE"] == os.path.abspath("ca.pem")
    pins = ["-c", os.path.abspath("pins.txt"), "-c", "https://company/pins.txt"]
    assert options[2:] == [*pins, "--only-binary", ":all:", "--only-binary", "alpha"]


def test_what_a_person_told_uv_itself_wins(bare, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine/simple")
    _, variables = installer.as_pip_is_told(LISTING)
    assert "UV_DEFAULT_INDEX" not in variables and "UV_INDEX" in variables
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("UV_INDEX_URL", "https://mine/simple")  # as uv called it before
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "https://mine/more")
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX"} & set(installer.as_pip_is_told(LISTING)[1])


def test_pip_that_is_told_nothing_leaves_uv_its_own_index_and_certificates_of_the_system(bare):
    options, variables = installer.as_pip_is_told("")
    assert options == ["--color", "never"]
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_STRATEGY", "SSL_CERT_FILE", "HTTPS_PROXY"} & set(variables)
    assert variables["UV_SYSTEM_CERTS"] == "1"


@pytest.mark.parametrize("value, without", [("1", True), ("true", True), ("0", False), ("no", False), ("", False)])
def test_no_index_is_a_switch(bare, value, without):
    options, _ = installer.as_pip_is_told(f":env:.no-index='{value}'\n")
    assert ("--no-index" in options) is without


def test_what_pip_is_to_insist_on_uv_insists_on_too():
    options, _ = installer.as_pip_is_told("global.require-hashes='true'\ninstall.pre='1'\n")
    assert options[2:] == ["--require-hashes", "--prerelease", "allow"]


def test_pips_proxy_is_uvs(bare, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://everybodys:3128")
    assert installer.as_pip_is_told("")[1]["HTTPS_PROXY"] == "http://everybodys:3128"
    _, variables = installer.as_pip_is_told("global.proxy='http://pips:3128'\n")
    assert {variables[name] for name in ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy")} == {"http://pips:3128"}


def test_modules_are_compiled_beforehand_only_where_python_would_never_keep_them(bare, monkeypatch):
    for never in (True, False):
        monkeypatch.setattr(sys, "dont_write_bytecode", never)
        assert ("UV_COMPILE_BYTECODE" in installer.as_pip_is_told("")[1]) is never


def test_a_fetched_uv_is_kept_where_the_workshop_keeps_its_layers(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTORY_FLOOR_CACHE", str(tmp_path))
    assert installer.cache_folder() == cache.folder() == tmp_path
    monkeypatch.delenv("FACTORY_FLOOR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert installer.cache_folder() == cache.folder()


def test_a_uv_that_is_too_old_is_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTORY_FLOOR_CACHE", str(tmp_path / "nothing"))
    for version, good in (("0.4.22", False), ("0.4.23", True), ("0.10.0 (x86_64-unknown-linux-gnu)", True)):
        folder = tmp_path / version.split()[0]
        program(folder, f"echo 'uv {version}'")
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
        assert (installer.uv_at_hand() == str(folder / "uv")) is good, version


def test_a_link_that_leads_nowhere_is_removed_and_what_it_led_to_is_not(tmp_path):
    (tmp_path / "kept").mkdir()
    for name, target in (("nowhere", "gone"), ("link", "kept")):
        (tmp_path / name).symlink_to(tmp_path / target)
        environment._remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_pip_could_not_remove_is_no_package_to_be_pinned(tmp_path):
    packages = Path(environment._path("purelib", tmp_path))
    for name in ("alpha-1.0", "~lpha-0.9"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    assert [path.name for path in environment._dist_infos(tmp_path)] == ["alpha-1.0.dist-info"]
