"""Crowds of devices that bench_storm_load plays, and what both storms say of them."""

import contextlib
import json
import subprocess

import bench_programs
from bench_programs import CannotMeasure

PERCENTILES = ("p50", "p99", "p99_9", "max")


@contextlib.contextmanager
def running(programs, kind, gateway, *arguments, priority=bench_programs.FIRST):
    """A crowd on the second processor; ended behind the block if it still runs."""
    command = [programs.gateway_binary.parent / "bench_storm_load", kind]
    command += ["--target", gateway.address, *arguments]
    pipe = subprocess.PIPE
    process = programs.popen(
        command, programs.cpus[1:2], priority, stdin=pipe, stdout=pipe, text=True
    )
    try:
        yield process
    finally:
        bench_programs.stop(process)


def told(process):
    """The next thing that a crowd has to say."""
    line = process.stdout.readline()
    if not line:
        raise CannotMeasure("bench_storm_load ended without a word")
    return json.loads(line)


def windows_of(living, *windows):
    """What the living measured in each (begin, end); they end with it."""
    asked = "".join(f"{begin} {end}\n" for begin, end in windows)
    output, _ = living.communicate(asked, timeout=bench_programs.CLIENT_S)
    if not output:
        raise CannotMeasure("bench_storm_load living ended without a word")
    return json.loads(output)


def ms_text(values):
    return " / ".join(f"{values[key] / 1000:.2f}" for key in PERCENTILES)
