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
from switchboard._aio_server import Server, serve, start
from switchboard._endpoint import Endpoint
from switchboard._errors import (
    Denied,
    Failed,
    Misused,
    Refused,
    SwitchboardError,
    TimedOut,
    Unresolved,
)
from switchboard._native import Session, parse_endpoint

if TYPE_CHECKING:
    from switchboard._native import _Role

__all__ = ["Conversation", "Server", "connect", "serve", "start"]

#: How long connecting may take, unless it is said, in seconds.
CONNECT_TIMEOUT = 10.0

#: How long an address is tried alone before the next one is tried beside it, in seconds.
STAGGER = 0.25

#: What OpenSSL says of a certificate whose issuer it does not trust (``X509_V_ERR_..``): signed by
#: itself, alone or in a chain; no issuer at hand, of the chain or of its only one.
UNKNOWN_ISSUER = (18, 19, 20, 21)


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
    options: dict[str, Any] = {"happy_eyeballs_delay": STAGGER} if own else {}
    limit = CONNECT_TIMEOUT if isinstance(timeout, EllipsisType) else timeout
    try:
        async with asyncio.timeout(limit):
            if kind == "unix":
                _, made = await loop.create_unix_connection(link, host)
            else:
                where = host or "localhost"
                _, made = await loop.create_connection(link, where, port, ssl=ssl, **options)
    except OSError as error:
        raise _refused(name, error) from error
    return Conversation(made)


def _refused(endpoint: str, error: OSError) -> SwitchboardError:
    """What the blocking ``connect`` would raise."""
    text = f"cannot connect to {endpoint}"
    made: Refused | Unresolved | Denied | TimedOut | Failed
    match error:
        case ConnectionRefusedError():
            advice = "nothing listens there: start the server, or check the port"
            made = Refused(f"{text}: connection refused: {advice}")
        case socket.gaierror():
            made = Unresolved(f"{text}: {error.strerror}")
        case PermissionError():
            made = Denied(f"{text}: {error.strerror}")
        case TimeoutError():
            made = TimedOut(f"{text}: timed out")
            made.ending = "timed-out"
        case tls.SSLCertVerificationError():
            text = f"{text}: {error.verify_message}"
            if error.verify_code in UNKNOWN_ISSUER:
                text += ": give a context that trusts its CA: create_default_context(cafile=..)"
            made = Failed(text)
        case _:
            made = Failed(f"{text}: {error.strerror or error}")
    made.endpoint = endpoint
    made.errno, made.strerror = error.errno, error.strerror
    return made
