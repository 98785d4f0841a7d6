"""tools/sysctl: what it changes, remembers and restores.

Everything but the last tests runs on a copy of a few settings in a folder (HOLDFAST_SYSCTL_ROOT).
Real settings are changed only in a network namespace of the test's own.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "sysctl"
PROFILES = sorted((ROOT / "sysctl").glob("*.conf"))

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
DEADLINE_S = 20
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(*arguments, environment=None, **options):
    return subprocess.run(
        [str(TOOL), *map(str, arguments)],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        **options,
    )


class FakeKernel:
    """A tree of settings, a profile and a state file in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "proc"
        self.state = folder / "lib" / "state.json"

    def path(self, key):
        return self.root.joinpath(*key.split("."))

    def set(self, key, value):
        self.path(key).parent.mkdir(parents=True, exist_ok=True)
        self.path(key).write_text(value + "\n")

    def get(self, key):
        return " ".join(self.path(key).read_text().split())

    def profile(self, text, name="test.conf"):
        file = self.folder / name
        file.write_text(text)
        return file

    def run(self, *arguments):
        places = {"HOLDFAST_SYSCTL_ROOT": str(self.root), "HOLDFAST_SYSCTL_STATE": str(self.state)}
        return run(*arguments, environment=places)


@pytest.fixture
def kernel(tmp_path):
    fake = FakeKernel(tmp_path)
    fake.set("net.core.somaxconn", "4096")
    fake.set("net.ipv4.tcp_mem", "100\t200\t300")
    fake.set("net.ipv4.tcp_fin_timeout", "60")
    fake.set("net.ipv4.ip_local_reserved_ports", "")
    return fake


def test_applies_says_old_and_new_and_reverts(kernel):
    file = kernel.profile("# a comment\n; another\n\nnet.core.somaxconn=65535\n"
                          "net.ipv4.tcp_mem = 1   2\t3\n")
    done = kernel.run(file)
    assert done.returncode == EXIT_OK, done.stderr
    assert done.stdout.splitlines() == [
        "net.core.somaxconn: 4096 -> 65535",
        "net.ipv4.tcp_mem: 100 200 300 -> 1 2 3",
    ]
    assert kernel.get("net.core.somaxconn") == "65535"

    undone = kernel.run("--revert")
    assert undone.returncode == EXIT_OK, undone.stderr
    assert undone.stdout.splitlines() == [
        "net.ipv4.tcp_mem: 1 2 3 -> 100 200 300",
        "net.core.somaxconn: 65535 -> 4096",
    ]
    assert kernel.get("net.core.somaxconn") == "4096"
    assert kernel.get("net.ipv4.tcp_mem") == "100 200 300"
    assert kernel.run("--revert").stdout == "nothing to revert\n"


def test_dry_run_changes_nothing_and_remembers_nothing(kernel):
    file = kernel.profile("net.core.somaxconn = 65535\n")
    done = kernel.run(file, "--dry-run")
    assert done.returncode == EXIT_OK
    assert done.stdout == "net.core.somaxconn: 4096 -> 65535 (dry run)\n"
    assert kernel.get("net.core.somaxconn") == "4096"
    assert not kernel.state.exists()


def test_dry_run_of_revert_keeps_the_state(kernel):
    kernel.run(kernel.profile("net.core.somaxconn = 65535\n"))
    before = kernel.state.read_bytes()
    done = kernel.run("--revert", "--dry-run")
    assert done.returncode == EXIT_OK
    assert done.stdout == "net.core.somaxconn: 65535 -> 4096 (dry run)\n"
    assert kernel.get("net.core.somaxconn") == "65535"
    assert kernel.state.read_bytes() == before


def test_first_value_is_restored_after_two_profiles(kernel):
    kernel.run(kernel.profile("net.core.somaxconn = 8192\n"))
    kernel.run(kernel.profile("net.core.somaxconn = 65535\nnet.ipv4.tcp_fin_timeout = 15\n"))
    assert kernel.run("--revert").returncode == EXIT_OK
    assert kernel.get("net.core.somaxconn") == "4096"
    assert kernel.get("net.ipv4.tcp_fin_timeout") == "60"


def test_unknown_key_is_skipped_and_said(kernel):
    done = kernel.run(kernel.profile("net.netfilter.no_such_thing = 1\nnet.core.somaxconn = 9\n"))
    assert done.returncode == EXIT_OK
    assert "net.netfilter.no_such_thing: skipped, this kernel does not have it" in done.stdout
    assert kernel.get("net.core.somaxconn") == "9"


