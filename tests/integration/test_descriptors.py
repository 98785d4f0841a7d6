"""Out of descriptors, and accept() made to fail: no spinning, nobody lost, recovery by itself."""

import subprocess
import time

import pytest

from support import faults, native, processes
from support.crowd import Crowd
from support.device import Device
from support.waiting import eventually, until

LIMIT = 200
FAILED_ACCEPTS_PER_S_MAX = 20


def limited(count):
    return ["prlimit", f"--nofile={count}:{count}"]


def cpu_over(gateway, seconds):
    """CPU time that the gateway spends in the next `seconds`."""
    before_s = processes.cpu_s(gateway.pid)
    until(time.monotonic() + seconds)
    return processes.cpu_s(gateway.pid) - before_s


def test_four_hundred_clients_on_two_hundred_descriptors(start_gateway, sanitizer):
    gateway = start_gateway({"limits.hello_timeout_ms": 3000}, prefix=limited(LIMIT))
    with Crowd(gateway.address) as crowd:
        members = crowd.add(400, "d", 1)
        crowd.wait(lambda: all(m.welcome or m.closed_s for m in members), 20, "an answer for all")
        welcome = [member for member in members if member.welcome]
        turned_away = [member for member in members if not member.welcome]
        assert 50 <= len(welcome) <= LIMIT
        assert {m.goaway.code for m in turned_away if m.goaway} <= {native.OVERLOADED}
        assert sum(m.goaway is None for m in turned_away) <= 20  # a reset overtook its GOAWAY

        spent_s = cpu_over(gateway, 3)
        assert sanitizer or spent_s <= 0.6, f"{spent_s:.2f} s of CPU in 3 s"
        assert all(member.is_open for member in welcome), "an old session was lost"
        assert gateway.admin.get("/healthz").status == 200  # a descriptor is left for the operator

        crowd.leave(welcome[: len(welcome) // 2])
        gateway.wait_for_connections(len(welcome) - len(welcome) // 2)
        later = crowd.login(len(welcome) // 2, "later", 1)
        assert all(member.is_open for member in later)


def test_a_limit_that_is_lowered_under_load(start_gateway, sanitizer):
    """EMFILE itself: the limit falls to what is open now, and newcomers knock."""
    if sanitizer == "address":
        pytest.skip("UBSan looks at objects through a pipe, and without descriptors sees none")
    gateway = start_gateway({"limits.hello_timeout_ms": 60_000})
    with Crowd(gateway.address) as crowd:
        sessions = crowd.login(50, "session", 1)
        set_limit(gateway, gateway.open_descriptors)
        knocking = crowd.add(40, "knocking", 60)
        gateway.wait_for_stats(lambda stats: stats["refused"]["descriptors"] > 0, what="refusals")
        spent_s = cpu_over(gateway, 3)
        assert sanitizer or spent_s <= 0.5, f"{spent_s:.2f} s of CPU in 3 s"
        assert all(member.is_open for member in sessions), "an old session was lost"

        set_limit(gateway, 1000)
        crowd.wait(lambda: all(m.welcome or m.closed_s for m in knocking), 10, "an answer for all")
        later = crowd.login(40, "later", 1)
        assert all(member.is_open for member in later + sessions)


def set_limit(gateway, count):
    subprocess.run(
        ["prlimit", f"--pid={gateway.pid}", f"--nofile={count}:"], check=True, timeout=10
    )


def worst_second(moments_s):
    """The most that happened within any one second."""
    moments_s = sorted(moments_s)
    worst = first = 0
    for last, moment_s in enumerate(moments_s):
        while moments_s[first] < moment_s - 1:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


@pytest.mark.strace
@pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOMEM", "ECONNABORTED"])
def test_accept_that_fails_is_not_tried_more_than_twenty_times_a_second(
    start_gateway, sanitizer, error
):
    if sanitizer:
        pytest.skip("LeakSanitizer and strace exclude each other, and TSan's threads are many")
    gateway = start_gateway({"limits.hello_timeout_ms": 60_000})
    with Crowd(gateway.address) as crowd:
        sessions = crowd.login(20, "session", 1)
        with faults.failing(gateway.pid, "accept4", error) as trace:
            waiting = crowd.add(20, "waiting", 60)
            eventually(lambda: len(trace.failed_calls_s()) >= 3, 10, "three failing calls")
            spent_s = cpu_over(gateway, 2)
            moments_s = trace.failed_calls_s()
            assert worst_second(moments_s) <= FAILED_ACCEPTS_PER_S_MAX
            assert spent_s <= 0.6, f"{spent_s:.2f} s of CPU in 2 s"
            assert not any(member.welcome for member in waiting)
        # The fault is over: who waited is served without being asked again.
        crowd.wait(lambda: all(member.welcome for member in waiting), 10, "WELCOME for all")
        assert all(member.is_open for member in sessions)
        with Device.login(gateway.address, "later") as later:
            assert later.is_alive()
    assert gateway.find_log("accept failed")
