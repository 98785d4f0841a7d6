"""The commands that read settings: what they print, where, and with which exit code."""

import pathlib
import subprocess

import pytest

EXIT_OK = 0
EXIT_USAGE = 2
DEADLINE_S = 20
# Every command that reads a settings file, up to its name.
FILE_COMMANDS = [["check-config"], ["serve", "--config"], ["doctor", "--config"]]
ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "packaging" / "holdfast.toml"
CERTS = str(ROOT / "tools" / "certs")


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


@pytest.fixture
def certificates(tmp_path):
    """A folder with what tools/certs makes for a server and a device."""
    folder = tmp_path / "certs"
    subprocess.run(
        [CERTS, "--dir", str(folder), "--name", "localhost", "--device", "d1"],
        capture_output=True, check=True, timeout=DEADLINE_S,
    )
    return folder


def tls_text(certificate, key):
    return f'[tls]\ncert_file = "{certificate}"\nkey_file = "{key}"\n'


def sign_expired(folder, file):
    """A certificate for server.key that ran out yesterday."""
    openssl = ["openssl", "req", "-new", "-key", str(folder / "server.key"), "-subj", "/CN=old"]
    request = subprocess.run(openssl, capture_output=True, check=True, timeout=DEADLINE_S).stdout
    openssl = ["openssl", "x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "-1"]
    openssl += ["-set_serial", "7", "-out", str(file)]
    subprocess.run(
        openssl, input=request, cwd=folder, capture_output=True, check=True, timeout=DEADLINE_S
    )


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


# The files of TLS are read by whoever starts a gateway, and by who asks whether one would start.


@pytest.mark.parametrize("command", [["check-config"], ["serve", "--config"]])
def test_a_key_that_others_may_read_is_refused(holdfast, config, certificates, command):
    key = certificates / "server.key"
    key.chmod(0o640)
    done = holdfast(*command, config(tls_text(certificates / "server.pem", key)))
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert done.stderr == (
        f"{key} has mode 0640, open to others than its owner: chmod 600 {key}\n"
    )


@pytest.mark.parametrize("command", [["check-config"], ["serve", "--config"]])
def test_an_expired_certificate_is_refused(holdfast, config, certificates, command):
    expired = certificates / "expired.pem"
    sign_expired(certificates, expired)
    done = holdfast(*command, config(tls_text(expired, certificates / "server.key")))
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert done.stderr.startswith(f"the certificate in {expired} expired on ")
    assert done.stderr.endswith(" UTC: renew it\n")


@pytest.mark.parametrize("command", [["check-config"], ["serve", "--config"]])
def test_a_key_of_another_certificate_is_refused(holdfast, config, certificates, command):
    certificate, key = certificates / "server.pem", certificates / "device-d1.key"
    done = holdfast(*command, config(tls_text(certificate, key)))
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert done.stderr == (
        f"{key} is not the key of the certificate in {certificate}: "
        "name the two that belong together\n"
    )


def test_right_files_of_tls_are_accepted_and_printed(holdfast, config, certificates):
    certificate, key = certificates / "server.pem", certificates / "server.key"
    done = holdfast("check-config", config(tls_text(certificate, key)))
    assert (done.returncode, done.stderr) == (EXIT_OK, "")
    assert f'tls.cert_file = "{certificate}"' in done.stdout.splitlines()
    assert 'client_auth = "inherit"' in done.stdout.splitlines()


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
