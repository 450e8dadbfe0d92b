"""Programs built against the installed copy: C and C++, shared and static, by pkg-config, and Meson's subproject.

Environment: KEV_BUILD, the build folder, whose library is built.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'apps'))

from harness.tap import run_tests  # noqa: E402

PROGRAM = '''#include <kev/kev.h>
#include <stdio.h>
int main(void) {
  kev_queue *queue;
  kev_event event;
  if (kev_create(&queue, NULL, 0) || kev_add_user(queue, 1, 0, 2) || kev_post(queue, 1, 3, NULL)) return 1;
  if (kev_wait(queue, &event, 1, 1, NULL, NULL) != 1 || event.udata != 2 || event.result != 3) return 2;
  if (kev_destroy(queue) || kev_version() != KEV_VERSION) return 3;
  puts("right");
  return 0;
}
'''


class ConsumerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for tool in ('meson', 'pkg-config', 'cc', 'c++'):
            if not shutil.which(tool):
                raise unittest.SkipTest(tool + ' is not installed')
        folder = tempfile.TemporaryDirectory(prefix='kev-abi-')
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.prefix = cls.folder / 'installed'
        # What the library needs and no more: the rest of the build may not be there.
        for source, target in (('include/kev', 'include/kev'),):
            shutil.copytree(ROOT / source, cls.prefix / target)
        build = pathlib.Path(os.environ['KEV_BUILD'])
        library = cls.prefix / 'lib'
        library.mkdir()
        for name in ('libkev.so.1.0.0', 'libkev.a'):
            shutil.copy(build / 'libkev' / name, library)
        for link, to in (('libkev.so.1', 'libkev.so.1.0.0'), ('libkev.so', 'libkev.so.1')):
            (library / link).symlink_to(to)
        text = (build / 'meson-private' / 'kev.pc').read_text(encoding='utf-8')
        lines = text.splitlines()
        (library / 'kev.pc').write_text('\n'.join([f'prefix={cls.prefix}', 'libdir=${prefix}/lib',
                                                   'includedir=${prefix}/include', *lines[3:], '']), encoding='utf-8')
        assert [line.split('=')[0] for line in lines[:3]] == ['prefix', 'includedir', 'libdir'], text

    def run_it(self, *command, **options):
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, text=True, cwd=self.folder, timeout=300, **options)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def flags(self, *arguments):
        environment = dict(os.environ, PKG_CONFIG_PATH=str(self.prefix / 'lib'))
        return self.run_it('pkg-config', *arguments, 'kev', env=environment).split()

    def build_and_run(self, compiler, language, standard, extra):
        source = self.folder / ('program.' + language)
        source.write_text(PROGRAM, encoding='utf-8')
        program = self.folder / 'program'
        self.run_it(compiler, '-std=' + standard, '-Wall', '-Wextra', '-pedantic', '-Werror', source, '-o', program,
                    *extra)
        environment = dict(os.environ, LD_LIBRARY_PATH=str(self.prefix / 'lib'))
        self.assertEqual(self.run_it(program, env=environment), 'right\n')
        return program

    def test_c_and_cpp_with_the_shared_library(self):
        flags = self.flags('--cflags', '--libs')
        self.build_and_run('c++', 'cpp', 'c++11', flags)
        program = self.build_and_run('cc', 'c', 'c11', flags)
        self.assertIn('libkev.so.1', self.run_it('readelf', '-d', program))

    def test_c_with_the_static_library_needs_no_cpp_run_time(self):
        program = self.build_and_run('cc', 'c', 'c11', [*self.flags('--cflags'), self.prefix / 'lib' / 'libkev.a'])
        self.assertNotIn('stdc++', self.run_it('readelf', '-d', program))

    def test_a_whole_program_without_shared_libraries(self):
        self.build_and_run('cc', 'c', 'c11', ['-static', *self.flags('--cflags'), self.prefix / 'lib' / 'libkev.a'])

    def test_as_a_meson_subproject(self):
        project = self.folder / 'project'
        (project / 'subprojects').mkdir(parents=True)
        (project / 'subprojects' / 'libkev').symlink_to(ROOT)
        (project / 'program.c').write_text(PROGRAM, encoding='utf-8')
        (project / 'meson.build').write_text(
            "project('consumer', 'c')\n"
            "kev = dependency('kev', fallback : ['libkev', 'kev_dep'], default_options : ['tests=false'])\n"
            "executable('program', 'program.c', dependencies : kev)\n", encoding='utf-8')
        environment = dict(os.environ)
        environment.pop('PKG_CONFIG_PATH', None)
        self.run_it('meson', 'setup', project / 'build', project, '--wrap-mode=nodownload', env=environment)
        self.run_it('ninja', '-C', project / 'build', '-j1', 'program')
        self.assertEqual(self.run_it(project / 'build' / 'program'), 'right\n')


if __name__ == '__main__':
    run_tests()
