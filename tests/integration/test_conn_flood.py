"""conn_flood against the gateway, and against a server that does what a gateway must not."""

import resource
import signal
import struct

import pytest

from support import native
from support.flood import FAULT, USAGE
from support.stub_gateway import pong_only
from support.waiting import slowed

NO_LATENCIES = {"count": 0, "min": 0, "p50": 0, "p99": 0, "p999": 0, "max": 0, "mean": 0.0}


# Against the gateway.


@pytest.mark.threads
def test_steady_clients_all_live_and_every_ping_is_answered(gateway, run_flood):
    counts = run_flood(gateway.address, "--connections", 500, "--heartbeat", 1, "--duration", 5)
    assert counts["ok"] and counts["faults"] == []
    assert counts["connected_peak"] == counts["clients_welcomed"] == 500
    assert counts["pings"] == counts["pongs"] >= 2000
    assert counts["goodbyes"] == 500 and counts["goodbyes_unanswered"] == 0
    for name in ("lost_unexpected", "never_welcomed", "pongs_missing", "reconnects", "took_over"):
        assert counts[name] == 0, name
    assert counts["latency_us"]["welcome"]["count"] == 500
    assert counts["latency_us"]["ping_rtt"]["count"] == counts["pongs"]
    gateway.wait_for_sessions(0)


def test_exactly_the_silent_ones_are_evicted_and_on_time(gateway, run_flood):
    counts = run_flood(
        gateway.address, "--connections", 400, "--heartbeat", 1, "--duration", slowed(6),
        "--mute", 0.2, "--half-frame", 0.1
    )
    assert counts["behaviours"]["mute"]["evicted"] == 80
    assert counts["behaviours"]["half_frame"]["evicted"] == 40
    assert counts["goaway_by_code"] == {"4003": 120}
    assert counts["evicted_early"] == counts["evictions_overdue"] == 0
    assert counts["evictions_pending"] == counts["lost_unexpected"] == 0
    gateway.wait_for_closed("heartbeat_timeout", 120)


def test_nobody_misbehaves_in_the_calm_and_its_round_trips_are_told_apart(gateway, run_flood):
    counts = run_flood(
        gateway.address, "--connections", 200, "--heartbeat", 2, "--mute", 0.25,
        "--mute-heartbeat", 1, "--calm", 3, "--duration", slowed(8)
    )
    assert counts["evicted_expected"] == 50
    assert counts["evicted_early"] == counts["evictions_pending"] == counts["lost_unexpected"] == 0
    assert counts["clients_answered_in_hold"] == 200
    latencies = counts["latency_us"]
    # In a calm of 3 s each of the 150 sends at least one PING, each of the 50 at least two.
    assert latencies["ping_rtt_calm"]["count"] >= 250
    others = latencies["ping_rtt"]["count"] - latencies["ping_rtt_calm"]["count"]
    assert 0 < latencies["ping_rtt_evicting"]["count"] < others
    gateway.wait_for_closed("heartbeat_timeout", 50)


def test_churn_comes_back_and_nobody_else_notices(gateway, run_flood):
    counts = run_flood(
        gateway.address, "--connections", 200, "--heartbeat", 1, "--duration", 5,
        "--churn", 0.5, "--churn-life", 0.5
    )
    assert counts["churned"] > 200 and counts["reconnects"] > 200
    assert counts["lost_unexpected"] == counts["away_at_end"] == 0


def test_a_drained_flood_comes_back_when_told_to(gateway, start_flood):
    flood = start_flood(
        gateway.address, "--connections", 100, "--heartbeat", 1, "--duration", 6, "--reconnect"
    )
    gateway.wait_for_sessions(100)
    drained = gateway.admin.post("/v1/drain", {"rate_per_s": 1000, "reconnect_window_s": 1})
    assert drained.status < 300
    gateway.wait_for_sessions(0)
    assert gateway.admin.delete("/v1/drain").status < 300
    counts = flood.wait()
    assert counts["goaway_by_code"] == {"4006": 100}
    assert counts["dismissed"] == 100 and counts["lost_unexpected"] == 0


