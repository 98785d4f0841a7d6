"""What it costs to know who is still alive, against an ordered map, libevent's timers and a scan.

Simulated time and no system calls; what one heartbeat means stands in bookkeeping_bench.cc. CPU
time, so that what other programs do meanwhile counts for little.
"""

import json
import statistics
import subprocess

from bench_programs import CannotMeasure

TITLE = "The bookkeeping of a heartbeat"
OURS = "wheel_and_list"
# Nanoseconds a heartbeat at this many sessions, each keeping its own phase.
BUDGET_NS = 30
BUDGET_SESSIONS = 1_000_000
BUDGET_ARRIVALS = "steady"
REPETITIONS = 5
RUN_S = 1200


def measure(programs, _options):
    """Returns a row for each structure, arrivals and number of sessions, and whether ours holds."""
    rows = list(rows_of(run_program(programs, REPETITIONS)))
    ours = [row for row in rows if is_budgeted(row)]
    if len(ours) != 1:
        raise CannotMeasure("bench_bookkeeping did not measure what the budget is for")
    return {
        "budget_ns": BUDGET_NS,
        "repetitions": REPETITIONS,
        "rows": rows,
        "holds": ours[0]["median_ns"] <= BUDGET_NS,
    }


def run_program(programs, repetitions):
    command = [programs.gateway_binary.parent / "bench_bookkeeping", "--benchmark_format=json"]
    command += [f"--benchmark_repetitions={repetitions}"]
    pipe = subprocess.PIPE
    process = programs.popen(command, programs.cpus[:1], stdout=pipe, stderr=pipe, text=True)
    try:
        output, errors = process.communicate(timeout=RUN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise CannotMeasure(f"bench_bookkeeping did not end within {RUN_S} s") from None
    if process.returncode != 0:
        raise CannotMeasure(f"bench_bookkeeping failed: {errors}".strip())
    return json.loads(output)["benchmarks"]


def rows_of(benchmarks):
    """One row a benchmark; its name is structure/arrivals/sessions:N/..."""
    samples = {}
    for one in benchmarks:
        if one["run_type"] == "iteration":
            samples.setdefault(one["run_name"], []).append(one["per_heartbeat"] * 1e9)
    for name, values in samples.items():
        structure, arrivals, sessions, *_ = name.split("/")
        yield {
            "structure": structure,
            "arrivals": arrivals,
            "sessions": int(sessions.partition(":")[2]),
            "median_ns": statistics.median(values),
            "range_ns": [min(values), max(values)],
        }


def is_budgeted(row):
    key = (row["structure"], row["sessions"], row["arrivals"])
    return key == (OURS, BUDGET_SESSIONS, BUDGET_ARRIVALS)


def figure(row):
    low, high = row["range_ns"]
    return f"{row['median_ns']:,.1f} ({low:,.1f}..{high:,.1f})"


def table_of(result):
    """Header and rows: a column for each number of sessions."""
    rows = result["rows"]
    sizes = sorted({row["sessions"] for row in rows})
    lines = [["structure", "arrivals", *(f"{size:,}" for size in sizes)]]
    for structure, arrivals in dict.fromkeys((row["structure"], row["arrivals"]) for row in rows):
        found = {
            row["sessions"]: figure(row)
            for row in rows
            if (row["structure"], row["arrivals"]) == (structure, arrivals)
        }
        lines.append([structure, arrivals, *(found.get(size, "-") for size in sizes)])
    return lines


def budget_text(result):
    row = next(row for row in result["rows"] if is_budgeted(row))
    verdict = "holds" if result["holds"] else "BROKEN"
    return (
        f"{OURS} at {BUDGET_SESSIONS:,} sessions, {BUDGET_ARRIVALS}: {figure(row)} ns, "
        f"budget {result['budget_ns']} ns: {verdict}"
    )


def print_report(result):
    print("\nBookkeeping of a heartbeat: ns of CPU, median (ends) of the repetitions, by sessions.")
    for structure, arrivals, *figures in table_of(result):
        print(f"  {structure:<24} {arrivals:<9}" + "".join(f"{text:>28}" for text in figures))
    print(f"  {budget_text(result)}")


def page(result):
    """The lines of a page's section."""
    header, *rows = table_of(result)
    lines = [
        "Nanoseconds of CPU a heartbeat, everything that a tick does included; median (ends) of "
        f"{result['repetitions']} repetitions.",
        "",
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
    ]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return [*lines, "", budget_text(result)]
