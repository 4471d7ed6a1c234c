"""A stop that comes from where the server itself is waited for, or runs."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

import pytest

import switchboard as sb
from helpers import PATIENCE


def ran(program: str, *options: str) -> str:
    """What a program says that ends well, in bounded time."""
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("dispatch", ["threads", "processes", "events"])
def test_a_signal_handler_stops_the_server_that_is_joined(dispatch: str) -> None:
    said = ran(
        f"""
import os, signal
import switchboard as sb
server = sb.start("127.0.0.1:0", bytes.upper, "lines", dispatch={dispatch!r})
signal.signal(signal.SIGALRM, lambda number, frame: (server.stop(), print("stopped")))
signal.setitimer(signal.ITIMER_REAL, 0.1)
server.join()
print("joined")
"""
    )
    assert said == "stopped\njoined\n"


def test_several_wait_for_one_end() -> None:
    said = ran(
        """
import threading
import switchboard as sb
server = sb.start("127.0.0.1:0", bytes.upper, "lines")
waiting = [threading.Thread(target=server.join) for _ in range(4)]
for one in waiting: one.start()
server.stop()
for one in waiting: one.join()
server.stop()
server.join()
print("ended")
"""
    )
    assert said == "ended\n"


@pytest.mark.parametrize("dispatch", ["threads", "events"])
def test_a_handler_stops_its_own_server(dispatch: Literal["threads", "events"]) -> None:
    def handler(message: bytes) -> bytes:
        server.stop()
        return message

    server = sb.start("127.0.0.1:0", handler, "lines", dispatch=dispatch)
    with sb.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
        assert c.request(b"the last one") == b"the last one"
        assert c.recv() is None
    server.join()
    with pytest.raises(ConnectionRefusedError):
        sb.connect(server.endpoints[0], "lines", timeout=PATIENCE)


def test_a_process_that_was_forked_off_cannot_wait_for_its_parents_server() -> None:
    said = ran(
        """
import os, sys, threading, time
import switchboard as sb
server = sb.start("127.0.0.1:0", bytes.upper, "lines")
threading.Thread(target=server.join).start()
if os.fork() == 0:
    for call in (server.join, server.stop):
        try:
            call()
        except ValueError as error:
            print(error, flush=True)
    os._exit(0)
os.wait()
server.stop()
""",
        "-Wignore",
    )
    assert said == "the server is of the process that started it\n" * 2
