"""Where the gateway listens, and what it says when it cannot."""

import socket
import subprocess

import pytest

from support.device import Device
from support.gateway import settings_text
from support.waiting import slowed

EXIT_FAILED = 1


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def run_to_its_end(bin_dir, tmp_path, settings, listeners):
    file = tmp_path / "holdfast.toml"
    file.write_text(settings_text({"admin.bind": "127.0.0.1:0"} | settings, listeners))
    return subprocess.run(
        [str(bin_dir / "holdfast"), "serve", "--config", str(file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=slowed(20),
        check=False,
    )


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
def test_devices_are_served_on_ipv6(start_gateway):
    gateway = start_gateway(listeners=[{"bind": "[::1]:0"}])
    assert gateway.address[0] == "::1"
    with Device.login(gateway.address, "d") as device:
        assert device.is_alive()
        assert gateway.admin.session("d")["peer"].startswith("[::1]:")


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
def test_both_families_may_listen_on_one_port(start_gateway):
    first = start_gateway(listeners=[{"bind": "0.0.0.0:0"}])
    port = first.address[1]
    first.stop()
    gateway = start_gateway(
        listeners=[{"bind": f"0.0.0.0:{port}"}, {"bind": f"[::]:{port}"}]
    )
    for host in ("127.0.0.1", "::1"):
        with Device.login((host, port), f"d-{len(host)}") as device:
            assert device.is_alive()
    assert len(gateway.addresses) == 2


def test_a_device_is_the_same_on_every_listener(start_gateway):
    gateway = start_gateway(listeners=[{"bind": "127.0.0.1:0"}] * 3)
    devices = []
    for index, address in enumerate(gateway.addresses):
        devices.append(Device.login(address, f"d{index}"))
        assert gateway.admin.session(f"d{index}")["listener"] == index
    with Device.login(gateway.addresses[2], "d0") as newer:
        assert newer.welcome.took_over
    for device in devices:
        device.close()


def test_a_restart_on_the_same_port_does_not_wait(start_gateway):
    """The port of a gateway that closed connections itself is in TIME_WAIT."""
    first = start_gateway()
    with Device.login(first.address, "d") as device:
        first.stop()
        device.receive()
    again = start_gateway(listeners=[{"bind": "%s:%d" % first.address}])
    with Device.login(again.address, "d") as device:
        assert device.is_alive()


def test_a_port_in_use_is_said_with_the_mend(bin_dir, tmp_path, gateway):
    bind = "%s:%d" % gateway.address
    done = run_to_its_end(bin_dir, tmp_path, {}, [{"bind": bind}])
    assert done.returncode == EXIT_FAILED
    assert f"listener {bind}" in done.stderr
    assert "another program listens there" in done.stderr
    assert f"ss -ltnp 'sport = :{gateway.address[1]}'" in done.stderr


def test_an_admin_port_in_use_is_said_too(bin_dir, tmp_path, gateway):
    bind = "%s:%d" % gateway.admin.address
    done = run_to_its_end(bin_dir, tmp_path, {"admin.bind": bind}, [{"bind": "127.0.0.1:0"}])
    assert done.returncode == EXIT_FAILED
    assert bind in done.stderr


def test_an_address_that_no_interface_has_is_said_with_the_mend(bin_dir, tmp_path):
    done = run_to_its_end(bin_dir, tmp_path, {}, [{"bind": "192.0.2.77:0"}])
    assert done.returncode == EXIT_FAILED
    assert "no interface of this machine has that address" in done.stderr


def test_a_descriptor_limit_that_leaves_no_room_is_said_with_the_mend(bin_dir, tmp_path):
    file = tmp_path / "holdfast.toml"
    file.write_text(settings_text({"admin.bind": "127.0.0.1:0"}, [{"bind": "127.0.0.1:0"}]))
    done = subprocess.run(
        ["prlimit", "--nofile=40:40", str(bin_dir / "holdfast"), "serve", "--config", str(file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=slowed(20),
        check=False,
    )
    assert done.returncode == EXIT_FAILED
    assert "ulimit -n" in done.stderr
