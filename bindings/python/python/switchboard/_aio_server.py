"""Serving on a loop of asyncio."""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from operator import length_hint
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from switchboard._aio_conversation import Conversation
from switchboard._aio_link import Link
from switchboard._aio_opening import Opening
from switchboard._aio_refusal import check_context
from switchboard._endpoint import Endpoint
from switchboard._errors import Misused, SwitchboardError
from switchboard._handlers import wants
from switchboard._native import (
    LISTEN_BACKLOG,
    MESSAGES_PER_TURN,
    Listener,
    Session,
    as_message,
    listen,
    parse_endpoint,
    seconds,
)
from switchboard._reports import where
from switchboard._serve import STOP_WITHIN
from switchboard._stuck import warn_of_tasks

if TYPE_CHECKING:
    import ssl as tls

    from switchboard._native import _Per

Answer = bytes | None

#: How long a conversation may take to end once it is cancelled, in seconds.
CANCEL_WITHIN = 2.0
_Handler = Callable[[bytes], Answer | Awaitable[Answer]] | Callable[[Conversation], Awaitable[Any]]


class Server:
    """A server on a loop; as an async context manager it is stopped at the end."""

    def __init__(
        self, handler: _Handler, per: _Per, is_tls: bool, stop_within: float | None
    ) -> None:
        self._handler: Callable[[Any], Any] = handler
        self._per = per
        self._scheme = "tls:" if is_tls else "tcp:"
        self._stop_within = stop_within
        self._stopping = False
        self._tasks: dict[asyncio.Task[None], Conversation] = {}
        self._links: set[Link] = set()
        self._listener: Listener
        self._endpoints: list[str] = []
        self._servers: list[asyncio.Server] = []

    @property
    def endpoints(self) -> list[str]:
        """Where it listens, with the port that was chosen for port 0."""
        return list(self._endpoints)

    async def stop(self, within: float | None | EllipsisType = ...) -> None:
        """Accepts nothing more, answers the messages that are there, and ends the conversations:
        one whose handler waits for a message at once, another once its handler has returned or
        waits for one.

        That takes as long as ``within`` seconds: what ``start`` was told, if nothing is said, and
        ``None`` for ever. Who is left then is cancelled, and its peer reads a reset behind what was
        answered. One that does not end when it is cancelled is cut off a little later, and a
        ``RuntimeWarning`` says where it is.
        """
        within = self._stop_within if isinstance(within, EllipsisType) else seconds(within)
        self._stopping = True
        for server in self._servers:
            server.close()
        self._listener.close()
        # What has come is read.
        for _ in range(2):
            await asyncio.sleep(0)
        for task, conversation in self._tasks.items():
            conversation._link.end_idle(partial(self._end_idle, task))
        if (others := self._others()) and within != 0:
            await asyncio.wait(others, timeout=within)
        for task in self._others():
            task.cancel()
        if others := self._others():
            _, left = await asyncio.wait(others, timeout=CANCEL_WITHIN)
            stuck = [task for task in left if not self._tasks[task]._closed]
            for task in left:
                self._tasks.pop(task).abort()
            if stuck:
                warn_of_tasks(self._handler, stuck, within or 0)
        mine = self._tasks.get(cast(Any, asyncio.current_task()))
        if closed := [link.closed for link in self._links if mine is None or link != mine._link]:
            # What was answered is delivered; but some take nothing.
            await asyncio.wait(closed, timeout=CANCEL_WITHIN)
        for link in list(self._links):
            if mine is None or link != mine._link:
                link.abort()
        if mine is None:
            for server in self._servers:
                await server.wait_closed()

    def _others(self) -> list[asyncio.Task[None]]:
        """The conversations that are not over, but for that whose handler calls this."""
        mine = asyncio.current_task()
        return [task for task in self._tasks if task is not mine]

    def _end_idle(self, task: asyncio.Task[None]) -> None:
        """Ends a conversation that waits for a message, and so has said all that it had to."""
        if (conversation := self._tasks.get(task)) is not None and not conversation._closing:
            conversation._idle = True
            task.cancel()

    async def serve_forever(self) -> None:
        """Waits until it is cancelled."""
        await asyncio.gather(*(server.serve_forever() for server in self._servers))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _connected(self, link: Link) -> None:
        self._links.add(link)
        link.closed.add_done_callback(lambda _: self._links.discard(link))
        conversation = Conversation(link)
        task = asyncio.get_running_loop().create_task(self._converse(conversation))
        self._tasks[task] = conversation
        task.add_done_callback(lambda task: self._tasks.pop(task, None))
        if self._stopping:
            link.end_idle(partial(self._end_idle, task))

    async def _converse(self, conversation: Conversation) -> None:
        try:
            if self._per == "conversation":
                try:
                    await self._handler(conversation)
                except Exception as error:
                    self._told(error, conversation, None)
                    raise
            else:
                await self._answer(conversation)
            await self._close(conversation)
        except asyncio.CancelledError:
            if conversation._idle:
                await self._close(conversation)
            else:
                # A stop has not waited for it: not all has been said.
                await conversation._fail()
        except SwitchboardError as error:
            if error.ending is None:
                await conversation._fail()
            else:
                conversation._leave()
        except BaseException as error:
            await conversation._fail()
            if not isinstance(error, Exception):
                raise

    async def _close(self, conversation: Conversation) -> None:
        try:
            await conversation.close()
        except SwitchboardError as error:
            # That the peer has gone is no mistake of the handler.
            if error.ending is None:
                self._told(error, conversation, None)

    async def _answer(self, conversation: Conversation) -> None:
        handler = self._handler
        is_async = inspect.iscoroutinefunction(handler)
        taken = 0
        while messages := await conversation.recv_many(MESSAGES_PER_TURN):
            answers: list[bytes] = []
            taken += len(messages)
            rest = iter(messages)
            try:
                if is_async:
                    for message in rest:
                        if (answer := await handler(message)) is not None:
                            if answer.__class__ is not bytes:
                                answer = as_message(answer)
                            answers.append(answer)
                else:
                    await answers_of(handler, rest, answers)
            except Exception as error:
                self._told(error, conversation, taken - length_hint(rest))
                raise
            finally:
                # What was answered before a fault is delivered.
                if answers:
                    self._send(answers, conversation)
            if not conversation._link.may_write:
                await conversation._link.drained()
            if len(messages) == MESSAGES_PER_TURN:
                await asyncio.sleep(0)

    def _send(self, answers: list[bytes], conversation: Conversation) -> None:
        try:
            conversation._link.queue_many(answers)
        except SwitchboardError as error:
            # One of them is none that can be sent.
            self._told(error, conversation, None)
            raise

    def _told(self, error: Exception, conversation: Conversation, number: int | None) -> None:
        """Has the loop say what a handler raised."""
        if isinstance(error, SwitchboardError) and error.ending is not None:
            return  # That the peer has gone is no mistake of the handler.
        text = where(self._handler, conversation.remote, number)
        asyncio.get_running_loop().call_exception_handler({"message": text, "exception": error})


