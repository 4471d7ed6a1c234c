"""asyncio: what cannot be opened is told as the blocking side tells it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE
from test_aio import LOOP, Run, run, shout

__all__ = ["run"]  # A fixture, found by its name.


def nobody() -> str:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return "127.0.0.1:%d" % gone.getsockname()[1]


def nobody_is_at(error: sb.SwitchboardError) -> str:
    return str(error).split(": ")[1].split(" ")[0]


async def raised(opens: Callable[[], Any]) -> sb.SwitchboardError:
    with pytest.raises(sb.SwitchboardError) as error:
        opened = opens()
        if isinstance(opened, Awaitable):
            await opened
    return error.value


def same(one: sb.SwitchboardError, other: sb.SwitchboardError) -> None:
    assert (type(one), str(one)) == (type(other), str(other))
    assert one.endpoint == other.endpoint
    assert getattr(one, "errno", None) == getattr(other, "errno", None)
    assert one.ending == other.ending


@pytest.mark.parametrize(
    "endpoint",
    ["nobody", "localhost", "no-such-name.invalid:1", "unix:/nowhere/at/all", "unix:@nobody"],
)
def test_connecting(run: Run, endpoint: str) -> None:
    if endpoint == "nobody":
        endpoint = nobody()
    elif endpoint == "localhost":
        endpoint = nobody().replace("127.0.0.1", "localhost")

    async def test() -> None:
        theirs = await raised(lambda: sb.connect(endpoint, "lines", timeout=PATIENCE))
        ours = await raised(lambda: sba.connect(endpoint, "lines", timeout=PATIENCE))
        if (LOOP, endpoint.split(":")[0]) == ("uvloop", "localhost"):
            # It does not say which addresses it tried.
            ours.args = (str(ours).replace(f" {endpoint} conn", f" {nobody_is_at(theirs)} conn"),)
        same(ours, theirs)

    run(test())


def test_a_path_where_nobody_serves_any_more(run: Run, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(tmp_path / "socket"))

    async def test() -> None:
        endpoint = f"unix:{tmp_path}/socket"
        theirs = await raised(lambda: sb.connect(endpoint, "lines"))
        same(await raised(lambda: sba.connect(endpoint, "lines")), theirs)
        assert "nobody serves that path any more" in str(theirs)

    run(test())


def test_starting_on_a_port_that_is_taken(run: Run) -> None:
    async def test() -> None:
        async with sba.start("127.0.0.1:0", shout, "lines") as server:
            endpoint = server.endpoints[0]
            theirs = await raised(lambda: sb.start(endpoint, bytes.upper, "lines"))
            ours = await raised(lambda: sba.start(endpoint, shout, "lines"))
            same(ours, theirs)
            assert isinstance(ours, sb.Failed) and ours.errno == errno.EADDRINUSE
            async with sba.connect(endpoint, "lines", timeout=PATIENCE) as c:
                assert await c.request(b"still here") == b"STILL HERE"
        assert server.endpoints == [endpoint]

    run(test())


def test_a_name_is_listened_on_at_all_its_addresses(run: Run) -> None:
    async def test() -> None:
        async with sba.start("localhost:0", shout, "lines") as server:
            assert len({endpoint.rpartition(":")[2] for endpoint in server.endpoints}) == 1
            for endpoint in server.endpoints:
                async with sba.connect(endpoint, "lines", timeout=PATIENCE) as c:
                    assert await c.request(b"x") == b"X"

    run(test())


def test_what_is_not_open_yet(run: Run) -> None:
    async def test() -> None:
        async with sba.start("127.0.0.1:0", shout, "lines") as server:
            opening: Any = sba.connect(server.endpoints[0], "lines", timeout=PATIENCE)
            with pytest.raises(AttributeError, match=r"no 'send' before .* 'c = await connect"):
                await opening.send(b"x")
            async with opening as c:
                assert await c.request(b"x") == b"X"

    run(test())


def test_what_is_no_context(run: Run) -> None:
    wrong: Any = sb.Tls()

    async def test() -> None:
        with pytest.raises(TypeError, match="ssl= is an ssl.SSLContext, not Tls: .* for .*connect"):
            await sba.connect("tls://localhost:1", "lines", ssl=wrong)
        with pytest.raises(TypeError, match="ssl= is an ssl.SSLContext, not Tls"):
            await sba.start("tls://localhost:0", shout, "lines", ssl=wrong)

    run(test())


def test_a_plain_function_of_a_conversation(run: Run) -> None:
    def plain(c: sba.Conversation) -> None:
        raise AssertionError

    class Called:
        async def __call__(self, c: sba.Conversation) -> None:
            await c.send(b"called")

    async def test() -> None:
        with pytest.raises(TypeError, match="plain is given a conversation .* an async def"):
            await sba.start("127.0.0.1:0", plain, "lines")  # type: ignore[arg-type]
        async with sba.start("127.0.0.1:0", Called(), "lines", per="conversation") as server:
            async with sba.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
                assert await c.recv() == b"called"

    run(test())