def test_raise_leaves_larger_fields(kernel):
    kernel.set("net.ipv4.tcp_mem", "100 999 300")
    done = kernel.run(kernel.profile("#: raise\nnet.ipv4.tcp_mem = 150 200 400\n"
                                     "#: raise\nnet.core.somaxconn = 128\n"
                                     "net.ipv4.tcp_fin_timeout = 15\n"))
    assert done.returncode == EXIT_OK, done.stderr
    assert kernel.get("net.ipv4.tcp_mem") == "150 999 400"
    assert "net.core.somaxconn: 4096 stays" in done.stdout
    # The mark concerns one setting only.
    assert kernel.get("net.ipv4.tcp_fin_timeout") == "15"


def test_union_adds_ports_and_revert_takes_them_away(kernel):
    kernel.set("net.ipv4.ip_local_reserved_ports", "7001-7002,9000")
    file = kernel.profile("#: union\nnet.ipv4.ip_local_reserved_ports = 7000,7080\n")
    assert kernel.run(file).returncode == EXIT_OK
    assert kernel.get("net.ipv4.ip_local_reserved_ports") == "7000-7002,7080,9000"
    assert kernel.run("--revert").returncode == EXIT_OK
    assert kernel.get("net.ipv4.ip_local_reserved_ports") == "7001-7002,9000"


def test_applying_what_is_so_already_needs_no_state(kernel):
    done = kernel.run(kernel.profile("net.core.somaxconn = 4096\n"))
    assert done.returncode == EXIT_OK
    assert done.stdout == "net.core.somaxconn: 4096 stays\n"
    assert not kernel.state.exists()


def test_key_that_cannot_be_read_is_said_and_the_rest_is_done(kernel):
    kernel.path("net.core.rmem_max").mkdir()
    done = kernel.run(kernel.profile("net.core.rmem_max = 5\nnet.core.somaxconn = 65535\n"))
    assert done.returncode == EXIT_FAILED
    assert "net.core.rmem_max" in done.stderr
    assert kernel.get("net.core.somaxconn") == "65535"
    assert kernel.run("--revert").returncode == EXIT_OK
    assert kernel.get("net.core.somaxconn") == "4096"


@pytest.mark.parametrize(
    "text, line, problem",
    [
        ("net.core.somaxconn 5\n", 1, "not a setting"),
        ("\nsomaxconn = 5\n", 2, "not a setting"),
        ("../../etc/passwd = 5\n", 1, "not a setting"),
        ("net..core = 5\n", 1, "not a setting"),
        ("net/core/somaxconn = 5\n", 1, "not a setting"),
        ("net.core.somaxconn =\n", 1, "no value"),
        ("net.core.somaxconn = 5\nnet.core.somaxconn = 6\n", 2, "twice"),
        ("#: rise\nnet.core.somaxconn = 5\n", 1, "unknown mark"),
        ("#: raise\nnet.core.somaxconn = many\n", 2, "needs numbers"),
        ("#: union\nnet.ipv4.ip_local_reserved_ports = a-b\n", 2, "list of ports"),
        ("#: union\nnet.ipv4.ip_local_reserved_ports = 70000\n", 2, "at most 65535"),
    ],
)
def test_malformed_profile_is_refused_whole(kernel, text, line, problem):
    file = kernel.profile(text + "net.ipv4.tcp_fin_timeout = 15\n")
    done = kernel.run(file)
    assert done.returncode == EXIT_USAGE
    assert f"{file}:{line}: " in done.stderr
    assert problem in done.stderr
    assert kernel.get("net.ipv4.tcp_fin_timeout") == "60"
    assert not kernel.state.exists()


def test_unknown_profile_lists_the_known_ones(kernel):
    done = kernel.run("gateway-1g")
    assert done.returncode == EXIT_USAGE
    for file in PROFILES:
        assert file.stem in done.stderr


def test_missing_profile_file_is_said(kernel):
    done = kernel.run("./no-such.conf")
    assert done.returncode == EXIT_USAGE
    assert "no-such.conf: No such file or directory" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["gateway-1m", "--revert"]])
def test_a_profile_or_revert_is_wanted(kernel, arguments):
    assert kernel.run(*arguments).returncode == EXIT_USAGE


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 2, "first_values": {}}', '{"version": 1}',
     '{"version": 1, "first_values": {"../x.y": "1"}}',
     '{"version": 1, "first_values": {"net.core.somaxconn": 1}}'],
)
def test_damaged_state_is_neither_used_nor_overwritten(kernel, text):
    kernel.state.parent.mkdir(parents=True)
    kernel.state.write_text(text)
    for arguments in (["--revert"], [kernel.profile("net.core.somaxconn = 5\n")]):
        done = kernel.run(*arguments)
        assert done.returncode == EXIT_FAILED
        assert str(kernel.state) in done.stderr
    assert kernel.get("net.core.somaxconn") == "4096"
    assert kernel.state.read_text() == text


