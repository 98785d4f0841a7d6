"""Starts and stops the programs of a measurement: where each runs, and how it is told to end."""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import bench_mosquitto
import bench_nginx

START_S = 20
STOP_S = 20
CLIENT_S = 60
# Nicenesses: before other programs, where that is allowed. Source: sched(7).
FIRST = -20
# A server is at rest when it used less than this share of a processor for so long.
REST_SHARE = 0.02
REST_S = 0.1
REST_MAX_S = 20

# Over the defaults: system-chosen ports, and a heartbeat so long that the server never asks.
GATEWAY_SETTINGS = {
    "listener.bind": "127.0.0.1:0",
    "admin.bind": "127.0.0.1:0",
    "log.format": "json",
    "heartbeat.max_s": "1800",
    "shutdown.grace_s": "1",
}


class CannotMeasure(Exception):
    """Something that a measurement needs is missing or went wrong."""


class Server:
    """A running server: its process, where it listens, what it speaks, which of its threads
    accepts, when one does nothing else, and the processes that it has started.
    """

    def __init__(self, process, address, protocol="native", accept_thread=None, workers=()):
        self.process = process
        self.address = address
        self.protocol = protocol
        self.accept_thread = accept_thread
        self.workers = tuple(workers)

    @property
    def pids(self):
        return (self.process.pid, *self.workers)


