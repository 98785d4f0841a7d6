"""Devices within TLS: versions, ciphers, kinds of certificates and of listeners."""

import re

import pytest

from support import native, proxy_header
from support.crowd import Crowd
from support.device import Device
from support.foreign_clients import OpensslClient
from support.tls import TlsDevice, connect_within_tls, single_bytes
from support.tls_wire import SUITES_1_3

pytestmark = pytest.mark.threads

# OpenSSL's names, less the kind of certificate.
SUITES_1_2 = ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
CIPHERS = [
    *(("TLSv1.3", suite) for suite in SUITES_1_3),
    *(("TLSv1.2", suite) for suite in SUITES_1_2),
]
VERSIONS = ("TLSv1.2", "TLSv1.3")


@pytest.fixture(scope="module")
def rsa_pair(authority):
    return authority.issue_server(kind="rsa")


@pytest.fixture
def both_kinds(start_tls_gateway, server_pair, rsa_pair):
    """A gateway with a listener for each kind of certificate: ECDSA, RSA."""
    listeners = [
        {"bind": "127.0.0.1:0", "tls": True, "cert_file": pair.cert, "key_file": pair.key}
        for pair in (server_pair, rsa_pair)
    ]
    return start_tls_gateway(listeners=listeners)


def cipher_options(version, suite, kind):
    if version == "TLSv1.3":
        return ["-tls1_3", "-ciphersuites", suite]
    return ["-tls1_2", "-cipher", f"ECDHE-{kind}-{suite}"]


@pytest.mark.parametrize(("index", "kind"), [(0, "ECDSA"), (1, "RSA")])
def test_every_cipher_carries_a_session(both_kinds, authority, index, kind):
    gateway = both_kinds
    for number, (version, suite) in enumerate(CIPHERS, start=1):
        options = cipher_options(version, suite, kind)
        with OpensslClient(gateway.addresses[index], authority.cert, *options) as device:
            device.hello("d", 60)
            assert [device.ping(bytes([n])).echo for n in range(3)] == [b"\0", b"\1", b"\2"]
            session = gateway.admin.session("d")
            assert (session["tls"], session["listener"]) == (version, index)
            device.wait_for_note(f"Protocol version: {version}\n")
            wanted = suite if version == "TLSv1.3" else f"ECDHE-{kind}-{suite}"
            device.wait_for_note(f"Ciphersuite: {wanted}\n")
        tls = gateway.admin.tls()
        assert (tls["full"], tls["resumed"]) == (number, 0)


# In TLS 1.2 the curve of the certificate has to be among the client's groups (RFC 8422, 5.1).
@pytest.mark.parametrize(
    ("version", "groups", "key"),
    [
        ("-tls1_3", "X25519", "X25519, 253 bits"),
        ("-tls1_3", "P-256", "ECDH, prime256v1, 256 bits"),
        ("-tls1_2", "P-256:X25519", "X25519, 253 bits"),
        ("-tls1_2", "P-256", "ECDH, prime256v1, 256 bits"),
    ],
)
def test_each_group_serves(tls_gateway, authority, version, groups, key):
    with OpensslClient(tls_gateway.address, authority.cert, version, "-groups", groups) as device:
        device.hello("d")
        device.wait_for_note(f"Server Temp Key: {key}")


def test_a_client_whose_first_key_share_is_of_no_use_is_asked_for_another(tls_gateway, authority):
    """HelloRetryRequest: RFC 8446, 4.1.4."""
    options = ("-tls1_3", "-groups", "P-384:P-256")
    with OpensslClient(tls_gateway.address, authority.cert, *options) as device:
        device.hello("d")
        assert device.is_alive()


