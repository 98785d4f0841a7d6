"""What the figures were measured on, and what /proc says about memory."""

import collections
import datetime
import os
import pathlib
import platform
import subprocess

import bench_mosquitto
import bench_nginx

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# The kernel's own records of a connection that a program has in an epoll set.
CONNECTION_SLABS = ("TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi")


def output_of(command, folder=None):
    """What a command prints, or nothing when it fails or is not there."""
    try:
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def commit(root):
    """The commit that the tree stands on, and whether it was changed since."""
    name = output_of(["git", "rev-parse", "--short=12", "HEAD"], root)
    if not name:
        return "none"
    is_changed = output_of(["git", "status", "--porcelain"], root) != ""
    return f"{name} with changes" if is_changed else name


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def congestion_control():
    """A good part of what a small send costs is the kernel's congestion control."""
    path = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")
    return path.read_text(encoding="ascii").strip()


def peer_facts(programs):
    """Version and settings of every peer that is installed."""
    peers = {}
    for name, module, binary in (
        ("mosquitto", bench_mosquitto, programs.mosquitto_binary),
        ("nginx", bench_nginx, programs.nginx_binary),
    ):
        if binary:
            peers[name] = {"version": module.version(binary)} | module.SETTINGS
    return peers


def facts(root, programs):
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES
    return {
        "measured": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(root),
        "gateway": output_of([str(programs.gateway_binary), "version"]),
        "cpu": cpu_model(),
        "processors": len(programs.cpus),
        "memory_gib": round(memory_bytes / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "tcp": congestion_control(),
        "settings": programs.gateway_settings,
        "peers": peer_facts(programs),
        "priority": "before other programs" if programs.has_priority else "as other programs",
    }


def fact_text(value):
    if isinstance(value, dict):
        return ", ".join(f"{key}={fact_text(part)}" for key, part in value.items())
    return str(value)


def print_facts(machine):
    facts_and_peers = {key: value for key, value in machine.items() if key != "peers"}
    for key, value in (facts_and_peers | (machine["peers"] or {"peers": "none installed"})).items():
        print(f"{key.replace('_', ' '):<11} {fact_text(value)}")


def user_memory_bytes(pids):
    """Rss and private bytes of processes, added up. Source: proc(5), smaps_rollup."""
    fields = collections.Counter()
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        for line in text.splitlines()[1:]:
            key, _, value = line.partition(":")
            fields[key] += int(value.split()[0]) * 1024
    return {"rss": fields["Rss"], "private": fields["Private_Clean"] + fields["Private_Dirty"]}


def slab_bytes():
    """Bytes of pages by slab, or {} where they may not be read."""
    try:
        text = pathlib.Path("/proc/slabinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    return slabs_of(text, CONNECTION_SLABS)


def slabs_of(slabinfo, names):
    """Bytes of pages of the named slabs. Source: slabinfo(5)."""
    slabs = {}
    for line in slabinfo.splitlines()[2:]:
        fields = line.split()
        if fields[0] in names:
            pages_per_slab = int(fields[5])
            slab_count = int(fields[fields.index("slabdata") + 2])
            slabs[fields[0]] = slab_count * pages_per_slab * PAGE_BYTES
    return slabs
