"""Peers whose network has gone without a word: nothing but silence tells of it."""

import time

import pytest

from support import network
from support.crowd import Crowd
from support.waiting import slowed, until

pytestmark = [pytest.mark.needs_root, pytest.mark.netns]

HEARTBEAT_S, MISSES = 2, 2
TIMEOUT_S = HEARTBEAT_S * MISSES


@pytest.fixture
def namespace():
    with network.LinkedNamespace() as linked:
        yield linked


def test_devices_behind_a_link_that_went_down_are_evicted_on_time(start_gateway, namespace):
    gateway = start_gateway(
        {"limits.hello_timeout_ms": 2000, "heartbeat.misses": MISSES},
        listeners=[{"bind": f"{namespace.near_address}:0"}, {"bind": "127.0.0.1:0"}],
    )
    far, near = gateway.addresses
    with Crowd(near) as neighbours, Crowd(far) as crowd:
        living = neighbours.login(20, "living", 1)

        def connect():
            return namespace.connect(far)

        gone = crowd.login(50, "gone", HEARTBEAT_S, beats=False, connect=connect)
        crowd.add(10, "mute", speaks=False, connect=connect)
        gateway.wait_for_connections(80)
        namespace.cut()
        until(min(member.last_sent_s for member in gone) + TIMEOUT_S - 0.3)
        assert gateway.admin.closed("heartbeat_timeout") == 0
        gateway.wait_for_closed("heartbeat_timeout", 50)
        last_word_s = max(member.last_sent_s for member in gone)
        assert time.monotonic() - last_word_s <= TIMEOUT_S + slowed(0.5)
        # What the kernel still holds of them is its own; nothing of the gateway's is left.
        gateway.wait_for_connections(len(living))
        assert gateway.admin.closed("hello_timeout") == 10
        assert all(member.is_open for member in living)
        # The devices saw nothing of it either: they are half-open.
        assert not any(member.goaway for member in gone)


def test_a_take_over_by_the_device_on_another_network(start_gateway, namespace):
    """A phone that left its old network behind: the new session must not wait for the old one."""
    gateway = start_gateway(
        listeners=[{"bind": f"{namespace.near_address}:0"}, {"bind": "127.0.0.1:0"}]
    )
    far, near = gateway.addresses
    with Crowd(far) as old_network, Crowd(near) as new_network:
        old_network.login(20, "d", 60, connect=lambda: namespace.connect(far))
        namespace.cut()
        moved = new_network.login(20, "d", 60)
        assert all(member.welcome.took_over for member in moved)
        gateway.wait_for_closed("taken_over", 20)
        # The old sockets linger for an answer that cannot come, and not for long.
        gateway.wait_for_connections(20, 10)
        assert all(member.is_open for member in moved)
