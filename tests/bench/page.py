"""Makes docs/benchmarks.md of docs/measured/*.json: no figure on that page is typed by hand."""

import pathlib

import bench_machine
import bench_record
import bench_text
import bench_tls_ping
import vm_page
from bench_registry import MEASUREMENTS

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEASURED = ROOT / "docs/measured"
PAGE = ROOT / "docs/benchmarks.md"

HEAD = """\
# Benchmarks

<!-- Made by tests/bench/run of docs/measured/*.json; a change by hand fails a test. -->

What was measured, by which command, when, and on which machine.

```sh
cmake --preset release && cmake --build build/release
tests/bench/run                          # everything here; exit 1 when a budget is broken
tests/bench/run ping --rounds 15         # one measurement; --help names them
tests/bench/run accept --keep            # and puts it on this page
```

## How to read it

A **floor** (`tests/bench/floor.cc`) is the smallest program that makes the same system calls as the
gateway for one thing and does nothing else: no deadlines, no identity, no limits. What the gateway
costs beyond it is the price of being a gateway. A **peer** is a whole program from Debian that
holds device connections too. The same client (`bench_ping_load`) drives all of them in turn,
A B C A B C, servers on one processor and client on another; Mosquitto by MQTT 3.1.1, the others by
the native protocol. Where TLS is measured, nginx is a peer too, by HTTP/1.1, and
`bench_handshake_load` is the client that only does handshakes.

Look at the ratios: a ratio is of two windows of one round, so that what else the machine did met
both. Absolute times say more about the machine than about the programs. A figure is the median over
the rounds, with quartiles. Server cost is the server's own CPU time, user and kernel, not time on
the wall: the client shares the machine, and where it used most of its processor it was the limit,
so that no throughput is claimed there.
"""

# What the gateway is compared with that is the gateway.
OURSELVES = {bench_tls_ping.PLAIN}

PEERS_HEAD = """\
## Where a peer is better

Of everything that was compared: where the gateway's ratio to a program is on the wrong side of 1
with both quartiles. That the floor costs less is expected; it does less.
"""


def render(records):
    """The page as text. `records`: {name: record}; a measurement without one is left out."""
    parts = [HEAD]
    for name, module in MEASUREMENTS.items():
        if name in records:
            parts.append(section(title_of(name), records[name], module.page))
    for name, title in vm_page.TITLES.items():
        if name in records:
            parts.append(section(title, records[name], vm_page.page))
    for name, record in records.items():
        if name not in MEASUREMENTS and name not in vm_page.TITLES:
            parts.append(section(title_of(name), record, plain_page))
    parts.append(PEERS_HEAD + "\n" + "\n".join(peers_lines(records)) + "\n")
    return "\n".join(parts)


def title_of(name):
    """The heading of a section: the measurement's own, or its name."""
    own = getattr(MEASUREMENTS.get(name), "TITLE", None)
    return own or name.replace("-", " ").capitalize()


def section(title, record, page):
    command = f"`{record['command']}`" if "command" in record else ""
    result = record.get("result", record)
    lines = [f"## {title}", "", command, "", *page(result), ""]
    lines += machine_lines(record.get("machine", {}), programs_of(result))
    return "\n".join(lines).rstrip() + "\n"


def programs_of(result):
    """The names of the programs that a result compares."""
    return {name for one in result.get("comparisons", []) for name in one["programs"]}


def machine_lines(machine, programs):
    """Paragraphs: when, of which commit and where; the gateway's settings; the peers' that took
    part.
    """
    apart = ("measured", "settings", "peers")
    known = {key: value for key, value in machine.items() if key not in apart}
    facts = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in known.items())
    lines = [f"Measured {machine['measured']}: {facts}."] if "measured" in machine else []
    if "settings" in machine:
        lines += ["", f"Gateway: {bench_machine.fact_text(machine['settings'])}."]
    for name, peer in machine.get("peers", {}).items():
        if name in programs:
            lines += ["", f"{name.capitalize()}: {bench_machine.fact_text(peer)}."]
    return lines


def plain_page(result):
    """For a result that no measurement here knows how to show: its figures by name."""
    return bench_text.markdown_table(["figure", "value"], list(plain_rows(result)))


def plain_rows(value, name=""):
    if isinstance(value, dict):
        for key, part in value.items():
            yield from plain_rows(part, f"{name}, {key}" if name else str(key))
    elif isinstance(value, list):
        yield [name.replace("_", " "), ", ".join(str(part) for part in value)]
    else:
        yield [name.replace("_", " "), str(value)]


def is_better(compared, ratio):
    """Whether the other program is better than the gateway beyond the spread."""
    low, high = ratio["quartiles"]
    return high < 1 if compared["more_is_better"] else low > 1


def peers_lines(records):
    rows = []
    for record in records.values():
        for compared in record.get("result", {}).get("comparisons", []):
            for name, ratio in compared["ratios"].items():
                if name not in OURSELVES and is_better(compared, ratio):
                    gateway, other = (compared["programs"][key] for key in ("gateway", name))
                    rows.append([
                        name,
                        f"{compared['what']}, {compared['unit']}",
                        bench_text.spread_text(other),
                        bench_text.spread_text(gateway),
                        bench_text.ratio_text(ratio),
                        "the client was the limit" if compared.get("client_was_limit") else "",
                    ])
    if not records:
        return ["Nothing has been measured yet."]
    if not rows:
        return ["Nowhere."]
    # Peers first: to lose to a whole program says more than to lose to a floor.
    rows.sort(key=lambda row: row[0] == "floor")
    heads = ["program", "figure", "its", "gateway", "ratio", "but"]
    return bench_text.markdown_table(heads, rows)


def write():
    PAGE.write_text(render(bench_record.read_all(MEASURED)), encoding="utf-8")
