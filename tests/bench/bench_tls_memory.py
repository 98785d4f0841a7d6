"""What an idle TLS connection costs the server in memory: the slope between two numbers of them.

Each has been active twice, with a pause in between that is longer than allocators keep what was
freed, and is idle again. The servers run side by side and are all asked at the same stages, so that
they share the pauses.
"""

import contextlib
import time

import bench_certificate
import bench_memory
import bench_rounds
import bench_text
import bench_tls
from slope import slope

TITLE = "An idle TLS connection"
CONNECTIONS = (2000, 8000)
BUDGET = 0.9
AIM_BYTES = 12_500
# jemalloc gives back what has been free for 10 s.
DECAY_S = 11.0
# The second is for the record, and memory hardly differs from round to round.
ROUNDS_12 = 1


def measure(programs, options):
    """Returns the samples and slopes of every round, their comparisons, and whether the budget
    holds. `options`: rounds.
    """
    lines = [measure_version(programs, "1.3", options.rounds)]
    lines.append(measure_version(programs, "1.2", ROUNDS_12))
    bench_rounds.budget(lines[0]["comparison"], "nginx", BUDGET)
    comparisons = [line["comparison"] for line in lines]
    return {
        "connections": CONNECTIONS,
        "decay_s": DECAY_S,
        "rounds": options.rounds,
        "aim_bytes": AIM_BYTES,
        "parts": programs.session_cost()["tls_bytes"],
        "lines": lines,
        "comparisons": comparisons,
        "holds": bench_rounds.holds(comparisons),
    }


def measure_version(programs, version, rounds):
    windows = {}
    for _ in range(rounds):
        for name, window in one_round(programs, version).items():
            windows.setdefault(name, []).append(window)
    what = f"resident memory of an idle connection, TLS {version}"
    return {
        "version": version,
        "rounds": rounds,
        "comparison": bench_rounds.comparison(what, "bytes", windows, "rss_slope_bytes"),
        "windows": windows,
    }


def one_round(programs, version):
    """A window of each server: {name: {"samples", "rss_slope_bytes", "private_slope_bytes"}}."""
    samples = {}
    with contextlib.ExitStack() as stack:
        certificate = stack.enter_context(bench_certificate.made())
        servers = stack.enter_context(bench_rounds.running(bench_tls.starts(programs, certificate)))
        crowds = {name: [] for name in servers}
        held = 0
        for connections in CONNECTIONS:
            for name, server in servers.items():
                more = programs.held_connections(server, connections - held, held, tls=version)
                crowds[name].append(stack.enter_context(more))
            held = connections
            time.sleep(DECAY_S)
            for name, server in servers.items():
                for crowd in crowds[name]:
                    crowd.ping_again()
                samples.setdefault(name, []).append(sample(server, connections))
    return {name: window(of_server) for name, of_server in samples.items()}


def sample(server, connections):
    return {"sessions": connections, "user": bench_memory.settled_user_memory(server.pids)}


def window(samples):
    return {
        "samples": samples,
        "rss_slope_bytes": slope(samples, lambda one: one["user"]["rss"]),
        "private_slope_bytes": slope(samples, lambda one: one["user"]["private"]),
    }


def counts_text(result):
    return " and ".join(f"{count:,}" for count in result["connections"])


def aim_text(result):
    ours = result["comparisons"][0]["programs"]["gateway"]["median"]
    word = "reached" if ours <= result["aim_bytes"] else "not reached"
    return f"The aim of {result['aim_bytes']:,} bytes with TLS 1.3 is {word}."


def parts_rows(result):
    """What a connection consists of, and what was measured."""
    measured = [
        (f"measured, TLS {line['version']}", line["comparison"]["programs"]["gateway"]["median"])
        for line in result["lines"]
    ]
    return [(part, f"{count:,.0f}") for part, count in [*result["parts"].items(), *measured]]


def print_report(result):
    print(f"\nAn idle TLS connection: slope between {counts_text(result)}, active and idle again.")
    for line in result["lines"]:
        bench_text.print_comparison(line["comparison"])
    print(f"  {aim_text(result)}")
    for part, count in parts_rows(result):
        print(f"  {part:<48} {count:>6}")


def page(result):
    rounds = ", ".join(
        f"{line['rounds']} round{'s' if line['rounds'] > 1 else ''} of TLS {line['version']}"
        for line in result["lines"]
    )
    return [
        "What an idle TLS connection takes of the server's memory, an authenticated session where "
        f"it has sessions: the slope of resident bytes between {counts_text(result)} connections; "
        f"{rounds}. Each connection has pinged, was idle for {result['decay_s']:g} s, longer than "
        "allocators keep what was freed, has pinged again and is idle again. "
        f"{bench_tls.http_text()}; what it sets aside for all of its connections when it starts is "
        f"in no slope. {bench_tls.SUITE_TEXT}",
        "",
        *bench_text.comparison_table(result["comparisons"]),
        "",
        aim_text(result),
        "",
        "Where the gateway's bytes are, by sizes that the compiler asserts "
        "(`gateway/route/session_cost.h`):",
        "",
        *bench_text.markdown_table(["part", "bytes"], parts_rows(result)),
    ]
