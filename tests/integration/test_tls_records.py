"""Bytes within TLS: cut anywhere, changed, too long, and how a connection ends."""

import socket
import struct

import pytest

from support import native, tls_wire
from support.device import Device
from support.tls import TlsDevice, TlsSocket, single_bytes
from support.tls_wire import connect, record, split_records

VERSIONS = ("TLSv1.2", "TLSv1.3")
CIPHERS_1_2 = ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
HELLO = native.Hello("d", 60).encode()


@pytest.fixture
def log_in(tls_gateway, trust):
    """log_in(version) -> a device with a session."""
    devices = []

    def log_in(version, device_id="d", **options):
        context = trust(version=version)
        device = TlsDevice.login(tls_gateway.address, device_id, 60, context=context, **options)
        devices.append(device)
        return device

    yield log_in
    for device in devices:
        device.close()


# Cuts.


@pytest.mark.parametrize("version", VERSIONS)
def test_a_device_whose_bytes_come_one_by_one_is_served(log_in, version):
    device = log_in(version, cut=single_bytes)
    for number in range(3):
        device.ping(bytes([number]))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_cut_of_every_flight_gives_the_same_session(tls_gateway, trust, version, sanitizer):
    """Each flight is cut at the same place, from the first byte of the shortest to the longest."""
    context = trust(version=version)
    longest = [2]
    at = 1
    while at < longest[0]:

        def cut(data, at=at):
            longest[0] = max(longest[0], len(data))
            return [data[:at], data[at:]]

        with TlsDevice.login(tls_gateway.address, "d", 60, context=context, cut=cut) as device:
            assert device.ping(b"x").echo == b"x", f"cut at {at}"
        at += 5 if sanitizer else 1
    assert longest[0] > 200
    assert sum(tls_gateway.admin.tls()["failed"].values()) == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_every_cut_of_a_stream_of_records_gives_the_same_answers(log_in, version):
    device = log_in(version)
    frames = [native.Ping(b"1").encode(), native.Message("t", b"m" * 50, ack_id=9).encode(),
              native.Ping(b"2").encode()]
    answers = [native.Pong(b"1"), native.Ack(9, native.ACK_UNAVAILABLE), native.Pong(b"2")]
    count = len(b"".join(map(device.socket.seal, frames)))
    # Sealed and not sent would be a gap in the numbers: a new device for the cuts.
    device = log_in(version)
    for at in range(1, count):
        data = b"".join(map(device.socket.seal, frames))
        assert len(data) == count
        device.socket.raw.sendall(data[:at])
        device.socket.raw.sendall(data[at:])
        assert [device.receive() for _ in answers] == answers, f"cut at {at}"


@pytest.mark.parametrize("version", VERSIONS)
def test_frames_and_records_need_not_fit(log_in, version):
    """A frame over many records, each of one byte; many frames in one record."""
    device = log_in(version)
    for byte in single_bytes(native.Ping(b"0123456789abcdef").encode()):
        device.send_bytes(byte)
    assert device.expect(native.Pong).echo == b"0123456789abcdef"
    pings = b"".join(native.Ping(number.to_bytes(2, "big")).encode() for number in range(2000))
    device.send_bytes(pings)
    for number in range(2000):
        assert device.expect(native.Pong).echo == number.to_bytes(2, "big")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_frame_longer_than_a_record_is_taken(log_in, version):
    device = log_in(version)
    for count in (16000, 16384, 17000, 60_000, 65_000):
        device.send(native.Message("t", b"x" * count, ack_id=count))
        assert device.receive() == native.Ack(count, native.ACK_UNAVAILABLE)
    assert device.is_alive()


def test_frames_in_the_segment_of_finished_are_answered(tls_gateway, trust):
    pings = b"".join(native.Ping(bytes([number])).encode() for number in range(50))
    context = trust(version="TLSv1.3")
    with TlsDevice(tls_gateway.address, context, first_data=HELLO + pings) as device:
        device.expect(native.Welcome)
        assert [device.expect(native.Pong).echo[0] for _ in range(50)] == list(range(50))


def test_every_cut_of_finished_with_frames_behind_it_gives_the_same_session(
    tls_gateway, trust, sanitizer
):
    """What belongs to the handshake and what follows it are told apart wherever the cut is."""
    context = trust(version="TLSv1.3")
    longest = 2
    at = 1
    while at < longest:
        lengths = []

        def cut(data, at=at, lengths=lengths):
            lengths.append(len(data))
            return [data] if len(lengths) == 1 else [data[:at], data[at:]]

        options = {"first_data": HELLO + native.Ping(b"x").encode(), "cut": cut}
        with TlsDevice(tls_gateway.address, context, **options) as device:
            device.expect(native.Welcome)
            assert device.expect(native.Pong).echo == b"x", f"cut at {at}"
        longest = max(lengths[1:])
        at += 3 if sanitizer else 1
    assert longest > len(HELLO) + 64  # ChangeCipherSpec and Finished too
    assert sum(tls_gateway.admin.tls()["failed"].values()) == 0


