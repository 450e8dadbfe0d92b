"""What libkev.so.1 shows: exported = mapped = declared = documented; the headers compile alone; the pages are clean.

Environment: KEV_LIBRARY, the shared library as built.
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

NAME = re.compile(r'\bkev_\w+(?=\()')


def text_of(path):
    return path.read_text(encoding='utf-8')


def output_of(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, **options)


def mapped():
    return set(re.findall(r'^    (kev_\w+);', text_of(ROOT / 'symbols.map'), re.MULTILINE))


def declared():
    headers = [text_of(ROOT / 'include' / 'kev' / name) for name in ('kev.h', 'version.h')]
    code = re.sub(r'/\*.*?\*/', '', ''.join(headers), flags=re.DOTALL)
    return set(NAME.findall(code))


def documented():
    names = set()
    for page in (ROOT / 'man').glob('*.3'):
        synopsis = re.search(r'\.SH SYNOPSIS\n(.*?)\n\.SH', text_of(page), re.DOTALL)
        names |= set(NAME.findall(synopsis[1]))
    return names


def redirected():
    """What has a page by its name: the families' first functions, and those of man/meson.build."""
    return set(re.findall(r"'(kev_\w+)'", text_of(ROOT / 'man' / 'meson.build')))


def need(tool):
    if not shutil.which(tool):
        raise unittest.SkipTest(tool + ' is not installed')


class NamesTest(unittest.TestCase):
    def test_what_is_declared_is_mapped(self):
        self.assertEqual(declared(), mapped())

    def test_what_is_declared_is_documented(self):
        self.assertEqual(declared(), documented())

    def test_every_function_has_a_page_of_its_name(self):
        self.assertEqual(declared(), redirected())


class LibraryTest(unittest.TestCase):
    library = os.environ['KEV_LIBRARY']

    def test_what_is_mapped_is_exported(self):
        need('nm')
        lines = output_of('nm', '-D', '--defined-only', '--format=posix', self.library).stdout.splitlines()
        exported = {line.split()[0] for line in lines} - {'KEV_1.0'}
        self.assertEqual(exported, {name + '@@KEV_1.0' for name in mapped()})

    def test_its_abi_is_the_one_that_was_agreed_on(self):
        need('abidiff')
        baseline = ROOT / 'tests' / 'abi' / 'libkev.so.1.abi'
        with tempfile.TemporaryDirectory(prefix='kev-abi-') as folder:
            now = pathlib.Path(folder) / 'now.abi'
            now.write_text(output_of(ROOT / 'scripts' / 'abi-baseline', self.library).stdout, encoding='utf-8')
            done = output_of('abidiff', '--harmless', baseline, now)
            self.assertEqual(done.returncode, 0, done.stdout + 'scripts/abi-baseline says how a change is accepted')
            # And that a change would be seen.
            now.write_text(text_of(now).replace("name='time_ns'", "name='time_us'"), encoding='utf-8')
            self.assertNotEqual(output_of('abidiff', '--harmless', baseline, now).returncode, 0)

    def test_it_needs_libc_alone(self):
        need('readelf')
        dynamic = output_of('readelf', '-W', '-d', self.library).stdout
        self.assertEqual(re.findall(r'\(NEEDED\).*\[(.*)\]', dynamic), ['libc.so.6'])
        self.assertEqual(re.findall(r'\(SONAME\).*\[(.*)\]', dynamic), ['libkev.so.1'])
        self.assertIn('BIND_NOW', dynamic)
        self.assertIn('NODELETE', dynamic)
        self.assertNotIn('TEXTREL', dynamic)


class HeaderTest(unittest.TestCase):
    def compile(self, compiler, language, standard, header, *options):
        need(compiler)
        done = output_of(compiler, '-x', language, '-std=' + standard, '-Wall', '-Wextra', '-pedantic', '-Werror',
                         '-fsyntax-only', *options, '-I', ROOT / 'include', '-', input=f'#include <kev/{header}>\n')
        self.assertEqual((done.returncode, done.stdout), (0, ''))

    def test_each_compiles_alone_as_strict_c_and_as_cpp(self):
        for header in ('kev.h', 'version.h'):
            for compiler in ('gcc', 'clang'):
                if shutil.which(compiler):
                    for standard in ('c11', 'c17'):
                        self.compile(compiler, 'c', standard, header)
                    for standard in ('c++11', 'c++20'):
                        self.compile(compiler, 'c++', standard, header)

    def test_the_interface_of_2006_compiles_as_c_and_as_cpp(self):
        self.compile('gcc', 'c', 'c11', 'ukevent.h', '-D_POSIX_C_SOURCE=200809L')
        self.compile('gcc', 'c++', 'c++20', 'ukevent.h')

    def test_the_face_compiles_alone_with_and_without_exceptions(self):
        self.compile('gcc', 'c++', 'c++20', 'coroutine.hpp')
        self.compile('gcc', 'c++', 'c++20', 'task.hpp')
        for compiler in ('gcc', 'clang'):
            if shutil.which(compiler):
                self.compile(compiler, 'c++', 'c++20', 'kev.hpp', '-fno-exceptions')


class PagesTest(unittest.TestCase):
    def test_mandoc_finds_nothing(self):
        need('mandoc')
        pages = sorted(str(page) for page in (ROOT / 'man').glob('*.[37]'))
        done = output_of('mandoc', '-Tlint', *pages)
        self.assertEqual((done.returncode, done.stdout), (0, ''))


if __name__ == '__main__':
    run_tests()
