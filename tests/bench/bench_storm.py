"""An eviction storm: 15,000 of 18,000 devices fall silent in the same moment, and 3,000 ping on.

Gateway on one processor, both crowds on another, the living before the mute (real-time, where that
is allowed). A repetition is a gateway of its own. The deadline of a mute device is the moment
before it sent its last frame, and the timeout that it was promised; the error is how much later its
GOAWAY had arrived in its kernel.
Calm is after the gateway has asked the silent for a heartbeat and before the first deadline; the
storm is from the first deadline to the last eviction.
"""

import contextlib
import statistics

import bench_crowd
from bench_crowd import PERCENTILES, ms_text, told, windows_of

TITLE = "An eviction storm"
MUTE = 15_000
LIVING = 3_000
HEARTBEAT_S = 2
MISSES = 3
GRACE_MS = 500
PINGS_PER_S = 5_000
# Promised in docs/life_of_a_connection.md.
DEADLINE_BUDGET_US = 100_000
# The 99.9th percentile of the living: storm over calm.
LIVING_BUDGET = 2.0
SETTLE_S = 0.5
S = 1_000_000_000


def measure(programs, options):
    """Returns every repetition, their summary, and whether both budgets hold."""
    return summary([run_once(programs) for _ in range(options.rounds)])


def run_once(programs):
    with contextlib.ExitStack() as stack:
        settings = {"heartbeat.misses": MISSES, "heartbeat.grace_ms": GRACE_MS}
        gateway = stack.enter_context(programs.gateway(loops=1, settings=settings))
        living = stack.enter_context(crowd(programs, gateway, "living", LIVING, 0))
        told(living)
        mute = stack.enter_context(crowd(programs, gateway, "mute", MUTE, LIVING))
        deadlines = told(mute)
        evictions = told(mute)
        last_eviction = evictions["last_eviction"]
        silent_since = deadlines["last_deadline"] - HEARTBEAT_S * MISSES * S
        asked = silent_since + HEARTBEAT_S * S + GRACE_MS * S // 1000
        calm = (asked + int(SETTLE_S * S), deadlines["first_deadline"])
        storm = (deadlines["first_deadline"], last_eviction)
        return run_result(deadlines, evictions, storm, windows_of(living, calm, storm))


def crowd(programs, gateway, kind, connections, first_id):
    rate = ["--rate", PINGS_PER_S] if kind == "living" else ["--heartbeat-s", HEARTBEAT_S]
    return bench_crowd.running(
        programs, kind, gateway, "--connections", connections, "--first-id", first_id, *rate
    )


def run_result(deadlines, evictions, storm, living):
    calm_us, storm_us = living["windows"]
    return {
        "last_frames_ms": (deadlines["last_deadline"] - deadlines["first_deadline"]) / 1e6,
        "storm_ms": (storm[1] - storm[0]) / 1e6,
        "evictions": evictions,
        "deadline_error_us": evictions["late_us"],
        "calm_us": calm_us,
        "storm_us": storm_us,
        "p99_9_ratio": storm_us["p99_9"] / calm_us["p99_9"],
        "lost_pings": living["lost_pings"],
        "lost_connections": living["lost_connections"],
        "is_exact": evictions["evicted"] == MUTE
        and evictions["early"] == 0
        and evictions["ended_otherwise"] == 0
        and living["lost_pings"] == 0
        and living["lost_connections"] == 0,
    }


def median_of(runs, what, key):
    return statistics.median(run[what][key] for run in runs)


def summary(runs):
    ratios = [run["p99_9_ratio"] for run in runs]
    late = [run["deadline_error_us"]["p99"] for run in runs]
    return {
        "mute": MUTE,
        "living": LIVING,
        "pings_per_s": PINGS_PER_S,
        "timeout_s": HEARTBEAT_S * MISSES,
        "deadline_budget_us": DEADLINE_BUDGET_US,
        "living_budget": LIVING_BUDGET,
        "deadline_error_p99_us": statistics.median(late),
        "p99_9_ratio": statistics.median(ratios),
        "p99_9_ratio_range": [min(ratios), max(ratios)],
        "runs": runs,
        "is_exact": all(run["is_exact"] for run in runs),
        "holds": all(run["is_exact"] for run in runs)
        and statistics.median(late) <= DEADLINE_BUDGET_US
        and statistics.median(ratios) <= LIVING_BUDGET,
    }


def print_report(report):
    everybody = report["mute"] + report["living"]
    print(f"\nEviction storm: {report['mute']:,} of {everybody:,} die at once,")
    print(f"{report['living']:,} ping on, {report['pings_per_s']:,} pings/s. Times in ms.")
    for run in report["runs"]:
        evictions = run["evictions"]
        late = run["deadline_error_us"]
        print(
            f"  last frames in {run['last_frames_ms']:.0f}, storm {run['storm_ms']:.0f}; "
            f"{evictions['evicted']:,} evicted, {evictions['early']} early, "
            f"lost {run['lost_connections']}; {evictions['first_surprise']}"
        )
        print(f"    deadline error p50/p99/p99.9/max  {ms_text(late)}")
        print(f"    calm round trip                   {ms_text(run['calm_us'])}")
        print(f"    storm round trip                  {ms_text(run['storm_us'])}")
        print(f"    p99.9 storm / calm                {run['p99_9_ratio']:.2f}")
    verdict = "holds" if report["holds"] else "BROKEN"
    low, high = report["p99_9_ratio_range"]
    print(
        f"  median: deadline error p99 {report['deadline_error_p99_us'] / 1000:.1f} ms, "
        f"ratio {report['p99_9_ratio']:.2f} ({low:.2f}..{high:.2f})  {verdict}"
    )


def page(report):
    """The lines of a page's section."""
    low, high = report["p99_9_ratio_range"]
    rows = [
        ("last frames of the mute, spread", f"{median(report, 'last_frames_ms'):.0f} ms"),
        ("first deadline to last eviction", f"{median(report, 'storm_ms'):.0f} ms"),
        ("deadline error p50 / p99 / p99.9 / max", medians(report, "deadline_error_us")),
        ("round trip of the living, calm", medians(report, "calm_us")),
        ("round trip of the living, storm", medians(report, "storm_us")),
        ("p99.9 storm / calm", f"{report['p99_9_ratio']:.2f} ({low:.2f}..{high:.2f})"),
    ]
    exact = "exactly the mute" if report["is_exact"] else "NOT exactly the mute"
    return [
        f"{report['mute']:,} of {report['mute'] + report['living']:,} die at once, the others send "
        f"{report['pings_per_s']:,} pings/s; {exact} were evicted with 4003, none early. "
        f"Medians of {len(report['runs'])} runs; milliseconds p50 / p99 / p99.9 / max.",
        "",
        "| what | measured |",
        "|---|---|",
        *(f"| {what} | {figure} |" for what, figure in rows),
        "",
        f"Budgets: deadline error p99 {report['deadline_budget_us'] / 1000:.0f} ms, living p99.9 "
        f"{report['living_budget']} x calm: {'hold' if report['holds'] else 'BROKEN'}",
    ]


def median(report, key):
    return statistics.median(run[key] for run in report["runs"])


def medians(report, what):
    return ms_text({key: median_of(report["runs"], what, key) for key in PERCENTILES})
