"""Sockets of the module `ssl`, taken over."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import switchboard as sb
from helpers import PATIENCE, cannot, in_thread

Pair = Callable[[], tuple[ssl.SSLSocket, ssl.SSLSocket]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Makes two sockets with each other, whose handshake is over."""
    if shutil.which("openssl") is None:
        cannot("there is no openssl to make a certificate with")
    folder: Path = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(cert, key)
    client_side = ssl.create_default_context(cafile=str(cert))

    def make() -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
        a, b = socket.socketpair()
        made: list[ssl.SSLSocket] = []
        with in_thread(lambda: made.append(server_side.wrap_socket(b, server_side=True))):
            client = client_side.wrap_socket(a, server_hostname="localhost")
        return client, made[0]

    return make


def wrapped(pair: Pair, framing: str = "u32be") -> tuple[sb.Conversation, sb.Conversation]:
    a, b = pair()
    return sb.wrap(a, framing, timeout=PATIENCE), sb.wrap(b, framing, timeout=PATIENCE)


@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_no_thread_is_left_that_would_keep_a_program_from_forking(pair: Pair) -> None:
    before = len(list(Path("/proc/self/task").iterdir()))
    a, b = wrapped(pair)
    a.send(b"hello")
    assert b.recv() == b"hello"
    child = os.fork()
    if child == 0:
        # It has no such thread, and makes another.
        a.send(b"from another process")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert b.recv() == b"from another process"
    a.abort()
    b.abort()
    del a, b
    assert len(list(Path("/proc/self/task").iterdir())) == before


def test_messages_in_both_directions(pair: Pair) -> None:
    a, b = wrapped(pair)
    for message in (b"", b"hello", b"x" * 100):
        a.send(message)
        assert b.recv() == message
        b.send(message)
        assert a.recv() == message
    a.send_many([b"%d" % i for i in range(1000)])
    received: list[bytes] = []
    while len(received) < 1000:
        received += b.recv_many()
    assert received == [b"%d" % i for i in range(1000)]


def test_more_than_the_sockets_hold(pair: Pair) -> None:
    a, b = wrapped(pair)
    big = b"x" * 3_000_000

    def echo() -> None:
        for message in b:
            b.send(message)
        b.finish()

    def send() -> None:
        a.send_many([big, big])
        a.finish()

    with in_thread(echo), in_thread(send):
        assert list(a) == [big, big]


def test_a_half_close_and_an_end(pair: Pair) -> None:
    a, b = wrapped(pair, "lines")
    a.send(b"question")
    a.finish()
    assert list(b) == [b"question"]
    b.send(b"answer")
    b.close()
    assert list(a) == [b"answer"]
    assert a.ending == "finished"
    a.close()


def test_a_stream_without_a_goodbye_is_cut_off(pair: Pair) -> None:
    a, bare = pair()
    c = sb.wrap(a, "eof", timeout=PATIENCE)
    bare.sendall(b"all of it?")
    bare.close()
    with pytest.raises(sb.Truncated):
        c.recv()


def test_what_is_decrypted_counts(pair: Pair) -> None:
    a, b = wrapped(pair, "lines")
    # What TLS says to itself wakes a conversation once, and is no message.
    with pytest.raises(sb.NotYet):
        a.try_recv()
    assert sb.select([a, b], timeout=0).readers == []
    a.send_many([b"one", b"two"])
    assert sb.select([a, b], timeout=PATIENCE).readers == [b]
    assert b.recv() == b"one"
    assert sb.select([a, b], timeout=PATIENCE).readers == [b]
    assert b.try_recv() == b"two"
    with pytest.raises(sb.NotYet):
        b.try_recv()


def test_timeouts(pair: Pair) -> None:
    a, b = wrapped(pair)
    b.set_timeout(0.01)
    with pytest.raises(sb.TimedOut):
        b.recv()
    a.send(b"late")
    assert b.recv() == b"late"


@pytest.mark.parametrize("reads_first", [False, True])
def test_a_half_close_loses_nothing_that_is_on_its_way(pair: Pair, reads_first: bool) -> None:
    a, b = wrapped(pair)
    sent = [b"x" * 20_000, b"y" * 5, b"z" * 30_000]
    b.send_many(sent)
    if reads_first:
        # The rest of it is decrypted already.
        assert a.recv() == sent.pop(0)
    a.finish()
    assert b.recv() is None
    b.send(b"the last one")
    b.finish()
    assert list(a) == [*sent, b"the last one"]


def test_what_tls_has_decrypted_is_seen_by_select(pair: Pair) -> None:
    a, b = wrapped(pair)
    sent = [bytes([number]) * 5_000 for number in range(3)]
    b.send_many(sent)  # In one record.
    for message in sent:
        while True:
            assert sb.select([a], timeout=PATIENCE).readers == [a]
            with contextlib.suppress(sb.NotYet):
                assert a.try_recv() == message
                break
    b.send_many(sent)
    assert a.recv() == sent[0]
    with in_thread(b.finish):
        a.finish()  # What is decrypted by then is held.
        for message in sent[1:]:
            assert sb.select([a], timeout=PATIENCE).readers == [a]
            assert a.recv() == message
        assert a.recv() is None
    b.abort()
    a.abort()
