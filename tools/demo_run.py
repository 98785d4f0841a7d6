"""Shows a gateway under a flood of devices, of which some fall silent; what tools/demo runs.

Builds both programs, starts `holdfast serve` on free ports of 127.0.0.1, runs conn_flood against
it, and compares what the devices saw with what the gateway counted. Exits with 0 only when exactly
the silent ones were evicted and no other connection was lost.
"""

import argparse
import dataclasses
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import build_tree
from build_tree import BUILD, ROOT, bin_dir

WORK = BUILD / "demo"
FIRST_PORT = 17000
HEARTBEAT_S = 5
MISSES = 3
HOLD_S = 40  # after all are connected: one timeout of the silent ones, and as long again
MUTE_FRACTION = 0.1
DESCRIPTORS_BESIDE_CONNECTIONS = 256  # listeners, loops, log, admin clients
START_PATIENCE_S = 20
STOP_PATIENCE_S = 20


class DemoError(Exception):
    """Something that ends the demo, in words for the person who started it."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """The gateway at one moment: what it says of itself, and what the kernel says of it."""

    time_s: float
    sessions: int
    heartbeats: int
    cpu_s: float
    rss_bytes: int


def free_port(start):
    for port in range(start, start + 1000):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As the gateway will: a port in TIME_WAIT is free, one that somebody listens on is not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DemoError(f"no free port on 127.0.0.1 from {start} to {start + 999}")


def fit_connections(wanted):
    """Sets the descriptor limit that the programs inherit; returns what fits into it."""
    needed = wanted + DESCRIPTORS_BESIDE_CONNECTIONS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (needed, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        except (ValueError, OSError):  # above the hard limit, and that may not be raised here
            continue
        fitting = min(wanted, limit - DESCRIPTORS_BESIDE_CONNECTIONS)
        if fitting < 100:
            raise DemoError(f"the descriptor limit is {limit}; the demo needs 400 or more")
        if fitting < wanted:
            print(f"The descriptor limit is {limit}: {fitting:,} connections, not {wanted:,}.")
        return fitting
    raise DemoError("the descriptor limit can be neither raised nor kept")


def build(jobs):
    print("Building (log: build/demo/build.log) ...", flush=True)
    with (WORK / "build.log").open("wb") as log:
        for command in build_tree.build_commands("release", jobs, ["holdfast", "conn_flood"]):
            if not build_tree.run_logged(command, log):
                raise DemoError("the build failed:\n" + last_lines(WORK / "build.log", 40))


def make_certificates():
    """A development CA and a server certificate for this machine, in build/demo/certs."""
    folder = WORK / "certs"
    command = [str(ROOT / "tools/certs"), "--dir", str(folder), "--name", "localhost"]
    made = subprocess.run(
        command + ["--name", "127.0.0.1"], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        raise DemoError(f"tools/certs failed:\n{made.stdout}{made.stderr}")
    return folder


def last_lines(path, count):
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-count:])


class Gateway:
    """A `holdfast serve` of our own: started, asked, stopped by its pid."""

    def __init__(self, connections, certificates=None):
        self.certificates = certificates  # the folder of tools/certs: TLS only; None: plain
        self.port = free_port(FIRST_PORT)
        self.admin = f"127.0.0.1:{free_port(self.port + 1)}"
        self.log_path = WORK / "gateway.log"
        config = WORK / "holdfast.toml"
        config.write_text(self._settings(connections), encoding="utf-8")
        print(f"\nThe gateway's settings ({config.relative_to(ROOT)}):")
        print(last_lines(config, 40))
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [str(bin_dir("release") / "holdfast"), "serve", "--config", str(config)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _settings(self, connections):
        return (
            f'admin.bind = "{self.admin}"\n'
            f"heartbeat.default_s = {HEARTBEAT_S}\n"
            f"heartbeat.misses = {MISSES}  # silent for {HEARTBEAT_S * MISSES} s is dead\n"
            f"limits.connections_max = {connections}\n"
            "[[listener]]\n"
            f'bind = "127.0.0.1:{self.port}"\n'
        ) + self._tls_settings()

    def _tls_settings(self):
        if self.certificates is None:
            return ""
        return (
            "tls = true\n"
            f'cert_file = "{self.certificates}/server.pem"\n'
            f'key_file = "{self.certificates}/server.key"\n'
        )

    def wait_until_ready(self):
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DemoError("the gateway ended:\n" + last_lines(self.log_path, 30))
            if self.is_ready():
                return
            time.sleep(0.05)
        raise DemoError("the gateway is not ready:\n" + last_lines(self.log_path, 30))

    def is_ready(self):
        try:
            self.get("/readyz")
            return True
        except OSError:
            return False

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=5) as reply:
            return reply.read().decode()

    def stats(self):
        return json.loads(self.get("/v1/stats"))

    def sample(self):
        stats = self.stats()
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])  # utime and stime, fields 14 and 15 of proc(5)
        return Sample(
            time_s=time.monotonic(),
            sessions=stats["sessions"],
            heartbeats=stats["heartbeats"],
            cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
            rss_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        )

    def stop(self):
        """Asks it to end; returns its exit code, or None when it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return None
        finally:
            build_tree.stop_group(self.process)


