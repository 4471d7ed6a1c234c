"""Waiting for many things at a time in one thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, overload

from switchboard import _native


class HasFileno(Protocol):
    """Whatever has a descriptor: sockets, pipes, files."""

    def fileno(self) -> int: ...


Source = HasFileno | int


S = TypeVar("S", bound=Source)


class Ready(NamedTuple, Generic[S]):
    """What is ready, of each list; all empty when the time has passed."""

    readers: list[S]
    writers: list[S]
    errors: list[S]


@overload
def select(
    readers: Iterable[S],
    writers: Iterable[S] = (),
    errors: Iterable[S] = (),
    timeout: float | None = None,
) -> Ready[S]: ...


# Of several kinds that have nothing but this in common, which checkers take for any object above.
@overload
def select(  # type: ignore[overload-cannot-match]
    readers: Iterable[Source],
    writers: Iterable[Source] = (),
    errors: Iterable[Source] = (),
    timeout: float | None = None,
) -> Ready[Source]: ...


def select(
    readers: Iterable[Any],
    writers: Iterable[Any] = (),
    errors: Iterable[Any] = (),
    timeout: float | None = None,
) -> Ready[Any]:
    """Waits until something is ready, or ``timeout`` seconds have passed, and says what.

    As ``select.select``, without its limit of 1024; and a conversation is ready when ``try_recv``
    has something to tell: a message that is buffered already counts, half a message does not.

    A listener or a conversation that another thread closes meanwhile is ready too: the next call
    of it raises ``Misused``, as this one does where one has been closed before.

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
