"""Certificates and keys with which the gateway does not start: exit code 2, and a plain word."""

import pathlib
import subprocess

import pytest

from support.gateway import settings_text
from support.waiting import slowed

EXIT_USAGE = 2


@pytest.fixture
def serve(bin_dir, tmp_path):
    """serve(settings) -> how `holdfast serve` ended that was started with them."""

    def serve(settings, listener=None):
        file = tmp_path / "holdfast.toml"
        listener = {"bind": "127.0.0.1:0", "tls": True} | (listener or {})
        file.write_text(settings_text({"admin.bind": "127.0.0.1:0"} | settings, [listener]))
        return subprocess.run(
            [str(bin_dir / "holdfast"), "serve", "--config", str(file)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=slowed(20),
            check=False,
        )

    return serve


def expect_refusal(done, *words):
    """Exit code 2 and one line that has these words."""
    assert done.returncode == EXIT_USAGE, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def copy(source, target, mode):
    target.write_bytes(pathlib.Path(source).read_bytes())
    target.chmod(mode)
    return str(target)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_can_read(serve, server_pair, tmp_path, mode):
    key = copy(server_pair.key, tmp_path / "open.key", mode)
    expect_refusal(serve({"tls.cert_file": server_pair.cert, "tls.key_file": key}), key)


def test_an_expired_certificate(serve, authority):
    pair = authority.issue_server(from_days=-9, to_days=-1)
    done = serve({"tls.cert_file": pair.cert, "tls.key_file": pair.key})
    expect_refusal(done, pair.cert, "expired")


def test_a_certificate_that_is_not_valid_yet(serve, authority):
    pair = authority.issue_server(from_days=2, to_days=9)
    done = serve({"tls.cert_file": pair.cert, "tls.key_file": pair.key})
    expect_refusal(done, pair.cert, "not valid before")


def test_a_key_of_another_certificate(serve, authority, server_pair):
    other = authority.issue_server()
    done = serve({"tls.cert_file": server_pair.cert, "tls.key_file": other.key})
    expect_refusal(done, server_pair.cert, other.key)


def test_a_certificate_of_a_device(serve, authority):
    pair = authority.issue_device("localhost")
    done = serve({"tls.cert_file": pair.cert, "tls.key_file": pair.key})
    expect_refusal(done, pair.cert)


@pytest.mark.parametrize("missing", ["cert_file", "key_file"])
def test_a_file_that_is_not_there(serve, server_pair, tmp_path, missing):
    settings = {"tls.cert_file": server_pair.cert, "tls.key_file": server_pair.key}
    settings[f"tls.{missing}"] = str(tmp_path / "none.pem")
    expect_refusal(serve(settings), str(tmp_path / "none.pem"))


def test_a_certificate_without_its_key(serve, server_pair):
    expect_refusal(serve({"tls.cert_file": server_pair.cert}), "key_file")


def test_a_tls_listener_without_a_certificate(serve):
    expect_refusal(serve({}), "tls.cert_file")


def test_client_certificates_without_an_authority(serve, server_pair):
    settings = {"tls.cert_file": server_pair.cert, "tls.key_file": server_pair.key}
    expect_refusal(serve(settings | {"tls.client_auth": "required"}), "client_ca_file")


def test_client_certificates_required_where_plain_devices_come_in(serve, server_pair, authority):
    settings = {
        "tls.cert_file": server_pair.cert,
        "tls.key_file": server_pair.key,
        "tls.client_auth": "required",
        "tls.client_ca_file": authority.cert,
    }
    expect_refusal(serve(settings, {"tls": False}), "listener.tls = true")


def test_a_ticket_key_file_that_others_can_read(serve, server_pair, tmp_path):
    path = tmp_path / "tickets.key"
    path.write_bytes(bytes(range(80)))
    path.chmod(0o644)
    settings = {"tls.cert_file": server_pair.cert, "tls.key_file": server_pair.key}
    expect_refusal(serve(settings | {"tls.ticket_key_file": str(path)}), str(path))


def test_a_response_for_another_certificate(serve, server_pair, authority):
    response = authority.ocsp_response(authority.issue_server())
    settings = {"tls.cert_file": server_pair.cert, "tls.key_file": server_pair.key}
    expect_refusal(serve(settings | {"tls.ocsp_file": response}), response)