def test_a_slow_reader_is_closed_and_costs_the_others_nothing(start_gateway, run_flood):
    gateway = start_gateway({"limits.send_queue_max_bytes": 65536, "limits.write_stall_ms": 2000})
    counts = run_flood(
        gateway.address, "--connections", 50, "--heartbeat", 1, "--duration", slowed(15),
        "--slow-reader", 0.04
    )
    assert counts["slow_readers_closed"] == 2, counts["slow_reader_bytes"]
    assert counts["lost_unexpected"] == 0


def test_a_changed_interval_is_obeyed(gateway, start_flood):
    flood = start_flood(gateway.address, "--connections", 1, "--heartbeat", 2, "--duration", 8)
    gateway.wait_for_sessions(1)
    device = "flood-0000000000"
    answer = gateway.admin.put(f"/v1/sessions/{device}/heartbeat", {"interval_s": 1})
    assert answer.status == 200
    counts = flood.wait()
    assert counts["interval_changes"] == 1
    assert counts["pings"] >= 6  # of about 4.2 at the interval it began with


def test_it_splits_into_processes_when_one_may_not_hold_them(gateway, run_flood):
    counts = run_flood(
        gateway.address, "--connections", 500, "--heartbeat", 1, "--duration", 2,
        prefix=("prlimit", "--nofile=200:200")
    )
    assert counts["options"]["processes"] == 4
    assert counts["connected_peak"] == 500
    assert counts["latency_us"]["ping_rtt"]["count"] == counts["pongs"] > 0


@pytest.mark.threads
def test_a_signal_ends_it_early_with_its_summary(gateway, start_flood):
    flood = start_flood(
        gateway.address, "--connections", 100, "--threads", 2, "--heartbeat", 1, "--duration", 0
    )
    gateway.wait_for_sessions(100)
    flood.signal(signal.SIGINT)
    counts = flood.wait()
    assert counts["was_stopped"] and counts["goodbyes"] == 100
    assert "OK: all as expected" in flood.output


def test_a_gateway_that_dies_is_a_loss_for_all(gateway, start_flood):
    flood = start_flood(gateway.address, "--connections", 100, "--heartbeat", 1, "--duration", 0)
    gateway.wait_for_sessions(100)
    gateway.signal(signal.SIGKILL)
    gateway.wait()
    counts = flood.wait(FAULT)
    assert counts["lost_unexpected"] == 100
    assert "100 lost that were expected to live" in counts["faults"]


# Against a server that misbehaves.

BRIEF = ("--connections", 3, "--heartbeat", 1, "--duration")


def test_the_stub_passes_when_it_behaves(start_stub, run_flood):
    counts = run_flood(start_stub(pong_only).server_address, *BRIEF, 3)
    assert counts["pings"] == counts["pongs"] > 0


def test_a_pong_that_never_comes_is_a_fault(start_stub, run_flood):
    silent = start_stub(lambda head, body: b"" if head == 0x10 else None)
    counts = run_flood(silent.server_address, *BRIEF, 6, expected=FAULT)
    assert counts["pongs_missing"] == 3
    assert counts["lost_by_cause"]["pong_missing"] == 3


def test_a_pong_with_other_bytes_is_a_fault(start_stub, run_flood):
    wrong = start_stub(lambda head, body: pong_only(head, body[::-1]))
    counts = run_flood(wrong.server_address, *BRIEF, 2, expected=FAULT)
    assert counts["pongs_unexpected"] > 0


def test_an_eviction_before_the_deadline_is_a_fault(start_stub, run_flood):
    early = start_stub(pong_only, told=native.Goaway(native.HEARTBEAT_TIMEOUT).encode())
    counts = run_flood(early.server_address, *BRIEF, 1, expected=FAULT)
    assert counts["lost_unexpected"] == 3  # none of them was silent