async def answers_of(
    handler: Callable[[bytes], Any], messages: Iterable[bytes], into: list[bytes]
) -> None:
    """Has a function answer messages that may give an answer or something to be awaited."""
    for message in messages:
        answer = handler(message)
        if answer.__class__ is bytes:
            into.append(answer)
            continue
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is not None:
            into.append(as_message(answer))


def start(
    endpoint: Endpoint,
    handler: _Handler,
    framing: str,
    *,
    per: _Per | None = None,
    timeout: float | None | EllipsisType = ...,
    max: int | None = None,
    stop_within: float | None = STOP_WITHIN,
    ssl: tls.SSLContext | None = None,
) -> Opening[Server]:
    """Starts a server on the running loop: ``async with start(..) as server``, or ``await`` it.

    A handler is a function of a message or an ``async def`` of one, whose answer is a message or
    ``None`` for none; or an ``async def`` of a conversation. Which, is told as by
    ``switchboard.start``. ``tls://`` endpoints need an ``ssl`` context.

    What it raises ends its conversation, no other, and is given to the loop's exception handler,
    which logs it, with the peer and the number of the message. The peer has what was answered
    before, and then reads a reset: it does not take a half for the whole.

    ``stop_within`` is how long its end may take, in seconds, where nobody says it to ``stop``: at
    the end of an ``async with`` block. ``None`` waits for ever.
    """
    return Opening(_start(endpoint, handler, framing, per, timeout, max, stop_within, ssl))


async def _start(
    endpoint: Endpoint,
    handler: _Handler,
    framing: str,
    per: _Per | None,
    timeout: float | None | EllipsisType,
    max: int | None,
    stop_within: float | None,
    ssl: tls.SSLContext | None,
) -> Server:
    if not callable(handler):
        raise TypeError(f"a handler is a function, not {type(handler).__name__}")
    given = per or wants(handler)
    if given not in ("message", "conversation"):
        raise ValueError('per is "message" or "conversation"')
    if given == "conversation" and not _is_async(handler):
        name = getattr(handler, "__qualname__", None) or repr(handler)
        raise TypeError(
            f"the handler {name} is given a conversation of asyncio: make it an async def, or "
            "serve it by switchboard.start"
        )
    kind, host, port, name = parse_endpoint(endpoint)
    check_context(ssl)
    if kind == "tls" and ssl is None:
        raise Misused(f"cannot listen on {name}: give an ssl context with a certificate")
    if kind == "unix" and ssl is not None:
        raise Misused(f"cannot listen on {name}: a path speaks no TLS here: leave ssl out")
    server = Server(handler, given, ssl is not None, seconds(stop_within))

    def make(name: str) -> Session:
        return Session(framing, "server", max, timeout, name)

    make("")  # A framing that is none is told here.
    loop = asyncio.get_running_loop()

    def protocol() -> Link:
        return Link(make, server._connected)

    # The library binds: it knows what to say where that fails, what to do about a path where
    # somebody serves already, and removes the path at the end.
    plain: Endpoint = name if kind == "unix" else (host, port)
    server._listener = listener = await loop.run_in_executor(None, listen, plain, framing)
    server._endpoints = [
        name.replace("tcp:", server._scheme, 1) for name in listener.endpoints
    ]
    try:
        for number in listener.descriptors():
            sock = socket.socket(fileno=os.dup(number))
            create = loop.create_unix_server if kind == "unix" else loop.create_server
            made = await create(protocol, sock=sock, ssl=ssl, backlog=LISTEN_BACKLOG)
            server._servers.append(made)
    except BaseException:
        await server.stop(0)
        raise
    return server


def _is_async(handler: Callable[[Any], Any]) -> bool:
    called = getattr(handler, "__call__", None)  # An object that is called may be one too.
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)


async def serve(
    endpoint: Endpoint,
    handler: _Handler,
    framing: str,
    *,
    per: _Per | None = None,
    timeout: float | None | EllipsisType = ...,
    max: int | None = None,
    stop_within: float | None = STOP_WITHIN,
    ssl: tls.SSLContext | None = None,
) -> None:
    """Serves until it is cancelled, and stops then. The arguments are those of ``start``."""
    async with start(
        endpoint,
        handler,
        framing,
        per=per,
        timeout=timeout,
        max=max,
        stop_within=stop_within,
        ssl=ssl,
    ) as server:
        await server.serve_forever()
