"""A server on Python's asyncio: asyncio_app.py epoll|poll|select.

Prints its port. Commands, one a line: ECHO text; SLEEP milliseconds; BYTES length seed (that payload follows);
HASH length (a body of that length follows, answered by its SHA-256); RUN text (a child process turns the text
into capitals); THREAD text (an executor thread does). SIGTERM ends it with status 0, SIGHUP is counted and told
by SIGNALS.
"""

import asyncio
import hashlib
import random
import selectors
import signal
import sys

SELECTORS = {'epoll': selectors.EpollSelector, 'poll': selectors.PollSelector, 'select': selectors.SelectSelector}


class App:
    def __init__(self):
        self.hangups = 0
        self.stop = asyncio.Event()

    async def answer(self, words, reader, writer):
        command, arguments = words[0], words[1:]
        if command == 'ECHO':
            return ' '.join(arguments)
        if command == 'SLEEP':
            await asyncio.sleep(int(arguments[0]) / 1000)
            return 'slept'
        if command == 'BYTES':
            writer.write(random.Random(int(arguments[1])).randbytes(int(arguments[0])))
            await writer.drain()
            return 'sent'
        if command == 'HASH':
            return hashlib.sha256(await reader.readexactly(int(arguments[0]))).hexdigest()
        if command == 'RUN':
            child = await asyncio.create_subprocess_exec('tr', 'a-z', 'A-Z', stdin=asyncio.subprocess.PIPE,
                                                         stdout=asyncio.subprocess.PIPE)
            out, _ = await child.communicate(' '.join(arguments).encode())
            return f'{child.returncode} {out.decode()}'
        if command == 'THREAD':
            return await asyncio.get_running_loop().run_in_executor(None, ' '.join(arguments).upper)
        return str(self.hangups) if command == 'SIGNALS' else 'what?'

    async def client(self, reader, writer):
        try:
            while line := await reader.readline():
                answer = await self.answer(line.decode().split(), reader, writer)
                writer.write(answer.encode() + b'\n')
                await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (OSError, EOFError):
            writer.close()

    def hang_up(self):
        self.hangups += 1

    async def run(self):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.hang_up)
        server = await asyncio.start_server(self.client, '127.0.0.1', 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await self.stop.wait()
        server.close()


def main():
    loop = asyncio.SelectorEventLoop(SELECTORS[sys.argv[1]]())
    asyncio.set_event_loop(loop)

    async def start():
        await App().run()

    loop.run_until_complete(start())
    loop.run_until_complete(loop.shutdown_default_executor())
    for task in asyncio.all_tasks(loop):  # the clients that are still connected
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


if __name__ == '__main__':
    main()
