"""Throw requests at a pocket engine that no client would send: it must answer the next one, and log no traceback.

    python3 tests/pocket/fuzz_pocket_api.py [seed [count]]

Random methods, paths, queries and bodies, requests sent by halves, clients that hang up early, and bytes that are no HTTP.
Prints the seed and what went wrong; exit status 1 then.
"""

from __future__ import annotations

import io
import json
import os
import random
import socket
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent))
from engines import Pocket  # noqa: E402 - the folder is no package

METHODS = ["GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS", "BREW", "get"]
PATHS = """/_ping /version /info /system/df /events /auth /images/json /images/search /images/get /images/load /images/create
/images/prune
/images/NAME/json /images/NAME/history /images/NAME/tag /images/127.0.0.1:1/x/push /images/NAME/get /images/NAME /build
/build/prune /build/cancel /networks /networks/NAME /networks/create /networks/prune /volumes /volumes/NAME /volumes/create
/swarm /nodes/NAME /session /commit /distribution/NAME/json /containers/json /containers/create /containers/NAME/json
/containers/NAME/start /containers/NAME/stop /containers/NAME/kill /containers/NAME/wait /containers/NAME/logs
/containers/NAME/attach /containers/NAME/archive /containers/NAME/exec /containers/NAME/top /containers/NAME/stats
/containers/NAME/changes /containers/NAME/rename /containers/NAME/resize /containers/NAME/export /containers/NAME
/containers/prune /exec/NAME/start /exec/NAME/json /exec/NAME/resize / // /../../etc/passwd /images//json""".split()
POSTED = (
    "build load create prune tag push auth start stop kill wait attach exec rename resize cancel session commit".split()
)
NAMES = [
    *["fuzz", "fuzz:latest"] * 3,
    "fuzz",
    "fuzz:latest",
    "nosuch",
    "BAD",
    "sha256:",
    "sha256:" + "0" * 64,
    "a" * 5000,
    "..",
    "../..",
    "%00",
    "%ff%fe",
]
NAMES += ["a@b", "a@sha256:zz", "localhost:0/x", ":", "-", "🙂", "x:y:z", "a/b/c/d/e", " ", "bridge", "%2e%2e%2f", "\t"]
KEYS = """filters all force noprune names repo tag fromSrc changes t dockerfile buildargs labels cachefrom target q
nocache rm version since until type limit size shared-size digests platform memory message name signal v link path h w
keep-storage follow stdout stderr stream logs detachKeys condition noOverwriteDirNonDir ps_args squash networkmode""".split()
VALUES = [
    "",
    "0",
    "1",
    "-1",
    "true",
    "maybe",
    "9" * 40,
    "1e309",
    "nan",
    "null",
    "{}",
    "[]",
    "[" * 2000,
    '{"a":1}',
    "-",
    "..",
    "🙂",
]
VALUES += [
    '{"label":["a"]}',
    '{"dangling":{"true":true}}',
    '{"until":["1h"]}',
    '{"status":["x"]}',
    '{"before":["fuzz"]}',
]
VALUES += [
    '{"reference":["*a*a*a*a*a*a*a*a*b"]}',
    "\ud800",
    "\x00",
    "CMD [",
    "ENV",
    "fuzz",
    "127.0.0.1:1/x",
    "2026-13-45",
    "inf",
]
TYPES = [
    "application/json",
    "application/x-tar",
    "text/plain",
    "multipart/form-data; boundary=x",
    "",
    "🙂".encode().decode("latin-1"),
]
ENDLESS = {"/events"}  # answers that end when the client does
NOWHERE = "http://127.0.0.1:1"
LONG = 20.0  # seconds that no answer may take


def context(random: random.Random) -> bytes:
    """A tar with a Dockerfile in it, or what is left of one."""
    buffer = io.BytesIO()
    lines = [
        b"FROM scratch",
        b"FROM fuzz",
        b"COPY . /",
        b"COPY --from=0 x /",
        b"ADD x /",
        b"LABEL a=b",
        b"FRMO",
        b"\xff\x00",
        b"ONBUILD",
    ]
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in ("Dockerfile", "x", "../y", "/z")[: random.randint(0, 4)]:
            content = b"\n".join(random.choices(lines, k=random.randint(0, 4)))
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    whole = bytearray(buffer.getvalue())
    for _ in range(random.choice([0, 0, 1, 20])):
        whole[random.randrange(len(whole))] = random.randrange(256)
    return bytes(whole[: random.choice([len(whole), len(whole), random.randrange(len(whole))])])


def body(random: random.Random) -> bytes:
    """Nothing, a tar, JSON that may or may not make sense, or noise."""
    kind = random.randrange(6)
    if kind == 0:
        return b""
    if kind == 1:
        return context(random)
    if kind == 2:
        return random.randbytes(random.choice([1, 100, 70_000]))
    if kind == 3:
        return b"[" * 100_000
    fields = {
        key: random.choice([None, 1, -1, "", "x", [], {}, ["a"], {"a": {}}, "fuzz", 2**70, True])
        for key in ("Image", "Cmd", "Env", "HostConfig", "Labels", "User", "Tty", "Name", "Entrypoint", "username")
        if random.random() < 0.5
    }
    return json.dumps(fields).encode()


