"""A relay between a client that a test cannot look into and the gateway; it keeps the bytes."""

import contextlib
import select
import socket
import threading

from .device import connect
from .waiting import slowed


class Relay:
    """A context manager: one connection to `address` is taken, passed on and kept."""

    def __init__(self, server_address):
        self._server_address = server_address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(slowed(10))
        self._is_ending = threading.Event()
        self.address = self._listener.getsockname()
        self.from_client = bytearray()
        self.from_server = bytearray()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._is_ending.set()
        self._thread.join()
        self._listener.close()

    def _run(self):
        with contextlib.suppress(OSError):
            client, _address = self._listener.accept()
            with client, connect(self._server_address) as server:
                self._pass_on(client, server)

    def _pass_on(self, client, server):
        ways = {client: (server, self.from_client), server: (client, self.from_server)}
        while ways and not self._is_ending.is_set():
            for source in select.select(list(ways), [], [], 0.05)[0]:
                target, kept = ways[source]
                data = source.recv(65536)
                kept += data  # before it is passed on: who has it finds it here
                if data:
                    target.sendall(data)
                else:
                    target.shutdown(socket.SHUT_WR)
                    del ways[source]
