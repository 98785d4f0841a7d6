"""Devices that show certificates, and come in under the ids that these name."""

import pytest

from support import native
from support.certificates import Authority, with_chain
from support.tls import TlsDevice, refusal

VERSIONS = ("TLSv1.2", "TLSv1.3")

pytestmark = pytest.mark.threads


@pytest.fixture(scope="module")
def pairs(authority, tmp_path_factory):
    """Certificates of devices, by what is particular about them."""
    stranger = Authority(tmp_path_factory.mktemp("stranger"), "Somebody else")
    middle = Authority(tmp_path_factory.mktemp("middle"), "Devices", issuer=authority)
    return {
        "d1": authority.issue_device("d1"),
        "rsa": authority.issue_device("d1", kind="rsa"),
        "dns": authority.issue(dns=["d-dns"], usage="clientAuth"),
        "uri": authority.issue(uri=["urn:dev:x1"], usage="clientAuth"),
        "both": authority.issue(cn="d-cn", dns=["d-san", "d-other"], usage="clientAuth"),
        "any usage": authority.issue(cn="d1"),
        "middle": with_chain(middle.issue_device("d1"), middle),
        "no names": authority.issue(usage="clientAuth"),
        "foreign": stranger.issue_device("d1"),
        "expired": authority.issue_device("d1", from_days=-9, to_days=-1),
        "not yet": authority.issue_device("d1", from_days=1, to_days=9),
        "server's": authority.issue(cn="d1", usage="serverAuth"),
    }


@pytest.fixture
def start(start_tls_gateway, authority):
    """start(client_auth, ...) -> a gateway that asks for certificates of the authority."""

    def start(client_auth="required", **more):
        settings = {"tls.client_auth": client_auth, "tls.client_ca_file": authority.cert}
        listener = {"bind": "127.0.0.1:0", "tls": True}
        return start_tls_gateway(settings | more, listeners=[listener])

    return start


def come_in(gateway, trust, pair, device_id, version="TLSv1.3"):
    """True when the device is welcome, False when it is told that it is not who it says."""
    with TlsDevice(gateway.address, trust(pair=pair, version=version)) as device:
        device.send(native.Hello(device_id))
        frame = device.receive()
        if isinstance(frame, native.Welcome):
            assert gateway.admin.session(device_id)["tls"] == version
            return True
        assert isinstance(frame, native.Goaway) and frame.code == native.UNAUTHORIZED, frame
        device.expect_close_notify()
        return False


