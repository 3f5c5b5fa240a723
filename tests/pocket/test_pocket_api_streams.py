"""Streams, bodies and filters of the API, each on its own."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import threading
import time

import pytest
from aiohttp import web
from pocket_engine.api import request_body
from pocket_engine.api.app import quiet_about_noise
from pocket_engine.api.build import build_options, limits_asked, refuse_unsupported
from pocket_engine.api.event_stream import matches
from pocket_engine.api.filters import Filters, labels_match, parse, parse_time, reference_matches
from pocket_engine.api.response_streams import blob_stream, json_stream
from pocket_engine.errors import BadRequest, NotFound, Unsupported
from pocket_engine.events import KEPT, Events


@pytest.fixture
def serve():
    """serve(handler) -> port: an HTTP server in a thread, which calls it for every request."""
    ends = []

    def start(handler) -> int:
        loop, ready, port = asyncio.new_event_loop(), threading.Event(), []

        async def answer(request: web.Request) -> web.StreamResponse:
            return await handler(request)

        async def main() -> None:
            app = web.Application()
            app.router.add_route("*", "/{rest:.*}", answer)
            runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port.append(site._server.sockets[0].getsockname()[1])
            ready.set()
            await end.wait()
            await runner.cleanup()

        end = asyncio.Event()
        thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
        thread.start()
        assert ready.wait(10)
        ends.append((loop, end, thread))
        return port[0]

    yield start
    for loop, end, thread in ends:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        assert not thread.is_alive()


def ask(port: int, method: str = "GET", path: str = "/", body: bytes | None = None) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.headers.get("Content-Type", ""), answer.read()


def hang_up_after(port: int, first_bytes: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        if first_bytes:
            line.recv(first_bytes)


def test_messages_are_sent_as_they_come(serve):
    go_on = threading.Event()

    def produce(say, stop):
        say({"stream": "one"})
        assert go_on.wait(10)
        say({"stream": "two"})

    port = serve(lambda request: json_stream(request, produce))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.getheader("Transfer-Encoding") == "chunked"  # docker-py decodes nothing else
    assert json.loads(answer.readline()) == {"stream": "one"}
    go_on.set()
    assert json.loads(answer.readline()) == {"stream": "two"}


def test_an_error_before_the_first_message_is_a_status(serve):
    def produce(say, stop):
        raise NotFound("No such image: x:latest")

    assert ask(serve(lambda request: json_stream(request, produce))) == (
        404,
        "application/json",
        b'{"message":"No such image: x:latest"}\n',
    )


def test_an_error_after_it_is_the_last_line(serve):
    def produce(say, stop):
        say({"stream": "Step 1/1 : RUN false"})
        error = BadRequest("The command '/bin/sh -c false' returned a non-zero code: 1")
        error.code = 1
        raise error

    status, _, body = ask(serve(lambda request: json_stream(request, produce)))
    message = "The command '/bin/sh -c false' returned a non-zero code: 1"
    assert status == 200
    assert json.loads(body.splitlines()[-1]) == {"errorDetail": {"code": 1, "message": message}, "error": message}


def test_no_traceback_reaches_a_client_and_the_log_has_it(serve, caplog):
    def produce(say, stop):
        raise ZeroDivisionError("secret")

    with caplog.at_level(logging.ERROR, "pocket_engine"):
        status, _, body = ask(serve(lambda request: json_stream(request, produce)))
    assert status == 500
    assert "log" in json.loads(body)["message"] and b"secret" not in body and b"Traceback" not in body
    assert "ZeroDivisionError" in caplog.text


def test_a_producer_is_stopped_and_waited_for_when_its_client_hangs_up(serve):
    stopped, returned = threading.Event(), threading.Event()

    async def handler(request):
        try:
            return await json_stream(request, produce)
        finally:
            if stopped.is_set():
                returned.set()

    def produce(say, stop):
        say({"stream": "begun"})
        assert stop.wait(10)
        time.sleep(0.3)  # clearing up takes a while
        stopped.set()

    hang_up_after(serve(handler), 10)
    assert stopped.wait(5)
    assert returned.wait(5)


def test_a_silent_producer_is_stopped_too(serve):
    stopped = threading.Event()

    def produce(say, stop):
        if stop.wait(10):
            stopped.set()

    hang_up_after(serve(lambda request: json_stream(request, produce)), 0)
    assert stopped.wait(5)


def test_a_client_that_does_not_read_does_not_fill_the_memory(serve):
    made, stopped = [], threading.Event()

    def chunks(stop):
        try:
            for number in range(1000):
                made.append(number)
                yield bytes(1 << 20)
        finally:
            stopped.set()

    port = serve(lambda request: blob_stream(request, chunks))
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1)
        assert 0 < len(made) < 64  # of 1000 MB
    assert stopped.wait(5)


def test_bytes_arrive_whole_and_in_order(serve):
    parts = [bytes([number]) * (1000 + number) for number in range(200)]
    port = serve(lambda request: blob_stream(request, lambda stop: iter(parts)))
    assert ask(port) == (200, "application/x-tar", b"".join(parts))


def test_half_an_archive_cannot_be_taken_for_a_whole_one(serve):
    def chunks(stop):
        yield b"half"
        raise NotFound("The other half is missing.")

    port = serve(lambda request: blob_stream(request, chunks))
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(port)


def test_an_archive_of_what_is_not_there_is_a_status(serve):
    def chunks(stop):
        raise NotFound("No such image: nosuch")
        yield b""

    status, _, body = ask(serve(lambda request: blob_stream(request, chunks)))
    assert (status, json.loads(body)) == (404, {"message": "No such image: nosuch"})


def test_a_body_is_on_disk_while_it_is_needed_and_gone_afterwards(serve, tmp_path):
    async def handler(request):
        async with request_body.body_on_disk(request, tmp_path) as path:
            return web.Response(body=f"{path.stat().st_size} {len(list(tmp_path.iterdir()))}".encode())

    assert ask(serve(handler), "POST", "/", bytes(3_000_000))[2] == b"3000000 1"
    assert list(tmp_path.iterdir()) == []


def test_a_body_larger_than_the_disk_is_refused_before_it_comes(serve, tmp_path):
    said = []

    async def handler(request):
        try:
            async with request_body.body_on_disk(request, tmp_path):
                return web.Response()
        except request_body.NoSpace as error:
            said.append(error.message)
            return web.Response(status=error.status)

    port = serve(handler)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000000\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 507")
    assert "No room" in said[0]


def test_half_a_body_leaves_nothing_behind(serve, tmp_path):
    failed = threading.Event()

    async def handler(request):
        try:
            async with request_body.body_on_disk(request, tmp_path):
                return web.Response()
        except BaseException:
            failed.set()
            raise

    port = serve(handler)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000))
        time.sleep(0.3)
    assert failed.wait(5)
    time.sleep(0.2)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_http_is_one_line_in_the_log(serve, caplog):
    quiet_about_noise()
    port = serve(lambda request: None)
    with caplog.at_level(logging.INFO), socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("text", ['{"label":["a=b","c"]}', '{"label":{"a=b":true,"c":true,"d":false}}'])
def test_both_forms_of_filters_are_read(text):
    assert parse(text, ("label",)) == {"label": ["a=b", "c"]}


@pytest.mark.parametrize(
    "text", ["no", "[]", '{"label":1}', '{"label":[{}]}', '{"shape":["round"]}', "[" * 100_000, "\ud800"]
)
def test_other_filters_are_refused(text):
    with pytest.raises(BadRequest):
        parse(text, ("label",))


def test_no_filters_are_none():
    assert parse(None, ()) == parse("", ()) == parse("null", ()) == {}


def test_a_filter_that_is_true_or_false_is_nothing_else():
    assert Filters(dangling=["true"]).boolean("dangling") is True
    assert Filters(dangling=["0"]).boolean("dangling") is False
    assert Filters().boolean("dangling") is None
    for values in (["maybe"], ["true", "false"], []):
        with pytest.raises(BadRequest):
            Filters(dangling=values).boolean("dangling")


def test_labels_are_compared_by_key_or_by_key_and_value():
    labels = {"stage": "builder", "empty": ""}
    assert labels_match(["stage", "stage=builder", "empty="], labels)
    assert not labels_match(["stage=final"], labels)
    assert not labels_match(["other"], labels)
    assert labels_match([], None) and not labels_match(["a"], None)


@pytest.mark.parametrize(
    ("pattern", "reference", "fits"),
    [
        ("factory/mine", "factory/mine:latest", True),
        ("factory/*", "factory/mine:latest", True),
        ("factory", "factory/mine:latest", False),
        ("*", "factory/mine:latest", False),  # a star does not cross a slash
        ("*/*:v?", "factory/mine:v2", True),
        ("m[io]ne", "mine:1", True),
        ("localhost:5000/a", "localhost:5000/a:1", True),
        ("mine:1", "mine:10", False),
    ],
)
def test_references_fit_patterns_as_in_docker(pattern, reference, fits):
    assert reference_matches(pattern, reference) is fits


def test_no_pattern_takes_long():
    start = time.monotonic()
    assert not reference_matches("*a" * 60 + "b", "a" * 250)
    with pytest.raises(BadRequest):
        reference_matches("[", "a")
    assert time.monotonic() - start < 10  # backtracking would take years


def test_times_are_read_in_every_form_of_dockers():
    assert parse_time("1700000000.25") == 1700000000.25
    assert parse_time("1970-01-02T00:00:00Z") == parse_time("1970-01-02") == 86400
    assert parse_time("1970-01-01T01:00:00.123456789+01:00") == pytest.approx(0.123456, abs=1e-6)
    assert parse_time("1h30m", now=10_000) == 10_000 - 5400
    for text in ("soon", "", "5 minutes", "9" * 400, "inf", "nan"):
        with pytest.raises(BadRequest):
            parse_time(text)


def test_the_newest_events_are_kept_and_told_without_gap_or_overlap():
    events, heard = Events(), []
    for number in range(KEPT + 5):
        events.publish("image", "tag", f"sha256:{number}", {"name": f"a:{number}"})
    past, leave = events.subscribe(heard.append, since=0)
    assert [message["Actor"]["ID"] for message in past] == [f"sha256:{number}" for number in range(5, KEPT + 5)]
    told = events.publish("container", "die", "abc", {"image": "a", "exitCode": 1})
    leave()
    events.publish("image", "tag", "later")
    assert heard == [told]
    assert told["Actor"]["Attributes"] == {"image": "a", "exitCode": "1"}
    assert (told["status"], told["id"], told["from"]) == ("die", "abc", "a")
    assert events.listeners == 0


def test_events_are_filtered_by_any_value_of_every_filter():
    message = Events().publish("container", "die", "abcdef0123", {"image": "app:latest", "name": "run", "stage": "x"})
    for passing in (
        {"type": ["image", "container"]},
        {"event": ["die"], "container": ["run"]},
        {"container": ["abcdef"], "label": ["stage=x"]},
        {"image": ["app"]},
    ):
        assert matches(message, Filters(passing)), passing
    for failing in ({"type": ["image"]}, {"event": ["start"]}, {"container": ["other"]}, {"label": ["stage=y"]}):
        assert not matches(message, Filters(failing)), failing


def test_what_would_give_another_image_is_refused_in_a_sentence():
    for query in (
        {"version": "2"},
        {"remote": "https://example.org/x.git"},
        {"session": "abc"},
        {"squash": "1"},
        {"outputs": "[{}]"},
        {"extrahosts": '["a:1.2.3.4"]'},
        {"platform": "windows/amd64"},
    ):
        with pytest.raises(Unsupported, match="pocket engine does"):
            refuse_unsupported(query)


def test_what_the_command_line_sends_of_itself_is_accepted():
    query = {"version": "1", "memory": "0", "cpuquota": "0", "ulimits": "null", "cachefrom": "[]", "squash": "0"}
    refuse_unsupported(query)
    assert limits_asked(query) == []
    assert limits_asked({**query, "memory": "1000000", "memswap": "-1"}) == ["memory"]


def test_build_parameters_of_the_wrong_form_are_refused():
    from multidict import MultiDict

    for query in (
        {"buildargs": "zz"},
        {"buildargs": "[]"},
        {"buildargs": '{"a":1}'},
        {"labels": '{"a":null}'},
        {"cachefrom": '{"a":1}'},
    ):
        with pytest.raises(BadRequest):
            build_options(MultiDict(query), {})
    asked = build_options(MultiDict([("t", "a:1"), ("t", "b"), ("buildargs", '{"x":null,"y":"1"}')]), {"rm": True})
    assert (asked.tags, asked.buildargs, asked.dockerfile) == (["a:1", "b"], {"x": None, "y": "1"}, "Dockerfile")
