"""The files that install Holdfast on a machine: what can be checked of them without installing."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
UNIT = PACKAGING / "systemd" / "holdfast.service"
DROP_INS = PACKAGING / "systemd" / "holdfast.service.d"
DEADLINE_S = 60


def setting(text, key):
    return re.search(rf"^{re.escape(key)}\s*=\s*(\S+)$", text, re.MULTILINE).group(1)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_unit_and_drop_ins_are_clean(tmp_path):
    # The program is not installed where tests run; systemd-analyze looks for it.
    unit = tmp_path / "holdfast.service"
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/holdfast", "/bin/true"))
    shutil.copytree(DROP_INS, tmp_path / "holdfast.service.d")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True,
        timeout=DEADLINE_S, check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_service_has_time_to_drain():
    # The default of shutdown.grace_s is 10 s.
    assert int(setting(UNIT.read_text(), "TimeoutStopSec").removesuffix("s")) > 10


def test_descriptor_limits_agree_with_the_kernel_profile():
    profile = (ROOT / "sysctl" / "gateway-1m.conf").read_text()
    ceiling = int(setting(profile, "fs.nr_open"))
    assert ceiling > 1_000_000 + 1000
    assert int(setting(UNIT.read_text(), "LimitNOFILE")) == ceiling
    limits = (PACKAGING / "limits.d" / "holdfast.conf").read_text()
    entries = [line.split() for line in limits.splitlines() if line and not line.startswith("#")]
    assert entries, "no limit in limits.d"
    for _, kind, item, value in entries:
        assert (kind, item, int(value)) == ("hard", "nofile", ceiling)


@pytest.mark.skipif(
    shutil.which("nft") is None or shutil.which("unshare") is None or os.geteuid() != 0,
    reason="needs nft, unshare and root",
)
def test_notrack_rules_load_twice_and_leave_one_table():
    rules = PACKAGING / "nftables" / "holdfast-notrack.nft"
    script = f"nft -f {rules} && nft -f {rules} && nft list ruleset"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script], capture_output=True, text=True,
        timeout=DEADLINE_S, check=False,
    )
    if "unshare failed" in done.stderr or "not supported" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("tcp dport 7000 notrack") == 1
    assert done.stdout.count("tcp sport 7000 notrack") == 1
