"""What an idle session costs in memory: the slope between numbers of sessions, so that what a
gateway costs with none does not count.
"""

import contextlib
import time

import bench_machine
import bench_rounds
import bench_text
from bench_programs import CannotMeasure
from slope import slope

TITLE = "An idle session"
BUDGET_BYTES = 160
SESSIONS = (5000, 10000, 15000, 19000)
LOOPS = (1, 2)
SETTLED_S = 1.0
SETTLE_MAX_S = 15.0


def measure(programs, _options):
    """Returns for each program its samples and their slopes, the comparison, and whether the budget
    holds for every number of loops.
    """
    runs = [
        measure_server(programs, "gateway", programs.gateway(loops)) | {"loops": loops}
        for loops in LOOPS
    ]
    peers = [measure_server(programs, name, start()) for name, start in programs.peers().items()]
    windows = {one["program"]: [one] for one in [runs[0], *peers]}
    parts = programs.session_cost()
    keys = (("user memory", "rss_slope_bytes"), ("private user memory", "private_slope_bytes"))
    return {
        "budget_bytes": BUDGET_BYTES,
        "runs": runs + peers,
        "comparisons": [
            bench_rounds.comparison(f"{what} of an idle session", "bytes", windows, key)
            for what, key in keys
        ],
        "parts": parts,
        "holds": parts["rss_slope_to_a_million"] <= BUDGET_BYTES
        and all(run["rss_slope_bytes"] <= BUDGET_BYTES for run in runs),
    }


def measure_server(programs, name, start):
    samples = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(start)
        held = 0
        for sessions in SESSIONS:
            more = programs.held_connections(server, sessions - held, first_id=held)
            stack.enter_context(more)
            held = sessions
            samples.append(sample(server.pids, sessions))
    slabs = samples[0]["slabs"].keys()
    return {
        "program": name,
        "samples": samples,
        "rss_slope_bytes": slope(samples, lambda one: one["user"]["rss"]),
        "private_slope_bytes": slope(samples, lambda one: one["user"]["private"]),
        "kernel_slope_bytes": {
            slab: slope(samples, lambda one, slab=slab: one["slabs"][slab]) for slab in slabs
        },
    }


def sample(pids, sessions):
    return {
        "sessions": sessions,
        "user": settled_user_memory(pids),
        "slabs": bench_machine.slab_bytes(),
    }


def settled_user_memory(pids):
    """The memory of a server's processes once it has not moved for SETTLED_S: sessions are idle
    again.
    """
    last = bench_machine.user_memory_bytes(pids)
    since = started = time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        if time.monotonic() - started > SETTLE_MAX_S:
            raise CannotMeasure("a server's memory does not come to rest")
        time.sleep(0.05)
        now = bench_machine.user_memory_bytes(pids)
        if now != last:
            last = now
            since = time.monotonic()
    return last


def title(run):
    return f"{run['program']}, {run['loops']} loops" if "loops" in run else run["program"]


def verdict(run, budget_bytes):
    if "loops" not in run:
        return ""
    return "holds" if run["rss_slope_bytes"] <= budget_bytes else "BROKEN"


def print_run(run, budget_bytes):
    print(f"\n{title(run)}")
    for one in run["samples"]:
        user = one["user"]
        print(
            f"  {one['sessions']:>6,} sessions   Rss {user['rss'] / 1024:>9,.0f} KiB   "
            f"private {user['private'] / 1024:>9,.0f} KiB"
        )
    print(f"  a session: user {run['rss_slope_bytes']:.0f} bytes of Rss  "
          f"{verdict(run, budget_bytes)}")
    print(f"             user {run['private_slope_bytes']:.0f} bytes private")
    kernel = run["kernel_slope_bytes"]
    if not kernel:
        print("             kernel: /proc/slabinfo may be read by root only")
        return
    parts = ", ".join(f"{name} {value:,.0f}" for name, value in kernel.items())
    print(f"             kernel {sum(kernel.values()):,.0f} bytes for both ends ({parts})")


def print_report(result):
    print(f"\nAn idle session: budget {result['budget_bytes']} bytes of user memory.")
    print("Slope over the samples; device ids of 16 characters; each has sent one PING and is")
    print("silent again. Kernel bytes are of both ends, since client and server share a machine.")
    for run in result["runs"]:
        print_run(run, result["budget_bytes"])
    print("\nBy the sizes of its parts, and without sockets:")
    for part, figure in parts_rows(result["parts"]):
        print(f"  {part:<60} {figure:>8}")


def parts_rows(parts):
    """The budget by sizes, and beside it what a million and two million records took."""
    budget = parts["budget_bytes"]
    rows = [(part, f"{size:,}") for part, size in budget.items()]
    measured = (
        ("a million", "rss_slope_to_a_million"),
        ("two million", "rss_slope_to_two_million"),
    )
    return rows + [
        (f"measured without sockets, slope to {count} sessions", f"{parts[key]:.1f}")
        for count, key in measured
    ]


def page(result):
    counts = ", ".join(f"{one['sessions']:,}" for one in result["runs"][0]["samples"])
    rows = []
    for run in result["runs"]:
        kernel = sum(run["kernel_slope_bytes"].values())
        rows.append([
            title(run),
            f"{run['rss_slope_bytes']:,.0f}",
            f"{run['private_slope_bytes']:,.0f}",
            f"{kernel:,.0f}" if kernel else "not readable",
            verdict(run, result["budget_bytes"]),
        ])
    heads = [
        "program", "resident, bytes", "private, bytes", "kernel, both ends, bytes",
        f"budget {result['budget_bytes']} bytes resident",
    ]
    return [
        f"What an idle session takes: the slope over {counts} sessions with ids of 16 characters, "
        "each after a PING. The kernel's bytes are of both ends, which share the machine.",
        "",
        *bench_text.markdown_table(heads, rows),
        "",
        "What it consists of, by sizes that the compiler asserts "
        "(`gateway/route/session_cost.h`), and what records and directory entries alone take at "
        "numbers of sessions that no descriptor limit allows to connect here "
        "(`bench_session_cost`). The slopes above are of so few sessions that single pages and the "
        "table's steps show in them.",
        "",
        *bench_text.markdown_table(["part", "bytes"], parts_rows(result["parts"])),
    ]
