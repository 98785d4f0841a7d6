"""Debian's cloud kernel, fetched by apt and kept in a cache."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

PACKAGE = "linux-image-cloud-amd64"
FETCH_S = 300


class NoKernel(Exception):
    """The kernel cannot be had here."""


def cache_dir():
    """Where kernels are kept; XDG_CACHE_HOME moves it."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "holdfast" / "vm"


def output_of(command, folder=None):
    try:
        run = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoKernel(f"{command[0]}: {error}") from None
    if run.returncode != 0:
        raise NoKernel(f"{' '.join(command)}: {run.stderr.strip() or run.returncode}")
    return run.stdout


def newest_package():
    """The package that PACKAGE depends on: its name has the kernel's version."""
    found = re.search(r"Depends: (linux-image-\S+)", output_of(["apt-cache", "depends", PACKAGE]))
    if found is None:
        raise NoKernel(f"apt does not know {PACKAGE}: apt-get update")
    return found.group(1)


def fetch(package, folder):
    """Downloads the package and keeps of it the image alone."""
    with tempfile.TemporaryDirectory(prefix="holdfast-kernel-") as scratch:
        os.chmod(scratch, 0o755)  # apt downloads as a user of its own
        output_of(["apt-get", "download", package], scratch)
        archives = list(pathlib.Path(scratch).glob("*.deb"))
        if len(archives) != 1:
            raise NoKernel(f"apt-get download {package} left no package")
        output_of(["dpkg-deb", "--extract", str(archives[0]), f"{scratch}/tree"])
        images = list(pathlib.Path(scratch, "tree/boot").glob("vmlinuz-*"))
        if len(images) != 1:
            raise NoKernel(f"{package} has no kernel image")
        folder.mkdir(parents=True, exist_ok=True)
        arriving = folder / f".{package}.{os.getpid()}"
        shutil.copyfile(images[0], arriving)
        os.replace(arriving, folder / package)  # whole or not at all


def image():
    """Returns the path of a kernel image; downloads it only when the cache lacks it."""
    folder = cache_dir()
    try:
        package = newest_package()
        if not (folder / package).is_file():
            fetch(package, folder)
        return folder / package
    except NoKernel:
        kept = sorted(folder.glob("linux-image-*"), key=lambda path: path.stat().st_mtime)
        if not kept:
            raise
        return kept[-1]
