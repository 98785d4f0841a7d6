"""tools/certs: what it makes can be used, and is made again only where it should be."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE_S = 60
EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


def run(*command, cwd=None):
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S,
        check=False,
    )


@pytest.fixture
def certs(tmp_path):
    """Runs tools/certs for the folder tmp_path/certs."""

    def make(*arguments):
        return run(ROOT / "tools" / "certs", "--dir", tmp_path / "certs", *arguments)

    return make


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "certs"


def text_of(certificate):
    done = run("openssl", "x509", "-in", certificate, "-noout", "-text")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_arguments_it_makes_a_server_for_this_machine(certs, folder):
    done = certs()
    assert (done.returncode, done.stderr) == (EXIT_OK, "")
    text = text_of(folder / "server.pem")
    for part in ("DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1",
                 "TLS Web Server Authentication", "CA:FALSE", "NIST CURVE: P-256"):
        assert part in text
    verified = run("openssl", "verify", "-CAfile", folder / "ca.pem", "-purpose", "sslserver",
                   "-verify_hostname", "localhost", folder / "server.pem")
    assert verified.returncode == 0, verified.stderr


def test_no_key_is_readable_by_others(certs, folder):
    certs("--name", "a", "--device", "d1", "--ticket-key")
    keys = sorted(file.name for file in folder.iterdir() if file.suffix == ".key")
    assert keys == ["ca.key", "device-d1.key", "server.key", "ticket.key"]
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_devices_stand_in_name_and_alternative_name(certs, folder):
    assert certs("--device", "d1", "--device", "urn:dev:7", "--rsa").returncode == EXIT_OK
    for device, alternative in (("d1", "DNS:d1"), ("urn:dev:7", "URI:urn:dev:7")):
        text = text_of(folder / f"device-{device}.pem")
        assert f"CN = {device}\n" in text
        assert alternative in text
        assert "TLS Web Client Authentication" in text
        assert "Public-Key: (2048 bit)" in text
        verified = run("openssl", "verify", "-CAfile", folder / "ca.pem", "-purpose", "sslclient",
                       folder / f"device-{device}.pem")
        assert verified.returncode == 0, verified.stderr
    assert not (folder / "server.pem").exists()


def test_the_authority_is_used_again(certs, folder):
    certs("--name", "a")
    authority = (folder / "ca.pem").read_bytes()
    first = (folder / "server.pem").read_bytes()
    done = certs("--name", "a")
    assert f"uses the authority {folder}/ca.pem" in done.stdout
    assert (folder / "ca.pem").read_bytes() == authority
    assert (folder / "server.pem").read_bytes() != first
    (folder / "ca.key").unlink()
    done = certs("--name", "a")
    assert done.returncode == EXIT_FAILED
    assert done.stderr == (
        f"certs: {folder} has one of ca.pem and ca.key: put the other beside it, or remove it\n"
    )


def test_a_new_ticket_key_stands_in_front_of_the_two_before(certs, folder):
    made = []
    for _ in range(5):
        assert certs("--ticket-key").returncode == EXIT_OK
        made.append((folder / "ticket.key").read_bytes())
    assert [len(keys) for keys in made] == [80, 160, 240, 240, 240]
    for before, after in zip(made, made[1:]):
        assert after[80:] == before[:160]
        assert after[:80] not in before
    assert sorted(file.name for file in folder.iterdir()) == ["ticket.key"]


def test_the_line_it_prints_starts_a_gateway(certs, bin_dir, tmp_path):
    done = certs("--name", "localhost", "--device", "d1", "--ticket-key")
    line = done.stdout.splitlines()[-1].split()
    assert line[:2] == ["holdfast", "serve"]
    (tmp_path / "empty.toml").write_text("")
    checked = run(bin_dir / "holdfast", "check-config", tmp_path / "empty.toml", *line[2:])
    assert (checked.returncode, checked.stderr) == (EXIT_OK, "")
    assert 'tls.client_auth = "required"' in checked.stdout
    assert "tls = true" in checked.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--days", "0"],
        ["--days", "4000"],
        ["--days", "ten"],
        ["--device", ""],
        ["--device", "a/b"],
        ["--device", "a\nb"],
        ["--device", "x" * 65],
        ["--name", "a,DNS:b"],
        ["--name"],
        ["--what"],
        ["extra"],
    ],
)
def test_wrong_usage_exits_2_and_makes_nothing(certs, folder, arguments):
    done = certs(*arguments)
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    assert done.stderr.startswith("certs: ")
    assert not folder.exists()


def test_help_exits_0(certs):
    done = certs("--help")
    assert (done.returncode, done.stderr) == (EXIT_OK, "")
    assert done.stdout.startswith("usage: tools/certs ")
