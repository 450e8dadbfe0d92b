"""A JVM under the shim: java.nio's Selector on epoll and on poll, wake-ups from a thread pool, asynchronous channels.

The JVM has many threads, handles its own signals, and looks symbols up by dlsym. The poll selector (the JDK's own,
chosen by a property) makes large poll arrays.
"""

import os
import signal
import socket

from harness import (AppTest, connect, crowd, echo_round, exchange, find_program, in_parallel, payload, read_all,
                     read_exact, read_slowly, read_until, run_tests, send_slowly, sha256)

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'programs', 'NioServer.java')
POLL = '-Djava.nio.channels.spi.SelectorProvider=sun.nio.ch.PollSelectorProvider'
OPTIONS = ['-XX:+UseSerialGC', '-Xshare:auto', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData']


class JavaTest(AppTest):
    needs = ('java', 'javac')

    @classmethod
    def setUpClass(cls):
        stage = cls.share_stage()
        stage.run([find_program('javac'), *('-J' + option for option in OPTIONS), '-d', stage.path('classes'), SOURCE],
                  mode='native', deadline=60)

    def server(self, *options, core=False):
        classes = self.shared.path('classes')
        program = self.start([find_program('java'), *OPTIONS, *options, '-cp', classes, 'NioServer'], core=core)
        program.wait_until(lambda: program.output().endswith(b'\n'), 'the port is printed', 30)
        return program, int(program.output())

    def served(self, *options, core=False):
        server, port = self.server(*options, core=core)
        data = payload(8 << 20, 1)

        def client(index):
            if index < 2:
                self.assertEqual(sha256(exchange(port, data)), sha256(data))
            elif index < 5:
                with connect(port, receive_buffer=16384) as sock:
                    sock.sendall(data[:300000])
                    sock.shutdown(socket.SHUT_WR)
                    self.assertEqual(read_slowly(sock, 300000, piece=10000, pause=0.003), data[:300000])
                    self.assertEqual(read_all(sock), b'')
            elif index < 8:
                with connect(port) as sock:
                    send_slowly(sock, data[:1000], pieces=50, pause=0.003)
                    self.assertEqual(read_exact(sock, 1000), data[:1000])
            else:
                with connect(port) as sock:
                    for turn in range(20):
                        sock.sendall(b'UPPER text %d of %d\n' % (turn, index))
                        self.assertEqual(read_until(sock, b'\n'), b'UPPER TEXT %d OF %d\n' % (turn, index))

        with crowd(port, 300) as idle:
            for number in range(3):
                echo_round(self, idle, f'round{number}')
            in_parallel(30, client)
            for number in range(50):
                echo_round(self, idle[number * 5:number * 5 + 2], f'two{number}')
            for sock in idle[::2]:
                sock.close()
            with crowd(port, 100) as newcomers:
                echo_round(self, newcomers, 'new')
                echo_round(self, idle[1::2], 'old')
        self.assertEqual(server.stop(signal.SIGTERM), 143)
        self.assertEqual(server.output().split()[1:], [b'430', b'connections'])

    def test_the_epoll_selector(self):
        self.served()

    def test_the_poll_selector(self):
        self.served(POLL, core=True)

    def test_a_source_file_run_directly_and_its_output_as_natively(self):
        source = self.stage.write('Pipes.java', '''
            import java.nio.*; import java.nio.channels.*; import java.net.*; import java.util.concurrent.*;
            public class Pipes {
              public static void main(String[] a) throws Exception {
                AsynchronousServerSocketChannel s = AsynchronousServerSocketChannel.open()
                    .bind(new InetSocketAddress("127.0.0.1", 0));
                AsynchronousSocketChannel c = AsynchronousSocketChannel.open();
                Future<AsynchronousSocketChannel> f = s.accept();
                c.connect(s.getLocalAddress()).get();
                AsynchronousSocketChannel p = f.get(5, TimeUnit.SECONDS);
                c.write(ByteBuffer.wrap("hello".getBytes())).get();
                ByteBuffer b = ByteBuffer.allocate(10);
                System.out.println(p.read(b).get(5, TimeUnit.SECONDS));
                try { p.read(b).get(200, TimeUnit.MILLISECONDS); }
                catch (TimeoutException e) { System.out.println("late"); }
                Process child = new ProcessBuilder("tr", "a-z", "A-Z").start();
                child.getOutputStream().write("child".getBytes()); child.getOutputStream().close();
                System.out.println(new String(child.getInputStream().readAllBytes()) + child.waitFor());
                System.exit(9);
              }
            }''')

        def result(mode):
            return self.run_program([find_program('java'), *OPTIONS, source], mode=mode, status=9, deadline=40).text

        self.assertEqual(self.same_in_all_modes(result, 'output').split(), ['5', 'late', 'CHILD0'])


if __name__ == '__main__':
    run_tests()
