"""What the tests of tests/apps share: programs under the shim, clients, backends, payloads and the TAP runner.

A test file imports from here alone, holds one AppTest per topic and ends with run_tests().
The programs are the distribution's own; nothing outside the Python 3 standard library is used.
"""

from .backends import EchoServer, HttpBackend
from .case import AppTest, Stage, find_program
from .clients import (connect, crowd, echo_round, exchange, http_get, in_parallel, read_all, read_exact,
                      read_http, read_slowly, read_until, send_slowly)
from .payload import payload, sha256, sha256_file
from .ports import free_port, wait_for_port
from .tap import run_tests

__all__ = ['AppTest', 'EchoServer', 'HttpBackend', 'Stage', 'connect', 'crowd', 'echo_round', 'exchange',
           'find_program', 'free_port', 'http_get', 'in_parallel', 'payload', 'read_all', 'read_exact',
           'read_http', 'read_slowly', 'read_until', 'run_tests', 'send_slowly', 'sha256', 'sha256_file',
           'wait_for_port']
