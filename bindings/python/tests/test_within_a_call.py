"""Calls of a signal's handler in the middle of a call: none waits for itself, none loses."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import switchboard as sb
from helpers import PATIENCE, in_thread, two
from test_tls import Pair, pair, wrapped

__all__ = ["pair"]  # A fixture, found by its name.


@contextmanager
def on_alarm(handler: Callable[[], None], every: float) -> Iterator[None]:
    """Has a handler run every so many seconds."""
    before = signal.signal(signal.SIGALRM, lambda number, frame: handler())
    signal.setitimer(signal.ITIMER_REAL, every, every)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_handler_sends_while_its_thread_receives() -> None:
    a, b = two()
    with in_thread(lambda: b.send(b"re: " + (b.recv() or b""))):
        sent: list[bool] = []

        def handler() -> None:
            if not sent:
                sent.append(True)
                a.send(b"from the handler")

        with on_alarm(handler, 0.02):
            assert a.recv() == b"re: from the handler"


def test_a_handler_does_not_wait_for_the_call_it_came_into() -> None:
    a, b = two(timeout=None)
    told: list[str] = []

    def handler() -> None:
        for call in (a.recv, a.recv_many, a.recv_view, lambda: a.request(b"x")):
            with pytest.raises(sb.Misused, match="in the middle of such a call") as error:
                call()
            told.append(str(error.value))
        with pytest.raises(sb.NotYet):
            a.try_recv()
        b.send(b"enough")

    with on_alarm(handler, 0.02):
        assert a.recv() == b"enough"
    assert len(told) >= 4

    # Sending: the peer takes nothing until the handler has been refused.
    refused = threading.Event()

    def sends() -> None:
        try:
            a.send(b"y")
        except sb.Misused as error:
            assert "in the middle of such a call" in str(error)
            refused.set()

    def take() -> None:
        assert refused.wait(PATIENCE)
        while (message := b.recv()) is not None and len(message) < 10_000_000:
            pass

    with in_thread(take), on_alarm(sends, 0.02):
        a.send(b"x" * 10_000_000)


def test_a_handler_uses_another_conversation() -> None:
    a, b = two()
    c, d = two()
    d.send_many([b"reply", b"more"])

    def handler() -> None:
        if c.ending is None and d.ending is None:
            assert c.request(b"?") == b"reply"
            assert c.recv() == b"more"
            c.abort()
            d.abort()
            b.send(b"enough")

    with on_alarm(handler, 0.02):
        assert a.recv() == b"enough"


def test_what_moves_bytes_for_a_conversation_does_not_wait_for_it(pair: Pair) -> None:
    """Python that runs in the middle of it: a socket of the program's own, or what is collected."""
    ours, theirs = pair()
    told: list[str] = []
    receives = ours.recv

    def curious(*arguments: int) -> bytes:
        calls = (lambda: a.closed, a.abort, a.close, a.recv, lambda: a.send(b"x"), a.try_recv)
        for call in calls:
            with pytest.raises(sb.Misused, match="in the middle of such a call") as error:
                call()
            told.append(str(error.value))
        return receives(*arguments)

    ours.recv = curious  # type: ignore[assignment]
    a = sb.wrap(ours, "lines", timeout=PATIENCE)
    b = sb.wrap(theirs, "lines", timeout=PATIENCE)
    b.send(b"hello")
    assert a.recv() == b"hello"
    with in_thread(lambda: b.send(b"in a thread")):
        assert a.recv() == b"in a thread"
    assert told
    b.abort()
    a.abort()


def test_a_handler_closes_what_its_thread_receives_from() -> None:
    a, b = two()
    b.finish()
    assert a.recv() is None
    c, d = two()
    with on_alarm(c.abort, 0.02), pytest.raises(ValueError, match="closed"):
        c.recv()
    assert c.closed
    d.close()


class Mine(Exception):
    pass


def test_what_tls_has_received_is_not_lost_to_a_handler_that_raises(pair: Pair) -> None:
    a, b = wrapped(pair)
    sent = [b"%d" % number * (number % 50) for number in range(20_000)]
    raised, armed = 0, False

    def handler() -> None:
        nonlocal armed
        if armed:
            armed = False
            raise Mine

    def send() -> None:
        for at in range(0, len(sent), 100):
            b.send_many(sent[at : at + 100])
        b.finish()

    received: list[bytes] = []
    with in_thread(send), on_alarm(handler, 0.002):
        while a.ending is None:
            try:
                armed = True
                # Between two lines of Python, a handler could lose what a call has given.
                received.extend(a)
                armed = False
            except Mine:
                raised += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert b"".join(received) == b"".join(sent)
    assert a.ending == "finished"
    assert raised > 0


def test_a_handler_uses_the_tls_that_its_thread_receives_from(pair: Pair) -> None:
    a, b = wrapped(pair)
    heard = 0

    def handler() -> None:
        nonlocal heard
        a.send(b"from the handler")
        heard += 1
        assert a.remote is None and not a.closed

    def send() -> None:
        for _ in range(200):
            b.send_many([b"x" * 50] * 50)
        b.finish()

    def read() -> None:
        for _ in b:
            pass

    with in_thread(send), in_thread(read):
        with on_alarm(handler, 0.002):
            assert sum(1 for _ in a) == 10_000
        a.finish()
    assert heard > 0
