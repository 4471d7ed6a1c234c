"""What is given by mistake: the exception that a Python programmer expects, and nothing lost."""

from __future__ import annotations

import array
import importlib.metadata
import socket
from typing import Any

import pytest

import switchboard as sb
from helpers import two, with_socket


def test_what_is_no_message() -> None:
    a, b = two()
    for wrong in ("x", None, 5, [1], {}, 1.5, object()):
        with pytest.raises(TypeError, match="a message is bytes or bytes-like, and not"):
            a.send(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"text\.encode\(\)"):
        a.send_many([b"before it", "x"])  # type: ignore[list-item]
    assert b.recv() == b"before it"
    released = memoryview(b"gone")
    released.release()
    with pytest.raises(ValueError, match="released"):
        a.send(released)


def test_whatever_has_bytes_is_one() -> None:
    a, b = two()
    numbers = array.array("I", [1, 2])
    square = memoryview(bytes(range(6))).cast("B", (2, 3))
    for given in (bytearray(b"x"), numbers, square, memoryview(b"abcdef")[::2]):
        a.send(given)
        assert b.recv() == memoryview(given).tobytes()


def test_a_conversation_is_no_list_of_sources() -> None:
    a, b = two()
    a.send(b"would be lost")
    with pytest.raises(TypeError, match=r"select takes lists, as \[conversation\]"):
        sb.select(b)  # type: ignore[type-var]
    # A list may be anything that can be gone through.
    assert sb.select({b}, (one for one in [a])).readers == [b]
    assert sb.select((one for one in [b])).readers == [b]
    assert b.recv() == b"would be lost"


def test_a_conversation_is_not_wrapped_again() -> None:
    a, b = two()
    with pytest.raises(TypeError, match="set_framing"):
        sb.wrap(a, "lines")
    a.send(b"still there")
    assert b.recv() == b"still there"


def test_a_handler_that_takes_no_message() -> None:
    def none() -> None: ...
    def several(message: bytes, other: bytes) -> None: ...

    handlers: list[Any] = [none, several]
    for handler in handlers:
        with pytest.raises(TypeError, match="a handler is called with a message"):
            sb.start("127.0.0.1:0", handler, "lines")


def test_how_things_show_themselves() -> None:
    listener = sb.listen("127.0.0.1:0", "lines")
    assert repr(listener) == f"<switchboard.Listener on {listener.endpoints[0]}>"
    listener.close()
    assert repr(listener) == "<switchboard.Listener, closed>"
    server = sb.start("127.0.0.1:0", bytes.upper, "lines")
    assert repr(server) == f"<switchboard.Running on {server.endpoints[0]}, 0 open>"
    server.stop()
    assert repr(server) == "<switchboard.Running, stopped>"


    assert repr(sb.Decoder("u32be", max=100)) == '<switchboard.Decoder of "u32be max=100">'
    assert repr(sb.Encoder("lines")) == '<switchboard.Encoder of "lines">'


def test_each_text_names_the_argument() -> None:
    a, _ = socket.socketpair()
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"framing": None}, TypeError, 'framing is a string as "u32be" or "lines", not None'),
        ({"framing": 1}, TypeError, "framing is a string"),
        ({"max": -1}, ValueError, r"max is 1 to 2\*\*64 - 1, or None, not -1"),
        ({"max": 2**64}, ValueError, "not 18446744073709551616"),
        ({"max": "3"}, TypeError, "max is a whole number, or None, not '3'"),
        ({"max": 0}, ValueError, "max is 0: give at least 1, or leave it out"),
        ({"timeout": "5"}, TypeError, "a timeout is a number of seconds, or None .*, not '5'"),
        ({"timeout": -1}, ValueError, "a timeout is seconds from 0 on, or None for ever, not -1"),
    ]
    for given, error, text in wrong:
        with pytest.raises(error, match=text):
            sb.wrap(a, **({"framing": "lines"} | given))
    with sb.wrap(a, "lines") as c:
        for many in (0, -1):
            with pytest.raises(ValueError, match=f"max is .*{many}"):
                c.recv_many(many)
        for seconds in (0, 2.9, -1, 1e9, float("nan")):
            with pytest.raises(ValueError, match="liveness is 3 to 65000 seconds, or None"):
                c.set_liveness(seconds)
        with pytest.raises(TypeError, match="liveness is .* not '5'"):
            c.set_liveness("5")  # type: ignore[arg-type]
        c.abort()


def test_the_bounds_of_liveness_are_those_of_the_system() -> None:
    c, _ = with_socket()
    for seconds in (3, 65_000, None):
        c.set_liveness(seconds)


def test_of_a_handler_that_is_async() -> None:
    async def handler(message: bytes) -> bytes:
        return message

    with pytest.raises(TypeError, match="leave dispatch out"):
        sb.serve("127.0.0.1:0", handler, "lines", dispatch="processes")


def test_of_events() -> None:
    def handler(c: sb.Conversation) -> None: ...

    with pytest.raises(sb.Misused, match="use threads or processes, or an async def and .*aio"):
        sb.start("127.0.0.1:0", handler, "lines", dispatch="events")


def test_the_version() -> None:
    assert sb.__version__ == importlib.metadata.version("switchboard-sockets")


def test_of_tls() -> None:
    for wrong, text in [
        (sb.Tls(ca=5), "ca= is the path of a PEM file, not 5"),  # type: ignore[arg-type]
        (sb.Tls(alpn="h2"), "alpn= is a list of names, not 'h2'"),
    ]:
        with pytest.raises(TypeError, match=text):
            sb.connect("tls://localhost:1", "lines", tls=wrong)