def test_frames_in_the_segment_of_a_resumed_handshakes_finished_are_answered(tls_gateway, trust):
    """TLS 1.2, resumed: here too the client's Finished is the last."""
    context = trust(version="TLSv1.2")
    with TlsDevice.login(tls_gateway.address, "d", context=context) as device:
        session = device.tls.session
    options = {"session": session, "first_data": HELLO + native.Ping(b"x").encode()}
    with TlsDevice(tls_gateway.address, context, **options) as device:
        assert device.tls.session_reused
        device.expect(native.Welcome)
        assert device.expect(native.Pong).echo == b"x"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("count", [200, 64, 16, 4, 1])
def test_a_client_hello_in_small_records_is_taken_or_refused(tls_gateway, trust, version, count):
    """Each record is a step of the handshake: there may be many, and not any number."""

    def cut(data):
        is_hello = data[0] == tls_wire.HANDSHAKE and data[5] == 1
        return tls_wire.refragment(data, count) if is_hello else [data]

    try:
        device = TlsDevice(tls_gateway.address, trust(version=version), cut=cut)
    except OSError:  # of which ssl.SSLError is one
        assert count < 64, "an ordinary number of records was refused"
        stats = tls_gateway.wait_for_tls_failed("protocol_error", 1)
        assert stats["closed"]["tls_failed"] == 1
    else:
        with device:
            device.hello("d")
            assert device.is_alive()
    tls_gateway.wait_for_connections(0)


# Records that may not be.


def flip(data, at, bit=0x01):
    changed = bytearray(data)
    changed[at] ^= bit
    return bytes(changed)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("at", [5, 12, 13, -17, -16, -1])
def test_a_changed_bit_ends_the_connection_with_an_alert(tls_gateway, log_in, version, at):
    device = log_in(version)
    neighbour = log_in(version, "neighbour")
    good, bad = device.socket.seal(native.Ping(b"1").encode()), device.socket.seal(HELLO)
    device.socket.raw.sendall(good + flip(bad, at))  # what came before is answered
    assert device.expect(native.Pong).echo == b"1"
    device.expect_alert("BAD_RECORD_MAC")
    device.close()  # the gateway waits for it
    stats = tls_gateway.wait_for_closed("tls_bad_record", 1)
    assert (stats["tls"]["truncated"], stats["closed"]["peer_closed"]) == (0, 0)
    assert sum(stats["tls"]["failed"].values()) == 0
    tls_gateway.wait_for_connections(1)
    assert neighbour.is_alive()


@pytest.mark.parametrize("suite", CIPHERS_1_2)
def test_in_every_cipher(tls_gateway, trust, suite):
    context = trust(version="TLSv1.2", ciphers=f"ECDHE-ECDSA-{suite}")
    with TlsDevice.login(tls_gateway.address, "d", context=context) as device:
        device.socket.raw.sendall(flip(device.socket.seal(HELLO), -1))
        device.expect_alert("BAD_RECORD_MAC")
    tls_gateway.wait_for_closed("tls_bad_record", 1)


