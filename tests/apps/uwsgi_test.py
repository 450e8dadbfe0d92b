"""uwsgi under the shim: workers of several threads, which it cancels when it reloads and stops.

Requests are answered by all threads at once, across a graceful reload, and none is lost.
"""

import os
import signal

from harness import AppTest, connect, find_program, in_parallel, read_all, run_tests

APPLICATION = """
import hashlib, threading, time
def application(environ, start_response):
    body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
    time.sleep(0.01)
    text = '%d %s %s' % (len(body), hashlib.sha256(body).hexdigest(), threading.get_ident())
    start_response('200 OK', [('Content-Length', str(len(text)))])
    return [text.encode()]
"""


class UwsgiTest(AppTest):
    needs = ('uwsgi-core',)

    def server(self):
        path = os.path.join(self.stage.folder, 'application.py')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(APPLICATION)
        return self.start_server(lambda port: [
            find_program('uwsgi-core'), '--plugin', 'python3', '--http-socket', f'127.0.0.1:{port}', '--wsgi-file', path,
            '--master', '--processes', '2', '--threads', '4', '--enable-threads', '--need-app', '--die-on-term'])

    @staticmethod
    def post(port, body):
        with connect(port) as sock:
            sock.sendall(b'POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
            return read_all(sock)

    def expect_answers(self, port, count):
        threads = set()
        for answer in in_parallel(count, lambda index: self.post(port, b'x' * (1000 * index + 1))):
            head, _, text = answer.partition(b'\r\n\r\n')
            self.assertIn(b'200 OK', head)
            size, _, thread = text.split(b' ')
            self.assertEqual(int(size) % 1000, 1)
            threads.add(thread)
        return threads

    def test_threads_answer_and_are_cancelled_at_reload_and_stop(self):
        program, port = self.server()
        self.assertGreater(len(self.expect_answers(port, 40)), 2)
        workers = program.children()
        self.assertEqual(len(workers), 2)
        program.send(signal.SIGHUP)
        program.wait_until(lambda: len(program.children()) == 2 and not set(workers) & set(program.children()),
                           'new workers run')
        self.eventually(lambda: self.post(port, b'y').startswith(b'HTTP/1.0 200'), 'the reloaded server answers')
        self.expect_answers(port, 40)
        self.assertEqual(program.stop(signal.SIGTERM), 0)
        self.assertNotIn(b'Segmentation', program.errors())


if __name__ == '__main__':
    run_tests()
