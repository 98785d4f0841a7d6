"""What is not spoken: old versions, weak ciphers, messages that may not be. Each is counted."""

import ssl
import struct

import pytest

from support import native, tls_wire
from support.crowd import Crowd
from support.tls import TlsDevice, connect_within_tls
from support.tls_wire import ClientHello, alert_of, answer_to, tls13_hello

GOOD_1_2 = 0xC02B  # ECDHE-ECDSA-AES128-GCM-SHA256

# What a client of TLS 1.2 may offer and does not get. Source: IANA, "TLS Cipher Suites".
SUITES_1_2 = {
    "no suite that exists": 0xFEFE,
    "null": 0x0002,
    "null, SHA-256": 0x003B,
    "export RC4": 0x0003,
    "RC4, RSA key exchange": 0x0005,
    "RC4, ECDHE": 0xC011,
    "3DES, RSA key exchange": 0x000A,
    "3DES, ECDHE": 0xC012,
    "RSA key exchange, CBC": 0x002F,
    "RSA key exchange, CBC, SHA-256": 0x003C,
    "RSA key exchange, GCM": 0x009C,
    "RSA key exchange, CCM": 0xC09C,
    "ECDHE-ECDSA, CBC": 0xC009,
    "ECDHE-ECDSA, CBC, SHA-256": 0xC023,
    "ECDHE-ECDSA, CBC, SHA-384": 0xC024,
    "ECDHE-RSA, CBC": 0xC013,
    "ECDHE-ECDSA, CCM": 0xC0AC,
    "ECDHE-ECDSA, CCM-8": 0xC0AE,
    "ECDHE-ECDSA, Camellia": 0xC072,
    "ECDHE-ECDSA, ARIA": 0xC05C,
    "ECDH-ECDSA, GCM": 0xC02D,
    "DHE, GCM": 0x009E,
    "DHE, ChaCha20": 0xCCAA,
    "DHE, CBC": 0x0033,
    "anonymous DH": 0x0034,
    "anonymous DH, GCM": 0x00A6,
    "anonymous ECDH": 0xC018,
    "PSK": 0x00A8,
    "ECDHE-PSK": 0xD001,
    "SRP": 0xC01D,
    "Kerberos": 0x001E,
}


def hello_1_2(**changes):
    return ClientHello(**{"suites": (GOOD_1_2,)} | changes).encode()


# name -> (bytes, alert, how it is counted)
OFFERS = {
    # Whose alerts know no protocol_version.
    "SSL 3.0": (hello_1_2(version=tls_wire.SSL_3), tls_wire.HANDSHAKE_FAILURE, "version"),
    "TLS 1.0": (hello_1_2(version=tls_wire.TLS_1_0), tls_wire.PROTOCOL_VERSION, "version"),
    "TLS 1.1": (hello_1_2(version=tls_wire.TLS_1_1), tls_wire.PROTOCOL_VERSION, "version"),
    "TLS 1.1 in the extension": (
        tls13_hello(versions=(tls_wire.TLS_1_1, tls_wire.TLS_1_0)),
        tls_wire.PROTOCOL_VERSION,
        "version",
    ),
    "a draft of TLS 1.3": (tls13_hello(versions=(0x7F1C,)), tls_wire.PROTOCOL_VERSION, "version"),
    "a version of the future alone": (
        tls13_hello(versions=(0x0305,)),
        tls_wire.PROTOCOL_VERSION,
        "version",
    ),
    "1.3 with CCM": (tls13_hello(suites=(0x1304, 0x1305)), tls_wire.HANDSHAKE_FAILURE, "cipher"),
    "1.3 with suites of 1.2": (
        tls13_hello(suites=(GOOD_1_2,)),
        tls_wire.HANDSHAKE_FAILURE,
        "cipher",
    ),
    "1.3 with the group P-384": (
        tls13_hello(groups=(tls_wire.P_384,), shares=((tls_wire.P_384, 97),)),
        tls_wire.HANDSHAKE_FAILURE,
        "cipher",
    ),
    "1.3 with finite fields": (
        tls13_hello(groups=(tls_wire.FFDHE_2048,), shares=((tls_wire.FFDHE_2048, 256),)),
        tls_wire.HANDSHAKE_FAILURE,
        "cipher",
    ),
    "1.2 with the group P-521": (
        hello_1_2(groups=(tls_wire.P_521,)),
        tls_wire.HANDSHAKE_FAILURE,
        "cipher",
    ),
    "a fall back that was not needed": (
        hello_1_2(suites=(GOOD_1_2, 0x5600)),  # TLS_FALLBACK_SCSV, RFC 7507
        tls_wire.INAPPROPRIATE_FALLBACK,
        "cipher",
    ),
    "another protocol": (
        tls13_hello(alpn=("h2",)),
        tls_wire.NO_APPLICATION_PROTOCOL,
        "alpn",
    ),
} | {
    f"1.2 with {name}": (
        hello_1_2(suites=(number,)),
        tls_wire.HANDSHAKE_FAILURE,
        "cipher",
    )
    for name, number in SUITES_1_2.items()
}