GOOD = ("d1", "rsa", "any usage", "middle")
BAD = {
    "foreign": "UNKNOWN_CA",
    "expired": "CERTIFICATE_EXPIRED",
    "not yet": "BAD_CERTIFICATE",
    "server's": "UNSUPPORTED_CERTIFICATE",
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client_auth", ["optional", "required"])
def test_good_certificates_come_in_and_bad_ones_do_not(start, trust, pairs, client_auth, version):
    gateway = start(client_auth)
    for name in GOOD:
        assert come_in(gateway, trust, pairs[name], "d1", version), name
    for count, (name, alert) in enumerate(BAD.items(), start=1):
        told = refusal(gateway.address, trust(pair=pairs[name], version=version))
        assert alert in told, f"{name}: {told}"
        gateway.wait_for_tls_failed("bad_certificate", count)
    tls = gateway.admin.tls()
    assert tls["full"] == len(GOOD)
    assert sum(tls["failed"].values()) == len(BAD)
    gateway.wait_for_closed("tls_failed", len(BAD))
    gateway.wait_for_connections(0)


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_certificate_one_comes_in_unless_it_is_required(start, trust, version):
    for client_auth in ("off", "optional"):
        gateway = start(client_auth)
        with TlsDevice.login(gateway.address, "any", context=trust(version=version)) as device:
            assert device.is_alive()
    gateway = start("required")
    told = refusal(gateway.address, trust(version=version))
    # TLS 1.2 has no alert of this name.
    assert ("CERTIFICATE_REQUIRED" if version == "TLSv1.3" else "HANDSHAKE_FAILURE") in told
    gateway.wait_for_tls_failed("no_certificate", 1)
    gateway.wait_for_closed("tls_failed", 1)
    gateway.wait_for_connections(0)


def test_a_certificate_that_nobody_asks_for_is_passed_over(start, trust, pairs):
    gateway = start("off")
    for name in ("d1", "foreign", "expired"):
        assert come_in(gateway, trust, pairs[name], "somebody")


# Which ids a certificate lets in: setting -> {(certificate, id): is it welcome}.
IDS = {
    "any": {
        ("d1", "d1"): True,
        ("d1", "d2"): False,
        ("d1", "D1"): False,
        ("d1", "d"): False,
        ("d1", "d11"): False,
        ("dns", "d-dns"): True,
        ("uri", "urn:dev:x1"): True,
        ("both", "d-cn"): True,
        ("both", "d-san"): True,
        ("both", "d-other"): True,
        ("both", "d1"): False,
        ("no names", "d1"): False,
    },
    "cn": {
        ("d1", "d1"): True,
        ("both", "d-cn"): True,
        ("both", "d-san"): False,
        ("dns", "d-dns"): False,
    },
    "san": {
        ("both", "d-san"): True,
        ("both", "d-other"): True,
        ("both", "d-cn"): False,
        ("d1", "d1"): False,
        ("dns", "d-dns"): True,
        ("uri", "urn:dev:x1"): True,
    },
    "none": {
        ("d1", "d2"): True,
        ("both", "anything"): True,
        ("no names", "d1"): True,
    },
}


@pytest.mark.parametrize("source", IDS)
def test_a_device_comes_in_under_the_ids_of_its_certificate_only(start, trust, pairs, source):
    gateway = start("required", **{"tls.device_id_from": source})
    cases = IDS[source]
    outcome = {case: come_in(gateway, trust, pairs[case[0]], case[1]) for case in cases}
    assert outcome == cases
    assert gateway.admin.closed("unauthorized") == list(cases.values()).count(False)
    gateway.wait_for_connections(0)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_default_is_any_name(start, trust, pairs, version):
    gateway = start("optional")
    assert come_in(gateway, trust, pairs["both"], "d-san", version)
    assert come_in(gateway, trust, pairs["both"], "d-cn", version)
    assert not come_in(gateway, trust, pairs["both"], "d1", version)


def test_who_is_not_welcome_takes_nothing_over(start, trust, pairs):
    gateway = start("required")
    with TlsDevice.login(gateway.address, "d1", context=trust(pair=pairs["d1"])) as owner:
        assert not come_in(gateway, trust, pairs["dns"], "d1")
        assert owner.is_alive()
        assert gateway.admin.closed("taken_over") == 0


# Resumed sessions bring their certificate along.


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_session_is_held_to_its_certificate(start, trust, pairs, version):
    gateway = start("required")
    context = trust(pair=pairs["d1"], version=version)
    with TlsDevice.login(gateway.address, "d1", context=context) as device:
        session = device.tls.session
    for device_id, is_welcome in (("d1", True), ("d2", False)):
        with TlsDevice(gateway.address, context, session=session) as device:
            assert device.tls.session_reused
            device.send(native.Hello(device_id))
            if is_welcome:
                device.expect(native.Welcome)
                session = device.tls.session
            else:
                device.expect_goaway(native.UNAUTHORIZED)
    assert gateway.admin.tls()["resumed"] == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_does_not_help_into_a_stricter_gateway(
    start, trust, pairs, authority, tmp_path, version
):
    """The authority changes by a reload: who was let in by the old one has to show another."""
    gateway = start("required")
    context = trust(pair=pairs["d1"], version=version)
    with TlsDevice.login(gateway.address, "d1", context=context) as device:
        session = device.tls.session
    other = Authority(tmp_path / "other", "Another authority of devices")
    answer = gateway.reload({"tls.client_ca_file": other.cert})
    assert answer["message"] == "settings reloaded"
    assert refusal(gateway.address, context, session=session) != ""
    gateway.wait_for_tls_failed("bad_certificate", 1)
    assert gateway.admin.tls()["resumed"] == 0
    fitting = trust(pair=other.issue_device("d1"), version=version)
    with TlsDevice.login(gateway.address, "d1", context=fitting) as device:
        assert device.is_alive()


def test_a_ticket_without_a_certificate_does_not_help_where_one_is_required(start, trust, pairs):
    gateway = start("optional")
    context = trust()
    with TlsDevice.login(gateway.address, "d1", context=context) as device:
        session = device.tls.session
    assert gateway.reload({"tls.client_auth": "required"})["message"] == "settings reloaded"
    assert "CERTIFICATE_REQUIRED" in refusal(gateway.address, context, session=session)
    assert come_in(gateway, trust, pairs["d1"], "d1")


def test_each_listener_may_ask_in_its_own_way(start_tls_gateway, trust, pairs, authority):
    listeners = [
        {"bind": "127.0.0.1:0", "tls": True, "client_auth": "required",
         "client_ca_file": authority.cert},
        {"bind": "127.0.0.1:0", "tls": True},
    ]
    gateway = start_tls_gateway(listeners=listeners)
    context = trust()
    with TlsDevice.login(gateway.addresses[1], "d1", context=context) as device:
        session = device.tls.session
    assert "CERTIFICATE_REQUIRED" in refusal(gateway.addresses[0], context)
    # A ticket of the open door does not open the other.
    assert "CERTIFICATE_REQUIRED" in refusal(gateway.addresses[0], context, session=session)
    with TlsDevice.login(gateway.addresses[0], "d1", context=trust(pair=pairs["d1"])) as device:
        assert device.is_alive()
