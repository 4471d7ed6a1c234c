"""What is given by mistake: the exception that a Python programmer expects, and nothing lost."""

from __future__ import annotations

import array
from typing import Any

import pytest

import switchboard as sb
from helpers import two


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
        sb.select(b)  # type: ignore[arg-type]
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


def test_of_tls() -> None:
    for wrong, text in [
        (sb.Tls(ca=5), "ca= is the path of a PEM file, not 5"),  # type: ignore[arg-type]
        (sb.Tls(alpn="h2"), "alpn= is a list of names, not 'h2'"),
    ]:
        with pytest.raises(TypeError, match=text):
            sb.connect("tls://localhost:1", "lines", tls=wrong)
