"""Runs kev-conformance for the tests of this folder and reads its reports.

The program is the one that CONFORMANCE_TOOL names. Its sources are found from this folder. The cases of the tests are
mostly the hidden ones whose names begin with "selftest.": how they come out is known.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'apps'))

from harness.tap import run_tests  # noqa: E402

SOURCES = ROOT / 'tools' / 'kev-conformance'
TOOL = os.environ.get('CONFORMANCE_TOOL', str(ROOT / 'build' / 'tools' / 'kev-conformance' / 'kev-conformance'))

# Cases that end at once; a hang takes the whole --timeout.
QUICK = ['selftest.pass', 'selftest.fail', 'selftest.skip', 'selftest.info', 'selftest.figures', 'selftest.crash']
# The message of selftest.fail and selftest.info, as far as every format can carry it.
AWKWARD = '<b>&amp; "quoted" \'single\' # TODO \\ ]]>'


class ToolTest(unittest.TestCase):
    """A test with a folder of its own, which is removed when it ends."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='kev-conformance-test-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_tool(self, *arguments, environment=None, tool=TOOL, timeout=120):
        """Runs the tool; returns what subprocess.run does, with text."""
        variables = {name: value for name, value in os.environ.items() if name not in ('LD_PRELOAD', 'COLUMNS')}
        variables.update(environment or {})
        done = subprocess.run([tool, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=variables, timeout=timeout, check=False)
        done.stdout, done.stderr = done.stdout.decode('utf-8'), done.stderr.decode('utf-8', errors='replace')
        self.log = done.stdout + done.stderr
        return done

    def lines_report(self, *arguments, **options):
        """The outcome of each case, by its name, as --format=lines tells it."""
        done = self.run_tool('--format=lines', *arguments, **options)
        fields = [line.split('\t') for line in done.stdout.splitlines()]
        self.assertEqual(fields[-1][0], 'end', 'the report is whole')
        return {line[1]: line[2] for line in fields if line[0] == 'case'}

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


def compiler(name):
    return shutil.which(name)


__all__ = ['AWKWARD', 'QUICK', 'ROOT', 'SOURCES', 'TOOL', 'ToolTest', 'compiler', 'run_tests']
