"""TLS clients written by others: openssl s_client and gnutls-cli, with a test at their pipes."""

import contextlib
import fcntl
import shutil
import socket
import struct
import subprocess
import termios
import threading

from .device import Device
from .waiting import eventually, slowed


class ForeignClient(Device):
    """A Device whose bytes go through another program's standard input and output.

    `notes`: what the program tells of itself on standard error, or in `notes_file`.
    """

    def __init__(self, command, notes_file=None):
        ours, theirs = socket.socketpair()
        ours.settimeout(slowed(10))
        self._use(ours)
        self._notes = []
        self._notes_file = notes_file
        with theirs:
            self.process = subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE
            )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self):
        for line in self.process.stderr:
            self._notes.append(line.decode("utf-8", "replace"))

    @property
    def notes(self):
        if self._notes_file and self._notes_file.exists():
            return self._notes_file.read_text(errors="replace")
        return "".join(self._notes)

    def wait_for_note(self, text, count=1, within_s=10.0):
        with self._explained():
            eventually(lambda: self.notes.count(text) >= count, within_s, f"{count} x {text!r}")

    def expect(self, kind, within_s=10.0):
        with self._explained():
            return super().expect(kind, within_s)

    @contextlib.contextmanager
    def _explained(self):
        try:
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}; the client says:\n{self.notes}") from None

    def send_alone(self, data):
        """Waits until the program has read all of it, so that it comes in a piece of its own."""
        self.socket.sendall(data)
        # Of a local socket this counts what the other end has not read: unix(7), SIOCOUTQ.
        eventually(lambda: self._count_unread() == 0, 10, "the client has read its input")

    def _count_unread(self):
        return struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))[0]

    def read_text_until(self, text, within_s=10.0):
        """What the program has written to its output, up to and with `text`."""
        self.socket.settimeout(slowed(within_s))
        told = ""
        while text not in told:
            data = self.socket.recv(65536)
            assert data, f"the client ended before {text!r}: {told}"
            told += data.decode("latin-1")
        return told

    def read_text_to_the_end(self):
        told = b""
        while data := self.socket.recv(65536):
            told += data
        return told.decode("latin-1")

    def wait(self, within_s=10.0):
        """Waits for the program's own end and returns its exit code."""
        code = self.process.wait(slowed(within_s))
        self._watcher.join()
        return code

    def close(self):
        super().close()
        self.process.kill()
        self.process.wait()
        self._watcher.join()
        self.process.stderr.close()


class OpensslClient(ForeignClient):
    """openssl s_client. It takes a piece that begins with Q, R, k or K for a command.

    Unless brief it writes what it knows of the connection to its output too.
    """

    def __init__(self, address, ca, *options, is_brief=True):
        command = ["openssl", "s_client", "-connect", "%s:%d" % address]
        command += ["-brief"] if is_brief else []
        command += ["-servername", "localhost", "-CAfile", ca, "-verify_return_error", *options]
        super().__init__(command)

    def command(self, letter, note, count=1):
        """Gives a command and waits until the client says for the `count`th time that it obeys."""
        self.socket.sendall(letter)
        self.wait_for_note(note, count)


def has_gnutls():
    return shutil.which("gnutls-cli") is not None


class GnutlsClient(ForeignClient):
    """gnutls-cli, which keeps its notes in a file so that its output is the server's bytes.

    With --inline-commands a line of its own may be one: the bytes before it have to end a line.
    """

    def __init__(self, address, ca, folder, *options):
        notes = folder / "gnutls.log"
        command = ["gnutls-cli", "--port", str(address[1]), "--x509cafile", ca, "--logfile", notes]
        command += ["--sni-hostname", "localhost", "--verify-hostname", "localhost", *options]
        super().__init__([*map(str, command), address[0]], notes)
