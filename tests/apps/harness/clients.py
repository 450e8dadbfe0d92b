"""Clients of every temper: many at once, half-closing, slow to send, slow to read.

Plain blocking sockets with a time limit on each call, so that a server that hangs makes the test fail and not hang.
"""

import contextlib
import socket
import threading
import time

TIME_LIMIT = 15


def connect(address, receive_buffer=None, time_limit=TIME_LIMIT):
    """Connects to a port of 127.0.0.1 (an int), or to a Unix socket (a path)."""
    if isinstance(address, int):
        sock = socket.socket(socket.AF_INET)
        target = ('127.0.0.1', address)
    else:
        sock = socket.socket(socket.AF_UNIX)
        target = str(address)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(time_limit)
    try:
        sock.connect(target)
    except BaseException:
        sock.close()
        raise
    return sock


def read_exact(sock, length):
    """Reads exactly `length` bytes; an early end of file is an error."""
    parts, left = [], length
    while left:
        part = sock.recv(min(left, 1 << 20))
        if not part:
            raise EOFError(f'end of file with {left} of {length} bytes missing')
        parts.append(part)
        left -= len(part)
    return b''.join(parts)


def read_until(sock, mark):
    """Reads up to and including `mark`, and nothing of what follows it."""
    found = b''
    while True:
        ahead = sock.recv(65536, socket.MSG_PEEK)
        if not ahead:
            raise EOFError(f'end of file after {found!r}, before {mark!r}')
        end = (found + ahead).find(mark, max(0, len(found) - len(mark)))
        found += read_exact(sock, len(ahead) if end < 0 else end + len(mark) - len(found))
        if end >= 0:
            return found


def read_all(sock):
    """Reads until the peer closes."""
    parts = []
    while part := sock.recv(1 << 20):
        parts.append(part)
    return b''.join(parts)


def send_slowly(sock, data, pieces=20, pause=0.01):
    """Sends `data` in `pieces` parts with a pause after each."""
    step = max(1, -(-len(data) // pieces))
    for start in range(0, len(data), step):
        sock.sendall(data[start:start + step])
        time.sleep(pause)


def read_slowly(sock, length, piece=65536, pause=0.005):
    """Reads `length` bytes in small parts with a pause after each, so that the sender's buffers fill."""
    parts, left = [], length
    while left:
        part = read_exact(sock, min(left, piece))
        parts.append(part)
        left -= len(part)
        time.sleep(pause)
    return b''.join(parts)


def exchange(address, data, receive_buffer=None):
    """Sends `data`, closes the sending half, and returns everything that comes back."""
    with connect(address, receive_buffer) as sock:
        sender = threading.Thread(target=_send_and_shut, args=(sock, data))
        sender.start()
        answer = read_all(sock)
        sender.join(TIME_LIMIT)
        return answer


def _send_and_shut(sock, data):
    # The reader sees what a failing sender leaves behind: a short answer.
    with contextlib.suppress(OSError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def crowd(address, number):
    """`number` open connections to `address`, closed at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(address)) for _ in range(number)]


def echo_round(test, sockets, tag, length=100):
    """Sends each socket a line of its own and checks that exactly this line comes back on it."""
    lines = [f'{tag}:{number}:'.encode().ljust(length - 1, b'.') + b'\n' for number in range(len(sockets))]
    for sock, line in zip(sockets, lines):
        sock.sendall(line)
    for sock, line in zip(sockets, lines):
        test.assertEqual(read_exact(sock, length), line)


def in_parallel(number, work):
    """Runs work(0) ... work(number - 1) in threads of their own; returns the results or raises the first error."""
    results, errors = [None] * number, []

    def one(index):
        try:
            results[index] = work(index)
        except BaseException as error:  # handed to the caller below
            errors.append(error)

    threads = [threading.Thread(target=one, args=(index,), daemon=True) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    if any(thread.is_alive() for thread in threads):
        raise TimeoutError('a parallel client did not finish within 60 s')
    return results


def http_get(address, path='/', headers='', sock=None):
    """One HTTP/1.1 GET with a content length; returns (status, body). Keeps a given socket open for the next."""
    own = sock is None
    sock = sock or connect(address)
    try:
        sock.sendall(f'GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n'.encode())
        return read_http(sock)
    finally:
        if own:
            sock.close()


def read_http(sock, reader=read_exact):
    """Reads one HTTP response with a content length; `reader` takes the body."""
    head = read_until(sock, b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    fields = {key.strip().lower(): value.strip() for key, _, value in (line.partition(':') for line in lines[1:])}
    return int(lines[0].split()[1]), reader(sock, int(fields.get('content-length', 0)))
