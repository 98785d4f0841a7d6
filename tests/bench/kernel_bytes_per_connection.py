#!/usr/bin/env python3
"""Prints what one established idle TCP connection costs the kernel at the server, in bytes.

Two processes of this machine hold connections over loopback; each has sent and answered a message.
The kernel's memory is read at several counts and the slope is taken, per slab cache. Both ends are
on this machine, so the caches that both use count half; epoll is used by the server alone. Caches
that the kernel merges with others of the same size do not show by name: their bytes come from
/sys/kernel/slab (object size with what the slab wastes), one object a connection. Run it as root
on a quiet machine; gateway/doctor.h has the constant.
"""

import os
import pathlib
import platform
import resource
import select
import socket
import sys

COUNTS = [3000, 7000, 11000, 15000, 19000]
CONNECTIONS_PER_SOURCE = 4000
PAGE = os.sysconf("SC_PAGE_SIZE")
# Caches with one object at each end of a connection, and those of the server's epoll.
BOTH_ENDS = ["TCP", "sock_inode_cache", "dentry", "filp", "lsm_file_cache", "lsm_inode_cache"]
SERVER_ONLY = ["eventpoll_epi", "eventpoll_pwq", "ep_head"]
DESCRIPTOR_TABLE_BYTES = 8 + 1 / 4  # a pointer and two bits; fs/file.c


def slab_pages():
    """Pages of each cache that /proc/slabinfo names."""
    pages = {}
    for line in pathlib.Path("/proc/slabinfo").read_text().splitlines()[2:]:
        fields = line.split()
        pages[fields[0]] = int(fields[14]) * int(fields[5])
    return pages


def tcp_buffer_pages():
    text = pathlib.Path("/proc/net/sockstat").read_text()
    return int(text.split("TCP:")[1].split("mem")[1].split()[0])


def object_bytes(cache):
    """A cache's bytes for one object, its share of the slab's waste included; None if unknown."""
    folder = pathlib.Path("/sys/kernel/slab", cache)
    try:
        objects = int((folder / "objs_per_slab").read_text())
        order = int((folder / "order").read_text())
    except OSError:
        return None
    return PAGE * 2**order / objects


def slope(points):
    """Least squares over (count, value)."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def run_client(port, told, ready):
    """Connects in steps; after each one every connection exchanges a message, then waits."""
    connections = []
    for count in COUNTS:
        while len(connections) < count:
            connection = socket.socket()
            source = 2 + len(connections) // CONNECTIONS_PER_SOURCE
            connection.bind((f"127.0.0.{source}", 0))
            connection.connect(("127.0.0.1", port))
            connections.append(connection)
        for connection in connections:
            connection.sendall(b"ping")
        for connection in connections:
            connection.recv(64)
        os.write(ready, b"x")
        os.read(told, 1)


class Server:
    """Echoes, edge-triggered, and measures whenever the client is ready."""

    def __init__(self, listener, ready, tell):
        self.listener = listener
        self.ready = ready
        self.tell = tell
        self.connections = {}
        self.poller = select.epoll()
        self.poller.register(listener.fileno(), select.EPOLLIN)
        self.poller.register(ready, select.EPOLLIN)
        self.samples = []

    def accept(self):
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        self.connections[connection.fileno()] = connection
        events = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        self.poller.register(connection.fileno(), events)

    def echo(self, descriptor):
        try:
            data = self.connections[descriptor].recv(64)
        except BlockingIOError:
            return
        if data:
            self.connections[descriptor].send(data)

    def run(self):
        while len(self.samples) < len(COUNTS):
            for descriptor, _ in self.poller.poll():
                if descriptor == self.listener.fileno():
                    self.accept()
                elif descriptor == self.ready:
                    os.read(self.ready, 1)
                    self.samples.append((len(self.connections), slab_pages(), tcp_buffer_pages()))
                    os.write(self.tell, b"x")
                else:
                    self.echo(descriptor)


def print_report(samples):
    def cache_slope(cache):
        return slope([(count, pages.get(cache, 0) * PAGE) for count, pages, _ in samples])

    print(f"# kernel {platform.release()}, {platform.machine()}; connections: "
          + ", ".join(str(count) for count, _, _ in samples))
    print(f"{'cache':<22}{'slope, bytes':>14}{'ends':>6}{'at the server':>15}")
    total = DESCRIPTOR_TABLE_BYTES
    known = samples[-1][1]
    for cache in BOTH_ENDS + SERVER_ONLY:
        ends = 2 if cache in BOTH_ENDS else 1
        expected = object_bytes(cache)
        measured = cache_slope(cache) if cache in known else None
        if expected is None and measured is None:
            continue
        # By name and by size agree where both are known; size is free of what others do meanwhile.
        share = expected if expected is not None else measured / ends
        total += share
        slope_text = f"{measured:.1f}" if measured is not None else "merged"
        print(f"{cache:<22}{slope_text:>14}{ends:>6}{share:>15.1f}")
    print(f"{'descriptor table':<22}{'':>14}{'':>6}{DESCRIPTOR_TABLE_BYTES:>15.1f}")
    print(f"{'total':<22}{'':>14}{'':>6}{total:>15.1f}")
    print("# buffers (/proc/net/sockstat, pages): " + ", ".join(str(mem) for *_, mem in samples))


def main():
    limit = COUNTS[-1] + 64
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < limit:
        sys.exit(f"needs {limit} descriptors, and the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        told, tell = os.pipe()
        ready_read, ready = os.pipe()
        child = os.fork()
        if child == 0:
            run_client(listener.getsockname()[1], told, ready)
            os._exit(0)
        server = Server(listener, ready_read, tell)
        server.run()
        print_report(server.samples)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
