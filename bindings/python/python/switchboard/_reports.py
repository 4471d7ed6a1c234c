"""Telling what a handler raised, which nobody can catch."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType


def report(
    handler: object, error: BaseException, peer: str | None, number: int | None
) -> bool:
    """Says on standard error what a handler raised, about which message of whom, at one go: other
    threads and processes write there too. ``False`` where a hook of the program's own wants to have
    it: that finds the same as a note of the exception.
    """
    told = where(handler, peer, number)
    error.__traceback__ = _of_handler(error.__traceback__)
    if sys.unraisablehook is not sys.__unraisablehook__:
        error.add_note(told)
        return False
    if sys.stderr is not None:
        lines = traceback.format_exception(error)
        sys.stderr.write("".join([told, ":\n", *lines]))
        sys.stderr.flush()
    return True


def where(handler: object, peer: str | None, number: int | None) -> str:
    """That a handler raised, and at what."""
    name = getattr(handler, "__qualname__", None) or repr(handler)
    at = "" if number is None else f", at message {number}"
    of = "" if peer is None else f" of {peer}"
    return f"the handler {name} raised{at}{of}"


def _of_handler(trace: TracebackType | None) -> TracebackType | None:
    """Without what is around the handler."""
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(
        "switchboard._"
    ):
        trace = trace.tb_next
    return trace