def test_a_silent_client_that_is_never_evicted_is_a_fault(start_stub, run_flood):
    forgetful = start_stub(pong_only)
    counts = run_flood(forgetful.server_address, *BRIEF, 6, "--mute", 1, expected=FAULT)
    assert counts["evictions_overdue"] == 3


def test_a_server_that_answers_nonsense_is_a_fault(start_stub, run_flood):
    babbling = start_stub(pong_only, told=b"\xf0\x00")
    counts = run_flood(babbling.server_address, *BRIEF, 1, expected=FAULT)
    assert counts["lost_by_cause"]["protocol_error"] == 3


def test_server_pings_are_answered(start_stub, run_flood):
    echoes = []

    def answer(head, body):
        if head == 0x20:
            echoes.append(body)
            return b""
        return pong_only(head, body)

    asking = start_stub(answer, told=native.Ping(b"are you there").encode())
    counts = run_flood(asking.server_address, *BRIEF, 1)
    assert counts["server_pings_answered"] == 3
    assert echoes == [b"are you there"] * 3


def test_a_message_that_wants_an_ack_gets_it(start_stub, run_flood):
    acks = []

    def answer(head, body):
        if head == 0x40:
            acks.append(body)
            return b""
        return pong_only(head, body)

    message = native.Message("news", b"x" * 100, ack_id=9).encode()
    telling = start_stub(answer, told=message)
    assert run_flood(telling.server_address, *BRIEF, 1)["messages"] == 3
    assert acks == [struct.pack(">IB", 9, 0)] * 3


def test_reconnecting_waits_as_long_as_it_is_told(start_stub, run_flood):
    goaway = native.Goaway(native.OVERLOADED, retry_after_ms=200).encode()
    busy = start_stub(pong_only, told=goaway)
    counts = run_flood(busy.server_address, *BRIEF, 3, "--reconnect")
    assert 3 <= counts["reconnects"] <= 3 * 16
    assert counts["dismissed"] == counts["goaway_by_code"]["4005"]
    assert counts["lost_unexpected"] == 0


def test_a_draining_server_may_name_another_to_go_to(start_stub, run_flood):
    calm = start_stub(pong_only)
    other = f"127.0.0.1:{calm.server_address[1]}"
    goaway = native.Goaway(native.DRAINING, 50, "moving", other).encode()
    draining = start_stub(pong_only, told=goaway)
    counts = run_flood(draining.server_address, *BRIEF, 2, "--reconnect")
    assert counts["moved"] == counts["reconnects"] == 3 and counts["moves_ignored"] == 0
    assert (draining.hellos, calm.hellos) == (3, 3)


# What cannot work is said before anything is sent.


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--connections", 0], "--connections"),
        (["--mute", 0.7, "--churn", 0.7], "more than 1"),
        (["--sources", "192.0.2.1"], "not an address of this machine"),
        (["--connections", 200000, "--sources", "127.0.0.2"], "--sources"),
        (["--connections", 50000, "--processes", 1], "--processes"),
        (["--json", "/nonexistent/file.json"], "cannot write"),
        (["--protocol", "smoke-signals"], "--protocol"),
    ],
)
def test_what_cannot_work_exits_with_two_and_says_why(start_flood, arguments, said):
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if "--processes" in arguments and (hard_limit > 50000 or hard_limit < 0):
        pytest.skip("one process holds that many here")
    flood = start_flood(("127.0.0.1", 9), *arguments)
    flood.wait(USAGE)
    assert said in flood.output


def test_a_closed_port_is_said_plainly(run_flood, start_stub):
    stub = start_stub(pong_only)
    stub.shutdown()
    stub.server_close()
    counts = run_flood(stub.server_address, "--connections", 5, "--duration", 1, expected=FAULT)
    assert counts["refused"]["connection_refused"] == counts["never_welcomed"] == 5
    assert counts["latency_us"]["welcome"] == NO_LATENCIES
