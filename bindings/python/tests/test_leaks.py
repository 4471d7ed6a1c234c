"""A hundred thousand conversations leave nothing behind."""

from __future__ import annotations

import gc
import os
import socket
import sys

import switchboard as sb
from helpers import PATIENCE


def used() -> tuple[int, int, int]:
    """Descriptors, objects of Python's, bytes of memory."""
    gc.collect()
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[1])
    return len(os.listdir("/proc/self/fd")), sys.getallocatedblocks(), pages * 4096


def converse(number: int) -> None:
    """A conversation that ends in one of four ways."""
    ours, theirs = socket.socketpair()
    a = sb.wrap(ours, "u32be", timeout=PATIENCE)
    b = sb.wrap(theirs, "u32be", timeout=PATIENCE)
    a.send_many([b"hello", b"world"])
    assert b.recv_many() == [b"hello", b"world"]
    if number % 4 == 0:
        a.finish()
        b.close()
        a.close()
    elif number % 4 == 1:
        a.abort()
        try:
            b.recv()
        except sb.SwitchboardError:
            pass
    elif number % 4 == 2:
        a.send(b"x")
        view = b.recv_view()
        assert view is not None
    # Else both are dropped as they are.


def test_nothing_is_left_of_100_000_conversations() -> None:
    for number in range(2_000):
        converse(number)
    descriptors, blocks, memory = used()
    # Each of them is two conversations, with each other.
    for number in range(50_000):
        converse(number)
    then = used()
    assert then[0] == descriptors
    assert then[1] - blocks < 1_000
    assert then[2] - memory < 8 << 20


def test_nothing_is_left_of_conversations_that_were_served() -> None:
    with sb.start("127.0.0.1:0", lambda message: message, "lines", dispatch="events") as server:
        endpoint = server.endpoints[0]

        def ask() -> None:
            with sb.connect(endpoint, "lines", timeout=PATIENCE) as c:
                assert c.request(b"x") == b"x"

        for _ in range(200):
            ask()
        descriptors, blocks, memory = used()
        for _ in range(3_000):
            ask()
        then = used()
        assert then[0] <= descriptors + 2  # The server may not have seen the last end.
        assert then[1] - blocks < 1_000
        assert then[2] - memory < 8 << 20
