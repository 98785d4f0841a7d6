"""A storm of arrivals: 5,000 devices ping over TLS, and 2,000 new ones come in the same moment.

The gateway may use all processors, with one loop on the first; both crowds share the second. The
living go first (real-time, where that is allowed), then the gateway, and the newcomers after it, by
niceness: they stand for clients on machines of their own, which would take nothing from the
gateway's processors. They come as fast as one processor can do their half of the handshakes, which
is said with the result. A repetition is a gateway of its own. Calm is before the newcomers' program
starts; the storm is from its first connect to the last WELCOME. Several settings of the gateway can
be compared in the same run, in turn: --variant.
"""

import contextlib
import statistics
import time

import bench_certificate
import bench_crowd
import bench_text
import bench_tls
from bench_crowd import PERCENTILES, ms_text, told, windows_of

TITLE = "A storm of arrivals over TLS"
VERSION = "1.3"
LIVING = 5_000
NEWCOMERS = 2_000
PINGS_PER_S = 5_000
# The 99th percentile of the living: storm over calm.
BUDGET = 3.0
SETTLE_S = 1.0
CALM_MIN_S = 2.0


def measure(programs, options):
    """Returns the runs of every variant, and whether the first one's hold the budget.

    `options`: rounds, seconds (of calm), variants.
    """
    variants = options.variants or [{}]
    runs = [[] for _ in variants]
    for number in range(options.rounds):
        for index in turn(len(variants), number):
            runs[index].append(run_once(programs, options, variants[index]))
    results = [variant_result(settings, own) for settings, own in zip(variants, runs)]
    return {
        "living": LIVING,
        "newcomers": NEWCOMERS,
        "pings_per_s": PINGS_PER_S,
        "budget": BUDGET,
        "rounds": options.rounds,
        "variants": results,
        "holds": results[0]["holds"],
    }


def turn(count, number):
    """Who begins changes from round to round."""
    first = number % count
    return [*range(first, count), *range(first)]


def run_once(programs, options, settings):
    with contextlib.ExitStack() as stack:
        certificate = stack.enter_context(bench_certificate.made())
        settings = bench_tls.gateway_settings(certificate) | settings
        gateway = stack.enter_context(programs.gateway(1, settings, cpus=programs.cpus))
        living = stack.enter_context(crowd(programs, gateway, "living", LIVING, 0))
        told(living)
        time.sleep(SETTLE_S)
        calm = pause_ns(max(options.seconds, CALM_MIN_S))
        newcomers = stack.enter_context(crowd(programs, gateway, "arriving", NEWCOMERS, LIVING))
        arrivals = told(newcomers)
        storm = (arrivals["begin"], arrivals["end"])
        return run_result(arrivals, windows_of(living, calm, storm))


def crowd(programs, gateway, kind, connections, first_id):
    arguments = ["--tls", VERSION, "--connections", connections, "--first-id", first_id]
    if kind == "living":
        return bench_crowd.running(programs, kind, gateway, *arguments, "--rate", PINGS_PER_S)
    return bench_crowd.running(
        programs, kind, gateway, *arguments, priority=programs.after_first
    )


def pause_ns(seconds):
    """Waits, and returns the moments before and after on the clock that the crowds have too."""
    begin = time.monotonic_ns()
    time.sleep(seconds)
    return begin, time.monotonic_ns()


def run_result(arrivals, living):
    calm_us, storm_us = living["windows"]
    return {
        "came_ms": (arrivals["last_connect"] - arrivals["begin"]) / 1e6,
        "storm_ms": (arrivals["end"] - arrivals["begin"]) / 1e6,
        "welcomed": arrivals["welcomed"],
        "first_loss": arrivals["first_loss"] or living["first_loss"],
        "handshake_us": arrivals["handshake_us"],
        "welcome_us": arrivals["welcome_us"],
        "calm_us": calm_us,
        "storm_us": storm_us,
        "p99_ratio": storm_us["p99"] / calm_us["p99"],
        "lost_pings": living["lost_pings"],
        "lost_connections": living["lost_connections"],
        "is_whole": arrivals["welcomed"] == NEWCOMERS
        and living["lost_pings"] == 0
        and living["lost_connections"] == 0,
    }


