"""BuildKit's session, heard by the protocol's other side: an HTTP/2 client of h2 on a pair of sockets asks as an engine does."""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
import tempfile
import threading
from collections import deque
from urllib.parse import quote_plus

import docker
import h2.config
import h2.connection
import h2.events
import pytest
from at_hand import refuse
from workshop.builders import context, fsutil, grpc_server, session
from workshop.builders.protobuf import Message, encode
from workshop.errors import WorkshopError

STAT, REQ, DATA, FIN = fsutil.STAT, fsutil.REQ, fsutil.DATA, fsutil.FIN

GO_TYPES = sum(1 << bit for bit in (31, 27, 26, 25, 24, 21, 19))  # io/fs, ModeType


class OtherSide:
    """What an engine does with a session: one call after the other."""

    def __init__(self, services=None, connection=None):
        """services: to be served here; without them something else serves at the end of the connection."""
        self.socket, self.failures, self.thread = connection, [], threading.Thread()
        if services is not None:
            self.socket, theirs = socket.socketpair()
            server = grpc_server.GrpcServer(
                services, lambda: theirs.recv(1 << 16), theirs.sendall, self.failures.append
            )
            self.thread = threading.Thread(target=server.serve, daemon=True)
            self.thread.start()
        self.socket.settimeout(30)  # a session that says nothing any more is a fault, and no reason to wait for ever
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.events: deque = deque()
        self.h2.initiate_connection()

    def call(self, path, metadata=(), *messages):
        """Begin a call; returns its number."""
        number = self.h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        self.h2.send_headers(number, [*headers, ("content-type", "application/grpc"), ("te", "trailers"), *metadata])
        for message in messages:
            self.say(number, message)
        return number

    def say(self, number, message, pieces=1 << 20):
        framed = struct.pack(">?L", False, len(message)) + message
        for at in range(0, len(framed), pieces):
            self.h2.send_data(number, framed[at : at + pieces])
            self.socket.sendall(self.h2.data_to_send())

    def listen(self, number, acknowledge=True):
        """What the call brings: ("message", bytes), then ("end", status, text)."""
        received = bytearray()
        self.socket.sendall(self.h2.data_to_send())
        while True:
            while self.events:
                event = self.events.popleft()
                if getattr(event, "stream_id", None) != number:
                    continue
                if isinstance(event, h2.events.DataReceived):
                    received += event.data
                    if acknowledge:
                        self.h2.acknowledge_received_data(event.flow_controlled_length, number)
                    while len(received) >= 5 and len(received) >= 5 + (length := struct.unpack(">xL", received[:5])[0]):
                        yield "message", bytes(received[5 : 5 + length])
                        del received[: 5 + length]
                if isinstance(event, h2.events.TrailersReceived):
                    trailers = dict(event.headers)
                    yield "end", int(trailers["grpc-status"]), trailers.get("grpc-message", "")
                    return
            self.socket.sendall(self.h2.data_to_send())
            data = self.socket.recv(1 << 16)
            assert data, "the session hung up"
            self.events.extend(self.h2.receive_data(data))

    def close(self):
        self.socket.close()
        if self.thread.ident:
            self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture
def other_side():
    made = []

    def make(services):
        made.append(OtherSide(services))
        return made[-1]

    yield make
    for one in made:
        one.close()


def fetch(other, **asked):
    """Take a whole folder: {path: (Go's mode, link, content)} in the order of arrival."""
    name = asked.pop("name", "context")
    metadata = [("dir-name", name)] + [
        (key.replace("_", "-"), value) for key, values in asked.items() for value in values
    ]
    number = other.call(session.FILES, metadata)
    told, contents, open_files, last = [], {}, set(), False
    for kind, *rest in other.listen(number):
        if kind == "end":
            assert rest == [0, ""]
            break
        packet = Message(rest[0])
        if packet.integer(1) == STAT and rest[0]:
            told.append(packet.message(2))
            if told[-1].integer(2) & GO_TYPES == 0 and not told[-1].text(7):
                open_files.add(len(told) - 1)
                other.say(number, encode((1, REQ), (3, len(told) - 1)))
        elif packet.integer(1) == STAT:
            last = True
        elif packet.integer(1) == DATA:
            piece, at = packet.raw(4), packet.integer(3)
            assert len(piece) <= 32768
            contents[at] = contents.get(at, b"") + piece
            if not piece:
                open_files.remove(at)
        if last and not open_files and not contents.get("said"):
            contents["said"] = True
            other.say(number, encode((1, FIN)))
    return {one.text(1): (one.integer(2), one.text(7), contents.get(at)) for at, one in enumerate(told)}


