"""The cookbook, docs/src/python.md: the code of its page is what runs here.

Of each question the wrong code is run first, and has to go wrong in the way that the page says;
then ours, in the same circumstances. A question without a test is a failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import re
import select
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE, in_thread, two, with_socket

PAGE = Path(__file__).parents[3] / "docs" / "src" / "python.md"

#: What is imported for the code on the page.
MODULES: dict[str, Any] = {
    one.__name__: one for one in (asyncio, contextlib, json, select, socket, struct)
} | {"sb": sb, "sba": sba}


def sections() -> dict[str, list[str]]:
    """The blocks of Python under each heading."""
    parts = PAGE.read_text().split("\n## ")[1:]
    return {
        part.partition("\n")[0]: re.findall(r"```python\n(.*?)```", part, re.DOTALL)
        for part in parts
    }


def run(heading: str, number: int, /, **names: Any) -> dict[str, Any]:
    """Runs a block, of which 0 is the wrong one, with these names; and gives what it left."""
    scope = MODULES | names
    exec(compile(sections()[heading][number], f"{PAGE.name}, {heading}", "exec"), scope)
    return scope


class Enough(Exception):
    """Ends code that would go on."""


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    a, b = socket.socketpair()
    a.settimeout(PATIENCE)
    b.settimeout(PATIENCE)
    with a, b:
        yield a, b


Pair = tuple[socket.socket, socket.socket]


def over_tcp() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        a = socket.create_connection(listener.getsockname(), PATIENCE)
        b, _ = listener.accept()
        b.settimeout(PATIENCE)
        return a, b


def read(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, data
        data += piece
    return data


def test_every_question_has_a_wrong_and_a_short_right_answer_and_a_test() -> None:
    own = Path(__file__).read_text()
    own += Path(__file__).with_name("test_cookbook_programs.py").read_text()
    assert len(sections()) == 15
    for heading, (wrong, *ours) in sections().items():
        assert wrong.startswith("# Wrong.\n"), heading
        assert ours and all(len(one.splitlines()) < 10 for one in ours), heading
        assert not any("Wrong" in one for one in ours), heading
        for number in range(1 + len(ours)):
            # As a call of `run` or `program` has it.
            assert f'("{heading}", {number}' in own, f"{heading}, {number}"


def test_pieces(pair: Pair) -> None:
    handled: list[bytes] = []
    sock, peer = pair
    peer.sendall(b"hel")
    run("A message arrives in pieces", 0, sock=sock, handle=handled.append)
    assert handled == [b"hel"]
    handled.clear()

    def send() -> None:
        for byte in b"lo\nworld\n":
            peer.sendall(bytes([byte]))
        peer.shutdown(socket.SHUT_WR)

    peer.sendall(b"hel")
    with in_thread(send):
        run("A message arrives in pieces", 1, sock=sock, handle=handled.append)
    assert handled == [b"hello", b"world"]


def test_the_end() -> None:
    handled: list[bytes] = []

    def handle(message: bytes) -> None:
        handled.append(message)
        if len(handled) == 1000:
            raise Enough

    sock, peer = socket.socketpair()
    with sock:
        peer.sendall(b"one\n")
        peer.close()
        with pytest.raises(Enough):
            run("recv returns b''", 0, sock=sock, handle=handle)
    assert handled == [b"one\n"] + [b""] * 999

    for sent, messages, rest in ((b"one\ntwo\n", 2, []), (b"one\ntw", 1, [b"tw"])):
        handled.clear()
        rests: list[bytes] = []
        sock, peer = socket.socketpair()
        peer.sendall(sent)
        peer.close()
        with sb.wrap(sock, "lines", timeout=PATIENCE) as c:
            names = {"c": c, "handle": handle, "handle_rest": rests.append}
            run("recv returns b''", 1, **names)
        assert (handled, rests) == ([b"one", b"two"][:messages], rest)


def test_the_length_first(pair: Pair) -> None:
    sock, peer = pair
    wrong = run("How to send the length first", 0, sock=sock)
    wrong["send"](b"hello")
    # Not what the protocol says wherever the machine is little-endian, which nearly all are.
    native = (5).to_bytes(4, sys.byteorder)
    assert read(peer, 9) == native + b"hello"
    assert sys.byteorder == "big" or native != b"\0\0\0\5"
    peer.sendall(native + b"hel")
    assert wrong["receive"]() == b"hel"
    peer.sendall(native[:2])
    with pytest.raises(struct.error):
        run("How to send the length first", 0, sock=socket.socket(fileno=sock.detach()))[
            "receive"
        ]()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        # The second one says that a byte more than may be will follow.
        answers = [b"\0\0\0\5hello", (1_000_001).to_bytes(4, "big")]

        def answer_in_pieces() -> None:
            peer, _ = listener.accept()
            with peer:
                assert read(peer, 9) == b"\0\0\0\5hello"
                for byte in answers.pop(0):
                    peer.sendall(bytes([byte]))
                # Until the other side has gone.
                with contextlib.suppress(ConnectionResetError):
                    peer.recv(1)

        names = {"endpoint": "127.0.0.1:%d" % listener.getsockname()[1], "message": b"hello"}
        with in_thread(answer_in_pieces):
            assert run("How to send the length first", 1, **names)["answer"] == b"hello"
        with in_thread(answer_in_pieces), pytest.raises(sb.Oversize):
            run("How to send the length first", 1, **names)


@pytest.mark.parametrize("how", ["finished", "truncated", "reset"])
def test_who_has_gone(how: str) -> None:
    sock, peer = over_tcp()
    with sock:
        peer.close()
        wrong = run("How to know that the client has gone", 0, sock=sock)
        assert wrong["is_there"]()

    c, peer = with_socket("lines")
    handled: list[bytes] = []
    peer.sendall(b"hello\n" + b"hal" * (how == "truncated"))

    def handle(message: bytes) -> None:
        handled.append(message)
        if how == "reset":
            # Not sooner: a reset may overtake what was sent before it.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    right = run("How to know that the client has gone", 1, c=c, handle=handle)
    c.abort()
    assert (right["gone"], handled) == (how, [b"hello"])


def test_timeouts(pair: Pair) -> None:
    handled: list[bytes] = []
    waited: list[bytes] = [b"he", b"llo\nworld\n"]

    def do_something_else() -> None:
        """The peer says a part, and then the rest, each when we have waited for it in vain."""
        if waited:
            peer.sendall(waited.pop(0))

    def handle(message: bytes) -> None:
        handled.append(message)
        raise Enough

    sock, peer = pair
    names: dict[str, Any] = {"handle": handle, "do_something_else": do_something_else}
    with pytest.raises(Enough):
        run("Timeouts", 0, sock=sock, **names)
    assert handled == [b"llo\nw"]

    a, peer = socket.socketpair()
    handled.clear()
    waited.extend([b"he", b"llo\nworld\n"])
    names["handle"] = handled.append

    def then_close() -> None:
        do_something_else()
        if not waited:
            peer.close()

    names["do_something_else"] = then_close
    with sb.wrap(a, "lines") as c:
        run("Timeouts", 1, c=c, **names)
        assert c.ending == "finished"
    assert handled == [b"hello", b"world"]


def left_behind(
    accept: Callable[[], socket.socket | sb.Conversation], address: tuple[str, int]
) -> None:
    """A connection that the server ends first, of which the system remembers the address."""
    with socket.create_connection(address, PATIENCE) as client:
        accepted = accept()
        if isinstance(accepted, socket.socket):
            accepted.shutdown(socket.SHUT_WR)
        else:
            accepted.finish()
        assert client.recv(1) == b""
    accepted.close()


def test_address_in_use() -> None:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    address = server.getsockname()
    left_behind(lambda: server.accept()[0], address)
    server.close()
    with pytest.raises(OSError) as error:
        run("Address already in use", 0, address=address)
    assert error.value.errno == errno.EADDRINUSE

    endpoint = "127.0.0.1:0"
    for _ in range(2):
        listener = run("Address already in use", 1, endpoint=endpoint)["listener"]
        with listener:
            endpoint = listener.endpoints[0]
            host, port = endpoint.removeprefix("tcp://").split(":")
            left_behind(listener.accept, (host, int(port)))
            with pytest.raises(OSError, match="another program listens there"):
                run("Address already in use", 1, endpoint=endpoint)
    # The other advice: two of them, and nobody hears of it.
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as first:
        socket.create_server(first.getsockname(), reuse_port=True).close()
    # The wrong one is at fault, not the address.
    with pytest.raises(OSError, match="in use"):
        run("Address already in use", 0, address=(host, int(port)))


def test_several_clients() -> None:
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with pytest.raises(OSError):
            run("Several clients at once", 0, server=server)

    with in_thread(serve):
        with socket.create_connection(server.getsockname(), PATIENCE) as first:
            first.sendall(b"x")
            assert first.recv(1) == b"X"
            with socket.create_connection(server.getsockname(), PATIENCE) as second:
                second.sendall(b"y")
                second.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    second.recv(1)
        server.shutdown(socket.SHUT_RDWR)
    server.close()

    running = run("Several clients at once", 1, endpoint="127.0.0.1:0")["running"]
    with running:
        clients = [
            sb.connect(running.endpoints[0], "lines", timeout=PATIENCE) for _ in range(20)
        ]
        for c in reversed(clients):
            assert c.request(b"y") == b"Y"
        for c in clients:
            c.close()


def test_select(pair: Pair) -> None:
    handled: list[bytes] = []
    sock, peer = pair
    peer.sendall(b"one\ntwo\n")
    run("select", 0, sock=sock, handle=handled.append)
    assert handled == [b"one\n"]

    handled.clear()
    c, far = two("lines")
    other, other_far = two("lines")
    far.send_many([b"one", b"two"])
    other_far.send(b"three")
    for one in (far, other_far):
        one.finish()
    run("select", 1, c=c, other=other, handle=handled.append)
    assert sorted(handled) == [b"one", b"three", b"two"]
    assert (c.ending, other.ending) == ("finished", "finished")
    for one in (c, far, other, other_far):
        one.close()


def test_a_file(pair: Pair, tmp_path: Path) -> None:
    path, copy = tmp_path / "file", tmp_path / "copy"
    path.write_bytes(bytes(range(256)) * 40_000)
    sock, peer = pair
    run("Sending a file", 0, sock=sock, path=path)
    arrived = 0
    while piece := peer.recv(65536):
        arrived += len(piece)
    assert 0 < arrived < path.stat().st_size

    c, far = two()
    with in_thread(lambda: (run("Sending a file", 2, c=far, copy=copy), None)[1]):
        assert run("Sending a file", 1, c=c, path=path)["receipt"] == b"kept"
    assert copy.read_bytes() == path.read_bytes()
    # A sender who goes between two pieces is not taken for one who is done.
    c.send(b"a piece")
    c.finish()
    with pytest.raises(EOFError, match="before the end"):
        run("Sending a file", 2, c=far, copy=copy)
    far.close()
    c.close()


def test_connecting_without_blocking() -> None:
    # It is bound, so that it is nobody else's, and does not listen.
    with socket.socket() as nobody, socket.socket() as sock:
        nobody.bind(("127.0.0.1", 0))
        address = nobody.getsockname()
        wrong = run("Connecting without blocking", 0, sock=sock, address=address)
        assert wrong["connected"]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED

        with sb.start("127.0.0.1:0", bytes.upper, "lines") as server:
            endpoints = [server.endpoints[0], "127.0.0.1:%d" % address[1], server.endpoints[0]]
            right = run("Connecting without blocking", 1, endpoints=endpoints)
            answers = asyncio.run(right["ask_all"]())
        assert [answers[0], answers[2]] == [b"HELLO", b"HELLO"]
        assert isinstance(answers[1], sb.Refused)


def test_json(pair: Pair) -> None:
    sock, peer = pair
    wrong = run("JSON over a socket", 0, sock=peer)
    wrong["send"]({"a": 1})
    wrong["send"]({"b": 2})
    with pytest.raises(json.JSONDecodeError, match="Extra data"):
        run("JSON over a socket", 0, sock=sock)["receive"]()
    wrong["send"]("x" * 5000)
    with pytest.raises(json.JSONDecodeError, match="Unterminated string"):
        run("JSON over a socket", 0, sock=sock)["receive"]()

    sock, peer = socket.socketpair()
    value = {"text": "two\nlines, \u00e9", "long": "x" * 100_000}
    handled: list[object] = []

    def far() -> None:
        with sb.wrap(peer, "lines", timeout=PATIENCE) as c:
            message = c.recv()
            assert message is not None and json.loads(message) == value
            c.send_many([message, b"1", b"[2]"])

    with in_thread(far):
        right = run("JSON over a socket", 1, sock=sock, value=value, handle=handled.append)
    assert (right["answer"], handled) == (value, [1, [2]])


def test_structs(pair: Pair) -> None:
    sock, peer = pair
    wrong = run("Binary structs", 0, sock=sock)
    wrong["send"](7, 1)
    # Eight bytes, where the protocol has five.
    sent = read(peer, 8)
    assert sent == b"\7" + sent[1:4] + (1).to_bytes(4, sys.byteorder)
    peer.sendall(b"\7\0\0\0\1")
    with pytest.raises(struct.error):
        wrong["receive"]()

    sock, peer = socket.socketpair()

    def far() -> None:
        with peer:
            assert read(peer, 5) == b"\7\0\0\0\1"
            for byte in b"\7\0\0\0\1\10\0\0\1\0":
                peer.sendall(bytes([byte]))

    with in_thread(far):
        right = run("Binary structs", 1, sock=sock, kind=7, number=1)
    assert right["answers"] == [(7, 1), (8, 256)]


def test_broken_pipe() -> None:
    messages = [b"a message\n"] * 10
    sock, peer = socket.socketpair()
    with sock:
        peer.sendall(b"no more, please\n")
        peer.close()
        assert run("Broken pipe", 0, sock=sock, messages=messages)["answer"] is None
        # And there it was.
        assert sock.recv(100) == b"no more, please\n"

    sock, peer = socket.socketpair()
    peer.sendall(b"no more, please\n")
    peer.close()
    with sb.wrap(sock, "lines", timeout=PATIENCE) as c:
        ours = [message.rstrip() for message in messages]
        answers = run("Broken pipe", 1, c=c, messages=ours)["answers"]
        assert (answers, c.ending, c.closed) == ([b"no more, please"], "reset", True)
