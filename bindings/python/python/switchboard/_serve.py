"""Serving: what a handler is given, and the blocking form."""

from __future__ import annotations

import asyncio
import atexit
import inspect
import os
import traceback
import weakref
from collections.abc import Callable, Coroutine
from types import EllipsisType
from typing import TYPE_CHECKING, Any, cast

from switchboard import _native
from switchboard._certificates import Tls
from switchboard._endpoint import Endpoint
from switchboard._handlers import wants
from switchboard._native import Conversation, Running
from switchboard._spawn import Spawned
from switchboard._stuck import end_stuck

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from switchboard._native import _Dispatch, _Per, _StartMethod

    _Handler = Callable[[bytes], Buffer | None] | Callable[[Conversation], object]
    _AsyncHandler = Callable[[Any], Coroutine[Any, Any, Any]]


#: How long a stop may take unless it is said, in seconds.
STOP_WITHIN = 30.0

#: Servers that may still serve, and of which process they are.
_running: weakref.WeakKeyDictionary[Running, int] = weakref.WeakKeyDictionary()


@atexit.register
def _stop_all() -> None:
    """Once the interpreter goes, no handler can run any more."""
    for running, process in list(_running.items()):
        if process == os.getpid():
            try:
                running.stop()
            except Warning:  # It has been stopped all the same.
                traceback.print_exc()
    end_stuck()


def start(
    endpoint: Endpoint,
    handler: _Handler,
    framing: str,
    *,
    dispatch: _Dispatch = "threads",
    per: _Per | None = None,
    start_method: _StartMethod = "fork",
    timeout: float | None | EllipsisType = ...,
    max: int | None = None,
    stop_within: float | None = STOP_WITHIN,
    tls: Tls | None = None,
) -> Running | Spawned:
    """Starts a server in the background.

    A handler is a function of a message (bytes), whose answer is a message (whatever has bytes) or
    ``None`` for none; or a function of a conversation, which does as it likes and whose return
    closes it. Which, ``per`` says; else its parameter's annotation, or that it is called ``c``,
    ``conv`` or ``conversation``.

    What it raises ends its conversation, no other: the client has what was answered before, and
    then a ``Reset``. It is shown on standard error with the peer and the number of the message; a
    ``sys.unraisablehook`` of the program's own is given it instead.

    ``dispatch`` is a thread for each conversation, a process for each, or one loop for all, whose
    handlers must not wait: those are functions of a message. Processes are forked off this one,
    which must have no other threads; or, with ``start_method="spawn"``, off a fresh interpreter,
    which then has to find the handler by its name, at the top level of its module.

    ``timeout`` is how long a client may say nothing, and take for a message or an answer, in
    seconds; who takes longer is ended: by ``TimedOut`` in a function of a conversation, and with
    nothing but an end for the client otherwise. ``None`` is for ever; unless it is given, 300 s of
    silence, 60 s for a message, 60 s for a client that takes no answers. ``max`` is the size of the
    largest message and answer, in bytes: unless it is given what the framing says, else 16 MiB.

    ``stop_within`` is how long its end may take, in seconds, where nobody says it to ``stop``: at
    the end of a ``with`` block and of the program. Whoever is left then is cut off, also if the
    handler does not return; ``None`` waits for ever.

    A ``tls://`` endpoint needs ``tls``, with a certificate.

    >>> import switchboard as sb
    >>> with sb.start("127.0.0.1:0", bytes.upper, framing="lines") as server:
    ...     with sb.connect(server.endpoints[0], framing="lines") as c:
    ...         c.request(b"hello")
    b'HELLO'
    """
    if not callable(handler):
        raise TypeError(f"a handler is a function, not {type(handler).__name__}")
    if inspect.iscoroutinefunction(handler):
        raise TypeError("an async def is started by switchboard.aio.start, or served by serve")
    given = per or wants(handler)
    arguments = (endpoint, handler, framing, given, dispatch, timeout, max, stop_within, tls)
    if start_method == "fork":
        running = _native.start_server(*arguments)
        _running[running] = os.getpid()
        return running
    if start_method != "spawn" or dispatch != "processes":
        raise ValueError(
            'start_method is "fork", or "spawn" where dispatch is "processes", '
            f"not {start_method!r} with {dispatch!r}"
        )
    return Spawned(arguments)


def serve(
    endpoint: Endpoint,
    handler: _Handler | _AsyncHandler,
    framing: str,
    *,
    dispatch: _Dispatch = "threads",
    per: _Per | None = None,
    start_method: _StartMethod = "fork",
    timeout: float | None | EllipsisType = ...,
    max: int | None = None,
    stop_within: float | None = STOP_WITHIN,
    tls: Tls | None = None,
) -> None:
    """Serves until Ctrl-C: what is there is still answered then, and ``KeyboardInterrupt`` raised.

    Who is not done within ``stop_within`` seconds is cut off; another Ctrl-C waits for nobody.

    The arguments are those of ``start``. A handler that is an ``async def`` is served on a loop of
    asyncio, by ``switchboard.aio.serve``; there is nothing to dispatch then.
    """
    if inspect.iscoroutinefunction(handler):
        from switchboard import aio

        if (dispatch, start_method) != ("threads", "fork"):
            raise TypeError("an async def is served by one loop of asyncio: leave dispatch out")
        if tls is not None:
            raise TypeError("an async def is served by asyncio: use switchboard.aio with ssl=")
        served = aio.serve(
            endpoint,
            cast(Any, handler),
            framing,
            per=per,
            timeout=timeout,
            max=max,
            stop_within=stop_within,
        )
        asyncio.run(served)
        return
    with start(
        endpoint,
        cast("_Handler", handler),
        framing,
        dispatch=dispatch,
        per=per,
        start_method=start_method,
        timeout=timeout,
        max=max,
        stop_within=stop_within,
        tls=tls,
    ) as running:
        running.join()
