"""Stopping within a time, whatever the handlers do."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import switchboard as sb
import switchboard.aio as sba
from switchboard import _native
from helpers import PATIENCE, in_thread
from test_server import EVERY, Dispatch, connect

#: So long a stop is given here; and what it may take at the very most, on a busy machine.
WITHIN, AT_MOST = 0.1, PATIENCE


@contextmanager
def stuck_handler() -> Iterator[tuple[Any, threading.Event]]:
    """A handler that does not return until this is over, and what it sets when it was called."""
    called, go = threading.Event(), threading.Event()

    def stuck(message: bytes) -> bytes:
        if message == b"ping":
            return message
        called.set()
        go.wait(AT_MOST)
        return message

    try:
        yield stuck, called
    finally:
        go.set()


def is_cut_off(c: sb.Conversation) -> bool:
    """Whether it is told that nothing more comes."""
    try:
        return c.recv() is None
    except sb.Reset:
        return True


@pytest.mark.parametrize("dispatch", ["threads", "events"])
def test_a_handler_that_never_returns_is_not_waited_for(dispatch: Dispatch) -> None:
    with stuck_handler() as (stuck, called):
        server = sb.start("127.0.0.1:0", stuck, "lines", dispatch=dispatch)
        with connect(server) as c, connect(server) as idle:
            assert idle.request(b"ping") == b"ping"
            c.send(b"x")
            assert called.wait(PATIENCE)
            began = time.monotonic()
            with pytest.warns(RuntimeWarning) as said:
                server.stop(within=WITHIN)
            assert time.monotonic() - began < AT_MOST / 2
            assert is_cut_off(c) and is_cut_off(idle)
            c.abort()
        text = str(said[0].message)
        assert "1 call of the handler" in text and "stuck" in text and "has not returned" in text
        # Where it is, for who looks for it.
        assert "threading.py" in text or "test_stop.py" in text
        assert said[0].filename == __file__
        server.stop(within=WITHIN)
        server.join()


def test_a_handler_of_a_conversation_that_never_returns() -> None:
    called, go = threading.Event(), threading.Event()

    def deaf(c: sb.Conversation) -> None:
        called.set()
        while not go.is_set():
            try:
                c.recv()
            except (sb.SwitchboardError, ValueError):
                pass

    server = sb.start("127.0.0.1:0", deaf, "lines")
    c = connect(server)
    assert called.wait(PATIENCE)
    with pytest.warns(RuntimeWarning, match="deaf"):
        server.stop(within=WITHIN)
    assert is_cut_off(c)
    go.set()


def test_what_is_done_in_time_is_not_spoken_of() -> None:
    server = sb.start("127.0.0.1:0", bytes.upper, "lines")
    with connect(server) as c, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert c.request(b"x") == b"X"
        server.stop(within=WITHIN)
        assert is_cut_off(c)
        c.abort()


def test_a_process_that_never_returns_is_killed() -> None:
    program = """
import signal, sys
import switchboard as sb
def stuck(message):
    print("called", flush=True)
    while True:
        signal.pause()
with sb.start("127.0.0.1:0", stuck, "lines", dispatch="processes") as server:
    c = sb.connect(server.endpoints[0], "lines", timeout=20)
    c.send(b"x")
    sys.stdin.readline()
    server.stop(within=0.1)
    try:
        print(c.recv())
    except sb.Reset:
        print("reset")
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None and child.stdin is not None
        assert child.stdout.readline() == "called\n"
        print(file=child.stdin, flush=True)
        assert child.stdout.readline() in ("reset\n", "None\n")
        assert child.wait(PATIENCE) == 0


def test_who_joins_is_let_go_too() -> None:
    with stuck_handler() as (stuck, called):
        server = sb.start("127.0.0.1:0", stuck, "lines")
        joiner = threading.Thread(target=server.join)
        joiner.start()
        c = connect(server)
        c.send(b"x")
        assert called.wait(PATIENCE)
        with pytest.warns(RuntimeWarning, match="stuck"):
            server.stop(within=WITHIN)
        joiner.join(PATIENCE)
        assert not joiner.is_alive()
        c.abort()