def test_state_is_readable_by_its_owner_only(kernel):
    kernel.run(kernel.profile("net.core.somaxconn = 5\n"))
    assert kernel.state.stat().st_mode & 0o077 == 0
    assert json.loads(kernel.state.read_text())["first_values"] == {"net.core.somaxconn": "4096"}


def test_key_that_vanished_is_forgotten(kernel):
    kernel.run(kernel.profile("net.core.somaxconn = 5\nnet.ipv4.tcp_fin_timeout = 15\n"))
    kernel.path("net.core.somaxconn").unlink()
    done = kernel.run("--revert")
    assert done.returncode == EXIT_OK
    assert kernel.get("net.ipv4.tcp_fin_timeout") == "60"
    assert not kernel.state.exists()


def test_what_could_not_be_restored_stays_remembered(kernel):
    kernel.run(kernel.profile("net.core.somaxconn = 5\nnet.ipv4.tcp_fin_timeout = 15\n"))
    kernel.path("net.core.somaxconn").unlink()
    kernel.path("net.core.somaxconn").mkdir()
    assert kernel.run("--revert").returncode == EXIT_FAILED
    assert kernel.get("net.ipv4.tcp_fin_timeout") == "60"
    kernel.path("net.core.somaxconn").rmdir()
    kernel.set("net.core.somaxconn", "5")
    assert kernel.run("--revert").returncode == EXIT_OK
    assert kernel.get("net.core.somaxconn") == "4096"


# --- the machine's own settings -------------------------------------------------------------------


@needs_root
def test_not_root_is_said_with_the_command():
    # A copy in a folder open to all: the clone may lie where another user may not look.
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        copy = shutil.copy(TOOL, folder / "sysctl")
        profile = folder / "x.conf"
        profile.write_text("net.ipv4.tcp_fin_timeout = 61\n")
        done = subprocess.run(
            [str(copy), str(profile)], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
            capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        )
    assert done.returncode == EXIT_FAILED
    assert "only root may change the kernel: sudo tools/sysctl" in done.stderr


@needs_root
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_real_settings_of_a_namespace_change_and_come_back(tmp_path):
    profile = tmp_path / "x.conf"
    profile.write_text("net.ipv4.tcp_fin_timeout = 17\n"
                       "#: union\nnet.ipv4.ip_local_reserved_ports = 7000,7080\n"
                       "net.ipv4.ip_local_port_range = 1024 65535\n")
    show = "cd /proc/sys/net/ipv4; cat tcp_fin_timeout ip_local_reserved_ports ip_local_port_range"
    script = f"({show}) && {TOOL} {profile} && ({show}) && {TOOL} --revert && ({show})"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        env={**os.environ, "HOLDFAST_SYSCTL_STATE": str(tmp_path / "state.json")},
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == EXIT_OK, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0:3] == lines[-3:], "the values at the end are not those at the start"
    assert "17" in lines and "7000,7080" in lines and "1024\t65535" in lines


@needs_root
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_value_that_the_kernel_refuses_is_said(tmp_path):
    profile = tmp_path / "x.conf"
    profile.write_text("net.ipv4.tcp_syncookies = banana\nnet.ipv4.tcp_fin_timeout = 17\n")
    done = subprocess.run(
        ["unshare", "--net", str(TOOL), str(profile)],
        env={**os.environ, "HOLDFAST_SYSCTL_STATE": str(tmp_path / "state.json")},
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == EXIT_FAILED
    assert "tcp_syncookies: 1 -> banana refused: Invalid argument" in done.stderr
    assert "net.ipv4.tcp_fin_timeout: 60 -> 17" in done.stdout


@pytest.mark.parametrize("profile", PROFILES, ids=lambda file: file.stem)
def test_profile_reads_on_this_machine(profile, tmp_path):
    done = run(profile.stem, "--dry-run",
               environment={"HOLDFAST_SYSCTL_STATE": str(tmp_path / "state.json")})
    assert done.returncode == EXIT_OK, done.stderr
    settings = [line for line in profile.read_text().splitlines() if re.match(r"[a-z].* = ", line)]
    assert len(done.stdout.splitlines()) == len(settings)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda file: file.stem)
def test_every_setting_says_what_unit_and_what_goes_wrong(profile):
    comment = ""
    for line in profile.read_text().splitlines():
        if line.startswith("#"):
            comment += line + "\n"
        elif line:
            assert "Unit:" in comment, f"{line}: no unit"
            assert "Without it" in comment, f"{line}: not said what goes wrong without it"
        else:
            comment = ""
