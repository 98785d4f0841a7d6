"""What the server does to silent devices of its own accord, beside a bare loop of the same system
calls: shared by bench_send and bench_close.
"""

import dataclasses
import json

import bench_rounds
import bench_text


@dataclasses.dataclass(frozen=True)
class Act:
    """Something that the gateway does to every session at a known time after its last sign of life,
    and the floor when a signal says so.
    """

    name: str  # the client's and the floor's word for it
    what: str
    connections: int
    heartbeat_s: int
    # The window opens so long after the devices' last PING, before the gateway's first act.
    quiet_s: float
    gateway_settings: dict


def measure(programs, options, act):
    """Returns the windows of both programs and their comparison. `options`: rounds."""
    starts = {
        "floor": programs.floor(act.name),
        "gateway": programs.gateway(loops=1, settings=act.gateway_settings),
    }
    with bench_rounds.running(starts) as servers:
        windows = bench_rounds.in_turn(
            options.rounds,
            servers,
            lambda name, server, _round: one_window(programs, act, server, name == "floor"),
        )
    compared = bench_rounds.comparison(
        act.what, "us", windows, f"server_cpu_ns_per_{act.name}", scale=1000
    )
    own_us = [window["own_cpu_ns"] / 1000 for window in windows["floor"]]
    return {
        "connections": act.connections,
        "rounds": options.rounds,
        "gateway_settings": act.gateway_settings | {"device asks for": f"{act.heartbeat_s} s"},
        "comparisons": [compared],
        "floor_by_its_own_clock_us": bench_rounds.spread(own_us),
        "windows": windows,
    }


def one_window(programs, act, server, is_floor):
    window = programs.load(
        server,
        act.name,
        flags=["--signal"] if is_floor else [],
        connections=act.connections,
        heartbeat=act.heartbeat_s,
        quiet=0 if is_floor else act.quiet_s,
    )
    if is_floor:
        told = json.loads(server.process.stdout.readline())
        window["own_cpu_ns"] = told["cpu_ns"] / told["operations"]
    return window


def own_clock_text(result):
    return bench_text.spread_text(result["floor_by_its_own_clock_us"])


def print_report(result):
    bench_text.print_comparison(result["comparisons"][0])
    print(f"  floor by its own clock, its loop alone: {own_clock_text(result)} us")


def page(result):
    settings = ", ".join(f"{key} {value}" for key, value in result["gateway_settings"].items())
    return [
        *bench_text.comparison_table(result["comparisons"]),
        "",
        f"{result['rounds']} rounds of {result['connections']:,} devices; {settings}. The floor by "
        f"its own clock, its loop alone: {own_clock_text(result)} us.",
    ]
