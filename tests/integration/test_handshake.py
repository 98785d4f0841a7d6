"""From the first byte to WELCOME: docs/protocol.md, HELLO and WELCOME."""

import time

import pytest

from support import native
from support.device import Device

# The worked example of docs/protocol.md: heartbeat 30 s, device d1, no token, user u1.
EXAMPLE_HELLO = bytes.fromhex("A013484647 31001E 026431 0000 0475736572 027531".replace(" ", ""))
HEARTBEATS = {"heartbeat.min_s": 5, "heartbeat.default_s": 7, "heartbeat.max_s": 60}


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(HEARTBEATS)


def test_the_worked_example_is_answered_with_what_the_page_says(gateway):
    assert native.Hello("d1", 30, "", {"user": "u1"}).encode() == EXAMPLE_HELLO
    before_ms = time.time_ns() // 1_000_000
    with Device(gateway.address) as device:
        device.send_bytes(EXAMPLE_HELLO)
        # head, length 20, heartbeat 30, timeout 90; then ids and times that are never the same
        assert device.socket.recv(6) == bytes.fromhex("8014001E005A")
        rest = device.socket.recv(64)
        assert len(rest) == 16
        server_time_ms = int.from_bytes(rest[8:], "big")
        assert before_ms - 1 <= server_time_ms <= time.time_ns() // 1_000_000 + 1


def test_each_session_has_an_id_of_its_own(gateway):
    ids = set()
    for _ in range(20):
        with Device.login(gateway.address, "same") as device:
            ids.add(device.welcome.session_id)
    assert len(ids) == 20


@pytest.mark.parametrize(
    ("asked_s", "granted_s"),
    [(0, 7), (1, 5), (4, 5), (5, 5), (6, 6), (59, 59), (60, 60), (61, 60), (65535, 60)],
)
def test_the_heartbeat_is_granted_within_bounds_and_the_timeout_is_told(
    gateway, asked_s, granted_s
):
    with Device.login(gateway.address, "d", asked_s) as device:
        assert (device.welcome.heartbeat_s, device.welcome.timeout_s) == (granted_s, 3 * granted_s)


def test_the_timeout_is_the_heartbeat_times_the_misses(start_gateway):
    gateway = start_gateway({"heartbeat.misses": 5})
    with Device.login(gateway.address, "d", 20) as device:
        assert device.welcome.timeout_s == 100


def test_attributes_are_kept_and_shown_to_the_operator(gateway):
    attributes = {"user": "ü1", "app": "chat/2.1", "os": "linux", "net": "4g"}
    with Device.login(gateway.address, "d", 10, attributes=attributes) as device:
        session = gateway.admin.session("d")
        assert {key: session[key] for key in attributes} == attributes
        assert device.is_alive()


def test_attributes_that_are_not_known_are_passed_over(gateway):
    attributes = {"colour": "blue", "user": "u", "": "nameless"}
    with Device.login(gateway.address, "d", attributes=attributes):
        assert gateway.admin.session("d")["user"] == "u"


@pytest.mark.parametrize("device_id", ["a", "A-Z.a_z:09", "x" * 22, "y" * 23, "z" * 64])
def test_every_device_id_that_the_page_allows_is_welcome(gateway, device_id):
    with Device.login(gateway.address, device_id) as device:
        assert device.is_alive()
        assert gateway.admin.session(device_id)["device"] == device_id


def test_a_hello_of_the_largest_size_is_welcome(gateway):
    fixed = len(native.Hello("d", 0, "").encode()) - 2  # less head and length
    token = "t" * (native.HELLO_BODY_BYTES_MAX - fixed)
    with Device(gateway.address) as device:
        device.hello("d", token=token)
        assert device.is_alive()


def test_a_hello_cut_into_single_bytes_is_welcome(gateway):
    with Device(gateway.address) as device:
        for byte in EXAMPLE_HELLO:
            device.send_bytes(bytes([byte]))
        assert device.expect(native.Welcome).heartbeat_s == 30


def test_frames_that_follow_hello_in_the_same_segment_are_answered(gateway):
    pings = b"".join(native.Ping(bytes([number])).encode() for number in range(50))
    with Device(gateway.address) as device:
        device.send_bytes(native.Hello("d").encode() + pings)
        device.expect(native.Welcome)
        assert [device.expect(native.Pong).echo[0] for _ in range(50)] == list(range(50))