def of_context(folder, sent=None):
    count = (lambda number: None) if sent is None else sent.append
    return {session.FILES: session.file_service({"context": session.context_service(folder, count)})}


def test_a_call_is_answered_by_the_service_of_its_path(other_side):
    other = other_side({session.HEALTH: lambda metadata, received: iter([b"\x08\x01"])})
    assert list(other.listen(other.call(session.HEALTH, (), b""))) == [("message", b"\x08\x01"), ("end", 0, "")]
    status = list(other.listen(other.call("/moby.filesync.v1.Auth/Credentials", (), b"")))
    assert [one[:2] for one in status] == [("end", 12)]


def test_a_message_may_come_in_pieces_and_a_call_may_be_given_up(other_side):
    other = other_side({session.SECRETS: session.secret_service({"token": b"x" * 100_000})})
    given_up = other.call(session.SECRETS)
    other.h2.reset_stream(given_up)
    number = other.call(session.SECRETS)
    other.say(number, encode((1, "token")), pieces=3)
    (_, message), end = other.listen(number)
    assert Message(message).raw(1) == b"x" * 100_000 and end == ("end", 0, "")
    unknown = list(other.listen(other.call(session.SECRETS, (), encode((1, "ünknown")))))
    assert unknown == [("end", 5, "secret %C3%BCnknown: not found")] and other.failures == []


def test_no_more_is_sent_than_the_other_side_has_leave_for(other_side):
    """65,535 bytes, the window that HTTP/2 begins with, and the file is read no further."""
    read = []

    def service(metadata, received):
        for number in range(100):
            read.append(number)
            yield b"x" * 10_000

    other = other_side({"/a/b": service, session.HEALTH: lambda metadata, received: iter([b"\x08\x01"])})
    first = other.call("/a/b")
    other.socket.sendall(other.h2.data_to_send())
    got = 0
    while got < 65_535:
        for event in other.h2.receive_data(other.socket.recv(1 << 16)):
            got += len(getattr(event, "data", b"")) if isinstance(event, h2.events.DataReceived) else 0
    assert got == 65_535 and len(read) <= 9  # what is under way, and one frame more
    other.h2.increment_flow_control_window(1 << 20)
    other.h2.increment_flow_control_window(1 << 20, first)
    messages = [one for one in other.listen(other.call(session.HEALTH, (), b""))]
    assert messages[-1] == ("end", 0, "")


def test_an_error_of_a_service_ends_its_call_alone_and_is_told_here(other_side):
    def broken(metadata, received):
        yield b"a"
        raise WorkshopError("It cannot be read.")

    other = other_side({"/a/b": broken, session.HEALTH: lambda metadata, received: iter([b""])})
    assert list(other.listen(other.call("/a/b")))[-1] == ("end", 2, "It cannot be read.")
    assert [error.what for error in other.failures] == ["It cannot be read."]
    assert list(other.listen(other.call(session.HEALTH)))[-1] == ("end", 0, "")


def test_a_context_arrives_as_it_is_and_as_roots(other_side, tmp_path):
    (tmp_path / "run").write_bytes(bytes(range(256)) * 400)  # 102,400 bytes: four packets
    (tmp_path / "run").chmod(0o4750)
    (tmp_path / "empty").touch(0o600)
    (tmp_path / "deep").mkdir(mode=0o1777)
    (tmp_path / "deep").chmod(0o1777)
    (tmp_path / "deep" / "päth").write_text("1")
    (tmp_path / "short").symlink_to("deep/päth")
    os.link(tmp_path / "run", tmp_path / "twin")
    os.mkfifo(tmp_path / "pipe", 0o644)
    sent = []
    got = fetch(other_side(of_context(tmp_path, sent)))
    assert list(got) == ["deep", "deep/päth", "empty", "pipe", "run", "short", "twin"]
    assert got["run"] == (1 << 23 | 0o750, "", bytes(range(256)) * 400)
    assert got["empty"] == (0o600, "", b"") and got["deep/päth"][2] == b"1"
    assert got["deep"][0] == 1 << 31 | 1 << 20 | 0o777
    assert got["pipe"][0] == 1 << 25 | 0o644
    assert got["short"] == (1 << 27 | 0o777, "deep/päth", None)
    assert got["twin"][1:] == ("run", None)
    assert sum(sent) == 102_401


