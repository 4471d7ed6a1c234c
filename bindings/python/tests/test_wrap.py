"""What is wrapped: whatever would be lost or cannot be is refused."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from typing import Any

import pytest

import switchboard as sb
from helpers import PATIENCE, in_thread, reset
from test_threads import polls


def test_what_a_buffer_has_read_ahead_would_be_lost() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"one\ntwo\n")
    a, b = socket.socketpair()
    b.sendall(b"one\ntwo\n")
    with os.fdopen(reader, "rb") as file, a.makefile("rb") as made, a.makefile("r") as text:
        assert file.readline() == b"one\n"
        files: list[Any] = [file, made, text]
        for one in files:
            with pytest.raises(TypeError, match="buffering=0"):
                sb.wrap(one, "lines")
            assert not one.closed, "what was not wrapped is left alone"
    os.close(writer)


def test_a_pipe_without_a_buffer_is_fine() -> None:
    with subprocess.Popen(["echo", "hello"], stdout=subprocess.PIPE, bufsize=0) as program:
        assert program.stdout is not None
        with sb.wrap(program.stdout, "lines", timeout=PATIENCE) as c:
            assert list(c) == [b"hello"]


def test_who_can_only_read_is_told_so() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as file, os.fdopen(writer, "wb") as other:
        with sb.wrap(file, "lines", timeout=PATIENCE) as c:
            for _ in range(2):
                with pytest.raises(sb.Misused, match="reading only"):
                    c.send(b"hello")
            other.write(b"still there\n")
            other.close()
            assert list(c) == [b"still there"]


def test_who_can_only_write_is_told_so() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as file, os.fdopen(reader, "rb") as other:
        with sb.wrap(file, "lines", timeout=PATIENCE) as c:
            for call in (c.recv, c.recv_many, c.try_recv, lambda: list(c), c.recv_view):
                with pytest.raises(sb.Misused, match="writing only: another end .* to be read"):
                    call()
            assert c.ending is None, "that is no end"
            assert sb.select([c], timeout=0).readers == [c]
            with pytest.raises(sb.Misused, match="writing only"):
                c.request(b"no reply can come")
            c.send(b"still there")
        lines = other.read().splitlines()
        assert lines == [b"no reply can come", b"still there"]


def test_a_socket_that_is_not_connected() -> None:
    bound = socket.create_server(("127.0.0.1", 0))
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        with socket.socket(family) as one:
            with pytest.raises(sb.Misused, match="not connected"):
                sb.wrap(one, "lines")
            assert one.fileno() != -1
    with socket.socket() as one:
        one.setblocking(False)
        one.connect_ex(bound.getsockname())
        # On its way, or there.
        with sb.wrap(one, "lines", timeout=PATIENCE) as c, bound.accept()[0] as peer:
            c.send(b"hello")
            assert peer.recv(100) == b"hello\n"
            peer.close()
    bound.close()


def test_one_whose_peer_is_gone_tells_it_when_it_is_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
        ours.settimeout(PATIENCE)
        reset(peer)
        with sb.wrap(ours, "lines") as c, pytest.raises(sb.Reset):
            c.recv()


def test_one_that_does_not_block_says_when_there_is_nothing() -> None:
    a, b = socket.socketpair()
    a.setblocking(False)
    c = sb.wrap(a, "lines")
    with pytest.raises(sb.NotYet):
        c.try_recv()
    b.sendall(b"now\n")
    assert c.recv() == b"now"


def test_one_that_does_not_block_waits_in_recv() -> None:
    a, b = socket.socketpair()
    a.setblocking(False)
    c = sb.wrap(a, "lines")
    received: list[bytes | None] = []
    thread: list[int] = []

    def receive() -> None:
        thread.append(threading.get_native_id())
        received.append(c.recv())

    with in_thread(receive):
        while not thread or not polls(thread[0]):
            pass
        b.sendall(b"later\n")
    assert received == [b"later"]
    b.close()
    c.abort()
