"""SIGHUP with new files, and tickets: who can resume where, and with which key."""

import os
import pathlib
import select

import pytest

from support import native
from support.crowd import Crowd
from support.device import Device, connect
from support.foreign_clients import OpensslClient
from support.tls import TlsDevice, TlsSocket, connect_within_tls
from support.waiting import slowed

pytestmark = pytest.mark.threads

VERSIONS = ("TLSv1.2", "TLSv1.3")
KEY_BYTES = 80


def serial_shown(gateway, context):
    with TlsDevice(gateway.address, context) as device:
        return device.tls.getpeercert()["serialNumber"]


def files_of(pair):
    return {"tls.cert_file": pair.cert, "tls.key_file": pair.key}


def test_a_new_certificate_is_shown_to_newcomers_and_sessions_live_on(
    tls_gateway, authority, trust
):
    context = trust()
    with (
        TlsDevice.login(tls_gateway.address, "new", context=trust(version="TLSv1.3")) as new,
        TlsDevice.login(tls_gateway.address, "old", context=trust(version="TLSv1.2")) as old,
    ):
        before = serial_shown(tls_gateway, context)
        answer = tls_gateway.reload(files_of(authority.issue_server()))
        assert answer["message"] == "settings reloaded"
        assert serial_shown(tls_gateway, context) != before
        assert new.is_alive() and old.is_alive()
        with TlsDevice.login(tls_gateway.address, "third", context=context) as third:
            assert third.is_alive()
    assert sum(tls_gateway.admin.tls()["failed"].values()) == 0


def test_a_certificate_that_was_replaced_in_its_place_is_read_again(
    start_tls_gateway, authority, tmp_path, trust
):
    """As a renewal does it: the same paths, new contents."""
    paths = [tmp_path / "server.pem", tmp_path / "server.key"]

    def put(pair):
        for path, source in zip(paths, (pair.cert, pair.key)):
            path.write_bytes(pathlib.Path(source).read_bytes())
            path.chmod(0o600)

    put(authority.issue_server())
    gateway = start_tls_gateway({"tls.cert_file": str(paths[0]), "tls.key_file": str(paths[1])})
    before = serial_shown(gateway, trust())
    put(authority.issue_server())
    assert gateway.reload({})["message"] == "settings reloaded"
    assert serial_shown(gateway, trust()) != before


def broken_files(authority, tmp_path):
    """Settings that cannot be taken on, by what is wrong, with a word of the message."""
    good = authority.issue_server()
    other = authority.issue_server()
    expired = authority.issue_server(from_days=-9, to_days=-1)
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    open_key = tmp_path / "open.key"
    open_key.write_bytes(pathlib.Path(good.key).read_bytes())
    open_key.chmod(0o644)
    return {
        "a key of another certificate": ({**files_of(good), "tls.key_file": other.key}, other.key),
        "an expired certificate": (files_of(expired), "expired"),
        "no file": ({**files_of(good), "tls.cert_file": f"{tmp_path}/none"}, f"{tmp_path}/none"),
        "no certificate": ({**files_of(good), "tls.cert_file": str(garbage)}, str(garbage)),
        "a key for all to read": (
            {**files_of(good), "tls.key_file": str(open_key)},
            str(open_key),
        ),
        "no key": ({**files_of(good), "tls.key_file": ""}, "key_file"),
    }


def test_files_that_will_not_do_change_nothing_and_are_named(
    tls_gateway, authority, server_pair, tmp_path, trust
):
    context = trust()
    before = serial_shown(tls_gateway, context)
    with TlsDevice.login(tls_gateway.address, "d", context=context) as device:
        for name, (settings, word) in broken_files(authority, tmp_path).items():
            answer = tls_gateway.reload({**settings, "heartbeat.max_s": 10})
            assert answer["message"].startswith("reload failed"), name
            assert answer["level"] == "error"
            assert word in answer["error"], f"{name}: {answer['error']}"
            assert serial_shown(tls_gateway, context) == before, name
        with TlsDevice.login(tls_gateway.address, "after", 500, context=context) as after:
            assert after.welcome.heartbeat_s == 500  # nothing of the file was taken on
        assert device.is_alive()
    mended = tls_gateway.reload({**files_of(authority.issue_server()), "heartbeat.max_s": 600})
    assert mended["message"] == "settings reloaded"
    assert serial_shown(tls_gateway, context) != before