def test_a_stat_is_written_to_the_letter():
    entry = context.Entry("a", stat.S_IFREG | 0o644, 3, 1, attributes={"user.a": b"b"})
    assert (
        fsutil.encode_stat(entry)
        == b"\x0a\x01a" + b"\x10\xa4\x03" + b"\x28\x03" + b"\x30\x01" + b"\x52\x0b\x0a\x06user.a\x12\x01b"
    )
    before = Message(fsutil.encode_stat(context.Entry("a", stat.S_IFREG, modified=-1))).integer(6)
    assert before == 2**64 - 1  # int64: two's complement


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_what_is_not_utf8_is_said_as_it_is_written_a_links_target_too():
    file = stat.S_IFREG | 0o644
    for entry in (context.Entry("a\udcff", file), context.Entry("a", file, attributes={"\udcff": b"1"})):
        with pytest.raises(WorkshopError, match="a name that is not UTF-8: a"):
            fsutil.encode_stat(entry)
    with pytest.raises(WorkshopError, match=r"a name that is not UTF-8: b -> \\xff\."):
        fsutil.encode_stat(context.Entry("b", stat.S_IFLNK, link="\udcff"))


def test_what_is_asked_for_and_nothing_else_is_sent(other_side, tmp_path):
    for name in ("app/a.py", "app/a.pyc", "app/sub/b.md", "other/c", ".env", "ü"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("/other")
    other = other_side(of_context(tmp_path))
    excludes = [".env", "**/*.pyc", "other"]
    assert list(fetch(other, exclude_patterns=excludes)) == ["app", "app/a.py", "app/sub", "app/sub/b.md", "link", "ü"]
    assert list(fetch(other, exclude_patterns=["*", "!app/**/*.md"])) == ["app", "app/sub", "app/sub/b.md"]
    assert list(fetch(other, include_patterns=["app/sub"])) == ["app", "app/sub", "app/sub/b.md"]
    assert list(fetch(other, followpaths=["link/c"])) == ["link", "other", "other/c"]
    assert list(fetch(other, followpaths=["app/*.py"], exclude_patterns=excludes)) == ["app", "app/a.py"]
    assert list(fetch(other, followpaths=["."], exclude_patterns=["*", "!ü"])) == ["ü"]
    encoded = {"exclude_patterns": [quote_plus(one) for one in ("ü", "a*", "l*")], "exclude_patterns_encoded": ["1"]}
    assert list(fetch(other, **encoded)) == [".env", "other", "other/c"]


def test_more_is_asked_for_than_one_window_holds(other_side, tmp_path):
    """Each request is a packet of a few bytes, and a large context has thousands: the other side gets its leave back."""
    (tmp_path / "a").write_bytes(b"1")
    other = other_side(of_context(tmp_path))
    number = other.call(session.FILES, [("dir-name", "context")])
    listening = other.listen(number)
    next(listening), next(listening)
    for _ in range(9):  # 9 × 10,000 bytes, in packets of 11: HTTP/2 begins with a window of 65,535
        for _ in range(1000):
            other.say(number, encode((1, REQ)) + b"\x18\x00" + b"\x48\x00")
        while other.h2.local_flow_control_window(number) < 20_000:
            next(listening)
    other.say(number, encode((1, FIN)))
    assert list(listening)[-1] == ("end", 0, "")


def test_the_patterns_of_a_long_dockerignore_come_as_headers(other_side, tmp_path):
    for name in ("a", "pattern-2999"):
        (tmp_path / name).touch()
    other = other_side(of_context(tmp_path))
    patterns = [f"pattern-{number}" for number in range(3000)]  # 3,000 × (16 + 12 + 32) bytes as HTTP/2 counts them
    assert list(fetch(other, exclude_patterns=patterns)) == ["a"]


def test_a_pattern_that_is_not_utf8_comes_encoded_and_stands_for_its_bytes():
    asked = {"exclude-patterns": ["%FF*", "a+b"], "exclude-patterns-encoded": ["1"]}
    assert session._values(asked, "exclude-patterns") == ["\udcff*", "a b"]


def test_the_other_side_may_give_up_a_folder_in_words(other_side, tmp_path):
    other = other_side(of_context(tmp_path))
    number = other.call(session.FILES, [("dir-name", "context")], encode((1, fsutil.ERR), (4, b"no space")))
    assert list(other.listen(number))[-1] == ("end", 0, "") and other.failures == []


def test_what_may_not_be_read_ends_the_call_with_its_sentence(other_side, tmp_path, monkeypatch):
    (tmp_path / "a").write_text("1")
    (tmp_path / "private").mkdir()
    refuse(monkeypatch, "private")
    other = other_side(of_context(tmp_path))
    assert list(fetch(other, followpaths=["a"])) == ["a"]
    assert list(fetch(other, exclude_patterns=["private", "!private/x"])) == ["a"]
    *_, (_, status, text) = other.listen(other.call(session.FILES, [("dir-name", "context")]))
    assert (status, text) == (
        2,
        f"The build context {tmp_path.name} cannot be sent, because of private: Permission denied.",
    )
    assert [error.state for error in other.failures] == ["Nothing was built."]


def test_only_the_two_folders_are_served(other_side, tmp_path):
    other = other_side(of_context(tmp_path))
    end = list(other.listen(other.call(session.FILES, [("dir-name", "/etc")])))
    assert end == [("end", 5, "no folder is called /etc")]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_session_is_opened_by_an_upgrade_and_hung_up_in_the_end(tmp_path):
    """The other side speaks right behind its answer, in the same breath: none of that is lost."""
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{short}/s")
        listener.listen()
        heard = {}

        def answer():
            connection, _ = listener.accept()
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(1 << 16)
            heard["request"] = request.decode().split("\r\n")
            other = OtherSide(connection=connection)
            number = other.call(session.FILES, [("dir-name", "dockerfile")])
            upgraded = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
            connection.sendall(upgraded + other.h2.data_to_send())
            listening = other.listen(number)
            heard["first"] = Message(next(listening)[1]).message(2).text(1)
            other.say(number, encode((1, FIN)))
            heard["end"] = list(listening)[-1]
            heard["hung up"] = connection.recv(1 << 16)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        client = docker.DockerClient(base_url=f"unix://{short}/s", version="1.41")
        with session.Session(client, tmp_path, [context.text_entry("Dockerfile", b"FROM a")], {}) as opened:
            while "end" not in heard and thread.is_alive():
                thread.join(0.05)
        thread.join(5)
    assert heard["request"][0] == "POST /v1.41/session HTTP/1.1" and "Upgrade: h2c" in heard["request"]
    methods = [
        line.partition(": ")[2] for line in heard["request"] if line.startswith("X-Docker-Expose-Session-Grpc-Method")
    ]
    assert methods == [session.FILES, session.SECRETS, session.HEALTH]
    assert f"X-Docker-Expose-Session-Uuid: {opened.id}" in heard["request"]
    assert heard["first"] == "Dockerfile" and heard["end"] == ("end", 0, "") and heard["hung up"] == b""
    assert opened.failure is None and not [one for one in threading.enumerate() if one.name == "BuildKit session"]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_session_that_cannot_go_on_hangs_up_and_says_why(tmp_path):
    """Else the engine would wait for it, and the build for the engine."""
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{short}/s")
        listener.listen()
        heard = []

        def answer():
            connection, _ = listener.accept()
            with connection:
                while b"\r\n\r\n" not in connection.recv(1 << 16):
                    pass
                other = OtherSide(connection=connection)
                upgraded = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                no_frame = b"\0\0\5\1\5\0\0\0\1" + b"\xff" * 5  # headers that no HPACK has
                connection.sendall(upgraded + other.h2.data_to_send() + no_frame)
                connection.settimeout(20)
                while heard_now := connection.recv(1 << 16):
                    heard.append(heard_now)
                heard.append("hung up")

        thread = threading.Thread(target=answer)
        thread.start()
        client = docker.DockerClient(base_url=f"unix://{short}/s", version="1.41")
        with session.Session(client, tmp_path, [context.text_entry("Dockerfile", b"FROM a")], {}) as opened:
            thread.join(30)
            assert heard[-1] == "hung up"
    assert isinstance(opened.failure, session.ProtocolError)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
@pytest.mark.parametrize("also", [[], ["_socket"]], ids=["it can be written to", "it cannot"])
def test_a_client_that_goes_away_is_no_fault_of_the_session(tmp_path, also):
    """What reading and writing then say (a closed file, a bad descriptor) is not why a build failed."""
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{short}/s")
        listener.listen()
        gone = threading.Event()

        def answer():
            connection, _ = listener.accept()
            with connection:
                while b"\r\n\r\n" not in connection.recv(1 << 16):
                    pass
                other = OtherSide(connection=connection)
                upgraded = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                connection.sendall(upgraded + other.h2.data_to_send())
                gone.wait(20)

        thread = threading.Thread(target=answer)
        thread.start()
        client = docker.DockerClient(base_url=f"unix://{short}/s", version="1.41")
        opened = session.Session(client, tmp_path, [context.text_entry("Dockerfile", b"FROM a")], {})
        for one in [opened._answer.raw._fp.fp, *(getattr(opened, name) for name in also)]:
            one.close()
        with opened:
            opened._thread.join(10)
            assert not opened._thread.is_alive()
        gone.set()
        thread.join(10)
    assert opened.failure is None


def test_a_number_without_an_end_is_refused_before_it_is_added_up():
    with pytest.raises(ValueError, match="more than ten bytes"):
        Message(b"\x08" + b"\x80" * 1_000_000)
    assert Message(encode((1, -1))).integer(1) == 2**64 - 1  # ten bytes, the longest
