"""How bytes that were decoded have ended."""

from __future__ import annotations


class Ending(str):
    """The ending of a stream that ended well: the string ``"finished"``."""

    #: The messages that only the end completed, as of the framing ``eof``.
    messages: list[bytes]

    def __new__(cls, messages: list[bytes]) -> Ending:
        ending = super().__new__(cls, "finished")
        ending.messages = messages
        return ending
