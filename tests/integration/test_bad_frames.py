"""Bytes that may not be: each gets its GOAWAY and a counted close, and nobody else notices."""

import concurrent.futures
import os

import pytest

from support import native, processes
from support.crowd import Crowd
from support.device import Device
from support.waiting import eventually

HELLO = native.Hello("d", 60).encode()
FRAME_MAX_BYTES = 4096
ROUNDS = 1000
# What the allocator may keep; a leak of a kilobyte a connection would be seen.
RSS_SLACK_BYTES = 1 << 20


def hello_of(body):
    return native.encode_frame(0xA0, body)


def hello_body(device_id=b"\x01d", token=b"\0\0", rest=b"", magic=b"HFG1"):
    return magic + b"\0\x3c" + device_id + token + rest


# name -> (bytes instead of HELLO, code)
BEFORE_WELCOME = {
    "ping first": (native.Ping().encode(), native.PROTOCOL_ERROR),
    "message first": (native.Message("t").encode(), native.PROTOCOL_ERROR),
    "goaway first": (native.Goaway().encode(), native.PROTOCOL_ERROR),
    "welcome from a device": (b"\x80\x14" + bytes(20), native.PROTOCOL_ERROR),
    "wrong magic": (hello_of(hello_body(magic=b"HFG2")), native.PROTOCOL_ERROR),
    "empty hello": (hello_of(b""), native.PROTOCOL_ERROR),
    "hello cut short": (hello_of(hello_body()[:-1]), native.PROTOCOL_ERROR),
    "no device id": (hello_of(hello_body(device_id=b"\0")), native.PROTOCOL_ERROR),
    "long device id": (hello_of(hello_body(device_id=b"\x41" + b"d" * 65)), native.PROTOCOL_ERROR),
    "blank in device id": (hello_of(hello_body(device_id=b"\x03a b")), native.PROTOCOL_ERROR),
    "wildcard in device id": (hello_of(hello_body(device_id=b"\x02a+")), native.PROTOCOL_ERROR),
    "newline in device id": (hello_of(hello_body(device_id=b"\x02a\n")), native.PROTOCOL_ERROR),
    "token longer than the body": (hello_of(hello_body(token=b"\0\x05")), native.PROTOCOL_ERROR),
    "token that is not UTF-8": (hello_of(hello_body(token=b"\0\x01\xff")), native.PROTOCOL_ERROR),
    "key without value": (hello_of(hello_body(rest=b"\x04user")), native.PROTOCOL_ERROR),
    "user twice": (hello_of(hello_body(rest=b"\x04user\x01a" * 2)), native.PROTOCOL_ERROR),
    "value that is not UTF-8": (
        hello_of(hello_body(rest=b"\x04user\x01\xc0")),
        native.PROTOCOL_ERROR,
    ),
    "length not in its shortest form": (b"\xa0\x80\x00", native.PROTOCOL_ERROR),
    "length of five bytes": (b"\xa0\xff\xff\xff\xff\x01", native.PROTOCOL_ERROR),
    "hello over 1 KiB": (b"\xa0" + native.encode_length(1025), native.FRAME_TOO_LARGE),
    "hello of the largest length": (b"\xa0\xff\xff\xff\x7f", native.FRAME_TOO_LARGE),
}

# name -> (bytes behind a good HELLO, code)
AFTER_WELCOME = {
    "second hello": (HELLO, native.PROTOCOL_ERROR),
    "welcome from a device": (b"\x80\x14" + bytes(20), native.PROTOCOL_ERROR),
    "type 0": (b"\x00\x00", native.PROTOCOL_ERROR),
    "type 9": (b"\x90\x00", native.PROTOCOL_ERROR),
    "type 15": (b"\xf0\x00", native.PROTOCOL_ERROR),
    "ping with a flag": (b"\x11\x00", native.PROTOCOL_ERROR),
    "pong with the server's flag": (b"\x21\x02\x00\x05", native.PROTOCOL_ERROR),
    "message with flag 2": (b"\x32\x01\x00", native.PROTOCOL_ERROR),
    "ack with a flag": (b"\x41\x05" + bytes(5), native.PROTOCOL_ERROR),
    "subscribe with a flag": (b"\x51\x06" + bytes(4) + b"\x01a", native.PROTOCOL_ERROR),
    "goaway with a flag": (b"\x71\x08" + bytes(8), native.PROTOCOL_ERROR),
    "ping of 17 bytes": (native.Ping(bytes(17)).encode(), native.PROTOCOL_ERROR),
    "pong of 17 bytes": (native.Pong(bytes(17)).encode(), native.PROTOCOL_ERROR),
    "message without topic": (native.encode_frame(0x30), native.PROTOCOL_ERROR),
    "message with half a topic": (native.encode_frame(0x30, b"\x05abc"), native.PROTOCOL_ERROR),
    "message with half an id": (native.encode_frame(0x31, b"\0\0"), native.PROTOCOL_ERROR),
    "topic that is not UTF-8": (native.encode_frame(0x30, b"\x02\xc3\x28"), native.PROTOCOL_ERROR),
    "ack of four bytes": (native.encode_frame(0x40, bytes(4)), native.PROTOCOL_ERROR),
    "ack of six bytes": (native.encode_frame(0x40, bytes(6)), native.PROTOCOL_ERROR),
    "ack of status 5": (native.Ack(1, 5).encode(), native.PROTOCOL_ERROR),
    "subscribe to nothing": (native.Subscribe(1, ()).encode(), native.PROTOCOL_ERROR),
    "subscribe to an empty filter": (native.Subscribe(1, ("",)).encode(), native.PROTOCOL_ERROR),
    "unsubscribe cut short": (
        native.encode_frame(0x60, bytes(4) + b"\x05a"),
        native.PROTOCOL_ERROR,
    ),
    "goaway cut short": (native.encode_frame(0x70, bytes(7)), native.PROTOCOL_ERROR),
    "goaway with bytes behind": (native.encode_frame(0x70, bytes(9)), native.PROTOCOL_ERROR),
    "length not in its shortest form": (b"\x10\x80\x00", native.PROTOCOL_ERROR),
    "length of five bytes": (b"\x30\x80\x80\x80\x80\x01", native.PROTOCOL_ERROR),
    "message over the limit": (
        b"\x30" + native.encode_length(FRAME_MAX_BYTES + 1),
        native.FRAME_TOO_LARGE,
    ),
    "message of the largest length": (b"\x30\xff\xff\xff\x7f", native.FRAME_TOO_LARGE),
}

