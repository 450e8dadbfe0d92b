"""A progress line: rewritten in place on a terminal, one line a step elsewhere."""

import sys


class Progress:
    def __init__(self, total):
        self.total, self.done, self.terminal = total, 0, sys.stderr.isatty()

    def step(self, text):
        """Says what is being done now; `done` counts the steps before it."""
        self.done += 1
        line = f'[{self.done}/{self.total}] {text}'
        print(f'\r\033[K{line}' if self.terminal else line, end='' if self.terminal else '\n', file=sys.stderr,
              flush=True)

    def end(self):
        if self.terminal:
            print('\r\033[K', end='', file=sys.stderr, flush=True)
