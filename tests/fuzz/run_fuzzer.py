"""Runs one fuzzer: its corpus first, then new inputs for its share of the time. Prints TAP.

Usage: run_fuzzer.py FUZZER CORPUS-FOLDER SHARES. The time for all fuzzers together is KEV_FUZZ_SECONDS (60), of which
one gets 1 / SHARES. What makes it fail is kept beside the program, in found/, and belongs into the corpus once it is
mended.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

LIMITS = ['-timeout=10', '-rss_limit_mb=1000', '-max_len=4096']


def run(fuzzer, *arguments):
    environment = dict(os.environ, ASAN_OPTIONS='detect_leaks=0:allocator_may_return_null=1',
                       UBSAN_OPTIONS='print_stacktrace=1:halt_on_error=1')
    done = subprocess.run([fuzzer, *LIMITS, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=environment, check=False)
    return done.returncode, done.stdout.decode('utf-8', errors='replace')


def report(number, name, status, text):
    print(f'{"not ok" if status else "ok"} {number} - {name}')
    wanted = text.splitlines()[-100:] if status else re.findall(r'(?m)^(?:Done .*|INFO: Seed.*)$', text)
    for line in wanted:
        print('#', line)
    sys.stdout.flush()
    return status != 0


def main():
    fuzzer, corpus, shares = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    seconds = max(1, round(float(os.environ.get('KEV_FUZZ_SECONDS', '60')) / shares))
    found = fuzzer.parent / 'found' / corpus.name
    found.mkdir(parents=True, exist_ok=True)
    seeds = sorted(corpus.iterdir())
    bad = report(1, f'{len(seeds)} inputs of the corpus', *run(fuzzer, *seeds)) if seeds else True
    with tempfile.TemporaryDirectory(prefix='kev-fuzz-') as fresh:
        bad |= report(2, f'new inputs for {seconds} s',
                      *run(fuzzer, f'-max_total_time={seconds}', f'-artifact_prefix={found}/', fresh, corpus))
    print('1..2')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
