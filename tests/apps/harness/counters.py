"""What the shim counted, as kev-run's JSON report gives it.

The report lists one entry per process; the sums here run over all of them unless a process id is given.
"""

import json
import os
import subprocess


class Counters:
    """A parsed report. Read one with Counters.read(); ask it with total(), calls() and fallbacks()."""

    def __init__(self, report):
        self.report = report
        self.processes = report.get('processes', [])

    @classmethod
    def read(cls, launcher, path):
        environment = {key: value for key, value in os.environ.items() if not key.startswith('KEV_')}
        done = subprocess.run([launcher, '--stats-format=json', '--report', path], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=20, check=False, env=environment)
        if done.returncode:
            raise RuntimeError(f'kev-run --report ended with {done.returncode}: '
                               f'{done.stderr.decode(errors="replace").strip()}')
        return cls(json.loads(done.stdout))

    def calls(self, counter='calls', pid=None):
        """The figure called `counter` for every call, as a dictionary by the call's name."""
        sums = {}
        for process in self.processes:
            if pid is None or process.get('pid') == pid:
                for name, figures in process.get('calls', {}).items():
                    sums[name] = sums.get(name, 0) + figures.get(counter, 0)
        return sums

    def total(self, counter='calls', pid=None):
        """The sum over all waits of one figure (epoll_ctl is counted beside them, but is no wait)."""
        return sum(value for name, value in self.calls(counter, pid).items() if name != 'epoll_ctl')

    def fallbacks(self):
        """How often the program's own call was made instead of the core, by reason; zeroes left out."""
        sums = {}
        for process in self.processes:
            for reason, number in process.get('fallbacks', {}).items():
                if number:
                    sums[reason] = sums.get(reason, 0) + number
        return sums

    def describe(self):
        """One line for a failure message."""
        calls, core = ({name: number for name, number in self.calls(counter).items() if number}
                       for counter in ('calls', 'core'))
        states = sorted({process.get('state') for process in self.processes})
        return (f'{len(self.processes)} processes ({", ".join(states)}); calls {calls}; by core {core}; '
                f'fallbacks {self.fallbacks()}')
