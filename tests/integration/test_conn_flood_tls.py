"""conn_flood --tls against the gateway's own TLS, and against servers that refuse or misbehave."""

import pathlib
import socket
import ssl
import subprocess

import pytest

from support.flood import FAULT, USAGE
from support.stub_gateway import pong_only
from support.waiting import slowed

CERTS = pathlib.Path(__file__).resolve().parents[2] / "tools/certs"
DEVICES = 20
STEADY = ("--heartbeat", 1, "--duration", 3)


def device_id(number):
    return f"flood-{number:010}"


def make_certificates(folder):
    command = [CERTS, "--dir", folder, "--name", "localhost", "--name", "127.0.0.1"]
    for number in range(DEVICES):
        command += ["--device", device_id(number)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with ca.pem, server.pem, server.key, and a certificate for each device."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """The same by another authority."""
    return make_certificates(tmp_path_factory.mktemp("strangers"))


@pytest.fixture
def start_secured(start_gateway, certificates):
    """start_secured(settings) -> a gateway whose one listener speaks TLS."""

    def start(settings=None):
        files = {
            "tls.cert_file": str(certificates / "server.pem"),
            "tls.key_file": str(certificates / "server.key"),
        }
        listener = {"bind": "127.0.0.1:0", "tls": True}
        return start_gateway(files | (settings or {}), listeners=[listener])

    return start


@pytest.fixture
def start_mutual(start_secured, certificates):
    """The same, and a client has to present a certificate of ours."""

    def start():
        return start_secured(
            {
                "tls.client_ca_file": str(certificates / "ca.pem"),
                "tls.client_auth": "required",
            }
        )

    return start


def server_context(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.set_alpn_protocols(["holdfast/1"])
    return context


def demand_certificates(context, certificates):
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


# Against the gateway.


@pytest.mark.threads
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_secured_clients_live_and_every_ping_is_answered(
    start_secured, certificates, run_flood, version
):
    counts = run_flood(
        start_secured().address, "--tls", "--ca", certificates / "ca.pem", "--connections", 200,
        "--tls-version", version, *STEADY
    )
    assert counts["ok"] and counts["connected_peak"] == 200
    assert counts["pings"] == counts["pongs"] >= 200
    assert counts["goodbyes_unanswered"] == 0
    tls = counts["tls"]
    assert tls["version"][version] == tls["handshakes"] == tls["full"] == 200
    assert tls["resumed"] == tls["tickets_offered"] == sum(tls["failed"].values()) == 0
    latency = counts["latency_us"]
    assert latency["tls_handshake"]["count"] == 200
    assert 0 < latency["tls_handshake"]["p50"] <= latency["tls_handshake"]["p999"]


def test_both_versions_are_offered_and_the_name_may_be_told(
    start_secured, certificates, run_flood
):
    counts = run_flood(
        start_secured().address, "--tls", "--ca", certificates / "ca.pem", "--server-name",
        "localhost", "--connections", 20, *STEADY
    )
    assert counts["tls"]["version"] == {"1.2": 0, "1.3": 20}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_those_that_come_back_resume(start_secured, run_flood, version):
    counts = run_flood(
        start_secured().address, "--tls", "--resume", "--tls-version", version, "--connections",
        100, "--heartbeat", 1, "--duration", 5, "--churn", 1, "--churn-life", 0.5
    )
    tls = counts["tls"]
    assert counts["reconnects"] > 100 and counts["lost_unexpected"] == 0
    assert tls["tickets_offered"] >= 0.9 * counts["reconnects"]
    assert tls["resumed_share"] > 0.9
    assert tls["handshakes"] == tls["full"] + tls["resumed"]


def test_without_resume_no_ticket_is_offered(start_secured, run_flood):
    counts = run_flood(
        start_secured().address, "--tls", "--connections", 50, "--heartbeat", 1, "--duration", 3,
        "--churn", 1, "--churn-life", 0.5
    )
    tls = counts["tls"]
    assert counts["reconnects"] > 0
    assert tls["tickets_offered"] == tls["resumed"] == 0


def test_the_silent_are_evicted_on_time(start_secured, run_flood):
    gateway = start_secured()
    counts = run_flood(
        gateway.address, "--tls", "--connections", 200, "--heartbeat", 1, "--duration", slowed(6),
        "--mute", 0.2, "--half-frame", 0.1
    )
    assert counts["goaway_by_code"] == {"4003": 60}
    assert counts["evicted_early"] == counts["evictions_overdue"] == 0
    assert counts["evictions_pending"] == counts["lost_unexpected"] == 0
    gateway.wait_for_closed("heartbeat_timeout", 60)


def test_a_slow_reader_is_closed_and_costs_the_others_nothing(start_secured, run_flood):
    gateway = start_secured({"limits.send_queue_max_bytes": 65536, "limits.write_stall_ms": 2000})
    counts = run_flood(
        gateway.address, "--tls", "--connections", 50, "--heartbeat", 1, "--duration", slowed(15),
        "--slow-reader", 0.04
    )
    assert counts["slow_readers_closed"] == 2, counts["slow_reader_bytes"]
    assert counts["lost_unexpected"] == 0


def test_each_device_may_have_its_own_certificate(start_mutual, certificates, run_flood):
    counts = run_flood(
        start_mutual().address, "--tls", "--connections", DEVICES, *STEADY,
        "--cert", certificates / "device-{id}.pem", "--key", certificates / "device-{id}.key"
    )
    assert counts["clients_welcomed"] == counts["tls"]["full"] == DEVICES


@pytest.mark.parametrize(
    "version, alert", [("1.2", "40 handshake_failure"), ("1.3", "116 certificate_required")]
)
def test_a_missing_certificate_is_the_servers_alert(start_mutual, start_flood, version, alert):
    flood = start_flood(
        start_mutual().address, "--tls", "--tls-version", version, "--connections", 5, *STEADY
    )
    counts = flood.wait(FAULT)
    assert counts["tls"]["alerts"] == {alert: 5}
    assert f"alert {alert}" in flood.output and "--cert" in flood.output


# Against servers that refuse or misbehave.


def test_a_stub_that_speaks_tls_passes(start_stub, certificates, run_flood):
    stub = start_stub(pong_only, tls=server_context(certificates))
    counts = run_flood(
        stub.server_address, "--tls", "--ca", certificates / "ca.pem", "--connections", 20, *STEADY
    )
    assert counts["ok"] and counts["tls"]["full"] == 20
    assert counts["pings"] == counts["pongs"] > 0


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tickets_of_another_library_user_resume_too(start_stub, certificates, run_flood, version):
    stub = start_stub(pong_only, tls=server_context(certificates))
    counts = run_flood(
        stub.server_address, "--tls", "--resume", "--tls-version", version, "--connections", 10,
        "--heartbeat", 1, "--duration", 4, "--churn", 1, "--churn-life", 0.5
    )
    tls = counts["tls"]
    assert counts["reconnects"] > 0
    assert tls["tickets_offered"] == tls["resumed"] == tls["handshakes"] - 10
    assert tls["resumed_share"] == 1 and tls["full"] == 10


def test_a_certificate_of_another_authority_is_refused(
    start_stub, certificates, strangers, start_flood
):
    stub = start_stub(pong_only, tls=server_context(certificates))
    flood = start_flood(
        stub.server_address, "--tls", "--ca", strangers / "ca.pem", "--connections", 5, *STEADY
    )
    counts = flood.wait(FAULT)
    assert counts["tls"]["failed"]["certificate_refused"] == counts["refused"]["tls"] == 5
    assert counts["tls"]["handshakes"] == stub.hellos == 0
    assert "--ca does not hold its issuer" in flood.output


def test_a_certificate_of_another_name_is_refused(start_stub, certificates, start_flood):
    stub = start_stub(pong_only, tls=server_context(certificates))
    flood = start_flood(
        stub.server_address, "--tls", "--ca", certificates / "ca.pem", "--server-name",
        "elsewhere.test", "--connections", 5, *STEADY
    )
    assert flood.wait(FAULT)["tls"]["failed"]["certificate_refused"] == 5
    assert "give the name that is in it as --server-name" in flood.output


def test_a_certificate_of_no_authority_of_the_servers_is_its_alert(
    start_stub, certificates, strangers, run_flood
):
    context = demand_certificates(server_context(certificates), certificates)
    stub = start_stub(pong_only, tls=context)
    own = ("--cert", strangers / "device-{id}.pem", "--key", strangers / "device-{id}.key")
    counts = run_flood(
        stub.server_address, "--tls", *own, "--connections", 5, *STEADY, expected=FAULT
    )
    assert counts["tls"]["alerts"] == {"48 unknown_ca": 5}
    assert counts["refused"]["tls"] == 5


def test_a_device_without_a_certificate_says_so(start_stub, certificates, start_flood):
    context = demand_certificates(server_context(certificates), certificates)
    stub = start_stub(pong_only, tls=context)
    flood = start_flood(
        stub.server_address, "--tls", "--connections", DEVICES + 3, *STEADY,
        "--cert", certificates / "device-{id}.pem", "--key", certificates / "device-{id}.key"
    )
    counts = flood.wait(FAULT)
    assert counts["clients_welcomed"] == DEVICES
    assert counts["tls"]["failed"]["own_files"] == counts["never_welcomed"] == 3
    assert "could not be loaded: No such file or directory" in flood.output


def test_a_server_without_tls_is_a_protocol_error_or_a_close(start_stub, start_flood):
    # It takes the ClientHello for a frame, and answers by one.
    stub = start_stub(lambda head, body: b"\xf0\x00\x00\x00\x00\x00")
    flood = start_flood(stub.server_address, "--tls", "--connections", 5, *STEADY)
    counts = flood.wait(FAULT)
    assert counts["tls"]["failed"]["protocol_error"] == counts["refused"]["tls"] == 5
    assert "does the target speak TLS there?" in flood.output


def test_a_plain_gateway_refuses_those_that_speak_tls(gateway, run_flood):
    counts = run_flood(
        gateway.address, "--tls", "--connections", 5, *STEADY, expected=FAULT
    )
    assert sum(counts["tls"]["failed"].values()) == counts["never_welcomed"] == 5


def test_a_server_that_never_answers_is_a_timeout(run_flood):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        counts = run_flood(
            silent.getsockname(), "--tls", "--connections", 3, "--welcome-timeout", 1,
            "--duration", 1, expected=FAULT
        )
    assert counts["tls"]["failed"]["timeout"] == counts["refused"]["timeout"] == 3
    assert counts["established"] == 3


def test_that_nothing_is_verified_is_said(start_stub, certificates, start_flood):
    stub = start_stub(pong_only, tls=server_context(certificates))
    said = "certificate is not verified"
    for arguments, expected in (
        ((), True),
        (("--quiet",), False),
        (("--ca", certificates / "ca.pem"), False),
    ):
        flood = start_flood(
            stub.server_address, "--tls", "--connections", 1, "--duration", 1, *arguments
        )
        flood.wait()
        assert (said in flood.output) == expected, arguments


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--tls", "--ca", "/nonexistent/ca.pem"], "cannot load /nonexistent/ca.pem: No such file"),
        (["--tls", "--cert", "/nonexistent/{id}.pem", "--key", "k"], device_id(0)),
        (["--tls", "--cert", "only.pem"], "--cert and --key go together"),
        (["--resume"], "--tls"),
    ],
)
def test_what_cannot_work_exits_with_two_and_says_why(start_flood, arguments, said):
    flood = start_flood(("127.0.0.1", 9), *arguments)
    flood.wait(USAGE)
    assert said in flood.output
