"""Where builds of the presets are and how they are made: shared by tools/check and tools/demo."""

import os
import pathlib
import platform
import shutil
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"


def cores():
    """Cores that this process may use (a container may have fewer than the machine)."""
    return len(os.sched_getaffinity(0))


def bin_dir(preset):
    return BUILD / preset / "bin"


def build_commands(preset, jobs, targets=()):
    """The commands that bring build/PRESET, or some of its targets, up to date from the root."""
    build = ["cmake", "--build", str(BUILD / preset), "--parallel", str(jobs)]
    return [["cmake", "--preset", preset], [*build, "--target", *targets] if targets else build]


def fixed_addresses():
    """A command prefix that switches address randomisation off, or [] where that is not allowed.

    The sanitizers of GCC 12 and clang 14 fail at random ("unexpected memory mapping") on kernels
    whose vm.mmap_rnd_bits is above 28.
    """
    prefix = ["setarch", platform.machine(), "-R"]
    if shutil.which("setarch") is None:
        return []
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else []


def run_logged(command, log, environment=None, time_limit_s=None):
    """Runs a command from the root with its output in the binary file `log`.

    Returns True when it ended with 0 in time. Whatever it started has ended when this returns, also
    when it leaves by an exception.
    """
    log.write(f"$ {' '.join(command)}\n".encode())
    log.flush()
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        log.write(f"cannot start {command[0]}: {error.strerror}\n".encode())
        return False
    try:
        return process.wait(timeout=time_limit_s) == 0
    except subprocess.TimeoutExpired:
        log.write(b"out of time: stopped\n")
        return False
    finally:
        stop_group(process)


def stop_group(process, patience_s=20):
    """Ends a process started with start_new_session, and all its children.

    SIGINT first: pytest answers it by ending what its tests started. The whole group is killed in
    any case, so nothing is left behind by a child that ignores signals.
    """
    for number, wait_s in ((signal.SIGINT, patience_s), (signal.SIGTERM, 5)):
        if process.poll() is None:
            send_to_group(process, number)
            try:
                process.wait(timeout=wait_s)
            except subprocess.TimeoutExpired:
                continue
    send_to_group(process, signal.SIGKILL)
    process.wait()


def send_to_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def give_back():
    """Under sudo, hands build/ to the user who called, so that a later build needs no root."""
    user = os.environ.get("SUDO_UID")
    if os.geteuid() != 0 or user is None or not BUILD.is_dir():
        return
    group = os.environ.get("SUDO_GID", user)
    subprocess.run(["chown", "-R", f"{user}:{group}", str(BUILD)], check=False)


def raise_as_exit(number, _frame):
    raise SystemExit(128 + number)


def end_cleanly_on_signals():
    """SIGINT, SIGTERM and SIGHUP leave by an exception, so that what was started is stopped."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, raise_as_exit)
