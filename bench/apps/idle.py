"""Throughput of servers with many idle connections: on poll or select natively, the same under the shim, and on epoll.

memcached (libevent), haproxy and a Python server, with idle connections and a few busy ones, each of which sends its
next request when the last one is answered (kev-load). For each number of connections three servers run side by side
and are loaded in turn, each time in another order; all are started anew for each block of rounds. Printed are the
medians, the ratios (the median over the rounds, with its 95 % interval) and whether they reach what is demanded of
them. What the shim's core answered is counted on a fourth server: nothing is counted in those that are measured.
epoll / native is as far as a poll that cost nothing could come, but for what a program does with its array itself.
Usage: KEV_RUN=.../kev-run idle.py [--quick] [--only NAME] [--blocks N] [--rounds N] [--plot FILE.svg] [--json FILE]
"""

import argparse
import contextlib
import itertools
import json
import resource
import signal
import statistics
import sys
from dataclasses import dataclass

import plot
from estimate import interval
from load import FastCrowd
from progress import Progress
from servers import Haproxy, Memcached, PythonEcho, Stage

# That a server is loaded at a time: short, as the machine itself is now faster and now slower. Before that it finds its
# memory in the processor's caches again.
SECONDS, WARM_UP = 0.1, 0.03
SIDES = ('native', 'kev', 'epoll')
# (idle, busy): how many times native is demanded; and the same part of epoll everywhere.
TIMES_NATIVE = {(1000, 1): 8, (1000, 16): 2.5, (8000, 16): 10}
PART_OF_EPOLL = 0.9
POINTS = [(1000, 1), (1000, 16), (8000, 16)]
PLOTTED = [(idle, 16) for idle in (10, 100, 300, 1000, 3000, 8000)]


@dataclass
class Workload:
    """A program, what it waits by instead of epoll, and with how many (idle, busy) connections."""

    program: str
    kind: str
    server: type
    protocol: str
    points: list

    @property
    def name(self):
        return f'{self.program} {self.kind}'


WORKLOADS = [
    Workload('memcached', 'poll', Memcached, 'memcached', POINTS),
    # Debian's libevent ends the program at the first descriptor beyond FD_SETSIZE.
    Workload('memcached', 'select', Memcached, 'memcached', [(900, 1), (900, 16)]),
    Workload('haproxy', 'poll', Haproxy, 'http', POINTS),
    Workload('Python', 'poll', PythonEcho, 'echo', POINTS),
]


class Side:
    """A server, native or not, with its connections."""

    def __init__(self, workload, side, stage):
        kind = 'epoll' if side == 'epoll' else workload.kind
        mode = 'kev' if side in ('kev', 'counted') else 'native'
        self.server = workload.server(kind, stage, mode, side == 'counted')
        self.load = FastCrowd(self.server.port, workload.protocol)

    def prepare(self, idle, busy):
        self.load.open(idle + busy)
        self.load.round(busy, SECONDS)  # the core takes an array that it has seen before

    def round(self, busy):
        """Requests per second, and microseconds of server CPU per request."""
        self.load.round(busy, WARM_UP)
        before = self.server.cpu_ns()
        requests, seconds = self.load.round(busy, SECONDS)
        return requests / seconds, (self.server.cpu_ns() - before) / 1000 / requests

    def counted(self, busy):
        """What the shim counted in a round."""
        before = self.server.program.counters()
        requests, _ = self.load.round(busy, SECONDS)
        after = self.server.program.counters()
        waits, core, entries, events = (after.total(name) - before.total(name)
                                        for name in ('calls', 'core', 'kernel_entries', 'events'))
        earlier = before.fallbacks()
        reasons = {name: number - earlier.get(name, 0) for name, number in after.fallbacks().items()}
        return {'requests': requests, 'waits': waits, 'core': core, 'entries': entries, 'events': events,
                'fallbacks': {name: number for name, number in reasons.items() if number}}


def run_block(workload, points, rounds, count, found, progress):
    """Appends the rounds of one set of servers, three for each point, to found[point].

    A round goes through all points: the machine's good and bad moments are shared by all of them.
    """
    stage = Stage()
    sides = {}
    try:
        progress.step(f'{workload.name}: opening connections')
        for point, name in itertools.product(points, SIDES + (('counted',) if count else ())):
            sides[point, name] = Side(workload, name, stage)
            sides[point, name].prepare(*point)
        progress.step(f'{workload.name}: measuring')
        for order in itertools.islice(itertools.cycle(itertools.permutations(SIDES)), rounds):
            for point in points:
                figures = {name: sides[point, name].round(point[1]) for name in order}
                found[point]['rounds'].append(figures)
        if count:
            for point in points:
                found[point]['counted'] = sides[point, 'counted'].counted(point[1])
    finally:
        for side in sides.values():
            side.load.close()
        stage.close()


def estimate(values):
    low, high = interval(values)
    return {'median': statistics.median(values), 'low': low, 'high': high}


def verdict(ratio, least):
    """Whether a ratio is large enough; with a question mark if its interval holds the limit."""
    if ratio['median'] >= least:
        return 'ok' if ratio['low'] >= least else 'ok?'
    return 'NO' if ratio['high'] < least else 'no?'


