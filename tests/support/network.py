"""A network namespace with a link to this one that can be cut. Needs root."""

import ctypes
import ipaddress
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000  # sched.h


def run_ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=20)


def can_make_namespaces():
    """True when this process may make network namespaces and links."""
    name = f"hf-probe-{os.getpid()}"
    try:
        run_ip("netns", "add", name)
        run_ip("netns", "del", name)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


class LinkedNamespace:
    """A namespace `name` and a veth pair: the far end lies within it. A context manager.

    Addresses are of 198.18.0.0/15, which is set aside for tests (RFC 2544): no route of a real
    network is hidden.
    """

    def __init__(self):
        number = os.getpid() % 16384
        subnet = ipaddress.ip_network((int(ipaddress.ip_address("198.18.0.0")) + number * 4, 30))
        self.near_address, self.far_address = (str(host) for host in subnet.hosts())
        self.name = f"hf-test-{os.getpid()}"
        self.near_link = f"hfn{os.getpid()}"
        self.far_link = f"hff{os.getpid()}"

    def __enter__(self):
        try:
            run_ip("netns", "add", self.name)
            run_ip("link", "add", self.near_link, "type", "veth", "peer", "name", self.far_link,
                   "netns", self.name)
            run_ip("address", "add", f"{self.near_address}/30", "dev", self.near_link)
            run_ip("link", "set", self.near_link, "up")
            inside = ("-n", self.name)
            run_ip(*inside, "address", "add", f"{self.far_address}/30", "dev", self.far_link)
            run_ip(*inside, "link", "set", self.far_link, "up")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_error):
        self._remove()

    def _remove(self):
        for arguments in (["link", "del", self.near_link], ["netns", "del", self.name]):
            subprocess.run(["ip", *arguments], check=False, capture_output=True, timeout=20)

    def cut(self):
        """From now on no packet passes and neither end is told."""
        run_ip("link", "set", self.near_link, "down")

    def connect(self, address):
        """A socket that lives in the namespace, connected to `address`."""
        result = []

        def work():
            try:
                result.append(self._connect_inside(address))
            except OSError as error:
                result.append(error)

        # A thread of its own: setns() is for the calling thread, and this one ends behind it.
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if isinstance(result[0], OSError):
            raise result[0]
        return result[0]

    def _connect_inside(self, address):
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/var/run/netns/{self.name}", "rb") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        connection = socket.create_connection(address, timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
