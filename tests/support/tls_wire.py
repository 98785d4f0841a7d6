"""TLS as bytes: records, ClientHellos that no library would send, alerts.

Sources: RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2), the registries of IANA.
"""

import dataclasses
import os
import struct
import time

from .device import connect
from .waiting import slowed

HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC, DATA = 22, 21, 20, 23

SSL_3, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 = 0x0300, 0x0301, 0x0302, 0x0303, 0x0304

CLOSE_NOTIFY = 0
UNEXPECTED_MESSAGE = 10
HANDSHAKE_FAILURE = 40
ILLEGAL_PARAMETER = 47
PROTOCOL_VERSION = 70
INAPPROPRIATE_FALLBACK = 86
NO_APPLICATION_PROTOCOL = 120

X25519, P_256, P_384, P_521, FFDHE_2048 = 29, 23, 24, 25, 256
SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501)

# What the gateway speaks.
SUITES_1_3 = {
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
}
ECDHE_RSA_AES128_GCM = 0xC02F


def record(kind, body, version=TLS_1_2):
    return struct.pack(">BHH", kind, version, len(body)) + body


def split_records(data):
    """[(kind, body), ...] of whole records; fails on half a one."""
    records = []
    while data:
        kind, _version, count = struct.unpack(">BHH", data[:5])
        assert len(data) >= 5 + count, f"{len(data)} bytes of a record of {5 + count}"
        records.append((kind, data[5 : 5 + count]))
        data = data[5 + count :]
    return records


def refragment(data, count):
    """The same messages in records of `count` bytes each, one piece a record."""
    pieces = []
    for kind, body in split_records(data):
        pieces += [record(kind, body[i : i + count], TLS_1_0) for i in range(0, len(body), count)]
    return pieces


def alert_of(data):
    """The number of the alert that ends the server's bytes in the clear; None without one."""
    records = split_records(data)
    if not records or records[-1][0] != ALERT:
        return None
    return records[-1][1][1]


def vector8(data):
    return struct.pack(">B", len(data)) + data


def vector16(data):
    return struct.pack(">H", len(data)) + data


def extension(number, data):
    return struct.pack(">H", number) + vector16(data)


def numbers(values):
    return b"".join(struct.pack(">H", value) for value in values)


@dataclasses.dataclass(frozen=True)
class ClientHello:
    """A ClientHello of any content. `versions`: what the extension of TLS 1.3 names, if any.

    A key share is random bytes: enough for a server to choose or to refuse.
    """

    suites: tuple = (ECDHE_RSA_AES128_GCM,)
    version: int = TLS_1_2
    versions: tuple = ()
    groups: tuple = (X25519, P_256)
    shares: tuple = ()
    compressions: bytes = b"\0"
    alpn: tuple = ()
    extensions: bytes = b""

    def encode(self):
        body = struct.pack(">H", self.version) + os.urandom(32) + vector8(os.urandom(32))
        body += vector16(numbers(self.suites)) + vector8(self.compressions)
        if self.version != SSL_3:  # which knows no extensions
            body += vector16(self._extensions())
        message = b"\x01" + struct.pack(">I", len(body))[1:] + body
        return record(HANDSHAKE, message, min(self.version, TLS_1_0))

    def _extensions(self):
        data = extension(10, vector16(numbers(self.groups)))
        data += extension(11, vector8(b"\0"))  # points that are not compressed
        data += extension(13, vector16(numbers(SIGNATURES)))
        if self.alpn:
            names = b"".join(vector8(name.encode()) for name in self.alpn)
            data += extension(16, vector16(names))
        if self.versions:
            data += extension(43, vector8(numbers(self.versions)))
            shares = b"".join(
                struct.pack(">H", group) + vector16(os.urandom(count))
                for group, count in self.shares
            )
            data += extension(51, vector16(shares))
        return data + self.extensions


def tls13_hello(**changes):
    """A ClientHello of TLS 1.3 that the gateway would answer, but for `changes`."""
    fields = {
        "suites": tuple(SUITES_1_3.values()),
        "versions": (TLS_1_3,),
        "shares": ((X25519, 32),),
    }
    return ClientHello(**fields | changes).encode()


def read_to_the_end(connection, within_s=10.0):
    """Everything that comes until the end or a reset. Fails when the end does not come."""
    deadline = time.monotonic() + slowed(within_s)
    data = b""
    while True:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            part = connection.recv(65536)
        except ConnectionError:
            return data
        except TimeoutError:
            raise AssertionError(f"no end within {slowed(within_s):g} s, after {data!r}") from None
        if not part:
            return data
        data += part


def answer_to(address, *pieces):
    """Sends pieces of bytes and returns everything that comes until the end."""
    with connect(address) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except ConnectionError:
            pass  # refused before the last piece: what was said of it is read next
        return read_to_the_end(connection)
