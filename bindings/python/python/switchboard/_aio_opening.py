"""Something that is being opened: awaited, or entered with ``async with``."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

T = TypeVar("T", bound=AbstractAsyncContextManager[Any])


class Opening(Generic[T]):
    """``await`` it, or enter it with ``async with``; once."""

    def __init__(self, opens: Coroutine[Any, Any, T]) -> None:
        self._opens = opens
        self._opened: T | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            text = f"there is no {name!r} before it is open: 'c = await connect(..)'"
            raise AttributeError(f"{text}, or 'async with connect(..) as c'; so with start")

    def __await__(self) -> Generator[Any, None, T]:
        return self._opens.__await__()

    async def __aenter__(self) -> T:
        self._opened = await self
        await self._opened.__aenter__()
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            await self._opened.__aexit__(kind, error, traceback)