class Sampler(threading.Thread):
    """Takes a sample of the gateway twice a second until told to stop."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self._gateway = gateway
        self._stop_asked = threading.Event()
        self.samples = []

    def run(self):
        while not self._stop_asked.wait(0.5):
            try:
                self.samples.append(self._gateway.sample())
            except OSError:
                return  # the gateway is gone; the comparison at the end will say so

    def finish(self):
        self._stop_asked.set()
        self.join()
        return self.samples


def run_flood(gateway, connections):
    """Runs conn_flood with our own terminal; returns (exit code, its JSON)."""
    report = WORK / "flood.json"
    report.unlink(missing_ok=True)
    command = [str(bin_dir("release") / "conn_flood")]
    command += ["--target", f"127.0.0.1:{gateway.port}", "--connections", str(connections)]
    command += ["--heartbeat", str(HEARTBEAT_S), "--mute", str(MUTE_FRACTION)]
    command += ["--duration", str(HOLD_S), "--json", str(report)]
    if gateway.certificates is not None:
        command += ["--tls", "--ca", str(gateway.certificates / "ca.pem")]
    print(f"\n$ {' '.join(command)}", flush=True)
    # Of our own process group: the terminal's Ctrl-C reaches it as it reaches us.
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if not report.is_file():
        raise DemoError(f"conn_flood ended with {code} and left no report")
    return code, json.loads(report.read_text(encoding="utf-8"))


def steady_part(samples, connections):
    """The samples while every device was connected: from the first to the last such one."""
    return [sample for sample in samples if sample.sessions == connections]


def print_line(what, found):
    print(f"  {what:<26}{found}")


def print_cost(before, samples, connections):
    held = steady_part(samples, connections)
    if len(held) < 2:
        print_line("gateway's cost", "too few samples with all devices connected")
        return
    first, last = held[0], held[-1]
    seconds = last.time_s - first.time_s
    cpu_percent = 100 * (last.cpu_s - first.cpu_s) / seconds
    beats = (last.heartbeats - first.heartbeats) / seconds
    per_connection = (last.rss_bytes - before.rss_bytes) / connections
    print_line("gateway's CPU", f"{cpu_percent:.1f} % of a core at {beats:,.0f} heartbeats/s")
    print_line(
        "gateway's memory",
        f"RSS {before.rss_bytes / 2**20:.1f} MiB empty, {last.rss_bytes / 2**20:.1f} MiB full: "
        f"{per_connection:,.0f} bytes a connection",
    )


def judge(connections, mute, flood_code, flood, stats):
    """Returns (claim, what was found, whether it holds) for each thing that the demo promises."""
    welcomed = flood["clients_welcomed"]
    planned = flood["behaviours"]["mute"]["planned"]
    evicted, early = flood["evicted_expected"], flood["evicted_early"]
    overdue, lost = flood["evictions_overdue"], flood["lost_unexpected"]
    counted = stats["closed"].get("heartbeat_timeout", 0)
    return [
        ("connected", f"{welcomed:,} of {connections:,}", welcomed == connections),
        ("fell silent", f"{planned:,}", planned == mute),
        (
            "evicted",
            f"{evicted:,} seen by the devices, {counted:,} counted by the gateway; "
            f"{early:,} too early, {overdue:,} too late",
            evicted == counted == mute and early == overdue == 0,
        ),
        ("lost unexpectedly", f"{lost:,}", lost == 0),
        ("PONGs missing", f"{flood['pongs_missing']:,}", flood["pongs_missing"] == 0),
        ("conn_flood's own verdict", f"exit code {flood_code}", flood_code == 0),
    ]


def print_latency(flood):
    parts = (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"), ("max", "max"))
    lines = [("PING round trip", "ping_rtt"), ("eviction after deadline", "eviction_delay")]
    if "tls" in flood:
        lines.insert(0, ("TLS handshake", "tls_handshake"))
    for what, name in lines:
        us = flood["latency_us"][name]
        print_line(what, ", ".join(f"{title} {us[key] / 1000:.2f} ms" for title, key in parts))


def print_endpoints(gateway, stats):
    closed = {reason: count for reason, count in stats["closed"].items() if count}
    print(f"\nhttp://{gateway.admin}/v1/stats, after the flood (what is not zero of `closed`):")
    print(f"    accepted {stats['accepted']:,}, heartbeats {stats['heartbeats']:,}")
    print(f"    closed {closed}")
    lines = [line for line in gateway.get("/metrics").splitlines() if line and line[0] != "#"]
    print(f"http://{gateway.admin}/metrics, the first of {len(lines)} values:")
    for line in lines[:5]:
        print(f"    {line}")


def keep_running(gateway):
    print(f"\nThe gateway still runs (pid {gateway.process.pid}). To look around:")
    print(f"    curl http://{gateway.admin}/v1/stats")
    flood = f"build/release/bin/conn_flood --target 127.0.0.1:{gateway.port}"
    tls = ""
    if gateway.certificates is not None:
        tls = f" --tls --ca {(gateway.certificates / 'ca.pem').relative_to(ROOT)}"
    print(f"    {flood} --connections 1000{tls}")
    print(f"    kill {gateway.process.pid}     # ends it")


def show(arguments, gateway):
    """The demo itself, on a started gateway. Returns True when everything holds."""
    connections = arguments.connections
    mute = round(connections * MUTE_FRACTION)
    gateway.wait_until_ready()
    before = gateway.sample()
    print(f"It is up: pid {gateway.process.pid}, log in build/demo/gateway.log.")
    print(f"{connections:,} devices connect; {mute:,} of them then fall silent.")
    print(f"A device that is silent for {HEARTBEAT_S * MISSES} s is dead and gets evicted.")

    sampler = Sampler(gateway)
    sampler.start()
    try:
        flood_code, flood = run_flood(gateway, connections)
    finally:
        samples = sampler.finish()
    stats = gateway.stats()

    print("\nWhat happened:")
    verdicts = judge(connections, mute, flood_code, flood, stats)
    for claim, found, holds in verdicts:
        print_line(claim, found if holds else f"{found}   <-- NOT as it should be")
    print_latency(flood)
    print_cost(before, samples, connections)
    print_endpoints(gateway, stats)
    return all(holds for _, _, holds in verdicts)


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="tools/demo",
        description="Installs what is missing, builds, and shows a gateway under a flood.",
        epilog="exit: 0 when exactly the silent devices were evicted and no other was lost",
    )
    parser.add_argument("--connections", type=int, default=10000, help="devices (default: 10000)")
    parser.add_argument("--tls", action="store_true", help="all within TLS, certificates made here")
    parser.add_argument("--keep", action="store_true", help="leave the gateway running at the end")
    parser.add_argument("--jobs", type=int, default=build_tree.cores(), help="build jobs")
    arguments = parser.parse_args()
    if not 100 <= arguments.connections <= 1_000_000:
        parser.error("--connections: 100 to 1000000")
    return arguments


def run_demo(arguments):
    """Builds, starts, shows, stops; returns the exit code."""
    WORK.mkdir(parents=True, exist_ok=True)
    build(arguments.jobs)
    arguments.connections = fit_connections(arguments.connections)
    gateway = Gateway(arguments.connections, make_certificates() if arguments.tls else None)
    kept = False
    try:
        right = show(arguments, gateway)
        if arguments.keep:
            keep_running(gateway)
            kept = True
    finally:
        code = None if kept else gateway.stop()
    if not kept and code != 0:
        print(f"The gateway did not end cleanly on SIGTERM: exit code {code}.")
        right = False
    print("\nResult: all as it should be." if right else "\nResult: NOT as it should be.")
    return 0 if right else 1


def main():
    arguments = parse_arguments()
    build_tree.end_cleanly_on_signals()
    sys.stdout.reconfigure(line_buffering=True)  # in order with what conn_flood prints
    try:
        return run_demo(arguments)
    except (DemoError, urllib.error.URLError) as error:
        print(f"tools/demo: {error}", file=sys.stderr)
        return 1
    finally:
        build_tree.give_back()


if __name__ == "__main__":
    sys.exit(main())
