"""A gRPC server on one connection (gRPC over HTTP2, grpc/doc/PROTOCOL-HTTP2.md; the frames are h2's work).

A service is a function (metadata, received) → the messages to send: a generator, which yields None where it has to wait for
another message in `received`, or for the other side's leave to send more. So one thread serves all calls, and a file is read
no faster than it is taken.
"""

from __future__ import annotations

import string
import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

import h2.config
import h2.connection
import h2.events
import h2.settings

Metadata = dict[str, list[str]]
Service = Callable[[Metadata, deque[bytes]], Iterator[bytes | None]]

OK, UNKNOWN, NOT_FOUND, UNIMPLEMENTED = 0, 2, 5, 12  # grpc/doc/statuscodes.md
PRINTABLE = string.punctuation.replace("%", "") + " "  # what a status's text need not write as %20
LONGEST_HEADERS = 1 << 24  # bytes; the patterns of a long .dockerignore come as headers


class Refused(Exception):
    """What a service raises to end a call with this status."""

    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text
        super().__init__(status, text)


class _Call:
    """One call under way. sending, receiving: bytes of messages that are not all through."""

    def __init__(self, service: Service, metadata: Metadata) -> None:
        self.received: deque[bytes] = deque()
        self.outgoing = service(metadata, self.received)
        self.sending, self.receiving = bytearray(), bytearray()
        self.status: tuple[int, str] | None = None  # set when there is nothing more to send


class GrpcServer:
    """Serves the calls that come in by `read` until it returns nothing. services: by path, such as /package.Service/Method.

    read, write: of the connection. failed: told of an exception, other than Refused, that ended a call.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        read: Callable[[], bytes],
        write: Callable[[bytes], object],
        failed: Callable[[Exception], None],
    ) -> None:
        self.services, self.read, self.write, self.failed = services, read, write, failed
        self.calls: dict[int, _Call] = {}
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self.h2.local_settings = h2.settings.Settings(
            client=False, initial_values={h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: LONGEST_HEADERS}
        )
        self.h2.decoder.max_header_list_size = LONGEST_HEADERS

    def serve(self) -> None:
        """Returns when the connection ends. Raises what `read` and `write` do, and h2's ProtocolError."""
        self.h2.initiate_connection()
        self._flush()
        while data := self.read():
            events = self.h2.receive_data(data)
            given_up = {event.stream_id for event in events if isinstance(event, h2.events.StreamReset)}
            for event in events:
                if isinstance(event, h2.events.ConnectionTerminated):
                    return
                self._take_in(event, given_up)
            for number in list(self.calls):
                self._advance(number)
            self._flush()

    def _take_in(self, event: h2.events.Event, given_up: set[int]) -> None:
        """given_up: calls that end in the same piece of data, some of which begin in it."""
        if isinstance(event, h2.events.RequestReceived) and event.stream_id not in given_up:
            self._begin(event.stream_id, event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if call := self.calls.get(event.stream_id):
                call.receiving += event.data
                call.received.extend(_whole_messages(call.receiving))
        elif isinstance(event, h2.events.StreamReset):
            self.calls.pop(event.stream_id, None)

    def _begin(self, number: int, headers: list[tuple[bytes, bytes]]) -> None:
        metadata: Metadata = {}
        for name, value in headers:
            metadata.setdefault(name.decode(), []).append(value.decode(errors="surrogateescape"))
        self.h2.send_headers(number, [(":status", "200"), ("content-type", "application/grpc")])
        self.calls[number] = _Call(self.services.get(metadata[":path"][0], _unimplemented), metadata)

    def _advance(self, number: int) -> None:
        """Send of a call what there is to send, as far as the other side lets us."""
        call = self.calls[number]
        while True:
            most = self.h2.max_outbound_frame_size
            self._fill(call, most)
            if not call.sending:
                break
            room = min(self.h2.local_flow_control_window(number), most)
            if room <= 0:
                return
            self.h2.send_data(number, bytes(call.sending[:room]))
            del call.sending[:room]
            self._flush()
        if call.status:
            status, text = call.status
            trailers = [("grpc-status", str(status)), ("grpc-message", quote(text, safe=PRINTABLE))]
            self.h2.send_headers(number, trailers if text else trailers[:1], end_stream=True)
            del self.calls[number]

    def _fill(self, call: _Call, most: int) -> None:
        """Take messages from the service until a frame is full, or it has none for now."""
        while call.status is None and len(call.sending) < most:
            try:
                message = next(call.outgoing)
            except StopIteration:
                call.status = OK, ""
            except Refused as refusal:
                call.status = refusal.status, refusal.text
            except Exception as error:  # whatever it is: the other side must not wait for ever
                self.failed(error)
                call.status = UNKNOWN, str(error).splitlines()[0] if str(error) else type(error).__name__
            else:
                if message is None:
                    return
                call.sending += struct.pack(">?L", False, len(message)) + message

    def _flush(self) -> None:
        if data := self.h2.data_to_send():
            self.write(data)


def _unimplemented(metadata: Metadata, received: deque[bytes]) -> Iterator[bytes | None]:
    raise Refused(UNIMPLEMENTED, "not served here")
    yield None


def _whole_messages(received: bytearray) -> Iterator[bytes]:
    """The messages that have arrived whole; they are taken away. Each has five bytes in front: not compressed, its length."""
    while len(received) >= 5 and len(received) >= 5 + (length := struct.unpack(">xL", received[:5])[0]):
        yield bytes(received[5 : 5 + length])
        del received[: 5 + length]
