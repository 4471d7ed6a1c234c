"""asyncio and its peers: slow ones, those that have gone, stalled or vanished, several tasks."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE
from test_aio import Run, run, shout
from test_aio_requests import with_peer

__all__ = ["run"]  # A fixture, found by its name.


def test_a_slow_peer_is_waited_for_and_a_stalled_one_is_not(run: Run) -> None:
    """A timeout is for a peer that takes nothing, and not for all of a large message."""

    async def test() -> None:
        # Over a Unix socket: over TCP some systems take all of it at once.
        name = f"swb-slow-peer-{os.getpid()}"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"\0{name}")
            listener.listen()
            endpoint = f"unix:@{name}"
            for how in ("send", "close"):
                c = await sba.connect(endpoint, "u32be", timeout=0.2)
                peer, _ = listener.accept()
                peer.setblocking(False)
                loop = asyncio.get_running_loop()
                size, taken = 4 + 8_000_000, 0

                async def take() -> None:
                    nonlocal taken
                    while taken < size:
                        taken += len(await loop.sock_recv(peer, 150_000))
                        await asyncio.sleep(0.015)

                taking = asyncio.create_task(take())
                began = loop.time()
                if how == "send":
                    await c.send(bytes(size - 4))
                    assert loop.time() - began > 0.2
                    await taking
                else:
                    c._link.queue(bytes(size - 4))
                    closing = asyncio.create_task(c.close())
                    await taking
                    peer.close()
                    await closing
                assert taken == size
                c.abort()
                peer.close()

    run(test())


def test_who_has_gone_is_no_mistake_of_a_handler_that_sends(run: Run) -> None:
    async def test() -> None:
        failed: list[sb.SwitchboardError] = []
        done = asyncio.Event()

        async def handler(c: sba.Conversation) -> None:
            try:
                while True:
                    await c.send(b"x" * 1000)
                    await asyncio.sleep(0)
            except sb.SwitchboardError as error:
                failed.append(error)
                done.set()
                raise

        async with sba.start("127.0.0.1:0", handler, "lines") as server:
            c = await sba.connect(server.endpoints[0], "lines", timeout=PATIENCE)
            c.abort()
            await done.wait()
        assert isinstance(failed[0], sb.Reset)
        assert failed[0].ending == "reset"

    run(test())  # Where nothing may be complained about.


def test_what_another_task_sends_while_this_one_finishes(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            c = await sba.connect("127.0.0.1:%d" % listener.getsockname()[1], "u32be")
            peer, _ = listener.accept()

            async def send() -> None:
                await c.send(bytes(6_000_000))
                await c.send(b"late")

            sending = asyncio.create_task(send())
            await asyncio.sleep(0)
            finishing = asyncio.create_task(c.finish())

            def take() -> bytes:
                peer.settimeout(PATIENCE)
                return b"".join(iter(lambda: peer.recv(1 << 20), b""))

            taken = await asyncio.to_thread(take)
            await finishing
            # It is delivered, or it comes too late and is told so.
            if taken.endswith(b"\x00\x00\x00\x04late"):
                await sending
            else:
                with pytest.raises(sb.Misused, match="sending is finished"):
                    await sending
            peer.close()
            c.abort()

    run(test())


def test_a_stop_does_not_wait_for_who_takes_nothing(run: Run) -> None:
    async def test() -> None:
        sent = asyncio.Event()

        async def handler(c: sba.Conversation) -> None:
            sent.set()
            await c.send_many([bytes(10_000_000)] * 2)

        server = await sba.start("127.0.0.1:0", handler, "u32be", timeout=None)
        host, port = server.endpoints[0].removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port))):
            await sent.wait()
            async with asyncio.timeout(PATIENCE / 2):
                await server.stop(within=0)

    run(test())


def test_a_peer_that_vanishes_is_looked_for(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            c = await sba.connect("127.0.0.1:%d" % listener.getsockname()[1], "lines")
            sock = c._link.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) > 0
            c.abort()

    run(test())


def test_a_path_where_somebody_serves_is_not_taken_away(run: Run, tmp_path: Any) -> None:
    async def test() -> None:
        path = tmp_path / "socket"
        async with sba.start(f"unix:{path}", shout, "lines") as server:
            with pytest.raises(OSError, match="in use"):
                await sba.start(f"unix:{path}", shout, "lines")
            async with sba.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
                assert await c.request(b"still here") == b"STILL HERE"
        assert not path.exists()

    run(test())


def test_several_tasks_receive_at_a_time(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            c = await sba.connect(
                "127.0.0.1:%d" % listener.getsockname()[1], "lines", timeout=PATIENCE
            )
            peer, _ = listener.accept()
            tasks = [asyncio.create_task(c.recv()) for _ in range(3)]
            await asyncio.sleep(0)
            peer.sendall(b"1\n")
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            peer.sendall(b"2\n")
            peer.close()
            assert sorted(await asyncio.gather(*tasks), key=str) == [None, b"1", b"2"]
            waiting = asyncio.create_task(c.recv())
            assert await waiting is None
            await c.close()

    run(test())


def test_a_large_message_is_not_queued_behind_a_small_one_without_end(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer(timeout=0.2)
        with pytest.raises(sb.TimedOut, match="waiting to send to"):
            for _ in range(50):
                await c.send(b"small")
                await c.send(b"x" * 1_000_000)
        c.abort()
        peer.close()

    run(test())


def test_behind_a_timeout_the_clock_begins_anew(run: Run) -> None:
    async def test() -> None:
        c, peer = await with_peer(timeout=0.5)
        peer.sendall(b"half")
        with pytest.raises(sb.TimedOut, match="waiting for a message"):
            await c.recv()
        receiving = asyncio.create_task(c.recv())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not receiving.done()
        peer.sendall(b" and half\n")
        assert await receiving == b"half and half"
        c.abort()
        peer.close()

    run(test())
