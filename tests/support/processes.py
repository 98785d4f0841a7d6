"""What /proc tells about a process. Sources: proc(5), kernel Documentation/filesystems/proc.rst."""

import os
import pathlib

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def rss_bytes(pid):
    """Memory of the process in RAM now."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_s(pid):
    """User and system time of all its threads."""
    # The name in parentheses may hold blanks; fields 14 and 15 (utime, stime) count from behind it.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def open_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