def test_a_client_that_puts_chacha_first_gets_it(tls_gateway, authority):
    suites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
    with OpensslClient(tls_gateway.address, authority.cert, "-ciphersuites", suites) as device:
        device.hello("d")
        device.wait_for_note("Ciphersuite: TLS_CHACHA20_POLY1305_SHA256")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_connection_is_counted_while_it_lasts(tls_gateway, trust, version):
    context = trust(version=version)
    with TlsDevice.login(tls_gateway.address, "d", context=context) as device:
        stats = tls_gateway.wait_for_sessions(1)
        assert stats["connections"] == 1
        tls = stats["tls"]
        assert (tls["connections"], tls["full"], tls["resumed"]) == (1, 1, 0)
        assert (tls["handshakes_in_progress"], tls["handshakes_waiting"]) == (0, 0)
        assert set(tls["failed"].values()) == {0}
        assert device.is_alive()
    stats = tls_gateway.wait_for_connections(0)
    assert stats["tls"]["connections"] == 0


def metric(gateway, name, **labels):
    """The value of a metric with exactly these labels."""
    for line in gateway.admin.get("/metrics").body.decode().splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found.group(1) == name:
            if dict(re.findall(r'(\w+)="([^"]*)"', found.group(2) or "")) == labels:
                return float(found.group(3))
    raise AssertionError(f"no metric {name} {labels}")


def test_metrics_agree_with_what_happened(tls_gateway, trust, server_pair):
    with (
        TlsDevice.login(tls_gateway.address, "a", context=trust(version="TLSv1.2")),
        TlsDevice.login(tls_gateway.address, "b", context=trust(version="TLSv1.3")),
    ):
        handshakes = "holdfast_tls_handshakes_total"
        for version in ("1.2", "1.3"):
            assert metric(tls_gateway, handshakes, version=version, resumed="false") == 1
            assert metric(tls_gateway, handshakes, version=version, resumed="true") == 0
        text = tls_gateway.admin.get("/metrics").body.decode()
        connections = re.findall(r"^holdfast_tls_connections\S* (\d+)$", text, re.MULTILINE)
        assert sum(map(int, connections)) == 2
        for reason in tls_gateway.admin.tls()["failed"]:
            failed = "holdfast_tls_handshakes_failed_total"
            assert metric(tls_gateway, failed, reason=reason) == 0
        expiry = "holdfast_tls_certificate_expiry_seconds"
        assert metric(tls_gateway, expiry, file=server_pair.cert, names="localhost") > 1.7e9
        for who in ("in_loop", "on_threads"):
            name = f"holdfast_tls_steps_{who}_total"
            steps = re.findall(rf"^{name}\S* (\d+)$", text, re.MULTILINE)
            assert sum(map(int, steps)) == tls_gateway.admin.tls()[f"steps_{who}"]


def test_the_time_of_the_threads_is_told(start_tls_gateway, trust):
    gateway = start_tls_gateway({"tls.idle_steps": 0})
    with TlsDevice.login(gateway.address, "d", context=trust()):
        assert metric(gateway, "holdfast_tls_handshake_cpu_seconds_total", thread="0") > 0


# Listeners.


def test_plain_and_tls_devices_share_a_listener_with_a_certificate(start_tls_gateway, trust):
    gateway = start_tls_gateway(listeners=[{"bind": "127.0.0.1:0"}])
    with (
        Device.login(gateway.address, "plain") as plain,
        TlsDevice.login(gateway.address, "new", context=trust(version="TLSv1.3")) as new,
        TlsDevice.login(gateway.address, "old", context=trust(version="TLSv1.2")) as old,
    ):
        assert all(device.is_alive() for device in (plain, new, old))
        versions = {name: gateway.admin.session(name)["tls"] for name in ("plain", "new", "old")}
        assert versions == {"plain": None, "new": "TLSv1.3", "old": "TLSv1.2"}
        assert gateway.admin.tls()["connections"] == 2


def test_tls_is_told_from_plain_when_bytes_come_one_by_one(start_tls_gateway, trust):
    gateway = start_tls_gateway(listeners=[{"bind": "127.0.0.1:0"}])
    with Device(gateway.address) as plain:
        for byte in native.Hello("plain").encode():
            plain.send_bytes(bytes([byte]))
        plain.expect(native.Welcome)
    with TlsDevice.login(gateway.address, "d", context=trust(), cut=single_bytes) as device:
        assert device.is_alive()


