"""A key and a certificate of its own for the servers of a run: ECDSA P-256, in a folder that goes
again.
"""

import contextlib
import dataclasses
import pathlib
import subprocess
import tempfile

from bench_programs import CannotMeasure

KIND = "ECDSA P-256"


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Paths in PEM."""

    certificate: pathlib.Path
    key: pathlib.Path
    # The same key for a server that becomes another user before it reads it; it guards nothing.
    open_key: pathlib.Path


@contextlib.contextmanager
def made():
    """Yields a Certificate that lasts as long as the block."""
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as folder:
        names = ("cert.pem", "key.pem", "open-key.pem")
        paths = Certificate(*(pathlib.Path(folder) / name for name in names))
        make(paths)
        paths.key.chmod(0o600)
        paths.open_key.write_bytes(paths.key.read_bytes())
        paths.open_key.chmod(0o644)
        paths.open_key.parent.chmod(0o755)
        yield paths


def make(paths):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=bench"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", paths.key, "-out", paths.certificate]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotMeasure(f"openssl: {error}; tools/setup installs it") from None
    if run.returncode != 0:
        raise CannotMeasure(f"openssl made no certificate: {run.stderr}".strip())
