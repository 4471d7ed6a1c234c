"""One conversation in several threads, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import switchboard as sb
from helpers import PATIENCE, in_thread, two, with_socket


def test_one_thread_waits_while_another_sends() -> None:
    a, b = two()
    received: list[bytes] = []

    def read() -> None:
        received.extend(a)

    with in_thread(read):
        for i in range(2000):
            a.send(b"%d" % i)
            echoed = b.recv()
            assert echoed is not None
            b.send(echoed)
        b.finish()
    assert received == [b"%d" % i for i in range(2000)]


def test_threads_that_request_at_a_time_have_their_own_replies() -> None:
    a, b = two()
    wrong: list[bytes] = []

    def echo() -> None:
        for message in b:
            b.send(message)

    def ask(thread: int) -> None:
        for i in range(200):
            message = b"%d of %d" % (i, thread)
            reply = a.request(message)
            if reply != message:
                wrong.append(reply)

    with in_thread(echo):
        with in_thread(lambda: ask(1)), in_thread(lambda: ask(2)), in_thread(lambda: ask(3)):
            ask(4)
        a.finish()
    assert wrong == []


def test_both_directions_full_at_once() -> None:
    a, b = two()
    big = b"x" * 300_000

    def echo() -> None:
        for message in b:
            b.send(message)
        b.finish()

    def send() -> None:
        a.send_many(big for _ in range(50))
        a.finish()

    with in_thread(echo), in_thread(send):
        assert sum(message == big for message in a) == 50


def test_several_receivers_share_the_messages() -> None:
    a, b = two("lines")
    taken: list[list[bytes]] = [[] for _ in range(4)]

    with (
        in_thread(lambda: taken[0].extend(b)),
        in_thread(lambda: taken[1].extend(b)),
        in_thread(lambda: taken[2].extend(b)),
        in_thread(lambda: taken[3].extend(b)),
    ):
        for i in range(3000):
            a.send(b"%d" % i)
        a.finish()
    assert sorted(int(m) for one in taken for m in one) == list(range(3000))


def test_the_interpreter_goes_on_while_a_call_waits() -> None:
    a, b = two()
    waiting = threading.Event()

    def wait() -> None:
        waiting.set()
        assert b.recv() == b"at last"

    with in_thread(wait):
        assert waiting.wait(PATIENCE)
        # This thread runs at all: the other one does not hold the lock.
        assert sum(range(100_000)) > 0
        a.send(b"at last")


#: A conversation that has only polled so far; and one of whom a read waits, as between requests.
WRAPPED = """
a, peer = socket.socketpair()
c = sb.wrap(a, "u32be", timeout=None)
"""
REQUESTING = """
c = sb.connect(address, "u32be", timeout=None)
peer, _ = listener.accept()
for _ in range(3):
    peer.sendall(b"\\0\\0\\0\\2hi")
    c.recv()
"""


def interrupted(call: str, made: str = WRAPPED) -> "subprocess.CompletedProcess[str]":
    """Runs a program that waits in a call, and interrupts it once it has said that it is ready."""
    program = textwrap.dedent(
        """
        import socket, sys
        import switchboard as sb
        listener = socket.create_server(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % listener.getsockname()[1]
        MADE
        try:
            print("ready", flush=True)
            CALL
        except KeyboardInterrupt:
            print("interrupted")
            peer.sendall(b"\\0\\0\\0\\2hi")
            print(c.recv())
        """
    ).replace("CALL", call).replace("MADE", made)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        while not sleeps(child.pid):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        return subprocess.CompletedProcess([], child.wait(PATIENCE), child.stdout.read())


def sleeps(process: int) -> bool:
    """Whether a process waits for something."""
    stat = Path(f"/proc/{process}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "S"


def polls(thread: int) -> bool:
    """Whether a thread of this process waits for descriptors, and not for another thread."""
    try:
        call = Path(f"/proc/self/task/{thread}/syscall").read_text().split()[0]
    except FileNotFoundError:  # It is over.
        return True
    return call in {"7", "73", "271"}  # `poll`, and `ppoll` on its systems.


@pytest.mark.parametrize("call", ["c.recv()", "c.recv_many()", "next(c)", "c.request(b'x')"])
@pytest.mark.parametrize("made", [WRAPPED, REQUESTING], ids=["wrapped", "requesting"])
def test_ctrl_c_ends_a_call_that_waits_and_loses_nothing(call: str, made: str) -> None:
    ran = interrupted(call, made)
    assert ran.stdout == "interrupted\nb'hi'\n"
    assert ran.returncode == 0


def test_ctrl_c_ends_a_send_that_waits() -> None:
    ran = interrupted("c.send(b'x' * 10_000_000)")
    assert ran.stdout == "interrupted\nb'hi'\n"


def test_a_handler_that_returns_ends_nothing() -> None:
    a, b = two()
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    try:

        def poke() -> None:
            while len(seen) < 3:
                os.kill(os.getpid(), signal.SIGUSR1)
            a.send(b"after")

        with in_thread(poke):
            assert b.recv() == b"after"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen[0] == signal.SIGUSR1


def test_a_handler_that_raises_ends_it_with_that() -> None:
    class Mine(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise Mine

    a, b = two()
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        with pytest.raises(Mine):
            b.recv()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    a.send(b"still there")
    assert b.recv() == b"still there"
    assert b.ending is None


def test_a_handler_that_raises_ends_a_call_that_reads() -> None:
    class Mine(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise Mine

    c, peer = with_socket("lines")
    main = threading.get_ident()
    waits = threading.Event()

    def poke() -> None:
        for _ in range(20):
            assert waits.wait(PATIENCE)
            waits.clear()
            peer.sendall(b"hello\n" * 3)
            while not sleeps(os.getpid()):
                pass
            signal.pthread_kill(main, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with in_thread(poke):
            for _ in range(20):
                with pytest.raises(Mine):
                    waits.set()
                    while True:
                        c.recv()
    finally:
        signal.signal(signal.SIGUSR1, before)
    peer.sendall(b"still there\n")
    while c.recv() != b"still there":
        pass
    assert c.ending is None
    c.close()


def test_closing_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(200):
        a, b = two()
        a.send(b"x")
        assert b.recv() == b"x"
        a.finish()
        b.close()
        a.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert isinstance(sb.Conversation, type)


def test_closing_wakes_who_waits() -> None:
    c, peer = with_socket()

    def wait() -> None:
        with pytest.raises(ValueError, match="closed"):
            c.recv()

    with in_thread(wait):
        c.close()
    peer.close()


def test_closing_wakes_who_accepts() -> None:
    listener = sb.listen("127.0.0.1:0", "lines")
    waits = threading.Event()

    def accept() -> None:
        waits.set()
        with pytest.raises(sb.Misused, match="the listener is closed"):
            listener.accept()

    with in_thread(accept):
        waits.wait(PATIENCE)
        listener.close()
