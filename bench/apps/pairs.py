"""Server CPU time per request, native against preloaded, in interleaved pairs.

redis-server with 1, 50 and 500 clients of redis-benchmark (GET), nginx with wrk, memcached and haproxy (both on epoll)
with 50 busy connections of kev-load. A native and a preloaded server
run side by side and are loaded in turn, in alternating order; every few pairs both are started anew, the other one
first, so that neither a lucky memory layout nor the order of start weighs. Prints the median of the ratios and the
95 % interval of the median (from the order statistics), and whether its upper bound meets the limit.
KEV_ENGINE and the other options of the shim are the environment's.
Usage: KEV_RUN=.../kev-run pairs.py [--pairs N] [--only NAME] [--json FILE]
"""

import argparse
import functools
import json
import statistics
import sys

import load
from estimate import interval
from progress import Progress
from servers import Haproxy, Memcached, Nginx, Redis, Stage

LIMIT = 1.02
BLOCK = 5  # pairs between two starts
SECONDS = 1.0  # that a round takes, about


class RedisLoad:
    """GET with a number of clients; the first round tells how many requests fill the time."""

    server = Redis

    def __init__(self, clients):
        self.clients, self.name, self.requests = clients, f'redis GET {clients}', None

    def round(self, port):
        if self.requests is None:
            requests, seconds = load.redis_get(port, self.clients, 5000)
            self.requests = max(1000, int(requests / seconds * SECONDS))
        return load.redis_get(port, self.clients, self.requests)[0]

    def close(self):
        """Each round connects anew."""


class WrkLoad:
    server = Nginx
    name = 'nginx wrk 50'

    def round(self, port):
        return load.wrk(port, 50, max(1, round(SECONDS)))[0]

    def close(self):
        """Each round connects anew."""


class CrowdLoad:
    """kev-load on connections that stay open as long as the server runs."""

    def __init__(self, server, protocol, busy):
        self.server, self.protocol, self.busy = functools.partial(server, 'epoll'), protocol, busy
        self.name, self.crowds = f'{server.__name__.lower()} {busy}', {}

    def round(self, port):
        if port not in self.crowds:
            self.crowds[port] = load.FastCrowd(port, self.protocol)
            self.crowds[port].open(self.busy)
        return self.crowds[port].round(self.busy, SECONDS)[0]

    def close(self):
        for crowd in self.crowds.values():
            crowd.close()
        self.crowds.clear()


def cost(server, work):
    """Nanoseconds of server CPU per request in one round."""
    before = server.cpu_ns()
    requests = work.round(server.port)
    return (server.cpu_ns() - before) / requests


def measure(work, pairs, progress):
    """Returns the list of (native, preloaded) costs."""
    found = []
    while len(found) < pairs:
        order = ('native', 'kev') if len(found) // BLOCK % 2 == 0 else ('kev', 'native')
        stage = Stage()
        try:
            servers = {mode: work.server(stage, mode, False) for mode in order}
            for server in servers.values():
                work.round(server.port)  # warm-up
            for _ in range(min(BLOCK, pairs - len(found))):
                order = order[::-1]
                progress.step(work.name)
                costs = {mode: cost(servers[mode], work) for mode in order}
                found.append((costs['native'], costs['kev']))
        finally:
            work.close()
            stage.close()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--pairs', type=int, default=30, help='pairs of rounds per workload')
    parser.add_argument('--only', help='workloads whose name contains this')
    parser.add_argument('--json', help='file for the results')
    arguments = parser.parse_args()
    works = [RedisLoad(1), RedisLoad(50), RedisLoad(500), WrkLoad(),
             CrowdLoad(Memcached, 'memcached', 50), CrowdLoad(Haproxy, 'http', 50)]
    works = [work for work in works if not arguments.only or arguments.only in work.name]
    progress = Progress(len(works) * arguments.pairs)
    results = []
    for work in works:
        pairs = measure(work, arguments.pairs, progress)
        ratios = [kev / native for native, kev in pairs]
        low, high = interval(ratios)
        results.append({'name': work.name, 'pairs': len(pairs),
                        'native_us': statistics.median(n for n, _ in pairs) / 1e3,
                        'kev_us': statistics.median(k for _, k in pairs) / 1e3, 'ratio': statistics.median(ratios),
                        'low': low, 'high': high, 'meets': high <= LIMIT, 'ratios': ratios})
    progress.end()
    print(f'{"server CPU per request":<22} {"pairs":>5} {"native us":>10} {"kev us":>10} {"ratio":>7}   95 % interval'
          f'     at most {LIMIT}')
    for row in results:
        print(f'{row["name"]:<22} {row["pairs"]:>5} {row["native_us"]:>10.2f} {row["kev_us"]:>10.2f}'
              f' {row["ratio"]:>7.4f}   {row["low"]:.4f} - {row["high"]:.4f}    {"yes" if row["meets"] else "no"}')
    if arguments.json:
        with open(arguments.json, 'w', encoding='ascii') as file:
            json.dump({'limit': LIMIT, 'results': results}, file, indent=1)
    return 0 if all(row['meets'] for row in results) else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
