#!/usr/bin/env python3
"""Runs the sequences that once showed a difference, natively and under the shim, and compares what they print.

Usage: found_test.py PROGRAM...   KEV_PRELOAD names the object.
"""

import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'apps'))

from harness.tap import run_tests  # noqa: E402

PROGRAMS = sys.argv[1:]
ENGINES = ['auto', 'epoll']
ROUNDS = 5  # several of them need a race


def output(program, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(('KEV_', 'LD_'))}
    done = subprocess.run([program], env=environment | variables, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f'{program} ended with {done.returncode}: {done.stderr}')
    return done.stdout


def under_shim(program, engine):
    return output(program, LD_PRELOAD=os.environ['KEV_PRELOAD'], KEV_ENGINE=engine, KEV_MIRROR_MIN='1',
                  KEV_PROMOTE_AFTER='1', KEV_BELL_AFTER='1')


class FoundTest(unittest.TestCase):
    maxDiff = None


def add(program):
    def test(self):
        self.assertTrue(os.path.exists(os.environ['KEV_PRELOAD']))
        native = output(program)
        self.assertIn('status 0', native)
        for engine in ENGINES:
            for _ in range(ROUNDS):
                self.assertEqual(native, under_shim(program, engine), f'KEV_ENGINE={engine}')

    setattr(FoundTest, 'test_' + pathlib.Path(program).name.removeprefix('found-'), test)


for path in PROGRAMS:
    add(path)
sys.argv = sys.argv[:1]
run_tests()
