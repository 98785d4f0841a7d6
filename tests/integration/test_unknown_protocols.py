"""First bytes of other protocols on a native port: refused by name of the fault, and counted."""

import pytest

from support import native
from support.device import Device

OTHERS = {
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS ClientHello": bytes.fromhex("16030100C8010000C40303") + bytes(64),
    "an MQTT CONNECT": b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02ab",
    "an MQTT 3.1 CONNECT": b"\x10\x10\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02ab",
    "an SSH banner": b"SSH-2.0-OpenSSH_9.2\r\n",
    "an SMB negotiation": b"\x00\x00\x00\x85\xffSMBr" + bytes(32),
    "a Redis command": b"*1\r\n$4\r\nPING\r\n",
    "a HELLO with a flag": b"\xa1" + native.Hello("d").encode()[1:],
    "zeros": bytes(64),
    "all ones": b"\xff" * 64,
    "text": b"hello?\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_it_is_refused_and_counted(gateway, name):
    with Device(gateway.address) as device:
        device.send_bytes(OTHERS[name])
        device.expect_goaway(native.PROTOCOL_ERROR)
    gateway.wait_for_closed("unknown_protocol", 1)
    gateway.wait_for_connections(0)


def test_first_bytes_that_come_one_by_one_are_told_apart_too(gateway):
    for name, data in OTHERS.items():
        with Device(gateway.address) as device:
            try:
                for byte in data:
                    device.send_bytes(bytes([byte]))
            except ConnectionError:
                continue  # refused before the last byte, and told by a reset
            device.expect_goaway(native.PROTOCOL_ERROR)
        assert gateway.is_running, name
    gateway.wait_for_connections(0)


def test_a_native_device_is_welcome_behind_all_of_them(gateway):
    for data in OTHERS.values():
        with Device(gateway.address) as device:
            device.send_bytes(data)
            device.expect_goaway(native.PROTOCOL_ERROR)
    with Device.login(gateway.address, "d") as device:
        assert device.is_alive()
