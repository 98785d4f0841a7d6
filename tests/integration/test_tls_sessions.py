"""What holds for a session holds within TLS: its ends, slow readers, take-overs, draining."""

import signal
import time

import pytest

from support import native
from support.crowd import Crowd
from support.device import Device
from support.tls import TlsDevice, connect_within_tls
from support.waiting import eventually, slowed

pytestmark = pytest.mark.threads

VERSIONS = ("TLSv1.2", "TLSv1.3")
MIB = 1 << 20
TICK_S = 0.1
NOISE_S = 0.3


@pytest.mark.parametrize("version", VERSIONS)
def test_who_does_not_say_hello_in_time_is_told_within_tls(start_tls_gateway, trust, version):
    gateway = start_tls_gateway({"limits.hello_timeout_ms": 700})
    with TlsDevice(gateway.address, trust(version=version)) as device:
        device.expect_goaway(native.NO_HELLO)
    stats = gateway.wait_for_closed("hello_timeout", 1)
    assert sum(stats["tls"]["failed"].values()) == 0
    gateway.wait_for_connections(0)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_silent_are_asked_and_evicted_on_time_within_tls(start_tls_gateway, trust, version):
    gateway = start_tls_gateway({"heartbeat.misses": 2})
    context = trust(version=version)
    with Crowd(gateway.address) as crowd:

        def connect():
            return connect_within_tls(gateway.address, context)

        living = crowd.login(20, "living", 1, connect=connect)
        mute = crowd.login(20, "mute", 1, beats=False, answers=False, connect=connect)
        crowd.wait_closed(mute, 8)
        for member in mute:
            assert member.goaway and member.goaway.code == native.HEARTBEAT_TIMEOUT
            assert len(member.server_pings_s) == 1
            assert member.closed_s >= member.last_sent_s + 2
            assert member.closed_s <= member.last_sent_end_s + 2 + TICK_S + slowed(NOISE_S)
        assert all(member.is_open for member in living)
        gateway.wait_for_closed("heartbeat_timeout", len(mute))
        gateway.wait_for_connections(len(living))


def test_a_record_that_never_completes_is_no_heartbeat(start_tls_gateway, trust):
    gateway = start_tls_gateway({"heartbeat.misses": 2})
    with TlsDevice.login(gateway.address, "d", 1, context=trust()) as device:
        device.socket.raw.sendall(device.socket.seal(native.Ping().encode())[:-1])
        device.expect_goaway(native.HEARTBEAT_TIMEOUT)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_heartbeat_timeout_ends_in_close_notify(start_tls_gateway, trust, version):
    gateway = start_tls_gateway({"heartbeat.misses": 1})
    with TlsDevice.login(gateway.address, "d", 1, context=trust(version=version)) as device:
        device.expect_goaway(native.HEARTBEAT_TIMEOUT)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_take_over_is_told_to_the_older_within_tls(tls_gateway, trust, version):
    older = TlsDevice.login(tls_gateway.address, "d", 60, context=trust(version=version))
    newer = TlsDevice.login(tls_gateway.address, "d", 60, context=trust())
    with older, newer:
        assert newer.welcome.took_over
        older.expect_goaway(native.TAKEN_OVER)
        assert newer.is_alive()
    tls_gateway.wait_for_closed("taken_over", 1)


def test_plain_and_tls_sessions_take_each_other_over(start_tls_gateway, trust):
    gateway = start_tls_gateway(listeners=[{"bind": "127.0.0.1:0"}])
    context = trust()
    with (
        Device.login(gateway.address, "d", 60) as first,
        TlsDevice.login(gateway.address, "d", 60, context=context) as second,
        Device.login(gateway.address, "d", 60) as third,
    ):
        first.expect_goaway(native.TAKEN_OVER)
        second.expect_goaway(native.TAKEN_OVER)
        assert third.is_alive()
        assert gateway.admin.session("d")["tls"] is None