def request(random: random.Random) -> tuple[str, str, bytes]:
    """(method, path, all of the bytes)."""
    path = random.choice(PATHS)
    usual = "POST" if path.rpartition("/")[2] in POSTED else "DELETE" if random.random() < 0.1 else "GET"
    method = usual if random.random() < 0.8 else random.choice(METHODS)
    version = random.choice(["", "/v1.41", "/v1.44", "/v1.24"] * 5 + ["/v0", "/v99.9", "/v1.4.1.", "/v"])
    target = version + path.replace(
        "NAME", quote(random.choice(NAMES), safe=random.choice(["/:%", ""]), errors="replace")
    )
    pairs = [
        f"{random.choice(KEYS)}={quote(random.choice(VALUES), safe='', errors='surrogatepass')}"
        for _ in range(random.choice([0, 0, 1, 1, 2, 4]))
    ]
    if path in ENDLESS and random.random() < 0.8:
        pairs.append("until=1")
    content = body(random)
    length = random.choice([len(content)] * 8 + [len(content) + 1000, 10**17, max(0, len(content) - 5)])
    headers = [f"{method} {target}{'?' if pairs else ''}{'&'.join(pairs)} HTTP/1.1", "Host: fuzz"]
    chunked = random.random() < 0.1
    headers.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}")
    for header, values in (
        ("Content-Type", TYPES),
        ("X-Registry-Auth", ["e30=", "zzz", "bnVsbA==", "é"]),
        ("Content-Encoding", ["gzip", "deflate", "br"]),
        ("Expect", ["100-continue"]),
        ("Connection", ["Upgrade\r\nUpgrade: tcp", "close", "Upgrade\r\nUpgrade: h2c"]),
    ):
        if random.random() < 0.15:
            headers.append(f"{header}: {random.choice(values)}")
    if chunked:
        content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    return method, path, "\r\n".join(headers).encode("utf-8", "replace") + b"\r\n\r\n" + content


def send(path: Path, random: random.Random) -> str:
    """One request, or a part of it; returns the status of the answer, or why there is none."""
    method, route, whole = request(random)
    if random.random() < 0.05:
        whole = random.randbytes(random.randint(1, 300))
    part = random.random() < 0.15
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(0.3 if part or route in ENDLESS or b"100-continue" in whole else LONG)
        try:
            line.connect(str(path))
            line.sendall(whole[: random.randrange(len(whole))] if part else whole)
            if random.random() < 0.15:
                return "hung up"
            line.settimeout(line.gettimeout() if b"000" not in whole[:5000] else 0.3)
            answer = line.recv(65536)
            if answer == b"HTTP/1.1 100 Continue\r\n\r\n":
                answer = line.recv(65536)
        except TimeoutError:
            return "waits for more"
        except (ConnectionError, BrokenPipeError):
            return "cut"
    if b"Traceback" in answer or b"failed unexpectedly" in answer:
        return f"500 for {method} {route}: {whole[:300]!r}"
    if b'"message":"Get \\"http' in answer:
        return "no registry"  # one that cannot be reached is a 500, as in Docker
    return answer[9:12].decode("latin-1") or "closed"


def alive(path: Path) -> float:
    """Seconds until a ping was answered."""
    start = time.monotonic()
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(LONG)
        line.connect(str(path))
        line.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert line.recv(1000).startswith(b"HTTP/1.1 200"), "the engine does not answer"
    return time.monotonic() - start


def fuzz(seed: int, count: int) -> list[str]:
    """What went wrong, as sentences."""
    chosen = random.Random(seed)
    wrong, seen, slowest = [], Counter(), 0.0
    os.environ |= {
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "NO_PROXY": "",
    }  # a name made up here must not be asked for
    with tempfile.TemporaryDirectory() as folder:
        engine = Pocket(Path(folder))
        client = engine.start()
        tar = io.BytesIO()
        tarfile.open(fileobj=tar, mode="w").close()
        client.api.import_image_from_data(tar.getvalue(), repository="fuzz", tag="latest")
        try:
            for number in range(count):
                said = send(engine.socket, chosen)
                seen[said[:20]] += 1
                if said.startswith("500"):
                    wrong.append(f"request {number}: {said}")
                if number % 20 == 0:
                    slowest = max(slowest, alive(engine.socket))
            slowest = max(slowest, alive(engine.socket))
            left = list((Path(folder) / "store" / "work").glob("body-*"))
            deadline = time.monotonic() + 10
            while left and time.monotonic() < deadline:
                time.sleep(0.2)
                left = list((Path(folder) / "store" / "work").glob("body-*"))
            wrong += [f"left behind: {path.name}" for path in left]
        except (OSError, AssertionError) as error:
            wrong.append(f"after {sum(seen.values())} requests: {error!r}")
        finally:
            engine.stop()
        log = (Path(folder) / "engine.log").read_text(errors="replace")
        if "Traceback" in log:
            wrong.append("in the log:\n" + log[max(0, log.index("Traceback") - 500) :][:4000])
    print(f"seed {seed}: {dict(seen.most_common())}; slowest ping {slowest * 1000:.0f} ms")
    return wrong


def main() -> int:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10**6)
    wrong = fuzz(seed, int(sys.argv[2]) if len(sys.argv) > 2 else 500)
    print("\n".join(wrong) or "nothing went wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
