"""The scenario that is short enough to be part of tools/check; the others run by name."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

RUN = pathlib.Path(__file__).with_name("run")
ROOT = RUN.parents[2]
BIN_DIR = pathlib.Path(os.environ.get("HOLDFAST_BIN_DIR") or ROOT / "build/release/bin").resolve()
EXIT_SKIPPED = 77
LIMIT_S = 560  # below the time of the stage of tools/check


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(RUN), *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )


def test_twenty_thousand_live_and_exactly_the_mute_die(tmp_path):
    report = tmp_path / "result.json"
    done = run("twenty-thousand", "--bin-dir", BIN_DIR, "--json", report)
    if done.returncode == EXIT_SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(report.read_text())
    assert result["holds"] and result["failures"] == []
    assert result["doctor"] == "ok"
    assert result["flood"]["clients_answered_in_hold"] == 20_000
    assert result["closed"] == {"heartbeat_timeout": 2000}
    assert result["sessions_at_end"] == 18_000
    assert result["refused"] == {}


def test_a_scenario_that_does_not_exist_is_said_plainly():
    done = run("trillion")
    assert done.returncode == 2
    assert "million" in done.stderr and "two-million" in done.stderr


def test_missing_programs_are_said_plainly(tmp_path):
    done = run("twenty-thousand", "--bin-dir", tmp_path)
    if done.returncode == EXIT_SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 2
    assert "holdfast is missing" in done.stderr
