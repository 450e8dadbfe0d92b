"""The command line of kev-conformance: exit status, --list, --expect, hangs, crashes, --loader, --compare."""

import json
import re
import subprocess

from support import QUICK, SOURCES, TOOL, ToolTest, compiler, run_tests


class CommandLineTest(ToolTest):
    def test_wrong_use_has_status_2_and_says_why(self):
        for arguments in (['--bogus'], ['-x'], ['--rounds=none'], ['--rounds'], ['--format=none', 'selftest.pass'],
                          ['no-such-case'], ['--source=no-such-case'], ['--library-path=/tmp'],
                          ['--expect=/no/such/file', 'selftest.pass'], ['--output=/no/such/file', 'selftest.pass']):
            with self.subTest(arguments):
                done = self.run_tool(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ''))
                self.assertTrue(done.stderr.startswith('kev-conformance: '), done.stderr)

    def test_the_status_tells_of_failures_that_a_standard_forbids(self):
        self.assertEqual(self.run_tool('selftest.pass', 'selftest.skip', 'selftest.info').returncode, 0)
        self.assertEqual(self.run_tool('selftest.fail').returncode, 1)
        self.assertEqual(self.run_tool('selftest.crash').returncode, 1)
        self.assertEqual(self.run_tool('selftest.figures').returncode, 0, 'a matter of quality')

    def test_the_list_names_every_case_once_and_no_hidden_one(self):
        done = self.run_tool('--list')
        names = [line.split()[0] for line in done.stdout.splitlines()]
        self.assertGreater(len(names), 300)
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual([name for name in names if name.startswith('selftest')], [])
        self.assertTrue({'read/race', 'accept/race', 'epoll_wait/race'} <= set(names))

    def test_patterns_select_by_glob_and_by_part(self):
        def listed(*patterns):
            return {line.split()[0] for line in self.run_tool('--list', *patterns).stdout.splitlines()}
        self.assertEqual(listed('read/race'), {'read/race', 'pread/race'} & listed())
        self.assertTrue(all(name.startswith('read/') for name in listed('read/[a-z]*') - listed('pread/')))
        self.assertEqual(listed('--filter=poll/race,pause/race'), listed('poll/race', 'pause/race'))

    def test_help_and_version(self):
        for option in ('--help', '--version'):
            done = self.run_tool(option)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertIn('kev-conformance', done.stdout)

    def test_every_option_is_in_the_manual(self):
        manual = (SOURCES.parent.parent / 'man' / 'kev-conformance.1').read_text().replace('\\-', '-')
        for option in re.findall(r'(?m)^ +(--[a-z-]+)', self.run_tool('--help').stdout):
            self.assertIn(option, manual)


class ExpectTest(ToolTest):
    def test_a_listed_failure_is_expected_and_its_reason_shown(self):
        known = self.write('known', '# a comment\n\nselftest.fail  # because of this\nselftest.cr*\n')
        done = self.run_tool(f'--expect={known}', 'selftest.fail', 'selftest.crash')
        self.assertEqual(done.returncode, 0)
        self.assertIn('xfail selftest.fail', done.stdout)
        self.assertIn('because of this', done.stdout)
        tap = self.run_tool(f'--expect={known}', '--format=tap', 'selftest.fail').stdout
        self.assertIn('not ok 1 - selftest.fail # TODO expected: because of this', tap)
        document = json.loads(self.run_tool(f'--expect={known}', '--format=json', 'selftest.fail').stdout)
        self.assertEqual(document['totals']['expected_failures'], 1)

    def test_other_failures_still_count(self):
        known = self.write('known', 'selftest.fail\n')
        self.assertEqual(self.run_tool(f'--expect={known}', 'selftest.fail', 'selftest.crash').returncode, 1)

    def test_an_unexpected_pass_is_told_and_is_no_failure(self):
        known = self.write('known', '\nselftest.pass # no longer\n')
        done = self.run_tool(f'--expect={known}', 'selftest.pass')
        self.assertEqual(done.returncode, 0)
        self.assertIn(':2: selftest.pass unexpectedly passes', done.stderr)
        self.assertIn('1 unexpectedly passed', done.stdout)

    def test_a_name_that_no_case_has_is_told(self):
        done = self.run_tool(f"--expect={self.write('known', 'selftest.fial')}", 'selftest.pass')
        self.assertEqual(done.returncode, 0)
        self.assertIn(":1: there is no case 'selftest.fial'", done.stderr)

    def test_bad_lines_are_told_with_their_numbers(self):
        done = self.run_tool(f"--expect={self.write('known', 'selftest.pass' + chr(10) + 'two words' + chr(10))}",
                             'selftest.pass')
        self.assertEqual((done.returncode, done.stdout), (2, ''))
        self.assertIn('known:2: ', done.stderr)


