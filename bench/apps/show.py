"""What scripts/run shows: real servers, native and under kev-run in turn, and one table at the end.

redis-server with 50 clients of redis-benchmark, and a Python server on poll and on epoll with 1000 idle connections
and 8 busy ones. Each workload has a native and a preloaded server side by side, loaded in turn; the table gives the
medians of the rounds. Set KEV_RUN to the kev-run to be shown.
"""

import signal
import statistics
import sys

import load
from progress import Progress
from servers import PythonEcho, Redis, Stage

ROUNDS = 5
IDLE, BUSY = 1000, 8


class RedisWork:
    title = 'redis-server, GET, 50 clients'
    requests = 60000

    def start(self, stage, mode):
        server = Redis(stage, mode, True)
        return server, lambda: load.redis_get(server.port, 50, self.requests)


class EchoWork:
    requests = 8000

    def __init__(self, kind):
        self.kind = kind
        self.title = f'Python {kind} echo, {IDLE} idle, {BUSY} busy'

    def start(self, stage, mode):
        server = PythonEcho(self.kind, stage, mode, True)
        crowd = load.Crowd(server.port, IDLE, BUSY)
        return server, lambda: crowd.round(self.requests)


def measured(server, work):
    """One round: requests per second, microseconds of server CPU per request, waits and entries per 1000."""
    counts = server.waits() if server.mode != 'native' else (0, 0)
    before = server.cpu_ns()
    requests, seconds = work()
    cpu = server.cpu_ns() - before
    after = server.waits() if server.mode != 'native' else (0, 0)
    return [requests / seconds, cpu / 1000 / requests] + [(new - old) * 1000 / requests
                                                          for old, new in zip(counts, after)]


def medians(rounds):
    return [statistics.median(column) for column in zip(*rounds)]


def compare(workload, progress):
    """Returns the native and the preloaded medians of a workload."""
    stage = Stage()
    try:
        sides = {mode: workload.start(stage, mode) for mode in ('native', 'kev', 'count')}
        rounds = {mode: [] for mode in sides}
        for number in range(-1, ROUNDS):
            order = ('native', 'kev') if number % 2 == 0 else ('kev', 'native')
            for mode in order:
                progress.step(f'{workload.title}: {"warm-up" if number < 0 else f"round {number + 1}"}, {mode}')
                result = measured(*sides[mode])
                if number >= 0:
                    rounds[mode].append(result)
        progress.step(f'{workload.title}: counting native waits')
        counted = measured(*sides['count'])
        native, kev = medians(rounds['native']), medians(rounds['kev'])
        return native[:2] + counted[2:], kev
    finally:
        stage.close()


def table(results):
    names = ('requests/s', 'CPU us/request', 'waits/1000 req', 'entries/1000 req')
    width = max(len(title) for title, _ in results)
    print(' ' * width + ''.join(f' | {name:^21}' for name in names))
    print('workload'.ljust(width) + f' | {"native":>10} {"kev":>10}' * len(names))
    print('-' * width + ('-+-' + '-' * 21) * len(names))
    for title, (native, kev) in results:
        line = title.ljust(width)
        for column in range(len(names)):
            digits = 0 if column != 1 else 2
            line += f' | {native[column]:>10.{digits}f} {kev[column]:>10.{digits}f}'
        print(line)
    print()
    print(f'Medians of {ROUNDS} rounds each, native and under kev-run in turn, on the same machine at the same time.')
    print('CPU: of the server alone. Entries: system calls made for the waits. Nothing of ours runs in a native '
          'server,')
    print('so its waits were counted in a round of their own, with a shim that only counts: each is one kernel entry.')


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    workloads = [RedisWork(), EchoWork('poll'), EchoWork('epoll')]
    progress = Progress(len(workloads) * (2 * (ROUNDS + 1) + 1))
    results = [(workload.title, compare(workload, progress)) for workload in workloads]
    progress.end()
    table(results)


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        print('\ninterrupted', file=sys.stderr)
        sys.exit(130)
