"""SIGTERM empties and ends the gateway, a second one ends it at once, SIGHUP reloads."""

import signal
import time

import pytest

from support import native
from support.crowd import Crowd
from support.device import Device
from support.waiting import eventually, slowed

pytestmark = pytest.mark.threads


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_sends_everybody_away_and_exits_0_within_the_grace(start_gateway, number):
    gateway = start_gateway({"shutdown.grace_s": 4})
    with Crowd(gateway.address) as crowd:
        members = crowd.login(100, "d", 5)
        started_s = time.monotonic()
        gateway.signal(number)
        crowd.wait_closed(members, 6)
        assert all(member.goaway and member.goaway.code == native.DRAINING for member in members)
        assert gateway.wait(6) == 0
        assert time.monotonic() - started_s <= slowed(4.0) + 0.5
        gateway.expect_no_report()


def test_it_exits_at_once_when_nobody_is_there(start_gateway):
    gateway = start_gateway({"shutdown.grace_s": 30})
    started_s = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
    assert time.monotonic() - started_s <= slowed(2.0)


def test_devices_that_will_not_go_do_not_hold_it_beyond_the_grace(start_gateway):
    gateway = start_gateway({"shutdown.grace_s": 2, "limits.hello_timeout_ms": 60_000})
    devices = [Device.login(gateway.address, f"d{number}") for number in range(20)]
    silent = [Device(gateway.address) for _ in range(20)]
    gateway.wait_for_connections(40)
    started_s = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait(10) == 0
    assert time.monotonic() - started_s <= slowed(2.0) + 1.0
    for device in devices + silent:
        device.expect_goaway(native.DRAINING)
        device.close()


def test_a_second_signal_ends_it_at_once(start_gateway):
    gateway = start_gateway({"shutdown.grace_s": 60})
    stubborn = [Device.login(gateway.address, f"d{number}") for number in range(5)]
    silent = Device(gateway.address)
    gateway.wait_for_connections(6)
    gateway.signal(signal.SIGTERM)
    gateway.wait_for_log("stopping")
    started_s = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait(5) == 1
    assert time.monotonic() - started_s <= slowed(1.0)
    for device in [*stubborn, silent]:
        device.close()


def test_it_turns_newcomers_away_while_it_stops(start_gateway):
    gateway = start_gateway({"shutdown.grace_s": 5, "limits.hello_timeout_ms": 60_000})
    with Device(gateway.address):  # keeps it waiting
        gateway.wait_for_connections(1)
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_log("draining")
        assert gateway.admin.get("/readyz").status == 503
        with Device(gateway.address) as newcomer:
            newcomer.expect_goaway(native.DRAINING)
    assert gateway.wait(10) == 0


def test_limits_and_heartbeat_bounds_change_without_a_restart(gateway):
    with Device.login(gateway.address, "before", 500) as before:
        assert before.welcome.heartbeat_s == 500
        answer = gateway.reload(
            {"heartbeat.max_s": 20, "limits.connections_max": 2, "limits.when_full": "refuse"}
        )
        assert answer["message"] == "settings reloaded"
        assert before.is_alive()
        assert gateway.admin.session("before")["heartbeat_s"] == 500  # a promise is kept
        with Device.login(gateway.address, "after", 500) as after:
            assert after.welcome.heartbeat_s == 20
            with Device(gateway.address) as too_many:
                too_many.expect_goaway(native.OVERLOADED)


def is_timed_out(gateway, within_s):
    with Device(gateway.address) as silent:
        return silent.has_input(within_s)


def test_every_limit_that_can_be_reloaded_takes_hold(gateway):
    gateway.reload(
        {
            "limits.hello_timeout_ms": 300,
            "limits.frame_max_bytes": 1024,
            "limits.per_address_max": 3,
        }
    )
    eventually(lambda: is_timed_out(gateway, within_s=1.0), what="the new hello timeout")
    with Device.login(gateway.address, "d") as device:
        device.send_bytes(b"\x30" + native.encode_length(1025))
        device.expect_goaway(native.FRAME_TOO_LARGE)
    gateway.wait_for_connections(0)
    devices = [Device.login(gateway.address, f"d{number}") for number in range(3)]
    with Device(gateway.address) as fourth:
        fourth.expect_goaway(native.RATE_LIMITED)
    for device in devices:
        device.close()


def test_a_wrong_file_keeps_the_old_settings_and_says_where_it_is_wrong(gateway):
    with Device.login(gateway.address, "d", 500) as device:
        answer = gateway.reload({"heartbeat.max_s": 20, "heartbeat.grace_ms": -1})
        assert answer["message"].startswith("reload failed")
        assert answer["level"] == "error"
        assert f"{gateway.config_file}:" in answer["error"]
        assert "heartbeat.grace_ms" in answer["error"]
        with Device.login(gateway.address, "after", 500) as after:
            assert after.welcome.heartbeat_s == 500
        assert device.is_alive()
        gateway.write_settings({"heartbeat.grace_ms": 200})
        assert gateway.reload({"heartbeat.max_s": 30})["message"] == "settings reloaded"


def test_a_file_that_is_gone_keeps_the_old_settings(gateway):
    gateway.config_file.unlink()
    gateway.signal(signal.SIGHUP)
    gateway.wait_for_log("reload failed")
    with Device.login(gateway.address, "d") as device:
        assert device.is_alive()


def test_what_only_a_restart_takes_on_is_named(gateway):
    seen = gateway.log_length()
    gateway.listeners.append({"bind": "127.0.0.1:0"})
    gateway.reload({"loops.count": 1, "node.id": "other", "heartbeat.max_s": 50})
    named = {record["key"] for record in gateway.log_records[seen:] if "key" in record}
    assert named == {"loops.count", "node.id", "listener"}
    with Device.login(gateway.address, "d", 500) as device:
        assert device.welcome.heartbeat_s == 50  # what can change did
    assert gateway.admin.stats()["node"] == "test"


def test_a_hundred_reloads_under_load_lose_nobody(gateway):
    with Crowd(gateway.address) as crowd:
        members = crowd.login(100, "d", 1, period_s=0.1)
        for number in range(100):
            gateway.reload({"heartbeat.max_s": 100 + number})
        assert all(member.is_open for member in members)


def granted_s(gateway, asked_s):
    with Device.login(gateway.address, "asking", asked_s) as device:
        return device.welcome.heartbeat_s


def test_the_log_level_is_reloaded(gateway):
    seen = gateway.log_length()
    gateway.write_settings({"log.level": "error", "heartbeat.max_s": 9})
    gateway.signal(signal.SIGHUP)
    eventually(lambda: granted_s(gateway, 500) == 9, what="the new settings are in force")
    gateway.write_settings({"heartbeat.grace_ms": -1})
    gateway.signal(signal.SIGHUP)
    gateway.wait_for_log("reload failed", since=seen)
    assert {record["level"] for record in gateway.log_records[seen:]} == {"error"}