class Held:
    """Connections that are held, and silent unless told otherwise."""

    def __init__(self, process, count):
        self.process = process
        self.count = count
        self.is_abandoned = False

    def await_answers(self):
        line = self.process.stdout.readline()
        held = json.loads(line) if line else {}
        if held.get("answered") != self.count:
            raise CannotMeasure(f"{self.count} connections wanted, held: {held or 'none'}")

    def ping_again(self):
        """One more PING on each."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.await_answers()

    def abandon(self):
        """Ends the client at once: its server has been ended under it."""
        self.is_abandoned = True
        stop(self.process)


class Programs:
    """The binaries and their processors: the first is the servers', the second the clients'."""

    def __init__(self, bin_dir, settings=None):
        """`settings`: of every gateway, over GATEWAY_SETTINGS."""
        self.gateway_settings = GATEWAY_SETTINGS | (settings or {})
        self.gateway_binary = self._find(bin_dir, "holdfast")
        self.floor_binary = self._find(bin_dir, "bench_floor")
        self.client_binary = self._find(bin_dir, "bench_ping_load")
        self.handshake_binary = self._find(bin_dir, "bench_handshake_load")
        # Debian puts them where only root's PATH leads.
        path = f"{os.environ['PATH']}:/usr/sbin"
        self.mosquitto_binary = shutil.which("mosquitto", path=path)
        self.nginx_binary = shutil.which("nginx", path=path)
        self.cpus = sorted(os.sched_getaffinity(0))
        if len(self.cpus) < 2:
            raise CannotMeasure("one processor: server and client would measure each other")
        self.has_priority = self._may_have_priority()

    @staticmethod
    def _find(bin_dir, name):
        path = pathlib.Path(bin_dir) / name
        if not path.is_file():
            raise CannotMeasure(f"{path} is missing; build the release preset, or give --bin-dir")
        return path

    @staticmethod
    def _may_have_priority():
        """Whether programs may go before others on this machine, so that those disturb less."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NICE)
        return os.geteuid() == 0 or max(soft, hard) >= 40

    @property
    def after_first(self):
        """The niceness of a program that is to leave the processors to those at FIRST, a ninth of
        their share, and still goes before others where that is allowed.
        """
        return -10 if self.has_priority else 10

    def _prepare(self, cpus, niceness):
        """Runs in the child before it becomes the program; its threads inherit all of it."""
        os.sched_setaffinity(0, cpus)
        if self.has_priority or niceness > FIRST:
            os.setpriority(os.PRIO_PROCESS, 0, niceness)
            # Where sessions are scheduled as groups, niceness counts only within one. Source:
            # sched(7), "The autogroup feature".
            os.setsid()
            with contextlib.suppress(OSError):
                pathlib.Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def popen(self, command, cpus, niceness=FIRST, **pipes):
        return subprocess.Popen(
            [str(part) for part in command],
            preexec_fn=lambda: self._prepare(cpus, niceness),
            **pipes,
        )

    @contextlib.contextmanager
    def floor(self, mode="echo"):
        process = self.popen(
            [self.floor_binary, mode],
            self.cpus[:1],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise CannotMeasure("bench_floor did not start")
            thread = "floor-accept" if mode == "accept" else None
            yield Server(process, address, accept_thread=thread)
        finally:
            stop(process)

    @contextlib.contextmanager
    def gateway(self, loops, settings=None, cpus=None, environment=None):
        """A gateway with its loops on the first processors, and settings over the usual ones. It
        has those processors, or `cpus`.
        """
        settings = self.gateway_settings | {"loops.count": str(loops)} | (settings or {})
        command = [self.gateway_binary, "serve"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        with tempfile.TemporaryFile() as log:
            process = self.popen(
                command,
                cpus or self.cpus[:loops],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
            try:
                address = wait_for_address(process, log)
                yield Server(process, address, accept_thread="hf-accept")
            finally:
                stop(process)

    @contextlib.contextmanager
    def mosquitto(self, certificate=None):
        """The peer: a broker of Debian's on the first processor; with a certificate it ends TLS."""
        address = f"127.0.0.1:{free_port()}"
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
            config = bench_mosquitto.write_config(folder, address, certificate)
            process = self.popen(
                [self.mosquitto_binary, "-c", config],
                self.cpus[:1],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                wait_for_port(process, address, log)
                yield Server(process, address, protocol="mqtt")
            finally:
                stop(process)

    @contextlib.contextmanager
    def nginx(self, certificate):
        """The peer that ends TLS: a web server of Debian's on the first processor."""
        address = f"127.0.0.1:{free_port()}"
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
            config = bench_nginx.write_config(folder, address, certificate)
            process = self.popen(
                bench_nginx.command(self.nginx_binary, config),
                self.cpus[:1],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            with contextlib.ExitStack() as stack:
                stack.callback(stop, process)
                wait_for_port(process, address, log)
                workers = wait_for_workers(process)
                for worker in workers:
                    stack.callback(kill_what_is_left, os.pidfd_open(worker))
                # Called last first: the master before them, which takes them with it.
                stack.callback(stop, process)
                yield Server(process, address, protocol="http", workers=workers)

    def session_cost(self):
        """What a session is to take by the sizes of its parts, and what records alone do take."""
        command = [self.gateway_binary.parent / "bench_session_cost"]
        process = self.popen(command, self.cpus[:1], stdout=subprocess.PIPE, text=True)
        try:
            output, _ = process.communicate(timeout=CLIENT_S)
        except subprocess.TimeoutExpired:
            raise CannotMeasure(f"bench_session_cost did not end within {CLIENT_S} s") from None
        finally:
            stop(process)
        if process.returncode != 0:
            raise CannotMeasure("bench_session_cost failed")
        return json.loads(output)

    def peers(self):
        """The servers of others that are installed here: name and how to start one."""
        return {"mosquitto": self.mosquitto} if self.mosquitto_binary else {}

    def tls_peers(self):
        """Those that end TLS: name and, given a certificate, how to start one."""
        peers = {"nginx": self.nginx} if self.nginx_binary else {}
        return peers | ({"mosquitto": self.mosquitto} if self.mosquitto_binary else {})

    def client_command(self, server, measure, options):
        command = [self.client_binary, "--measure", measure, "--target", server.address]
        command += ["--protocol", server.protocol, "--server-pid", *server.pids]
        return command + option_words(options)

    def load(self, server, measure, flags=(), **options):
        """Runs the client to its end and returns what it measured."""
        return self._run_client([*self.client_command(server, measure, options), *flags])

    def handshakes(self, server, **options):
        """The same of the client that does handshakes of TLS."""
        command = [self.handshake_binary, "--target", server.address, "--server-pid", *server.pids]
        return self._run_client(command + option_words(options))

    def _run_client(self, command):
        process = self.popen(
            command,
            self.cpus[1:2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            output, errors = process.communicate(timeout=CLIENT_S)
        except subprocess.TimeoutExpired:
            raise CannotMeasure(f"the client did not end within {CLIENT_S} s") from None
        finally:
            stop(process)
        if process.returncode != 0:
            words = " ".join(str(word) for word in command)
            raise CannotMeasure(f"{words}\nfailed: {errors}{output}".strip())
        return json.loads(output)

    @contextlib.contextmanager
    def held_connections(self, server, count, first_id, **options):
        """Connections that have each sent a PING and stay silent until the block ends: a Held."""
        options |= {"connections": count, "first_id": first_id}
        command = self.client_command(server, "hold", options)
        process = self.popen(
            command, self.cpus[1:2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            held = Held(process, count)
            held.await_answers()
            yield held
            if held.is_abandoned:
                return
            process.stdin.close()
            if process.wait(STOP_S) != 0:
                raise CannotMeasure("a connection was lost while it was held")
        finally:
            stop(process)


def wait_for_address(process, log):
    """Where the gateway listens, by its log."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in pathlib.Path(f"/proc/self/fd/{log.fileno()}").read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                if record.get("message") == "listening":
                    return record["address"]
        time.sleep(0.02)
    log.seek(0)
    raise CannotMeasure(f"the gateway did not start:\n{log.read().decode('utf-8', 'replace')}")


def option_words(options):
    """{"first_id": 7} as a command line has it."""
    words = []
    for key, value in options.items():
        words += [f"--{key.replace('_', '-')}", value]
    return words


def wait_for_workers(process):
    """The processes that a server has started. Source: proc(5), /proc/PID/task/TID/children."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        workers = [int(pid) for pid in children.read_text(encoding="ascii").split()]
        if workers:
            return workers
        time.sleep(0.02)
    raise CannotMeasure(f"{process.args[0]} started no worker")


def kill_what_is_left(pidfd):
    """Of a worker whose master was ended by force."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)


def free_port():
    """For a server that cannot choose one itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for_port(process, address, log):
    host, _, port = address.partition(":")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port))):
            return
        time.sleep(0.02)
    log.seek(0)
    raise CannotMeasure(f"{process.args[0]} did not start:\n{log.read().decode()}")


def cpu_s(pid):
    """What a process has used so far. Source: proc(5), /proc/PID/stat, fields 14 and 15."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def used_s(servers):
    return sum(cpu_s(pid) for server in servers for pid in server.pids)


def wait_for_rest(servers):
    """Until they have done with the connections that the last client left behind: the next window
    is another server's, on the same processor.
    """
    deadline = time.monotonic() + REST_MAX_S
    while time.monotonic() < deadline:
        before = used_s(servers)
        time.sleep(REST_S)
        used = used_s(servers) - before
        if used <= REST_SHARE * REST_S * len(servers):
            return
    raise CannotMeasure(f"a server does not come to rest within {REST_MAX_S} s")


def stop(process):
    """Ends a process of ours, by force if it does not end by itself."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
