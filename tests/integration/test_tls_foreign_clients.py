"""Clients written by others: openssl s_client and gnutls-cli, and what only they can be made to do.

A test is at their pipes: HELLO goes into standard input, WELCOME comes out of standard output.
"""

import time

import pytest

from support import native
from support.foreign_clients import GnutlsClient, OpensslClient, has_gnutls
from support.relay import Relay
from support.tls_wire import DATA, split_records
from support.waiting import slowed, until

KEY_UPDATES_MAX = 32  # in a row, without data between

with_gnutls = pytest.mark.skipif(not has_gnutls(), reason="gnutls-cli is not installed")


def exchange(device, count=3):
    for number in range(count):
        device.ping(bytes([number]))


def test_openssl_closes_with_close_notify_and_hears_one(tls_gateway, authority):
    with OpensslClient(tls_gateway.address, authority.cert) as device:
        device.hello("d", 60)
        exchange(device)
        device.socket.sendall(b"Q")
        assert device.wait() == 0
    stats = tls_gateway.wait_for_closed("peer_closed", 1)
    assert stats["tls"]["truncated"] == 0


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_sees_a_clean_end_behind_goaway(tls_gateway, authority, version):
    with OpensslClient(tls_gateway.address, authority.cert, version) as device:
        device.hello("d", 60)
        device.send_bytes(b"\x90\x00")
        device.expect_goaway(native.PROTOCOL_ERROR)
        assert device.wait() == 0
        assert "error" not in device.notes.lower()


# Renegotiation.


def test_a_renegotiation_of_tls_1_2_is_refused(tls_gateway, authority):
    options = ("-tls1_2",)
    with OpensslClient(tls_gateway.address, authority.cert, *options) as device:
        device.hello("d", 60)
        exchange(device)
        device.command(b"R", "RENEGOTIATING")
        device.expect_end()
        device.wait_for_note("no renegotiation")
    stats = tls_gateway.wait_for_closed("tls_bad_record", 1)
    assert stats["tls"]["full"] == 1
    assert sum(stats["tls"]["failed"].values()) == 0
    tls_gateway.wait_for_connections(0)


# KeyUpdate.


def test_keys_are_changed_when_the_client_wishes(tls_gateway, authority):
    """k changes the client's own keys, K asks for the gateway's too."""
    with OpensslClient(tls_gateway.address, authority.cert, "-tls1_3") as device:
        device.hello("d", 60)
        for count, letter in enumerate(b"kKkKKKkk", start=1):
            device.command(bytes([letter]), "KEYUPDATE", count)
            exchange(device)
        device.send(native.Message("t", b"x" * 60_000, ack_id=1))
        assert device.receive() == native.Ack(1, native.ACK_UNAVAILABLE)


@pytest.mark.parametrize("letter", [b"k", b"K"])
def test_key_updates_without_end_and_data_are_no_way_to_live(tls_gateway, authority, letter):
    with OpensslClient(tls_gateway.address, authority.cert, "-tls1_3") as device:
        device.hello("d", 60)
        for count in range(1, KEY_UPDATES_MAX + 1):
            device.command(letter, "KEYUPDATE", count)
        exchange(device)  # data between: from here they count anew
        for count in range(KEY_UPDATES_MAX + 1, 2 * KEY_UPDATES_MAX + 2):
            device.command(letter, "KEYUPDATE", count)
        device.expect_end()
    tls_gateway.wait_for_closed("tls_bad_record", 1)
    tls_gateway.wait_for_connections(0)


def test_a_key_update_is_no_heartbeat(start_tls_gateway, authority):
    gateway = start_tls_gateway({"heartbeat.misses": 2})
    with OpensslClient(gateway.address, authority.cert, "-tls1_3") as device:
        device.hello("d", 1)
        started_s = time.monotonic()
        for count in range(1, 7):
            device.command(b"k", "KEYUPDATE", count)
            until(started_s + 0.25 * count)
        device.expect_goaway(native.HEARTBEAT_TIMEOUT)
        # Not two seconds after the last of them.
        assert device.closed_s - started_s <= 2 + slowed(1)
    gateway.wait_for_closed("heartbeat_timeout", 1)