def test_each_listener_has_tls_of_its_own(start_tls_gateway, trust):
    listeners = [{"bind": "127.0.0.1:0", "tls": True}, {"bind": "127.0.0.1:0"}]
    gateway = start_tls_gateway(listeners=listeners)
    with Device(gateway.addresses[0]) as device:
        device.send(native.Hello("d"))
        device.expect_goaway(native.PROTOCOL_ERROR)
    with Device.login(gateway.addresses[1], "d") as device:
        assert device.is_alive()
    for address in gateway.addresses:
        with TlsDevice.login(address, "d", context=trust()) as device:
            assert device.is_alive()


def test_without_a_certificate_there_is_no_tls(gateway):
    with Device(gateway.address) as device:
        device.send_bytes(b"\x16\x03\x01\x00\xc8" + bytes(64))
        device.expect_goaway(native.PROTOCOL_ERROR)
    assert gateway.admin.closed("unknown_protocol") == 1
    assert set(gateway.admin.tls()["failed"].values()) == {0}


HEADERS = {
    "version 1": proxy_header.v1("192.0.2.55", 4711),
    "version 2": proxy_header.v2("192.0.2.55", 4711),
}


@pytest.mark.parametrize("is_required", [True, False])
@pytest.mark.parametrize("name", HEADERS)
def test_a_proxy_header_stands_before_the_handshake(start_tls_gateway, trust, name, is_required):
    listener = {"bind": "127.0.0.1:0", "tls": is_required, "proxy_protocol": True}
    gateway = start_tls_gateway(listeners=[listener])
    context, header = trust(), HEADERS[name]
    with TlsDevice.login(gateway.address, "d", context=context, before_tls=header) as device:
        assert gateway.admin.session("d")["peer"] == "192.0.2.55:4711"
        assert gateway.admin.session("d")["tls"] == "TLSv1.3"
        assert device.is_alive()
    with Device(gateway.address, before_hello=header) as device:
        device.send(native.Hello("plain"))
        if is_required:
            device.expect_goaway(native.PROTOCOL_ERROR)
        else:
            device.expect(native.Welcome)


@pytest.mark.parametrize("name", HEADERS)
def test_a_proxy_header_may_share_a_segment_with_the_client_hello(start_tls_gateway, trust, name):
    listener = {"bind": "127.0.0.1:0", "tls": True, "proxy_protocol": True}
    gateway = start_tls_gateway(listeners=[listener])
    first = [HEADERS[name]]

    def cut(data):
        return [first.pop() + data] if first else [data]

    with TlsDevice.login(gateway.address, "d", context=trust(), cut=cut) as device:
        assert gateway.admin.session("d")["peer"] == "192.0.2.55:4711"
        assert device.is_alive()


def test_a_header_within_tls_is_no_header(start_tls_gateway, trust):
    listener = {"bind": "127.0.0.1:0", "tls": True, "proxy_protocol": True}
    gateway = start_tls_gateway(listeners=[listener])
    with Device(gateway.address) as device:
        device.send_bytes(b"\x16\x03\x01\x00\xc8" + bytes(200))
        device.expect_end()
    gateway.wait_for_closed("bad_proxy_header", 1)


# Many.


@pytest.mark.parametrize("version", VERSIONS)
def test_a_crowd_lives_within_tls(start_tls_gateway, trust, version):
    gateway = start_tls_gateway({"loops.count": 2})
    context = trust(version=version)
    with Crowd(gateway.address) as crowd:

        def connect():
            return connect_within_tls(gateway.address, context)

        members = crowd.login(100, "d", 1, connect=connect)
        crowd.wait(lambda: all(member.pongs >= 2 for member in members), 10, "two PONGs for each")
        assert all(member.is_open for member in members)
        tls = gateway.admin.tls()
        assert (tls["connections"], tls["full"]) == (100, 100)
        loops = gateway.admin.stats()["loops"]
        assert all(loop["sessions"] > 0 for loop in loops)
        crowd.leave(members)
        gateway.wait_for_connections(0)
        assert gateway.admin.tls()["connections"] == 0
