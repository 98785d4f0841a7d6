"""System calls of a running gateway made to fail, by strace."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile

from .waiting import eventually, slowed


def why_not():
    """Why strace cannot be used here; "" when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = subprocess.run(
        ["strace", "-e", "trace=none", "true"], capture_output=True, text=True, check=False
    )
    if probe.returncode != 0:
        last = probe.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return f"strace may not trace here: {last[0]}"
    return ""


class Trace:
    """What strace has written: when (seconds since 1970) each failing call was made."""

    def __init__(self, file):
        self._file = file

    def failed_calls_s(self):
        with open(self._file, encoding="utf-8", errors="replace") as lines:
            return [
                float(found.group(1))
                for line in lines
                if "(INJECTED)" in line and (found := re.search(r"(\d+\.\d+)", line))
            ]


@contextlib.contextmanager
def failing(pid, call, error):
    """While in the context every `call` of the process fails with `error`, e.g. "EMFILE"."""
    handle, file = tempfile.mkstemp(prefix="holdfast-strace-")
    os.close(handle)
    tracer = subprocess.Popen(
        ["strace", "-f", "-ttt", "-e", f"trace={call}", "-e", f"inject={call}:error={error}",
         "-o", file, "-p", str(pid)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: _is_traced(pid, tracer), 10, "strace attached to every thread")
        yield Trace(file)
    finally:
        tracer.send_signal(signal.SIGINT)
        try:
            tracer.wait(slowed(10))
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait()
        os.unlink(file)


def _is_traced(pid, tracer):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as status:
            if f"TracerPid:\t{tracer.pid}" not in status.read():
                return False
    return True
