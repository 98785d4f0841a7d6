"""Clients that begin and do not go on: bounded in number, time and memory, and in nobody's way."""

import contextlib
import select
import socket
import struct
import time

import pytest

from support import native, tls_wire
from support.crowd import Crowd
from support.device import Device, connect
from support.tls import TlsDevice, TlsSocket, connect_within_tls
from support.waiting import eventually, slowed, until

pytestmark = pytest.mark.threads

COUNT = 500
TICK_S = 0.1
# How late the last of hundreds may be seen beyond the tick, with both ends on the same machine.
NOISE_S = 0.5


def first_flight(context):
    """A ClientHello that a server takes for good."""
    return TlsSocket(None, context).first_flight()


@contextlib.contextmanager
def stalled(address, count, data):
    """So many connections that have sent `data` and say no more."""
    connections = []
    try:
        for _ in range(count):
            connections.append(connect(address))
            connections[-1].sendall(data)
        yield connections
    finally:
        for connection in connections:
            connection.close()


def memory_bytes(gateway):
    return sum(loop["memory_bytes"] for loop in gateway.admin.stats()["loops"])


def wait_for_ends(connections, within_s):
    """Waits for the end of each; returns the moments, in order."""
    deadline = time.monotonic() + slowed(within_s)
    waiting = {connection.fileno(): connection for connection in connections}
    poller = select.poll()
    for fd in waiting:
        poller.register(fd, select.POLLIN | select.POLLRDHUP)
    moments = []
    while waiting:
        left_s = deadline - time.monotonic()
        assert left_s > 0, f"{len(waiting)} of {len(connections)} are still open"
        for fd, _events in poller.poll(left_s * 1000):
            try:
                data = waiting[fd].recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                poller.unregister(fd)
                del waiting[fd]
                moments.append(time.monotonic())
    return moments


# name -> (what is sent of a ClientHello, seconds that a handshake may take: all must have connected
# by then, and a newcomer has his turn behind them)
STOPS = {
    "after the ClientHello": (slice(None), 4),
    "before its last byte": (slice(-1), 2),
    "within its header": (slice(4), 2),
}


@pytest.mark.parametrize("stop", STOPS)
def test_hundreds_that_stop_are_closed_in_time_and_keep_nobody_out(
    start_tls_gateway, trust, sanitizer, stop
):
    part, timeout_s = STOPS[stop][0], slowed(STOPS[stop][1])
    gateway = start_tls_gateway(
        {"tls.handshake_timeout_ms": int(timeout_s * 1000), "limits.hello_timeout_ms": 60_000}
    )
    context = trust()
    data = first_flight(context)[part]
    with TlsDevice.login(gateway.address, "early", 60, context=context) as early:
        before_bytes, rss_bytes = memory_bytes(gateway), gateway.rss_bytes
        started_s = time.monotonic()
        with stalled(gateway.address, COUNT, data) as connections:
            gateway.wait_for_connections(COUNT + 1)
            assert memory_bytes(gateway) > before_bytes
            with TlsDevice.login(gateway.address, "newcomer", 60, context=context) as newcomer:
                assert newcomer.is_alive() and early.is_alive()
            moments = wait_for_ends(connections, timeout_s + 10)
        assert min(moments) >= started_s + timeout_s
        gateway.wait_for_tls_failed("timeout", COUNT)
        gateway.wait_for_closed("tls_timeout", COUNT)
        stats = gateway.wait_for_connections(1)
        assert stats["tls"]["handshakes_in_progress"] == 0
        assert stats["tls"]["handshakes_waiting"] == 0
        eventually(lambda: memory_bytes(gateway) <= before_bytes + 4096, 5, "memory is given back")
        if not sanitizer:
            assert gateway.rss_bytes - rss_bytes <= COUNT * 100 * 1024
        assert early.is_alive()


def test_one_that_stops_is_closed_within_a_tick_of_its_deadline(start_tls_gateway, trust):
    gateway = start_tls_gateway({"tls.handshake_timeout_ms": 1000})
    hello = first_flight(trust())
    started_s = time.monotonic()
    with connect(gateway.address) as connection:
        connection.sendall(hello)
        tls_wire.read_to_the_end(connection)
    waited_s = time.monotonic() - started_s
    assert 1.0 <= waited_s <= 1.0 + TICK_S + slowed(NOISE_S)


def test_bytes_that_drip_in_do_not_put_the_deadline_off(start_tls_gateway, trust):
    gateway = start_tls_gateway({"tls.handshake_timeout_ms": 1500})
    hello = first_flight(trust())
    started_s = time.monotonic()
    with connect(gateway.address) as connection:
        connection.sendall(hello[:10])
        for number in range(1, 14):
            until(started_s + number * 0.1)
            connection.sendall(hello[9 + number : 10 + number])
        tls_wire.read_to_the_end(connection)
        assert time.monotonic() - started_s <= 1.5 + TICK_S + slowed(NOISE_S)
    gateway.wait_for_tls_failed("timeout", 1)


