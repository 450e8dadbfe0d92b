"""Sums up what gcov says of a build folder: lines reached, file by file, and a list of those never reached.

Usage: coverage.py BUILD-FOLDER SOURCE-FOLDER
"""

import collections
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

FOLDERS = ('libkev', 'preload')


def lines_by_file(build, source):
    """{file: {line: count}}, over all objects."""
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    data = sorted(build.rglob('*.gcda'))
    with tempfile.TemporaryDirectory() as folder:
        for at in range(0, len(data), 50):
            subprocess.run(['gcov', '--json-format', *map(str, data[at:at + 50])], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for report in pathlib.Path(folder).glob('*.gcov.json.gz'):
            with gzip.open(report, 'rt') as text:
                for entry in json.load(text)['files']:
                    path = (build / entry['file']).resolve()
                    if not path.is_relative_to(source):
                        continue
                    name = str(path.relative_to(source))
                    if name.split('/')[0] in FOLDERS:
                        for line in entry['lines']:
                            counts[name][line['line_number']] += line['count']
    return counts


def main():
    build, source = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    total = reached = 0
    with open(build / 'uncovered.txt', 'w', encoding='utf-8') as missing:
        for name, lines in sorted(lines_by_file(build, source).items()):
            hit = sum(count > 0 for count in lines.values())
            total += len(lines)
            reached += hit
            print(f'{100 * hit / len(lines):5.0f} %  {hit:4} of {len(lines):4}  {name}')
            text = (source / name).read_text(encoding='utf-8').splitlines()
            for number in sorted(number for number, count in lines.items() if count == 0):
                missing.write(f'{name}:{number}: {text[number - 1]}\n')
    print(f'{100 * reached / max(total, 1):5.1f} %  {reached} of {total} lines; never reached: {build / "uncovered.txt"}')


main()
