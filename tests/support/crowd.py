"""Thousands of devices on one thread, with the moments at which things happened to them."""

import heapq
import itertools
import select
import socket
import threading
import time

from . import native
from .waiting import slowed

POLL_S = 0.05


class Member:
    """One device of a Crowd. The crowd's thread writes its fields; times are time.monotonic()."""

    def __init__(self, name, beats, answers, period_s, connection):
        self.name = name
        self.beats = beats  # sends PING before each heartbeat is over
        self.answers = answers  # answers the server's PING
        self.period_s = period_s  # between two PINGs; None: four fifths of the granted heartbeat
        self.socket = connection
        self.welcome = None
        self.goaway = None
        self.last_sent_s = None  # just before its last complete frame went out
        self.last_sent_end_s = None  # just after
        self.server_pings_s = []
        self.pongs = 0
        self.closed_s = None  # when GOAWAY came, or the end of the stream without one
        self.reader = native.FrameReader()

    @property
    def is_open(self):
        return self.welcome is not None and self.closed_s is None

    def send_bytes(self, data):
        before_s = time.monotonic()
        self.socket.sendall(data)
        self.last_sent_s, self.last_sent_end_s = before_s, time.monotonic()


class Crowd:
    """A context manager, whose thread reads for all members and sends their heartbeats."""

    def __init__(self, address):
        self.address = address
        self.members = []
        self._by_fd = {}
        self._beats = []  # heap of (due, tie breaker, member)
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._epoll = select.epoll()
        self._is_ending = False
        self._error = None
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def close(self):
        self._is_ending = True
        self._thread.join()
        for member in self.members:
            member.socket.close()
        self._epoll.close()
        if self._error:
            raise self._error

    def add(self, count, prefix, heartbeat_s=1, *, beats=True, answers=True, period_s=None,
            source="", connect=None, speaks=True):
        """Connects `count` devices and sends their HELLO; with speaks=False they say nothing.

        `connect` makes a connected socket, where a plain one will not do.
        """
        added = []
        for number in range(count):
            connection = connect() if connect else self._connect(source)
            member = Member(f"{prefix}{number}", beats and speaks, answers, period_s, connection)
            connection.settimeout(slowed(10))
            if speaks:
                member.send_bytes(native.Hello(member.name, heartbeat_s).encode())
            with self._lock:
                self.members.append(member)
                self._by_fd[connection.fileno()] = member
            # Level-triggered: what came before is still reported.
            self._epoll.register(connection.fileno(), select.EPOLLIN)
            added.append(member)
        return added

    def login(self, count, prefix, heartbeat_s=1, **options):
        """As add(), and waits until each has its WELCOME."""
        added = self.add(count, prefix, heartbeat_s, **options)
        self.wait(lambda: all(member.welcome for member in added), 20, f"WELCOME for {prefix}*")
        return added

    def wait(self, condition, within_s, what):
        """Waits until `condition()`, looked at whenever a frame has come."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._error or condition(), slowed(within_s))
        if self._error:
            raise self._error
        assert done, f"{what}: not within {slowed(within_s):g} s"

    def wait_closed(self, members, within_s):
        self.wait(lambda: all(member.closed_s for member in members), within_s, "all closed")

    def leave(self, members):
        """Closes the sockets of members without a word."""
        with self._lock:
            for member in members:
                if member.closed_s is None:
                    self._forget(member)
                    member.closed_s = time.monotonic()
                member.socket.close()

    def _connect(self, source):
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            connection.bind((source, 0))
        connection.settimeout(slowed(10))
        connection.connect(self.address)
        return connection

    def _run(self):
        try:
            while not self._is_ending:
                ready = self._epoll.poll(self._wait_s(), 256)
                with self._changed:
                    for fd, _events in ready:
                        if fd in self._by_fd:
                            self._read(self._by_fd[fd])
                    self._send_beats()
                    self._changed.notify_all()
        except Exception as error:  # handed to the test's thread by wait() and close()
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _wait_s(self):
        with self._lock:
            if not self._beats:
                return POLL_S
            return min(POLL_S, max(0.0, self._beats[0][0] - time.monotonic()))

    def _read(self, member):
        try:
            data = member.socket.recv(65536)
        except (ConnectionError, TimeoutError):
            data = b""
        now_s = time.monotonic()
        for frame in member.reader.feed(data):
            self._on_frame(member, frame, now_s)
        if not data:
            self._forget(member)
            member.closed_s = member.closed_s or now_s

    def _on_frame(self, member, frame, now_s):
        if isinstance(frame, native.Welcome):
            member.welcome = frame
            if member.period_s is None:
                member.period_s = frame.heartbeat_s * 0.8
            if member.beats:
                self._plan_beat(member)
        elif isinstance(frame, native.Ping):
            member.server_pings_s.append(now_s)
            if member.answers:
                member.send_bytes(native.Pong(frame.echo).encode())
        elif isinstance(frame, native.Pong):
            member.pongs += 1
        elif isinstance(frame, native.Goaway):
            member.goaway = frame
            member.closed_s = now_s
            # The gateway waits for our end: it has said its last word.
            self._forget(member)
            member.socket.close()

    def _plan_beat(self, member):
        due_s = time.monotonic() + member.period_s
        heapq.heappush(self._beats, (due_s, next(self._order), member))

    def _send_beats(self):
        while self._beats and self._beats[0][0] <= time.monotonic():
            member = heapq.heappop(self._beats)[2]
            if member.closed_s is not None or not member.beats:
                continue
            try:
                member.send_bytes(native.Ping().encode())
            except OSError:
                continue  # its end is read next
            self._plan_beat(member)

    def _forget(self, member):
        """Stops reading for a member; its socket stays as it is."""
        fd = member.socket.fileno()
        if self._by_fd.get(fd) is member:
            del self._by_fd[fd]
            self._epoll.unregister(fd)