@pytest.mark.parametrize("loops_count", [1, 2])
def test_no_more_than_the_limit_go_on_and_who_is_silent_gives_way(
    start_tls_gateway, trust, loops_count
):
    limit, stalling = 4, 12
    gateway = start_tls_gateway(
        {
            "loops.count": loops_count,
            "tls.handshakes_max": limit,
            "tls.handshake_timeout_ms": 60_000,
        }
    )
    context = trust()
    with stalled(gateway.address, stalling, first_flight(context)) as connections:
        gateway.wait_for_stats(
            lambda stats: stats["tls"]["handshakes_in_progress"] == limit
            and stats["tls"]["handshakes_waiting"] == stalling - limit,
            what="the limit is reached, the others wait",
        )
        started_s = time.monotonic()
        with TlsDevice(gateway.address, context) as device:
            assert time.monotonic() - started_s >= 0.5
            device.hello("d")
            tls = gateway.admin.tls()
            assert tls["handshakes_in_progress"] <= limit
            assert tls["failed"]["crowded_out"] >= limit
            assert device.is_alive()
        # Those that waited had their turn, and kept the gateway waiting in theirs.
        ended = wait_for_ends(connections[: stalling - limit], 15)
        assert len(ended) == stalling - limit
    stats = gateway.wait_for_connections(0)
    failed = stats["tls"]["failed"]
    assert failed["crowded_out"] + failed["peer_closed"] == stalling
    assert stats["closed"]["tls_failed"] == failed["crowded_out"]
    assert (stats["tls"]["handshakes_in_progress"], stats["tls"]["handshakes_waiting"]) == (0, 0)


def test_nobody_gives_way_while_nobody_waits(start_tls_gateway, trust):
    gateway = start_tls_gateway(
        {"tls.handshakes_max": 8, "tls.handshake_timeout_ms": 60_000, "loops.count": 1}
    )
    context = trust()
    with stalled(gateway.address, 4, first_flight(context)):
        gateway.wait_for_stats(lambda stats: stats["tls"]["handshakes_in_progress"] == 4)
        until(time.monotonic() + 1.5)  # longer than the second that they may keep others waiting
        with TlsDevice.login(gateway.address, "d", context=context) as device:
            assert device.is_alive()
        tls = gateway.admin.tls()
        assert (tls["handshakes_in_progress"], tls["failed"]["crowded_out"]) == (4, 0)


def test_a_storm_beyond_the_limit_gets_in_in_turn(start_tls_gateway, trust):
    gateway = start_tls_gateway({"tls.handshakes_max": 2})
    context = trust()
    with Crowd(gateway.address) as crowd, contextlib.ExitStack() as storm:

        def enter():
            return connect_within_tls(gateway.address, context)

        session = crowd.login(1, "early", 1, connect=enter)[0]
        sockets = [storm.enter_context(connect(gateway.address)) for _ in range(40)]
        clients = [TlsSocket(raw, context) for raw in sockets]
        for client in clients:
            client.raw.sendall(client.first_flight())
        for number, client in enumerate(clients):
            client.shake_hands()
            device = Device.over(client)
            device.hello(f"d{number}")
        tls = gateway.admin.tls()
        assert tls["full"] == 41
        assert tls["failed"]["crowded_out"] == 0
        assert session.is_open


@pytest.mark.parametrize("part", [slice(None), slice(-1)], ids=["a ClientHello", "most of one"])
def test_clients_that_vanish_at_once_leave_nothing_behind(start_tls_gateway, trust, part):
    """They go while others do their steps: what comes back finds nobody, or somebody else."""
    gateway = start_tls_gateway({"tls.handshake_timeout_ms": 60_000})
    context = trust()
    data = first_flight(context)[part]
    before_bytes = memory_bytes(gateway)
    with TlsDevice.login(gateway.address, "d", 60, context=context) as device:
        for number in range(400):
            with connect(gateway.address) as connection:
                if number % 2:  # a reset instead of an end
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.sendall(data)
        assert device.is_alive()
        stats = gateway.wait_for_stats(
            lambda stats: (stats["accepted"], stats["connections"]) == (401, 1),
            what="all have come, one is left",
        )
        tls = stats["tls"]
        assert (tls["handshakes_in_progress"], tls["handshakes_waiting"]) == (0, 0)
        # A reset may come before the first byte is read: then there was no handshake.
        assert 200 <= tls["failed"]["peer_closed"] <= 400
        assert sum(tls["failed"].values()) == tls["failed"]["peer_closed"]
        assert stats["closed"]["peer_closed"] + stats["closed"]["peer_reset"] == 400
    gateway.wait_for_connections(0)
    eventually(lambda: memory_bytes(gateway) <= before_bytes + 4096, 5, "memory is given back")


