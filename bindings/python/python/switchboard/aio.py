"""Whole messages over asyncio.

>>> import asyncio
>>> import switchboard.aio as sba
>>> async def shout(message):
...     return message.upper()
>>> async def main():
...     async with sba.start("127.0.0.1:0", shout, framing="lines") as server:
...         async with sba.connect(server.endpoints[0], framing="lines", timeout=5) as c:
...             await c.send(b"hello")
...             return await c.recv()
>>> asyncio.run(main())
b'HELLO'
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from switchboard._aio_conversation import Conversation
from switchboard._aio_link import Link
from switchboard._aio_opening import Opening
from switchboard._aio_refusal import check_context, refusal
from switchboard._aio_server import Server, serve, start
from switchboard._endpoint import Endpoint
from switchboard._errors import Misused
from switchboard._native import (
    CONNECT_STAGGER,
    CONNECT_TIMEOUT,
    Session,
    parse_endpoint,
    seconds,
)

if TYPE_CHECKING:
    from switchboard._native import _Role

__all__ = ["Conversation", "Server", "connect", "serve", "start"]


def connect(
    endpoint: Endpoint,
    framing: str,
    *,
    timeout: float | None | EllipsisType = ...,
    max: int | None = None,
    role: _Role = "client",
    ssl: tls.SSLContext | None = None,
) -> Opening[Conversation]:
    """Connects to an endpoint: ``async with connect(..) as c``, or ``c = await connect(..)``.

    The arguments are those of ``switchboard.connect``; and an ``ssl`` context instead of ``tls``:
    with one TLS is spoken, also where ``tls://`` is not written; without one ``tls://`` trusts whom
    the system trusts.
    """
    return Opening(_connect(endpoint, framing, timeout, max, role, ssl))


async def _connect(
    endpoint: Endpoint,
    framing: str,
    timeout: float | None | EllipsisType,
    max: int | None,
    role: _Role,
    ssl: tls.SSLContext | None,
) -> Conversation:
    kind, host, port, name = parse_endpoint(endpoint)
    check_context(ssl)
    loop = asyncio.get_running_loop()

    def link() -> Link:
        return Link(make)

    def make(name: str) -> Session:
        return Session(framing, role, max, timeout, name)

    make("")  # A framing that is none is told before anybody is connected to.
    if kind == "unix" and ssl is not None:
        raise Misused(f"cannot connect to {name}: a path speaks no TLS here: leave ssl out")
    if kind == "tls" and ssl is None:
        ssl = tls.create_default_context()
    # Loops that are not asyncio's own see to that by themselves, or not at all; and its own
    # cannot where tasks begin at once.
    own = isinstance(loop, asyncio.BaseEventLoop) and loop.get_task_factory() is None
    options: dict[str, Any] = {"happy_eyeballs_delay": CONNECT_STAGGER} if own else {}
    limit = CONNECT_TIMEOUT if isinstance(timeout, EllipsisType) else seconds(timeout)
    try:
        async with asyncio.timeout(limit):
            if kind == "unix":
                _, made = await loop.create_unix_connection(link, sock=await _at_path(loop, host))
            else:
                where = host or "localhost"
                _, made = await loop.create_connection(link, where, port, ssl=ssl, **options)
    except OSError as error:
        # As the blocking `connect`: what the system said is in the text.
        raise refusal(name, host, port, error) from None
    return Conversation(made)


async def _at_path(loop: asyncio.AbstractEventLoop, path: str) -> socket.socket:
    """A socket that is connected to a path. A name without a path is more than uvloop's own can."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, path)
    except BaseException:
        sock.close()
        raise
    return sock
