"""POST and DELETE /v1/drain: this node is emptied politely, at a pace, and may change its mind."""

import time

import pytest

from support import native
from support.crowd import Crowd
from support.device import Device
from support.waiting import always, until

pytestmark = pytest.mark.threads


def drain(gateway, rate_per_s, window_s):
    body = {"rate_per_s": rate_per_s, "reconnect_window_s": window_s}
    return gateway.admin.post("/v1/drain", body)


def test_sessions_are_sent_away_at_the_rate_with_a_spread_retry(gateway):
    rate_per_s, count, window_s = 100, 200, 20
    with Crowd(gateway.address) as crowd:
        members = crowd.login(count, "d", 5)
        started_s = time.monotonic()
        answer = drain(gateway, rate_per_s, window_s)
        assert answer.status == 202
        assert 0 < answer.json()["sessions"] <= count
        assert gateway.admin.get("/readyz").status == 503
        crowd.wait_closed(members, 10)

        assert all(member.goaway and member.goaway.code == native.DRAINING for member in members)
        retries_ms = sorted(member.goaway.retry_after_ms for member in members)
        assert 1 <= retries_ms[0] and retries_ms[-1] <= window_s * 1000
        # 200 draws of an even spread: a quarter lies in each quarter, give or take.
        for quarter in range(4):
            low_ms, high_ms = quarter * window_s * 250, (quarter + 1) * window_s * 250
            assert 20 <= sum(low_ms < retry_ms <= high_ms for retry_ms in retries_ms) <= 90

        # At no time more than the rate and the first burst (a quarter of a second's worth a loop).
        closed_s = sorted(member.closed_s - started_s for member in members)
        for number, moment_s in enumerate(closed_s, start=1):
            assert number <= rate_per_s * moment_s + rate_per_s / 4 + 4
        assert closed_s[-1] >= count / rate_per_s - 0.5
        gateway.wait_for_closed("draining", count)
        gateway.wait_for_connections(0)


def test_the_idlest_go_first(start_gateway):
    gateway = start_gateway({"loops.count": 1, "heartbeat.default_s": 60})
    with Crowd(gateway.address) as crowd:
        idle = crowd.login(20, "idle", 60, beats=False)
        busy = crowd.login(20, "busy", 60, period_s=0.3)
        until(idle[-1].last_sent_s + 1.5)
        drain(gateway, 40, 1)
        crowd.wait_closed(idle + busy, 10)
        assert max(m.closed_s for m in idle) <= min(m.closed_s for m in busy)


def test_newcomers_are_turned_away_while_draining_and_welcome_after_it_was_cancelled(gateway):
    with Crowd(gateway.address) as crowd:
        members = crowd.login(50, "d", 5)
        drain(gateway, 10, 7)
        crowd.wait(lambda: any(member.closed_s for member in members), 5, "the first sent away")
        with Device(gateway.address) as newcomer:
            goaway = newcomer.expect_goaway(native.DRAINING)
            assert 1 <= goaway.retry_after_ms <= 7000

        assert gateway.admin.delete("/v1/drain").status == 200
        assert gateway.admin.get("/readyz").status == 200
        with Device.login(gateway.address, "newcomer") as newcomer:
            assert newcomer.is_alive()
            # What was on its way when it was cancelled has arrived by now.
            left = [member for member in members if member.is_open]
            assert len(left) >= 10
            always(lambda: all(member.is_open for member in left), 1.0, "the rest stays")
        assert gateway.admin.refused("draining") == 1


def test_a_connection_that_says_hello_while_draining_is_sent_away(gateway):
    with Device.login(gateway.address, "early") as early, Device(gateway.address) as late:
        gateway.wait_for_connections(2)
        drain(gateway, 1, 5)
        late.send(native.Hello("late"))
        assert late.expect_goaway(native.DRAINING).retry_after_ms <= 5000
        early.expect_goaway(native.DRAINING)


@pytest.mark.parametrize(
    "body", [{"rate_per_s": 0}, {"rate_per_s": -1}, {"rate_per_s": "x"}, {"reconnect_window_s": -1}]
)
def test_a_wrong_wish_is_refused_and_nothing_drains(gateway, body):
    with Device.login(gateway.address, "d") as device:
        assert gateway.admin.post("/v1/drain", body).status == 400
        assert gateway.admin.get("/readyz").status == 200
        assert device.is_alive()


def test_draining_an_empty_node_and_cancelling_twice_is_harmless(gateway):
    assert drain(gateway, 100, 0).status == 202
    for _ in range(2):
        assert gateway.admin.delete("/v1/drain").status == 200
    with Device.login(gateway.address, "d") as device:
        assert device.is_alive()
