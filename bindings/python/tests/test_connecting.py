"""Connecting: several addresses, and a time for all of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE, cannot, in_thread


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port where nobody is accepted and no more fit into the queue: connecting hangs."""
    with contextlib.ExitStack() as open_ones:
        listener = open_ones.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = listener.getsockname()[1]
        for _ in range(8):
            client = open_ones.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        yield port


@pytest.fixture
def nobody() -> int:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port: int = gone.getsockname()[1]
    return port


def test_the_timeout_bounds_connecting(deaf: int, nobody: int) -> None:
    with pytest.raises(sb.TimedOut, match="no answer in time") as late:
        sb.connect(f"127.0.0.1:{deaf}", "lines", timeout=0.1)
    assert isinstance(late.value, TimeoutError) and late.value.ending == "timed-out"
    with pytest.raises(sb.Refused, match="nothing listens there"):
        sb.connect(f"127.0.0.1:{nobody}", "lines", timeout=PATIENCE)


def test_the_timeout_bounds_connecting_in_asyncio(deaf: int, nobody: int) -> None:
    async def main() -> None:
        with pytest.raises(sb.TimedOut, match="timed out") as late:
            await sba.connect(f"127.0.0.1:{deaf}", "lines", timeout=0.1)
        assert isinstance(late.value, TimeoutError) and late.value.ending == "timed-out"
        with pytest.raises(sb.Refused, match="nothing listens there") as refused:
            await sba.connect(f"127.0.0.1:{nobody}", "lines", timeout=PATIENCE)
        assert refused.value.endpoint == f"tcp://127.0.0.1:{nobody}"
        assert isinstance(refused.value, OSError) and refused.value.strerror

    asyncio.run(main())


def test_every_address_is_tried() -> None:
    # No host is this machine, at both of its addresses; a name goes the same way.
    if not socket.has_ipv6:
        cannot("there is no IPv6 here")
    for host in ("127.0.0.1", "::1"):
        with sb.start((host, 0), bytes.upper, "lines") as server:
            port = server.endpoints[0].rpartition(":")[2]
            # Whichever is tried first, at one of them nobody listens.
            with sb.connect(f":{port}", "lines", timeout=PATIENCE) as c:
                assert c.request(b"x") == b"X"
        with pytest.raises(sb.Refused, match=r"\[::1\]:.*127\.0\.0\.1:"):
            sb.connect(f":{port}", "lines", timeout=PATIENCE)


def test_every_address_of_a_name_is_tried_in_asyncio() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with sba.start("127.0.0.1:0", bytes.upper, "lines") as server:
            port = int(server.endpoints[0].rpartition(":")[2])

            async def several(*_: Any, **__: Any) -> list[Any]:
                kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
                return [(*kind, (host, port)) for host in ("127.0.0.2", "127.0.0.1")]

            loop.getaddrinfo = several  # type: ignore[method-assign]
            async with sba.connect(f"several.test:{port}", "lines", timeout=PATIENCE) as c:
                assert await c.request(b"x") == b"X"

    asyncio.run(main())


def test_endpoints_as_the_module_socket_has_them(tmp_path: Path) -> None:
    path = tmp_path / "a socket"
    with sb.start(path, bytes.upper, "lines") as server:
        assert server.endpoints == [f"unix:{path}"]
        with sb.connect(path, "lines", timeout=PATIENCE) as c:
            assert c.request(b"x") == b"X"
    with sb.listen(("127.0.0.1", 0), "lines") as listener:
        # What `getsockname` gives; four of them for IPv6.
        host, port = listener.endpoints[0].removeprefix("tcp://").split(":")
        sb.connect((host, int(port)), "lines", timeout=PATIENCE).close()
    with pytest.raises(sb.Refused, match=r"tcp://\[::1\]:1"):
        sb.connect(("::1", 1, 0, 0), "lines", timeout=PATIENCE)
    with pytest.raises(sb.Misused, match="port 65536 is none, expected 0 to 65535"):
        sb.connect(("localhost", 65536), "lines")
    for wrong in (None, 5, b"localhost:1", ("localhost",), ("localhost", "80")):
        with pytest.raises(TypeError, match="an endpoint is a string as"):
            sb.connect(wrong, "lines")  # type: ignore[arg-type]

    async def main() -> None:
        async with sba.start(path, bytes.upper, "lines") as server:
            assert server.endpoints == [f"unix:{path}"]
            async with sba.connect(path, "lines", timeout=PATIENCE) as c:
                assert await c.request(b"x") == b"X"
        async with sba.start(("127.0.0.1", 0), bytes.upper, "lines") as server:
            port = int(server.endpoints[0].rpartition(":")[2])
            async with sba.connect(("127.0.0.1", port), "lines", timeout=PATIENCE) as c:
                assert await c.request(b"x") == b"X"

    asyncio.run(main())


@pytest.mark.parametrize("how", ["accept", "try_accept", "start", "aio"])
def test_who_listens_is_the_server_of_a_protocol(how: str) -> None:
    """Whose first message is another one than the server's: it has no type."""
    asks, refuses = b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"N"

    def handler(c: sb.Conversation) -> None:
        assert c.recv() == asks
        c.send(refuses)

    def ask(endpoint: str) -> None:
        with sb.connect(endpoint, "postgres", timeout=PATIENCE) as c:
            assert c.request(asks) == refuses

    async def on_a_loop() -> None:
        async def handler(c: sba.Conversation) -> None:
            assert await c.recv() == asks
            await c.send(refuses)

        async with sba.start("127.0.0.1:0", handler, "postgres") as server:
            async with sba.connect(server.endpoints[0], "postgres", timeout=PATIENCE) as c:
                assert await c.request(asks) == refuses

    if how == "aio":
        asyncio.run(on_a_loop())
    elif how == "start":
        with sb.start("127.0.0.1:0", handler, "postgres") as server:
            ask(server.endpoints[0])
    else:
        with sb.listen("127.0.0.1:0", "postgres") as listener:
            with in_thread(lambda: ask(listener.endpoints[0])):
                sb.select([listener], timeout=PATIENCE)
                peer = listener.accept() if how == "accept" else listener.try_accept()
                assert peer is not None
                with peer:
                    handler(peer)
