"""Forks of all kinds: a server off a fresh interpreter, and a program that forks by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import active_children

import pytest

import handlers
import switchboard as sb
from helpers import PATIENCE, in_thread, two


def test_a_fresh_interpreter_forks_for_a_program_with_threads() -> None:
    go = threading.Event()

    def wait() -> None:
        assert go.wait(PATIENCE)

    with in_thread(wait):
        server = sb.start(
            "127.0.0.1:0", handlers.who, "lines", dispatch="processes", start_method="spawn"
        )
        with server:
            endpoint = server.endpoints[0]
            with (
                sb.connect(endpoint, "lines", timeout=PATIENCE) as a,
                sb.connect(endpoint, "lines", timeout=PATIENCE) as b,
            ):
                first, second = a.request(b"x").split(), b.request(b"y").split()
                assert (first[1], second[1]) == (b"x", b"y")
                assert len({first[0], second[0], b"%d" % os.getpid()}) == 3
            assert server.stats["accepted"] == 2
        server.stop()
        stats = server.stats
        assert (stats["accepted"], stats["open"]) == (2, 0)
        with pytest.raises(ConnectionRefusedError):
            sb.connect(endpoint, "lines", timeout=PATIENCE)
        go.set()


def test_conversations_are_spawned_too() -> None:
    with sb.start(
        "127.0.0.1:0", handlers.converse, "lines", dispatch="processes", start_method="spawn"
    ) as server:
        with sb.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
            assert c.request(b"ab") == b"abab"


def test_what_cannot_be_spawned() -> None:
    with pytest.raises(ValueError, match="start_method is"):
        sb.start("127.0.0.1:0", handlers.who, "lines", start_method="spawn")

    def local(message: bytes) -> bytes:
        return message

    children = active_children()
    for handler in (lambda m: m, local):
        with pytest.raises(TypeError, match="cannot find .* by def at the top level of a module"):
            sb.start(
                "127.0.0.1:0", handler, "lines", dispatch="processes", start_method="spawn"
            )
    assert active_children() == children
    with sb.start("127.0.0.1:0", handlers.who, "lines") as server:
        with pytest.raises(OSError, match="in use"):
            sb.start(
                server.endpoints[0],
                handlers.who,
                "lines",
                dispatch="processes",
                start_method="spawn",
            )


def in_child(work: Callable[[], None]) -> int:
    """Runs something in a process that is forked off this one; its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_program_may_fork_between_calls() -> None:
    a, b = two()

    def child() -> None:
        # Its own conversations are its own, and the parent's can be used by either.
        c, d = two()
        c.send(b"in the child")
        assert d.recv() == b"in the child"
        a.send(b"from the child")

    assert in_child(child) == 0
    assert b.recv() == b"from the child"
    a.send(b"from the parent")
    assert b.recv() == b"from the parent"
    b.send(b"x")
    assert a.recv() == b"x"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_beside_a_thread_that_waits() -> None:
    a, b = two()
    received: list[bytes | None] = []

    def child() -> None:
        c, d = two()
        c.send(b"x")
        assert d.recv() == b"x"

    with in_thread(lambda: received.append(a.recv())):
        for _ in range(20):
            assert in_child(child) == 0
        b.send(b"at last")
    assert received == [b"at last"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_process_forked_off_a_thread_hears_signals() -> None:
    a, _b = two()
    codes: list[int] = []

    class Rang(Exception):
        pass

    def ring(number: int, frame: object) -> None:
        raise Rang

    def child() -> None:
        # The thread that forked is the main one here.
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Rang):
            a.recv()

    def work() -> None:
        with pytest.raises(sb.NotYet):
            a.try_recv()
        codes.append(in_child(child))

    with in_thread(work):
        pass
    assert codes == [0]


def test_what_a_forked_handler_prints_is_not_lost() -> None:
    program = """
import switchboard as sb
def handler(message):
    print("heard", message.decode())
    return message
with sb.start("127.0.0.1:0", handler, "lines", dispatch="processes") as server:
    print("before")
    with sb.connect(server.endpoints[0], "lines", timeout=20) as c:
        assert c.request(b"hello") == b"hello"
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stderr == ""
    assert sorted(ran.stdout.splitlines()) == ["before", "heard hello"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_spawned_server_is_of_the_process_that_started_it() -> None:
    with sb.start(
        "127.0.0.1:0", handlers.who, "lines", dispatch="processes", start_method="spawn"
    ) as server:

        def child() -> None:
            for call in (server.stop, server.join, lambda: server.stats):
                with pytest.raises(sb.Misused, match="of the process that started it"):
                    call()

        assert in_child(child) == 0
        with sb.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
            assert c.request(b"x").endswith(b"x")
