"""asyncio: the same conversations, awaited; on asyncio's own loop, and on uvloop's."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE, cannot

Run = Callable[[Coroutine[Any, Any, None]], None]


#: Which loop: uvloop's has threads that stay, and other tests here fork, so it has a process of its
#: own; see the last test.
LOOP = os.environ.get("SWITCHBOARD_LOOP", "asyncio")


@pytest.fixture
def run() -> Run:
    """Runs a test on a loop, in bounded time, with nothing that the loop complains about."""

    async def bounded(test: Coroutine[Any, Any, None]) -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, one: told.append(one))
        async with asyncio.timeout(2 * PATIENCE):
            await test
        assert told == []

    def runs(test: Coroutine[Any, Any, None]) -> None:
        factory = None
        if LOOP == "uvloop":
            import uvloop

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(bounded(test))

    return runs


async def shout(message: bytes) -> bytes | None:
    return message.upper() if message else None


async def number(c: sba.Conversation) -> None:
    at = 0
    async for message in c:
        await c.send(b"%d %s" % (at, message))
        at += 1


def test_breaking_off_resets_the_peer(run: Run) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            c = await sba.connect(listener.getsockname(), "lines", timeout=PATIENCE)
            peer, _ = listener.accept()
            with peer:
                peer.setblocking(False)
                c.abort()
                with pytest.raises(ConnectionResetError):
                    await asyncio.wait_for(loop.sock_recv(peer, 1), PATIENCE)

    run(test())



def test_messages_and_an_end(run: Run) -> None:
    async def test() -> None:
        async with sba.start("127.0.0.1:0", shout, "lines") as server:
            async with sba.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
                assert await c.request(b"hello") == b"HELLO"
                await c.send_many([b"one", b"", bytearray(b"two")])
                await c.finish()
                assert [message async for message in c] == [b"ONE", b"TWO"]
                assert await c.recv() is None
                assert c.ending == "finished"
                with pytest.raises(sb.Misused):
                    await c.send(b"x")
            with pytest.raises(ValueError, match="closed"):
                await c.recv()

    run(test())


def test_a_handler_of_a_conversation_and_a_blocking_client(run: Run) -> None:
    def ask(endpoint: str) -> list[bytes]:
        with sb.connect(endpoint, "u32be", timeout=PATIENCE) as c:
            c.send_many([b"x", b"y"])
            c.finish()
            return list(c)

    async def test() -> None:
        async with sba.start("127.0.0.1:0", number, "u32be") as server:
            answers = await asyncio.to_thread(ask, server.endpoints[0])
            assert answers == [b"0 x", b"1 y"]

    run(test())


def test_a_client_of_a_blocking_server(run: Run) -> None:
    async def test(endpoint: str) -> None:
        c = await sba.connect(endpoint, "u32be", timeout=PATIENCE)
        big = b"x" * 2_000_000
        await c.send_many([big, b"small"])
        await c.finish()
        received: list[bytes] = []
        while batch := await c.recv_many():
            received += batch
        assert received == [big, b"small"]
        await c.close()
        await c.close()

    with sb.start("127.0.0.1:0", lambda message: message, "u32be") as server:
        run(test(server.endpoints[0]))


def test_a_peer_that_takes_nothing_stops_the_sender(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            c = await sba.connect("127.0.0.1:%d" % listener.getsockname()[1], "u32be", timeout=0.2)
            peer, _ = listener.accept()
            sent = 0
            with pytest.raises(sb.TimedOut, match="waiting to send"):
                for _ in range(10_000):
                    await c.send(b"x" * 100_000)
                    sent += 1
            assert 0 < sent < 1_000
            c.abort()
            peer.close()

    run(test())


def test_a_sender_stops_whose_messages_nobody_receives(run: Run) -> None:
    async def test() -> None:
        go = asyncio.Event()
        seen = 0

        async def handler(c: sba.Conversation) -> None:
            nonlocal seen
            await go.wait()
            async for _ in c:
                seen += 1

        async with sba.start("127.0.0.1:0", handler, "u32be", timeout=PATIENCE) as server:
            async with sba.connect(server.endpoints[0], "u32be", timeout=PATIENCE) as c:

                async def send() -> None:
                    for _ in range(300):
                        await c.send(b"x" * 100_000)

                sending = asyncio.create_task(send())
                done, _ = await asyncio.wait([sending], timeout=0.2)
                assert not done, "30 MB have gone to somebody who receives nothing"
                go.set()
                await sending
        assert seen == 300

    run(test())


def test_endings(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = "127.0.0.1:%d" % listener.getsockname()[1]

            async def ends(sent: bytes, reset: bool = False) -> sba.Conversation:
                c = await sba.connect(endpoint, "netstring", timeout=PATIENCE)
                peer, _ = listener.accept()
                peer.sendall(sent)
                if reset:
                    linger = (1).to_bytes(4, sys.byteorder) + bytes(4)
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                peer.close()
                return c

            c = await ends(b"1:a,5:he")
            assert await c.recv() == b"a"
            for _ in range(2):
                with pytest.raises(sb.Truncated, match="message 2") as truncated:
                    await c.recv()
                assert truncated.value.partial == b"5:he"
            assert c.ending == "truncated"
            c = await ends(b"1:a,x")
            assert await c.recv_many() == [b"a"]
            with pytest.raises(sb.BadFrame) as bad:
                await c.recv()
            assert bad.value.ending == "bad-prefix"
            c = await ends(b"", reset=True)
            with pytest.raises(sb.Reset):
                await c.recv()
            assert c.ending == "reset"

    run(test())


def test_a_timeout_and_a_cancellation_lose_nothing(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = "127.0.0.1:%d" % listener.getsockname()[1]
            c = await sba.connect(endpoint, "lines", timeout=0.05)
            peer, _ = listener.accept()
            peer.sendall(b"ha")
            with pytest.raises(TimeoutError, match="waiting for a message"):
                await c.recv()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await c.recv()
            peer.sendall(b"lf\n")
            assert await c.recv() == b"half"
            peer.close()
            await c.close()

    run(test())


def test_who_has_much_to_receive_lets_others_have_their_turn(run: Run) -> None:
    async def test() -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = "127.0.0.1:%d" % listener.getsockname()[1]
            c = await sba.connect(endpoint, "lines", timeout=PATIENCE)
            peer, _ = listener.accept()
            peer.sendall(b"x\n" * 5_000)
            while c._session.unread < 10_000:
                await asyncio.sleep(0)
            beside = asyncio.create_task(other())
            for _ in range(5_000):
                assert await c.recv() == b"x"
            assert 4 <= turns <= 5, "once for each 1,024"
            beside.cancel()
            peer.close()
            await c.close()

    run(test())


def test_what_is_there_is_not_given_once_it_is_closed(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = "127.0.0.1:%d" % listener.getsockname()[1]
            c = await sba.connect(endpoint, "lines", timeout=PATIENCE)
            peer, _ = listener.accept()
            peer.sendall(b"a\nb\nc\n")
            assert await c.recv() == b"a"
            await c.send(b"queued")
            c.abort()
            for call in (c.recv(), c.recv_many(), c.send(b"x"), c.send_many([b"x"]), anext(c)):
                with pytest.raises(sb.Misused, match="closed"):
                    await call
            peer.close()

    run(test())


def test_every_wait_has_its_own_time(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            endpoint = "127.0.0.1:%d" % listener.getsockname()[1]
            c = await sba.connect(endpoint, "lines", timeout=0.1)
            peer, _ = listener.accept()
            waiting = [asyncio.create_task(c.recv()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting.pop().cancel()
            peer.sendall(b"one\n")
            received = await asyncio.gather(*waiting, return_exceptions=True)
            assert b"one" in received
            assert [type(one) for one in received if one != b"one"] == [sb.TimedOut]
            peer.sendall(b"two\n")
            assert await c.recv() == b"two"
            with pytest.raises(sb.TimedOut):
                await c.recv()
            peer.close()
            await c.close()

    run(test())


def test_a_function_may_answer_with_something_to_wait_for(run: Run) -> None:
    def handler(message: bytes) -> Any:
        match message:
            case b"now":
                return b"NOW"
            case b"view":
                return memoryview(message)
            case b"nothing":
                return None
        return shout(message)

    async def test() -> None:
        async with sba.start("127.0.0.1:0", handler, "lines") as server:
            async with sba.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
                await c.send_many([b"now", b"nothing", b"later", b"view"])
                await c.finish()
                assert [one async for one in c] == [b"NOW", b"LATER", b"view"]

    run(test())


def test_a_handler_that_raises_ends_its_own_conversation(run: Run) -> None:
    async def handler(message: bytes) -> bytes:
        if message == b"bad":
            raise KeyError("mine")
        return message

    async def test() -> None:
        told: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, one: told.append(one))
        async with sba.start("127.0.0.1:0", handler, "lines") as server:
            other = await sba.connect(server.endpoints[0], "lines", timeout=PATIENCE)
            c = await sba.connect(server.endpoints[0], "lines", timeout=PATIENCE)
            await c.send_many([b"good", b"bad", b"after"])
            assert await c.recv() == b"good"
            with pytest.raises((sb.NoReply, sb.Reset)):
                await c.request(b"x")
            assert await other.request(b"y") == b"y"
            c.abort()
            await other.close()
        assert [type(one["exception"]) for one in told] == [KeyError]

    run(test())


def test_connecting_says_why_not(run: Run) -> None:
    async def test() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(sb.Refused, match="nothing listens there"):
                await sba.connect("127.0.0.1:%d" % unused.getsockname()[1], "lines")
        with pytest.raises(sb.BadFraming):
            await sba.connect("127.0.0.1:1", "linez")
        with pytest.raises(ValueError, match="no port"):
            await sba.connect("localhost", "lines")
        with pytest.raises(sb.Misused, match="without asyncio"):
            await sba.connect("exec:cat", "lines")
        with pytest.raises(sb.Failed) as missing:
            await sba.connect("unix:/nowhere/at/all", "lines")
        assert missing.value.errno == 2
        with pytest.raises(TypeError, match="a handler is"):
            await sba.start("127.0.0.1:0", b"no", "lines")  # type: ignore[arg-type]
        with pytest.raises(sb.Misused, match="ssl context"):
            await sba.start("tls://127.0.0.1:0", shout, "lines")

    run(test())


def test_unix_sockets_and_framings_that_switch(run: Run, tmp_path: Any) -> None:
    async def handler(c: sba.Conversation) -> None:
        assert await c.recv() == b"BINARY"
        c.set_framing("u8")
        await c.send(b"ok\n")

    async def test() -> None:
        async with sba.start(f"unix:{tmp_path}/socket", handler, "lines") as server:
            assert server.endpoints == [f"unix:{tmp_path}/socket"]
            async with sba.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
                await c.send(b"BINARY")
                c.set_framing("u8")
                assert await c.recv() == b"ok\n"

    run(test())


def test_serve_takes_an_async_def_and_ends_with_ctrl_c() -> None:
    program = """
import switchboard as sb
async def handler(message):
    return message[::-1]
with __import__("socket").socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
print(port, flush=True)
try:
    sb.serve(f"127.0.0.1:{port}", handler, framing="lines")
except KeyboardInterrupt:
    print("interrupted")
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        endpoint = f"127.0.0.1:{int(child.stdout.readline())}"
        for _ in range(10_000):
            try:
                c = sb.connect(endpoint, "lines", timeout=PATIENCE)
                break
            except ConnectionRefusedError:
                assert child.poll() is None
        with c:
            assert c.request(b"abc") == b"cba"
        os.kill(child.pid, signal.SIGINT)
        assert child.wait(PATIENCE) == 0
        assert child.stdout.read() == "interrupted\n"


@pytest.mark.skipif(LOOP == "uvloop", reason="this is what it runs")
def test_all_of_this_on_uvloop() -> None:
    if importlib.util.find_spec("uvloop") is None:
        cannot("there is no uvloop here")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", __file__],
        env={**os.environ, "SWITCHBOARD_LOOP": "uvloop"},
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
    )
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout
