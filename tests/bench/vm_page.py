"""The sections of docs/benchmarks.md that tests/vm/run measures."""

import bench_text

TITLES = {
    "vm-million": "A million connections in one process",
    "vm-two-million": "Two million connections on two loops",
}
MIB = 2**20
PERCENTILES = ("p50", "p99", "p999", "max")


def page(result):
    flood = result["flood"]
    lines = [
        f"{flood['clients_welcomed']:,} devices in one virtual machine with the gateway, under "
        "software emulation: processors many times slower than real ones, so that counts, bytes "
        "and ratios mean something and times do not. Profile "
        f"`{result['profiles'][0]}`, `holdfast doctor`: {result['doctor']}.",
        "",
        *bench_text.markdown_table(["figure", "measured"], list(figures(result))),
        "",
        "While they connected, and in the calm (the last row):",
        "",
        *bench_text.markdown_table(
            ["sessions", "user memory, MiB", "kernel memory of both ends, MiB", "loop lag, ms"],
            [sample_row(sample) for sample in result["samples"]],
        ),
        "",
        verdict(result),
    ]
    return lines


def figures(result):
    flood, slopes, calm = result["flood"], result["slope_bytes"], result["calm"]
    latencies = flood["latency_us"]
    yield ["connected", f"{flood['clients_welcomed']:,} in {flood['ramp_s']:,.0f} s "
           f"({flood['connect_rate_per_s']:,.0f}/s)"]
    yield ["user memory of a session, slope", f"{slopes['user_rss']:.1f} bytes"]
    slabs = ", ".join(f"{name} {value:,.0f}" for name, value in slopes["slabs_both_ends"].items())
    yield ["kernel memory of a connection, both ends, slope",
           f"{slopes['kernel_both_ends']:,.0f} bytes; by slab: {slabs}"]
    yield ["answered a heartbeat since the last login", f"{flood['clients_answered_in_hold']:,}"]
    yield ["lost, evicted early", f"{flood['lost_unexpected']:,}, {flood['evicted_early']:,}"]
    yield ["heartbeats in the calm", f"{calm['heartbeats_per_s']:,.0f}/s"]
    yield ["gateway in the calm", f"{calm['gateway_processors']:.2f} of two emulated processors, "
           f"{calm['gateway_cpu_us_per_heartbeat']:,.0f} us a heartbeat"]
    lags = [f"calm {calm['lag_ms_max']:.0f} ms", f"then {result['lag_ms_max_after_calm']:.0f} ms"]
    if "lag_ms_max_at_end" in result:
        lags.append(f"when all hang up at once {result['lag_ms_max_at_end']:.0f} ms")
    yield ["loop lag, most", ", ".join(lags)]
    yield [f"round trip in the calm, {heads()}", percentiles_text(latencies["ping_rtt_calm"])]
    if not flood["evicted_expected"]:
        return
    yield ["evicted, of those that fell silent", f"{flood['evicted_expected']:,}"]
    yield [f"eviction after its deadline, {heads()}",
           percentiles_text(latencies["eviction_delay"])]
    yield [f"round trip while evicting, {heads()}",
           percentiles_text(latencies["ping_rtt_evicting"])]
    yield ["its p99.9, while evicting / calm", f"{result['rtt_p999_ratio']:.2f}"]


def heads():
    return "p50 / p99 / p99.9 / max"


def percentiles_text(latency_us):
    return " / ".join(f"{latency_us[key] / 1000:,.1f}" for key in PERCENTILES) + " ms"


def sample_row(sample):
    return [
        f"{sample['sessions']:,.0f}",
        f"{sample['rss_bytes'] / MIB:,.1f}",
        f"{sample['kernel_bytes'] / MIB:,.0f}",
        f"{sample['lag_ms']:.0f}",
    ]


def verdict(result):
    if result["holds"]:
        return f"Everything held, in {result['took_s'] / 60:.1f} minutes."
    return "Did not hold: " + "; ".join(result["failures"])