@with_gnutls
def test_gnutls_changes_keys(tls_gateway, authority, tmp_path):
    options = ("--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3", "--inline-commands")
    with GnutlsClient(tls_gateway.address, authority.cert, tmp_path, *options) as device:
        device.hello("d", 60, attributes={"colour": "blue\n"})
        for command in (b"^rekey1^\n", b"^rekey^\n", b"^rekey^\n"):
            device.send_alone(command)
            for echo in (b"one\n", b"two\n"):
                device.ping(echo)


# The size of records.


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("size", [512, 1024, 4096])
def test_records_are_as_short_as_the_client_wishes(tls_gateway, authority, version, size):
    """The extension max_fragment_length: RFC 6066, 4."""
    with Relay(tls_gateway.address) as relay:
        options = (version, "-maxfraglen", str(size))
        with OpensslClient(relay.address, authority.cert, *options) as device:
            device.hello("d", 60)
            start = len(relay.from_server)
            device.send_bytes(native.Ping(b"0123456789abcdef").encode() * 1000)
            for _ in range(1000):
                device.expect(native.Pong)
            records = split_records(bytes(relay.from_server[start:]))
        overhead = 8 + 16 + 1
        assert len(records) >= 18_000 // size
        assert {kind for kind, _body in records} == {DATA}
        assert max(len(body) for _kind, body in records) <= size + overhead


def test_frames_of_one_moment_share_a_record(tls_gateway, authority):
    with Relay(tls_gateway.address) as relay:
        with OpensslClient(relay.address, authority.cert) as device:
            device.hello("d", 60)
            start = len(relay.from_server)
            device.send_bytes(native.Ping(b"x").encode() * 100)
            for _ in range(100):
                device.expect(native.Pong)
            assert len(split_records(bytes(relay.from_server[start:]))) <= 3


# GnuTLS.

PRIORITIES = {
    "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3",
    "1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2",
    "1.3, AES-256": "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM",
    "1.3, ChaCha20": "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305",
    "1.2, AES-128": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM",
    "1.2, ChaCha20": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305",
    "P-256": "NORMAL:-GROUP-ALL:+GROUP-SECP256R1",
}


@with_gnutls
@pytest.mark.parametrize("name", PRIORITIES)
def test_gnutls_is_served(tls_gateway, authority, tmp_path, name):
    options = ("--priority", PRIORITIES[name])
    with GnutlsClient(tls_gateway.address, authority.cert, tmp_path, *options) as device:
        device.hello("d", 60)
        exchange(device)
        version = "TLSv1.2" if name.startswith("1.2") else "TLSv1.3"
        if not name.startswith("P"):
            assert tls_gateway.admin.session("d")["tls"] == version
        device.send(native.Message("t", b"x" * 60_000, ack_id=1))
        assert device.receive() == native.Ack(1, native.ACK_UNAVAILABLE)
        device.send_bytes(b"\x90\x00")
        device.expect_goaway(native.PROTOCOL_ERROR)
        assert device.wait() == 0, device.notes


@with_gnutls
def test_gnutls_resumes(tls_gateway, authority, tmp_path):
    options = ("--resume", "--waitresumption")
    with GnutlsClient(tls_gateway.address, authority.cert, tmp_path, *options) as device:
        tls_gateway.wait_for_stats(lambda stats: stats["tls"]["resumed"] == 1)
        device.hello("d", 60)
        exchange(device)


@with_gnutls
@pytest.mark.parametrize("priority", ["NORMAL:-KX-ALL:+RSA:-VERS-ALL:+VERS-TLS1.2",
                                      "NORMAL:-KX-ALL:+DHE-RSA:-VERS-ALL:+VERS-TLS1.2",
                                      "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-CCM"])
def test_gnutls_with_weak_choices_alone_is_refused(tls_gateway, authority, tmp_path, priority):
    options = ("--priority", priority)
    with GnutlsClient(tls_gateway.address, authority.cert, tmp_path, *options) as device:
        assert device.wait() != 0
    tls_gateway.wait_for_tls_failed("cipher", 1)
