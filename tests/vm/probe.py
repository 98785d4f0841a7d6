"""Reads what the guest's kernel and the gateway say of themselves."""

import json
import re

from bench_machine import slabs_of

TICKS_PER_S = 100  # USER_HZ of every Linux that Debian builds
PAGE_BYTES = 4096
# One object or more for each connection; what the kernel merges has another name elsewhere.
SLABS = ("TCP", "sock_inode_cache", "dentry", "filp", "eventpoll_epi", "eventpoll_pwq", "ep_head")
STATS_URL = "http://127.0.0.1:7080/v1/stats"


class Probe:
    """The gateway `pid` in a guest, seen from outside."""

    def __init__(self, guest, pid):
        self.guest = guest
        self.pid = pid

    def stats(self):
        return json.loads(self.guest.run(f"wget -qO- {STATS_URL}"))

    def cpu_s(self):
        """User and system time of all of the gateway's threads. Source: proc(5), /proc/PID/stat."""
        fields = self.guest.read(f"/proc/{self.pid}/stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def work(self):
        """What has been done so far; stops nothing, as sample() does for a moment."""
        return {"cpu_s": self.cpu_s(), "heartbeats": self.stats()["heartbeats"]}

    def sample(self):
        """Everything at one moment; /v1/stats before and after, since sessions may be arriving."""
        before = self.stats()
        rollup, slabinfo, meminfo, sockstat = (
            self.guest.read(path)
            for path in (
                f"/proc/{self.pid}/smaps_rollup",
                "/proc/slabinfo",
                "/proc/meminfo",
                "/proc/net/sockstat",
            )
        )
        after = self.stats()
        return {
            "sessions": (before["sessions"] + after["sessions"]) / 2,
            "rss_bytes": kib_of(rollup, "Rss") * 1024,
            "accounted_bytes": sum(loop["memory_bytes"] for loop in after["loops"]),
            "kernel_bytes": (kib_of(meminfo, "Slab") + kib_of(meminfo, "PageTables")) * 1024,
            "available_bytes": kib_of(meminfo, "MemAvailable") * 1024,
            "slabs": slabs_of(slabinfo, SLABS),
            "tcp_buffer_bytes": int(re.search(r"TCP:.* mem (\d+)", sockstat).group(1)) * PAGE_BYTES,
            "lag_ms": max(loop["lag_ms"] for loop in after["loops"]),
            "cpu_s": self.cpu_s(),
            "heartbeats": after["heartbeats"],
        }


def kib_of(text, key):
    return int(re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE).group(1))
