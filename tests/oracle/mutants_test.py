#!/usr/bin/python3
"""Whether each mutation still applies to the sources: mutants_test.py SOURCE-ROOT PATCH..."""

import os
import shutil
import subprocess
import sys


def main():
    root, patches = sys.argv[1], sys.argv[2:]
    if shutil.which('patch') is None:
        print('1..0 # SKIP patch is not installed')
        return
    print(f'1..{len(patches)}')
    for number, path in enumerate(patches, 1):
        run = subprocess.run(['patch', '--dry-run', '--silent', '--strip=1', '--directory', root, '--input', path],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        for line in run.stdout.splitlines():
            print(f'# {line}')
        print(f'{"not ok" if run.returncode else "ok"} {number} - {os.path.basename(path)}')


if __name__ == '__main__':
    main()
