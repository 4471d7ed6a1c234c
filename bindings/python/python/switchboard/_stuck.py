"""Calls of a handler that do not return: telling where they are, ending them with the program."""

from __future__ import annotations

import ctypes
import sys
import time
import warnings
from collections.abc import Iterable
from types import FrameType
from typing import TYPE_CHECKING

from switchboard._native import stuck_threads

if TYPE_CHECKING:
    import asyncio

#: How long the end of the program waits for them, in seconds.
END_WITHIN = 0.25


class _Ends(BaseException):
    """Raised where a handler is when the program ends."""


def warn_of_threads(handler: object, threads: list[int], seconds: float) -> None:
    """Says which calls a stop has not waited for any longer, to whoever called that."""
    frames = sys._current_frames()
    warn(handler, [_called(frames.get(thread)) for thread in threads], seconds, stacklevel=3)


def warn_of_tasks(handler: object, tasks: Iterable[asyncio.Task[None]], seconds: float) -> None:
    """The same of tasks."""
    warn(handler, [_awaited(task.get_coro()) for task in tasks], seconds, stacklevel=4)


def warn(handler: object, calls: list[list[str]], seconds: float, *, stacklevel: int) -> None:
    name = getattr(handler, "__qualname__", None) or repr(handler)
    count = "1 call" if len(calls) == 1 else f"{len(calls)} calls"
    has = "has" if len(calls) == 1 else "have"
    # The handler's own, and where that waits.
    places = sorted({" > ".join(dict.fromkeys([call[0], call[-1]])) for call in calls if call})
    text = (
        f"{count} of the handler {name} {has} not returned within the {seconds:g} s of the stop: "
        "who was still connected is cut off, and nobody waits for it any longer"
    )
    if places:
        text += f"; it is at {', '.join(places)}"
    warnings.warn(text, RuntimeWarning, stacklevel=stacklevel)


def _called(frame: FrameType | None) -> list[str]:
    """The places of a thread, from the handler on."""
    places = []
    while frame is not None:
        # Around the handler is the server.
        if not _is_ours(frame):
            places.append(_place(frame))
        frame = frame.f_back
    return places[::-1]


def _awaited(coroutine: object) -> list[str]:
    """The same of a coroutine."""
    places = []
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        if not _is_ours(frame):
            places.append(_place(frame))
        coroutine = getattr(coroutine, "cr_await", None)
    return places


def _is_ours(frame: FrameType) -> bool:
    name: str = frame.f_globals.get("__name__", "")
    return name.startswith("switchboard.")


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def end_stuck() -> None:
    """Has the calls that go on raise: a thread that came back into an interpreter which is gone
    would take the whole process down."""
    threads = stuck_threads()
    for thread in threads:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_Ends))
    end = time.monotonic() + END_WITHIN
    # One that waits in the system for something else stays there.
    while stuck_threads() and time.monotonic() < end:
        time.sleep(0.001)
