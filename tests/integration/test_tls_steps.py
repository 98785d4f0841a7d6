"""Who does the steps of a handshake: the loop, when nothing else waits for it, or threads.

Only steps that are short whatever the client sends are kept for a loop.
"""

import contextlib
import socket
import struct

import pytest

from support.device import connect
from support.tls import TlsDevice, TlsSocket
from support.waiting import eventually

pytestmark = pytest.mark.threads

# A ClientHello with these is longer than what a loop looks at itself.
LONG_ALPN = ["holdfast/1", *(f"protocol-{number:03}" for number in range(250))]


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
    assert in_loop >= 2 and on_threads == 0


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
    assert steps(gateway)[0] >= 2


def test_steps_that_a_long_key_makes_long_go_to_threads(start_one_loop, authority, trust):
    rsa = authority.issue_server(kind="rsa")
    gateway = start_one_loop({"tls.cert_file": rsa.cert, "tls.key_file": rsa.key})
    log_in(gateway, trust())
    in_loop, on_threads = steps(gateway)
    assert in_loop == 0 and on_threads >= 2


def test_steps_with_a_certificate_to_verify_go_to_threads(start_one_loop, authority, trust):
    gateway = start_one_loop({"tls.client_ca_file": authority.cert, "tls.client_auth": "optional"})
    log_in(gateway, trust(pair=authority.issue_device("d")))
    log_in(gateway, trust())
    assert steps(gateway)[0] == 0


def in_records(hello, body_bytes):
    """A ClientHello's one record as several."""
    header, body = hello[:3], hello[5:]
    pieces = [body[at : at + body_bytes] for at in range(0, len(body), body_bytes)]
    return [header + struct.pack(">H", len(piece)) + piece for piece in pieces]


def test_a_long_hello_goes_to_threads(start_one_loop, trust):
    gateway = start_one_loop()
    with contextlib.closing(TlsSocket(connect(gateway.address), trust(alpn=LONG_ALPN))) as client:
        client.raw.sendall(client.first_flight())
        eventually(lambda: steps(gateway) == (0, 1))


def test_a_long_hello_in_short_records_goes_to_threads_in_the_end(start_one_loop, trust):
    gateway = start_one_loop()
    with contextlib.closing(TlsSocket(connect(gateway.address), trust(alpn=LONG_ALPN))) as client:
        records = in_records(client.first_flight(), 500)
        for count, record in enumerate(records, start=1):
            client.raw.sendall(record)
            eventually(lambda: sum(steps(gateway)) == count)
        in_loop, on_threads = steps(gateway)
        assert in_loop < len(records) and on_threads >= 1
        client.shake_hands()


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


def test_no_step_is_done_for_whoever_has_hung_up(start_one_loop, trust):
    gateway = start_one_loop({"tls.handshakes_max": 1})
    hello = TlsSocket(None, trust()).first_flight()
    with connect(gateway.address) as first, connect(gateway.address) as second:
        first.sendall(hello)
        gateway.wait_for_stats(lambda stats: stats["tls"]["handshakes_in_progress"] == 1)
        second.sendall(hello)
        gateway.wait_for_stats(lambda stats: stats["tls"]["handshakes_waiting"] == 1)
        second.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        second.close()
    gateway.wait_for_connections(0)
    assert sum(steps(gateway)) == 1  # the first one's


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
