"""A session on a loop of asyncio: the protocol that is called, and what waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import socket
import struct
import sys
import termios
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from switchboard._aio_waiting import Waiting
from switchboard._native import (
    DELIVERY_LOOK_FIRST,
    DELIVERY_LOOK_MAX,
    LINGER_TIMEOUT,
    Session,
    watch_peer,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: Bytes that are read at a time: 64 KiB, and a header before them, so that a message of a round
#: size comes in one read.
READ_BYTES = 65 * 1024

#: What each loop reads into, for all of its connections: nothing stays there past a read.
_buffers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, bytearray] = (
    weakref.WeakKeyDictionary()
)

#: Bytes that are kept for who does not receive; then nothing more is read.
UNREAD_BYTES_MAX = 256 * 1024


class Link(asyncio.BufferedProtocol):
    """Moves bytes between a transport and a session. It knows of no messages.

    Invariant: what is there is told before what came of the stream; nothing is read for who has
    more than enough to receive. What is sent is written before anything is waited for.
    """

    def __init__(
        self,
        make: Callable[[str], Session],
        connected: Callable[[Link], None] | None = None,
    ) -> None:
        self.transport: asyncio.Transport
        self.session: Session
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._make = make
        self._connected = connected
        self._buffer = buffer_of(self._loop)
        self._readers = Waiting(self._loop)
        self._writers = Waiting(self._loop)
        self.may_write = True
        self._writes_soon = False
        self._reads = True
        #: A wait for the peer to take something has timed out, and it still takes nothing.
        self.stalled = False
        #: What is done once somebody waits for something to come.
        self._when_idle: Callable[[], object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of loops other than asyncio's it is no instance of that class.
        self.transport = cast(asyncio.Transport, transport)
        if (sock := transport.get_extra_info("socket")) is not None:
            # As everywhere: a peer that has vanished is told within minutes.
            watch_peer(sock.fileno())
        self.session = self._make(endpoint(transport.get_extra_info("peername")) or "the peer")
        if self._connected is not None:
            self._connected(self)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.session.feed(self._buffer, nbytes)
        if self._readers:
            self._readers.wake()
        elif self.session.unread > UNREAD_BYTES_MAX:
            self._reads = False
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self.session.end()
        self._readers.wake()
        # The other direction goes on, but where asyncio speaks TLS: it cannot.
        return self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        # Without an end of its own: we have closed it, or it broke.
        number = getattr(exc, "errno", None) or errno.ECONNRESET
        self.session.lost(number)
        self.may_write = True
        self._readers.close()
        self._writers.close()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self.may_write = False

    def resume_writing(self) -> None:
        self.may_write = True
        self.stalled = False
        self._writers.wake()

    async def more(self) -> None:
        """Waits until something has come, for as long as the session has patience."""
        self.write()
        if self._when_idle is not None:
            self._when_idle()
        if not self._reads:
            self._reads = True
            self.transport.resume_reading()
        if not await self._readers.wait(self.session.patience()):
            raise self.session.timed_out("waiting for a message from")

    def end_idle(self, end: Callable[[], object]) -> None:
        """Ends what waits for something to come, by a function: now, or once it does."""
        self._when_idle = end
        if self._readers:
            end()

    def look(self) -> None:
        """Has those who wait for something to come look again."""
        if self._readers:
            self._readers.wake()

    def queue(self, message: Buffer) -> None:
        """Sends a message, with what is sent behind it until this task waits for something."""
        if self.session.queue(message):
            self.write()
        else:
            self._write_soon()

    def queue_many(self, messages: Iterable[Buffer]) -> None:
        """The same for several."""
        rest = iter(messages)
        try:
            while self.session.queue_many(rest):
                self.write()
        finally:
            # What comes before a message that cannot be sent is sent.
            self._write_soon()

    def _write_soon(self) -> None:
        if not self._writes_soon:
            self._writes_soon = True
            self._loop.call_soon(self.write)

    def write(self) -> None:
        """Hands on what the session has to send."""
        self._writes_soon = False
        if pending := self.session.transmit():
            self.transport.write(pending)

    async def drained(self) -> None:
        """Waits until the peer takes more, if it has enough for now."""
        if not self.may_write:
            self.write()
        while not self.may_write:
            left = self._left()
            in_time = await self._writers.wait(self.session.stall)
            # A peer that is slow takes something now and then: only one that does not stalls.
            if not in_time and self._left() >= left:
                self.stalled = True
                raise self.session.timed_out("waiting to send to")

    def _left(self) -> int:
        """How many bytes the system has not taken yet."""
        try:
            return self.transport.get_write_buffer_size()
        except AttributeError:
            return 0  # What asyncio's TLS says once it is closed.

    def leave(self) -> None:
        """Closes without waiting: what is written is delivered, unless the peer takes nothing."""
        self.write()
        self.transport.close()
        self._watch(self._left())

    def _watch(self, left: int) -> None:
        """Breaks a connection off that is being closed, once its peer has stalled."""
        stall, loop = self.session.stall, asyncio.get_running_loop()
        if stall is None or self.closed.done():
            return

        def look() -> None:
            now = self._left()
            if now >= left:
                self.abort()
            else:
                self._watch(now)

        timer = loop.call_later(stall, look)
        self.closed.add_done_callback(lambda _: timer.cancel())

    async def gone(self) -> None:
        """Waits until what was written is delivered and the connection closed."""
        while not self.closed.done():
            left = self._left()
            await asyncio.wait([self.closed], timeout=self.session.stall)
            if not self.closed.done() and self._left() >= left:
                self.abort()
                raise self.session.timed_out("waiting to send to")

    async def fail(self) -> None:
        """Delivers what is written, and breaks the connection off; over a path it is an end.

        A reset takes away what the peer's system has not got yet, and nothing says when it has: it
        is looked at now and then.
        """
        sock = self.transport.get_extra_info("socket")
        if sock is None or sock.family == socket.AF_UNIX:
            self.leave()
            return
        self.write()
        pause, until = DELIVERY_LOOK_FIRST, self._loop.time() + LINGER_TIMEOUT
        try:
            while not self.closed.done() and self._loop.time() < until:
                if not self._left() and not undelivered(sock):
                    break
                await asyncio.wait([self.closed], timeout=pause)
                pause = min(2 * pause, DELIVERY_LOOK_MAX)
        finally:
            self.abort()

    def abort(self) -> None:
        """Closes without delivering what is left; over TCP the peer is reset."""
        sock = self.transport.get_extra_info("socket")
        # It may be closed, which uvloop calls a ``ValueError``.
        with contextlib.suppress(OSError, AttributeError, ValueError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def undelivered(sock: socket.socket) -> int:
    """How many bytes the peer's system has not got yet, of those that this one has taken."""
    try:
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):
        return 0  # It is closed, or nobody knows.


def buffer_of(loop: asyncio.AbstractEventLoop) -> bytearray:
    """The buffer that a loop reads into."""
    buffer = _buffers.get(loop)
    if buffer is None:
        buffer = _buffers[loop] = bytearray(READ_BYTES)
    return buffer


def endpoint(address: Any) -> str | None:
    """An address of asyncio as an endpoint."""
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
    if isinstance(address, bytes):
        address = address.decode(errors="replace")
    if not address:
        return None
    return f"unix:@{address[1:]}" if address.startswith("\0") else f"unix:{address}"
