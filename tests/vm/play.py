"""Plays a scenario in a running guest and says whether everything held."""

import json
import time

from guest import GuestFailed
from probe import Probe
from slope import slope

GATEWAY_START_S = 60
POLL_S = 2
PROGRESS_S = 15
FLOOD_JSON = "/tmp/flood.json"
FLOOD_LOG = "/tmp/flood.log"
GATEWAY_LOG = "/tmp/gateway.log"


class Play:
    """One run. `say` prints progress; `result` grows as the run goes on."""

    def __init__(self, guest, scenario, say):
        self.guest = guest
        self.scenario = scenario
        self.say = say
        self.started = time.monotonic()
        self.result = {"scenario": scenario.name, "failures": [], "closed": {}, "refused": {}}
        self.result["sessions_at_end"] = 0
        self.samples = []
        self.probe = None
        self.flood_pid = None
        self.flood_began = 0.0
        self.said_at = 0.0

    def run(self):
        self.tune()
        self.ask_doctor()
        self.start_gateway()
        self.start_flood()
        self.watch_ramp()
        self.watch_hold()
        self.finish()
        return self.result

    def fail_unless(self, holds, what):
        if not holds:
            self.result["failures"].append(what)
            self.say(f"FAILED: {what}")

    def with_limit(self, command):
        """Descriptors of a process as far as fs.nr_open allows."""
        return f"ulimit -n $(cat /proc/sys/fs/nr_open); {command}"

    def tune(self):
        for profile in (self.scenario.profile, "flood-client"):
            self.guest.run(f"/holdfast/tools/sysctl {profile}")
        self.result["kernel"] = self.guest.run("uname -r").strip()
        self.result["profiles"] = [self.scenario.profile, "flood-client"]
        self.say(f"kernel {self.result['kernel']}, profile {self.scenario.profile} applied")

    def ask_doctor(self):
        command = f"holdfast doctor --connections {self.scenario.connections} --json"
        code, output = self.guest.try_run(self.with_limit(command))
        try:
            report = json.loads(output)
        except ValueError:
            raise GuestFailed(f"doctor gave no report:\n{output}") from None
        self.result["doctor"] = report["verdict"]
        for finding in report["findings"]:
            if finding["verdict"] != "ok":
                name, found, needed = (finding[key] for key in ("name", "found", "needed"))
                self.say(f"doctor: {name}: {found}, needs {needed}")
        self.say(f"doctor: {report['verdict']} for {self.scenario.connections:,} connections")
        self.fail_unless(code == 0 and report["verdict"] == "ok", "doctor is not content")

    def start_gateway(self):
        settings = {"loops.count": self.scenario.loops}
        flags = " ".join(f"--set {key}={value}" for key, value in settings.items())
        command = f"exec holdfast serve {flags} >{GATEWAY_LOG} 2>&1"
        pid = int(self.guest.run(self.with_limit(f"({command}) & echo $!")))
        self.result["gateway"] = {
            "version": self.guest.run("holdfast version").strip(),
            "settings": settings,
        }
        self.probe = Probe(self.guest, pid)
        deadline = time.monotonic() + GATEWAY_START_S
        while self.guest.try_run("wget -qO- http://127.0.0.1:7080/healthz")[0] != 0:
            if time.monotonic() > deadline:
                raise GuestFailed(f"the gateway did not start:\n{self.guest.read(GATEWAY_LOG)}")
            time.sleep(0.2)
        self.samples.append(self.probe.sample())

    def start_flood(self):
        scenario = self.scenario
        command = (
            f"conn_flood --target 127.0.0.1:7000 --connections {scenario.connections}"
            f" --sources {scenario.sources} --heartbeat {scenario.heartbeat_s}"
            f" --calm {scenario.calm_s} --duration {scenario.hold_s}"
            " --welcome-timeout 120 --no-goodbye --quiet"
            f" --json {FLOOD_JSON}"
        )
        if scenario.mute:
            command += f" --mute {scenario.mute_share} --mute-heartbeat {scenario.mute_heartbeat_s}"
        self.result["flood"] = {"command": command}
        self.say(command)
        self.flood_began = time.monotonic()
        self.flood_pid = int(
            self.guest.run(self.with_limit(f"(exec {command} >{FLOOD_LOG} 2>&1) & echo $!"))
        )

    def flood_is_running(self):
        return self.guest.try_run(f"kill -0 {self.flood_pid}")[0] == 0

    def poll(self):
        """The gateway's statistics; prints a line now and then."""
        stats = self.probe.stats()
        now = time.monotonic()
        if now - self.said_at >= PROGRESS_S:
            self.said_at = now
            lag = max(loop["lag_ms"] for loop in stats["loops"])
            self.say(
                f"{stats['sessions']:>9,} sessions, {stats['heartbeats']:,} heartbeats, "
                f"{stats['closed']['heartbeat_timeout']:,} evicted, lag {lag:.0f} ms"
            )
        if now - self.started > self.scenario.time_limit_s:
            raise GuestFailed(f"not done within {self.scenario.time_limit_s} s")
        return stats

    def watch_ramp(self):
        """Until all are there, with a sample at each step."""
        wanted = self.scenario.step
        while True:
            sessions = self.poll()["sessions"]
            if sessions >= self.scenario.connections:
                break  # the calm has begun: it is sampled once, later
            if sessions >= wanted:
                self.samples.append(self.probe.sample())
                wanted += self.scenario.step
            if not self.flood_is_running():
                raise GuestFailed(f"conn_flood ended early:\n{self.guest.read(FLOOD_LOG)}")
            time.sleep(POLL_S)
        self.result["connected_s"] = round(time.monotonic() - self.flood_began, 1)
        self.say(f"all connected after {self.result['connected_s']} s")

    def watch_hold(self):
        """Until the flood ends. Idle memory is sampled once in the calm."""
        began = time.monotonic()
        sample_at = began + self.scenario.sample_s
        first = self.probe.work()
        last = None
        lag_ms = []
        lag_at_end_ms = []
        living = self.scenario.connections - self.scenario.mute
        while self.flood_is_running():
            stats = self.poll()
            is_end = stats["sessions"] < living  # conn_flood closes its sockets
            lags = lag_at_end_ms if is_end else lag_ms
            lags.append(max(loop["lag_ms"] for loop in stats["loops"]))
            if last is None and time.monotonic() >= sample_at:
                last = self.probe.sample()
                self.samples.append(last)
                self.note_calm(first, last, time.monotonic() - began, lag_ms)
                lag_ms = []
            if not is_end:
                self.result["sessions_at_end"] = stats["sessions"]
                self.result["closed"] = {k: v for k, v in stats["closed"].items() if v}
                self.result["refused"] = {k: v for k, v in stats["refused"].items() if v}
            time.sleep(POLL_S)
        if last is None:
            raise GuestFailed(f"conn_flood ended within the calm:\n{self.guest.read(FLOOD_LOG)}")
        self.result["lag_ms_max_after_calm"] = max(lag_ms, default=0)
        self.result["lag_ms_max_at_end"] = max(lag_at_end_ms, default=0)

    def note_calm(self, first, last, seconds, lag_ms):
        beats = last["heartbeats"] - first["heartbeats"]
        cpu_s = last["cpu_s"] - first["cpu_s"]
        self.result["calm"] = {
            "heartbeats_per_s": round(beats / seconds, 1),
            "gateway_processors": round(cpu_s / seconds, 3),
            "gateway_cpu_us_per_heartbeat": round(cpu_s * 1e6 / beats, 1) if beats else None,
            "lag_ms_max": max(lag_ms),
        }

    def finish(self):
        code, _ = self.guest.try_run(f"test -s {FLOOD_JSON}")
        if code != 0:
            raise GuestFailed(f"conn_flood left no report:\n{self.guest.read(FLOOD_LOG)}")
        flood = json.loads(self.guest.read(FLOOD_JSON))
        self.say(self.guest.read(FLOOD_LOG).strip())
        self.result["flood"] |= {
            key: flood[key]
            for key in (
                "ok", "faults", "clients_welcomed", "clients_answered_in_hold", "pings", "pongs",
                "pongs_missing", "lost_unexpected", "evicted_expected", "evicted_early",
                "evictions_overdue", "evictions_pending", "connect_rate_per_s", "ramp_s", "held_s",
                "latency_us",
            )
        }
        self.note_memory()
        self.judge(flood)
        self.result["took_s"] = round(time.monotonic() - self.started, 1)

    def note_memory(self):
        """Slopes over the samples of the ramp and the calm; the first is the gateway with none."""
        self.result["samples"] = self.samples
        limit = self.scenario.user_bytes_max
        user = slope(self.samples, lambda one: one["rss_bytes"])
        self.fail_unless(
            limit == 0 or user <= limit,
            f"a session takes {user:.0f} bytes of user memory, the budget is {limit}",
        )
        self.result["slope_bytes"] = {
            "user_rss": round(user, 1),
            "kernel_both_ends": round(slope(self.samples, lambda one: one["kernel_bytes"]), 1),
            "slabs_both_ends": {
                name: round(slope(self.samples, lambda one, name=name: one["slabs"][name]), 1)
                for name in self.samples[0]["slabs"]
            },
        }

    def judge(self, flood):
        scenario = self.scenario
        self.fail_unless(flood["ok"], f"conn_flood: {'; '.join(flood['faults'])}")
        answered = flood["clients_answered_in_hold"]
        self.fail_unless(
            answered == scenario.connections,
            f"{answered:,} of {scenario.connections:,} were answered since the last login",
        )
        evicted = self.result["closed"].get("heartbeat_timeout", 0)
        self.fail_unless(
            flood["evicted_expected"] == evicted == scenario.mute,
            f"{flood['evicted_expected']:,} and {evicted:,} evicted, {scenario.mute:,} fell silent",
        )
        living = scenario.connections - scenario.mute
        self.fail_unless(
            self.result["sessions_at_end"] == living,
            f"{self.result['sessions_at_end']:,} sessions at the end, {living:,} kept beating",
        )
        if scenario.mute:
            self.judge_evictions(flood["latency_us"])
        self.result["holds"] = not self.result["failures"]

    def judge_evictions(self, latency_us):
        # The gateway counts from when the last PING came, the device from when it was planned.
        late_ms = latency_us["eviction_delay"]["max"] / 1000
        under_way_ms = latency_us["ping_rtt_calm"]["max"] / 1000
        self.fail_unless(
            late_ms <= self.scenario.late_ms_max + under_way_ms,
            f"an eviction came {late_ms:.0f} ms after its deadline, no PING before it took more "
            f"than {under_way_ms:.0f} ms",
        )
        calm, evicting = (latency_us[key]["p999"] for key in ("ping_rtt_calm", "ping_rtt_evicting"))
        ratio = evicting / calm if calm else 0
        self.result["rtt_p999_ratio"] = round(ratio, 3)
        limit = self.scenario.rtt_ratio_max
        self.fail_unless(
            limit == 0 or ratio <= limit,
            f"p99.9 of round trips {evicting} us while evicting, {calm} us in the calm",
        )
