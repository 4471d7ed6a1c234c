"""Sending and receiving, by every call there is."""

from __future__ import annotations

import array
import gc
import os
import socket
from collections.abc import Callable

import pytest

import switchboard as sb
from helpers import PATIENCE, two, with_socket


def test_messages_arrive_whole_and_in_order() -> None:
    a, b = two("u32be")
    for message in (b"", b"\x00", b"hello", b"x" * 100_000):
        a.send(message)
        assert b.recv() == message


@pytest.mark.parametrize(
    "given",
    [b"abcd", bytearray(b"abcd"), memoryview(b"xabcd")[1:], memoryview(b"a_b_c_d_")[::2],
     array.array("b", b"abcd")],
)  # fmt: skip
def test_anything_with_bytes_is_a_message(given: bytes | bytearray | memoryview) -> None:
    a, b = two()
    a.send(given)
    assert b.recv() == b"abcd"
    a.send_many([given, b"x"])
    assert b.recv_many() == [b"abcd", b"x"]
    assert sb.Encoder("u8").encode(given) == b"\x04abcd"
    assert sb.Decoder("fixed:2").feed(given) == [b"ab", b"cd"]


@pytest.mark.parametrize("given", ["text", 5, None, ["a"], object()])
def test_anything_else_is_none(given: object) -> None:
    a, _b = two()
    for call in (a.send, a.request, sb.Encoder("u8").encode, sb.Decoder("u8").feed):
        with pytest.raises(TypeError, match="a message is bytes"):
            call(given)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        a.send_many([b"x", given])  # type: ignore[list-item]


def test_a_str_is_told_what_to_do() -> None:
    a, _b = two()
    with pytest.raises(TypeError, match=r"not str: encode it first, as in text.encode\(\)"):
        a.send("text")  # type: ignore[arg-type]


def test_iteration_ends_at_a_clean_end_alone() -> None:
    a, b = two("lines")
    a.send_many([b"one", b"two"])
    a.finish()
    assert list(b) == [b"one", b"two"]
    assert b.recv() is None
    assert b.ending == "finished"
    b.send(b"still here")
    assert a.recv() == b"still here"
    assert a.ending is None

    c, peer = with_socket("lines")
    peer.sendall(b"one\ntw")
    peer.close()
    received = []
    with pytest.raises(sb.Truncated) as caught:
        for message in c:
            received.append(message)
    assert received == [b"one"]
    assert caught.value.partial == b"tw"
    assert c.ending == "truncated"


def test_many_at_a_time() -> None:
    a, b = two("lines")
    a.send_many(str(i).encode() for i in range(5000))
    a.finish()
    received: list[bytes] = []
    while batch := b.recv_many(300):
        assert len(batch) <= 300
        received += batch
    assert received == [str(i).encode() for i in range(5000)]
    assert b.recv_many() == []


def test_many_gives_what_came_before_a_fault() -> None:
    c, peer = with_socket("netstring")
    peer.sendall(b"1:a,1:b,x")
    assert c.recv_many() == [b"a", b"b"]
    with pytest.raises(sb.BadFrame):
        c.recv_many()


def test_what_comes_before_a_wrong_message_is_sent() -> None:
    a, b = two("u8")
    with pytest.raises(sb.Misused, match="message 3"):
        a.send_many([b"one", b"two", b"x" * 256, b"four"])
    a.finish()
    assert list(b) == [b"one", b"two"]

    def broken() -> object:
        yield b"one"
        raise KeyError("mine")

    a, b = two("u8")
    with pytest.raises(KeyError, match="mine"):
        a.send_many(broken())  # type: ignore[arg-type]
    assert b.recv() == b"one"


def test_into_a_buffer() -> None:
    a, b = two()
    a.send_many([b"hello", b"", b"0123456789"])
    buffer = bytearray(b"--------")
    assert b.recv_into(buffer) == 5
    assert buffer == b"hello---"
    assert b.recv_into(buffer) == 0
    with pytest.raises(ValueError, match="a message of 10 bytes does not fit a buffer of 8"):
        b.recv_into(buffer)
    # It stays, for every way to receive it.
    with pytest.raises(ValueError):
        b.recv_into(memoryview(buffer)[:3])
    assert b.recv_into(bytearray(10)) == 10
    a.finish()
    assert b.recv_into(buffer) is None
    with pytest.raises(TypeError, match="written to"):
        b.recv_into(b"read-only")


def test_views_are_valid_until_the_next() -> None:
    a, b = two()
    a.send_many([b"one", b"", b"x" * 200_000, b"four", b"five"])
    view = b.recv_view()
    assert isinstance(view, memoryview)
    assert bytes(view) == b"one"
    empty = b.recv_view()
    assert empty is not None and bytes(empty) == b""
    with pytest.raises(ValueError, match="released"):
        bytes(view)
    large = b.recv_view()
    assert large is not None and bytes(large) == b"x" * 200_000
    # Whoever still has a part of one keeps it as it is.
    part = large[:5]
    fourth = b.recv_view()
    assert fourth is not None and bytes(fourth) == b"four"
    assert bytes(part) == b"xxxxx"
    assert b.recv_view() is not None
    a.finish()
    assert b.recv_view() is None


def test_what_does_not_wait() -> None:
    a, b = two()
    with pytest.raises(sb.NotYet):
        b.try_recv()
    with pytest.raises(BlockingIOError):
        b.try_recv()
    a.send_many([b"one", b"two"])
    assert b.try_recv() == b"one"
    assert b.try_recv() == b"two"
    with pytest.raises(sb.NotYet):
        b.try_recv()
    a.finish()
    assert b.try_recv() is None


