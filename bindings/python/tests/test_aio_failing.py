"""asyncio: what a peer is told by a handler that fails, a block left by an exception, a stop."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE, reset
from test_aio import Run, run
from test_aio_requests import heard, with_peer

__all__ = ["run"]  # A fixture, found by its name.

BIG = b"x" * 3_000_000


async def raises(message: bytes) -> bytes:
    if message == b"5":
        raise KeyError("mine")
    return BIG + message


async def unsendable(message: bytes) -> Any:
    return "text" if message == b"5" else BIG + message


def plain(message: bytes) -> bytes:
    if message == b"5":
        raise KeyError("mine")
    return BIG + message


async def converses(c: sba.Conversation) -> None:
    async for message in c:
        await c.send(await raises(message))


def told_here() -> list[dict[str, Any]]:
    """What the loop is told from here on."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, one: told.append(one))
    return told


@pytest.mark.parametrize("handler", [raises, unsendable, plain, converses])
def test_what_was_answered_is_delivered_and_then_a_reset(run: Run, handler: Any) -> None:
    async def test() -> None:
        told = told_here()
        async with sba.start("127.0.0.1:0", handler, "u32be") as server:
            async with sba.connect(server.endpoints[0], "u32be", timeout=PATIENCE) as c:
                await c.send_many([b"%d" % i for i in range(10)])
                await c.finish()
                received = []
                with pytest.raises(sb.Reset):
                    async for message in c:
                        received.append(message)
                assert [one[len(BIG) :] for one in received] == [b"%d" % i for i in range(5)]
            ours = c.local
        assert ours is None
        assert len(told) == 1
        name = handler.__name__
        at = "in the conversation with" if handler is converses else "at message 6 of"
        text = f"the handler {name} failed, {at} tcp://127.0.0.1:"
        assert told[0]["message"].startswith(text), told[0]["message"]

    run(test())


def test_an_answer_that_is_too_large_is_told(run: Run) -> None:
    async def large(message: bytes) -> bytes:
        return message * 100

    async def test() -> None:
        told = told_here()
        async with sba.start("127.0.0.1:0", large, "lines", max=50) as server:
            async with sba.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
                await c.send(b"1")
                with pytest.raises(sb.Reset):
                    await c.recv()
        assert [type(one["exception"]) for one in told] == [sb.Misused]

    run(test())


def test_whoever_was_reset_leaves_quietly(run: Run) -> None:
    async def test() -> None:
        told_here()
        async with sba.start("127.0.0.1:0", plain, "u32be") as server:
            async with sba.connect(server.endpoints[0], "u32be", timeout=PATIENCE) as c:
                with pytest.raises(sb.Reset):
                    await c.request(b"5")
                # Until the loop knows it too.
                while not c._link.closed.done():
                    await asyncio.sleep(0)
                await c.finish()

    run(test())


def test_over_a_path_it_is_an_end(run: Run, tmp_path: Any) -> None:
    async def test() -> None:
        told = told_here()
        async with sba.start(f"unix:{tmp_path}/socket", raises, "u32be") as server:
            async with sba.connect(server.endpoints[0], "u32be", timeout=PATIENCE) as c:
                await c.send_many([b"1", b"5"])
                assert [len(one) async for one in c] == [len(BIG) + 1]
        assert [type(one["exception"]) for one in told] == [KeyError]

    run(test())


def test_a_peer_that_takes_nothing_is_not_waited_for(run: Run) -> None:
    async def test() -> None:
        told = told_here()
        server = await sba.start("127.0.0.1:0", raises, "lines")
        host, port = server.endpoints[0].removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port))) as peer:
            peer.settimeout(PATIENCE)
            peer.sendall(b"1\n2\n3\n4\n5\n")
            # Two seconds, and it is broken off.
            async with asyncio.timeout(PATIENCE):
                while server._links or server._tasks or not told:
                    await asyncio.sleep(0.01)
        await server.stop()

    run(test())


def test_who_is_cancelled_by_a_stop_has_not_said_all(run: Run) -> None:
    async def test() -> None:
        started = asyncio.Event()

        async def handler(message: bytes) -> bytes:
            if message == b"slow":
                started.set()
                await asyncio.sleep(PATIENCE)
            return message

        server = await sba.start("127.0.0.1:0", handler, "lines")
        idle = await sba.connect(server.endpoints[0], "lines", timeout=PATIENCE)
        assert await idle.request(b"x") == b"x"
        busy = await sba.connect(server.endpoints[0], "lines", timeout=PATIENCE)
        await busy.send_many([b"quick", b"slow"])
        await started.wait()
        await server.stop(within=0.05)
        assert await idle.recv() is None, "it had all its answers"
        assert await busy.recv() == b"quick"
        with pytest.raises(sb.Reset):
            await busy.recv()
        await idle.close()
        busy.abort()

    run(test())


@pytest.mark.parametrize("error", [KeyError, asyncio.CancelledError, sb.TimedOut])
def test_a_block_left_by_an_accident_is_no_end(run: Run, error: type[BaseException]) -> None:
    async def test() -> None:
        c, peer = await with_peer()
        with pytest.raises(error):
            async with c:
                await c.send(b"half of it")
                assert await heard(peer) == b"half of it\n"
                raise error("in the middle")
        with pytest.raises(ConnectionResetError):
            await heard(peer)
        assert (c.remote, c.local) == (None, None)
        peer.close()

    run(test())


def test_the_end_of_a_program_or_of_a_generator_is_one(run: Run) -> None:
    async def leaves(c: sba.Conversation, how: Callable[[], Any]) -> None:
        async with c:
            await c.send(b"all of it")
            how()

    def ends() -> None:
        raise GeneratorExit

    async def test() -> None:
        for how in (sys.exit, ends):
            c, peer = await with_peer()
            peer.shutdown(socket.SHUT_WR)
            with pytest.raises((SystemExit, GeneratorExit)):
                await leaves(c, how)
            assert (await heard(peer), await heard(peer)) == (b"all of it\n", b"")
            peer.close()

    run(test())


def test_a_send_that_timed_out_is_not_told_again(run: Run) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        c, peer = await with_peer(timeout=0.3)
        with peer:
            async with c:
                with pytest.raises(sb.TimedOut):
                    await c.send(bytes(10_000_000))
                left = loop.time()
            assert loop.time() - left < 0.2, "it waits no second time"

    run(test())


def test_who_sends_behind_a_reset_is_told_of_whom(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer()
        remote = c.remote
        reset(peer)
        with pytest.raises(sb.Reset):
            await c.recv()
        with pytest.raises(sb.Reset, match=f"cannot send to {remote}: ") as told:
            await c.send(b"x")
        assert (told.value.ending, told.value.endpoint) == ("reset", remote)
        assert told.value.errno == errno.ECONNRESET
        c.abort()

    run(test())
