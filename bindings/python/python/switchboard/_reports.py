"""Telling how a handler failed, which nobody can catch."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType


def report(
    handler: object, error: BaseException, peer: str | None, number: int | None
) -> bool:
    """Says on standard error how a handler failed, about which message of whom, at one go: other
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
    """That a handler failed, and at what: it raised, or its answer cannot be sent."""
    name = getattr(handler, "__qualname__", None) or repr(handler)
    at = "in the conversation" if number is None else f"at message {number}"
    of = "with" if number is None else "of"
    return f"the handler {name} failed, {at} {of} {peer or 'its peer'}"


def _of_handler(trace: TracebackType | None) -> TracebackType | None:
    """Without what is around the handler."""
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(
        "switchboard._"
    ):
        trace = trace.tb_next
    return trace