def test_tls_can_be_switched_on_and_required_by_a_reload(start_gateway, server_pair, trust):
    gateway = start_gateway()
    with Device.login(gateway.address, "early") as early:
        assert gateway.reload(files_of(server_pair))["message"] == "settings reloaded"
        with TlsDevice.login(gateway.address, "d", context=trust()) as device:
            assert device.is_alive()
        gateway.listeners[0]["tls"] = True
        assert gateway.reload({})["message"] == "settings reloaded"
        with Device(gateway.address) as plain:
            plain.send_bytes(b"\xa0")
            plain.expect_goaway(4000)
        assert early.is_alive()
        assert gateway.admin.closed("tls_required") == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_handshake_that_has_begun_ends_by_the_files_it_began_with(
    tls_gateway, authority, trust, version
):
    context = trust(version=version)
    before = serial_shown(tls_gateway, context)
    with connect(tls_gateway.address) as raw:
        client = TlsSocket(raw, context)
        raw.sendall(client.first_flight())
        assert select.select([raw], [], [], slowed(10))[0]  # the gateway has answered
        tls_gateway.reload(files_of(authority.issue_server()))
        tls_gateway.listeners[0]["tls"] = False
        answer = tls_gateway.reload({"tls.cert_file": "", "tls.key_file": ""})
        assert answer["message"] == "settings reloaded"
        client.shake_hands()
        assert client.tls.getpeercert()["serialNumber"] == before
        device = Device.over(client)
        device.hello("d")
        assert device.is_alive()
    with Device.login(tls_gateway.address, "plain") as device:
        assert device.is_alive()


def test_reloads_under_load_lose_nobody(tls_gateway, authority, trust):
    pairs = [authority.issue_server() for _ in range(2)]
    context = trust()
    with Crowd(tls_gateway.address) as crowd:

        def connect():
            return connect_within_tls(tls_gateway.address, context)

        members = crowd.login(20, "d", 1, period_s=0.1, connect=connect)
        for number in range(20):
            answer = tls_gateway.reload(files_of(pairs[number % 2]))
            assert answer["message"] == "settings reloaded"
            members += crowd.login(2, f"d-{number}-", 1, period_s=0.1, connect=connect)
        assert all(member.is_open for member in members)
    assert sum(tls_gateway.admin.tls()["failed"].values()) == 0


# Tickets.


def session_of(gateway, context, device_id="d"):
    """A session that can be resumed: its ticket has come by the time of WELCOME."""
    with TlsDevice.login(gateway.address, device_id, context=context) as device:
        return device.tls.session


def is_resumed(gateway, context, session):
    with TlsDevice.login(gateway.address, "again", context=context, session=session) as device:
        assert device.is_alive()
        return device.tls.session_reused


@pytest.fixture
def write_keys(tmp_path):
    """write_keys(first, ...) -> the path of a file with these ticket keys, always the same."""
    path = tmp_path / "tickets.key"

    def write(*keys):
        path.touch(0o600)
        path.write_bytes(b"".join(keys))
        return str(path)

    return write


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed_within_one_process_without_any_file(tls_gateway, trust, version):
    context = trust(version=version)
    session = session_of(tls_gateway, context)
    for _ in range(5):
        with TlsDevice.login(tls_gateway.address, "d", context=context, session=session) as device:
            assert device.tls.session_reused
            session = device.tls.session
    tls = tls_gateway.admin.tls()
    assert (tls["full"], tls["resumed"]) == (1, 5)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_survives_a_reload_of_certificates(tls_gateway, authority, trust, version):
    context = trust(version=version)
    session = session_of(tls_gateway, context)
    tls_gateway.reload(files_of(authority.issue_server()))
    assert is_resumed(tls_gateway, context, session)


