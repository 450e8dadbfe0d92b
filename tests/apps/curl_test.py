"""curl under the shim: one large transfer, hundreds in parallel, slow and silent servers, time limits.

libcurl waits with poll() on arrays that change from call to call; with many transfers at once they are large.
Contents, exit statuses and messages must be those of a native run.
"""

import re
import time

from harness import (AppTest, HttpBackend, find_program, payload, run_tests, sha256, sha256_file)


class CurlTest(AppTest):
    needs = ('curl',)

    def setUp(self):
        super().setUp()
        self.backend = HttpBackend()
        self.addCleanup(self.backend.close)
        self.url = f'http://127.0.0.1:{self.backend.port}'

    def curl(self, *arguments, **options):
        environment = {name: '' for name in ('http_proxy', 'https_proxy', 'all_proxy', 'HTTPS_PROXY', 'ALL_PROXY')}
        return self.run_program([find_program('curl'), '-q', '-sS', '--noproxy', '*', *arguments], env=environment,
                                **options)

    def test_a_large_download_and_upload(self):
        out = self.stage.path('out')
        self.curl('-o', out, f'{self.url}/bytes/{32 << 20}/1')
        self.assertEqual(sha256_file(out), sha256(payload(32 << 20, 1)))
        source = self.stage.write('in', payload(16 << 20, 2))
        self.curl('-T', source, '-o', out, f'{self.url}/echo')
        self.assertEqual(sha256_file(out), sha256_file(source))

    def parallel(self, number, at_once, kind, length, core):
        config = ''.join(f'url = "{self.url}/{kind}/{length}/{index}"\noutput = "{self.stage.path("p%d" % index)}"\n'
                         for index in range(number))
        self.curl('-Z', '--parallel-max', str(at_once), '--parallel-immediate', '-K',
                  self.stage.write('urls', config), core=core)
        for index in range(number):
            self.assertEqual(sha256_file(self.stage.path(f'p{index}')), sha256(payload(length, index)))

    def test_three_hundred_small_transfers_fifty_at_once(self):
        self.parallel(300, 50, 'bytes', 20000, core=False)

    def test_a_hundred_slow_transfers_at_once(self):
        self.parallel(100, 100, 'slow', 50000, core=True)

    def test_large_transfers_in_parallel(self):
        self.parallel(8, 8, 'bytes', 6 << 20, core=False)

    def test_a_transfer_with_a_rate_limit_takes_its_time(self):
        began = time.monotonic()
        done = self.curl('--limit-rate', '4M', f'{self.url}/bytes/{12 << 20}/3')
        self.assertEqual(sha256(done.out), sha256(payload(12 << 20, 3)))
        self.assertTrue(0.8 < time.monotonic() - began < 10)

    def test_a_silent_server_ends_at_the_time_limit(self):
        began = time.monotonic()
        done = self.curl('--max-time', '0.5', f'{self.url}/endless', status=28)
        self.assertTrue(0.49 <= time.monotonic() - began < 5)
        self.assertIn(b'timed out', done.err)

    def test_errors_statuses_and_headers_are_those_of_a_native_run(self):
        source = self.stage.write('file', b'text')

        def results(mode):
            found = []
            for arguments, status in (
                    (['-i', self.url + '/bytes/100/1', self.url + '/bytes/10/2'], 0),
                    (['-d', 'a=b', self.url + '/post', '-F', 'x=y'], 2),
                    (['-F', f'x=@{source}', '-H', 'Expect:', '-o', '/dev/null', '-w', '%{http_code} %{num_connects}',
                      self.url + '/post'], 0),
                    (['http://127.0.0.1:1/'], 7),
                    (['--connect-timeout', '0.2', '-o', '/dev/null', f'file://{source}'], 0),
                    (['-r', '5-9', f'file://{source}'], 36),
                    (['telnet://127.0.0.1:1'], 7)):
                done = self.curl(*arguments, mode=mode, status=None, waits=False)
                found.append((done.status, re.sub(rb'Date: [^\r]*|after \d+ ms', b'', done.out + done.err)))
                self.assertEqual(done.status, status, arguments)
            return found

        self.same_in_all_modes(results, 'results')

    def test_input_from_a_pipe_that_is_slow(self):
        script = 'for i in 1 2 3 4 5; do echo part $i; sleep 0.05; done | ' \
                 f'"$0" -q -sS --noproxy "*" -T - -H "Transfer-Encoding:" -H "Content-Length: 35" {self.url}/echo'
        done = self.run_program(['/bin/sh', '-c', script, find_program('curl')])
        self.assertEqual(done.out, b''.join(b'part %d\n' % number for number in range(1, 6)))


if __name__ == '__main__':
    run_tests()
