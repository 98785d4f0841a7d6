"""Who does the steps of a handshake: the loop, when nothing else waits for it, or threads.

How long a step takes decides too, so builds with sanitizers leave all but a loop's first to
threads.
"""

import contextlib

import pytest

from support.device import connect
from support.tls import TlsDevice, TlsSocket
from support.waiting import eventually

pytestmark = pytest.mark.threads

# A ClientHello with these is longer than what a loop looks at itself.
LONG_ALPN = ["holdfast/1", *(f"protocol-{number:03}" for number in range(80))]


def steps(gateway):
    tls = gateway.admin.tls()
    return tls["steps_in_loop"], tls["steps_on_threads"]


def log_in(gateway, context):
    with TlsDevice.login(gateway.address, "d", context=context) as device:
        assert device.is_alive()


@pytest.fixture
def start_one_loop(start_tls_gateway):
    def start(settings=None, **options):
        return start_tls_gateway({"loops.count": 1} | (settings or {}), **options)

    return start


def test_an_idle_loop_does_them_itself(start_one_loop, trust):
    gateway = start_one_loop()
    log_in(gateway, trust())
    in_loop, on_threads = steps(gateway)
    assert in_loop >= 1 and in_loop + on_threads >= 2


def test_none_is_kept_for_the_loop_when_it_may_keep_none(start_one_loop, trust):
    gateway = start_one_loop({"tls.idle_steps": 0})
    log_in(gateway, trust())
    in_loop, on_threads = steps(gateway)
    assert in_loop == 0 and on_threads >= 2


def test_a_reload_changes_how_many_it_keeps(start_one_loop, trust):
    gateway = start_one_loop({"tls.idle_steps": 0})
    log_in(gateway, trust())
    gateway.reload({"tls.idle_steps": 4})
    log_in(gateway, trust())
    assert steps(gateway)[0] >= 1


def test_steps_that_a_long_key_makes_long_go_to_threads(start_one_loop, authority, trust):
    rsa = authority.issue_server(kind="rsa")
    gateway = start_one_loop({"tls.cert_file": rsa.cert, "tls.key_file": rsa.key})
    context = trust()

    def is_done_by_threads():
        before = steps(gateway)[0]
        log_in(gateway, context)
        return steps(gateway)[0] == before

    eventually(is_done_by_threads)


def test_steps_whose_length_the_client_decides_go_to_threads(start_one_loop, authority, trust):
    """Certificates to be verified, and a ClientHello that is longer than others."""
    pair = authority.issue_device("d")
    asking = start_one_loop({"tls.client_ca_file": authority.cert, "tls.client_auth": "optional"})
    log_in(asking, trust(pair=pair))
    log_in(asking, trust())
    assert steps(asking)[0] == 0
    usual = start_one_loop()
    context = trust(alpn=LONG_ALPN)
    raw = connect(usual.address)
    with contextlib.closing(TlsSocket(raw, context)) as client:
        client.raw.sendall(client.first_flight())
        eventually(lambda: steps(usual) == (0, 1))


def test_a_crowd_is_shared_between_loop_and_threads(start_one_loop, trust):
    """More ask in the same moment than the loop keeps."""
    gateway = start_one_loop({"tls.idle_steps": 2})
    context = trust()
    with contextlib.ExitStack() as crowd:
        raws = [crowd.enter_context(connect(gateway.address)) for _ in range(60)]
        clients = [TlsSocket(raw, context) for raw in raws]
        flights = [client.first_flight() for client in clients]
        for client, flight in zip(clients, flights):
            client.raw.sendall(flight)
        for client in clients:
            client.shake_hands()
        eventually(lambda: gateway.admin.tls()["full"] == 60)
    in_loop, on_threads = steps(gateway)
    assert in_loop >= 1 and on_threads >= 1


def test_who_leaves_while_a_step_is_kept_leaves_nothing_behind(start_one_loop, trust):
    gateway = start_one_loop({"tls.idle_steps": 1024})
    context = trust()
    for _ in range(20):
        raws = [connect(gateway.address) for _ in range(30)]
        for raw in raws:
            raw.sendall(TlsSocket(None, context).first_flight())
            raw.close()
    stats = gateway.wait_for_connections(0)
    assert (stats["tls"]["handshakes_in_progress"], stats["tls"]["handshakes_waiting"]) == (0, 0)
    log_in(gateway, context)
