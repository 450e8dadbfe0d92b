"""Checks the models of docs/models by Spin: each holds as it stands, and fails without each of its key steps.

Usage: model_test.py MODEL [CASE ...]. What a model can be built without stands in its own opening comment, as lines of
the form "BREAKS: WITHOUT_STEP: what goes wrong then"; each such name is a preprocessor switch of the model.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'apps'))

from harness.tap import run_tests  # noqa: E402

SECONDS, MEGABYTES, DEPTH = 120, 2000, 20_000


class Model(unittest.TestCase):
    """The cases of one model are made from its file by cases_of()."""

    needs = ('spin', 'gcc')
    model = ''

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='kev-model-')
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.log = ''

    def call(self, *command):
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
        text = done.stdout.decode('utf-8', errors='replace')
        self.log += text
        self.assertEqual(done.returncode, 0, f'{command[0]} failed')
        return text

    def search(self, optimized, switch=None):
        """The report of a search through all states of the model, up to the first error."""
        shutil.copy(self.model, self.folder)
        self.call('spin', *([f'-D{switch}'] if switch else []), '-a', os.path.basename(self.model))
        self.call('gcc', '-O1' if optimized else '-O0', '-w', '-DSAFETY', '-DCOLLAPSE', f'-DMEMLIM={MEGABYTES}', '-o',
                  'pan', 'pan.c')
        report = self.call('./pan', f'-m{DEPTH}', '-w20')
        self.assertNotIn('max search depth too small', report)
        self.assertNotIn('out of memory', report)
        return report

    def hold(self):
        report = self.search(optimized=True)
        self.assertRegex(report, r'errors: 0\n')
        # A search that was broken off says so in its first lines.
        self.assertNotRegex(report, r'(?i)search not completed')
        print('# states:', re.search(r'(\d+) states, stored', report)[1])

    def fail_without(self, switch):
        report = self.search(optimized=False, switch=switch)
        self.assertRegex(report, r'errors: [1-9]')
        print('# found:', re.search(r'pan:\d+: (.*)', report)[1])


def cases_of(model):
    """A test case class for a model, named like its file."""
    text = model.read_text(encoding='utf-8')
    switches = re.findall(r'^// BREAKS: (\w+):', text, re.MULTILINE)
    used = set(re.findall(r'\bWITHOUT_\w+', re.sub(r'(?m)//.*', '', text)))
    if not switches or used != set(switches) or len(switches) != len(used):
        sys.exit(f'{model}: the switches that are told and those that are used differ: {used ^ set(switches)}')
    methods = {'test_holds': lambda self: self.hold()}
    for switch in switches:
        methods[f'test_fails_{switch.lower()}'] = lambda self, switch=switch: self.fail_without(switch)
    name = ''.join(word.capitalize() for word in model.stem.split('_')) + 'ModelTest'
    return type(name, (Model,), dict(methods, model=str(model.resolve()), __module__='__main__'))


if __name__ == '__main__':
    ModelTest = cases_of(pathlib.Path(sys.argv.pop(1)))
    run_tests()
