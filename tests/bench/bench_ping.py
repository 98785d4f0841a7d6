"""The server's CPU time for a ping, against the floor program and a broker in the same run.

The servers run side by side on one processor; the same client on another drives them in turn.
"""

import dataclasses
import statistics

import bench_rounds
import bench_text

TITLE = "A ping"
BUDGET = 1.05
# For noise: a second copy of the floor came out up to 1.03 x floor (median of 7 rounds), on two
# processors that other programs wanted too. Every run measures such a twin and tells.
NOISE = 0.03
TWIN = "floor again"
WARM_UP_S = 0.5
PERCENTILES = ("p50", "p99", "p99_9", "max")


@dataclasses.dataclass(frozen=True)
class Point:
    """A load: pings planned at a rate, or (0) the next as soon as the last is answered."""

    connections: int
    rate_per_s: int

    def __str__(self):
        load = f"{self.rate_per_s:,} pings/s" if self.rate_per_s else "closed loop"
        return f"{self.connections:,} connections, {load}"


POINTS = (Point(5000, 5000), Point(5000, 20000), Point(256, 0))


def measure(programs, options):
    """Returns for each point the windows of all programs, their comparison, and whether it holds.

    `options`: rounds, seconds.
    """
    starts = {"floor": programs.floor(), "gateway": programs.gateway(loops=1)}
    starts |= {name: start() for name, start in programs.peers().items()}
    starts[TWIN] = programs.floor()
    with bench_rounds.running(starts) as servers:
        points = [measure_point(programs, options, servers, point) for point in POINTS]
    return {
        "window_s": options.seconds,
        "warm_up_s": WARM_UP_S,
        "rounds": options.rounds,
        "points": points,
        "comparisons": [
            compared
            for point in points
            for compared in (point["comparison"], *point["round_trips"])
        ],
        "holds": all(point["comparison"]["budget"]["holds"] for point in points),
    }


def measure_point(programs, options, servers, point):
    def one_window(_name, server, _round):
        return programs.load(
            server,
            "ping",
            connections=point.connections,
            rate=point.rate_per_s,
            seconds=options.seconds,
            warm_up=WARM_UP_S,
        )

    windows = bench_rounds.in_turn(options.rounds, servers, one_window)
    twin = windows.pop(TWIN)
    compared = bench_rounds.comparison(
        f"server CPU a ping, {point}", "us", windows, "server_cpu_ns_per_ping", scale=1000
    )
    return {
        "point": str(point),
        "comparison": bench_rounds.budget(compared, "floor", BUDGET, NOISE),
        "round_trips": [
            bench_rounds.comparison(
                f"round trip {name}, {point}", "us", windows, f"round_trip_us.{key}"
            )
            for key, name in (("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9"))
        ],
        "round_trip_us": {name: round_trip(of_program) for name, of_program in windows.items()},
        "pings_per_s": {
            name: statistics.median(bench_rounds.column(of_program, "achieved_per_s"))
            for name, of_program in windows.items()
        },
        "shares": bench_rounds.shares(windows),
        "twin_ratio": twin_ratio(windows["floor"], twin),
        "windows": windows,
    }


def twin_ratio(floor, twin):
    """What the same program comes out as when it is measured twice: the noise."""
    costs = [bench_rounds.column(one, "server_cpu_ns_per_ping") for one in (floor, twin)]
    return bench_rounds.spread([again / first for first, again in zip(*costs)])


def round_trip(windows):
    """The median over the windows of each percentile."""
    keys = {key: bench_rounds.column(windows, f"round_trip_us.{key}") for key in PERCENTILES}
    return {key: statistics.median(values) for key, values in keys.items()}


def round_trip_text(percentiles):
    return " / ".join(f"{percentiles[key]:,.0f}" for key in PERCENTILES)


def print_report(result):
    print("\nA ping: the server's CPU, user and kernel; round trips from the planned time, in us,")
    print("p50 / p99 / p99.9 / max; none was lost.")
    for point in result["points"]:
        bench_text.print_comparison(point["comparison"])
        for name, percentiles in point["round_trip_us"].items():
            rate = point["pings_per_s"][name]
            print(f"  {name:<10} round trip {round_trip_text(percentiles)} at {rate:,.0f} pings/s")
        print(f"  {TWIN} / floor {bench_text.ratio_text(point['twin_ratio'])}")
        bench_text.print_shares(point["shares"])


def page(result):
    rows = [
        [point["point"], name, f"{point['pings_per_s'][name]:,.0f}", round_trip_text(percentiles)]
        for point in result["points"]
        for name, percentiles in point["round_trip_us"].items()
    ]
    heads = ["load", "program", "pings/s", "round trip p50 / p99 / p99.9 / max, us"]
    return [
        "What the answer to a device's PING costs the server, in CPU time of user and kernel. "
        f"{result['rounds']} rounds; a window is {result['window_s']:g} s after "
        f"{result['warm_up_s']:g} s of the same load.",
        "",
        *bench_text.comparison_table([one["comparison"] for one in result["points"]]),
        "",
        "A second copy of the floor in the same rounds, which shows the noise: "
        + "; ".join(
            f"{one['point']}: {bench_text.ratio_text(one['twin_ratio'])} x floor"
            for one in result["points"]
        )
        + ".",
        "",
        "Round trips count from the planned time. No ping was lost.",
        "",
        *bench_text.markdown_table(heads, rows),
        "",
        *bench_text.shares_table([(one["point"], one["shares"]) for one in result["points"]]),
    ]
