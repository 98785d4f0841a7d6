"""What it costs to send one small frame to everybody: the gateway's own PINGs to silent devices.

The gateway has no push to many yet; a PING to every session whose heartbeat is due is its nearest
kin, and stands in for it. It pays for finding those sessions in the timing wheel too. The floor has
a loop over its sockets with one send each. No budget: the ratio is reported.
"""

import bench_acts

TITLE = "A frame to everybody"
GRACE_MS = 500
HEARTBEAT_S = 2
ACT = bench_acts.Act(
    name="send",
    what="server CPU of one small frame to a device",
    connections=10_000,
    heartbeat_s=HEARTBEAT_S,
    quiet_s=HEARTBEAT_S + GRACE_MS / 1000 - 0.3,
    # So many misses that nobody is evicted while the client waits.
    gateway_settings={"heartbeat.grace_ms": str(GRACE_MS), "heartbeat.misses": "30"},
)


def measure(programs, options):
    return bench_acts.measure(programs, options, ACT)


def print_report(result):
    print(f"\nOne small frame to each of {result['connections']:,}: a PING to the silent.")
    bench_acts.print_report(result)


def page(result):
    return [
        "What it costs to send one small frame to everybody: the gateway's own PING to devices "
        "whose heartbeat is due, found in the timing wheel, beside a bare loop of sends. It stands "
        "in for a push to many, which this version does not have. No budget.",
        "",
        *bench_acts.page(result),
    ]
