"""Serving on a loop of asyncio."""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
from collections.abc import Awaitable, Callable
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from switchboard._aio_conversation import Conversation
from switchboard._aio_link import Link, endpoint
from switchboard._aio_opening import Opening
from switchboard._endpoint import Endpoint
from switchboard._errors import Misused, SwitchboardError
from switchboard._handlers import wants
from switchboard._native import Listener, Session, as_message, listen, parse_endpoint
from switchboard._stuck import warn_of_tasks

if TYPE_CHECKING:
    import ssl as tls

    from switchboard._native import _Per

#: Messages that a handler is given before others have their turn.
MESSAGES_PER_TURN = 1024

Answer = bytes | None

#: How long a conversation may take to end once it is cancelled, in seconds.
CANCEL_WITHIN = 2.0
_Handler = Callable[[bytes], Answer | Awaitable[Answer]] | Callable[[Conversation], Awaitable[Any]]


class Server:
    """A server on a loop; as an async context manager it is stopped at the end."""

    def __init__(self, handler: _Handler, per: _Per, is_tls: bool) -> None:
        self._handler: Callable[[Any], Any] = handler
        self._per = per
        self._scheme = "tls:" if is_tls else "tcp:"
        self._tasks: dict[asyncio.Task[None], Conversation] = {}
        self._links: set[Link] = set()
        self._listener: Listener | None = None
        self._server: asyncio.Server

    @property
    def endpoints(self) -> list[str]:
        """Where it listens, with the port that was chosen for port 0."""
        names = (endpoint(socket.getsockname()) for socket in self._server.sockets)
        return [name.replace("tcp:", self._scheme, 1) for name in names if name]

    async def stop(self, within: float | None = None) -> None:
        """Accepts nothing more, and waits for the conversations that there are: for ``within``
        seconds, then they are cancelled; without it they are at once.

        One that does not end when it is cancelled is cut off a little later, and a
        ``RuntimeWarning`` says where it is.
        """
        self._server.close()
        if self._listener is not None:
            self._listener.close()
        if self._tasks and within:
            await asyncio.wait(self._tasks, timeout=within)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, stuck = await asyncio.wait(self._tasks, timeout=CANCEL_WITHIN)
            if stuck:
                for task in stuck:
                    self._tasks.pop(task).abort()
                warn_of_tasks(self._handler, stuck, (within or 0) + CANCEL_WITHIN)
        if self._links:
            # What was answered is delivered; but some take nothing.
            await asyncio.wait([link.closed for link in self._links], timeout=CANCEL_WITHIN)
        for link in list(self._links):
            link.abort()
        await self._server.wait_closed()

    async def serve_forever(self) -> None:
        """Waits until it is cancelled."""
        await self._server.serve_forever()

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

    async def _converse(self, conversation: Conversation) -> None:
        try:
            async with conversation:
                if self._per == "conversation":
                    await self._handler(conversation)
                else:
                    await self._answer(conversation)
        except SwitchboardError as error:
            # That the peer has gone is no mistake of the handler.
            if error.ending is None:
                self._told(error)
        except Exception as error:
            self._told(error)

    async def _answer(self, conversation: Conversation) -> None:
        handler = self._handler
        is_async = inspect.iscoroutinefunction(handler)
        while messages := await conversation.recv_many(MESSAGES_PER_TURN):
            answers: list[bytes] = []
            try:
                if is_async:
                    for message in messages:
                        if (answer := await handler(message)) is not None:
                            answers.append(answer)
                else:
                    await answers_of(handler, messages, answers)
            finally:
                # What was answered before a fault is delivered.
                await conversation.send_many(answers)
            if len(messages) == MESSAGES_PER_TURN:
                await asyncio.sleep(0)

    def _told(self, error: BaseException) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"the handler {self._handler!r} raised", "exception": error}
        )


async def answers_of(
    handler: Callable[[bytes], Any], messages: list[bytes], into: list[bytes]
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
    ssl: tls.SSLContext | None = None,
) -> Opening[Server]:
    """Starts a server on the running loop: ``async with start(..) as server``, or ``await`` it.

    A handler is a function of a message or an ``async def`` of one, whose answer is a message or
    ``None`` for none; or an ``async def`` of a conversation. Which, is told as by
    ``switchboard.start``. ``tls://`` endpoints need an ``ssl`` context.
    """
    return Opening(_start(endpoint, handler, framing, per, timeout, max, ssl))


async def _start(
    endpoint: Endpoint,
    handler: _Handler,
    framing: str,
    per: _Per | None,
    timeout: float | None | EllipsisType,
    max: int | None,
    ssl: tls.SSLContext | None,
) -> Server:
    if not callable(handler):
        raise TypeError(f"a handler is a function, not {type(handler).__name__}")
    kind, host, port, name = parse_endpoint(endpoint)
    if kind == "tls" and ssl is None:
        raise Misused(f"cannot listen on {name}: give an ssl context with a certificate")
    if kind == "unix" and ssl is not None:
        raise Misused(f"cannot listen on {name}: a path speaks no TLS here: leave ssl out")
    server = Server(handler, per or wants(handler), ssl is not None)

    def make(name: str) -> Session:
        return Session(framing, "server", max, timeout, name)

    make("")  # A framing that is none is told here.
    loop = asyncio.get_running_loop()

    def protocol() -> Link:
        return Link(make, server._connected)

    if kind == "unix":
        # The library looks whether somebody serves there already, and removes the path at the end.
        server._listener = listener = listen(f"unix:{host}" if host[0] != "\0" else name, framing)
        sock = socket.socket(fileno=os.dup(listener.fileno()))
        server._server = await loop.create_unix_server(protocol, sock=sock, ssl=ssl)
    else:
        server._server = await loop.create_server(protocol, host or None, port, ssl=ssl)
    return server


async def serve(
    endpoint: Endpoint,
    handler: _Handler,
    framing: str,
    *,
    per: _Per | None = None,
    timeout: float | None | EllipsisType = ...,
    max: int | None = None,
    ssl: tls.SSLContext | None = None,
) -> None:
    """Serves until it is cancelled. The arguments are those of ``start``."""
    async with start(
        endpoint, handler, framing, per=per, timeout=timeout, max=max, ssl=ssl
    ) as server:
        await server.serve_forever()