@pytest.mark.parametrize("loops_count", [1, 4])
def test_many_take_overs_within_and_across_loops(start_tls_gateway, trust, loops_count):
    gateway = start_tls_gateway({"loops.count": loops_count, "heartbeat.default_s": 60})
    context = trust()
    with Crowd(gateway.address) as crowd:

        def connect():
            return connect_within_tls(gateway.address, context)

        older = crowd.login(40, "d", 60, connect=connect)
        crowd.login(1, "between", 60, connect=connect)
        newer = crowd.login(40, "d", 60, connect=connect)
        crowd.wait_closed(older, 10)
        assert {member.goaway.code for member in older if member.goaway} == {native.TAKEN_OVER}
        assert all(member.is_open and member.welcome.took_over for member in newer)
        gateway.wait_for_connections(41)


def kick(gateway):
    assert gateway.admin.delete("/v1/sessions/d").status in (200, 202, 204)


def drain(gateway):
    body = {"rate_per_s": 100, "reconnect_window_s": 5}
    assert gateway.admin.post("/v1/drain", body).status == 202


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("act", "code"), [(kick, native.KICKED), (drain, native.DRAINING)])
def test_what_an_operator_does_is_told_within_tls(tls_gateway, trust, version, act, code):
    with TlsDevice.login(tls_gateway.address, "d", 60, context=trust(version=version)) as device:
        act(tls_gateway)
        device.expect_goaway(code)
    tls_gateway.wait_for_connections(0)


def test_a_device_that_comes_while_draining_is_sent_away(start_tls_gateway, trust):
    gateway = start_tls_gateway()
    context = trust()
    with (
        TlsDevice.login(gateway.address, "early", 60, context=context) as early,
        TlsDevice(gateway.address, context) as late,
    ):
        gateway.wait_for_connections(2)
        body = {"rate_per_s": 1, "reconnect_window_s": 5}
        assert gateway.admin.post("/v1/drain", body).status == 202
        late.send(native.Hello("late"))
        late.expect_goaway(native.DRAINING)
        early.expect_goaway(native.DRAINING)


@pytest.mark.parametrize("version", VERSIONS)
def test_sigterm_sends_everybody_away_within_tls(start_tls_gateway, trust, version):
    gateway = start_tls_gateway({"shutdown.grace_s": 4})
    context = trust(version=version)
    devices = [
        TlsDevice.login(gateway.address, f"d{number}", 60, context=context) for number in range(10)
    ]
    silent = [TlsDevice(gateway.address, context) for _ in range(3)]
    gateway.wait_for_connections(13)
    gateway.signal(signal.SIGTERM)
    for device in devices + silent:
        device.expect_goaway(native.DRAINING)
        device.close()
    assert gateway.wait(8) == 0
    gateway.expect_no_report()


