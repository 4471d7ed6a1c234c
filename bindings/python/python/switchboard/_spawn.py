"""Processes for a program that has threads, off which nothing may be forked: a fresh interpreter is
started, and that one forks.

The pipe between the two is the lifeline of the other interpreter: once this end of it is closed, by
whatever end of this process, that one stops too."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from multiprocessing.util import Finalize
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from switchboard import _native
from switchboard._errors import Misused, SwitchboardError

if TYPE_CHECKING:
    from switchboard._native import Running

#: How long a wait may overlook a signal that came just before it, in seconds.
LOOK_INTERVAL = 0.25


class Spawned:
    """A server in an interpreter of its own; as a context manager it is stopped at the end.

    What a ``Running`` has, this has too.
    """

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        _check(arguments)
        self._owner = os.getpid()
        # What the other one said when it stopped.
        self._stats: dict[str, int] | None = None
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        try:
            # It leaves signals unblocked, which must not be so under way.
            resource_tracker.ensure_running()
            # Until the other one ignores it, Ctrl-C must not end it in the middle of its start.
            signal.pthread_sigmask(signal.SIG_SETMASK, mask | {signal.SIGINT})
            self._pipe, theirs = multiprocessing.Pipe()
            self._process = _Process(theirs, mask, arguments)
            self._process.start()
            theirs.close()
            # At the end of the program, before that waits for the process; or once this is dropped.
            self._end = Finalize(self, _end, (self._pipe, self._process), exitpriority=0)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            self._endpoints: list[str] = self._answer("the server did not start")
        except BaseException:
            self._end()
            raise

    @property
    def endpoints(self) -> list[str]:
        """Where it listens, with the port that was chosen for port 0."""
        return list(self._endpoints)

    @property
    def stats(self) -> dict[str, int]:
        """What it has done so far, by name."""
        self._check_owner()
        if self._stats is not None:
            return dict(self._stats)
        counts: dict[str, int] = self._ask(("stats", None))
        return counts

    def stop(self, within: float | None | EllipsisType = ...) -> None:
        """Stops the server and waits until every conversation is over, as of a ``Running``."""
        self._check_owner()
        if not isinstance(within, EllipsisType):
            _native.seconds(within)  # What is none must not end the process.
        if self._pipe.closed:
            return
        try:
            self._stats = self._ask(("stop", within))
        except BaseException:
            # It has ended; or a signal's handler has raised this, and nobody wants to wait.
            self._process.kill()
            raise
        finally:
            self._end()

    def join(self) -> None:
        """Waits until serving ends."""
        self._check_owner()
        _join(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A process that was forked off this one leaves the block too, and has no say in it.
        if self._owner == os.getpid():
            self.stop()

    def _check_owner(self) -> None:
        if self._owner != os.getpid():
            raise Misused("the server is of the process that started it")

    def _ask(self, what: tuple[str, object]) -> Any:
        try:
            self._pipe.send(what)
        except OSError:
            pass  # It may have told something before it ended.
        return self._answer("the server has ended")

    def _answer(self, otherwise: str) -> Any:
        try:
            while not self._pipe.poll(LOOK_INTERVAL):
                pass
            answer = self._pipe.recv()
        except (EOFError, OSError):
            _join(self._process)
            code = self._process.exitcode
            raise SwitchboardError(f"{otherwise}: its process ended with {code}") from None
        if isinstance(answer, BaseException):
            _join(self._process)
            raise answer
        return answer


class _Process(SpawnProcess):
    """The other interpreter. Not a daemon: those may have no children, and it has nothing else."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(target=_serve, args=arguments)
        self._owner = os.getpid()

    def join(self, timeout: float | None = None) -> None:
        # At its end a process that was forked off the owner would wait for this one too.
        if self._owner == os.getpid():
            super().join(timeout)


def _check(arguments: tuple[Any, ...]) -> None:
    """Whether another interpreter will find what it is to call; before anything is started."""
    handler = arguments[1]
    try:
        ForkingPickler.dumps(handler)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f'start_method="spawn" has a fresh interpreter find the handler by its name, and it'
            f" cannot find {handler!r}: define it by def at the top level of a module, not as a"
            f" lambda or within a function ({error})"
        ) from None


def _join(process: SpawnProcess) -> None:
    # Not until its sentinel tells: processes that it has forked may hold that open.
    while process.is_alive():
        process.join(LOOK_INTERVAL)


def _end(pipe: Connection, process: SpawnProcess) -> None:
    pipe.close()
    try:
        _join(process)
    except BaseException:
        # A signal's handler has raised this, and nobody wants to wait.
        process.kill()
        raise


def _serve(pipe: Connection, mask: set[int], arguments: tuple[Any, ...]) -> None:
    """What the fresh interpreter does: serves until it is told to stop, or nobody can tell it."""
    # Ctrl-C comes to all of a terminal; who started this one decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        running: Running = _native.start_server(*arguments)
    except Exception as error:
        _tell(pipe, error)
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
    except Exception as error:
        _tell(pipe, error)
    else:
        _tell(pipe, running.stats)


def _tell(pipe: Connection, answer: object) -> None:
    try:
        pipe.send(answer)
    except OSError:
        pass  # There is nobody any more.