COUNTED_AS = {
    native.PROTOCOL_ERROR: "protocol_error",
    native.FRAME_TOO_LARGE: "frame_too_large",
}


@pytest.fixture
def gateway(start_gateway):
    return start_gateway({"limits.frame_max_bytes": FRAME_MAX_BYTES, "heartbeat.default_s": 60})


def send_and_expect(gateway, name, after_welcome, data, code):
    with Device(gateway.address) as device:
        if after_welcome:
            device.hello(f"bad-{os.urandom(8).hex()}", 60)
        device.send_bytes(data)
        goaway = device.receive()
        assert isinstance(goaway, native.Goaway), f"{name}: {goaway}"
        assert goaway.code == code, f"{name}: {goaway}"
        assert device.receive() is None, name


def all_cases():
    for name, (data, code) in BEFORE_WELCOME.items():
        yield name, False, data, code
    for name, (data, code) in AFTER_WELCOME.items():
        yield name, True, data, code


def test_each_gets_its_code_and_is_counted_and_the_neighbours_are_untouched(gateway):
    expected = {"protocol_error": 0, "frame_too_large": 0}
    with Crowd(gateway.address) as crowd:
        neighbours = crowd.login(20, "neighbour", 60, period_s=0.1)
        for name, after_welcome, data, code in all_cases():
            send_and_expect(gateway, name, after_welcome, data, code)
            expected[COUNTED_AS[code]] += 1
        closed = gateway.admin.stats()["closed"]
        assert {reason: closed[reason] for reason in expected} == expected
        gateway.wait_for_connections(len(neighbours))
        before = [member.pongs for member in neighbours]
        crowd.wait(
            lambda: all(member.pongs > old for member, old in zip(neighbours, before)),
            10,
            "a further PONG for every neighbour",
        )
        assert all(member.is_open for member in neighbours)


def test_a_limit_is_judged_by_the_announced_length_alone(gateway):
    with Device.login(gateway.address, "d", 60) as device:
        device.send_bytes(b"\x30" + native.encode_length(FRAME_MAX_BYTES + 1))
        device.expect_goaway(native.FRAME_TOO_LARGE)


def test_a_frame_of_exactly_the_limit_is_taken(gateway):
    with Device.login(gateway.address, "d", 60) as device:
        device.send(native.Message("", b"x" * (FRAME_MAX_BYTES - 5), ack_id=1))
        assert device.receive() == native.Ack(1, native.ACK_UNAVAILABLE)


def test_good_frames_before_a_bad_one_are_answered_and_none_behind_it(gateway):
    with Device.login(gateway.address, "d", 60) as device:
        good = native.Ping(b"good").encode()
        device.send_bytes(good * 3 + b"\x90\x00" + native.Ping(b"late").encode())
        assert [device.receive() for _ in range(3)] == [native.Pong(b"good")] * 3
        device.expect_goaway(native.PROTOCOL_ERROR)


def test_memory_and_descriptors_are_the_same_after_a_thousand_of_them(gateway, sanitizer):
    cases = list(all_cases())

    def run(count):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            jobs = [
                pool.submit(send_and_expect, gateway, *cases[number % len(cases)])
                for number in range(count)
            ]
            for job in jobs:
                job.result()
        gateway.wait_for_connections(0)

    run(200)  # what a first use allocates for good
    descriptors = gateway.open_descriptors
    rss_bytes = processes.rss_bytes(gateway.pid)
    run(ROUNDS)
    # The admin connection that watched them may be open at one look and closed at the other.
    eventually(lambda: gateway.open_descriptors <= descriptors, 10, "descriptors as before")
    if not sanitizer:
        assert processes.rss_bytes(gateway.pid) - rss_bytes <= RSS_SLACK_BYTES
