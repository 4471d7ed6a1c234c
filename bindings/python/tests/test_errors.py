"""Every ending and every mistake: which exception, which built-in it is too, what it says."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

import switchboard as sb
from helpers import two, with_socket

BASES = {
    sb.Truncated: EOFError,
    sb.Reset: ConnectionResetError,
    sb.TimedOut: TimeoutError,
    sb.PeerDead: ConnectionResetError,
    sb.Oversize: ValueError,
    sb.BadFrame: ValueError,
    sb.BadFraming: ValueError,
    sb.NoReply: EOFError,
    sb.NotYet: BlockingIOError,
    sb.Refused: ConnectionRefusedError,
    sb.Unresolved: socket.gaierror,
    sb.Denied: PermissionError,
    sb.Misused: ValueError,
    sb.Missing: FileNotFoundError,
    sb.Failed: OSError,
}


@pytest.mark.parametrize("kind", BASES)
def test_each_is_a_built_in_one_too(kind: type[sb.SwitchboardError]) -> None:
    assert issubclass(kind, sb.SwitchboardError)
    assert issubclass(kind, BASES[kind])
    assert str(kind("the text")) == "the text"


def test_none_is_forgotten() -> None:
    every = {v for v in vars(sb).values() if isinstance(v, type) and issubclass(v, Exception)}
    assert every == {*BASES, sb.SwitchboardError}


def test_truncated() -> None:
    c, peer = with_socket()
    peer.sendall(b"\x00\x00\x00\x05he")
    peer.close()
    for _ in range(2):  # It is told again.
        with pytest.raises(sb.Truncated) as caught:
            c.recv()
        assert caught.value.partial == b"\x00\x00\x00\x05he"
        assert caught.value.ending == "truncated"
        assert caught.value.message_number == 1
        assert caught.value.byte_offset == 0
        assert caught.value.endpoint == c.remote


def test_reset() -> None:
    c, peer = with_socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    with pytest.raises(sb.Reset) as caught:
        c.recv()
    assert caught.value.errno == errno.ECONNRESET
    assert c.ending == "reset"


def test_a_broken_framing() -> None:
    c, peer = with_socket("netstring")
    peer.sendall(b"5:hello,3;abc,")
    assert c.recv() == b"hello"
    with pytest.raises(sb.BadFrame, match="message 2") as caught:
        c.recv()
    assert caught.value.ending == "bad-prefix"
    assert caught.value.byte_offset == 8
    assert c.ending == "bad-prefix"


def test_a_length_that_is_a_lie_costs_no_memory() -> None:
    c, peer = with_socket("u32be")
    peer.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(sb.Oversize, match="announces"):
        c.recv()
    c, peer = with_socket("u64be max=4000000000GiB")
    peer.sendall(b"\x2f" + b"\xff" * 7 + b"abc")
    peer.close()
    with pytest.raises(sb.Truncated):
        c.recv()


def test_a_framing_that_is_none() -> None:
    a, _ = socket.socketpair()
    for call in (
        lambda: sb.connect("localhost:1", "u32bee"),
        lambda: sb.wrap(a, "u32bee"),
        lambda: sb.Decoder("u32bee"),
        lambda: sb.Encoder("u32bee"),
        lambda: two()[0].set_framing("u32bee"),
    ):
        with pytest.raises(sb.BadFraming, match="column 1") as caught:
            call()
        assert caught.value.column == 1
        assert caught.value.hint == "write u32be"
    assert a.fileno() != -1, "what was not wrapped is left alone"
    with pytest.raises(sb.BadFraming) as caught:
        sb.Decoder("u32be " + "x" * 100_000)
    assert len(str(caught.value)) < 1000


def test_arguments_that_cannot_be() -> None:
    a, _ = socket.socketpair()
    with pytest.raises(ValueError, match="a role is"):
        sb.wrap(a, "lines", role="peer")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max is 0"):
        sb.wrap(a, "lines", max=0)
    for timeout in (-1, float("nan")):
        with pytest.raises(ValueError, match="a timeout is seconds"):
            sb.wrap(a, "lines", timeout=timeout)
    with pytest.raises(TypeError):
        sb.wrap(a, "lines", timeout="5")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="fileno"):
        sb.wrap("a socket", "lines")  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(sb.Misused, match="listens"):
            sb.wrap(listener, "lines")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(sb.Misused, match="no stream"):
            sb.wrap(datagrams, "lines")
    a.close()
    with pytest.raises(ValueError, match="the socket is closed"):
        sb.wrap(a, "lines")


def test_connecting_says_why_not() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(sb.Refused, match="nothing listens there") as refused:
            sb.connect(f"127.0.0.1:{port}", "lines", timeout=5)
        assert refused.value.errno == errno.ECONNREFUSED
    with pytest.raises(ValueError, match="no port"):
        sb.connect("localhost", "lines")
    for name in ("unix:/nowhere/at/all", "exec:no-such-program-at-all"):
        with pytest.raises(FileNotFoundError) as missing:
            sb.connect(name, "lines")
        assert isinstance(missing.value, sb.Failed)
        assert missing.value.errno == errno.ENOENT
    with pytest.raises(socket.gaierror) as unresolved:
        sb.connect("no-such-name.invalid:1", "lines")
    assert unresolved.value.errno in (socket.EAI_NONAME, socket.EAI_AGAIN)


def test_a_message_that_does_not_fit_its_framing() -> None:
    a, b = two("u8")
    with pytest.raises(sb.Misused):
        a.send(b"x" * 256)
    a.send(b"after it")
    assert b.recv() == b"after it"
    with pytest.raises(sb.Misused, match="cannot encode"):
        sb.Encoder("lines").encode(b"two\nlines")