@pytest.mark.parametrize("dispatch", EVERY)
def test_a_signal_handler_may_stop_what_the_main_thread_waits_for(dispatch: Dispatch) -> None:
    program = f"""
import signal
import switchboard as sb
with sb.start("127.0.0.1:0", bytes.upper, "lines", dispatch={dispatch!r}) as server:
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    print(server.endpoints[0], flush=True)
    server.join()
    print("over", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            with sb.connect(child.stdout.readline().strip(), "lines", timeout=PATIENCE) as c:
                assert c.request(b"x") == b"X"
                child.send_signal(signal.SIGTERM)
                assert c.recv() is None
            assert child.wait(PATIENCE) == 0
        finally:
            child.kill()
        assert child.stdout.read() == "over\n"


def test_leaving_the_block_and_dropping_are_bounded_too() -> None:
    with stuck_handler() as (stuck, called):
        with pytest.warns(RuntimeWarning, match="stuck"):
            with sb.start("127.0.0.1:0", stuck, "lines", stop_within=WITHIN) as server:
                c = connect(server)
                c.send(b"x")
                assert called.wait(PATIENCE)
        assert is_cut_off(c)
    with stuck_handler() as (stuck, called):
        server = sb.start("127.0.0.1:0", stuck, "lines", stop_within=WITHIN)
        c = connect(server)
        c.send(b"x")
        assert called.wait(PATIENCE)
        with pytest.warns(RuntimeWarning, match="stuck"):
            del server
        assert is_cut_off(c)


def test_dropped_on_the_way_of_an_exception() -> None:
    def at_work() -> sb.Running | sb.Spawned:
        server = sb.start("127.0.0.1:0", stuck, "lines", stop_within=WITHIN)
        c = connect(server)
        c.send(b"x")
        assert called.wait(PATIENCE)
        c.abort()
        return server

    with stuck_handler() as (stuck, called):
        with pytest.warns(RuntimeWarning, match="stuck"), pytest.raises(KeyError, match="mine"):
            print(at_work(), dict[str, str]()["mine"])


#: A handler that never returns, while other threads run; or that takes the processor for itself.
WAITS = ["time.sleep(0.001)", "pass"]


@pytest.mark.parametrize("waits", WAITS)
@pytest.mark.parametrize("dispatch", EVERY)
def test_the_end_of_the_program_is_not_held_up(dispatch: Dispatch, waits: str) -> None:
    program = f"""
import time
import switchboard as sb
def stuck(message):
    print("called", flush=True)
    while True:
        {waits}
server = sb.start("127.0.0.1:0", stuck, "lines", dispatch={dispatch!r}, stop_within=0.1)
c = sb.connect(server.endpoints[0], "lines", timeout=20)
c.send(b"x")
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None and child.stdin and child.stderr
        assert child.stdout.readline() == "called\n"
        print(file=child.stdin, flush=True)
        try:
            code = child.wait(PATIENCE)
        finally:
            child.kill()
        told = child.stderr.read()
        assert code == 0, told
        assert ("has not returned" in told) == (dispatch != "processes"), told


