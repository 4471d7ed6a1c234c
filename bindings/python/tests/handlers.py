"""Handlers that another interpreter finds by their names."""

from __future__ import annotations

import os

import switchboard as sb


def who(message: bytes) -> bytes:
    return b"%d %s" % (os.getpid(), message)


def converse(c: sb.Conversation) -> None:
    for message in c:
        c.send(message + message)