@pytest.mark.parametrize("version", VERSIONS)
def test_gateways_with_the_same_keys_resume_each_others_sessions(
    start_tls_gateway, write_keys, trust, version
):
    settings = {"tls.ticket_key_file": write_keys(os.urandom(KEY_BYTES))}
    first, second = start_tls_gateway(settings), start_tls_gateway(settings)
    context = trust(version=version)
    session = session_of(first, context)
    assert is_resumed(second, context, session)
    assert second.admin.tls()["resumed"] == 1
    assert second.admin.tls()["full"] == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_gateways_with_keys_of_their_own_do_not(start_tls_gateway, trust, version):
    first, second = start_tls_gateway(), start_tls_gateway()
    context = trust(version=version)
    session = session_of(first, context)
    assert not is_resumed(second, context, session)
    assert second.admin.tls()["full"] == 1
    assert sum(second.admin.tls()["failed"].values()) == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_that_stands_second_still_opens_and_one_that_is_gone_does_not(
    start_tls_gateway, write_keys, trust, version
):
    old, new, newest = (os.urandom(KEY_BYTES) for _ in range(3))
    gateway = start_tls_gateway({"tls.ticket_key_file": write_keys(old)})
    context = trust(version=version)
    session = session_of(gateway, context)

    write_keys(new, old)
    assert gateway.reload({})["message"] == "settings reloaded"
    assert is_resumed(gateway, context, session)

    write_keys(newest, new)
    assert gateway.reload({})["message"] == "settings reloaded"
    assert not is_resumed(gateway, context, session)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_that_is_resumed_by_an_old_key_gets_a_ticket_of_the_new(
    start_tls_gateway, write_keys, trust, version
):
    old, new = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
    gateway = start_tls_gateway({"tls.ticket_key_file": write_keys(old)})
    context = trust(version=version)
    session = session_of(gateway, context)
    write_keys(new, old)
    gateway.reload({})
    with TlsDevice.login(gateway.address, "d", context=context, session=session) as device:
        assert device.tls.session_reused
        renewed = device.tls.session
    write_keys(new)
    gateway.reload({})
    assert is_resumed(gateway, context, renewed)
    assert not is_resumed(gateway, context, session)


@pytest.mark.parametrize("count", [0, 79, 81, 9 * KEY_BYTES])
def test_a_file_of_another_size_changes_nothing(start_tls_gateway, write_keys, trust, count):
    gateway = start_tls_gateway({"tls.ticket_key_file": write_keys(os.urandom(KEY_BYTES))})
    context = trust()
    session = session_of(gateway, context)
    path = write_keys(os.urandom(count))
    answer = gateway.reload({})
    assert answer["message"].startswith("reload failed")
    assert path in answer["error"]
    assert is_resumed(gateway, context, session)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_that_was_tampered_with_is_passed_over(start_tls_gateway, trust, version):
    """The second gateway has a key of the same name and other secrets."""
    # Written by hand here, since both files are needed at the same time.
    context = trust(version=version)
    gateways = []
    name = os.urandom(16)
    for _ in range(2):
        gateway = start_tls_gateway()
        path = gateway.config_file.parent / "tickets.key"
        path.touch(0o600)
        path.write_bytes(name + os.urandom(64))
        assert gateway.reload({"tls.ticket_key_file": str(path)})["message"] == "settings reloaded"
        gateways.append(gateway)
    session = session_of(gateways[0], context)
    assert not is_resumed(gateways[1], context, session)


def test_a_handshake_gives_one_ticket_without_early_data(tls_gateway, authority):
    options = ("-tls1_3",)
    with OpensslClient(tls_gateway.address, authority.cert, *options, is_brief=False) as device:
        device.send(native.Hello("d"))
        tls_gateway.wait_for_sessions(1)
        told = device.read_text_until("\x80\x14")  # WELCOME, which comes behind tickets
        device.socket.sendall(b"Q")
        told += device.read_text_to_the_end()
        assert told.count("Post-Handshake New Session Ticket arrived") == 1
        assert "Max Early Data: 0\n" in told


def test_whoever_waited_while_the_certificate_was_taken_away_is_told_and_nothing_else_happens(
    start_tls_gateway, trust
):
    gateway = start_tls_gateway(listeners=[{"bind": "127.0.0.1:0"}])
    raw = connect(gateway.address)
    gateway.wait_for_stats(lambda stats: stats["connections"] == 1, what="the connection")
    answer = gateway.reload({"tls.cert_file": "", "tls.key_file": ""})
    assert answer["message"] == "settings reloaded"
    with raw, pytest.raises(OSError):
        TlsSocket(raw, trust()).shake_hands()
    gateway.wait_for_closed("unknown_protocol", 1)
    with Device.login(gateway.address, "plain") as plain:
        assert plain.is_alive()
