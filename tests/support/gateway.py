"""Runs the real gateway for a test."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time

from . import processes
from .admin import Admin
from .waiting import eventually, slowed

START_S = 20.0
STOP_S = 20.0
LOG_LINES_SHOWN = 80

# What a sanitizer, a failed check or the C library says before the process ends.
REPORT_MARKS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "WARNING: ThreadSanitizer",
    "runtime error:",
    "check failed",
    "terminate called",
)

# Ports chosen by the system; short silences, so that tests are quick.
TEST_SETTINGS = {
    "node.id": "test",
    "loops.count": 2,
    "loops.pin": False,
    "heartbeat.default_s": 2,
    "heartbeat.max_s": 600,
    "heartbeat.grace_ms": 200,
    "admin.bind": "127.0.0.1:0",
    "shutdown.grace_s": 2,
    "log.format": "json",
}


def toml_value(value):
    """JSON's numbers, booleans, strings and flat lists are TOML's."""
    return json.dumps(value)


def settings_text(settings, listeners):
    """TOML of dotted keys, then a [[listener]] for each."""
    lines = [f"{key} = {toml_value(value)}" for key, value in settings.items()]
    for listener in listeners:
        lines.append("[[listener]]")
        lines += [f"{key} = {toml_value(value)}" for key, value in listener.items()]
    return "\n".join(lines) + "\n"


def parse_address(text):
    """("127.0.0.1", 7000) of "127.0.0.1:7000", ("::1", 7000) of "[::1]:7000"."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


