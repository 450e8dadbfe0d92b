"""kev-conformance builds by one command with any C11 compiler, without warnings; what --source prints builds too."""

import glob
import re
import subprocess

from support import SOURCES, ToolTest, compiler, run_tests

WARNINGS = ['-O1', '-Wall', '-Wextra', '-Wpedantic', '-Werror']


class Builder(ToolTest):
    def build(self, name, *arguments):
        if not compiler(name):
            self.skipTest(name + ' is not installed')
        program = self.folder / 'program'
        done = subprocess.run([name, '-std=c11', '-pthread', *arguments, '-o', program], cwd=SOURCES.parent.parent,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual((done.returncode, done.stdout.decode()), (0, ''))
        return program


class OneCommandTest(Builder):
    def one_command(self, name, *arguments):
        sources = sorted(glob.glob('tools/kev-conformance/*.c', root_dir=SOURCES.parent.parent))
        program = self.build(name, *WARNINGS, *arguments, *sources)
        self.assertEqual(self.lines_report('selftest.pass', 'selftest.fail', tool=program),
                         {'selftest.pass': 'pass', 'selftest.fail': 'fail'})
        return program

    def test_with_cc(self):
        self.one_command('cc')

    def test_with_clang(self):
        self.one_command('clang')

    def test_with_musl(self):
        program = self.one_command('musl-gcc')
        done = self.run_tool('--rounds=1', 'read/entry', tool=program)
        self.assertRegex(done.stdout, '^musl')

    def test_as_a_static_program_that_takes_no_loader(self):
        program = self.one_command('musl-gcc', '-static')
        done = self.run_tool('--loader=/bin/sh', tool=program)
        self.assertEqual(done.returncode, 2)
        self.assertIn('is static', done.stderr)

    def test_a_comparison_builds_the_musl_side_itself(self):
        if not compiler('musl-gcc'):
            self.skipTest('musl-gcc is not installed')
        done = self.run_tool('--compare=plain,musl', '--source-dir', SOURCES, 'selftest.pass', 'selftest.fail',
                             environment={'TMPDIR': str(self.folder)})
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r'(?m)^musl +1 passed +1 failed +0 not tried')
        self.assertEqual(list(self.folder.iterdir()), [], 'nothing is left behind')

    def test_meson_builds_the_same_files(self):
        listed = re.findall(r"'([a-z_]+\.c)'", (SOURCES.parent / 'meson.build').read_text())
        self.assertEqual(sorted(listed), sorted(path.name for path in SOURCES.glob('*.c')))


class SourceTest(Builder):
    def reproduce(self, case):
        done = self.run_tool('--rounds=20', '--source', case)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        source = self.write('reproduce.c', done.stdout)
        self.assertIsNone(re.search(r'(?m)^#include "', done.stdout), 'one file')
        program = self.build('cc', *WARNINGS, '-Wno-unused-function', '-Wno-unused-variable', source)
        ran = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        self.assertIn(ran.returncode, (0, 1))
        self.assertTrue(ran.stdout.decode().startswith(case + ': '), ran.stdout)

    def test_a_case_of_every_property_builds_and_runs(self):
        seen = set()
        for line in self.run_tool('--list').stdout.splitlines():
            case = line.split()[0]
            subject = case.split('/')[-1] if not case.startswith('alone') else case
            if '/' in case and subject not in seen and case.split('/')[0] in ('read', 'accept'):
                seen.add(subject)
                with self.subTest(case):
                    self.reproduce(case)
        self.assertGreaterEqual(len(seen), 5)

    def test_cases_that_stand_alone_build_and_run(self):
        for case in ('cleanup/*', 'state/*', 'epoll/*'):
            names = [line.split()[0] for line in self.run_tool('--list', case).stdout.splitlines()]
            if names:
                with self.subTest(names[0]):
                    self.reproduce(names[0])

    def test_what_has_no_source_in_the_program_is_refused(self):
        for case in ('selftest.pass', 'cxx/order'):
            done = self.run_tool('--source', case)
            self.assertEqual((done.returncode, done.stdout.count('int main')), (2, 0))
            self.assertTrue(done.stderr.startswith('kev-conformance: '))


if __name__ == '__main__':
    run_tests()
