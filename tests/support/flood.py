"""Runs the real conn_flood for a test."""

import json
import subprocess

from .waiting import slowed

OK, FAULT, USAGE = 0, 1, 2


class Flood:
    """One run of conn_flood; its counts are those of --json."""

    def __init__(self, binary, folder, address, arguments, prefix=()):
        self._json_file = folder / "flood.json"
        target = f"{address[0]}:{address[1]}"
        arguments = list(map(str, arguments))
        if "--json" not in arguments:
            arguments += ["--json", str(self._json_file)]
        self._process = subprocess.Popen(
            [*prefix, binary, "--target", target, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, expected=OK, within_s=60):
        """Waits for the end, checks the exit code and returns the counts ({} with none)."""
        try:
            self.output, _ = self._process.communicate(timeout=slowed(within_s))
        finally:
            self.kill()
        assert self._process.returncode == expected, self.output
        return json.loads(self._json_file.read_text()) if expected != USAGE else {}

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
