"""Numbers: seconds and sizes. Every call takes the same ones, blocking and on asyncio, and says the
same of the others."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import handlers
import switchboard as sb
import switchboard.aio as sba
from switchboard import _native
from helpers import PATIENCE, two
from test_aio import shout

HERE = "127.0.0.1:0"

#: What is no time, and how that is said.
WRONG: list[tuple[Any, type[Exception], str]] = [
    (-1, ValueError, "a timeout is seconds from 0 on, or None for ever, not -1"),
    (-math.inf, ValueError, "a timeout is seconds from 0 on, or None for ever, not -inf"),
    (math.nan, ValueError, "a timeout is seconds from 0 on, or None for ever, not NaN"),
    ("5", TypeError, "a timeout is a number of seconds, or None for ever, not '5'"),
]

#: What is for ever.
LONG = (1e300, math.inf, None)


def refuses(call: Callable[[Any], object]) -> None:
    for wrong, error, text in WRONG:
        with pytest.raises(error, match=text):
            call(wrong)


async def refuses_too(call: Callable[[Any], Awaitable[object]]) -> None:
    for wrong, error, text in WRONG:
        with pytest.raises(error, match=text):
            await call(wrong)


def test_seconds() -> None:
    a, b = two()
    with sb.listen(HERE, "lines") as listener:
        endpoint = listener.endpoints[0]
        refuses(lambda time: sb.select([a], timeout=time))
        refuses(lambda time: listener.accept(time))
        refuses(lambda time: a.set_timeout(time))
        refuses(lambda time: sb.connect(endpoint, "lines", timeout=time))
        refuses(lambda time: sb.listen(HERE, "lines", timeout=time))
        refuses(lambda time: sb.start(HERE, bytes.upper, "lines", timeout=time))
        refuses(lambda time: sb.start(HERE, bytes.upper, "lines", stop_within=time))
        assert listener.try_accept() is None, "nobody has connected"
        for time in LONG:
            c = sb.connect(endpoint, "lines", timeout=time)
            with c, listener.accept(time) as peer:
                peer.finish()
                assert sb.select([c], timeout=time).readers == [c]
    a.abort()
    b.abort()


def test_a_timeout_is_that_of_every_wait() -> None:
    """As a session has them, which goes by the clock of who asks it."""

    def session(timeout: Any) -> _native.Session:
        return _native.Session("lines", "client", None, timeout, "the peer")

    waits = session(...)
    assert (round(waits.patience() or 0), waits.stall) == (300, 60)
    waits = session(None)
    assert (waits.patience(), waits.stall) == (None, None)
    waits = session(7)
    assert (round(waits.patience() or 0), waits.stall) == (7, 7)
    waits.feed(b"half a message", 4)
    assert round(waits.patience() or 0) == 7


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_seconds_of_a_stop(start_method: Any) -> None:
    dispatch: Any = "threads" if start_method == "fork" else "processes"
    server = sb.start(HERE, handlers.who, "lines", dispatch=dispatch, start_method=start_method)
    refuses(lambda time: server.stop(time))
    with sb.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
        assert c.request(b"it serves").endswith(b"it serves")
    server.stop(math.inf)


def test_seconds_on_asyncio() -> None:
    async def test() -> None:
        async with sba.start(HERE, shout, "lines", stop_within=math.inf) as server:
            endpoint = server.endpoints[0]
            await refuses_too(lambda time: server.stop(time))
            await refuses_too(lambda time: sba.connect(endpoint, "lines", timeout=time))
            await refuses_too(lambda time: sba.start(HERE, shout, "lines", timeout=time))
            await refuses_too(lambda time: sba.start(HERE, shout, "lines", stop_within=time))
            for time in LONG:
                async with sba.connect(endpoint, "lines", timeout=time) as c:
                    assert await c.request(b"it serves") == b"IT SERVES"
            await server.stop(1e300)

    asyncio.run(test())


def test_how_many_messages() -> None:
    wrong: list[tuple[Any, type[Exception], str]] = [
        (0, ValueError, "max is 0: give at least 1, or leave it out"),
        (-1, ValueError, r"max is 1 to 2\*\*64 - 1, or None, not -1"),
        (1.5, TypeError, "max is a whole number, or None, not 1.5"),
    ]
    a, b = two()

    async def test() -> None:
        async with (
            sba.start(HERE, shout, "u32be") as server,
            sba.connect(server.endpoints[0], "u32be", timeout=PATIENCE) as c,
        ):
            for max, error, text in wrong:
                with pytest.raises(error, match=text):
                    await c.recv_many(max)
                with pytest.raises(error, match=text):
                    b.recv_many(max)
            await c.send_many([b"one", b"two"])
            a.send_many([b"ONE", b"TWO"])
            for message in (b"ONE", b"TWO"):
                assert await c.recv_many(1) == b.recv_many(1) == [message]
            await c.send(b"three")
            a.send(b"THREE")
            assert await c.recv_many(2**64 - 1) == b.recv_many(2**64 - 1) == [b"THREE"]

    asyncio.run(test())
    a.abort()
    b.abort()


def test_what_a_handler_is_given_is_one_of_two() -> None:
    text = 'per is "message" or "conversation"'
    per: Any = "line"
    with pytest.raises(ValueError, match=text):
        sb.start(HERE, bytes.upper, "lines", per=per)

    async def test() -> None:
        with pytest.raises(ValueError, match=text):
            await sba.start(HERE, shout, "lines", per=per)

    asyncio.run(test())
