"""asyncio: what is written for who takes nothing, who waits how long, what is left behind."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE
from switchboard import _native
from switchboard._aio_link import endpoint
from switchboard._aio_refusal import refusal
from switchboard._aio_waiting import Waiting
from switchboard._handlers import wants
from test_aio import Run, run, shout
from test_aio_requests import heard, with_peer
from test_connecting import deaf

__all__ = ["deaf", "run"]  # Fixtures, found by their names.


def test_many_messages_wait_for_who_takes_nothing(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer(timeout=0.2)
        with pytest.raises(sb.TimedOut, match="waiting to send to"):
            for _ in range(50):
                await c.send_many([b"x" * 1_000_000])
        c.abort()
        peer.close()

    run(test())


def test_who_is_left_and_takes_nothing_is_broken_off(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer(timeout=0.1)
        c._link.queue(b"x" * 16_000_000)
        c._leave()
        await asyncio.wait_for(asyncio.shield(c._link.closed), PATIENCE)
        peer.close()

    run(test())


def test_nothing_more_is_answered_while_answers_wait(run: Run) -> None:
    asked = 3 * _native.MESSAGES_PER_TURN
    answered = 0

    async def handler(message: bytes) -> bytes:
        nonlocal answered
        answered += 1
        return b"x" * 20_000

    async def test() -> None:
        async with sba.start("127.0.0.1:0", handler, "lines", timeout=0.3) as server:
            host, port = server.endpoints[0].removeprefix("tcp://").split(":")
            with socket.create_connection((host, int(port))) as client:
                client.sendall(b"?\n" * asked)
                while answered == 0 or server._tasks:
                    await asyncio.sleep(0.01)
        assert answered < asked

    run(test())


def test_another_framing_with_another_limit(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer()
        c.set_framing("netstring", max=4)
        peer.sendall(b"4:four,5:fives,")
        assert await c.recv() == b"four"
        with pytest.raises(sb.Oversize):
            await c.recv()
        c.abort()
        peer.close()

    run(test())


def test_a_block_of_a_connect_that_is_left_by_an_accident(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with pytest.raises(KeyError):
                async with sba.connect(listener.getsockname(), "lines", timeout=PATIENCE):
                    peer, _ = listener.accept()
                    raise KeyError("in the middle")
        peer.setblocking(False)
        with pytest.raises(ConnectionResetError):
            await heard(peer)
        peer.close()

    run(test())


def test_connecting_takes_no_longer_than_it_may(
    run: Run, deaf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sba, "CONNECT_TIMEOUT", None)

    async def test() -> None:
        with pytest.raises(sb.TimedOut):
            await sba.connect(("127.0.0.1", deaf), "lines", timeout=0.05)

    run(test())


def test_a_path_goes_with_its_server(run: Run, tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "socket"
        server = await sba.start(path, shout, "lines")
        async with sba.connect(path, "lines", timeout=PATIENCE) as c:
            assert await c.request(b"x") == b"X"
        assert path.exists()
        await server.stop()
        assert not path.exists()

    run(test())


def test_each_waits_for_its_own_time(run: Run) -> None:
    async def test() -> None:
        waiting = Waiting(asyncio.get_running_loop())
        times = (0.03, 0.01, 0.02)
        ended = await asyncio.gather(*map(waiting.wait, times))
        assert ended == [False, False, False]
        long = asyncio.create_task(waiting.wait(100))
        await asyncio.sleep(0)
        waiting.wake()
        assert await long
        assert waiting._timer is not None, "it is left for the next one"
        waiting.close()
        assert waiting._timer is None

    run(test())


def test_what_a_resolver_says_is_kept() -> None:
    said = refusal("tcp://x:1", "x", 1, socket.gaierror(socket.EAI_FAIL, "it fails"))
    assert isinstance(said, sb.Unresolved)
    assert (said.errno, said.strerror) == (socket.EAI_FAIL, "it fails")


def test_what_a_conversation_is_called() -> None:
    def one(c: Any) -> None: ...
    def two(conv): ...  # type: ignore[no-untyped-def]
    def three(conversation): ...  # type: ignore[no-untyped-def]
    def four(message): ...  # type: ignore[no-untyped-def]
    def five(x: sb.Conversation) -> None: ...
    def six(conv: bytes) -> None: ...

    kinds = [wants(handler) for handler in (two, three, four, five, six)]
    assert kinds == ["conversation", "conversation", "message", "conversation", "message"]
    assert wants(one) == "message", "an annotation says more than a name"


def test_addresses_of_a_loop_are_endpoints() -> None:
    assert endpoint(("::1", 80, 0, 0)) == "tcp://[::1]:80"
    assert endpoint(("127.0.0.1", 80)) == "tcp://127.0.0.1:80"
    assert endpoint("/a/path") == endpoint(b"/a/path") == "unix:/a/path"
    assert endpoint("\0abstract") == "unix:@abstract"
    assert endpoint("") is endpoint(None) is None


def test_a_loss_is_told_as_the_system_says_it(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer()
        c._link.connection_lost(OSError(errno.ETIMEDOUT, "what probes come to"))
        with pytest.raises(sb.PeerDead):
            await c.recv()
        c.abort()
        peer.close()

    run(test())