def evaluate(workload, point, found):
    """The figures of one workload with one number of connections."""
    rounds = found['rounds']
    row = {'program': workload.program, 'kind': workload.kind, 'idle': point[0], 'busy': point[1],
           'rounds': len(rounds), 'counted': found['counted']}
    for index, figure in enumerate(('rate', 'cpu_us')):
        row[figure] = {side: estimate([each[side][index] for each in rounds]) for side in SIDES}
        for over, under in (('kev', 'native'), ('kev', 'epoll'), ('epoll', 'native')):
            row[f'{figure}_{over}_{under}'] = estimate([each[over][index] / each[under][index] for each in rounds])
    row['least'] = TIMES_NATIVE.get(point) if workload.kind == 'poll' else None
    row['of_native'] = verdict(row['rate_kev_native'], row['least']) if row['least'] else ''
    row['of_epoll'] = verdict(row['rate_kev_epoll'], PART_OF_EPOLL)
    return row


def with_interval(ratio):
    return f'{ratio["median"]:5.2f} ({ratio["low"]:.2f}-{ratio["high"]:.2f})'


def print_rates(rows):
    head = (f'{"requests per second":<17} {"idle":>5} {"busy":>4} |{"native":>8}{"kev":>8}{"epoll":>8} |'
            f' {"kev / native":<20} {"demanded":<9} | {"kev / epoll":<18} {f">= {PART_OF_EPOLL}":<6} | epoll / native')
    print(head)
    print('-' * len(head))
    for row in rows:
        demanded = f'>= {row["least"]:<4g}{row["of_native"]}' if row['least'] else ''
        print(f'{row["program"] + " " + row["kind"]:<19} {row["idle"]:>5} {row["busy"]:>4} |'
              + ''.join(f'{row["rate"][side]["median"]:>8.0f}' for side in SIDES)
              + f' | {with_interval(row["rate_kev_native"]):<20} {demanded:<9} |'
              + f' {with_interval(row["rate_kev_epoll"]):<18} {row["of_epoll"]:<6} |'
              + f' {row["rate_epoll_native"]["median"]:>14.2f}')


def print_costs(rows):
    head = (f'{"server CPU, us per request":<30} |{"native":>8}{"kev":>8}{"epoll":>8} | {"kev / epoll":<18} |'
            f'{"waits/req":>10}{"events/wait":>12}{"entries/wait":>13}{"by core":>8}  otherwise')
    print(head)
    print('-' * len(head))
    for row in rows:
        counted = row['counted']
        waits = max(counted['waits'], 1)
        reasons = [f'{name} {number / waits:.0%}' for name, number
                   in sorted(counted['fallbacks'].items(), key=lambda pair: -pair[1]) if number >= waits / 100]
        print(f'{row["program"] + " " + row["kind"]:<19} {row["idle"]:>5} {row["busy"]:>4} |'
              + ''.join(f'{row["cpu_us"][side]["median"]:>8.1f}' for side in SIDES)
              + f' | {with_interval(row["cpu_us_kev_epoll"]):<18} |{waits / counted["requests"]:>10.3f}'
              + f'{counted["events"] / waits:>12.1f}{counted["entries"] / waits:>13.2f}'
              + f'{counted["core"] / waits:>8.0%}  {", ".join(reasons)}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='one block of six rounds')
    parser.add_argument('--only', default='', help='workloads whose name contains this')
    parser.add_argument('--blocks', type=int, default=3, help='how often the servers are started anew')
    parser.add_argument('--rounds', type=int, default=15, help='rounds with each number of connections in a block')
    parser.add_argument('--plot', help='file for the figure: the first workload, with more numbers of connections')
    parser.add_argument('--json', help='file for the results')
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.blocks, arguments.rounds = 1, 6
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    workloads = [workload for workload in WORKLOADS if arguments.only in workload.name]
    if not workloads:
        parser.error(f'none is named {arguments.only}')
    points = {workload.name: list(workload.points) for workload in workloads}
    if arguments.plot:
        points[workloads[0].name] += [point for point in PLOTTED if point not in points[workloads[0].name]]
    progress = Progress(2 * arguments.blocks * len(workloads))
    results = []
    for workload in workloads:
        found = {point: {'rounds': []} for point in points[workload.name]}
        for block in range(arguments.blocks):
            run_block(workload, found, arguments.rounds, block == 0, found, progress)
        results.append({point: evaluate(workload, point, found[point]) for point in found})
    progress.end()

    rows = [each[point] for workload, each in zip(workloads, results) for point in workload.points]
    print_rates(rows)
    print()
    print_costs(rows)
    if arguments.plot:
        plot.write(arguments.plot, workloads[0].program, workloads[0].kind, [results[0][point] for point in PLOTTED])
    if arguments.json:
        with open(arguments.json, 'w', encoding='ascii') as file:
            json.dump([row for each in results for row in each.values()], file, indent=1)
    return 0 if all(row[which] in ('', 'ok', 'ok?') for row in rows for which in ('of_native', 'of_epoll')) else 1


if __name__ == '__main__':
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
