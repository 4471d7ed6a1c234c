"""What a handler wants to be given, and what it answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from switchboard._native import as_message

if TYPE_CHECKING:
    from switchboard._native import _Per

#: What a conversation is called by who does not annotate.
NAMES = ("c", "conv", "conversation")


def wants(handler: Callable[[Any], Any]) -> _Per:
    """A conversation for a parameter that is annotated as one or called so, else a message."""
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):
        return "message"  # A function that Python cannot look into, as bytes.upper.
    try:
        signature.bind(None)
    except TypeError as error:
        text = f"a handler is called with a message, or a conversation: {error}"
        raise TypeError(text) from None
    parameters = list(signature.parameters.values())
    if not parameters:
        return "message"
    annotation = parameters[0].annotation
    if annotation is not inspect.Parameter.empty:
        name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        is_conversation = name.strip("'\"").rpartition(".")[2] == "Conversation"
        return "conversation" if is_conversation else "message"
    return "conversation" if parameters[0].name in NAMES else "message"


def answers(
    handler: Callable[[bytes], Any], messages: Iterable[bytes], into: list[bytes]
) -> None:
    """Has a handler answer messages; what it answered before a fault is there."""
    for message in messages:
        answer = handler(message)
        if answer.__class__ is bytes:
            into.append(answer)
        elif answer is not None:
            into.append(as_message(answer))
