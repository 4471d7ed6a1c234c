"""The questions of the cookbook that are about whole programs: how a server ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import switchboard as sb
from helpers import PATIENCE
from test_cookbook import sections

HEAD = """
import os, signal, socket, sys, threading
import switchboard as sb

{0}
def handler(message):
    if b"slow" in message:
        print("working", flush=True)
        os.read(0, 1)
    return message.upper()
"""

Program = tuple["subprocess.Popen[bytes]", tuple[str, int]]


@contextmanager
def program(heading: str, number: int) -> Iterator[Program]:
    """A server of the page, in a process of its own; and where it listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: tuple[str, int] = listener.getsockname()
        fd = listener.fileno()
        # One of the two has the socket: it listens for as long as anybody has it.
        given = f'endpoint = "fd:{fd}"' if number else f"server = socket.socket(fileno={fd})"
        code = HEAD.format(given) + sections()[heading][number]
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[fd],
        )
    with child:
        try:
            yield child, address
        finally:
            child.kill()


def line(child: "subprocess.Popen[bytes]") -> bytes:
    assert child.stdout is not None
    return child.stdout.readline()


def test_ctrl_c_and_threads() -> None:
    with program("Ctrl-C does not stop the server", 0) as (child, address):
        with socket.create_connection(address, PATIENCE) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            child.send_signal(signal.SIGINT)
            seen(address)
            assert line(child) == b"stopped\n"
            # So it says; and goes on.
            client.sendall(b"y")
            assert client.recv(1) == b"y"
            assert child.poll() is None
        assert child.wait(PATIENCE) == 0


def test_ctrl_c_and_ours() -> None:
    with program("Ctrl-C does not stop the server", 1) as (child, address):
        with sb.connect("%s:%d" % address, "lines", timeout=PATIENCE) as c:
            assert c.request(b"x") == b"X"
            child.send_signal(signal.SIGINT)
            assert line(child) == b"stopped\n"
            assert child.wait(PATIENCE) == 0
            assert c.recv() is None


def test_a_shutdown_that_loses_what_was_asked() -> None:
    with program("Graceful shutdown", 0) as (child, address):
        with socket.create_connection(address, PATIENCE) as client:
            client.sendall(b"slow")
            assert line(child) == b"working\n"
            child.send_signal(signal.SIGTERM)
            seen(address)
            assert child.wait(PATIENCE) == 0
            assert client.recv(1) == b""


def test_a_shutdown_that_answers() -> None:
    with program("Graceful shutdown", 1) as (child, address):
        with sb.connect("%s:%d" % address, "lines", timeout=PATIENCE) as c:
            c.send(b"slow")
            assert line(child) == b"working\n"
            child.send_signal(signal.SIGTERM)
            refused(address)
            assert child.stdin is not None
            os.write(child.stdin.fileno(), b"g")
            assert c.recv() == b"SLOW"
            assert c.recv() is None
            # A client who stays does not hold it up.
            assert child.wait(PATIENCE) == 0


def seen(address: tuple[str, int]) -> None:
    """Has a wrong program see a signal: one that comes just before `accept` waits is not seen until
    somebody connects."""
    with contextlib.suppress(ConnectionError):
        socket.create_connection(address, PATIENCE).close()


def refused(address: tuple[str, int]) -> None:
    """Returns when nobody is accepted any more: the shutdown has begun, then."""
    for _ in range(100_000):
        try:
            socket.create_connection(address, PATIENCE).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            pass  # It was connecting while the listener was closed.
    raise AssertionError("it still listens")
