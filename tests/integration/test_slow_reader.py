"""A device that does not read costs a bounded queue, and is closed."""

import time

from support import native
from support.crowd import Crowd
from support.device import Device
from support.waiting import eventually, slowed

PINGS = native.Ping(b"0123456789abcdef").encode() * 2000
MIB = 1 << 20


def slow_device(gateway, name):
    device = Device(gateway.address, receive_buffer_bytes=4096)
    device.hello(name, 600)
    return device


def push(device, seconds):
    """Sends PINGs without reading for as long as the gateway takes them; False once closed."""
    device.socket.settimeout(0.2)
    end_s = time.monotonic() + seconds
    rest = b""
    while time.monotonic() < end_s:
        rest = rest or PINGS
        try:
            rest = rest[device.socket.send(rest) :]
        except TimeoutError:
            continue
        except ConnectionError:
            return False
    return True


def test_who_never_reads_is_closed_when_the_queue_is_full(start_gateway, sanitizer):
    gateway = start_gateway({"limits.send_queue_max_bytes": 131072, "heartbeat.max_s": 600})
    with Crowd(gateway.address) as crowd:
        neighbours = crowd.login(20, "neighbour", 1)
        rss_bytes = gateway.rss_bytes
        devices = [slow_device(gateway, f"slow{number}") for number in range(4)]
        for device in devices:
            assert not push(device, slowed(20)), "a device that never reads was not closed"
        gateway.wait_for_closed("slow_consumer", len(devices))
        assert sanitizer or gateway.rss_bytes - rss_bytes <= 4 * MIB
        assert all(member.is_open for member in neighbours)
        for device in devices:
            device.close()
        gateway.wait_for_connections(len(neighbours))


def test_who_stops_reading_is_closed_after_the_write_stall(start_gateway):
    gateway = start_gateway(
        {"limits.write_stall_ms": 1000, "limits.send_queue_max_bytes": 64 * MIB}
    )
    with slow_device(gateway, "slow") as device:
        device.socket.settimeout(slowed(10))

        def has_output_waiting():
            device.socket.sendall(PINGS)
            return gateway.admin.session("slow")["output_bytes"] > 0

        eventually(has_output_waiting, 30, "output waits in the gateway")
        started_s = time.monotonic()
        gateway.wait_for_closed("write_stall", 1, 10)
        assert time.monotonic() - started_s <= slowed(2.5)
    gateway.wait_for_connections(0)


def test_a_late_reader_gets_everything_in_order(start_gateway):
    gateway = start_gateway({"limits.send_queue_max_bytes": 64 * MIB})
    echoes = [number.to_bytes(16, "big") for number in range(1000)]
    pings = b"".join(native.Ping(echo).encode() for echo in echoes)
    pongs = b"".join(native.Pong(echo).encode() for echo in echoes)
    rounds = 500  # 9 MB: more than the sockets hold
    with slow_device(gateway, "late") as device:
        for _ in range(rounds):
            device.send_bytes(pings)
        eventually(lambda: gateway.admin.session("late")["output_bytes"] > 0, what="output waits")
        answer = bytearray()
        while len(answer) < rounds * len(pongs):
            answer += device.socket.recv(1 << 16)
        assert answer == pongs * rounds
        assert gateway.admin.session("late")["output_bytes"] == 0