def test_a_request_and_its_reply() -> None:
    with sb.connect("exec:cat", "lines", timeout=PATIENCE) as c:
        assert c.request(b"hello") == b"hello"
        assert c.request(bytearray(b"again")) == b"again"
    a, b = two()
    b.finish()
    with pytest.raises(sb.NoReply) as caught:
        a.request(b"anybody?")
    assert isinstance(caught.value, EOFError)
    assert caught.value.ending == "finished"


def test_the_framing_can_be_switched() -> None:
    a, b = two("lines")
    a.send(b"STARTBINARY")
    assert b.recv() == b"STARTBINARY"
    a.set_framing("u32be")
    b.set_framing("u32be", max=8)
    a.send(b"\n")
    assert b.recv() == b"\n"
    a.send(b"123456789")
    with pytest.raises(sb.Oversize):
        b.recv()


def test_a_timeout_loses_nothing() -> None:
    a, b = two(timeout=0.01)
    with pytest.raises(sb.TimedOut) as caught:
        b.recv()
    assert isinstance(caught.value, TimeoutError)
    assert b.ending is None
    a.send(b"late")
    assert b.recv() == b"late"

    c, peer = with_socket()
    c.set_timeout(0.01)
    peer.sendall(b"\x00\x00\x00\x04ha")
    with pytest.raises(TimeoutError, match="rest of a message"):
        c.recv()
    peer.sendall(b"lf")
    assert c.recv() == b"half"
    c.set_timeout(None)
    c.set_timeout(...)


def test_a_socket_lends_its_own_timeout() -> None:
    a, _peer = socket.socketpair()
    a.settimeout(0.01)
    with pytest.raises(TimeoutError):
        sb.wrap(a, "u32be").recv()


def test_what_is_wrapped_is_taken_over() -> None:
    a, b = socket.socketpair()
    here, there = sb.wrap(a, "u32be"), sb.wrap(b, "u32be")
    assert a.fileno() == -1
    here.send(b"hello")
    assert there.recv() == b"hello"
    here.close()
    assert there.recv() is None

    read, write = os.pipe()
    with os.fdopen(read, "rb", 0) as source, os.fdopen(write, "wb") as sink:
        out, into = sb.wrap(sink, "lines"), sb.wrap(source, "lines")
    out.send(b"through a pipe")
    out.close()
    assert list(into) == [b"through a pipe"]


def test_who_is_at_the_other_end() -> None:
    c, peer = with_socket()
    host, port = peer.getsockname()
    assert c.remote == f"tcp://{host}:{port}"
    assert c.local == "tcp://%s:%d" % peer.getpeername()
    assert c.fileno() > 2
    assert c.remote in repr(c)
    a, _b = two()
    assert a.remote is None


def test_a_with_block_delivers_and_closes() -> None:
    a, b = two()
    with b, a as same:
        assert same is a
        a.send(b"hello")
        assert b.recv() == b"hello"
    assert a.closed and b.closed
    with pytest.raises(ZeroDivisionError):
        with two()[0] as c:
            1 / 0
    assert c.closed


def test_what_is_closed_says_so() -> None:
    a, b = two()
    a.finish()
    a.finish()
    with pytest.raises(ValueError, match="sending is finished"):
        a.send(b"x")
    b.close()
    a.close()
    a.close()
    for call in (a.recv, a.try_recv, a.finish, a.fileno, lambda: a.send(b"x"), a.recv_many):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert "closed" in repr(a)


def test_an_abort_is_told_as_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = sb.connect("tcp://127.0.0.1:%d" % listener.getsockname()[1], "u32be")
        there = sb.wrap(listener.accept()[0], "u32be", timeout=PATIENCE)
    here.abort()
    with pytest.raises(sb.Reset):
        there.recv()
    assert there.ending == "reset"


def test_a_conversation_that_is_dropped_is_closed() -> None:
    a, b = two()
    a.send(b"last words")
    del a
    gc.collect()
    assert list(b) == [b"last words"]


def test_the_end_is_noted_however_it_is_received() -> None:
    receives: list[Callable[[sb.Conversation], object]] = [
        lambda c: c.recv(),
        lambda c: c.recv_many() or None,
        lambda c: c.try_recv(),
        lambda c: c.recv_into(bytearray(1)),
        lambda c: c.recv_view(),
        lambda c: next(c, None),
    ]
    for receive in receives:
        a, b = two()
        b.finish()
        assert a.ending is None
        assert receive(a) is None
        assert a.ending == "finished"


def test_a_reply_of_any_size_is_whole() -> None:
    a, b = two()
    for size in (0, 1, 4095, 4096, 4097, 100_000):
        reply = bytes(i % 251 for i in range(size))
        b.send(reply)
        assert a.request(b"?") == reply
        assert b.recv() == b"?"


def test_a_buffer_with_gaps_is_none() -> None:
    a, b = two()
    a.send(b"still there")
    with pytest.raises(TypeError, match="a buffer"):
        b.recv_into(memoryview(bytearray(100))[::2])
    assert b.recv() == b"still there"


def test_a_timeout_may_be_set_later() -> None:
    a, b = two(timeout=None)
    a.set_timeout(0.01)
    with pytest.raises(sb.TimedOut):
        a.recv()
    a.set_timeout(None)
    b.send(b"later")
    assert a.recv() == b"later"
