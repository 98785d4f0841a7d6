"""A virtual machine under qemu's software emulation, and commands run inside it."""

import pathlib
import shlex
import shutil
import socket
import subprocess
import time

QEMU = "qemu-system-x86_64"
BOOT_S = 120
COMMAND_S = 120
STOP_S = 20
# No mitigations for processors that are not there.
KERNEL_ARGUMENTS = "console=ttyS0 quiet mitigations=off panic=1"


class GuestFailed(Exception):
    """The guest did not do what was asked of it."""


def is_available():
    return shutil.which(QEMU) is not None


class Guest:
    """A running guest. Use it as a context: it ends with the block, whatever happens in it."""

    def __init__(self, folder, kernel, initramfs, scenario):
        self.console = folder / "console.log"
        self.channel_path = folder / "channel"
        arguments = KERNEL_ARGUMENTS
        if scenario.thash_entries:
            arguments += f" thash_entries={scenario.thash_entries}"
        # It dies with this process, however that dies.
        self.command = ["setpriv", "--pdeathsig", "KILL", "--"]
        self.command += [QEMU, "-accel", "tcg,thread=multi", "-cpu", "max"]
        self.command += ["-smp", str(scenario.processors), "-m", str(scenario.memory_mib)]
        self.command += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        self.command += ["-kernel", str(kernel), "-initrd", str(initramfs)]
        self.command += ["-append", arguments]
        self.command += ["-serial", f"file:{self.console}"]
        channel = f"socket,id=channel,path={self.channel_path},server=on,wait=off"
        self.command += ["-chardev", channel]
        self.command += ["-serial", "chardev:channel"]
        self.process = None
        self.channel = None
        self.received = b""

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            self._connect(time.monotonic() + BOOT_S)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if self.channel is not None:
            self.channel.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stderr.close()

    def _connect(self, deadline):
        while self.channel is None:
            self._check_alive()
            if time.monotonic() > deadline:
                raise GuestFailed("qemu opened no channel in time")
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                channel.connect(str(self.channel_path))
                self.channel = channel
            except OSError:
                channel.close()
                time.sleep(0.05)
        while self._read_line(deadline) != b"ready":
            pass

    def _check_alive(self):
        if self.process.poll() is not None:
            errors = self.process.stderr.read().decode("utf-8", "replace").strip()
            raise GuestFailed(f"qemu ended with {self.process.returncode}: {errors}")

    def _receive(self, deadline):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise GuestFailed(f"no answer in time; the console said:\n{self.console_tail()}")
        self.channel.settimeout(left_s)
        try:
            arrived = self.channel.recv(65536)
        except TimeoutError:
            return
        except OSError:
            arrived = b""
        if not arrived:
            self._check_alive()
            raise self._gone()
        self.received += arrived

    def _gone(self):
        return GuestFailed(f"the guest has gone; the console said:\n{self.console_tail()}")

    def _read_line(self, deadline):
        while b"\n" not in self.received:
            self._receive(deadline)
        line, _, self.received = self.received.partition(b"\n")
        return line

    def console_tail(self, lines=20):
        if not self.console.is_file():
            return "(nothing)"
        text = self.console.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def try_run(self, command, limit_s=COMMAND_S):
        """Runs a line of shell in the guest. Returns (exit code, what it printed)."""
        if "\n" in command:
            raise ValueError("one line only")
        deadline = time.monotonic() + limit_s
        self.channel.settimeout(limit_s)
        try:
            self.channel.sendall(command.encode() + b"\n")
        except OSError:
            raise self._gone() from None
        code, size = self._read_line(deadline).split()
        while len(self.received) < int(size):
            self._receive(deadline)
        output, self.received = self.received[: int(size)], self.received[int(size) :]
        return int(code), output.decode("utf-8", "replace")

    def run(self, command, limit_s=COMMAND_S):
        """As try_run, and returns the output of a command that must succeed."""
        code, output = self.try_run(command, limit_s)
        if code != 0:
            raise GuestFailed(f"in the guest, exit {code}: {command}\n{output}")
        return output

    def start(self, command, log):
        """Starts a program in the background with its output in a file. Returns its pid."""
        words = " ".join(shlex.quote(str(word)) for word in command)
        return int(self.run(f"{words} >{shlex.quote(log)} 2>&1 & echo $!"))

    def read(self, path):
        return self.run(f"cat {shlex.quote(str(path))}")