def test_ctrl_c_is_not_held_up() -> None:
    endpoint = f"unix:@switchboard-test-{os.getpid()}"
    program = f"""
import time
import switchboard as sb
def stuck(message):
    print("called", flush=True)
    while True:
        time.sleep(0.001)
try:
    sb.serve({endpoint!r}, stuck, "lines", stop_within={WITHIN})
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None and child.stderr is not None
        try:
            c = reached(endpoint, child)
            c.send(b"x")
            assert child.stdout.readline() == "called\n"
            # One that comes just before a wait is heard with the next one, as everywhere.
            while child.poll() is None:
                child.send_signal(signal.SIGINT)
                if select.select([child.stdout], [], [], PATIENCE / 4)[0]:
                    break
            said = child.stdout.readline()
            assert said == "interrupted\n", (child.wait(PATIENCE), child.stderr.read())
            assert child.wait(PATIENCE) == 0
            assert is_cut_off(c)
        finally:
            child.kill()
        assert "has not returned" in child.stderr.read()


def test_a_stop_can_be_interrupted() -> None:
    class Enough(Exception):
        pass

    heard = threading.Event()

    def enough(*_: object) -> None:
        if not heard.is_set():
            heard.set()
            raise Enough

    def interrupt() -> None:
        while not heard.wait(0.01):
            signal.pthread_kill(main, signal.SIGUSR1)

    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, enough)
    try:
        with stuck_handler() as (stuck, called):
            server = sb.start("127.0.0.1:0", stuck, "lines")
            c = connect(server)
            c.send(b"x")
            assert called.wait(PATIENCE)
            thread = threading.Thread(target=interrupt)
            with pytest.raises(Enough):
                thread.start()
                server.stop(within=None)
            thread.join(PATIENCE)
            # It is given up: nobody waits for it any longer.
            server.stop(within=None)
            server.join()
            c.abort()
    finally:
        signal.signal(signal.SIGUSR1, before)


def reached(endpoint: str, server: "subprocess.Popen[str]") -> sb.Conversation:
    """A conversation with a server that is just being started."""
    while server.poll() is None:
        try:
            return sb.connect(endpoint, "lines", timeout=PATIENCE)
        except sb.Refused:
            pass
    raise AssertionError("the server has ended")


def test_a_task_that_will_not_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard._aio_server.CANCEL_WITHIN", WITHIN)
    called, go = asyncio.Event(), asyncio.Event()

    async def stubborn(message: bytes) -> bytes:
        called.set()
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                pass
        return message

    async def main() -> None:
        server = await sba.start("127.0.0.1:0", stubborn, "lines")
        c = await sba.connect(server.endpoints[0], "lines", timeout=PATIENCE)
        try:
            await c.send(b"x")
            await asyncio.wait_for(called.wait(), PATIENCE)
            with pytest.warns(RuntimeWarning, match="stubborn .* at .*test_stop.py") as said:
                async with asyncio.timeout(AT_MOST):
                    await server.stop(within=WITHIN)
            assert said[0].filename == __file__
            with pytest.raises(sb.Reset):
                await c.recv()
        finally:
            c.abort()
            go.set()

    asyncio.run(main())


@pytest.mark.parametrize("dispatch", ["threads", "events"])
def test_who_takes_nothing_is_cut_off(dispatch: Dispatch) -> None:
    answer, called = b"x" * 30_000_000, threading.Event()

    def handler(message: bytes) -> bytes:
        called.set()
        return answer

    server = sb.start("127.0.0.1:0", handler, "u32be", dispatch=dispatch, max=len(answer))
    with sb.connect(server.endpoints[0], "u32be", timeout=PATIENCE, max=len(answer)) as c:
        c.send(b"much, please")
        assert called.wait(PATIENCE)
        # As much of the answer comes as the system holds; the rest is not waited for.
        server.stop(within=WITHIN)
        with pytest.raises((sb.Truncated, sb.Reset)):
            c.recv()


def test_what_an_async_def_has_no_use_for() -> None:
    async def handler(message: bytes) -> bytes:
        return message

    with pytest.raises(TypeError, match="switchboard.aio with ssl="):
        sb.serve("tls://127.0.0.1:0", handler, "lines", tls=sb.Tls(cert="none"))


@pytest.mark.parametrize("raises", [False, True])
def test_who_was_cut_off_is_given_no_more(monkeypatch: pytest.MonkeyPatch, raises: bool) -> None:
    shown: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    heard: list[bytes] = []
    entered, go = threading.Event(), threading.Event()

    def handler(message: bytes) -> None:
        heard.append(message)
        entered.set()
        assert go.wait(PATIENCE)
        if raises:
            raise KeyError("nobody hears this any more")

    server = sb.start("127.0.0.1:0", handler, "lines")
    with sb.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
        c.send_many([b"one", b"two"])
        assert entered.wait(PATIENCE)
        with pytest.warns(RuntimeWarning, match="handler"):
            server.stop(0)
        go.set()
        while _native.stuck_threads():
            pass
        c.abort()
    assert (heard, shown) == ([b"one"], [])


def test_who_waits_when_a_server_stops_has_ended_well() -> None:
    waits = threading.Event()

    def handler(c: sb.Conversation) -> None:
        waits.set()
        c.recv()

    server = sb.start("127.0.0.1:0", handler, "lines")
    with sb.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
        assert waits.wait(PATIENCE)
        with in_thread(server.stop):
            assert c.recv() is None
    assert server.stats["failed"] == 0
