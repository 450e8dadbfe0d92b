"""Calls poll, select and epoll on arrays of 200 descriptors in every odd situation and prints all results.

The output is the same each time, natively and under the shim. Descriptors are closed behind a registered array,
numbers reused, ends shut down, arguments wrong.
"""

import os
import select
import socket
import time


def attempt(call, *arguments):
    """The call's result, or the kind and number of its error."""
    try:
        return call(*arguments)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        return type(error).__name__, error.args[0]


def main():
    out = []
    pairs = [socket.socketpair() for _ in range(100)]
    spare_read, spare_write = os.pipe()
    many = select.poll()
    for left, right in pairs:
        many.register(left, select.POLLIN | select.POLLPRI)
        many.register(right, select.POLLIN)

    def look():
        out.append(sorted(many.poll(0)))

    for turn in range(20):
        look()
        pairs[turn][0].send(b'x')
        look()
        readable, writable, _ = select.select([right for _, right in pairs], [pairs[turn][0]], pairs[0], 0)
        out.append(([sock.fileno() for sock in readable], len(writable)))
    pairs[5][0].close()
    look()
    pairs[6][0].shutdown(socket.SHUT_WR)
    look()
    number = pairs[7][1].fileno()
    os.close(number)
    look()
    os.dup2(spare_read, number)  # a pipe in the place of the socket
    look()
    os.write(spare_write, b'x')
    look()
    os.dup2(os.open('/etc/passwd', os.O_RDONLY), number)  # a file, which is always ready
    look()
    out.append(attempt(select.select, [1 << 20], [], [], 0))
    out.append(attempt(select.select, [], [], [], -1))
    epoll = select.epoll()
    out.append(attempt(epoll.register, os.open('/etc/passwd', os.O_RDONLY)))
    out.append(attempt(epoll.register, epoll.fileno()))
    out.append(attempt(epoll.modify, 0, 1))
    epoll.register(spare_write, select.EPOLLOUT | select.EPOLLET)
    out.append(attempt(epoll.register, spare_write))
    out.append(epoll.poll(0))
    out.append(epoll.poll(0))
    many.register(epoll.fileno())
    look()
    idle = select.poll()
    for left, _ in pairs[20:]:
        idle.register(left, select.POLLIN)
    began = time.monotonic()
    out += [idle.poll(20) for _ in range(10)]
    out.append(0.2 <= time.monotonic() - began < 5)
    for line in out:
        print(line)


if __name__ == '__main__':
    main()
