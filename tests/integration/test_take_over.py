"""The newest session of a device wins; the older gets 4002."""

import threading
import time

import pytest

from support import native
from support.crowd import Crowd
from support.device import Device
from support.waiting import eventually, slowed

pytestmark = pytest.mark.threads

STORM_CONNECTIONS = 8
STORM_S = {"": 30, "address": 15, "thread": 15}


def test_the_older_session_is_told_4002_and_the_newer_that_it_took_over(gateway):
    with Device.login(gateway.address, "d") as older, Device(gateway.address) as newer:
        assert not older.welcome.took_over
        assert newer.hello("d").took_over
        older.expect_goaway(native.TAKEN_OVER)
        assert newer.is_alive()
        session = gateway.admin.session("d")
        assert int(session["session_id"]) == newer.welcome.session_id
    gateway.wait_for_closed("taken_over", 1)


def test_sessions_of_other_devices_are_left_alone(gateway):
    with Device.login(gateway.address, "other") as other:
        with Device.login(gateway.address, "d"), Device.login(gateway.address, "d"):
            assert other.is_alive()


def test_after_a_clean_end_nothing_is_taken_over(gateway):
    with Device.login(gateway.address, "d") as first:
        first.send(native.Goaway())
        first.expect_end()
        with Device.login(gateway.address, "d") as second:
            assert not second.welcome.took_over


def test_the_older_sessions_late_end_does_not_remove_the_newer(gateway):
    """The older keeps its socket open and says more: the newer's entry must stay."""
    with Device.login(gateway.address, "d") as older, Device.login(gateway.address, "d") as newer:
        older.send(native.Ping())
        older.expect_goaway(native.TAKEN_OVER)
        older.close()
        gateway.wait_for_connections(1)
        assert gateway.admin.session("d") is not None
        assert newer.is_alive()


@pytest.mark.parametrize("loops_count", [1, 4])
def test_it_works_within_one_loop_and_across_loops(start_gateway, loops_count):
    """With four loops, 64 devices come back at once and many land on another loop."""
    gateway = start_gateway({"loops.count": loops_count, "heartbeat.default_s": 60})
    with Crowd(gateway.address) as crowd:
        older = crowd.login(64, "d", 60)
        loops = {member.name: gateway.admin.session(member.name)["loop"] for member in older}
        # Newcomers go round the loops: one more in between, and all that follow are a loop further.
        crowd.login(1, "between", 60)
        newer = crowd.login(64, "d", 60)
        crowd.wait_closed(older, 10)
        assert {member.goaway.code for member in older if member.goaway} == {native.TAKEN_OVER}
        assert all(member.goaway for member in older)
        assert all(member.welcome.took_over for member in newer)
        assert all(member.is_open for member in newer)
        moved = [m for m in newer if gateway.admin.session(m.name)["loop"] != loops[m.name]]
        assert bool(moved) == (loops_count > 1)
        gateway.wait_for_connections(65)


@pytest.mark.slow
def test_a_storm_of_one_device_on_eight_connections_leaves_one_owner_and_no_leak(
    start_gateway, sanitizer
):
    gateway = start_gateway({"loops.count": 4, "heartbeat.default_s": 60})
    with Crowd(gateway.address) as crowd:
        neighbours = crowd.login(20, "neighbour", 1)
        descriptors = gateway.open_descriptors
        storm = _Storm(gateway.address, STORM_S[sanitizer])
        logins = storm.run()
        assert logins >= STORM_CONNECTIONS * 10

        # All but one have been told, or have gone: one owner, and it is the one that still works.
        gateway.wait_for_sessions(len(neighbours) + 1, 20)
        owner_id = int(gateway.admin.session("contested")["session_id"])
        owners = [device for device in storm.devices if device.welcome.session_id == owner_id]
        assert len(owners) == 1
        assert owners[0].is_alive()
        storm.close()

        gateway.wait_for_sessions(len(neighbours))
        gateway.wait_for_connections(len(neighbours))
        assert all(member.is_open for member in neighbours)
        eventually(
            lambda: gateway.open_descriptors <= descriptors, 10, "descriptors back where they were"
        )
        stats = gateway.admin.stats()
        assert stats["closed"]["taken_over"] <= logins
        assert stats["closed"]["protocol_error"] == 0


class _Storm:
    """Threads that each log the same device in again as soon as they are thrown out."""

    def __init__(self, address, for_s):
        self._address = address
        self._end_s = time.monotonic() + for_s
        self._logins = [0] * STORM_CONNECTIONS
        self._errors = []
        self.devices = [None] * STORM_CONNECTIONS

    def run(self):
        """Returns the number of logins; each thread's last connection stays open in `devices`."""
        threads = [
            threading.Thread(target=self._fight, args=(index,))
            for index in range(STORM_CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(slowed(60))
            assert not thread.is_alive()
        assert not self._errors, self._errors
        return sum(self._logins)

    def close(self):
        for device in self.devices:
            device.close()

    def _fight(self, index):
        try:
            while True:
                device = Device.login(self._address, "contested", 60)
                self.devices[index] = device
                self._logins[index] += 1
                # Half of the threads wait for their dismissal, half go at once: both ends race.
                is_dismissed = index % 2 == 1
                while not is_dismissed and time.monotonic() < self._end_s:
                    is_dismissed = device.has_input(0.05)
                if time.monotonic() >= self._end_s:
                    return
                if index % 2 == 0:
                    device.expect_goaway(native.TAKEN_OVER)
                device.close()
        except Exception as error:  # told by run()
            self._errors.append(error)
