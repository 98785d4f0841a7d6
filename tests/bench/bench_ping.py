"""The server's CPU time for a ping, against the floor program in the same run.

Floor and gateway run side by side on one processor; the same client on another drives them in turn,
so that what the machine does meanwhile meets both. A pair is one window of each, and gives a ratio.
"""

import dataclasses
import statistics

BUDGET = 1.15
# For noise. Against a second copy of itself the floor came out up to 1.03 (median of 7 pairs), on
# two processors that other programs wanted too.
NOISE = 0.05
WARM_UP_S = 0.5
CLIENT_BUSY = 0.9


@dataclasses.dataclass(frozen=True)
class Point:
    """A load: pings planned at a rate, or (0) the next as soon as the last is answered."""

    connections: int
    rate_per_s: int

    def __str__(self):
        load = f"{self.rate_per_s:,} pings/s" if self.rate_per_s else "closed loop"
        return f"{self.connections:,} connections, {load}"


POINTS = (Point(5000, 5000), Point(5000, 20000), Point(256, 0))


def measure(programs, pairs, seconds):
    """Returns for each point the windows of both programs, their summary, and whether it holds."""
    runs = {point: [] for point in POINTS}
    with programs.floor() as floor, programs.gateway(loops=1) as gateway:
        for pair in range(pairs):
            for point in POINTS:
                runs[point].append(run_pair(programs, point, seconds, floor, gateway, pair % 2))
    points = [summary(point, windows) for point, windows in runs.items()]
    return {
        "budget": BUDGET,
        "noise": NOISE,
        "window_s": seconds,
        "warm_up_s": WARM_UP_S,
        "points": points,
        "holds": all(point["holds"] for point in points),
    }


def run_pair(programs, point, seconds, floor, gateway, is_gateway_first):
    order = [("floor", floor), ("gateway", gateway)]
    if is_gateway_first:
        order.reverse()
    arguments = ["--connections", point.connections, "--rate", point.rate_per_s]
    arguments += ["--seconds", seconds, "--warm-up", WARM_UP_S]
    return {name: programs.load(server, arguments) for name, server in order}


def spread(values):
    """Median, quartiles and ends."""
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return {
        "median": statistics.median(values),
        "quartiles": [quartiles[0], quartiles[2]],
        "range": [min(values), max(values)],
    }


def column(windows, name, key):
    return [pair[name][key] for pair in windows]


def summary(point, windows):
    cost = {name: column(windows, name, "server_cpu_ns_per_ping") for name in ("floor", "gateway")}
    ratio = spread([gateway / floor for floor, gateway in zip(cost["floor"], cost["gateway"])])
    client_share = statistics.median(column(windows, "gateway", "client_share"))
    return {
        "point": str(point),
        "floor_ns": spread(cost["floor"]),
        "gateway_ns": spread(cost["gateway"]),
        "ratio": ratio,
        "server_share": statistics.median(column(windows, "gateway", "server_share")),
        "client_share": client_share,
        "client_was_limit": client_share > CLIENT_BUSY,
        "others_share": statistics.median(column(windows, "gateway", "others_share")),
        "holds": ratio["median"] <= BUDGET + NOISE,
        "windows": windows,
    }


def spread_text(values, digits):
    """12.3 [11.9..12.8] (11.0..14.2): median, quartiles, ends."""
    low, high = values["quartiles"]
    least, most = values["range"]
    texts = [f"{value:.{digits}f}" for value in (values["median"], low, high, least, most)]
    return "{} [{}..{}] ({}..{})".format(*texts)


def in_us(values):
    return {
        key: [each / 1000 for each in value] if isinstance(value, list) else value / 1000
        for key, value in values.items()
    }


def round_trip_text(windows, name):
    """The median over the windows of each percentile."""
    keys = ("p50", "p99", "p99_9", "max")
    medians = [
        statistics.median(pair[name]["round_trip_us"][key] for pair in windows) for key in keys
    ]
    return " / ".join(f"{value:,.0f}" for value in medians)


def print_point(point):
    windows = point["windows"]
    rate = statistics.median(column(windows, "gateway", "achieved_per_s"))
    print(f"\n{point['point']} ({len(windows)} pairs)")
    print(f"  floor CPU a ping      {spread_text(in_us(point['floor_ns']), 2)} us")
    print(f"  gateway CPU a ping    {spread_text(in_us(point['gateway_ns']), 2)} us")
    verdict = "holds" if point["holds"] else "BROKEN"
    print(f"  ratio                 {spread_text(point['ratio'], 3)}  {verdict}")
    print(f"  floor round trip      {round_trip_text(windows, 'floor')} us")
    print(f"  gateway round trip    {round_trip_text(windows, 'gateway')} us")
    limit = ", so the client was the limit" if point["client_was_limit"] else ""
    print(
        f"  busy                  gateway {point['server_share']:.2f}, "
        f"client {point['client_share']:.2f} of its processor{limit}; "
        f"others {point['others_share']:.2f}; {rate:,.0f} pings/s"
    )


def print_report(report):
    print(f"\nA ping: budget {report['budget']} x floor, and {report['noise']} for noise.")
    print("CPU: server, user and kernel, median [quartiles] (ends) of the pairs.")
    print("Round trip: p50 / p99 / p99.9 / max, from the planned time, none lost.")
    for point in report["points"]:
        print_point(point)
