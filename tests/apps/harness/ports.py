"""TCP ports on 127.0.0.1 that nobody else uses.

Ports are drawn at random below the range from which the kernel takes the ports of outgoing connections, so that
two copies of the tests side by side hardly ever meet, and each is probed by a bind before it is handed out.
"""

import random
import socket
import time


def _ephemeral_start():
    try:
        with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as file:
            return int(file.read().split()[0])
    except OSError:
        return 32768


def free_port():
    """Returns a port that could be bound a moment ago."""
    random_port = random.SystemRandom()
    top = _ephemeral_start()
    for _ in range(1000):
        port = random_port.randrange(10000, top) if top > 12000 else 0
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise RuntimeError('no free port on 127.0.0.1')


def wait_for_port(port, deadline=15, alive=lambda: True):
    """Waits until something accepts connections on `port`, as long as `alive` says that its program runs."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return
        except OSError:
            if not alive():
                raise RuntimeError(f'the program ended before it listened on port {port}') from None
            time.sleep(0.02)
    raise TimeoutError(f'nothing listens on port {port} after {deadline} s')
