"""Fixtures and rules of the integration tests; docs/testing.md says how to run them.

HOLDFAST_BIN_DIR     the programs under test (default: build/release/bin)
HOLDFAST_SLOW_FACTOR by how much to widen time limits (default: by the sanitizer of the build)
"""

import ctypes
import os
import pathlib
import re
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support import faults, network, waiting  # noqa: E402
from support.certificates import Authority  # noqa: E402
from support.flood import OK, Flood  # noqa: E402
from support.gateway import Gateway  # noqa: E402
from support.stub_gateway import StubGateway  # noqa: E402
from support.tls import client_context  # noqa: E402

BIN_DIR = pathlib.Path(os.environ.get("HOLDFAST_BIN_DIR") or ROOT / "build/release/bin").resolve()
SLOW_FACTORS = {"": 1.0, "address": 3.0, "thread": 5.0}
ADDR_NO_RANDOMIZE = 0x0040000  # personality(2)
EXIT_NOTHING_COLLECTED = 5

MARKERS = {
    "slow": "takes more than ten seconds",
    "threads": "crosses threads: worth running under ThreadSanitizer, which runs only these",
    "needs_root": "skipped without root",
    "netns": "makes a network namespace: skipped where that is not allowed",
    "strace": "makes system calls fail: skipped where strace may not trace",
}


def read_sanitizer():
    """"address", "thread" or "": what the programs under test were built with."""
    try:
        cache = (BIN_DIR.parent / "CMakeCache.txt").read_text()
    except OSError:
        return ""
    found = re.search(r"^HOLDFAST_SANITIZE:\w+=(\w*)$", cache, re.MULTILINE)
    return found.group(1) if found else ""


SANITIZER = read_sanitizer()


def keep_addresses_fixed():
    """Switches address randomisation off for what this process starts.

    GCC 12's sanitizers fail at random at start ("unexpected memory mapping") where vm.mmap_rnd_bits
    is above 28.
    """
    libc = ctypes.CDLL(None)
    current = libc.personality(0xFFFFFFFF)
    if current >= 0:
        libc.personality(current | ADDR_NO_RANDOMIZE)


def pytest_configure(config):
    for name, what in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {what}")
    factor = os.environ.get("HOLDFAST_SLOW_FACTOR")
    waiting.set_slow_factor(float(factor) if factor else SLOW_FACTORS.get(SANITIZER, 1.0))
    if SANITIZER:
        keep_addresses_fixed()


def pytest_collection_modifyitems(config, items):
    if SANITIZER != "thread":
        return
    kept = [item for item in items if item.get_closest_marker("threads")]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_sessionfinish(session, exitstatus):
    # A file without a test for the threads is no failure under ThreadSanitizer.
    if SANITIZER == "thread" and exitstatus == EXIT_NOTHING_COLLECTED:
        session.exitstatus = 0


def pytest_runtest_setup(item):
    if item.get_closest_marker("needs_root") and os.geteuid() != 0:
        pytest.skip("needs root")
    if item.get_closest_marker("netns") and not network.can_make_namespaces():
        pytest.skip("network namespaces cannot be made here")
    if item.get_closest_marker("strace") and (reason := faults.why_not()):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def bin_dir():
    """The folder with `holdfast` and `conn_flood`."""
    if not (BIN_DIR / "holdfast").exists():
        pytest.exit(f"{BIN_DIR}/holdfast is not there: build first, or set HOLDFAST_BIN_DIR", 1)
    return BIN_DIR


@pytest.fixture(scope="session")
def sanitizer():
    """"address", "thread" or "": memory and CPU say nothing about the product under one."""
    return SANITIZER


@pytest.fixture
def start_gateway(bin_dir, tmp_path_factory):
    """start_gateway(settings, listeners=..., prefix=...) -> a running Gateway; see support.gateway.

    Each one is stopped behind the test, which fails unless that ends cleanly.
    """
    started = []

    def start(settings=None, **options):
        folder = tmp_path_factory.mktemp("gateway")
        gateway = Gateway(bin_dir / "holdfast", folder, settings, **options)
        started.append(gateway)
        return gateway.start()

    yield start
    problems = []
    for gateway in started:
        try:
            gateway.stop()
        except AssertionError as problem:
            problems.append(problem)
        finally:
            gateway.kill()
            print(f"--- log of the gateway\n{gateway.log_tail()}")  # shown when the test failed
    if problems:
        raise problems[0]


@pytest.fixture
def gateway(start_gateway):
    """A gateway with the settings of tests: support.gateway.TEST_SETTINGS."""
    return start_gateway()


@pytest.fixture
def admin(gateway):
    return gateway.admin


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Signs the certificates of the servers, and of devices, that are as they should be."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_pair(authority):
    """The certificate that TLS listeners of tests have, for localhost."""
    return authority.issue_server()


@pytest.fixture
def start_tls_gateway(start_gateway, server_pair):
    """As start_gateway, with a certificate and, unless given, one listener for TLS only."""

    def start(settings=None, *, listeners=None, **options):
        files = {"tls.cert_file": server_pair.cert, "tls.key_file": server_pair.key}
        listeners = listeners or [{"bind": "127.0.0.1:0", "tls": True}]
        return start_gateway(files | (settings or {}), listeners=listeners, **options)

    return start


@pytest.fixture
def tls_gateway(start_tls_gateway):
    return start_tls_gateway()


@pytest.fixture
def trust(authority):
    """trust(version=..., ...) -> a context of a device that trusts the gateway; see support.tls."""

    def make(**options):
        return client_context(authority.cert, **options)

    return make


@pytest.fixture
def start_flood(bin_dir, tmp_path):
    """start_flood(address, *arguments) -> a Flood; killed behind the test if it still runs."""
    started = []

    def start(address, *arguments, prefix=()):
        started.append(Flood(bin_dir / "conn_flood", tmp_path, address, arguments, prefix))
        return started[-1]

    yield start
    for flood in started:
        flood.kill()


@pytest.fixture
def run_flood(start_flood):
    """run_flood(address, *arguments, expected=OK) -> counts."""

    def run(address, *arguments, expected=OK, prefix=()):
        return start_flood(address, *arguments, prefix=prefix).wait(expected)

    return run


@pytest.fixture
def start_stub():
    """start_stub(answer, told=b"", tls=None) -> a StubGateway; closed behind the test."""
    stubs = []

    def start(answer, told=b"", tls=None):
        stubs.append(StubGateway(answer, told, tls))
        threading.Thread(target=stubs[-1].serve_forever, daemon=True).start()
        return stubs[-1]

    yield start
    for stub in stubs:
        stub.shutdown()
        stub.server_close()
