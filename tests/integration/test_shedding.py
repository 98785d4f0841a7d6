"""What gives way when limits.connections_max or limits.memory_max_mib is reached."""

import time

import pytest

from support import native
from support.crowd import Crowd
from support.device import Device
from support.waiting import until

pytestmark = pytest.mark.threads

MIB = 1 << 20
FRAME_MAX_BYTES = 65536


def login_in_order(gateway, names, gap_s=0.15):
    """Logs devices in one after the other, far enough apart that the order of idleness is plain."""
    devices = []
    for name in names:
        if devices:
            until(devices[-1].last_sent_s + gap_s)
        devices.append(Device.login(gateway.address, name, 300))
    return devices


def close_all(devices):
    for device in devices:
        device.close()


def test_the_idlest_session_makes_room_first(start_gateway):
    gateway = start_gateway({"loops.count": 1, "limits.connections_max": 10})
    devices = login_in_order(gateway, [f"d{number}" for number in range(10)])
    # Who speaks goes to the end of the row (its place is renewed at most once a second).
    until(devices[4].last_sent_s + 1.1)
    for device in devices[:5]:
        device.ping()
    newcomers = []
    for victim in [*devices[5:], *devices[:2]]:
        newcomers.append(Device.login(gateway.address, f"new{len(newcomers)}", 300))
        goaway = victim.expect_goaway(native.SHED_IDLE)
        assert goaway.retry_after_ms >= 1
    assert all(device.is_alive() for device in devices[2:5] + newcomers)
    assert gateway.admin.closed("shed_idle") == len(newcomers)
    close_all(devices + newcomers)


def test_across_loops_the_idlest_of_all_goes_first(start_gateway):
    gateway = start_gateway({"loops.count": 2, "limits.connections_max": 10})
    devices = login_in_order(gateway, [f"d{number}" for number in range(10)])
    loops = [gateway.admin.session(f"d{number}")["loop"] for number in range(10)]
    assert set(loops) == {0, 1}
    newcomers = []
    for victim in devices[:5]:
        newcomers.append(Device.login(gateway.address, f"new{len(newcomers)}", 300))
        victim.expect_goaway(native.SHED_IDLE)
    assert all(device.is_alive() for device in devices[5:] + newcomers)
    close_all(devices + newcomers)


def test_refuse_turns_the_newcomer_away_and_touches_nobody(start_gateway):
    gateway = start_gateway({"limits.connections_max": 10, "limits.when_full": "refuse"})
    devices = [Device.login(gateway.address, f"d{number}", 300) for number in range(10)]
    for _ in range(3):
        with Device(gateway.address) as newcomer:
            assert newcomer.expect_goaway(native.OVERLOADED).retry_after_ms >= 1
    assert all(device.is_alive() for device in devices)
    assert gateway.admin.refused("connections_max") == 3

    devices.pop().close()
    gateway.wait_for_connections(9)
    with Device.login(gateway.address, "newcomer") as newcomer:
        assert newcomer.is_alive()
    close_all(devices)


def test_the_limit_holds_while_a_crowd_pours_in(start_gateway):
    gateway = start_gateway({"limits.connections_max": 100})
    with Crowd(gateway.address) as crowd:
        crowd.add(400, "d", 60, beats=False)
        gateway.wait_for_stats(lambda stats: stats["accepted"] == 400, what="400 accepted")
        # Adopting and shedding are steps of their own; the sum settles at the limit.
        gateway.wait_for_stats(
            lambda stats: stats["sessions"] <= 100 and stats["closed"]["shed_idle"] >= 290,
            what="everybody above the limit shed",
        )
        crowd.wait(
            lambda: sum(member.is_open for member in crowd.members) <= 100, 10, "at most 100 open"
        )
        told = [member.goaway.code for member in crowd.members if member.goaway]
        assert set(told) == {native.SHED_IDLE}


def hold_half_a_frame(device):
    """Makes the gateway keep most of a frame of the largest size."""
    frame = native.Message("t", bytes(FRAME_MAX_BYTES - 2)).encode()
    device.socket.sendall(frame[:-100])


def memory_settings(when_full):
    return {
        "limits.memory_max_mib": 1,
        "limits.when_full": when_full,
        "limits.frame_max_bytes": FRAME_MAX_BYTES,
    }


def test_the_memory_budget_is_kept_by_shedding_the_idlest(start_gateway):
    gateway = start_gateway(memory_settings("shed_idlest"))
    devices = []
    for number in range(40):  # 40 x 64 KiB against 1 MiB
        devices.append(Device.login(gateway.address, f"d{number}", 300))
        hold_half_a_frame(devices[-1])
    stats = gateway.wait_for_stats(
        lambda stats: stats["closed"]["shed_idle"] >= 40 - MIB // FRAME_MAX_BYTES - 1,
        what="the budget is kept",
    )
    assert stats["sessions"] >= 8
    # The latest survive, the earliest are gone.
    assert devices[-1].socket.getpeername()
    devices[0].expect_goaway(native.SHED_IDLE)
    assert gateway.admin.session("d39") is not None
    close_all(devices)


def test_memory_that_is_full_refuses_newcomers_when_told_so(start_gateway):
    gateway = start_gateway(memory_settings("refuse"))
    devices = []
    refusals = 0
    started_s = time.monotonic()
    while refusals == 0 and time.monotonic() < started_s + 20:
        device = Device(gateway.address)
        device.send(native.Hello(f"d{len(devices)}", 300))
        if isinstance(device.receive(), native.Goaway):
            refusals += 1
            device.close()
            break
        hold_half_a_frame(device)
        devices.append(device)
        # The gateway has it: what it holds is counted when a round ends.
        gateway.wait_for_stats(
            lambda stats, count=len(devices): sum(
                loop["memory_bytes"] for loop in stats["loops"]
            ) >= count * 32768,
            what="the half frame is held",
        )
    assert refusals == 1 and 4 <= len(devices) <= 32
    assert gateway.admin.refused("memory_max") == 1
    assert gateway.admin.closed("shed_idle") == 0
    close_all(devices)
    gateway.wait_for_connections(0)
    with Device.login(gateway.address, "later") as later:
        assert later.is_alive()


def test_a_flood_that_says_nothing_does_not_push_sessions_out(start_gateway):
    """Who has said nothing for a second gives way before any session does."""
    gateway = start_gateway({"limits.connections_max": 60, "limits.hello_timeout_ms": 60_000})
    with Crowd(gateway.address) as crowd:
        sessions = crowd.login(30, "session", 60, beats=False)
        silent = crowd.add(30, "silent", speaks=False)  # 15 in each loop
        gateway.wait_for_connections(60)
        until(time.monotonic() + 1.2)
        newcomers = crowd.login(12, "newcomer", 60)
        crowd.wait(lambda: sum(bool(m.closed_s) for m in silent) == 12, 10, "12 silent ones shed")
        assert all(member.is_open for member in sessions + newcomers)
        assert gateway.admin.closed("shed_idle") == 12