def test_a_shutdown_does_not_wait_for_handshakes_beyond_its_grace(start_tls_gateway, trust):
    gateway = start_tls_gateway(
        {
            "shutdown.grace_s": 1,
            "tls.handshake_timeout_ms": 60_000,
            "limits.hello_timeout_ms": 60_000,
        }
    )
    hello = first_flight(trust())
    with (
        stalled(gateway.address, 10, hello),
        stalled(gateway.address, 10, hello[:20]),
        stalled(gateway.address, 10, b""),
    ):
        gateway.wait_for_connections(30)
        started_s = time.monotonic()
        gateway.signal(15)
        assert gateway.wait(10) == 0
        assert time.monotonic() - started_s <= slowed(1.0) + 1.0
        gateway.expect_no_report()


# A listener for TLS only, and who says nothing or something else.


def test_who_says_nothing_is_closed_at_the_hello_timeout_without_a_word(start_tls_gateway):
    gateway = start_tls_gateway({"limits.hello_timeout_ms": 800})
    started_s = time.monotonic()
    with connect(gateway.address) as connection:
        assert tls_wire.read_to_the_end(connection) == b""
        waited_s = time.monotonic() - started_s
        assert 0.8 <= waited_s <= 0.8 + TICK_S + slowed(NOISE_S)
    gateway.wait_for_closed("hello_timeout", 1)
    assert sum(gateway.admin.tls()["failed"].values()) == 0


PLAIN = {
    "HELLO": native.Hello("d").encode(),
    "its first byte": b"\xa0",
    "a PING": native.Ping().encode() * 4,
    "an HTTP request": b"GET / HTTP/1.1\r\n\r\n",
    "an SSL 2.0 hello": b"\x80\x2e\x01\x00\x02" + bytes(43),
    "a record of another major version": b"\x16\x02\x00\x00\x40" + bytes(64),
    "an alert first": b"\x15\x03\x03\x00\x02\x02\x28" + bytes(9),
    "data first": b"\x17\x03\x03\x00\x20" + bytes(32),
    "zeros": bytes(32),
}


def test_plain_bytes_are_told_plainly_that_tls_is_required(tls_gateway):
    for count, (name, data) in enumerate(PLAIN.items(), start=1):
        with Device(tls_gateway.address) as device:
            device.send_bytes(data)
            goaway = device.expect_goaway(native.PROTOCOL_ERROR)
            assert goaway.reason == "tls_required", name
        tls_gateway.wait_for_closed("tls_required", count)
        assert tls_gateway.admin.tls()["failed"]["not_tls"] == count
    tls_gateway.wait_for_connections(0)


# Limits before any handshake.


def expect_silent_refusal(address, hello, source=""):
    with connect(address, source) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(hello)
        assert tls_wire.read_to_the_end(connection) == b""


def test_an_address_with_its_share_is_refused_before_a_handshake(start_tls_gateway, trust):
    gateway = start_tls_gateway({"limits.per_address_max": 2})
    context = trust()
    with (
        TlsDevice.login(gateway.address, "a", context=context, source="127.0.0.2"),
        TlsDevice.login(gateway.address, "b", context=context, source="127.0.0.2"),
    ):
        hello = first_flight(context)
        for _ in range(5):
            expect_silent_refusal(gateway.address, hello, "127.0.0.2")
        assert gateway.admin.refused("per_address_max") == 5
        with TlsDevice.login(gateway.address, "c", context=context, source="127.0.0.3") as other:
            assert other.is_alive()
        tls = gateway.admin.tls()
        assert (tls["full"], sum(tls["failed"].values())) == (3, 0)


def test_a_full_gateway_refuses_before_a_handshake(start_tls_gateway, trust):
    gateway = start_tls_gateway({"limits.connections_max": 1, "limits.when_full": "refuse"})
    context = trust()
    with TlsDevice.login(gateway.address, "a", context=context) as device:
        expect_silent_refusal(gateway.address, first_flight(context))
        assert sum(gateway.admin.stats()["refused"].values()) == 1
        assert sum(gateway.admin.tls()["failed"].values()) == 0
        assert device.is_alive()


def test_the_accept_rate_refuses_before_a_handshake(start_tls_gateway, trust):
    rate_per_s = 10
    gateway = start_tls_gateway({"limits.accept_rate_per_s": rate_per_s})
    hello = first_flight(trust())
    with stalled(gateway.address, 100, hello) as connections:
        refused = gateway.wait_for_stats(lambda stats: stats["accepted"] == 100)["refused"]
        assert refused["accept_rate"] >= 50
        silent = [connection for connection in connections if not answer(connection)]
        assert len(silent) == refused["accept_rate"]
    tls = gateway.wait_for_connections(0)["tls"]
    assert sum(tls["failed"].values()) == 100 - refused["accept_rate"]


def answer(connection):
    """The first bytes that come, b"" for the end."""
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def test_a_listener_that_takes_both_says_why_it_refuses(start_tls_gateway):
    gateway = start_tls_gateway({"limits.per_address_max": 1}, listeners=[{"bind": "127.0.0.1:0"}])
    with Device.login(gateway.address, "a"), Device(gateway.address) as second:
        second.expect_goaway(native.RATE_LIMITED)
