"""Silence becomes death: never before its deadline, and within one tick after it."""

import time

import pytest

from support import native, processes
from support.crowd import Crowd
from support.device import Device
from support.waiting import slowed, until

TICK_S = 0.1  # what is promised
# The two ends of a loopback connection share two cores with whatever else runs here: how late the
# slowest of hundreds may be seen beyond the tick.
NOISE_S = 0.25

pytestmark = pytest.mark.threads


def lateness_s(member, deadline_s):
    """How long after the end of its silence a member was closed; negative: before the deadline."""
    earliest_s = member.closed_s - (member.last_sent_s + deadline_s)
    latest_s = member.closed_s - (member.last_sent_end_s + deadline_s)
    assert earliest_s >= 0, f"{member.name} was closed {-earliest_s:.4f} s before its deadline"
    return latest_s


def expect_on_time(members, deadline_s):
    """All closed after their deadline; returns how late each was, in order."""
    late_s = sorted(lateness_s(member, deadline_s) for member in members)
    assert late_s[-1] <= TICK_S + slowed(NOISE_S), f"the last comes {late_s[-1]:.3f} s late"
    return late_s


def test_the_mute_are_evicted_within_a_tick_after_their_deadline_and_never_before(gateway):
    with Crowd(gateway.address) as crowd:
        living = crowd.login(100, "living", 1)
        # Spread over many ticks, so that half of them meet the first half of one.
        mute = {heartbeat_s: [] for heartbeat_s in (1, 2)}
        started_s = time.monotonic()
        for number in range(150):
            until(started_s + 0.005 * number)
            for heartbeat_s, members in mute.items():
                prefix = f"mute-{heartbeat_s}-{number}-"
                members += crowd.add(1, prefix, heartbeat_s, beats=False, answers=False)
        for heartbeat_s, members in mute.items():
            crowd.wait_closed(members, 3 * heartbeat_s + 5)
            codes = {member.goaway.code for member in members if member.goaway}
            assert codes == {native.HEARTBEAT_TIMEOUT}
            assert all(member.goaway for member in members)
            late_s = expect_on_time(members, 3 * heartbeat_s)
            # Noise delays some; what delays half of them would be the gateway's.
            assert late_s[len(late_s) // 2] <= slowed(TICK_S)
        assert all(member.is_open for member in living)
        gateway.wait_for_closed("heartbeat_timeout", 2 * 150)
        gateway.wait_for_connections(len(living))


def test_a_silent_device_is_asked_once_after_its_interval_and_grace(start_gateway):
    gateway = start_gateway({"heartbeat.grace_ms": 300})
    with Crowd(gateway.address) as crowd:
        silent = crowd.login(100, "silent", 1, beats=False, answers=False)
        crowd.wait_closed(silent, 8)
        for member in silent:
            assert len(member.server_pings_s) == 1
            asked_after_s = member.server_pings_s[0] - member.last_sent_s
            assert asked_after_s >= 1.3
            assert asked_after_s <= 1.3 + TICK_S + slowed(NOISE_S)


def test_who_answers_the_servers_ping_lives_and_who_does_not_dies(gateway):
    with Crowd(gateway.address) as crowd:
        answering = crowd.login(50, "answering", 1, beats=False)
        deaf = crowd.login(50, "deaf", 1, beats=False, answers=False)
        crowd.wait_closed(deaf, 8)
        assert {member.goaway.code for member in deaf} == {native.HEARTBEAT_TIMEOUT}
        # Well beyond the timeout: only the answers have kept them alive.
        until(max(member.closed_s for member in deaf) + 1.5)
        assert all(member.is_open for member in answering)
        assert all(len(member.server_pings_s) >= 3 for member in answering)


ANY_FRAME = {
    "ping": native.Ping().encode(),
    "pong": native.Pong().encode(),
    "message": native.Message("t", b"x").encode(),
    "ack": native.Ack(1).encode(),
    "subscribe": native.Subscribe(1, ("a",)).encode(),
}


def test_any_complete_frame_counts_as_a_heartbeat_and_half_a_frame_does_not(gateway):
    """Each device speaks every 0.7 s in its own manner, for longer than a timeout."""
    half_frame = native.encode_frame(0x30, bytes(4000))
    devices = {name: Device.login(gateway.address, name, 1) for name in ANY_FRAME}
    dripping = Device.login(gateway.address, "dripping", 1)
    started_s = dripping.last_sent_s
    for step in range(1, 8):
        until(started_s + 0.7 * step)
        for name, device in devices.items():
            device.send_bytes(ANY_FRAME[name])
        if dripping is not None:
            try:
                dripping.send_bytes(half_frame[step - 1 : step])
            except ConnectionError:
                dripping = None
    for name, device in devices.items():
        assert gateway.admin.session(name) is not None, f"{name} should live"
        device.close()
    assert gateway.admin.session("dripping") is None
    assert gateway.admin.closed("heartbeat_timeout") == 1
    if dripping is not None:
        dripping.close()


def test_half_a_frame_is_evicted_on_time_as_if_it_had_never_come(gateway):
    with Crowd(gateway.address) as crowd:
        members = crowd.login(50, "half", 1, beats=False, answers=False)
        for member in members:
            member.socket.sendall(b"\x10")  # half a PING: not a heartbeat
        crowd.wait_closed(members, 8)
        assert {member.goaway.code for member in members} == {native.HEARTBEAT_TIMEOUT}
        expect_on_time(members, 3)


@pytest.mark.parametrize(
    "opening",
    [b"", b"\xa0", native.Hello("d").encode()[:-1]],
    ids=["nothing", "a byte", "a cut hello"],
)
def test_who_does_not_say_hello_in_time_is_told_4009(start_gateway, opening):
    gateway = start_gateway({"limits.hello_timeout_ms": 1000})
    with Device(gateway.address) as device:
        connected_s = device.last_sent_s
        if opening:
            device.send_bytes(opening)
        device.expect_goaway(native.NO_HELLO)
        waited_s = device.closed_s - connected_s
        assert 1.0 <= waited_s <= 1.0 + TICK_S + slowed(NOISE_S)
    gateway.wait_for_closed("hello_timeout", 1)
    gateway.wait_for_connections(0)


def test_bytes_that_drip_in_do_not_put_off_the_hello_timeout(start_gateway):
    gateway = start_gateway({"limits.hello_timeout_ms": 1500})
    with Device(gateway.address) as device:
        connected_s = device.last_sent_s
        for number, byte in enumerate(native.Hello("drip", 0, "t" * 50).encode()[:14]):
            until(connected_s + number * 0.1)
            device.send_bytes(bytes([byte]))
        device.expect_goaway(native.NO_HELLO)
        assert device.closed_s - connected_s <= 1.5 + TICK_S + slowed(NOISE_S)


def test_a_hundred_thousand_pings_later_the_silent_are_still_found(gateway):
    """Heartbeats do not touch the wheel; a busy neighbour must not hide a dead one."""
    with Crowd(gateway.address) as crowd, Device.login(gateway.address, "busy", 1) as busy:
        mute = crowd.login(20, "mute", 1, beats=False, answers=False)
        blast = native.Ping().encode() * 500
        answers = 0
        while not all(member.closed_s for member in mute):
            assert time.monotonic() - mute[0].last_sent_s < slowed(10)
            busy.send_bytes(blast)
            for _ in range(500):
                busy.expect(native.Pong)
            answers += 500
        expect_on_time(mute, 3)
        assert answers >= 1000
        assert busy.is_alive()


def test_an_idle_gateway_costs_next_to_nothing(gateway, sanitizer):
    with Crowd(gateway.address) as crowd:
        crowd.login(500, "idle", 60)
        before_s = processes.cpu_s(gateway.pid)
        until(time.monotonic() + 3)
        spent_s = processes.cpu_s(gateway.pid) - before_s
        assert sanitizer or spent_s <= 0.15, f"{spent_s:.2f} s of CPU in 3 s of silence"
