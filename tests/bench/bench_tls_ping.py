"""The server's CPU time for a ping over TLS 1.3, against the same gateway without TLS.

One PING frame is one record. The servers run side by side on one processor; the same client on
another drives them in turn.
"""

import contextlib

import bench_certificate
import bench_ping
import bench_rounds
import bench_text
import bench_tls

TITLE = "A ping over TLS"
BUDGET = 1.35
NOISE = bench_ping.NOISE
VERSION = "1.3"
PLAIN = "gateway without TLS"
# No closed loop: the client's own TLS would be its limit, so that the two servers compared would
# work at different rates.
POINTS = (
    bench_ping.Point(5000, 5000), bench_ping.Point(5000, 20000), bench_ping.Point(5000, 40000),
)


def measure(programs, options):
    """Returns for each point the windows of all servers, their comparison, and whether it holds.

    `options`: rounds, seconds.
    """
    with contextlib.ExitStack() as stack:
        certificate = stack.enter_context(bench_certificate.made())
        servers = stack.enter_context(bench_rounds.running(starts(programs, certificate)))
        points = [measure_point(programs, options, servers, point) for point in POINTS]
    return {
        "window_s": options.seconds,
        "warm_up_s": bench_ping.WARM_UP_S,
        "rounds": options.rounds,
        "points": points,
        "comparisons": [point["comparison"] for point in points],
        "holds": bench_rounds.holds(point["comparison"] for point in points),
    }


def starts(programs, certificate):
    servers = {
        "gateway": bench_tls.gateway(programs, certificate),
        PLAIN: programs.gateway(loops=1),
    }
    peers = programs.tls_peers()
    if "mosquitto" in peers:
        servers["mosquitto"] = peers["mosquitto"](certificate)
    return servers


def measure_point(programs, options, servers, point):
    def one_window(name, server, _round):
        return programs.load(
            server,
            "ping",
            connections=point.connections,
            rate=point.rate_per_s,
            seconds=options.seconds,
            warm_up=bench_ping.WARM_UP_S,
            **({} if name == PLAIN else {"tls": VERSION}),
        )

    windows = bench_rounds.in_turn(options.rounds, servers, one_window)
    compared = bench_rounds.comparison(
        f"server CPU a ping over TLS, {point}", "us", windows, "server_cpu_ns_per_ping", scale=1000
    )
    return {
        "point": str(point),
        "comparison": bench_rounds.budget(compared, PLAIN, BUDGET, NOISE),
        "round_trip_us": {
            name: bench_ping.round_trip(of_server) for name, of_server in windows.items()
        },
        "shares": bench_rounds.shares(windows),
        "windows": windows,
    }


def print_report(result):
    print(f"\nA ping over TLS {VERSION}: the server's CPU, user and kernel; round trips from the")
    print("planned time, in us, p50 / p99 / p99.9 / max; none was lost.")
    for point in result["points"]:
        bench_text.print_comparison(point["comparison"])
        for name, percentiles in point["round_trip_us"].items():
            print(f"  {name:<20} round trip {bench_ping.round_trip_text(percentiles)}")
        bench_text.print_shares(point["shares"])


def page(result):
    rows = [
        [point["point"], name, bench_ping.round_trip_text(percentiles)]
        for point in result["points"]
        for name, percentiles in point["round_trip_us"].items()
    ]
    heads = ["load", "program", "round trip p50 / p99 / p99.9 / max, us"]
    return [
        f"What the answer to a device's PING costs the server over TLS {VERSION}, a record a "
        "frame, beside the same gateway without TLS in the same rounds; Mosquitto over TLS too. "
        f"{result['rounds']} rounds; a window is {result['window_s']:g} s after "
        f"{result['warm_up_s']:g} s of the same load. {bench_tls.SUITE_TEXT}",
        "",
        *bench_text.comparison_table(result["comparisons"]),
        "",
        "Round trips count from the planned time. No ping was lost.",
        "",
        *bench_text.markdown_table(heads, rows),
        "",
        *bench_text.shares_table([(one["point"], one["shares"]) for one in result["points"]]),
    ]
