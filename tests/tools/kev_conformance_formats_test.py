"""Every report of kev-conformance can be parsed, whatever a message holds, and tells of each case how it came out."""

import html.parser
import json
import re
import xml.etree.ElementTree

from support import AWKWARD, QUICK, ToolTest, run_tests

OUTCOMES = {'selftest.pass': 'pass', 'selftest.fail': 'fail', 'selftest.skip': 'skip', 'selftest.info': 'info',
            'selftest.figures': 'fail', 'selftest.crash': 'fail'}
VOID = {'meta', 'br', 'wbr'}


class Page(html.parser.HTMLParser):
    """Checks that tags are balanced, and gathers text, identifiers, links and the titles of cells."""

    def __init__(self):
        super().__init__()
        self.open, self.problems, self.text, self.titles = [], [], [], []
        self.identifiers, self.links = [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.identifiers += [values['id']] if 'id' in values else []
        self.links += [values['href']] if 'href' in values else []
        self.titles += [values['title']] if 'title' in values else []
        if tag in ('script', 'link', 'img') or values.get('src'):
            self.problems.append(f'<{tag}> needs another file or a script')

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f'</{tag}> at {self.getpos()}')

    def handle_data(self, data):
        self.text.append(data)


class FormatsTest(ToolTest):
    def report(self, name, *arguments):
        done = self.run_tool('--format=' + name, *(arguments or QUICK))
        self.assertIn(done.returncode, (0, 1))
        return done.stdout

    def test_json(self):
        document = json.loads(self.report('json'))
        results = {one['name']: one for one in document['results']}
        self.assertEqual({name: one['outcome'] for name, one in results.items()}, OUTCOMES)
        self.assertTrue(results['selftest.fail']['message'].startswith(AWKWARD))
        self.assertEqual(results['selftest.figures']['figures'],
                         {'rounds': 100, 'lost': 7, 'cancelled': 60, 'data_won': 39, 'hung': 1,
                          'latency_median_us': 12.5, 'latency_max_us': 3000})
        self.assertEqual(document['totals']['fail'], 3)
        self.assertEqual(document['totals']['required_failures'], 2)
        self.assertEqual(document['totals']['other_failures'], 1)
        self.assertEqual(document['run']['planned'], len(QUICK))

    def test_junit(self):
        suite = xml.etree.ElementTree.fromstring(self.report('junit')).find('testsuite')
        cases = {one.get('name'): one for one in suite.iter('testcase')}
        self.assertEqual(set(cases), set(OUTCOMES))
        self.assertEqual((suite.get('tests'), suite.get('failures'), suite.get('skipped')), ('6', '2', '2'))
        failed = {name for name, one in cases.items() if one.find('failure') is not None}
        self.assertEqual(failed, {'selftest.fail', 'selftest.crash'})
        self.assertTrue(cases['selftest.fail'].find('failure').get('message').startswith(AWKWARD))
        # No standard demands it, so it is no failure here; nor is it silently a success.
        self.assertIn('lost by design', cases['selftest.figures'].find('skipped').get('message'))

    def test_tap(self):
        lines = self.report('tap').splitlines()
        self.assertEqual(lines[:2], ['TAP version 14', f'1..{len(QUICK)}'])
        points = [line for line in lines if re.match(r'(not )?ok ', line)]
        self.assertEqual([int(re.search(r'ok (\d+) - ', line)[1]) for line in points],
                         list(range(1, len(QUICK) + 1)))
        by_name = {re.search(r' - ([^ ]+)', line)[1]: line for line in points}
        self.assertTrue(by_name['selftest.pass'].startswith('ok '))
        self.assertTrue(by_name['selftest.crash'].startswith('not ok '))
        self.assertRegex(by_name['selftest.skip'], r'^ok \d+ - selftest\.skip # SKIP .*design \\# "quoted"$')
        self.assertRegex(by_name['selftest.figures'], r'^not ok .* # TODO ')
        self.assertEqual(lines.count('  ---'), lines.count('  ...'))
        message = [line for line in lines if line.startswith('  message: "<b>')][0]
        self.assertTrue(json.loads(message.split(': ', 1)[1]).startswith(AWKWARD))

    def test_html(self):
        text = self.report('html', *QUICK, 'read/entry')
        page = Page()
        page.feed(text)
        page.close()
        self.assertEqual((page.problems, page.open), ([], []))
        words = ' '.join(page.text)
        for name in [*OUTCOMES, 'FAIL', 'fail', 'skip', 'info', 'ok', '7 of 100 lost']:
            self.assertIn(name, words.replace('/ ', '/'))
        self.assertIn(AWKWARD, words)
        self.assertTrue(any('60 cancelled, 39 returned, 7 lost, 1 hung' in title for title in page.titles))
        targets = {link[1:] for link in page.links if link.startswith('#')}
        self.assertTrue(targets)
        self.assertLessEqual(targets, set(page.identifiers))
        self.assertEqual(len(page.identifiers), len(set(page.identifiers)), 'identifiers are unique')
        self.assertEqual([link for link in page.links if not link.startswith('#')], [])

    def test_lines(self):
        self.assertEqual(self.lines_report(*QUICK), OUTCOMES)

    def test_table(self):
        text = self.report('table', *QUICK, 'read/entry', 'pause/entry')
        self.assertNotIn('\033', text, 'no colours into a pipe')
        self.assertNotRegex(text, '[\x01-\x08]', 'no control characters from a message')
        self.assertRegex(text, r'(?m)^ +entry$')
        self.assertRegex(text, r'(?m)^read +\S+$')
        self.assertRegex(text, r'(?m)^FAIL +selftest\.crash ')
        self.assertRegex(text.splitlines()[-1], r'^\S+ .*: \d+ cases, \d+ passed, 2 FAILED, 1 failed without need, ')

    def test_the_table_fits_its_width(self):
        for width in (80, 120, 200):
            done = self.run_tool('--rounds=1', 'read', *QUICK, environment={'COLUMNS': str(width)})
            for line in done.stdout.splitlines()[1:-1]:
                self.assertLessEqual(len(line), width, line)

    def test_output_goes_to_the_file(self):
        path = self.folder / 'report'
        done = self.run_tool('--format=json', f'--output={path}', 'selftest.pass')
        self.assertEqual((done.returncode, done.stdout), (0, ''))
        self.assertEqual(json.loads(path.read_text())['totals']['pass'], 1)


if __name__ == '__main__':
    run_tests()