BAD_FRAMES = {
    "type 9": (b"\x90\x00", native.PROTOCOL_ERROR, "protocol_error"),
    "a second HELLO": (native.Hello("d").encode(), native.PROTOCOL_ERROR, "protocol_error"),
    "a frame over the limit": (
        b"\x30" + native.encode_length(65537),
        native.FRAME_TOO_LARGE,
        "frame_too_large",
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_bad_frames_are_told_within_tls(tls_gateway, trust, version):
    context = trust(version=version)
    for data, code, reason in BAD_FRAMES.values():
        before = tls_gateway.admin.closed(reason)
        with TlsDevice.login(tls_gateway.address, "d", context=context) as device:
            device.send_bytes(native.Ping(b"good").encode() + data + native.Ping(b"x").encode())
            assert device.expect(native.Pong).echo == b"good"
            device.expect_goaway(code)
        tls_gateway.wait_for_closed(reason, before + 1)
    with TlsDevice(tls_gateway.address, context) as device:
        device.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
        device.expect_goaway(native.PROTOCOL_ERROR)
    tls_gateway.wait_for_closed("unknown_protocol", 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_tls_within_tls_is_no_protocol(tls_gateway, trust, version):
    with TlsDevice(tls_gateway.address, trust(version=version)) as device:
        device.send_bytes(b"\x16\x03\x01\x00\xc8" + bytes(64))
        device.expect_goaway(native.PROTOCOL_ERROR)
    tls_gateway.wait_for_closed("unknown_protocol", 1)


def test_the_idlest_is_shed_within_tls(start_tls_gateway, trust):
    gateway = start_tls_gateway({"limits.connections_max": 3, "limits.when_full": "shed_idlest"})
    context = trust()
    devices = [
        TlsDevice.login(gateway.address, f"d{number}", 60, context=context) for number in range(3)
    ]
    with TlsDevice.login(gateway.address, "newcomer", 60, context=context) as newcomer:
        devices[0].expect_goaway(native.SHED_IDLE)
        assert newcomer.is_alive()
    for device in devices:
        device.close()


# Slow readers.

PINGS = native.Ping(b"0123456789abcdef").encode() * 800  # a record


def slow_device(gateway, context, name):
    device = TlsDevice(gateway.address, context, receive_buffer_bytes=4096)
    device.hello(name, 600)
    return device


def push(device, seconds):
    """Sends PINGs without reading for as long as the gateway takes them; False once closed."""
    raw = device.socket.raw
    raw.settimeout(0.2)
    end_s = time.monotonic() + seconds
    rest = b""
    while time.monotonic() < end_s:
        rest = rest or device.socket.seal(PINGS)
        try:
            rest = rest[raw.send(rest) :]
        except TimeoutError:
            continue
        except ConnectionError:
            return False
    return True


@pytest.mark.parametrize("version", VERSIONS)
def test_who_never_reads_is_closed_when_the_queue_is_full(
    start_tls_gateway, trust, sanitizer, version
):
    gateway = start_tls_gateway({"limits.send_queue_max_bytes": 131072})
    context = trust(version=version)
    with TlsDevice.login(gateway.address, "neighbour", 600, context=context) as neighbour:
        rss_bytes = gateway.rss_bytes
        devices = [slow_device(gateway, context, f"slow{number}") for number in range(2)]
        for device in devices:
            assert not push(device, slowed(20)), "a device that never reads was not closed"
        gateway.wait_for_closed("slow_consumer", len(devices))
        assert sanitizer or gateway.rss_bytes - rss_bytes <= 4 * MIB
        assert neighbour.is_alive()
        for device in devices:
            device.close()
        gateway.wait_for_connections(1)


def test_who_stops_reading_is_closed_after_the_write_stall(start_tls_gateway, trust):
    gateway = start_tls_gateway(
        {"limits.write_stall_ms": 1000, "limits.send_queue_max_bytes": 64 * MIB}
    )
    with slow_device(gateway, trust(), "slow") as device:

        def has_output_waiting():
            device.send_bytes(PINGS)
            return gateway.admin.session("slow")["output_bytes"] > 0

        eventually(has_output_waiting, 30, "output waits in the gateway")
        started_s = time.monotonic()
        gateway.wait_for_closed("write_stall", 1, 10)
        assert time.monotonic() - started_s <= slowed(2.5)
    gateway.wait_for_connections(0)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_late_reader_gets_everything_in_order(start_tls_gateway, trust, version):
    gateway = start_tls_gateway({"limits.send_queue_max_bytes": 64 * MIB})
    echoes = [number.to_bytes(16, "big") for number in range(1000)]
    pings = b"".join(native.Ping(echo).encode() for echo in echoes)
    pongs = b"".join(native.Pong(echo).encode() for echo in echoes)
    rounds = 500  # 9 MB: more than the sockets hold
    with slow_device(gateway, trust(version=version), "late") as device:
        for _ in range(rounds):
            device.send_bytes(pings)
        eventually(lambda: gateway.admin.session("late")["output_bytes"] > 0, what="output waits")
        answer = bytearray()
        while len(answer) < rounds * len(pongs):
            data = device.socket.recv(1 << 16)
            assert data, f"the stream ended by {device.ended_by}"
            answer += data
        assert answer == pongs * rounds
        assert gateway.admin.session("late")["output_bytes"] == 0
        assert device.is_alive()
