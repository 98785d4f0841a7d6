"""What a new connection costs, from connect to WELCOME: the thread that accepts, and all of it.

The client opens connections as fast as it can, with a bounded number that wait for their WELCOME.
The floor has the gateway's two threads, one that accepts and one that welcomes, on one processor as
the gateway's: only so does its accept thread pay for the same hand-over and the same wakes.
"""

import bench_rounds
import bench_text

TITLE = "A new connection"
BUDGET = 1.15
CONNECTIONS = 10_000
# So that no round meets the ports that the last one has just closed.
SETS_OF_SOURCES = 4


def measure(programs, options):
    """Returns the windows of all programs, their comparisons, and whether the budget holds.

    `options`: rounds.
    """
    starts = {"floor": programs.floor("accept"), "gateway": programs.gateway(loops=1)}
    starts |= {name: start() for name, start in programs.peers().items()}

    def one_window(_name, server, number):
        thread = {"server_thread": server.accept_thread} if server.accept_thread else {}
        first_id = number % SETS_OF_SOURCES * CONNECTIONS
        return programs.load(
            server, "accept", connections=CONNECTIONS, first_id=first_id, **thread
        )

    with bench_rounds.running(starts) as servers:
        windows = bench_rounds.in_turn(options.rounds, servers, one_window)
        own_thread = {name: windows[name] for name in servers if servers[name].accept_thread}
    comparisons = compare(windows, own_thread)
    shares = bench_rounds.shares(windows)
    # One that used all of its processor says how fast the client is.
    comparisons[-1]["client_was_limit"] = bench_text.is_client_busy(shares)
    return {
        "connections": CONNECTIONS,
        "rounds": options.rounds,
        "comparisons": comparisons,
        "shares": shares,
        "holds": bench_rounds.holds(comparisons),
        "windows": windows,
    }


def compare(windows, own_thread):
    acceptor = bench_rounds.comparison(
        "CPU of the accept thread a connection", "us", own_thread, "thread_cpu_ns_per_connection",
        scale=1000,
    )
    return [
        bench_rounds.budget(acceptor, "floor", BUDGET),
        bench_rounds.comparison(
            "CPU of the whole server a connection", "us", windows, "server_cpu_ns_per_connection",
            scale=1000,
        ),
        bench_rounds.comparison(
            "connections from connect to WELCOME", "per s", windows, "achieved_per_s",
            more_is_better=True,
        ),
    ]


def print_report(result):
    print(f"\nA new connection: {result['connections']:,} opened as fast as the client can.")
    for compared in result["comparisons"]:
        bench_text.print_comparison(compared)
    bench_text.print_shares(result["shares"])


def page(result):
    return [
        f"What a new connection costs, from connect to WELCOME (MQTT: CONNACK): "
        f"{result['connections']:,} opened as fast as the client can, {result['rounds']} rounds. "
        "The floor has an accept thread and one that welcomes, as the gateway has.",
        "",
        *bench_text.comparison_table(result["comparisons"]),
        "",
        *bench_text.shares_table([("while connecting", result["shares"])]),
    ]
