"""What an eviction costs: a session whose heartbeat did not come gets GOAWAY 4003 and is closed.

The floor has a loop over its sockets with one send and one close each. No budget: the ratio is
reported.
"""

import bench_acts

TITLE = "An eviction"
HEARTBEAT_S = 3
ACT = bench_acts.Act(
    name="close",
    what="server CPU of an eviction",
    connections=10_000,
    heartbeat_s=HEARTBEAT_S,
    quiet_s=HEARTBEAT_S - 0.3,
    # Evicted after one silent heartbeat, so that no PING of the server is counted with it.
    gateway_settings={"heartbeat.misses": "1"},
)


def measure(programs, options):
    return bench_acts.measure(programs, options, ACT)


def print_report(result):
    print(f"\nAn eviction of each of {result['connections']:,}, silent since the same moment.")
    bench_acts.print_report(result)


def page(result):
    return [
        "What an eviction costs, GOAWAY 4003 and the end of the connection, when all devices have "
        "been silent since the same moment; beside a bare loop of send, shutdown and close. "
        "No budget.",
        "",
        *bench_acts.page(result),
    ]
