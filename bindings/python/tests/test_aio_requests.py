"""asyncio: requests of several tasks, and replies that come late."""

from __future__ import annotations

import asyncio
import socket

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE
from test_aio import Run, run, shout

__all__ = ["run"]  # A fixture, found by its name.


async def with_peer(timeout: float = PATIENCE) -> tuple[sba.Conversation, socket.socket]:
    """A conversation, and the bare socket at its other side."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        c = await sba.connect(listener.getsockname(), "lines", timeout=timeout)
        peer, _ = listener.accept()
        peer.setblocking(False)
        return c, peer


async def heard(peer: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 1000), PATIENCE)


async def slow_shout(message: bytes) -> bytes | None:
    await asyncio.sleep(0.0001)
    return await shout(message)


def test_each_of_many_requests_has_its_own_reply(run: Run) -> None:
    async def test() -> None:
        async with sba.start("127.0.0.1:0", slow_shout, "lines") as server:
            async with sba.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
                asked = [b"x%d" % i for i in range(200)]
                replies = await asyncio.gather(*map(c.request, asked))
                assert replies == [one.upper() for one in asked]

    run(test())


def test_who_receives_meanwhile_has_no_reply_of_a_request(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer()
        receiving = asyncio.create_task(c.recv())
        await asyncio.sleep(0)
        requesting = asyncio.create_task(c.request(b"?"))
        assert await heard(peer) == b"?\n"
        peer.sendall(b"reply\nmore\n")
        assert await requesting == b"reply"
        assert await receiving == b"more"
        peer.close()
        await c.close()

    run(test())


def test_one_that_is_cancelled_before_its_turn_has_asked_nothing(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer()
        tasks = [asyncio.create_task(c.request(one)) for one in (b"1", b"2", b"3")]
        assert await heard(peer) == b"1\n"
        tasks[1].cancel()
        peer.sendall(b"one\n")
        assert await heard(peer) == b"3\n"
        peer.sendall(b"three\n")
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        assert (replies[0], replies[2]) == (b"one", b"three")
        assert isinstance(replies[1], asyncio.CancelledError)
        peer.close()
        await c.close()

    run(test())


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
@pytest.mark.parametrize("by", ["recv", "recv_many", "iteration"])
def test_a_late_reply_is_not_that_of_another_request(run: Run, how: str, by: str) -> None:
    async def test() -> None:
        c, peer = await with_peer(timeout=PATIENCE if how == "cancelled" else 0.05)
        requesting = asyncio.create_task(c.request(b"slow"))
        waiting = asyncio.create_task(c.request(b"behind it"))
        assert await heard(peer) == b"slow\n"
        if how == "cancelled":
            requesting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await requesting
        else:
            with pytest.raises(sb.TimedOut):
                await requesting
        for request in (waiting, c.request(b"new")):
            with pytest.raises(sb.Misused, match="may still come: receive it first, or close"):
                await request
        peer.sendall(b"late\n")
        match by:
            case "recv":
                assert await c.recv() == b"late"
            case "recv_many":
                assert await c.recv_many() == [b"late"]
            case _:
                assert await anext(c) == b"late"
        requesting = asyncio.create_task(c.request(b"new"))
        assert await heard(peer) == b"new\n", "nothing else was sent"
        peer.sendall(b"its own\n")
        assert await requesting == b"its own"
        peer.close()
        await c.close()

    run(test())


def test_a_request_that_cannot_be_sent_owes_nothing(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer()
        with pytest.raises(sb.Misused):
            await c.request(b"two\nlines")
        with pytest.raises(TypeError):
            await c.request("text")  # type: ignore[arg-type]
        requesting = asyncio.create_task(c.request(b"?"))
        assert await heard(peer) == b"?\n"
        peer.close()
        for _ in range(2):
            with pytest.raises((sb.NoReply, sb.Reset)):
                await requesting
        with pytest.raises((sb.NoReply, sb.Reset)):
            await c.request(b"again")
        c.abort()

    run(test())
