"""The admin HTTP: every endpoint, what it refuses, and clients that behave badly."""

import http.client
import json
import os
import re
import socket
import time

import pytest

from support import native
from support.admin import Admin
from support.crowd import Crowd
from support.device import Device
from support.waiting import always, eventually, slowed

pytestmark = pytest.mark.threads

CONNECTIONS_MAX = 32
TOKEN = "correct-horse-battery-staple"
KNOWN_PATHS = {
    "/healthz": "GET, HEAD",
    "/readyz": "GET, HEAD",
    "/metrics": "GET, HEAD",
    "/v1/stats": "GET, HEAD",
    "/v1/sessions": "GET, HEAD",
    "/v1/sessions/d": "GET, HEAD, DELETE",
    "/v1/sessions/d/heartbeat": "PUT",
    "/v1/drain": "POST, DELETE",
}


class RawClient:
    """A connection that sends the bytes it is given and reads whole answers."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=slowed(10))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        """Status, headers by lower-case name and body of the next answer; None at the end."""
        line = self.file.readline()
        if not line:
            return None
        status = int(re.fullmatch(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n", line).group(1))
        headers = {}
        while (line := self.file.readline()) != b"\r\n":
            name, value = line.decode().rstrip("\r\n").split(": ", 1)
            headers[name.lower()] = value
        return status, headers, self.file.read(int(headers.get("content-length", 0)))

    def is_at_end(self):
        return self.file.read(1) == b""


def ask_raw(gateway, data):
    with RawClient(gateway.admin.address) as client:
        client.send(data)
        return client.answer()


def error_code(answer):
    assert answer.headers["Content-Type"] == "application/json"
    error = answer.json()["error"]
    assert error["message"]
    return error["code"]


def metric_values(gateway):
    """Every sample of /metrics, by its name with its labels."""
    answer = gateway.admin.get("/metrics")
    assert answer.status == 200
    lines = answer.body.decode().splitlines()
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
        for line in lines
        if not line.startswith("#")
    }


# The endpoints.


def test_health_and_readiness_are_told(gateway):
    health = gateway.admin.get("/healthz")
    assert (health.status, health.body) == (200, b"ok")
    assert gateway.admin.get("/readyz").status == 200
    gateway.admin.post("/v1/drain")
    answer = gateway.admin.get("/readyz")
    assert (answer.status, error_code(answer)) == (503, "draining")
    assert gateway.admin.get("/healthz").status == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/push", "/v1/events", "/healthz/", "/v1/x?y=z"])
def test_a_path_without_anything_is_not_found(gateway, path):
    for method in ("GET", "POST"):
        answer = gateway.admin.request(method, path)
        assert (answer.status, error_code(answer)) == (404, "not_found")


def test_a_known_path_tells_the_methods_it_takes(gateway):
    for path, allowed in KNOWN_PATHS.items():
        for method in ("PATCH", "OPTIONS", "BREW"):
            answer = gateway.admin.request(method, path)
            assert (answer.status, answer.headers["Allow"]) == (405, allowed), path
            assert error_code(answer) == "method_not_allowed"


def test_head_is_get_without_the_body(gateway):
    with Device.login(gateway.address, "d"):
        for path in ("/healthz", "/readyz", "/metrics", "/v1/stats", "/v1/sessions/d"):
            head = gateway.admin.request("HEAD", path)
            assert (head.status, head.body) == (200, b"")
            assert int(head.headers["Content-Length"]) > 0


def test_statistics_have_every_key_and_reason_from_the_start(gateway):
    stats = gateway.admin.stats()
    assert set(stats) == {
        "node", "uptime_s", "draining", "connections", "sessions", "accepted", "refused", "closed",
        "heartbeats", "messages_in", "messages_out", "tls", "loops",
    }
    assert set(stats["tls"]) == {
        "connections", "handshakes_in_progress", "handshakes_waiting", "steps_in_loop",
        "steps_on_threads", "full", "resumed", "failed", "truncated",
    }
    assert set(stats["tls"]["failed"]) == {
        "not_tls", "version", "cipher", "alpn", "no_certificate", "bad_certificate", "peer_alert",
        "protocol_error", "timeout", "peer_closed", "crowded_out", "internal",
    }
    assert set(stats["tls"]["failed"].values()) == {0}
    assert stats["node"] == "test"
    assert [loop["index"] for loop in stats["loops"]] == [0, 1]
    assert set(stats["refused"].values()) == {0} and "draining" in stats["refused"]
    assert set(stats["closed"].values()) == {0} and "heartbeat_timeout" in stats["closed"]


def test_statistics_follow_what_happens(gateway):
    with Device.login(gateway.address, "a") as first, Device.login(gateway.address, "b"):
        first.ping()
        stats = gateway.wait_for_stats(lambda now: now["heartbeats"] == 1 and now["sessions"] == 2)
        assert (stats["connections"], stats["accepted"]) == (2, 2)
        assert sum(loop["sessions"] for loop in stats["loops"]) == 2
        assert sum(loop["memory_bytes"] for loop in stats["loops"]) > 0
        assert all(loop["bytes_in"] > 0 and loop["bytes_out"] > 0 for loop in stats["loops"])
    gateway.wait_for_closed("peer_closed", 2)


def test_metrics_are_well_formed_and_agree_with_the_statistics(gateway):
    with Device.login(gateway.address, "a"):
        gateway.wait_for_sessions(1)
        answer = gateway.admin.get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = {}
        for line in answer.body.decode().splitlines():
            if match := re.fullmatch(r"# TYPE (\S+) (counter|gauge)", line):
                assert match.group(1) not in families
                families[match.group(1)] = match.group(2)
            elif not line.startswith("# HELP "):
                name = re.match(r"[a-z_]+", line).group(0)
                assert name in families, line
                assert (families[name] == "counter") == name.endswith("_total"), line
        values = metric_values(gateway)
        stats = gateway.admin.stats()
        assert values["holdfast_connections"] == stats["connections"] == 1
        assert values['holdfast_sessions{loop="0"}'] + values['holdfast_sessions{loop="1"}'] == 1
        assert values["holdfast_connections_accepted_total"] == stats["accepted"]
        assert values["process_resident_memory_bytes"] > 1_000_000
        for reason in stats["closed"]:
            assert f'holdfast_connections_closed_total{{reason="{reason}"}}' in values
        for reason in stats["refused"]:
            assert f'holdfast_connections_refused_total{{reason="{reason}"}}' in values


def test_one_session_is_shown(gateway):
    with Device.login(gateway.address, "a:b.c", 5, attributes={"user": "u"}) as device:
        session = gateway.admin.session("a%3Ab.c")
        assert session["device"] == "a:b.c"
        assert session["user"] == "u"
        assert (session["heartbeat_s"], session["timeout_s"]) == (5, 15)
        assert session["next_heartbeat_s"] is None
        assert int(session["session_id"]) == device.welcome.session_id
        assert 0 <= session["idle_ms"] <= session["connected_ms"] < slowed(10) * 1000
    eventually(lambda: gateway.admin.session("a:b.c") is None, what="the session has gone")


@pytest.mark.parametrize("device", ["", "a%20b", "a%2Fb", "a%", "%zz", "x" * 65, "a%00", "%C3%A4"])
def test_a_device_that_cannot_be_is_refused(gateway, device):
    for method, path in (("GET", ""), ("DELETE", ""), ("PUT", "/heartbeat")):
        answer = gateway.admin.request(method, f"/v1/sessions/{device}{path}", {"interval_s": 5})
        assert (answer.status, error_code(answer)) == (400, "bad_device")


def test_a_kicked_device_is_told_and_gone(gateway):
    with Device.login(gateway.address, "d") as device, Device.login(gateway.address, "e") as other:
        answer = gateway.admin.delete("/v1/sessions/d")
        assert (answer.status, answer.json()) == (200, {"device": "d", "kicked": True})
        device.expect_goaway(native.KICKED)
        assert gateway.admin.delete("/v1/sessions/d").status == 404
        assert gateway.admin.get("/v1/sessions/d").status == 404
        assert other.is_alive()
        assert gateway.admin.closed("kicked") == 1


def test_a_heartbeat_out_of_bounds_is_refused_with_the_bounds(gateway):
    with Device.login(gateway.address, "d"):
        answer = gateway.admin.put("/v1/sessions/d/heartbeat", {"interval_s": 601})
        assert answer.status == 400
        assert "from 1 to 600" in answer.json()["error"]["message"]
        answer = gateway.admin.put("/v1/sessions/d/heartbeat", {"interval_s": 600})
        assert (answer.status, answer.json()["interval_s"]) == (200, 600)
        assert gateway.admin.session("d")["next_heartbeat_s"] == 600


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"interval": 5}', "[" * 60_000, b"\xff"])
def test_a_body_that_is_not_what_is_asked_for_is_refused(gateway, body):
    with Device.login(gateway.address, "d"):
        answer = gateway.admin.put("/v1/sessions/d/heartbeat", body)
        assert (answer.status, error_code(answer)) == (400, "bad_body")


def test_a_drain_without_a_body_has_defaults_and_a_mistyped_one_drains_nothing(gateway):
    answer = gateway.admin.post("/v1/drain", {"rate": 5})
    assert (answer.status, error_code(answer)) == (400, "bad_body")
    assert gateway.admin.stats()["draining"] is False
    answer = gateway.admin.post("/v1/drain")
    expected = {"draining": True, "sessions": 0, "rate_per_s": 1000, "reconnect_window_s": 60}
    assert (answer.status, answer.json()) == (202, expected)
    assert gateway.admin.stats()["draining"] is True
    assert gateway.admin.delete("/v1/drain").json()["draining"] is False


# The list of sessions.


def walk(gateway, limit, between=lambda: None):
    """The devices of every page, in order."""
    devices, cursor = [], ""
    while cursor is not None:
        answer = gateway.admin.get(f"/v1/sessions?limit={limit}&cursor={cursor}")
        assert answer.status == 200, answer
        page = answer.json()
        assert len(page["sessions"]) <= limit
        assert len(page["sessions"]) == limit or page["next_cursor"] is None
        devices += [session["device"] for session in page["sessions"]]
        cursor = page["next_cursor"]
        between()
    return devices


def test_an_empty_node_lists_nothing(gateway):
    assert gateway.admin.get("/v1/sessions").json() == {"sessions": [], "next_cursor": None}


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_every_session_is_listed_once_whatever_the_limit(gateway, limit):
    with Crowd(gateway.address) as crowd:
        members = crowd.login(15, "d", 60)
        assert sorted(walk(gateway, limit)) == sorted(member.name for member in members)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=", "cursor=x", "cursor=ff000000", "l=1",
              "limit=%"]
)
def test_a_wrong_query_is_refused(gateway, query):
    answer = gateway.admin.get(f"/v1/sessions?{query}")
    assert (answer.status, error_code(answer)) == (400, "bad_query")


def test_who_stays_is_listed_exactly_once_while_others_come_and_go(gateway):
    with Crowd(gateway.address) as crowd:
        going = crowd.login(400, "going", 60)
        stayers = {member.name for member in crowd.login(1200, "stays", 60)}
        coming = []

        def churn():
            crowd.leave(going[:40])
            del going[:40]
            coming.extend(crowd.add(20, f"new{len(coming)}-", 60))

        devices = walk(gateway, 100, churn)
        listed = [device for device in devices if device.startswith("stays")]
        assert len(listed) == len(stayers)
        assert set(listed) == stayers


# Who may ask.


@pytest.fixture
def guarded(start_gateway, tmp_path):
    """A gateway with a token, and the file that it stands in."""
    token_file = tmp_path / "token"
    write_token(token_file, TOKEN)
    gateway = start_gateway({"admin.token_file": str(token_file)})
    gateway.admin.token = TOKEN
    return gateway, token_file


def write_token(file, token):
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(token + "\n")


def test_with_a_token_everything_but_health_asks_for_it(guarded):
    gateway, _ = guarded
    stranger = Admin(gateway.admin.address)
    assert stranger.get("/healthz").status == 200
    for path in [*KNOWN_PATHS, "/nothing"]:
        if path == "/healthz":
            continue
        for method in ("GET", "POST", "PUT", "DELETE"):
            answer = stranger.request(method, path)
            assert (answer.status, error_code(answer)) == (401, "unauthorized"), (method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert gateway.admin.stats()["draining"] is False
    assert gateway.admin.get("/metrics").status == 200


@pytest.mark.parametrize(
    "shown", ["Bearer x", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, ""]
)
def test_a_wrong_token_is_refused_and_counted(guarded, shown):
    gateway, _ = guarded
    before = metric_values(gateway)["holdfast_admin_auth_failures_total"]
    answer = gateway.admin.get("/v1/stats", headers={"Authorization": shown})
    assert answer.status == 401
    assert metric_values(gateway)["holdfast_admin_auth_failures_total"] == before + 1


def test_a_reload_takes_a_new_token_for_open_connections_too(guarded):
    gateway, token_file = guarded
    connection = http.client.HTTPConnection(*gateway.admin.address, timeout=slowed(10))
    headers = {"Authorization": f"Bearer {TOKEN}"}

    def status():
        connection.request("GET", "/v1/stats", headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status

    assert status() == 200
    write_token(token_file, "another-token-of-some-length")
    gateway.reload({})
    assert status() == 401
    headers["Authorization"] = "Bearer another-token-of-some-length"
    assert status() == 200
    connection.close()
    gateway.admin.token = "another-token-of-some-length"


FOREIGN_HOSTS = ["evil.example", "evil.example:7080", "localhost.evil.example", ""]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_without_a_token_a_foreign_host_is_refused(gateway, host):
    answer = gateway.admin.get("/v1/stats", headers={"Host": host})
    assert (answer.status, error_code(answer)) == (403, "foreign_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:7080"])
def test_without_a_token_this_machine_is_served(gateway, host):
    assert gateway.admin.get("/v1/stats", headers={"Host": host}).status == 200


def test_without_a_token_no_web_page_is_served(gateway):
    with Device.login(gateway.address, "d") as device:
        for origin in ("https://evil.example", "null", "http://localhost:7080"):
            answer = gateway.admin.delete("/v1/sessions/d", headers={"Origin": origin})
            assert (answer.status, error_code(answer)) == (403, "foreign_origin")
        assert device.is_alive()


# HTTP itself.


def test_one_connection_carries_many_requests(gateway):
    connection = http.client.HTTPConnection(*gateway.admin.address, timeout=slowed(10))
    connection.connect()
    kept = connection.sock
    for path in ("/healthz", "/v1/sessions", "/nothing", "/v1/sessions/nobody", "/v1/stats"):
        connection.request("GET", path)
        connection.getresponse().read()
        assert connection.sock is kept
    connection.close()


def test_pipelined_requests_are_answered_in_order(gateway):
    paths = ["/healthz", "/v1/sessions", "/nothing", "/readyz"] * 20
    with RawClient(gateway.admin.address) as client:
        client.send(b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                             for path in paths))
        statuses = [client.answer()[0] for _ in paths]
        assert statuses == [200, 200, 404, 200] * 20


def test_a_request_may_come_byte_by_byte_and_half_closed(gateway):
    request = b"POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16\r\n\r\n"
    with RawClient(gateway.admin.address) as client:
        for byte in request + b'{"rate_per_s":1}':
            client.send(bytes([byte]))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer()[0] == 202
        assert client.is_at_end()


def test_http_1_0_is_answered_and_closed(gateway):
    with RawClient(gateway.admin.address) as client:
        client.send(b"GET /readyz HTTP/1.0\r\n\r\n")
        status, headers, body = client.answer()
        assert (status, headers["connection"], body) == (200, "close", b"ready")
        assert client.is_at_end()


def test_who_waits_for_continue_is_told_to_go_on(gateway):
    with RawClient(gateway.admin.address) as client:
        client.send(b"POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                    b"Expect: 100-continue\r\n\r\n")
        assert client.answer()[0] == 100
        client.send(b"{}")
        assert client.answer()[0] == 202


SMUGGLED = b"DELETE /v1/sessions/d HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (400, b"Content-Length: 0\r\nContent-Length: 5\r\n"),
        (400, b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
        (411, b"Transfer-Encoding: chunked\r\n"),
        (411, b"Transfer-Encoding: identity, chunked\r\n"),
        (400, b"Transfer-Encoding : chunked\r\n"),
        (400, b"X: y\r\n Transfer-Encoding: chunked\r\n"),
        (400, b"X: y\nContent-Length: 5\r\n"),
        (400, b"X: y\rContent-Length: 5\r\n"),
        (400, b"Content-Length: +0\r\n"),
        (400, b"Content-Length: 0x0\r\n"),
        (400, b"Content-Length: -1\r\n"),
        (400, b"Content-Length: 0, 0\r\n"),
        (400, b"Content-Length:\r\n"),
        (400, b"Host: localhost\r\n"),
        (400, b"\0: x\r\n"),
        (417, b"Expect: something\r\n"),
    ],
)
def test_a_request_with_no_clear_end_closes_the_connection(gateway, status, lines):
    with Device.login(gateway.address, "d") as device:
        with RawClient(gateway.admin.address) as client:
            client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n0\r\n\r\n"
                        + SMUGGLED)
            got, headers, body = client.answer()
            assert (got, headers["connection"]) == (status, "close")
            assert json.loads(body)["error"]["code"]
            assert client.is_at_end()
        assert device.is_alive()


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (400, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
        (400, b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (400, b"GET /healthz HTTP/1.1\r\n\r\n"),
        (400, b"GET /healthz\r\n\r\n"),
        (400, b"GET /healthz HTTP/1.1\nHost: localhost\n\n"),
        (505, b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n"),
        (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (431, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000),
        (431, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 100 + b"\r\n"),
        (431, b"GET /" + b"x" * 20_000),
        (413, b"POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n"
              + b" " * 65_537),
        (413, b"POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
              b"99999999999999999999999\r\n\r\n"),
    ],
)
def test_what_is_no_request_or_too_large_is_told_why(gateway, status, data):
    answer = ask_raw(gateway, data)
    assert answer is not None, "closed without an answer"
    got, headers, body = answer
    assert (got, headers["connection"], headers["content-type"]) == (
        status, "close", "application/json")
    assert json.loads(body)["error"]["message"]


def test_the_largest_body_is_read(gateway):
    body = "{}" + " " * (65_536 - 2)
    assert gateway.admin.post("/v1/drain", body).status == 202


# Clients that behave badly.


def is_full(gateway):
    try:
        return gateway.admin.get("/healthz").status == 503
    except ConnectionError:  # the close overtook the answer
        return True


def test_clients_that_leave_before_their_answer_harm_nobody(gateway):
    with Crowd(gateway.address) as crowd:
        crowd.login(300, "d", 60)
        for number in range(200):
            with RawClient(gateway.admin.address) as client:
                client.send(b"GET /v1/sessions?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
                            * (number % 5 + 1))
                if number % 2:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                             b"\1\0\0\0\0\0\0\0")  # a reset
        eventually(lambda: not is_full(gateway), what="there is room again")
        assert len(walk(gateway, 1000)) == 300
        eventually(lambda: metric_values(gateway)["holdfast_admin_connections"] == 1,
                   what="the connections are gone")


def test_idle_connections_give_way_to_newcomers(gateway):
    clients = [RawClient(gateway.admin.address) for _ in range(CONNECTIONS_MAX)]
    # Those that have just connected are given a moment to speak.
    eventually(lambda: not is_full(gateway), what="a newcomer is served")
    values = metric_values(gateway)
    assert values["holdfast_admin_connections"] <= CONNECTIONS_MAX
    assert clients[0].is_at_end()  # the one that was idle the longest
    for client in clients:
        client.__exit__()


@pytest.mark.slow
def test_half_requests_fill_the_admin_server_for_their_time_and_no_longer(gateway):
    with Device.login(gateway.address, "d") as device:
        clients = [RawClient(gateway.admin.address) for _ in range(CONNECTIONS_MAX)]
        started_s = time.monotonic()
        for client in clients:
            client.send(b"GET /v1/stats HTTP/1.1\r\n")
        eventually(lambda: is_full(gateway), what="a newcomer is told that all are busy")
        assert device.is_alive()
        # A byte now and then buys no time.
        always(lambda: clients[0].send(b"X") is None and device.is_alive(), 5, "the device lives")
        for client in clients:
            assert client.answer()[0] == 408
        assert time.monotonic() - started_s <= slowed(10) + 2
        assert device.is_alive()
        assert gateway.admin.get("/v1/stats").status == 200
        for client in clients:
            client.__exit__()


def test_a_client_that_does_not_read_holds_nobody_up(gateway):
    with Crowd(gateway.address) as crowd:
        crowd.login(500, "d", 60)
        sloths = []
        for _ in range(5):
            sloth = socket.socket()
            sloth.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sloth.connect(gateway.admin.address)
            sloth.sendall(b"GET /v1/sessions?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
            sloths.append(sloth)
        for _ in range(20):
            assert gateway.admin.get("/v1/stats").status == 200
        for sloth in sloths:
            sloth.close()
