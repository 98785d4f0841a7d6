"""Connections that never become sessions cost a slot each, for the hello timeout and no longer."""

import time

import pytest

from support import native
from support.crowd import Crowd
from support.waiting import slowed

COUNT = 1000
BYTES_EACH_MAX = 16 * 1024
HELLO_TIMEOUT_S = 2

LARGEST_HELLO = b"\xa0" + native.encode_length(native.HELLO_BODY_BYTES_MAX) + native.MAGIC
OPENINGS = {
    "say nothing": b"",
    "send one byte": b"\xa0",
    "announce the largest hello": LARGEST_HELLO,
    "send most of the largest hello": LARGEST_HELLO + b"\0\0\1d\3\xf0" + b"t" * 900,
}


@pytest.mark.parametrize("name", OPENINGS)
def test_a_thousand_that_do_so_are_cheap_and_gone_at_the_hello_timeout(
    start_gateway, sanitizer, name
):
    timeout_s = slowed(HELLO_TIMEOUT_S)  # all of them must have connected by then
    gateway = start_gateway({"limits.hello_timeout_ms": int(timeout_s * 1000)})
    with Crowd(gateway.address) as crowd:
        session = crowd.login(1, "session", 1)[0]
        rss_bytes = gateway.rss_bytes
        started_s = time.monotonic()
        members = crowd.add(COUNT, "silent", speaks=False)
        if OPENINGS[name]:
            for member in members:
                member.send_bytes(OPENINGS[name])
        gateway.wait_for_connections(COUNT + 1)
        if not sanitizer:
            assert gateway.rss_bytes - rss_bytes <= COUNT * BYTES_EACH_MAX
        crowd.wait_closed(members, HELLO_TIMEOUT_S + 5)
        assert min(member.closed_s for member in members) >= started_s + timeout_s
        assert {member.goaway.code for member in members} == {native.NO_HELLO}
        gateway.wait_for_closed("hello_timeout", COUNT)
        gateway.wait_for_connections(1)
        assert session.is_open


def test_a_thousand_that_announce_more_than_a_hello_may_have_are_refused_at_once(start_gateway):
    gateway = start_gateway({"limits.hello_timeout_ms": 60_000})
    with Crowd(gateway.address) as crowd:
        members = crowd.add(COUNT, "greedy", speaks=False)
        for member in members:
            member.send_bytes(b"\xa0\xff\xff\xff\x7f")
        crowd.wait_closed(members, 10)
        assert {member.goaway.code for member in members if member.goaway} == {
            native.FRAME_TOO_LARGE
        }
        gateway.wait_for_closed("frame_too_large", COUNT)


def test_sessions_that_hold_half_frames_are_bounded_by_the_frame_limit(start_gateway, sanitizer):
    gateway = start_gateway({"limits.frame_max_bytes": 8192, "heartbeat.max_s": 60})
    count = 300
    with Crowd(gateway.address) as crowd:
        members = crowd.login(count, "half", 60, beats=False)
        rss_bytes = gateway.rss_bytes
        half_frame = native.Message("t", bytes(8190 - 100)).encode()[:-1]
        for member in members:
            member.socket.sendall(half_frame)
        stats = gateway.wait_for_stats(
            lambda stats: sum(loop["bytes_in"] for loop in stats["loops"])
            >= count * len(half_frame),
            what="all half frames read",
        )
        assert stats["sessions"] == count
        if not sanitizer:
            assert gateway.rss_bytes - rss_bytes <= count * 2 * 8192 + (1 << 20)
        assert all(member.is_open for member in members)
