"""Tasks that wait for the same thing, each for its own time."""

from __future__ import annotations

import asyncio


class Waiting:
    """Who waits for one thing, and until when.

    Most waits end long before their time, so there is one timer for all of them, which stays when a
    wait is over: it looks then who has waited too long, and when it is to look again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._until: dict[asyncio.Future[bool], float | None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._until)

    async def wait(self, seconds: float | None) -> bool:
        """Waits until it is woken, at most so long; says whether it was."""
        future: asyncio.Future[bool] = self._loop.create_future()
        until = None if seconds is None else self._loop.time() + seconds
        self._until[future] = until
        if until is not None and (self._timer is None or until < self._looks_at):
            self._look_at(until)
        try:
            return await future
        finally:
            del self._until[future]
            if self._closed and not self._until:
                self._stop()

    def wake(self) -> None:
        """Wakes all who wait: each looks for itself."""
        for future in self._until:
            if not future.done():
                future.set_result(True)

    def close(self) -> None:
        """The same, and nobody is expected to wait much longer: no timer stays."""
        self._closed = True
        self.wake()
        self._stop()

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        later = []
        for future, until in self._until.items():
            if until is None or future.done():
                continue
            if until <= now:
                future.set_result(False)
            else:
                later.append(until)
        if later:
            self._look_at(min(later))

    def _look_at(self, when: float) -> None:
        self._stop()
        self._looks_at = when
        self._timer = self._loop.call_at(when, self._look)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
