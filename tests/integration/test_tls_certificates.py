"""What the gateway shows of itself: certificates by name and kind, ALPN, the stapled response."""

import subprocess

import pytest

from support import tls_wire
from support.certificates import Authority, with_chain
from support.tls import TlsDevice, client_context, refusal
from support.tls_wire import ClientHello, alert_of, answer_to, tls13_hello

VERSIONS = ("TLSv1.2", "TLSv1.3")


def names_shown(gateway, context, server_name):
    """The DNS names of the certificate that a client gets who asks for `server_name`."""
    with TlsDevice(gateway.address, context, server_name=server_name) as device:
        certificate = device.tls.getpeercert()
        return [name for _kind, name in certificate["subjectAltName"]]


@pytest.fixture(scope="module")
def named_pairs(authority):
    """For localhost, for two names, for a wildcard."""
    return [
        authority.issue_server(),
        authority.issue_server("a.test", "b.test"),
        authority.issue_server("*.dev.test"),
    ]


@pytest.fixture
def named(start_tls_gateway, named_pairs):
    return start_tls_gateway(
        {
            "tls.cert_file": [pair.cert for pair in named_pairs],
            "tls.key_file": [pair.key for pair in named_pairs],
        }
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_the_name_that_a_client_asks_for_picks_the_certificate(named, trust, version):
    context = trust(version=version)
    context.check_hostname = False
    asked = {
        "localhost": ["localhost"],
        "a.test": ["a.test", "b.test"],
        "b.test": ["a.test", "b.test"],
        "B.TeSt": ["a.test", "b.test"],
        "d1.dev.test": ["*.dev.test"],
        "dev.test": ["localhost"],  # a wildcard stands for one label, no less
        "x.d1.dev.test": ["localhost"],  # and no more
        "unknown.test": ["localhost"],
        None: ["localhost"],
    }
    assert {name: names_shown(named, context, name) for name in asked} == asked


def test_a_client_that_checks_the_name_is_content(named, trust):
    context = trust()
    for name in ("localhost", "a.test", "b.test", "d1.dev.test"):
        with TlsDevice.login(named.address, "d", context=context, server_name=name) as device:
            assert device.is_alive()


def test_a_listener_may_have_certificates_of_its_own(start_tls_gateway, named_pairs, trust):
    own = named_pairs[1]
    listeners = [
        {"bind": "127.0.0.1:0", "tls": True},
        {"bind": "127.0.0.1:0", "tls": True, "cert_file": own.cert, "key_file": own.key},
    ]
    gateway = start_tls_gateway(listeners=listeners)
    context = trust()
    context.check_hostname = False
    for address, names in zip(gateway.addresses, (["localhost"], ["a.test", "b.test"])):
        with TlsDevice(address, context) as device:
            shown = device.tls.getpeercert()["subjectAltName"]
            assert [name for _kind, name in shown] == names


def test_two_kinds_of_key_under_one_name_serve_each_client_the_one_it_can_use(
    start_tls_gateway, authority, server_pair, trust
):
    rsa = authority.issue_server(kind="rsa")
    gateway = start_tls_gateway(
        {"tls.cert_file": [server_pair.cert, rsa.cert], "tls.key_file": [server_pair.key, rsa.key]}
    )
    for kind in ("ECDSA", "RSA"):
        ciphers = f"ECDHE-{kind}-AES128-GCM-SHA256"
        context = trust(version="TLSv1.2", ciphers=ciphers)
        with TlsDevice.login(gateway.address, "d", context=context) as device:
            assert device.tls.cipher()[0] == ciphers


def test_intermediate_certificates_are_shown_too(start_tls_gateway, authority, tmp_path, trust):
    middle = Authority(tmp_path / "middle", "Holdfast test CA 2", issuer=authority)
    pair = with_chain(middle.issue_server(), middle)
    gateway = start_tls_gateway({"tls.cert_file": pair.cert, "tls.key_file": pair.key})
    with TlsDevice.login(gateway.address, "d", context=trust()) as device:
        assert device.is_alive()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_does_not_trust_the_certificate_says_so_and_is_counted(
    tls_gateway, tmp_path, version
):
    stranger = Authority(tmp_path / "stranger", "Somebody else")
    context = client_context(stranger.cert, version=version)
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(tls_gateway.address, context)
    tls_gateway.wait_for_tls_failed("peer_alert", 1)
    tls_gateway.wait_for_closed("tls_failed", 1)
    tls_gateway.wait_for_connections(0)


# ALPN.


@pytest.mark.parametrize("version", VERSIONS)
def test_the_protocol_within_is_named(tls_gateway, trust, version):
    for offered in (["holdfast/1"], ["h2", "http/1.1", "holdfast/1"]):
        context = trust(version=version, alpn=offered)
        with TlsDevice.login(tls_gateway.address, "d", context=context) as device:
            assert device.tls.selected_alpn_protocol() == "holdfast/1"
            assert device.is_alive()
    with TlsDevice.login(tls_gateway.address, "d", context=trust(version=version)) as device:
        assert device.tls.selected_alpn_protocol() is None


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_speaks_only_other_protocols_is_refused(tls_gateway, trust, version):
    assert refusal(tls_gateway.address, trust(version=version, alpn=["h2", "mqtt"])) != ""
    tls_gateway.wait_for_tls_failed("alpn", 1)
    tls_gateway.wait_for_closed("tls_failed", 1)
    tls_gateway.wait_for_connections(0)


def test_it_is_told_why(tls_gateway):
    suites = (0xC02B,)
    for hello in (ClientHello(suites=suites, alpn=("h2",)).encode(), tls13_hello(alpn=("h2",))):
        assert alert_of(answer_to(tls_gateway.address, hello)) == tls_wire.NO_APPLICATION_PROTOCOL
    tls_gateway.wait_for_tls_failed("alpn", 2)


# OCSP.


def stapled(gateway, ca, *options):
    """What openssl tells of the response that came with the handshake."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % gateway.address, "-CAfile", ca, "-status",
         *options],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
    )
    assert "OCSP response:" in done.stdout, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_the_authoritys_response_is_stapled(start_tls_gateway, authority, server_pair, version):
    response = authority.ocsp_response(server_pair)
    gateway = start_tls_gateway({"tls.ocsp_file": response})
    told = stapled(gateway, authority.cert, "-servername", "localhost", version)
    assert "OCSP Response Status: successful" in told
    assert "Cert Status: good" in told


def test_each_certificate_has_its_own_response_or_none(start_tls_gateway, authority, named_pairs):
    gateway = start_tls_gateway(
        {
            "tls.cert_file": [pair.cert for pair in named_pairs],
            "tls.key_file": [pair.key for pair in named_pairs],
            "tls.ocsp_file": ["", authority.ocsp_response(named_pairs[1]), ""],
        }
    )
    for name, has_response in (("localhost", False), ("a.test", True), ("x.dev.test", False)):
        told = stapled(gateway, authority.cert, "-servername", name)
        assert ("Cert Status: good" in told) == has_response
        assert ("no response sent" in told) != has_response


def test_without_a_response_none_is_sent(tls_gateway, authority):
    assert "no response sent" in stapled(tls_gateway, authority.cert)
    assert tls_gateway.admin.tls()["full"] == 1
