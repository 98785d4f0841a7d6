"""Listeners behind a balancer: the PROXY header tells the device's address."""

import pytest

from support import native, proxy_header
from support.device import Device
from support.waiting import eventually

pytestmark = pytest.mark.threads

BEHIND_BALANCER = [{"bind": "127.0.0.1:0", "proxy_protocol": True}]
HELLO = native.Hello("d", 60).encode()

SOURCES = {
    "version 1, IPv4": (proxy_header.v1("192.0.2.55", 4711), "192.0.2.55:4711"),
    "version 1, IPv6": (proxy_header.v1("2001:db8::55", 4711), "[2001:db8::55]:4711"),
    "version 2, IPv4": (proxy_header.v2("192.0.2.55", 4711), "192.0.2.55:4711"),
    "version 2, IPv6": (proxy_header.v2("2001:db8::55", 4711), "[2001:db8::55]:4711"),
    "version 2 with TLVs": (
        proxy_header.v2("192.0.2.55", 4711, tlvs=b"\x04\x00\x05hello\x02\x00\x01x"),
        "192.0.2.55:4711",
    ),
}

NO_SOURCE = {
    "version 1, UNKNOWN": b"PROXY UNKNOWN\r\n",
    "version 1, UNKNOWN with addresses": b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    "version 2, LOCAL": proxy_header.v2_local(),
}

WRONG = {
    "no header": HELLO,
    "a header with a bad address": b"PROXY TCP4 300.0.0.1 192.0.2.1 1 2\r\n",
    "a header with a bad port": b"PROXY TCP4 192.0.2.5 192.0.2.1 70000 2\r\n",
    "a header of the wrong family": b"PROXY TCP4 ::1 ::2 1 2\r\n",
    "a header without an end": b"PROXY " + b"x" * 200,
    "a header that ends with LF alone": b"PROXY UNKNOWN\n" + 10 * HELLO,
    "a signature that is nearly right": proxy_header.SIGNATURE_V2[:-1] + b"\r" + bytes(16),
    "version 3": proxy_header.SIGNATURE_V2 + b"\x31\x11\x00\x0c" + bytes(12),
    "an IPv4 address cut short": proxy_header.SIGNATURE_V2 + b"\x21\x11\x00\x08" + bytes(8),
    "a header of 64 KiB": proxy_header.SIGNATURE_V2 + b"\x21\x11\xff\xff",
}


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(listeners=BEHIND_BALANCER)


@pytest.mark.parametrize("name", SOURCES)
def test_the_session_has_the_address_that_the_header_tells(gateway, name):
    header, peer = SOURCES[name]
    with Device.login(gateway.address, "d", before_hello=header):
        assert gateway.admin.session("d")["peer"] == peer


@pytest.mark.parametrize("name", NO_SOURCE)
def test_without_a_source_the_sockets_own_address_stays(gateway, name):
    with Device.login(gateway.address, "d", before_hello=NO_SOURCE[name]) as device:
        host, port = device.socket.getsockname()
        assert gateway.admin.session("d")["peer"] == f"{host}:{port}"


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_header_is_closed_without_a_word_and_counted(gateway, name):
    with Device(gateway.address) as device:
        device.send_bytes(WRONG[name])
        device.expect_end()
    gateway.wait_for_closed("bad_proxy_header", 1)
    gateway.wait_for_connections(0)


@pytest.mark.parametrize("name", SOURCES)
def test_a_header_may_come_in_single_bytes_and_hello_in_the_same_write(gateway, name):
    header, peer = SOURCES[name]
    with Device(gateway.address) as device:
        for byte in header[:-1]:
            device.send_bytes(bytes([byte]))
        device.send_bytes(header[-1:] + HELLO)
        device.expect(native.Welcome)
        assert gateway.admin.session("d")["peer"] == peer


def test_who_sends_no_header_in_time_meets_the_hello_timeout(start_gateway):
    gateway = start_gateway({"limits.hello_timeout_ms": 500}, listeners=BEHIND_BALANCER)
    with Device(gateway.address) as device:
        device.expect_goaway(native.NO_HELLO)


def test_a_listener_without_the_option_takes_the_header_for_garbage(start_gateway):
    gateway = start_gateway(
        listeners=[{"bind": "127.0.0.1:0"}, {"bind": "127.0.0.1:0", "proxy_protocol": True}]
    )
    header = proxy_header.v1("192.0.2.55", 4711)
    with Device(gateway.addresses[0]) as device:
        device.send_bytes(header)
        device.expect_goaway(native.PROTOCOL_ERROR)
    with Device.login(gateway.addresses[1], "d", before_hello=header) as device:
        assert device.is_alive()


def behind(gateway, source, name):
    device = Device(gateway.address, before_hello=proxy_header.v2(source, 1000))
    device.send(native.Hello(name, 60))
    return device


def test_connections_are_limited_by_the_address_that_the_header_tells(start_gateway):
    gateway = start_gateway({"limits.per_address_max": 3}, listeners=BEHIND_BALANCER)
    devices = []
    for source in ("192.0.2.1", "192.0.2.2"):
        for number in range(3):
            devices.append(behind(gateway, source, f"{source}-{number}"))
            devices[-1].expect(native.Welcome)
    with behind(gateway, "192.0.2.1", "too-many") as fourth:
        fourth.expect_goaway(native.RATE_LIMITED)
    stats = gateway.wait_for_closed("address_limit", 1)
    assert stats["refused"]["per_address_max"] == 1
    assert all(device.is_alive() for device in devices)

    devices.pop(0).close()
    gateway.wait_for_connections(len(devices))

    def is_welcome():
        with behind(gateway, "192.0.2.1", "again") as device:
            # Its WELCOME may come before the accept thread has seen the address.
            device.expect(native.Welcome)
            return not device.has_input(0.2)

    eventually(is_welcome, 10, "a freed place is given again")
    for device in devices:
        device.close()


def test_the_balancers_own_address_is_not_limited(start_gateway):
    gateway = start_gateway({"limits.per_address_max": 2}, listeners=BEHIND_BALANCER)
    checks = [Device(gateway.address, before_hello=proxy_header.v2_local()) for _ in range(10)]
    gateway.wait_for_connections(10)
    for check in checks:
        check.close()
    gateway.wait_for_connections(0)
