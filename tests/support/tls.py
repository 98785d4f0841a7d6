"""Devices within TLS, on Python's ssl with the bytes in the test's hands."""

import select
import ssl
import time

from . import native
from .device import WAIT_S, Device, connect
from .waiting import slowed

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}

# How a stream within TLS ended; else the name that OpenSSL has for the peer's alert.
CLOSE_NOTIFY = "close_notify"
CUT = "cut"  # the end of the connection came without close_notify
RESET = "reset"


def client_context(ca, *, version="", ciphers="", pair=None, alpn=()):
    """What a device trusts and speaks; `ca` is the path of the authority's certificate.

    Sessions can be resumed with the context that they were made with.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Python takes an end without close_notify for one with it, unless told otherwise.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    context.load_verify_locations(ca)
    if version:
        context.minimum_version = context.maximum_version = VERSIONS[version]
    if ciphers:
        context.set_ciphers(ciphers)
    if pair:
        context.load_cert_chain(pair.cert, pair.key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def single_bytes(data):
    return [data[i : i + 1] for i in range(len(data))]


class TlsSocket:
    """A connected socket within TLS: of a socket's methods those that Device and Crowd use.

    TLS goes through memory: seal() gives records instead of sending them, and `cut`, a function of
    bytes, says in which pieces everything leaves.
    """

    def __init__(self, raw, context, *, server_name="localhost", session=None, cut=None):
        self.raw = raw
        self.cut = cut
        self.ended_by = ""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name, session=session
        )
        self._plain = b""
        self._timeout_s = None

    # Shaking hands.

    def first_flight(self):
        """The bytes of a ClientHello, which are not sent."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self._outgoing.read()

    def shake_hands(self, within_s=WAIT_S, *, first_data=b""):
        """`first_data` leaves with the last flight, in the same piece. Fails by ssl.SSLError."""
        deadline = time.monotonic() + slowed(within_s)
        while not self._has_shaken_hands():
            self._receive(deadline)
        if first_data:
            self.tls.write(first_data)
        self._flush()

    def _has_shaken_hands(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError:
            self._flush()  # an alert of ours
            raise
        return True

    # What a socket does.

    def recv(self, _count):
        """Everything that has come, or b"" at the end, for which `ended_by` has the cause."""
        deadline = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        self._open()
        while not self._plain and not self.ended_by:
            self._receive(deadline)
            self._open()
        taken, self._plain = self._plain, b""
        return taken

    def sendall(self, data):
        self.tls.write(data)
        self._flush()

    def settimeout(self, seconds):
        self._timeout_s = seconds

    def fileno(self):
        return self.raw.fileno()

    def getsockname(self):
        return self.raw.getsockname()

    def close(self):
        """Without close_notify, as a device that has lost its power."""
        self.raw.close()

    # What only TLS has.

    def seal(self, data):
        """Records with `data`, to be sent by raw.sendall(), once, in order, whole or not."""
        self.tls.write(data)
        return self._outgoing.read()

    def send_close_notify(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass  # the peer's has not come yet
        self._flush()

    def has_input(self, within_s):
        """True as soon as data or the end has come; a ticket alone is neither."""
        deadline = time.monotonic() + within_s
        self._open()
        while not self._plain and not self.ended_by:
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([self.raw], [], [], left_s)[0]:
                return False
            self._receive(time.monotonic() + 1)
            self._open()
        return True

    def _flush(self):
        data = self._outgoing.read()
        if not data:
            return
        for piece in self.cut(data) if self.cut else [data]:
            self.raw.sendall(piece)

    def _receive(self, deadline):
        """Fails by TimeoutError; a reset is noted as the end."""
        if deadline is not None:
            self.raw.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.raw.recv(65536)
        except ConnectionError:
            self.ended_by = self.ended_by or RESET
            data = b""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _open(self):
        """Takes the data out of what has come, and notes the end."""
        parts = [self._plain]
        try:
            while data := self.tls.read(65536):
                parts.append(data)
            end = CLOSE_NOTIFY
        except ssl.SSLZeroReturnError:  # ours was sent before
            end = CLOSE_NOTIFY
        except ssl.SSLWantReadError:
            end = ""
        except ssl.SSLError as error:
            end = CUT if error.reason == "UNEXPECTED_EOF_WHILE_READING" else error.reason
        self._plain = b"".join(parts)
        self.ended_by = self.ended_by or end
        self._flush()  # a KeyUpdate may have been answered


class TlsDevice(Device):
    """A device whose connection is within TLS. Every GOAWAY is expected to end in close_notify."""

    def __init__(self, address, context, *, source="", receive_buffer_bytes=0, before_tls=b"",
                 first_data=b"", **tls):
        raw = connect(address, source, receive_buffer_bytes)
        try:
            self._use(TlsSocket(raw, context, **tls))
            if before_tls:
                raw.sendall(before_tls)
            self.socket.shake_hands(first_data=first_data)
        except BaseException:
            raw.close()
            raise

    @property
    def tls(self):
        """Python's object: version, cipher, session, certificate of the server."""
        return self.socket.tls

    @property
    def ended_by(self):
        return self.socket.ended_by

    def has_input(self, within_s=0.0):
        return bool(self._frames) or self.socket.has_input(within_s)

    def expect(self, kind, within_s=WAIT_S):
        frame = self.receive(within_s)
        cause = f", the stream ended by {self.ended_by}" if frame is None else ""
        assert isinstance(frame, kind), f"expected {kind.__name__}, got {frame}{cause}"
        return frame

    def expect_goaway(self, code, within_s=WAIT_S):
        frame = super().expect_goaway(code, within_s)
        assert self.ended_by == CLOSE_NOTIFY, f"the stream ended by {self.ended_by}"
        return frame

    def expect_alert(self, name, within_s=WAIT_S):
        """Expects the end of the stream by this alert, as OpenSSL calls it."""
        self.expect_end(within_s)
        assert name in self.ended_by, f"expected {name}, the stream ended by {self.ended_by}"

    def expect_cut(self, within_s=WAIT_S):
        """The end of the connection, without close_notify."""
        self.expect_end(within_s)
        assert self.ended_by == CUT, f"the stream ended by {self.ended_by}"

    def expect_close_notify(self, within_s=WAIT_S):
        self.expect_end(within_s)
        assert self.ended_by == CLOSE_NOTIFY, f"the stream ended by {self.ended_by}"


def refusal(address, context, **options):
    """Tries to come in as device "d". Returns how it was refused, "" when it was let in.

    TLS 1.3 tells a client of a fault of its certificate only when its side is done already.
    """
    try:
        with TlsDevice(address, context, **options) as device:
            device.send(native.Hello("d"))
            frame = device.receive()
            return device.ended_by if frame is None else ""
    except ssl.SSLError as error:
        return error.reason or str(error)
    except ConnectionError:
        return RESET


def connect_within_tls(address, context, **tls):
    """For Crowd: a socket whose handshake is done."""
    connection = TlsSocket(connect(address), context, **tls)
    try:
        connection.shake_hands()
    except BaseException:
        connection.close()
        raise
    return connection
