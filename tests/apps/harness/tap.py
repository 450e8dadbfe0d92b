"""Runs the unittest cases of the calling file and prints them as TAP, one line per case, for Meson to count.

Usage of a test file: FILE [--mode native|kev|preload] [CLASS[.test] ...]. A failing case is followed by its
traceback and the output of its programs. If a needed program is not installed, the file is one skipped test.
"""

import os
import sys
import time
import traceback
import unittest

from .case import find_program


def comment(text):
    for line in text.splitlines():
        print('# ' + line)


class TapResult(unittest.TestResult):
    """Prints one TAP line when a case ends."""

    def __init__(self):
        super().__init__()
        self.number = self.bad = 0
        self.began, self.problems, self.reason = 0.0, [], None

    def startTest(self, test):
        super().startTest(test)
        self.began, self.problems, self.reason = time.monotonic(), [], None

    def stopTest(self, test):
        super().stopTest(test)
        name = '.'.join(test.id().split('.')[-2:])
        self.line(name, f' ({time.monotonic() - self.began:.1f} s)')
        if self.problems:
            comment(getattr(test, 'log', ''))
        sys.stdout.flush()

    def line(self, name, timing=''):
        self.number += 1
        if self.problems:
            self.bad += 1
            print(f'not ok {self.number} - {name}')
            for problem in self.problems:
                comment(problem)
        elif self.reason is not None:
            print(f'ok {self.number} - {name} # SKIP {self.reason}')
        else:
            print(f'ok {self.number} - {name}')
        if timing:
            comment(f'{name}{timing}')

    def _note(self, test, error):
        text = ''.join(traceback.format_exception(*error))
        if isinstance(test, unittest.TestCase):
            self.problems.append(text)
        else:  # setUpClass or tearDownClass, outside any case: a line of its own
            self.problems = [text]
            self.line(str(test))

    def addError(self, test, err):
        self._note(test, err)

    def addFailure(self, test, err):
        self._note(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.problems.append(f'in {subtest}\n' + ''.join(traceback.format_exception(*err)))

    def addSkip(self, test, reason):
        self.reason = reason


def run_tests():
    """Runs the calling file's tests and exits."""
    arguments = sys.argv[1:]
    if arguments[:1] == ['--mode']:
        os.environ['KEV_APPS_MODE'] = arguments[1]
        arguments = arguments[2:]
    main = sys.modules['__main__']
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(arguments, main) if arguments else loader.loadTestsFromModule(main)
    for value in vars(main).values():
        for name in getattr(value, 'needs', ()) if isinstance(value, type) else ():
            if not find_program(name):
                print(f'1..0 # SKIP {name} is not installed')
                sys.exit(0)
    result = TapResult()
    suite.run(result)
    print(f'1..{result.number}')
    sys.stdout.flush()
    # Threads of broken clients must not keep the process.
    os._exit(1 if result.bad else 0)
