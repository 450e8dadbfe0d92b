#!/usr/bin/python3
"""Counts what Meson's test runs say, case by case: summary.py RESULT-FOLDER...

Each folder holds the logs of one run of `meson test`. Prints a line for each skipped case with its reason, a line for each
failed one with what it says, and closes with `N passed, N failed, N skipped`; ends with 1 if anything failed or nothing was run. The counts are added up over
all folders. Cases come from testlog.junit.xml, reasons and tests that ended badly from testlog.json.
"""

import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

GOOD = ('OK', 'EXPECTEDFAIL', 'SKIP')


def reasons_in(text):
    """Why cases were skipped, by the case's name, as TAP lines and GoogleTest's output say it."""
    found, message = {}, ''
    for line in text.splitlines():
        tap = re.match(r'ok\s+\d+\s*-?\s*(.*?)\s*#\s*SKIP\S*\s*(.*)', line, re.IGNORECASE)
        plan = re.match(r'1\.\.0\s*#\s*SKIP\S*\s*(.*)', line, re.IGNORECASE)
        google = re.match(r'\[  SKIPPED \] (\S+) \(\d+ ms\)', line)
        if tap:
            found[tap.group(1)] = tap.group(2)
        elif plan:
            found[''] = plan.group(1)
        elif google:
            found[google.group(1)] = message
        elif line.startswith('[ RUN'):
            message = ''
        elif line and not line.startswith('[') and 'Skipped' not in line:
            message = line.strip()
    return found


class Test:
    """One Meson test: its name, its result, and what it printed."""

    def __init__(self, record):
        self.full = record['name']
        self.name = self.full.split(' / ')[-1]
        self.result, self.text = record['result'], record.get('stdout') or ''
        self.passed = 0
        self.failed, self.skipped = [], []  # pairs of a case's name and why

    def take(self, cases):
        """Counts the cases; a test without cases of its own is one case."""
        reasons = reasons_in(self.text)
        for case in cases:
            name = case.get('name', '')
            failure = case.find('failure') if case.find('failure') is not None else case.find('error')
            if failure is not None:
                self.failed.append((name, self.one_line(failure) or self.last_words(name)))
            elif case.find('skipped') is not None or case.get('status') == 'notrun' or case.get('result') == 'skipped':
                self.skipped.append((name, self.reason(case, name, reasons)))
            else:
                self.passed += 1
        if not cases:
            if self.result == 'SKIP':
                last = (self.text.strip().splitlines() or ['no reason given'])[-1]
                self.skipped.append(('', reasons.get('') or last))
            elif self.result in GOOD:
                self.passed += 1
        if self.result not in GOOD and not self.failed:
            self.failed.append(('', self.result))

    @staticmethod
    def one_line(failure):
        """What a failed case says, without the path in front of the file's name."""
        text = failure.get('message') or failure.text or ''
        return re.sub(r'^\S*/', '', ' '.join(text.split()))[:400]

    def last_words(self, name):
        """The exception, or else the last line, among what a TAP case says of its failure."""
        case = re.sub(r'^\d+\s+(- )?', '', name)
        said = re.search(r'^not ok\b.*' + re.escape(case) + r'.*\n((?:#.*\n?)*)', self.text, re.MULTILINE)
        lines = [line.lstrip('# ') for line in said.group(1).splitlines()] if said else []
        errors = [line for line in lines if re.match(r'\w*(Error|Exception)\b', line)]
        return (errors or lines or ['no reason given'])[-1][:400]

    @staticmethod
    def reason(case, name, reasons):
        for key in (name, f'{case.get("classname", "")}.{name}', re.sub(r'^\d+\s+', '', name).split(' # ')[0]):
            if reasons.get(key):
                return reasons[key]
        skipped = case.find('skipped')
        message = skipped.get('message', '') if skipped is not None else ''
        return (message or (case.get('status') == 'notrun' and 'disabled') or 'no reason given').splitlines()[-1]


def cases_by_test(path, tests):
    """The JUnit cases of each test, by the test's full name.

    Meson calls a suite PROJECT.FULLNAME.SUITE where GoogleTest made it, PROJECT.NAME where TAP did, and keeps tests
    without cases in one suite of the project.
    """
    found = {}
    for suite in ElementTree.parse(path).getroot().iter('testsuite'):
        name = suite.get('name', '').partition('.')[2]
        for test in tests:
            if name in (test.full, test.name) or name.startswith(test.full + '.'):
                found.setdefault(test.full, []).extend(suite.findall('testcase'))
                break
    return found


def read(folder):
    with open(os.path.join(folder, 'testlog.json'), encoding='utf-8', errors='replace') as file:
        tests = [Test(json.loads(line)) for line in file if line.strip()]
    cases = cases_by_test(os.path.join(folder, 'testlog.junit.xml'), tests)
    for test in tests:
        test.take(cases.get(test.full, []))
    return tests


def main():
    passed, failed, skipped = 0, [], []
    for folder in sys.argv[1:]:
        for test in read(folder):
            passed += test.passed
            for cases, all_cases in (test.failed, failed), (test.skipped, skipped):
                all_cases += [(f'{test.name}: {name}' if name else test.name, reason) for name, reason in cases]
    for what, cases in ('skipped', skipped), ('failed', failed):
        for name, reason in cases:
            print(f'{what}: {name}: {reason}')
    print(f'{passed} passed, {len(failed)} failed, {len(skipped)} skipped')
    sys.exit(1 if failed or not passed + len(failed) else 0)


if __name__ == '__main__':
    main()