def test_each_offer_is_answered_by_its_alert_and_counted_and_nobody_is_disturbed(
    tls_gateway, trust
):
    counts = dict.fromkeys(tls_gateway.admin.tls()["failed"], 0)
    with Crowd(tls_gateway.address) as crowd:
        context = trust()

        def connect():
            return connect_within_tls(tls_gateway.address, context)

        neighbours = crowd.login(10, "neighbour", 1, period_s=0.1, connect=connect)
        told = {name: alert_of(answer_to(tls_gateway.address, OFFERS[name][0])) for name in OFFERS}
        assert told == {name: alert for name, (_hello, alert, _failure) in OFFERS.items()}
        for _hello, _alert, failure in OFFERS.values():
            counts[failure] += 1
        tls_gateway.wait_for_closed("tls_failed", len(OFFERS))
        assert tls_gateway.admin.tls()["failed"] == counts
        assert all(member.is_open for member in neighbours)


def test_what_is_good_about_these_offers_would_be_answered(tls_gateway):
    """The hand-made ClientHello itself is in order: nothing else is why the others fail."""
    for hello in (hello_1_2(), tls13_hello()):
        with tls_wire.connect(tls_gateway.address) as connection:
            connection.sendall(hello)
            first = connection.recv(65536)
            assert first[0] == tls_wire.HANDSHAKE
            assert first[5] == 2  # ServerHello


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_a_real_client_of_an_old_version_is_refused(tls_gateway, trust, version):
    context = trust(ciphers="ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError) as failed:
        TlsDevice(tls_gateway.address, context)
    assert "PROTOCOL_VERSION" in str(failed.value)
    tls_gateway.wait_for_tls_failed("version", 1)


@pytest.mark.parametrize(
    "ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-AES128-CCM", "ADH-AES128-SHA256"]
)
def test_a_real_client_of_weak_ciphers_alone_is_refused(tls_gateway, trust, ciphers):
    context = trust(version="TLSv1.2", ciphers=f"{ciphers}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError) as failed:
        TlsDevice(tls_gateway.address, context)
    assert "HANDSHAKE_FAILURE" in str(failed.value)
    tls_gateway.wait_for_tls_failed("cipher", 1)


# Messages that may not be.


def message(kind, body):
    return struct.pack(">B", kind) + struct.pack(">I", len(body))[1:] + body


def handshake(kind, body=b""):
    return tls_wire.record(tls_wire.HANDSHAKE, message(kind, body), tls_wire.TLS_1_0)


GOOD_HELLO = tls13_hello()

GARBAGE = {
    "zeros in a record": tls_wire.record(tls_wire.HANDSHAKE, bytes(512)),
    "noise in a record": tls_wire.record(tls_wire.HANDSHAKE, bytes(range(256)) * 4),
    "an empty ClientHello": handshake(1),
    "a ClientHello cut short": tls_wire.record(
        tls_wire.HANDSHAKE, message(1, GOOD_HELLO[9:-20]), tls_wire.TLS_1_0
    ),
    "a ServerHello": handshake(2, GOOD_HELLO[9:]),
    "Finished first": handshake(20, bytes(32)),
    "KeyUpdate first": handshake(24, b"\0"),
    "a message of 16 MB announced": tls_wire.record(
        tls_wire.HANDSHAKE, b"\x01\xff\xff\xff" + bytes(64)
    ),
    "no compression that exists": hello_1_2(compressions=b"\x01"),
    "the same extension twice": hello_1_2(extensions=2 * tls_wire.extension(0xFF01, b"\0")),
    "half an extension": hello_1_2(extensions=b"\xff\x01"),
    "an extension beyond its end": hello_1_2(extensions=b"\xff\x01\xff\xff\0"),
    "a record above the limit": struct.pack(">BHH", 22, 0x0301, 18433) + bytes(64),
    "a record of 64 KiB": struct.pack(">BHH", 22, 0x0301, 65535) + bytes(64),
    "an empty record": tls_wire.record(tls_wire.HANDSHAKE, b"") * 64,
    "data behind the ClientHello": GOOD_HELLO + tls_wire.record(tls_wire.DATA, b"hello" * 20),
    "plain text behind the ClientHello": GOOD_HELLO + native.Hello("d").encode() * 10,
    "a second ClientHello": GOOD_HELLO * 2,
}


def test_messages_that_may_not_be_end_the_connection_and_are_counted(tls_gateway, trust):
    with TlsDevice.login(tls_gateway.address, "neighbour", context=trust()) as neighbour:
        for count, (name, data) in enumerate(GARBAGE.items(), start=1):
            try:
                told = answer_to(tls_gateway.address, data)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None
            assert b"\xa0" != told[:1], name
            tls_gateway.wait_for_closed("tls_failed", count)
            assert neighbour.is_alive(), name
        failed = tls_gateway.admin.tls()["failed"]
        assert failed["protocol_error"] == sum(failed.values()) == len(GARBAGE), failed
        tls_gateway.wait_for_connections(1)


def test_every_byte_of_a_client_hello_may_be_wrong_and_nothing_breaks(start_tls_gateway, trust):
    """Each ends by an alert, by a close, or is answered: what follows then never comes."""
    timeout_ms = 60_000
    gateway = start_tls_gateway({"tls.handshake_timeout_ms": timeout_ms})
    hello = tls13_hello(alpn=("holdfast/1",))
    for at in range(len(hello)):
        for change in (0x01, 0xFF):
            wrong = bytearray(hello)
            wrong[at] ^= change
            with tls_wire.connect(gateway.address) as connection:
                connection.sendall(bytes(wrong))
    with TlsDevice.login(gateway.address, "d", context=trust()) as device:
        assert device.is_alive()
        stats = gateway.wait_for_connections(1)
        assert stats["tls"]["failed"]["internal"] == 0
        assert stats["tls"]["handshakes_in_progress"] == 0
        assert sum(stats["closed"].values()) == 2 * len(hello)


def test_a_client_that_ends_its_side_in_the_middle_is_let_go(tls_gateway):
    for data in (b"", b"\x16", b"\x16\x03\x01", GOOD_HELLO[:50], GOOD_HELLO[:-1], GOOD_HELLO):
        with tls_wire.connect(tls_gateway.address) as connection:
            connection.sendall(data)
            connection.shutdown(1)
            tls_wire.read_to_the_end(connection)
    tls_gateway.wait_for_connections(0)
    stats = tls_gateway.admin.stats()
    # Those that never showed that they speak TLS are no handshakes.
    assert stats["tls"]["failed"]["peer_closed"] == 4
    assert stats["closed"]["peer_closed"] == 6
    assert stats["tls"]["truncated"] == 0
