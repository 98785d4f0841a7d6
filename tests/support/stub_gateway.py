"""A server that answers conn_flood as a test wants, wrongly for the most part."""

import socketserver
import struct

from . import native


class StubGateway(socketserver.ThreadingTCPServer):
    """Answers HELLO with a WELCOME of heartbeat 1 s and timeout 2 s, and the rest by `answer`.

    answer(head, body) -> bytes to send, or None to close. `told` is sent behind the WELCOME.
    `tls`: an ssl.SSLContext to secure connections by.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer, told=b"", tls=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.told = told
        self.tls = tls
        self.hellos = 0

    def finish_request(self, request, client_address):
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):
        """A client that goes away is no news; nor is a handshake that fails, for it says why."""


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(2):
            body = self.rfile.read(head[1]) if len(head) == 2 else b""
            if head[0] == 0xA0:
                self.server.hellos += 1
                welcome = struct.pack(">HHQQ", 1, 2, 7, 0)
                reply = native.encode_frame(0x80, welcome) + self.server.told
            else:
                reply = self.server.answer(head[0], body)
            if reply is None:
                return
            self.wfile.write(reply)


def pong_only(head, body):
    """What a good server answers: PONG to PING, the end to GOAWAY."""
    return native.encode_frame(0x20, body) if head == 0x10 else None
