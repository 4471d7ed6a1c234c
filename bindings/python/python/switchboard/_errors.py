"""The exceptions. Each is a ``SwitchboardError`` and the built-in exception that code which knows
sockets expects; `errors.rs` decides which error of the library is which."""

from __future__ import annotations

import socket
from typing import Any


class SwitchboardError(Exception):
    """Whatever goes wrong here. The text says what, where, and what to do."""

    #: How the conversation stopped, if this is such a stop: ``"truncated"``, ``"reset"``, ...
    ending: str | None = None
    #: The endpoint, as in the text.
    endpoint: str | None = None
    #: The number of the message at fault in its direction, from 1.
    message_number: int | None = None
    #: The offset in the stream, in bytes.
    byte_offset: int | None = None

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:
        # What an `OSError` knows is not in its dictionary.
        of_system = {name: getattr(self, name, None) for name in ("errno", "strerror")}
        state = {name: value for name, value in of_system.items() if value is not None}
        return type(self), self.args, self.__dict__ | state


class _OfFrame(SwitchboardError):
    #: Where it showed: an offset in the stream, in bytes.
    at: int | None = None
    #: From a ``Decoder``: what the same call had decoded before the fault.
    messages: list[bytes]

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.messages = []


class Truncated(_OfFrame, EOFError):
    """The stream ended inside a message."""

    #: What had arrived of it.
    partial: bytes = b""


class Oversize(_OfFrame, ValueError):
    """A message is larger than the limit."""


class BadFrame(_OfFrame, ValueError):
    """The peer broke the framing; ``ending`` says how."""


class BadFraming(SwitchboardError, ValueError):
    """A string that says no framing."""

    #: The column at fault, in characters, from 1.
    column: int = 0
    #: What to write instead, when there is a likely answer.
    hint: str | None = None


class Reset(SwitchboardError, ConnectionResetError):
    """The peer broke the connection."""


class PeerDead(SwitchboardError, ConnectionResetError):
    """The peer has silently gone: probes or sent bytes stayed without an answer."""


class TimedOut(SwitchboardError, TimeoutError):
    """A timeout of this side passed. A call that receives has lost nothing, and may be made again.
    One that sends may have sent a part of its message: nothing can be sent behind it."""


class NoReply(SwitchboardError, EOFError):
    """The peer finished without a reply to a request."""


class NotYet(SwitchboardError, BlockingIOError):
    """No whole message is there yet, for a call that does not wait."""


class Refused(SwitchboardError, ConnectionRefusedError):
    """Nobody listens there."""


class Unresolved(SwitchboardError, socket.gaierror):
    """The name has no address."""


class Denied(SwitchboardError, PermissionError):
    """This user may not."""


class Misused(SwitchboardError, ValueError):
    """A call that cannot be: on a conversation that is closed, of a message that cannot be written
    in its framing."""


class Failed(SwitchboardError, OSError):
    """The system says no: an address in use, no descriptors left, ...; ``errno`` says which."""


class Missing(Failed, FileNotFoundError):
    """There is no such path, or no such program."""


# They are known by where they are found.
for _class in list(vars().values()):
    if isinstance(_class, type) and issubclass(_class, SwitchboardError):
        _class.__module__ = "switchboard"
