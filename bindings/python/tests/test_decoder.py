"""Framings without sockets."""

from __future__ import annotations

import pytest

import switchboard as sb


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_any_pieces_give_the_same(size: int) -> None:
    data = b"5:hello,0:,3:abc,"
    decoder = sb.Decoder("netstring")
    messages = []
    for at in range(0, len(data), size):
        messages += decoder.feed(data[at : at + size])
    assert messages == [b"hello", b"", b"abc"]
    assert decoder.finish() == "finished"


def test_much_at_once() -> None:
    encoder = sb.Encoder("u32be")
    messages = [bytes([i % 256]) * (i * 37 % 3000) for i in range(1000)]
    messages.append(b"x" * 1_000_000)
    decoder = sb.Decoder("u32be")
    assert decoder.feed(b"".join(map(encoder.encode, messages))) == messages
    assert decoder.finish() == "finished"


def test_an_error_has_what_came_before_it_in_the_same_call() -> None:
    decoder = sb.Decoder("netstring")
    assert decoder.feed(b"1:a,") == [b"a"]
    with pytest.raises(sb.BadFrame) as caught:
        decoder.feed(b"1:b,1:c,nonsense")
    assert caught.value.messages == [b"b", b"c"]
    assert caught.value.ending == "bad-prefix"
    assert caught.value.byte_offset == 12
    with pytest.raises(sb.BadFrame) as again:
        decoder.feed(b"1:d,")
    assert again.value.messages == []


def test_a_stream_that_is_cut_off() -> None:
    decoder = sb.Decoder("u16be")
    assert decoder.feed(b"\x00\x01a\x00\x05he") == [b"a"]
    with pytest.raises(sb.Truncated) as caught:
        decoder.finish()
    assert caught.value.partial == b"\x00\x05he"
    assert caught.value.messages == []
    with pytest.raises(EOFError):
        decoder.finish()


def test_what_only_the_end_completes() -> None:
    decoder = sb.Decoder("eof")
    assert decoder.feed(b"all of ") == []
    assert decoder.feed(b"it") == []
    ending = decoder.finish()
    assert ending == "finished"
    assert ending.messages == [b"all of it"]
    decoder = sb.Decoder("lines eof=deliver")
    assert decoder.feed(b"one\ntwo") == [b"one"]
    assert decoder.finish().messages == [b"two"]


def test_fragments_are_joined() -> None:
    decoder = sb.Decoder("u8,&7f,last=80")
    assert decoder.feed(b"\x01a\x02bc") == []
    assert decoder.feed(b"\x81d") == [b"abcd"]


def test_limits_are_arguments() -> None:
    with pytest.raises(sb.Oversize) as caught:
        sb.Decoder("u32be", max=4).feed(b"\x00\x00\x00\x04abcd\x00\x00\x00\x05")
    assert caught.value.messages == [b"abcd"]


def test_what_is_discarded_is_told() -> None:
    decoder = sb.Decoder("u8 oversize=discard", max=3)
    assert decoder.feed(b"\x02hi\x04long\x01x") == [b"hi", b"x"]
    (discarded,) = decoder.discarded
    assert (discarded.offset, discarded.declared, discarded.limit) == (3, 4, 3)
    assert "offset=3" in repr(discarded)
    assert decoder.finish() == "finished"


def test_nothing_comes_after_the_end() -> None:
    decoder = sb.Decoder("lines")
    decoder.finish()
    with pytest.raises(sb.Misused, match="the bytes have ended"):
        decoder.feed(b"more\n")


def test_roles() -> None:
    ssl_request = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
    assert sb.Decoder("postgres", role="client").feed(ssl_request) == [ssl_request]
    ready = b"Z\x00\x00\x00\x05I"
    assert sb.Decoder("postgres", role="server").feed(ready) == [ready]
    assert sb.Encoder("postgres", role="server").encode(ready) == ready
