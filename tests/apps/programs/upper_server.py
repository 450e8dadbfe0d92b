"""Turns lines into capitals: upper_server.py ThreadingMixIn|ForkingMixIn, on Python's socketserver.

Prints its port, serves every connection in a thread or a forked process, and ends with status 0 at SIGTERM.
"""

import signal
import socketserver
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class Server(getattr(socketserver, sys.argv[1]), socketserver.TCPServer):
    daemon_threads = True
    request_queue_size = 128
    max_children = 100


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server(('127.0.0.1', 0), Handler) as server:
        server.block_on_close = False
        print(server.server_address[1], flush=True)
        server.serve_forever(poll_interval=0.05)


if __name__ == '__main__':
    main()
