"""The guest's only file system: busybox, Python, and this build's programs with their libraries."""

import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUSYBOX = pathlib.Path("/bin/busybox")
# tools/sysctl is written in Python, and it is what applies the profiles in the guest too.
PYTHON_PACKAGES = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib")
PYTHON_LEFT_OUT = ("/usr/share/", "/lib2to3/", "/pydoc_data/", "/idlelib/")
PROGRAMS = ("holdfast", "conn_flood")
FROM_THE_TREE = ("tools/sysctl", "sysctl")
FOLDERS = ("proc", "sys", "dev", "tmp", "var", "root", "bin", "etc")


class CannotPack(Exception):
    """Something that the guest needs is missing."""


def run(command, **options):
    try:
        return subprocess.run(command, check=True, capture_output=True, **options).stdout
    except FileNotFoundError:
        raise CannotPack(f"{command[0]} is missing: sudo tools/setup") from None
    except subprocess.CalledProcessError as error:
        raise CannotPack(f"{command[0]}: {error.stderr.decode().strip()}") from None


def copy(tree, source):
    """Copies a file or a link to where it is on this machine."""
    target = tree / str(source).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=not str(source).startswith("/usr/bin/python"))


def libraries_of(program):
    """Paths that the dynamic linker names for it, itself included."""
    listing = run(["ldd", str(program)]).decode()
    if "not found" in listing:
        raise CannotPack(f"{program}: {listing}")
    return re.findall(r"(?:=> )?(/\S+) \(0x", listing)


def python_files():
    for package in PYTHON_PACKAGES:
        for line in run(["dpkg", "-L", package]).decode().splitlines():
            path = pathlib.Path(line)
            if path.is_file() and not any(part in line for part in PYTHON_LEFT_OUT):
                yield path


def add_python(tree):
    for path in python_files():
        copy(tree, path)
    (tree / "usr/bin/python3").symlink_to("python3.11")
    modules = [path for path in python_files() if path.suffix == ".so"]
    for binary in [pathlib.Path("/usr/bin/python3.11"), *modules]:
        for library in libraries_of(binary):
            copy(tree, pathlib.Path(library))


def add_programs(tree, bin_dir):
    for name in PROGRAMS:
        source = bin_dir / name
        if not source.is_file():
            raise CannotPack(f"{source} is missing: build the release preset, or give --bin-dir")
        run(["strip", "--strip-debug", "-o", str(tree / "bin" / name), str(source)])
        for library in libraries_of(source):
            copy(tree, pathlib.Path(library))


def pack(folder, bin_dir):
    """Writes FOLDER/initramfs and returns its path."""
    tree = folder / "tree"
    for name in FOLDERS:
        (tree / name).mkdir(parents=True, exist_ok=True)
    if not BUSYBOX.is_file():
        raise CannotPack(f"{BUSYBOX} is missing: sudo tools/setup")
    # What Debian has merged, so that a library is found under either name.
    for name in ("lib", "lib64", "sbin"):
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(f"usr/{name}")
    shutil.copy2(BUSYBOX, tree / "bin/busybox")
    for applet in run([str(BUSYBOX), "--list"]).decode().split():
        if applet != BUSYBOX.name:
            (tree / "bin" / applet).symlink_to(BUSYBOX.name)
    (tree / "usr/bin").mkdir(parents=True, exist_ok=True)
    (tree / "usr/bin/env").symlink_to("/bin/busybox")
    add_programs(tree, bin_dir)
    add_python(tree)
    for name in FROM_THE_TREE:
        source, target = ROOT / name, tree / "holdfast" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_whole = shutil.copytree if source.is_dir() else shutil.copy2
        copy_whole(source, target)
    shutil.copy2(ROOT / "tests/vm/init", tree / "init")
    os.chmod(tree / "init", 0o755)
    archive = folder / "initramfs"
    names = "\0".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    with archive.open("wb") as out:
        out.write(run(["cpio", "--null", "--create", "--format=newc"], input=names.encode(),
                      cwd=tree))
    shutil.rmtree(tree)
    return archive
