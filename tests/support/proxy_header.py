"""PROXY protocol headers as a balancer sends them. Source: haproxy's doc/proxy-protocol.txt."""

import ipaddress
import struct

SIGNATURE_V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source, source_port, destination="192.0.2.1", destination_port=7000):
    if ipaddress.ip_address(source).version == 6 and "." in destination:
        destination = "2001:db8::1"
    family = f"TCP{ipaddress.ip_address(source).version}"
    line = f"PROXY {family} {source} {destination} {source_port} {destination_port}\r\n"
    return line.encode()


def v2(source, source_port, destination="192.0.2.1", destination_port=7000, *, tlvs=b""):
    address = ipaddress.ip_address(source)
    if address.version == 6 and "." in destination:
        destination = "2001:db8::1"
    body = address.packed + ipaddress.ip_address(destination).packed
    body += struct.pack(">HH", source_port, destination_port) + tlvs
    family = 0x11 if address.version == 4 else 0x21
    return SIGNATURE_V2 + struct.pack(">BBH", 0x21, family, len(body)) + body


def v2_local():
    """The balancer's own connection: a health check."""
    return SIGNATURE_V2 + struct.pack(">BBH", 0x20, 0x00, 0)
