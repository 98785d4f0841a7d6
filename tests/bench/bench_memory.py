"""What an idle session costs in memory: the slope between numbers of sessions, so that what a
gateway costs with none does not count.
"""

import contextlib
import time

import bench_machine
from bench_programs import CannotMeasure

BUDGET_BYTES = 256
SESSIONS = (5000, 10000, 15000, 19000)
LOOPS = (1, 2)
SETTLED_S = 1.0
SETTLE_MAX_S = 15.0


def measure(programs):
    """Returns for each number of loops the samples, their slopes, and whether the budget holds."""
    runs = [measure_gateway(programs, loops) for loops in LOOPS]
    return {
        "budget_bytes": BUDGET_BYTES,
        "runs": runs,
        "holds": all(run["rss_slope_bytes"] <= BUDGET_BYTES for run in runs),
    }


def measure_gateway(programs, loops):
    samples = []
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(programs.gateway(loops))
        held = 0
        for sessions in SESSIONS:
            more = programs.held_connections(gateway, sessions - held, first_id=held)
            stack.enter_context(more)
            held = sessions
            samples.append(sample(gateway.pid, sessions))
    slabs = samples[0]["slabs"].keys()
    return {
        "loops": loops,
        "samples": samples,
        "rss_slope_bytes": slope(samples, lambda one: one["user"]["rss"]),
        "private_slope_bytes": slope(samples, lambda one: one["user"]["private"]),
        "kernel_slope_bytes": {
            name: slope(samples, lambda one, name=name: one["slabs"][name]) for name in slabs
        },
    }


def sample(pid, sessions):
    return {
        "sessions": sessions,
        "user": settled_user_memory(pid),
        "slabs": bench_machine.slab_bytes(),
    }


def settled_user_memory(pid):
    """The process's memory once it has not moved for SETTLED_S: sessions are idle again."""
    last = bench_machine.user_memory_bytes(pid)
    since = started = time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        if time.monotonic() - started > SETTLE_MAX_S:
            raise CannotMeasure("the gateway's memory does not come to rest")
        time.sleep(0.05)
        now = bench_machine.user_memory_bytes(pid)
        if now != last:
            last = now
            since = time.monotonic()
    return last


def slope(samples, value_of):
    """Bytes a session: the straight line of least squares through the samples."""
    points = [(one["sessions"], value_of(one)) for one in samples]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return rise / sum((x - mean_x) ** 2 for x, _ in points)


def print_run(run):
    print(f"\nloops.count = {run['loops']}")
    for one in run["samples"]:
        user = one["user"]
        print(
            f"  {one['sessions']:>6,} sessions   Rss {user['rss'] / 1024:>9,.0f} KiB   "
            f"private {user['private'] / 1024:>9,.0f} KiB"
        )
    verdict = "holds" if run["rss_slope_bytes"] <= BUDGET_BYTES else "BROKEN"
    print(f"  a session: user {run['rss_slope_bytes']:.0f} bytes of Rss  {verdict}")
    print(f"             user {run['private_slope_bytes']:.0f} bytes private")
    kernel = run["kernel_slope_bytes"]
    if not kernel:
        print("             kernel: /proc/slabinfo may be read by root only")
        return
    parts = ", ".join(f"{name} {value:,.0f}" for name, value in kernel.items())
    print(f"             kernel {sum(kernel.values()):,.0f} bytes for both ends ({parts})")


def print_report(report):
    print(f"\nAn idle session: budget {report['budget_bytes']} bytes of user memory.")
    print("Slope over the samples; device ids of 16 characters; each has sent one PING and is")
    print("silent again. Kernel bytes are of both ends, since client and gateway share a machine.")
    for run in report["runs"]:
        print_run(run)
