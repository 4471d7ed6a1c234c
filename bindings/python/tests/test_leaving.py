"""What the peer reads when a `with` block is left: an end after the end of the block, a reset after
an accident in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

import switchboard as sb
from helpers import with_socket


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, sb.TimedOut])
def test_an_accident_is_no_end(error: type[BaseException]) -> None:
    c, peer = with_socket("lines")
    with pytest.raises(error), c:
        c.send(b"half of it")
        assert peer.recv(100) == b"half of it\n"
        raise error("in the middle")
    assert c.closed
    with pytest.raises(ConnectionResetError):
        peer.recv(100)


def test_the_end_of_a_program_is_one() -> None:
    c, peer = with_socket("lines")
    peer.settimeout(20)
    with pytest.raises(SystemExit), c:
        c.send(b"all of it")
        peer.shutdown(1)
        sys.exit(0)
    assert (peer.recv(100), peer.recv(100)) == (b"all of it\n", b"")


def test_the_end_of_a_generator_is_one() -> None:
    c, peer = with_socket("lines")

    def messages() -> Iterator[bytes]:
        with c:
            c.send(b"all of it")
            for message in c:  # `yield from` would close it by itself.
                yield message

    peer.sendall(b"one\ntwo\n")
    peer.shutdown(1)
    generator = messages()
    assert next(generator) == b"one"
    generator.close()  # type: ignore[attr-defined]
    assert c.closed
    assert (peer.recv(100), peer.recv(100)) == (b"all of it\n", b"")
