"""Listening, and waiting for many at a time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import assert_type

import pytest

import switchboard as sb
from helpers import PATIENCE, in_thread, two, with_socket
from test_threads import polls, sleeps


def test_what_is_buffered_counts_and_half_a_message_does_not() -> None:
    a, b = two("lines")
    assert sb.select([a, b], timeout=0) == ([], [], [])
    a.send_many([b"one", b"two"])
    assert sb.select([a, b], timeout=PATIENCE).readers == [b]
    assert b.try_recv() == b"one"
    assert sb.select([a, b], [a], timeout=None) == ([b], [a], [])
    assert b.recv_many() == [b"two"]
    assert sb.select([a, b], timeout=0).readers == []
    raw, half = socket.socketpair()
    c = sb.wrap(half, "lines")
    raw.sendall(b"hal")
    assert sb.select([c], timeout=PATIENCE).readers == [c]
    with pytest.raises(sb.NotYet):
        c.try_recv()
    assert sb.select([c], timeout=0).readers == []
    raw.close()
    assert sb.select([c], timeout=PATIENCE).readers == [c]


def test_listeners_sockets_pipes_and_numbers() -> None:
    read, write = os.pipe()
    with sb.listen("127.0.0.1:0", "lines") as listener, socket.socket() as unused:
        assert listener.try_accept() is None
        c = sb.connect(listener.endpoints[0], "lines", timeout=PATIENCE)
        assert sb.select([listener, read], timeout=PATIENCE).readers == [listener]
        peer = listener.accept(PATIENCE)
        assert sb.select([listener, read], [write], timeout=None) == ([], [write], [])
        os.write(write, b"x")
        assert sb.select([listener, read], timeout=PATIENCE).readers == [read]
        c.send(b"hello")
        assert peer.recv() == b"hello"
        assert listener.fileno() > 2
        assert unused.fileno() > 2
        with pytest.raises(TimeoutError):
            listener.accept(0.01)
    with pytest.raises(ValueError, match="closed"):
        listener.accept()
    with pytest.raises(ValueError, match="closed"):
        sb.select([listener])
    with pytest.raises(TypeError, match="object cannot be waited for"):
        sb.select([object()])  # type: ignore[type-var]
    os.close(read)
    os.close(write)
    with pytest.raises(OSError):
        sb.select([read])
    with pytest.raises(ValueError, match="a timeout is seconds"):
        sb.select([], timeout=-1)


def test_a_server_of_one_thread() -> None:
    """What a `select` loop looks like."""
    with sb.listen("127.0.0.1:0", "lines") as listener:
        done = threading.Event()

        def serve() -> None:
            clients: list[sb.Conversation] = []
            while not done.is_set():
                for one in sb.select([listener, *clients], timeout=PATIENCE).readers:
                    if isinstance(one, sb.Listener):
                        clients.append(one.accept())
                    elif isinstance(one, sb.Conversation):
                        try:
                            message = one.try_recv()
                        except sb.NotYet:
                            continue
                        if message is None:
                            clients.remove(one)
                            one.close()
                        else:
                            one.send(message.upper())

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            sb.connect(listener.endpoints[0], "lines", timeout=PATIENCE) as a,
            sb.connect(listener.endpoints[0], "lines", timeout=PATIENCE) as b,
        ):
            assert a.request(b"one") == b"ONE"
            assert b.request(b"two") == b"TWO"
            done.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_whoever_connects_one_after_the_other() -> None:
    with sb.listen("127.0.0.1:0", "lines", max=4) as listener:
        c = sb.connect(listener.endpoints[0], "lines", timeout=PATIENCE)
        c.send_many([b"four", b"fives"])
        for peer in listener:
            assert peer.recv() == b"four"
            with pytest.raises(sb.Oversize):
                peer.recv()
            break


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("call", ["select", "recv"])
def test_closing_wakes_who_waits(how: str, call: str) -> None:
    """Over TCP, a path, a pipe; of a listener too, where there is nothing to abort."""
    over_tcp, peer = with_socket()
    over_path, other = two()
    reader, writer = os.pipe()
    over_pipe = sb.wrap(os.fdopen(reader, "rb", buffering=0), "u32be", timeout=PATIENCE)

    def wait(one: sb.Conversation | sb.Listener) -> Callable[[], None]:
        def waits() -> None:
            started.append(threading.get_native_id())
            with pytest.raises(sb.Misused, match="is closed"):
                if call == "select":
                    ready = sb.select([one], timeout=PATIENCE)
                    assert ready == ([one], [], [])
                one.accept() if isinstance(one, sb.Listener) else one.recv()

        return waits

    with ExitStack() as stack:
        listener = stack.enter_context(sb.listen("127.0.0.1:0", "lines"))
        started: list[int] = []
        ones: list[sb.Conversation | sb.Listener] = [over_tcp, over_path, over_pipe, listener]
        for one in ones:
            stack.enter_context(in_thread(wait(one)))
        while len(started) < len(ones) or not all(map(polls, started)):
            pass
        for one in ones:
            # Those whose peers stay wait for them, at the same time.
            end = one.close if how == "close" or isinstance(one, sb.Listener) else one.abort
            stack.enter_context(in_thread(end))
    os.close(writer)
    peer.close()
    other.abort()


def test_one_that_is_closed_already() -> None:
    a, b = two()
    a.abort()
    with pytest.raises(sb.Misused, match="the conversation is closed"):
        sb.select([b, a], timeout=0)
    b.abort()


def test_what_is_ready_has_the_types_of_what_was_given() -> None:
    a, b = two()
    assert assert_type(sb.select([a, b], [a], timeout=0), sb.Ready[sb.Conversation]).writers == [a]
    number = a.fileno()
    assert_type(sb.select([number], timeout=0).readers, list[int])
    both: list[sb.Conversation | sb.Listener] = [a]
    assert_type(sb.select(both, timeout=0).readers, list[sb.Conversation | sb.Listener])
    with sb.listen("127.0.0.1:0", "lines") as listener:
        # Of several kinds they are told apart by `isinstance`.
        ready = sb.select([listener, a], [], [], timeout=0)
        assert ready == ([], [], [])


@pytest.mark.parametrize("call", ["sb.select([listener])", "listener.accept()", "next(listener)"])
def test_ctrl_c_ends_it(call: str) -> None:
    program = f"""
import switchboard as sb
listener = sb.listen("127.0.0.1:0", "lines")
try:
    print("ready", flush=True)
    {call}
except KeyboardInterrupt:
    print("interrupted")
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        while not sleeps(child.pid):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.wait(PATIENCE) == 0
        assert child.stdout.read() == "interrupted\n"
