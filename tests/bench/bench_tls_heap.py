"""Where every byte of an idle TLS connection is: what the gateway has allocated, by the function
that asked for it, as heaptrack tells it.

Two gateways, with two numbers of connections that have each pinged and are idle, end by SIGKILL, so
that everything they hold is still allocated; a connection's bytes are the difference. heaptrack
hears malloc and its kin; operator new of jemalloc calls none of them, so libstdc++'s goes before.
What is allocated once, for the process, falls out of the difference.
"""

import collections
import os
import pathlib
import subprocess
import tempfile
import time

import bench_certificate
import bench_text
import bench_tls
from bench_programs import CannotMeasure

TITLE = "An idle TLS connection, byte by byte"
CONNECTIONS = (2000, 6000)
TLS = "1.3"
PRINT_S = 120
BUFFER_BYTES = 4096  # PIPE_BUF
WRITTEN_S = 60
PRELOAD = pathlib.Path("/usr/lib/heaptrack/libheaptrack_preload.so")
INTERPRET = pathlib.Path("/usr/lib/heaptrack/libexec/heaptrack_interpret")
# Below this a site is what a process allocates now and then, spread over the connections.
LEAST_BYTES = 0.5
OWN = "holdfast::"


def measure(programs, _options):
    """Returns bytes a connection, {function: bytes}, those of OpenSSL among them as a sum."""
    for path in (PRELOAD, INTERPRET):
        if not path.is_file():
            raise CannotMeasure(f"{path} is missing: tools/setup has heaptrack")
    with bench_certificate.made() as certificate, tempfile.TemporaryDirectory() as folder:
        few, many = (
            allocated(programs, certificate, count, pathlib.Path(folder)) for count in CONNECTIONS
        )
    more = CONNECTIONS[1] - CONNECTIONS[0]
    sites = {site: (count - few[site]) / more for site, count in many.items()}
    shown = {site: count for site, count in sites.items() if abs(count) >= LEAST_BYTES}
    return {
        "connections": CONNECTIONS,
        "version": TLS,
        "sites": dict(sorted(shown.items(), key=lambda item: -item[1])),
        "openssl_bytes": sum(count for site, count in sites.items() if OWN not in site),
        "sum_bytes": sum(sites.values()),
    }


def allocated(programs, certificate, connections, folder):
    """Bytes that are allocated while so many connections are idle, by function."""
    raw, stacks = folder / f"{connections}.raw", folder / f"{connections}.stacks"
    environment = os.environ | {
        "LD_PRELOAD": f"{PRELOAD}:libstdc++.so.6",
        "DUMP_HEAPTRACK_OUTPUT": str(raw),
    }
    settings = bench_tls.gateway_settings(certificate)
    with programs.gateway(1, settings, environment=environment) as server:
        with programs.held_connections(server, connections, 0, tls=TLS) as held:
            held.ping_again()
            wait_until_written(raw)
            server.process.kill()
            server.process.wait()
            held.abandon()
    interpret(raw, stacks)
    return by_site(stacks)


def wait_until_written(raw):
    """heaptrack writes by the buffer, and the time of day into it many times a second."""
    wanted = raw.stat().st_size + BUFFER_BYTES
    deadline = time.monotonic() + WRITTEN_S
    while raw.stat().st_size < wanted:
        if time.monotonic() >= deadline:
            raise CannotMeasure("heaptrack writes nothing")
        time.sleep(0.05)


def interpret(raw, stacks):
    """Makes folded stacks, a line each with its bytes, of what heaptrack has written."""
    interpreted = raw.with_suffix(".interpreted")
    with raw.open("rb") as source, interpreted.open("wb") as target:
        subprocess.run(
            [INTERPRET],
            stdin=source,
            stdout=target,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=PRINT_S,
        )
    quiet = ["-l", "0", "-p", "0", "-a", "0", "-T", "0"]
    folded = ["--flamegraph-cost-type", "leaked", "-F", stacks]
    subprocess.run(
        ["heaptrack_print", "-f", interpreted, *quiet, *folded],
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=PRINT_S,
    )


def by_site(stacks):
    """Bytes by the two innermost of the gateway's own functions, or by the innermost of all."""
    sites = collections.Counter()
    for line in stacks.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        own = [frame.split("(")[0] for frame in frames if OWN in frame]
        sites[" < ".join(reversed(own[-2:])) if own else frames[-1]] += int(count)
    return sites


def rows(result):
    sites = [(f"`{site}`", f"{count:,.1f}") for site, count in result["sites"].items()]
    openssl = ("OpenSSL, and whatever else is not the gateway's", f"{result['openssl_bytes']:,.1f}")
    return [*sites, openssl, ("sum", f"{result['sum_bytes']:,.1f}")]


def counts_text(result):
    return " and ".join(f"{count:,}" for count in result["connections"])


def print_report(result):
    print(f"\nAn idle connection of TLS {result['version']}, difference of {counts_text(result)}.")
    for site, count in rows(result):
        print(f"  {count:>8}  {site}")


def page(result):
    return [
        f"What is allocated for an idle, authenticated connection of TLS {result['version']}, by "
        "the functions that asked for it, as heaptrack tells it: the difference between "
        f"{counts_text(result)} connections. Without the air between allocations, which the "
        "measurement above has in it.",
        "",
        *bench_text.markdown_table(["asked for by", "bytes a connection"], rows(result)),
    ]
