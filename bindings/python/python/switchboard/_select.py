"""Waiting for many things at a time in one thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from switchboard import _native


class HasFileno(Protocol):
    """Whatever has a descriptor: sockets, pipes, files."""

    def fileno(self) -> int: ...


Source = HasFileno | int


class Ready(NamedTuple):
    """What is ready, of each list; all empty when the time has passed."""

    readers: list[Source]
    writers: list[Source]
    errors: list[Source]


def select(
    readers: Iterable[Source],
    writers: Iterable[Source] = (),
    errors: Iterable[Source] = (),
    timeout: float | None = None,
) -> Ready:
    """Waits until something is ready, or ``timeout`` seconds have passed, and says what.

    As ``select.select``, without its limit of 1024; and a conversation is ready when ``try_recv``
    has something to tell: a message that is buffered already counts, half a message does not.

    >>> import switchboard as sb
    >>> with sb.listen("127.0.0.1:0", framing="lines") as listener:
    ...     c = sb.connect(listener.endpoints[0], framing="lines")
    ...     sb.select([listener, c], [c], timeout=5).writers == [c]
    True
    """
    lists = (_several(readers), _several(writers), _several(errors))
    indices = _native.select_indices(*lists, timeout)
    return Ready(*([one[i] for i in found] for one, found in zip(lists, indices, strict=True)))


def _several(sources: Iterable[Source]) -> list[Source]:
    # A conversation gives its messages to who iterates over it, and those would be lost.
    if hasattr(sources, "fileno"):
        raise TypeError(f"select takes lists, as [{type(sources).__name__.lower()}]: this is one")
    return list(sources)
