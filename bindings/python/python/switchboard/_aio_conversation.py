"""A framed connection on a loop of asyncio."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from switchboard._aio_link import Link, endpoint
from switchboard._errors import Misused
from switchboard._native import LINGER_TIMEOUT

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Conversation:
    """Sends and receives whole messages; made by ``connect`` and by a server.

    A call that is cancelled, or times out, loses nothing that came. Who receives message after
    message without having to wait lets other tasks run once for each 1,024.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._session = link.session
        self._finished = False
        self._closed = False
        self._closing = False
        # It was ended while it waited for a message.
        self._idle = False
        # Whose turn it is to request, first come first served.
        self._requests = asyncio.Lock()

    async def send(self, message: Buffer) -> None:
        """Sends a message, and waits while the peer has more than enough to take.

        Messages that are sent one after the other leave together, once this task waits for
        anything. One whose wait times out or is cancelled is on its way all the same, and is not
        to be sent again.
        """
        if not self._session.queue_behind(message):
            self._may_send()
            self._link.queue(message)
            if not self._link.may_write:
                await self._link.drained()

    async def send_many(self, messages: Iterable[Buffer]) -> None:
        """Sends several messages at once."""
        self._may_send()
        self._link.queue_many(messages)
        if not self._link.may_write:
            await self._link.drained()

    async def recv(self) -> bytes | None:
        """The next message, waiting for it. ``None`` is the end, between two messages."""
        message = self._session.take_one()
        return await self._next() if message is None else message

    async def _next(self, asks: bool = False) -> bytes | None:
        """The same where that asks for more than to take what is there; or is for a request."""
        while True:
            self._is_open()
            if self._session.turn_is_over():
                await asyncio.sleep(0)
                continue
            if messages := self._session.take(1, asks):
                return messages[0]
            if self._session.ending == "finished":
                return None
            await self._link.more()

    async def recv_many(self, max: int | None = None) -> list[bytes]:
        """The messages that are there, at most ``max``, waiting for the first. None: the end."""
        while True:
            self._is_open()
            if messages := self._session.take(max):
                return messages
            if self._session.ending == "finished":
                return []
            await self._link.more()

    async def request(self, message: Buffer) -> bytes:
        """Sends a message and receives the next one.

        Several tasks may request at a time: one after the other, and each has its own reply; who
        receives meanwhile has what comes behind it. Whoever is cancelled or times out in the middle
        of it has asked all the same: the reply may still come, and is no reply to another request.
        That raises ``Misused`` until ``recv`` has given the late one.
        """
        async with self._requests:
            self._may_send()
            self._session.ask(message)
            try:
                self._link.write()
                if not self._link.may_write:
                    await self._link.drained()
                reply = await self._next(asks=True)
            finally:
                self._session.asked()
                self._link.look()
            if reply is None:
                raise self._session.no_reply()
            return reply

    async def finish(self) -> None:
        """Says that this side is done sending, and goes on receiving.

        The TLS of asyncio has no such thing, and raises ``Misused``: close it instead.
        """
        self._is_open()
        if not self._link.transport.can_write_eof():
            raise Misused("TLS over asyncio cannot be done sending and go on receiving: close it")
        await self._finish()

    async def _finish(self) -> None:
        if self._finished:
            return
        self._link.write()
        await self._link.drained()
        # Another task may have sent meanwhile.
        self._link.write()
        self._finished = True
        # One that is broken already has no end to tell, of which uvloop complains.
        if self._link.transport.can_write_eof() and not self._link.transport.is_closing():
            try:
                self._link.transport.write_eof()
            except OSError as error:
                number = error.errno or errno.ECONNRESET
                raise self._session.broken("cannot finish sending to", number) from error

    async def close(self) -> None:
        """Ends the conversation so that the peer loses nothing: what was sent is delivered, then
        the peer's end is waited for, for up to 2 seconds; ``abort`` waits for nothing.

        After a ``send`` that timed out nothing is waited for: it has been told.
        """
        if self._closed:
            return
        self._closing = True
        if self._link.stalled:
            self._leave()
            return
        try:
            await self._finish()
            await self._linger()
        finally:
            self._shut()
            self._link.transport.close()
        await self._link.gone()

    async def _linger(self) -> None:
        """Reads until the peer's end and throws it away, for a short time."""
        try:
            async with asyncio.timeout(LINGER_TIMEOUT):
                # A connection that is closed with something unread is reset.
                while self._link.transport.can_write_eof():
                    if not self._session.take(None):
                        if self._session.ending is not None:
                            break
                        await self._link.more()
        except (TimeoutError, OSError, EOFError, ValueError):
            pass  # Whoever closes has heard all that he wanted to.

    def _leave(self) -> None:
        """Ends it without waiting for anything; what was sent is delivered behind this."""
        self._shut()
        self._link.leave()

    async def _fail(self) -> None:
        """Ends it where not all has been said: what was sent is delivered, then the peer is reset,
        where there is such a thing."""
        self._shut()
        await self._link.fail()

    def abort(self) -> None:
        """Breaks the conversation off: the peer is told with a reset, where there is one."""
        self._shut()
        self._link.abort()

    def set_framing(self, framing: str, *, max: int | None = None) -> None:
        """Switches to another framing, both ways, from the next message on."""
        self._session.set_framing(framing, max)

    @property
    def remote(self) -> str | None:
        """The peer's endpoint, when it has one that says something; ``None`` once it is closed."""
        if self._closed:
            return None
        return endpoint(self._link.transport.get_extra_info("peername"))

    @property
    def local(self) -> str | None:
        """This side's endpoint; ``None`` once it is closed."""
        return None if self._closed else endpoint(self._link.transport.get_extra_info("sockname"))

    @property
    def ending(self) -> str | None:
        """How receiving has ended, once it has."""
        return self._session.ending

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        message = self._session.take_one()
        if message is None and (message := await self._next()) is None:
            raise StopAsyncIteration
        return message

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, SystemExit):
            await self.close()
        elif issubclass(kind, GeneratorExit):
            # An end too, but nothing can be waited for in it.
            self._leave()
        else:
            # What was sent may be half of something: the peer is not to take it for the whole.
            self.abort()

    def __repr__(self) -> str:
        state = ", closed" if self._closed else f" with {self.remote or 'the peer'}"
        return f"<switchboard.aio.Conversation{state}>"

    def _shut(self) -> None:
        self._closed = True
        self._session.close()

    def _is_open(self) -> None:
        if self._closed:
            raise Misused("the conversation is closed")

    def _may_send(self) -> None:
        self._is_open()
        if self._finished:
            raise Misused("sending is finished, nothing more can be sent")
        if self._link.transport.is_closing():
            raise self._session.broken("cannot send to", errno.ECONNRESET)
