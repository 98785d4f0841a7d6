"""Who is turned away before a byte of theirs is read, and how it is counted."""

import time

import pytest

from support import native
from support.crowd import Crowd
from support.device import Device
from support.waiting import eventually, until

pytestmark = pytest.mark.threads


def knock(gateway, source=""):
    """Connects and says nothing. Returns the device when it may stay, else the GOAWAY."""
    device = Device(gateway.address, source=source)
    device.send(native.Hello(f"knock-{id(device)}", 60))
    answer = _answer(device)
    if isinstance(answer, native.Welcome):
        return device
    device.close()
    return answer


def _answer(device):
    """WELCOME or GOAWAY; a reset that overtook the GOAWAY stands for one without a code."""
    return device.receive() or native.Goaway(0)


def test_connections_from_one_address_are_limited_and_others_are_not(start_gateway):
    gateway = start_gateway({"limits.per_address_max": 5})
    with Crowd(gateway.address) as crowd:
        first = crowd.login(5, "a", 60, source="127.0.0.2")
        with Device(gateway.address, source="127.0.0.2") as sixth:
            assert sixth.expect_goaway(native.RATE_LIMITED).retry_after_ms >= 1
        crowd.login(5, "b", 60, source="127.0.0.3")
        assert gateway.admin.refused("per_address_max") == 1

        crowd.leave(first[:2])
        gateway.wait_for_connections(8)
        # The accept thread hears of a freed place a moment after the statistics do.
        eventually(lambda: _is_welcome(gateway, crowd, "again"), 5, "a freed place is given again")
        crowd.login(1, "c", 60, source="127.0.0.2")
        with Device(gateway.address, source="127.0.0.2") as seventh:
            seventh.expect_goaway(native.RATE_LIMITED)
        assert all(member.is_open for member in first[2:])


def _is_welcome(gateway, crowd, prefix):
    """Takes one place from 127.0.0.2; False when the gateway says no."""
    with Device(gateway.address, source="127.0.0.2") as probe:
        if probe.has_input(0.2):
            return False
    gateway.wait_for_connections(8)
    crowd.login(1, prefix, 60, source="127.0.0.2")
    return True


def test_many_comings_and_goings_use_an_address_up_no_further(start_gateway):
    gateway = start_gateway({"limits.per_address_max": 1})
    for number in range(30):
        device = eventually(lambda: _try_login(gateway, f"d{number}"), 5, "its only place is free")
        device.send(native.Goaway())
        device.expect_end()
        device.close()


def _try_login(gateway, name):
    device = Device(gateway.address, source="127.0.0.9")
    if device.has_input(0.05):
        device.close()
        return None
    device.hello(name)
    return device


def count_welcome(gateway, count, source=""):
    """Connects `count` times as fast as it goes; returns (welcome, turned away, seconds taken)."""
    started_s = time.monotonic()
    devices = [Device(gateway.address, source=source) for _ in range(count)]
    took_s = time.monotonic() - started_s
    away = 0
    for device in devices:
        device.socket.shutdown(1)  # our end: a connection that may stay is closed without a word
        answer = device.receive()
        if isinstance(answer, native.Goaway):
            assert answer.code == native.RATE_LIMITED
            assert answer.retry_after_ms >= 1
            away += 1
        device.close()
    return count - away, away, took_s


def test_the_accept_rate_is_kept_and_recovers(start_gateway):
    rate_per_s = 50
    gateway = start_gateway({"limits.accept_rate_per_s": rate_per_s})
    welcome, away, took_s = count_welcome(gateway, 300)
    assert rate_per_s <= welcome <= rate_per_s + rate_per_s * (took_s + 0.2) + 1
    assert gateway.admin.refused("accept_rate") == away
    until(time.monotonic() + 0.5)
    again, _away, took_s = count_welcome(gateway, 100)
    assert rate_per_s * 0.4 <= again <= rate_per_s * (0.5 + took_s + 0.5) + 2


def test_the_rate_of_one_subnet_leaves_the_others_alone(start_gateway):
    rate_per_s = 20
    gateway = start_gateway({"limits.accept_rate_per_subnet_per_s": rate_per_s})
    welcome, away, took_s = count_welcome(gateway, 100, source="127.0.5.1")
    assert rate_per_s <= welcome <= rate_per_s * (1 + took_s + 0.2) + 1
    # Another host of the same /24 shares its fate, one of the next does not.
    neighbour_welcome, neighbour_away, took_s = count_welcome(gateway, 20, source="127.0.5.200")
    assert neighbour_welcome <= rate_per_s * (took_s + 0.5) + 1
    other_welcome, other_away, _took_s = count_welcome(gateway, rate_per_s, source="127.0.6.1")
    assert (other_welcome, other_away) == (rate_per_s, 0)
    assert gateway.admin.refused("subnet_rate") == away + neighbour_away


def test_every_accepted_connection_is_accounted_for(start_gateway):
    gateway = start_gateway({"limits.accept_rate_per_s": 30, "limits.per_address_max": 10})
    kept = [device for _ in range(60) if isinstance(device := knock(gateway), Device)]
    for device in kept:
        device.close()
    stats = gateway.wait_for_connections(0)
    assert stats["accepted"] == 60
    assert sum(stats["refused"].values()) + sum(stats["closed"].values()) == 60
    assert len(kept) == 10
    assert stats["refused"]["per_address_max"] >= 1