BAD_RECORDS = {
    "a replayed record": lambda seal: (lambda ping: ping + ping)(seal(native.Ping().encode())),
    "a record that was left out": lambda seal: (seal(HELLO), seal(HELLO))[1],
    "no ciphertext": lambda seal: record(tls_wire.DATA, b""),
    "less than a tag": lambda seal: record(tls_wire.DATA, bytes(15)),
    "noise": lambda seal: record(tls_wire.DATA, bytes(range(200))),
    "one byte above the longest": lambda seal: struct.pack(">BHH", 23, 0x0303, 16384 + 2049),
    "64 KiB": lambda seal: struct.pack(">BHH", 23, 0x0303, 0xFFFF),
    "another version": lambda seal: flip(seal(HELLO), 1),
    "an unknown type": lambda seal: flip(seal(HELLO), 0, 0x80),
    "a plain HELLO": lambda seal: HELLO * 4,
    "a plain alert": lambda seal: record(tls_wire.ALERT, b"\x02\x28"),
    "a plain close_notify": lambda seal: record(tls_wire.ALERT, b"\x01\x00"),
    "a plain ClientHello": lambda seal: tls_wire.tls13_hello(),
    "ChangeCipherSpec": lambda seal: record(tls_wire.CHANGE_CIPHER_SPEC, b"\x01"),
    "a type changed to alert": lambda seal: flip(seal(HELLO), 0, 0x17 ^ 0x15),
    "a type changed to handshake": lambda seal: flip(seal(HELLO), 0, 0x17 ^ 0x16),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_records_that_may_not_be_end_the_connection_with_an_alert(tls_gateway, log_in, version):
    neighbour = log_in(version, "neighbour")
    for count, (name, make) in enumerate(BAD_RECORDS.items(), start=1):
        device = log_in(version)
        device.socket.raw.sendall(make(device.socket.seal))
        while (frame := device.receive()) is not None:
            assert isinstance(frame, native.Pong), f"{name}: {frame}"
        assert "ALERT" in device.ended_by or "RECORD_OVERFLOW" in device.ended_by, (
            f"{name}: ended by {device.ended_by}"
        )
        device.close()
        tls_gateway.wait_for_closed("tls_bad_record", count)
        assert neighbour.is_alive(), name
    tls_gateway.wait_for_connections(1)
    assert tls_gateway.admin.tls()["truncated"] == 0


# Ends.


@pytest.mark.parametrize("version", VERSIONS)
def test_close_notify_is_answered_and_is_no_truncation(tls_gateway, log_in, version):
    device = log_in(version)
    device.socket.send_close_notify()
    device.expect_close_notify()
    stats = tls_gateway.wait_for_closed("peer_closed", 1)
    assert stats["tls"]["truncated"] == 0
    tls_gateway.wait_for_connections(0)


@pytest.mark.parametrize("version", VERSIONS)
def test_frames_before_close_notify_are_heard(tls_gateway, log_in, version):
    device = log_in(version)
    device.send_bytes(native.Message("t", b"last words").encode() * 3)
    device.socket.send_close_notify()
    tls_gateway.wait_for_stats(lambda stats: stats["messages_in"] == 3, what="3 messages")
    tls_gateway.wait_for_closed("peer_closed", 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_end_without_close_notify_is_counted(tls_gateway, log_in, version):
    log_in(version).close()
    stats = tls_gateway.wait_for_closed("peer_closed", 1)
    assert stats["tls"]["truncated"] == 1
    device = log_in(version)
    data = device.socket.seal(native.Ping().encode())
    device.socket.raw.sendall(data[:-1])  # the end comes within a record
    device.close()
    stats = tls_gateway.wait_for_closed("peer_closed", 2)
    assert stats["tls"]["truncated"] == 2
    tls_gateway.wait_for_connections(0)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_device_that_ends_between_handshake_and_hello_is_counted(tls_gateway, trust, version):
    with TlsDevice(tls_gateway.address, trust(version=version)) as device:
        tls_gateway.wait_for_stats(lambda stats: stats["tls"]["full"] == 1)
        device.socket.send_close_notify()
        device.expect_close_notify()
    with TlsDevice(tls_gateway.address, trust(version=version)) as device:
        tls_gateway.wait_for_stats(lambda stats: stats["tls"]["full"] == 2)
        device.socket.raw.shutdown(socket.SHUT_WR)  # close() would reset: there is a ticket to read
        device.expect_cut()
    stats = tls_gateway.wait_for_closed("peer_closed", 2)
    assert stats["tls"]["truncated"] == 1
    assert sum(stats["tls"]["failed"].values()) == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_goodbye_within_tls_is_answered_by_close_notify(tls_gateway, log_in, version):
    device = log_in(version)
    device.send(native.Goaway(native.GOODBYE, 0, "bye"))
    device.expect_close_notify()
    stats = tls_gateway.wait_for_closed("goodbye", 1)
    assert stats["tls"]["truncated"] == 0
    tls_gateway.wait_for_connections(0)


@pytest.mark.parametrize("version", VERSIONS)
def test_after_its_last_record_the_gateway_says_nothing_in_the_clear(tls_gateway, trust, version):
    """The last bytes are records that the client opens, up to close_notify and the end."""
    context = trust(version=version)
    with connect(tls_gateway.address) as raw:
        client = TlsSocket(raw, context)
        client.shake_hands()
        device = Device.over(client)
        device.hello("d")
        raw.sendall(client.seal(b"\xff\xff"))
        data = tls_wire.read_to_the_end(raw)
    kinds = [kind for kind, _body in split_records(data)]
    assert kinds in ([tls_wire.DATA] * 2, [tls_wire.DATA, tls_wire.ALERT]), data
