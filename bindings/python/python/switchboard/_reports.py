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
    name = getattr(handler, "__qualname__", None) or repr(handler)
    where = f"the handler {name} raised"
    if number is not None:
        where += f", at message {number}"
    if peer is not None:
        where += f" of {peer}"
    error.__traceback__ = _of_handler(error.__traceback__)
    if sys.unraisablehook is not sys.__unraisablehook__:
        error.add_note(where)
        return False
    if sys.stderr is not None:
        lines = traceback.format_exception(error)
        sys.stderr.write("".join([where, ":\n", *lines]))
        sys.stderr.flush()
    return True


def _of_handler(trace: TracebackType | None) -> TracebackType | None:
    """Without what is around the handler."""
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(
        "switchboard._"
    ):
        trace = trace.tb_next
    return trace