class Gateway:
    """One `holdfast serve`: its settings file, process, addresses, log and admin client.

    `settings`: a dict of dotted keys over TEST_SETTINGS, or the whole file as text (which must set
    log.format = "json", since the addresses are read from the log).
    `listeners`: a dict each; one on 127.0.0.1 unless given (with a text, its own).
    `prefix`: a command that runs the gateway by exec(), such as prlimit or ip netns exec.
    `arguments`: further arguments of serve, such as --set.
    """

    def __init__(self, binary, folder, settings=None, *, listeners=None, prefix=(), arguments=()):
        self.config_file = pathlib.Path(folder) / "holdfast.toml"
        self.listeners = listeners or [{"bind": "127.0.0.1:0"}]
        self.settings = {}
        self.write_settings(settings or {})
        self._command = [*prefix, str(binary), "serve", "--config", str(self.config_file)]
        self._command += arguments
        self._process = None
        self._reader = None
        self._log_lock = threading.Condition()
        self.log_lines = []
        self.log_records = []
        self.addresses = []
        self.admin = None

    # The settings file.

    def write_settings(self, settings):
        """Replaces the file: a dict is laid over what was set before, a text is taken as it is."""
        if isinstance(settings, str):
            self.config_file.write_text(settings)
            return
        self.settings = TEST_SETTINGS | self.settings | settings
        self.config_file.write_text(settings_text(self.settings, self.listeners))

    def reload(self, settings):
        """Writes settings, sends SIGHUP and returns the log record that answers it."""
        self.write_settings(settings)
        seen = self.log_length()
        self.signal(signal.SIGHUP)
        return self.wait_for_log(("settings reloaded", "reload failed"), since=seen)

    # The process.

    def start(self):
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read_log, name="gateway log", daemon=True)
        self._reader.start()
        try:
            self._wait_until_listening()
        except BaseException:
            self.kill()
            raise
        return self

    def _wait_until_listening(self):
        listeners = self.config_file.read_text().count("[[listener]]") or 1
        self.wait_for_log("listening", START_S, where={"listener": listeners - 1})
        by_index = {}
        for record in self.log_records:
            if record["message"] == "listening":
                by_index[record["listener"]] = parse_address(record["address"])
            elif record["message"] == "admin listening":
                self.admin = Admin(parse_address(record["address"]))
        self.addresses = [by_index[index] for index in sorted(by_index)]

    @property
    def address(self):
        """Where the first listener is."""
        return self.addresses[0]

    @property
    def pid(self):
        return self._process.pid

    @property
    def rss_bytes(self):
        return processes.rss_bytes(self.pid)

    @property
    def cpu_s(self):
        return processes.cpu_s(self.pid)

    @property
    def open_descriptors(self):
        return processes.open_descriptors(self.pid)

    @property
    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, within_s=STOP_S):
        """Waits for the end and returns the exit code; kills it and fails when it does not come."""
        try:
            code = self._process.wait(slowed(within_s))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the gateway did not end within {slowed(within_s):g} s") from None
        self._reader.join()
        return code

    def stop(self):
        """SIGTERM, and a clean end: exit code 0, nothing said by a sanitizer. Idle when stopped."""
        if self._process is None:
            return
        if self.is_running:
            self.signal(signal.SIGTERM)
            code = self.wait()
            assert code == 0, f"exit code {code}\n{self.log_tail()}"
        self._reader.join()
        self.expect_no_report()

    def kill(self):
        if self.is_running:
            self._process.kill()
            self._process.wait()

    def expect_no_report(self):
        """Fails when a sanitizer or a check has spoken."""
        reports = [line for line in self.log_lines if any(mark in line for mark in REPORT_MARKS)]
        assert not reports, f"{reports[0]}\n{self.log_tail()}"

    # The log.

    def _read_log(self):
        for raw in self._process.stderr:
            line = raw.decode("utf-8", "backslashreplace").rstrip("\n")
            record = self._parse(line)
            with self._log_lock:
                self.log_lines.append(line)
                if record:
                    self.log_records.append(record)
                self._log_lock.notify_all()
        with self._log_lock:
            self._log_lock.notify_all()

    @staticmethod
    def _parse(line):
        try:
            record = json.loads(line)
        except ValueError:
            return None
        return record if isinstance(record, dict) and "message" in record else None

    def log_length(self):
        """To be given as `since`: records from now on."""
        with self._log_lock:
            return len(self.log_records)

    def find_log(self, messages, since=0, where=None):
        """Records whose message is one of `messages` or begins with it, and has these fields."""
        messages = (messages,) if isinstance(messages, str) else tuple(messages)
        fields = (where or {}).items()
        return [
            record
            for record in self.log_records[since:]
            if record["message"].startswith(messages) and fields <= record.items()
        ]

    def wait_for_log(self, messages, within_s=10.0, since=0, where=None):
        deadline = time.monotonic() + slowed(within_s)
        with self._log_lock:
            while True:
                if found := self.find_log(messages, since, where):
                    return found[0]
                has_ended = not self._reader.is_alive()
                left_s = deadline - time.monotonic()
                if has_ended or left_s <= 0:
                    why = "the gateway ended" if has_ended else f"{slowed(within_s):g} s passed"
                    what = f"{why} without '{messages}' in the log"
                    raise AssertionError(f"{what}:\n{self.log_tail()}")
                self._log_lock.wait(min(left_s, 0.1))

    def log_tail(self):
        return "\n".join(self.log_lines[-LOG_LINES_SHOWN:])

    # What tests ask again and again.

    def wait_for_stats(self, condition, within_s=10.0, what="the statistics"):
        """Returns the first statistics for which `condition(statistics)` holds."""
        last = {}

        def look():
            last.update(self.admin.stats())
            return condition(last)

        try:
            eventually(look, within_s, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; last: {last}") from None
        return last

    def wait_for_sessions(self, count, within_s=10.0):
        return self.wait_for_stats(
            lambda stats: stats["sessions"] == count, within_s, f"{count} sessions"
        )

    def wait_for_connections(self, count, within_s=10.0):
        return self.wait_for_stats(
            lambda stats: stats["connections"] == count, within_s, f"{count} connections"
        )

    def wait_for_closed(self, reason, count, within_s=10.0):
        return self.wait_for_stats(
            lambda stats: stats["closed"][reason] == count, within_s, f"{count} closed as {reason}"
        )

    def wait_for_tls_failed(self, failure, count, within_s=10.0):
        return self.wait_for_stats(
            lambda stats: stats["tls"]["failed"][failure] == count,
            within_s,
            f"{count} TLS handshakes failed by {failure}",
        )