def variant_result(settings, runs):
    ratios = [run["p99_ratio"] for run in runs]
    is_whole = all(run["is_whole"] for run in runs)
    return {
        "settings": settings,
        "runs": runs,
        "is_whole": is_whole,
        "p99_ratio": statistics.median(ratios),
        "p99_ratio_range": [min(ratios), max(ratios)],
        "holds": is_whole and statistics.median(ratios) <= BUDGET,
    }


def title(variant):
    settings = ", ".join(f"{key}={value}" for key, value in variant["settings"].items())
    return settings or "usual settings"


def ratio_text(variant):
    low, high = variant["p99_ratio_range"]
    return f"{variant['p99_ratio']:.2f} ({low:.2f}..{high:.2f})"


def print_report(report):
    print(f"\nStorm of arrivals: {report['living']:,} ping over TLS {VERSION}, ", end="")
    print(f"{report['pings_per_s']:,} pings/s; {report['newcomers']:,} come at once.")
    print("Times in ms, p50 / p99 / p99.9 / max.")
    for variant in report["variants"]:
        print(f"\n  {title(variant)}")
        for run in variant["runs"]:
            print(
                f"    came within {run['came_ms']:,.0f}, storm {run['storm_ms']:,.0f}; "
                f"{run['welcomed']:,} welcomed; lost pings {run['lost_pings']}, "
                f"connections {run['lost_connections']} {run['first_loss']}"
            )
            for key in ("handshake_us", "welcome_us", "calm_us", "storm_us"):
                print(f"      {KEYS[key]:<32} {ms_text(run[key])}")
            print(f"      {'p99 storm / calm':<32} {run['p99_ratio']:.2f}")
        print(f"    median ratio {ratio_text(variant)}")
    print(f"\n  {verdict(report)}")


KEYS = {
    "handshake_us": "newcomers, connect to handshake",
    "welcome_us": "newcomers, connect to WELCOME",
    "calm_us": "round trip of the living, calm",
    "storm_us": "round trip of the living, storm",
}


def verdict(report):
    word = "holds" if report["holds"] else "BROKEN"
    first = title(report["variants"][0])
    return f"Budget, p99 of the living {report['budget']:g} x calm, {first}: {word}"


def page(report):
    """The lines of a page's section."""
    heads = ["what", *(title(variant) for variant in report["variants"])]
    return [
        f"{report['living']:,} devices send {report['pings_per_s']:,} pings/s over TLS {VERSION}, "
        f"and {report['newcomers']:,} new ones come at once, from connect to WELCOME: as fast as "
        "one processor can do the clients' half of the handshakes. Medians of "
        f"{report['rounds']} runs; milliseconds p50 / p99 / p99.9 / max. The newcomers are a "
        "program of a lower priority, since on one machine they would take processors from the "
        "gateway, as clients elsewhere do not; the gateway has one loop and may use all "
        f"processors. {bench_tls.SUITE_TEXT}",
        "",
        *bench_text.markdown_table(heads, page_rows(report["variants"])),
        "",
        verdict(report),
    ]


def page_rows(variants):
    rows = [["all had come within", *(f"{median_of(one, 'came_ms'):,.0f} ms" for one in variants)]]
    rows.append(["storm", *(f"{median_of(one, 'storm_ms'):,.0f} ms" for one in variants)])
    rows.append(["welcomed, fewest", *(f"{least_of(one, 'welcomed'):,}" for one in variants)])
    for key, what in KEYS.items():
        rows.append([what, *(medians(one, key) for one in variants)])
    rows.append(["p99 storm / calm", *(ratio_text(one) for one in variants)])
    return rows


def median_of(variant, key):
    return statistics.median(run[key] for run in variant["runs"])


def least_of(variant, key):
    return min(run[key] for run in variant["runs"])


def medians(variant, what):
    runs = variant["runs"]
    return ms_text({key: statistics.median(run[what][key] for run in runs) for key in PERCENTILES})
