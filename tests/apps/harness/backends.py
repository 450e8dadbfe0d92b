"""Servers that the proxies under test talk to: an echo server and a small HTTP server.

They run in threads of the test process, natively, and give every connection a thread of its own, which keeps them
simple enough to be right.
"""

import contextlib
import http.server
import socket
import socketserver
import threading

from .payload import payload


class _Threaded(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """Connections that the client breaks off are part of the tests."""


class _Backend:
    """Starts and stops a threaded server on a port chosen by the kernel; `port` is that port."""

    def __init__(self, handler):
        self.server = _Threaded(('127.0.0.1', 0), handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class EchoServer(_Backend):
    """Sends back what it gets, until end of file; then closes. A half-closed client gets all of its data."""

    class _Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                while data := self.request.recv(1 << 18):
                    self.request.sendall(data)
                self.request.shutdown(socket.SHUT_WR)

    def __init__(self):
        super().__init__(self._Handler)


class HttpBackend(_Backend):
    """GET /bytes/N/SEED answers the payload of that length and seed; POST and PUT answer the body itself.

    GET /slow/N/SEED sends the payload in ten parts with pauses; GET /endless sends a head and then nothing.
    `name` comes back in the header X-Backend.
    """

    def __init__(self, name='backend'):
        backend = self
        self.requests = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            timeout = 30

            def log_message(self, *arguments):
                """The tests look at answers, not at logs."""

            def head(self, length):
                with backend.lock:
                    backend.requests += 1
                self.send_response(200)
                self.send_header('Content-Length', str(length))
                self.send_header('X-Backend', name)
                self.end_headers()

            def do_GET(self):  # the name is the base class's
                kind, *numbers = self.path.strip('/').split('/')
                if kind == 'endless':
                    self.head(1)
                    backend.closing.wait(30)
                    return
                length, seed = (int(number) for number in (numbers + [0, 0])[:2])
                body = payload(length, seed)
                self.head(length)
                if kind == 'slow':
                    for start in range(0, length, max(1, length // 10)):
                        self.wfile.write(body[start:start + max(1, length // 10)])
                        backend.closing.wait(0.05)
                else:
                    self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
                self.head(len(body))
                self.wfile.write(body)

            do_PUT = do_POST

        super().__init__(Handler)

    def close(self):
        self.closing.set()
        super().close()
