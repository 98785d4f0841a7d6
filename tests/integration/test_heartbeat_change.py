"""PUT /v1/sessions/{device}/heartbeat: told by the flagged PONG to the device's next PING."""

import pytest

from support import native
from support.crowd import Crowd
from support.device import Device
from support.waiting import slowed

pytestmark = pytest.mark.threads


@pytest.fixture
def gateway(start_gateway):
    return start_gateway({"heartbeat.min_s": 1, "heartbeat.default_s": 10, "heartbeat.max_s": 100})


def set_heartbeat(gateway, device_id, interval_s):
    return gateway.admin.put(f"/v1/sessions/{device_id}/heartbeat", {"interval_s": interval_s})


def test_the_next_pong_tells_it_once_and_the_session_shows_it(gateway):
    with Device.login(gateway.address, "d", 10) as device:
        assert set_heartbeat(gateway, "d", 30).status == 200
        assert gateway.admin.session("d")["heartbeat_s"] == 10  # not told, so not in force
        assert device.ping(b"now") == native.Pong(b"now", 30)
        assert device.ping(b"then") == native.Pong(b"then", None)
        session = gateway.admin.session("d")
        assert (session["heartbeat_s"], session["timeout_s"]) == (30, 90)


def test_the_last_of_several_changes_wins(gateway):
    with Device.login(gateway.address, "d", 10) as device:
        for interval_s in (20, 40, 7):
            assert set_heartbeat(gateway, "d", interval_s).status == 200
        assert device.ping() == native.Pong(b"", 7)


def test_a_shorter_interval_is_what_the_device_is_held_to_from_then_on(gateway):
    with Device.login(gateway.address, "d", 100) as device:
        assert set_heartbeat(gateway, "d", 1).status == 200
        assert device.ping() == native.Pong(b"", 1)
        last_sent_s = device.last_sent_s
        device.expect(native.Ping)
        device.expect_goaway(native.HEARTBEAT_TIMEOUT)
        assert 3 <= device.closed_s - last_sent_s <= 3.1 + slowed(0.25)


def test_a_longer_interval_spares_the_device_the_old_timeout(gateway):
    with Crowd(gateway.address) as crowd, Device.login(gateway.address, "d", 1) as device:
        yardstick = crowd.login(1, "yardstick", 1, beats=False, answers=False)
        assert set_heartbeat(gateway, "d", 60).status == 200
        assert device.ping() == native.Pong(b"", 60)
        crowd.wait_closed(yardstick, 8)
        assert device.ping() == native.Pong()  # nor was it asked by a PING


@pytest.mark.parametrize("interval_s", [0, 101, -1, 2.5, "7", None, True])
def test_an_interval_out_of_bounds_is_refused_and_nothing_changes(gateway, interval_s):
    with Device.login(gateway.address, "d", 10) as device:
        answer = set_heartbeat(gateway, "d", interval_s)
        assert answer.status == 400
        assert answer.json()["error"]["message"]
        assert device.ping() == native.Pong()


def test_a_device_that_is_offline_is_not_found(gateway):
    assert set_heartbeat(gateway, "nobody", 30).status == 404
