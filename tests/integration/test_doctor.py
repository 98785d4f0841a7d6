"""`holdfast doctor`: exit codes, the table and the JSON."""

import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GATEWAY_PROFILES = sorted((ROOT / "sysctl").glob("gateway-*.conf"))

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
DEADLINE_S = 20
# What the gateway itself needs: gateway/doctor.h.
OWN_DESCRIPTORS = 128 + 8 * len(os.sched_getaffinity(0))


@pytest.fixture
def doctor(bin_dir):
    """Runs `holdfast doctor`, with at most `descriptors` for it when given."""

    def run(*arguments, descriptors=None):
        command = [str(bin_dir / "holdfast"), "doctor", *map(str, arguments)]
        if descriptors is not None:
            command = ["prlimit", f"--nofile={descriptors}:{descriptors}", *command]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=DEADLINE_S, check=False,
        )

    return run


def findings_of(done):
    report = json.loads(done.stdout)
    return {finding["name"]: finding for finding in report["findings"]}


def test_few_connections_hold(doctor):
    done = doctor("--connections", 1, descriptors=2000)
    assert done.returncode == EXIT_OK, done.stdout
    assert "1 connections will" in done.stdout


def test_too_few_descriptors_fail_with_the_command(doctor):
    needed = 1000 + OWN_DESCRIPTORS
    done = doctor("--connections", 1000, descriptors=needed - 1)
    assert done.returncode == EXIT_FAILED
    row = rf"^fail +descriptors +{needed - 1} +{needed}$"
    assert re.search(row, done.stdout, re.MULTILINE), done.stdout
    assert f"sudo prlimit --pid $$ --nofile={needed}:{needed}" in done.stdout
    assert "1000 connections will NOT hold." in done.stdout


def test_json_has_the_shape_that_the_header_gives(doctor):
    done = doctor("--connections", 1000, "--json", descriptors=1000)
    assert done.returncode == EXIT_FAILED
    report = json.loads(done.stdout)
    assert report["connections"] == 1000
    assert report["verdict"] == "fail"
    for finding in report["findings"]:
        assert set(finding) == {"name", "verdict", "found", "needed", "mend", "why"}
        assert finding["verdict"] in ("ok", "warn", "fail")
        assert (finding["mend"] == "") == (finding["verdict"] == "ok"), finding
        assert finding["why"]
    assert findings_of(done)["descriptors"]["found"] == "1000"


def test_without_a_number_it_asks_about_what_the_descriptors_allow(doctor):
    done = doctor("--json", descriptors=2000 + OWN_DESCRIPTORS)
    assert json.loads(done.stdout)["connections"] == 2000


@pytest.mark.parametrize("profile", GATEWAY_PROFILES, ids=lambda file: file.stem)
def test_every_key_of_a_profile_is_examined(doctor, profile):
    findings = findings_of(doctor("--connections", 1_000_000, "--json"))
    keys = re.findall(r"^([a-z][\w.-]+) = ", profile.read_text(), re.MULTILINE)
    assert len(keys) > 20
    for key in keys:
        if pathlib.Path("/proc/sys", *key.split(".")).exists():
            assert key in findings


def test_found_is_what_the_kernel_says(doctor):
    findings = findings_of(doctor("--connections", 10, "--json"))
    kernel = pathlib.Path("/proc/sys/net/ipv4/tcp_mem").read_text()
    assert findings["net.ipv4.tcp_mem"]["found"] == " ".join(kernel.split())


def test_impossible_number_is_wrong_usage(doctor):
    for number in ("0", "-1", "many", "4294967296"):
        assert doctor("--connections", number).returncode == EXIT_USAGE
