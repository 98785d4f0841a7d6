"""The commands that read settings: what they print, where, and with which exit code."""

import pathlib
import subprocess

import pytest

EXIT_OK = 0
EXIT_USAGE = 2
DEADLINE_S = 20
# Every command that reads a settings file, up to its name.
FILE_COMMANDS = [["check-config"], ["serve", "--config"], ["doctor", "--config"]]
EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "holdfast.toml"


@pytest.fixture
def holdfast(bin_dir):
    """Runs `holdfast` to its end and gives its exit code, standard output and standard error."""

    def run(*arguments):
        return subprocess.run(
            [str(bin_dir / "holdfast"), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    return run


@pytest.fixture
def config(tmp_path):
    def write(text):
        file = tmp_path / "holdfast.toml"
        file.write_text(text)
        return file

    return write


def test_the_example_is_right_and_what_is_in_force_is_printed(holdfast):
    done = holdfast("check-config", EXAMPLE)
    assert (done.returncode, done.stderr) == (EXIT_OK, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{EXAMPLE}: ok"
    assert "heartbeat.default_s = 30" in lines
    assert 'limits.when_full = "shed_idlest"' in lines
    assert "[[listener]]" in lines
    assert 'bind = "127.0.0.1:7000"' in lines


def test_what_is_printed_is_a_file_with_the_same_settings(holdfast, config):
    first = holdfast("check-config", config("node.id = 'n'\nlimits.per_address_max = 9\n"))
    assert first.returncode == EXIT_OK, first.stderr
    printed = first.stdout.split("\n", 1)[1]
    assert holdfast("check-config", config(printed)).stdout == first.stdout


def test_set_wins_over_the_file(holdfast, config):
    file = config("limits.hello_timeout_ms = 5000\n")
    done = holdfast(
        "check-config",
        file,
        *("--set", "limits.hello_timeout_ms=700"),
        *("--set", "listener.bind=[::1]:0"),
    )
    assert done.returncode == EXIT_OK, done.stderr
    assert "limits.hello_timeout_ms = 700" in done.stdout
    assert 'bind = "[::1]:0"' in done.stdout


@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_a_wrong_file_is_told_by_line_key_and_what_is_allowed(holdfast, config, command):
    file = config("[heartbeat]\nmin_s = 0\nmaxs = 5\n\n[log]\nlevel = 'loud'\n")
    done = holdfast(*command, file)
    assert done.returncode == EXIT_USAGE
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"{file}:2: heartbeat.min_s: 0 is not allowed: whole number of seconds, 1 to 65535",
        f"{file}:3: heartbeat.maxs: unknown setting: did you mean heartbeat.max_s?",
        f'{file}:6: log.level: "loud" is not allowed: one of "debug", "info", "warn", "error"',
    ]


def test_a_wrong_set_keeps_the_gateway_from_starting(holdfast):
    done = holdfast("serve", "--set", "loops.count=many", "--set", "admin.bind=0.0.0.0:0")
    assert done.returncode == EXIT_USAGE
    assert done.stderr.splitlines() == [
        '--set loops.count: many is not allowed: whole number of loops, 0 to 128 (0: one a core)',
        "--set admin.bind: 0.0.0.0:0 is not a loopback address: "
        "admin.token_file must name a file with a token",
    ]


def test_a_file_that_is_not_toml_is_told_by_its_line(holdfast, config):
    file = config("[log]\nlevel = \n")
    done = holdfast("check-config", file)
    assert done.returncode == EXIT_USAGE
    assert done.stderr == f'{file}:2: a value should stand here, in "level = "\n'


@pytest.mark.parametrize("command", [["check-config"], ["serve", "--config"]])
def test_a_file_that_is_not_there_is_said_plainly(holdfast, tmp_path, command):
    missing = tmp_path / "none.toml"
    done = holdfast(*command, missing)
    assert done.returncode == EXIT_USAGE
    assert done.stderr == f"cannot open {missing}: No such file or directory\n"
    done = holdfast(*command, tmp_path)
    assert done.returncode == EXIT_USAGE
    assert done.stderr == f"{tmp_path} is a directory: name a file\n"


# A script's variable that was not set must not become a gateway with settings nobody chose.
@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_an_empty_file_name_is_refused(holdfast, command):
    done = holdfast(*command, "")
    assert done.returncode == EXIT_USAGE
    assert "the name of the file is empty" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["run"],
        ["serve", "extra"],
        ["serve", "--config"],
        ["serve", "--set"],
        ["serve", "--set", "loops.count=1", "loops.pin=true"],
        ["check-config"],
        ["doctor", "--connections", "0"],
        ["doctor", "--connections", "-5"],
        ["doctor", "--connections", "99999999999"],
        ["version", "--verbose"],
    ],
)
def test_wrong_usage_exits_2_and_prints_nothing_on_standard_output(holdfast, arguments):
    done = holdfast(*arguments)
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["version"]])
def test_help_and_version_exit_0(holdfast, arguments):
    done = holdfast(*arguments)
    assert (done.returncode, done.stderr) == (EXIT_OK, "")
    assert "holdfast" in done.stdout.lower()
