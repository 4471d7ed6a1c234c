"""An ending that an exception has told is not told again by closing."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE, two, with_socket


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def test_a_reset_that_receiving_told() -> None:
    c, peer = with_socket()
    with c:
        reset(peer)
        with pytest.raises(sb.Reset):
            c.recv()
    assert (c.closed, c.ending) == (True, "reset")
    c.close()


def test_a_reset_that_sending_told() -> None:
    for by_hand in (False, True):
        c, peer = with_socket()
        reset(peer)
        with pytest.raises(sb.Reset):
            while True:
                c.send(b"x")
        if by_hand:
            c.close()
        else:
            with c:
                pass
        assert c.closed


def test_other_endings() -> None:
    for sent, ending in [(b"\0\0\0\5he", sb.Truncated), (b"\xff" * 4, sb.Oversize)]:
        c, peer = with_socket()
        with c:
            peer.sendall(sent)
            reset_later = peer
            if ending is sb.Truncated:
                peer.shutdown(socket.SHUT_WR)
            with pytest.raises(ending):
                c.recv()
            reset(reset_later)
        assert c.closed


def test_one_that_nobody_was_told_is_told() -> None:
    c, peer = with_socket()
    c.set_timeout(0.01)
    with pytest.raises(sb.Reset):
        with c:
            # A timeout is no ending.
            with pytest.raises(sb.TimedOut):
                c.recv()
            reset(peer)
    assert c.closed


def test_a_message_that_went_by_half_is_told_once() -> None:
    ours, _theirs = two(timeout=0.01)
    with ours:
        with pytest.raises(sb.TimedOut, match="close the conversation"):
            ours.send(b"x" * 10_000_000)
    assert ours.closed


def test_what_could_not_be_delivered_is_told_again() -> None:
    ours, _theirs = two(timeout=0.01)
    with pytest.raises(sb.TimedOut):
        with ours:
            # They stay, to be delivered by a later call: leaving is one.
            with pytest.raises(sb.TimedOut):
                ours.send_many([b"x" * 1000] * 10_000)
    assert ours.closed


def test_in_asyncio() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            for sends in (False, True):
                c = await sba.connect(listener.getsockname(), "u32be", timeout=PATIENCE)
                peer, _ = listener.accept()
                reset(peer)
                async with c:
                    with pytest.raises(sb.Reset) as error:
                        await c.recv()
                    if sends:
                        with pytest.raises(sb.Reset) as error:
                            await c.send(b"x")
                    assert error.value.ending == "reset" and error.value.errno
                await c.close()

    asyncio.run(main())
