"""The native protocol, version 1, written from docs/protocol.md alone.

Frames are values with encode(); FrameReader turns the server's bytes into frames and is strict:
what the page does not allow raises ProtocolError, so every test also checks what the gateway sends.
"""

import dataclasses
import struct

MAGIC = b"HFG1"
LENGTH_BYTES_MAX = 4
HELLO_BODY_BYTES_MAX = 1024

# The codes of a GOAWAY.
GOODBYE = 0
PROTOCOL_ERROR = 4000
UNAUTHORIZED = 4001
TAKEN_OVER = 4002
HEARTBEAT_TIMEOUT = 4003
SHED_IDLE = 4004
OVERLOADED = 4005
DRAINING = 4006
SLOW_CONSUMER = 4007
KICKED = 4008
NO_HELLO = 4009
FRAME_TOO_LARGE = 4010
RATE_LIMITED = 4011

ACK_UNAVAILABLE = 2


class ProtocolError(Exception):
    """The server sent bytes that the protocol does not allow."""


def encode_length(count):
    """The shortest form: seven bits a byte, the least significant group first."""
    encoded = bytearray()
    while True:
        group, count = count & 0x7F, count >> 7
        encoded.append(group | (0x80 if count else 0))
        if not count:
            return bytes(encoded)


def encode_frame(head, body=b""):
    return bytes([head]) + encode_length(len(body)) + body


def str8(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">B", len(data)) + data


def str16(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(data)) + data


@dataclasses.dataclass(frozen=True)
class Hello:
    device_id: str
    heartbeat_s: int = 0
    token: str = ""
    attributes: dict = dataclasses.field(default_factory=dict)

    def encode(self):
        pairs = b"".join(str8(key) + str8(value) for key, value in self.attributes.items())
        identity = struct.pack(">H", self.heartbeat_s) + str8(self.device_id) + str16(self.token)
        return encode_frame(0xA0, MAGIC + identity + pairs)


@dataclasses.dataclass(frozen=True)
class Welcome:
    took_over: bool
    heartbeat_s: int
    timeout_s: int
    session_id: int
    server_time_ms: int


@dataclasses.dataclass(frozen=True)
class Ping:
    echo: bytes = b""

    def encode(self):
        return encode_frame(0x10, self.echo)


@dataclasses.dataclass(frozen=True)
class Pong:
    echo: bytes = b""
    new_heartbeat_s: int | None = None  # from the server only

    def encode(self):
        return encode_frame(0x20, self.echo)


@dataclasses.dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes = b""
    ack_id: int | None = None

    def encode(self):
        if self.ack_id is None:
            return encode_frame(0x30, str8(self.topic) + self.payload)
        return encode_frame(0x31, struct.pack(">I", self.ack_id) + str8(self.topic) + self.payload)


@dataclasses.dataclass(frozen=True)
class Ack:
    ack_id: int
    status: int = 0

    def encode(self):
        return encode_frame(0x40, struct.pack(">IB", self.ack_id, self.status))


def _filters(frame):
    return struct.pack(">I", frame.ack_id) + b"".join(map(str8, frame.filters))


@dataclasses.dataclass(frozen=True)
class Subscribe:
    ack_id: int
    filters: tuple

    def encode(self):
        return encode_frame(0x50, _filters(self))


@dataclasses.dataclass(frozen=True)
class Unsubscribe:
    ack_id: int
    filters: tuple

    def encode(self):
        return encode_frame(0x60, _filters(self))


@dataclasses.dataclass(frozen=True)
class Goaway:
    code: int = GOODBYE
    retry_after_ms: int = 0
    reason: str = ""
    other_address: str = ""

    def encode(self):
        head = struct.pack(">HI", self.code, self.retry_after_ms)
        return encode_frame(0x70, head + str8(self.reason) + str8(self.other_address))


class _Body:
    """Takes fields off the front of a frame's body."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        if len(self.data) < count:
            raise ProtocolError(f"a body ends {count - len(self.data)} bytes early")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def unpack(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def str8(self):
        (count,) = self.unpack(">B")
        return self.take(count).decode("utf-8")

    def rest(self):
        return self.take(len(self.data))

    def end(self):
        if self.data:
            raise ProtocolError(f"{len(self.data)} bytes follow a body's last field")


def _welcome(flags, body):
    return Welcome(flags == 1, *body.unpack(">HHQQ"))


def _ping(_flags, body):
    return Ping(_echo(body))


def _pong(flags, body):
    new_heartbeat_s = body.unpack(">H")[0] if flags else None
    return Pong(_echo(body), new_heartbeat_s)


def _message(flags, body):
    ack_id = body.unpack(">I")[0] if flags else None
    return Message(body.str8(), body.rest(), ack_id)


def _ack(_flags, body):
    return Ack(*body.unpack(">IB"))


def _goaway(_flags, body):
    return Goaway(*body.unpack(">HI"), body.str8(), body.str8())


def _echo(body):
    echo = body.rest()
    if len(echo) > 16:
        raise ProtocolError(f"an echo of {len(echo)} bytes")
    return echo


# What a server sends: type -> (flags allowed, reader of the body).
_SERVER_FRAMES = {
    0x8: ({0, 1}, _welcome),
    0x1: ({0}, _ping),
    0x2: ({0, 1}, _pong),
    0x3: ({0, 1}, _message),
    0x4: ({0}, _ack),
    0x7: ({0}, _goaway),
}


def decode_server_frame(data, start=0):
    """Returns (frame, bytes used) of the frame at `start`; None when it is not whole yet."""
    length = 0
    for count in range(LENGTH_BYTES_MAX):
        at = start + 1 + count
        if at >= len(data):
            return None
        length |= (data[at] & 0x7F) << (7 * count)
        if data[at] & 0x80:
            continue
        if data[at] == 0 and count > 0:
            raise ProtocolError("a length that is not in its shortest form")
        end = at + 1 + length
        if len(data) < end:
            return None
        return _decode_body(data[start], bytes(data[at + 1 : end])), end - start
    raise ProtocolError("a length of more than four bytes")


def _decode_body(head, data):
    kind, flags = head >> 4, head & 0x0F
    allowed, read = _SERVER_FRAMES.get(kind, (set(), None))
    if flags not in allowed:
        raise ProtocolError(f"a server does not send a frame with the head {head:#04x}")
    body = _Body(data)
    frame = read(flags, body)
    body.end()
    return frame


class FrameReader:
    """Gathers the server's bytes and gives whole frames."""

    def __init__(self):
        self._pending = bytearray()

    def feed(self, data):
        """Returns the frames that `data` completes, in order."""
        self._pending += data
        frames = []
        at = 0
        while decoded := decode_server_frame(self._pending, at):
            frame, used = decoded
            at += used
            frames.append(frame)
        del self._pending[:at]
        return frames

    @property
    def has_partial_frame(self):
        return bool(self._pending)
