"""What a TLS handshake costs the server in CPU time: with the certificate, and resumed.

A closed loop of connections: connect, handshake, close, and again. A handshake counts when the
server's side stands too: in TLS 1.3 a ticket has come. One that is to be resumed offers the ticket
of the connection before it, and the client fails when any was not resumed. What accepting and
closing cost is in it, for all servers.
"""

import dataclasses

import bench_certificate
import bench_rounds
import bench_text
import bench_tls

TITLE = "A TLS handshake"
BUDGET = 1.0
# As for a ping: what the same program came out as, measured twice.
NOISE = 0.03
CONNECTIONS = 16
WARM_UP_S = 0.5


@dataclasses.dataclass(frozen=True)
class Line:
    """A kind of handshake, and whether the budget is for it."""

    kind: str
    version: str
    has_budget: bool

    def __str__(self):
        return f"{self.kind}, TLS {self.version}"


LINES = (Line("full", "1.3", True), Line("resumed", "1.3", True), Line("full", "1.2", False))


def measure(programs, options):
    """Returns for each line the windows of all servers, their comparison, and whether it holds.

    `options`: rounds, seconds.
    """
    with bench_certificate.made() as certificate:
        with bench_rounds.running(bench_tls.starts(programs, certificate)) as servers:
            lines = [measure_line(programs, options, servers, line) for line in LINES]
    comparisons = [line["comparison"] for line in lines]
    return {
        "connections": CONNECTIONS,
        "window_s": options.seconds,
        "warm_up_s": WARM_UP_S,
        "rounds": options.rounds,
        "lines": lines,
        "comparisons": comparisons,
        "holds": bench_rounds.holds(comparisons),
    }


def measure_line(programs, options, servers, line):
    def one_window(_name, server, _round):
        return programs.handshakes(
            server,
            kind=line.kind,
            tls=line.version,
            alpn=bench_tls.ALPN[server.protocol],
            connections=CONNECTIONS,
            seconds=options.seconds,
            warm_up=WARM_UP_S,
        )

    windows = bench_rounds.in_turn(options.rounds, servers, one_window)
    compared = bench_rounds.comparison(
        f"server CPU a handshake, {line}", "us", windows, "server_cpu_ns_per_handshake", scale=1000
    )
    if line.has_budget:
        bench_rounds.budget(compared, "nginx", BUDGET, NOISE)
    return {
        "line": str(line),
        "comparison": compared,
        "suites": sorted({one["suite"] for of_server in windows.values() for one in of_server}),
        "counted": {name: counted(of_server) for name, of_server in windows.items()},
        "shares": bench_rounds.shares(windows),
        "windows": windows,
    }


def counted(windows):
    """How many handshakes the windows had, and how many of them were resumed."""
    return {key: sum(bench_rounds.column(windows, key)) for key in ("handshakes", "resumed")}


def per_cpu_second(line, name):
    return 1e6 / line["comparison"]["programs"][name]["median"]


def counted_rows(result):
    """One a line and server: how many, how many resumed, how many a second of the server's CPU."""
    return [
        [
            line["line"],
            name,
            f"{count['handshakes']:,}",
            f"{count['resumed']:,}",
            f"{per_cpu_second(line, name):,.0f}",
        ]
        for line in result["lines"]
        for name, count in line["counted"].items()
    ]


def print_report(result):
    print("\nA TLS handshake: the server's CPU, user and kernel, accept and close included.")
    for line in result["lines"]:
        bench_text.print_comparison(line["comparison"])
        print(f"  {', '.join(line['suites'])}")
        bench_text.print_shares(line["shares"])
    print()
    for line, name, handshakes, resumed, per_s in counted_rows(result):
        print(
            f"  {line:<18} {name:<10} {handshakes:>8} counted, {resumed:>8} resumed, "
            f"{per_s:>6} a second of CPU"
        )


def page(result):
    heads = ["handshake", "program", "counted", "of them resumed", "per second of server CPU"]
    suites = sorted({suite for line in result["lines"] for suite in line["suites"]})
    return [
        "What a TLS handshake costs the server, in CPU time of user and kernel, with accept and "
        f"close. {result['connections']} connections each connect, do the handshake, close and "
        f"begin again. {result['rounds']} rounds; a window is {result['window_s']:g} s after "
        f"{result['warm_up_s']:g} s of the same load. Counted are handshakes of which the server "
        "has seen the end: in TLS 1.3 its ticket has come. Resumed ones offer the ticket of the "
        f"connection before. {bench_tls.SUITE_TEXT} Agreed on: {', '.join(suites)}.",
        "",
        *bench_text.comparison_table(result["comparisons"]),
        "",
        *bench_text.markdown_table(heads, counted_rows(result)),
        "",
        *bench_text.shares_table([(line["line"], line["shares"]) for line in result["lines"]]),
    ]
