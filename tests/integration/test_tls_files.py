"""The files of TLS in a running gateway: read at the start and by SIGHUP, told by the metrics."""

import pathlib
import re
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAY_S = 86_400


def make(folder, *arguments):
    subprocess.run(
        [ROOT / "tools" / "certs", "--dir", folder, *arguments],
        check=True, capture_output=True, timeout=60,
    )


@pytest.fixture
def folder(tmp_path):
    make(tmp_path, "--name", "a.example", "--name", "127.0.0.1", "--days", "30")
    return tmp_path


def tls_settings(folder):
    return {"tls.cert_file": f"{folder}/server.pem", "tls.key_file": f"{folder}/server.key"}


def days_left(gateway, folder, names):
    """By the metrics; None when the certificate does not stand there."""
    text = gateway.admin.get("/metrics").body.decode()
    found = re.search(
        rf'^holdfast_tls_certificate_expiry_seconds{{file="{folder}/server.pem",names="{names}"}} '
        r"(\d+)$",
        text, re.MULTILINE,
    )
    return None if found is None else (int(found.group(1)) - time.time()) / DAY_S


def test_metrics_tell_when_a_certificate_runs_out(start_gateway, folder):
    gateway = start_gateway(tls_settings(folder))
    assert days_left(gateway, folder, "a.example") == pytest.approx(30, abs=0.1)


def test_a_gateway_without_certificates_has_no_such_metric(gateway):
    assert "holdfast_tls_certificate" not in gateway.admin.get("/metrics").body.decode()


def test_a_reload_reads_the_files_again(start_gateway, folder):
    gateway = start_gateway(tls_settings(folder))
    make(folder, "--name", "b.example", "--days", "60")
    assert gateway.reload({})["message"] == "settings reloaded"
    assert days_left(gateway, folder, "a.example") is None
    assert days_left(gateway, folder, "b.example") == pytest.approx(60, abs=0.1)


def test_a_reload_with_a_file_that_is_wrong_changes_nothing(start_gateway, folder):
    gateway = start_gateway(tls_settings(folder))
    (folder / "server.key").chmod(0o644)
    record = gateway.reload({"heartbeat.max_s": 60})
    assert record["message"] == "reload failed: the old settings stay"
    assert record["error"].startswith(f"{folder}/server.key has mode 0644, open to others")
    assert days_left(gateway, folder, "a.example") == pytest.approx(30, abs=0.1)
    (folder / "server.key").chmod(0o600)
    assert gateway.reload({})["message"] == "settings reloaded"


def test_certificates_come_and_go_with_the_settings(start_gateway, folder):
    gateway = start_gateway()
    assert gateway.reload(tls_settings(folder))["message"] == "settings reloaded"
    assert days_left(gateway, folder, "a.example") is not None
    assert gateway.reload({"tls.cert_file": "", "tls.key_file": ""})["message"] == (
        "settings reloaded"
    )
    assert days_left(gateway, folder, "a.example") is None


def test_a_certificate_near_its_end_is_logged(start_gateway, folder):
    make(folder, "--name", "a.example", "--days", "10")
    gateway = start_gateway(tls_settings(folder))
    record = gateway.wait_for_log("a certificate expires soon: renew it and send SIGHUP")
    assert record["file"] == f"{folder}/server.pem"
    assert record["days_left"] in (9, 10)


def test_required_certificates_do_not_go_with_plain_connections(start_gateway, folder):
    shutil.copy(folder / "ca.pem", folder / "clients.pem")
    gateway = start_gateway(tls_settings(folder))
    record = gateway.reload(
        {"tls.client_auth": "required", "tls.client_ca_file": f"{folder}/clients.pem"}
    )
    assert record["message"] == "reload failed: the old settings stay"
    assert "takes plain connections too" in record["error"]