class HangTest(ToolTest):
    def test_a_hang_is_a_failure_that_shows_its_threads(self):
        done = self.run_tool('--timeout=1', 'selftest.hang')
        self.assertEqual(done.returncode, 1)
        self.assertIn('HANG  selftest.hang', done.stdout)
        self.assertEqual(len(re.findall(r'(?m)^thread \d+ ', done.stderr)), 2)
        built = json.loads(self.run_tool('--format=json', 'selftest.pass').stdout)['run']['has_stack']
        if not built:
            self.assertIn('not built', done.stderr)
            self.skipTest('this build has no stack printer')
        self.assertRegex(done.stderr, r'#\d+ +0x[0-9a-f]+ (__)?(libc_)?pause')
        self.assertIn(' pthread_join', done.stderr.replace('__pthread_clockjoin_ex', ' pthread_join'))

    def test_the_cases_after_a_hang_are_run(self):
        outcomes = self.lines_report('--timeout=1', 'selftest.*')
        self.assertEqual(outcomes['selftest.hang'], 'hang')
        self.assertEqual(len(outcomes), len(QUICK) + 1)


class LoaderTest(ToolTest):
    def own_loader(self):
        text = subprocess.run(['readelf', '-lW', TOOL], stdout=subprocess.PIPE, check=True).stdout.decode()
        return re.search(r'interpreter: ([^\]]+)\]', text)[1]

    def test_the_program_runs_under_another_loader(self):
        loader = self.own_loader()
        if not compiler('readelf'):
            self.skipTest('readelf is not installed')
        copy = self.folder / 'ld-copy.so'
        copy.write_bytes(open(loader, 'rb').read())
        copy.chmod(0o755)
        done = self.run_tool('--loader', copy, f'--library-path={self.folder}', '--format=json', 'selftest.pass')
        document = json.loads(done.stdout)
        self.assertEqual(document['totals']['pass'], 1)
        self.assertEqual(document['run']['arguments'][1:], ['--format=json', 'selftest.pass'])

    def test_a_loader_that_cannot_be_used_is_refused(self):
        for loader in ('/no/such/loader', SOURCES / 'loader.c'):
            done = self.run_tool(f'--loader={loader}', 'selftest.pass')
            self.assertEqual((done.returncode, done.stdout), (2, ''))
            self.assertIn('--loader: ', done.stderr)


class CompareTest(ToolTest):
    def test_two_reports_are_held_against_each_other(self):
        before = self.folder / 'before'
        self.run_tool('--format=lines', f'--output={before}', 'selftest.fail', 'selftest.pass', 'selftest.crash')
        after = self.write('after', before.read_text().replace('selftest.fail\tfail', 'selftest.fail\tpass')
                           .replace('selftest.pass\tpass', 'selftest.pass\tfail'))
        done = self.run_tool(f'--compare={before},{after}')
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r'(?m)^selftest\.fail +FAIL +ok +after better$')
        self.assertRegex(done.stdout, r'(?m)^selftest\.pass +ok +FAIL +after worse$')
        self.assertRegex(done.stdout, r'(?m)^after +1 passed +2 failed .* 1 better +1 worse than before$')
        document = json.loads(self.run_tool('--format=json', f'--compare={before}', f'--compare={after}').stdout)
        self.assertEqual({one['name']: one['differs'] for one in document['cases']},
                         {'selftest.fail': True, 'selftest.pass': True, 'selftest.crash': False})
        page = self.run_tool('--format=html', f'--compare={before},{after}').stdout
        self.assertIn('2 of 3 cases differ; after does 1 better and 1 worse than before.', page)

    def test_plain_beside_kev_run(self):
        done = self.run_tool('--format=json', '--compare=plain,kev-run', 'selftest.pass', 'selftest.fail')
        sides = json.loads(done.stdout)['sides']
        self.assertEqual([side['name'] for side in sides], ['plain', 'kev-run'])
        if 'missing' in sides[1]:
            self.skipTest(sides[1]['missing'])
        self.assertEqual(done.returncode, 0)
        self.assertEqual(sides[0]['preload'], '')
        self.assertIn('libkev-preload.so', sides[1]['preload'])
        self.assertEqual([(side['passed'], side['failed']) for side in sides], [(1, 1), (1, 1)])

    def test_a_side_that_is_not_there_is_told_with_the_reason(self):
        done = self.run_tool('--compare=plain,musl', f'--source-dir={self.folder}', 'selftest.pass')
        self.assertEqual(done.returncode, 2, 'one side is no comparison')
        self.assertRegex(done.stdout, r'(?m)^musl +not there: the sources ')
        self.assertRegex(done.stdout, r'(?m)^plain +1 passed')

    def test_a_report_that_broke_off_is_refused(self):
        done = self.run_tool(f"--compare=plain,{self.write('half', 'run' + chr(9) + 'kernel' + chr(9) + 'x')}",
                             'selftest.pass')
        self.assertEqual(done.returncode, 2)
        self.assertIn('not a whole report', done.stdout)

    def test_formats_without_a_comparison_are_refused(self):
        self.assertEqual(self.run_tool('--compare=plain', '--format=tap', 'selftest.pass').returncode, 2)


if __name__ == '__main__':
    run_tests()
