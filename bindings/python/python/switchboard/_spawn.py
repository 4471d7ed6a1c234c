"""Processes for a program that has threads, off which nothing may be forked: a fresh interpreter is
started, and that one forks."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.connection import Connection
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from switchboard import _native
from switchboard._errors import SwitchboardError

if TYPE_CHECKING:
    from switchboard._native import Running


class Spawned:
    """A server in an interpreter of its own; as a context manager it is stopped at the end.

    What a ``Running`` has, this has too.
    """

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # Not a daemon: those may have no children, and this one has nothing else.
        self._process = context.Process(target=_serve, args=(theirs, arguments))
        self._process.start()
        theirs.close()
        self._endpoints: list[str] = self._answer("the server did not start")

    @property
    def endpoints(self) -> list[str]:
        """Where it listens, with the port that was chosen for port 0."""
        return list(self._endpoints)

    @property
    def stats(self) -> dict[str, int]:
        """What it has done so far, by name."""
        self._pipe.send(("stats", None))
        counts: dict[str, int] = self._answer("the server has ended")
        return counts

    def stop(self, within: float | None | EllipsisType = ...) -> None:
        """Stops the server and waits until every conversation is over, as of a ``Running``."""
        if self._pipe.closed:
            return
        try:
            self._pipe.send(("stop", within))
            self._answer("the server has ended")
        finally:
            self._pipe.close()
            self._process.join()

    def join(self) -> None:
        """Waits until serving ends."""
        self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _answer(self, otherwise: str) -> Any:
        try:
            answer = self._pipe.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            raise SwitchboardError(f"{otherwise}: its process ended with {code}") from None
        if isinstance(answer, BaseException):
            self._process.join()
            raise answer
        return answer


def _serve(pipe: Connection, arguments: tuple[Any, ...]) -> None:
    """What the fresh interpreter does: serves until it is told to stop, or nobody can tell it."""
    # Ctrl-C comes to all of a terminal; who started this one decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        running: Running = _native.start_server(*arguments)
    except Exception as error:
        pipe.send(error)
        return
    within: float | None | EllipsisType = ...
    try:
        pipe.send(running.endpoints)
        while (told := pipe.recv())[0] != "stop":
            pipe.send(running.stats)
        within = told[1]
    except (EOFError, OSError):
        pass  # Who started this one is gone.
    try:
        running.stop(within)
        pipe.send(None)
    except Exception as error:
        pipe.send(error)
