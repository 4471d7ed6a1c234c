"""What the tests share."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

import switchboard as sb

#: So long a test waits for what must come; it is never waited out.
PATIENCE = 20.0


def two(framing: str = "u32be", timeout: float | None = PATIENCE) -> tuple[
    sb.Conversation, sb.Conversation
]:
    """Two conversations with each other."""
    a, b = socket.socketpair()
    return (
        sb.wrap(a, framing, timeout=timeout),
        sb.wrap(b, framing, timeout=timeout, role="server"),
    )


def with_socket(framing: str = "u32be") -> tuple[sb.Conversation, socket.socket]:
    """A conversation over TCP, and the bare socket at its other side."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        conversation = sb.connect(f"tcp://{host}:{port}", framing, timeout=PATIENCE)
        peer, _ = listener.accept()
        peer.settimeout(PATIENCE)
        return conversation, peer


def reset(peer: socket.socket) -> None:
    """Breaks a connection off."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@contextmanager
def in_thread(work: Callable[[], None]) -> Iterator[threading.Thread]:
    """Runs something beside a test, whose exception is the test's."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    thread.join(PATIENCE)
    assert not thread.is_alive()
    if failed:
        raise failed[0]


def cannot(why: str) -> NoReturn:
    """Skips a test that this machine cannot run; where nothing may be skipped it fails."""
    if os.environ.get("SWITCHBOARD_NO_SKIP"):
        pytest.fail(why)
    pytest.skip(why)
