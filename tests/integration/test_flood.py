"""A flood of thousands by conn_flood: exactly the mute are evicted, nobody else."""

import json
import subprocess

import pytest

from support.waiting import slowed

# Of each build: under a sanitizer a connection costs several times as much.
CONNECTIONS = {"": 5000, "address": 2000, "thread": 1000}
MUTE = 0.2


@pytest.mark.slow
@pytest.mark.threads
def test_exactly_the_mute_are_evicted_and_none_other(start_gateway, bin_dir, tmp_path, sanitizer):
    connections = CONNECTIONS[sanitizer]
    mute = int(connections * MUTE)
    gateway = start_gateway({"heartbeat.default_s": 2})
    report = tmp_path / "flood.json"
    done = subprocess.run(
        [str(bin_dir / "conn_flood"), "--target", "%s:%d" % gateway.address,
         "--connections", str(connections), "--heartbeat", "2", "--mute", str(MUTE),
         "--duration", "10", "--json", str(report), "--quiet"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=slowed(90), check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    stats = gateway.wait_for_connections(0, 20)
    assert stats["closed"]["heartbeat_timeout"] == mute
    assert stats["closed"]["goodbye"] == connections - mute
    assert sum(stats["closed"].values()) == stats["accepted"] == connections
    assert sum(stats["refused"].values()) == 0
    told = json.loads(report.read_text())
    assert told["evicted_expected"] == mute
    assert told["evicted_early"] == 0
    assert told["lost_unexpected"] == 0
