"""One device on a blocking socket. Every wait has a deadline."""

import select
import socket
import time

from . import native
from .waiting import slowed

WAIT_S = 10.0


def connect(address, source="", receive_buffer_bytes=0):
    """A connected socket that sends small writes at once."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        if source:
            connection.bind((source, 0))
        connection.settimeout(slowed(WAIT_S))
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


class Device:
    """A connection to the gateway that speaks the native protocol, or any bytes it is given."""

    def __init__(self, address, *, source="", receive_buffer_bytes=0, before_hello=b""):
        self._use(connect(address, source, receive_buffer_bytes))
        if before_hello:
            self.send_bytes(before_hello)

    @classmethod
    def over(cls, connected):
        """A device on a socket that is there already."""
        device = cls.__new__(cls)
        device._use(connected)
        return device

    def _use(self, connected):
        self.socket = connected
        self.welcome = None
        self.last_sent_s = time.monotonic()  # just before the last bytes went out
        self.closed_s = None  # when the end was seen
        self._reader = native.FrameReader()
        self._frames = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def close(self):
        self.socket.close()

    @classmethod
    def login(cls, address, device_id, heartbeat_s=0, *, attributes=None, **connection):
        """Connects and waits for WELCOME."""
        device = cls(address, **connection)
        try:
            device.hello(device_id, heartbeat_s, attributes=attributes)
        except BaseException:
            device.close()
            raise
        return device

    def hello(self, device_id, heartbeat_s=0, *, token="", attributes=None):
        self.send(native.Hello(device_id, heartbeat_s, token, attributes or {}))
        self.welcome = self.expect(native.Welcome)
        return self.welcome

    def send(self, frame):
        self.send_bytes(frame.encode())

    def send_bytes(self, data):
        self.last_sent_s = time.monotonic()
        self.socket.sendall(data)

    def receive(self, within_s=WAIT_S):
        """The next frame; None at the end of the stream, or a reset. Fails when nothing comes."""
        deadline = time.monotonic() + slowed(within_s)
        while not self._frames:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise AssertionError(f"no frame within {slowed(within_s):g} s")
            data = self._read(left_s)
            if data is None:
                continue
            if not data:
                self.closed_s = time.monotonic()
                assert not self._reader.has_partial_frame, "the stream ends within a frame"
                return None
            self._frames += self._reader.feed(data)
        return self._frames.pop(0)

    def _read(self, wait_s):
        self.socket.settimeout(wait_s)
        try:
            return self.socket.recv(65536)
        except TimeoutError:
            return None
        except ConnectionError:
            return b""

    def has_input(self, within_s=0.0):
        """True as soon as something, or the end, can be read."""
        return bool(self._frames or select.select([self.socket], [], [], within_s)[0])

    def expect(self, kind, within_s=WAIT_S):
        """The next frame, which must be of this kind."""
        frame = self.receive(within_s)
        assert isinstance(frame, kind), f"expected {kind.__name__}, got {frame}"
        return frame

    def expect_goaway(self, code, within_s=WAIT_S):
        """Reads past other frames to the GOAWAY, and expects the end of the stream behind it."""
        while not isinstance(frame := self.receive(within_s), native.Goaway):
            assert frame is not None, f"the stream ended without GOAWAY {code}"
        assert frame.code == code, f"expected GOAWAY {code}, got {frame}"
        assert self.receive(within_s) is None, "a frame came after GOAWAY"
        return frame

    def expect_end(self, within_s=WAIT_S):
        """Expects the end of the stream and no frame before it."""
        frame = self.receive(within_s)
        assert frame is None, f"expected the end, got {frame}"

    def ping(self, echo=b"", within_s=WAIT_S):
        """Sends PING and returns its PONG; a PING of the server in between is left unanswered."""
        self.send(native.Ping(echo))
        while isinstance(frame := self.receive(within_s), native.Ping):
            pass
        assert isinstance(frame, native.Pong), f"expected Pong, got {frame}"
        assert frame.echo == echo
        return frame

    def is_alive(self):
        """True when a PING is still answered."""
        try:
            self.ping(b"alive?")
        except (AssertionError, OSError):
            return False
        return True
