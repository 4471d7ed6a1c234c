"""Serving: every dispatcher, every kind of handler, faults, stops."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from typing import Any, Literal

import pytest

import switchboard as sb
from helpers import PATIENCE, in_thread

Dispatch = Literal["threads", "processes", "events"]
EVERY: list[Dispatch] = ["threads", "processes", "events"]
WAITING: list[Dispatch] = ["threads", "processes"]


def connect(server: sb.Running | sb.Spawned, framing: str = "lines") -> sb.Conversation:
    return sb.connect(server.endpoints[0], framing, timeout=PATIENCE)


def shout(message: bytes) -> bytes | None:
    return message.upper() if message else None


def converse(c: sb.Conversation) -> None:
    for number, message in enumerate(c):
        c.send(b"%d %s" % (number, message))


@pytest.mark.parametrize("dispatch", EVERY)
def test_a_function_of_a_message(dispatch: Dispatch) -> None:
    with sb.start("127.0.0.1:0", shout, "lines", dispatch=dispatch) as server:
        for _ in range(3):
            with connect(server) as c:
                c.send_many([b"one", b"", b"two"])
                c.finish()
                assert list(c) == [b"ONE", b"TWO"]


@pytest.mark.parametrize("dispatch", EVERY)
def test_many_messages_and_large_ones(dispatch: Dispatch) -> None:
    with sb.start("127.0.0.1:0", lambda m: m, "u32be", dispatch=dispatch) as server:
        with connect(server, "u32be") as c:
            sent = [b"x" * (i % 700) for i in range(5000)] + [b"y" * 1_000_000]

            def send() -> None:
                c.send_many(sent)
                c.finish()

            with in_thread(send):
                assert list(c) == sent


def large(message: bytes) -> bytes:
    return bytes(int(message))


@pytest.mark.parametrize("dispatch", EVERY)
def test_the_limit_for_a_message_is_that_for_answers(
    dispatch: Dispatch, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of processes nobody but standard error hears.
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    with sb.start("127.0.0.1:0", large, "u32be", dispatch=dispatch, max=100_000_000) as server:
        c = sb.connect(server.endpoints[0], "u32be", timeout=PATIENCE, max=100_000_000)
        c.send_many([b"100000000", b"40000000"])
        assert [len(c.recv() or b""), len(c.recv() or b"")] == [100_000_000, 40_000_000]
        c.send(b"100000001")
        with pytest.raises((EOFError, ConnectionResetError)):
            c.request(b"1")
    assert "100000001 bytes is over the limit of 100000000" in capfd.readouterr().err


@pytest.mark.parametrize("dispatch", WAITING)
def test_a_function_of_a_conversation(dispatch: Dispatch) -> None:
    with sb.start("127.0.0.1:0", converse, "lines", dispatch=dispatch) as server:
        with connect(server) as a, connect(server) as b:
            assert a.request(b"x") == b"0 x"
            assert b.request(b"y") == b"0 y"
            assert a.request(b"z") == b"1 z"


def test_events_take_no_handler_that_waits() -> None:
    with pytest.raises(sb.Misused, match="under the dispatcher events"):
        sb.start("127.0.0.1:0", converse, "lines", dispatch="events")


def test_what_a_handler_is_given_can_be_said() -> None:
    def annotated(peer: "sb.Conversation") -> None:
        peer.send(b"hello")

    def plain(x: Any) -> bytes:
        assert isinstance(x, bytes)
        return x

    def said(x: Any) -> None:
        x.send(b"hello")

    def served(handler: Any, per: Any = None) -> sb.Running | sb.Spawned:
        return sb.start("127.0.0.1:0", handler, "lines", per=per)

    for server in (served(annotated), served(said, "conversation")):
        with server, connect(server) as c:
            assert c.recv() == b"hello"
    for server in (served(plain), served(lambda c: c, "message")):
        with server, connect(server) as c:
            assert c.request(b"x") == b"x"
    with pytest.raises(TypeError, match="a handler is a function"):
        sb.start("127.0.0.1:0", b"no", "lines")  # type: ignore[arg-type]

    async def coroutine(message: bytes) -> bytes:
        return message

    with pytest.raises(TypeError, match="an async def"):
        sb.start("127.0.0.1:0", coroutine, "lines")  # type: ignore[arg-type]


@pytest.mark.parametrize("dispatch", ["threads", "events"])
def test_a_handler_that_raises_ends_its_own_conversation(
    dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)

    def handler(message: bytes) -> bytes:
        if message == b"bad":
            raise KeyError("mine")
        return message

    with sb.start("127.0.0.1:0", handler, "lines", dispatch=dispatch) as server:
        with connect(server) as other, connect(server) as c:
            assert other.request(b"x") == b"x"
            c.send_many([b"good", b"bad", b"after"])
            assert c.recv() == b"good"
            with pytest.raises(sb.Reset):
                c.recv()
            assert other.request(b"y") == b"y"
    assert [(one.exc_type, one.object) for one in shown] == [(KeyError, handler)]


def test_a_peer_that_vanishes_is_no_mistake_of_the_handler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    seen: list[sb.SwitchboardError] = []
    done = threading.Event()

    def handler(c: sb.Conversation) -> None:
        try:
            for _ in c:
                pass
        except sb.SwitchboardError as error:
            seen.append(error)
            done.set()
            raise

    with sb.start("127.0.0.1:0", handler, "u32be") as server:
        c = connect(server, "raw")
        c.send(b"\x00\x00\x00\x05he")
        c.close()
        assert done.wait(PATIENCE)
    assert isinstance(seen[0], sb.Truncated)
    assert shown == []


def test_an_answer_that_is_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    with sb.start("127.0.0.1:0", lambda m: m.decode(), "lines") as server:
        with connect(server) as c:
            c.send(b"x")
            with pytest.raises(sb.Reset):
                c.recv()
    assert shown[0].exc_type is TypeError


@pytest.mark.parametrize("dispatch", ["threads", "events"])
def test_an_answer_is_taken_as_it_was_given(dispatch: Dispatch) -> None:
    answer = bytearray()

    def handler(message: bytes) -> bytearray:
        answer[:] = message
        return answer

    with sb.start("127.0.0.1:0", handler, "lines", dispatch=dispatch) as server:
        with connect(server) as c:
            c.send_many([b"one", b"two", b"three"])
            assert [c.recv(), c.recv(), c.recv()] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("dispatch", ["threads", "events"])
def test_an_answer_that_cannot_be_framed(
    dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    with sb.start("127.0.0.1:0", lambda m: b"two\nlines", "lines", dispatch=dispatch) as server:
        with connect(server) as c:
            c.send(b"x")
            with pytest.raises(sb.Reset):
                c.recv()
    assert [one.exc_type for one in shown] == [sb.Misused]
    assert "line feed" in str(shown[0].exc_value)


def test_a_stop_waits_for_what_is_there() -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(message: bytes) -> bytes:
        begun.set()
        assert go.wait(PATIENCE)
        return message

    server = sb.start("127.0.0.1:0", slow, "lines")
    c = connect(server)
    c.send(b"asked before the stop")
    assert begun.wait(PATIENCE)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    go.set()
    assert c.recv() == b"asked before the stop"
    assert c.recv() is None
    c.close()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert server.stats["messages_received"] == 1
    server.stop()
    server.join()


def test_what_cannot_be_served() -> None:
    with sb.start("127.0.0.1:0", shout, "lines") as server:
        with pytest.raises(OSError, match="in use"):
            sb.start(server.endpoints[0], shout, "lines")
    with pytest.raises(sb.Misused, match="no dispatcher is called fibres"):
        sb.start("127.0.0.1:0", shout, "lines", dispatch="fibres")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no port"):
        sb.start("localhost", shout, "lines")


def test_a_process_of_its_own() -> None:
    def who(message: bytes) -> bytes:
        return b"%d" % os.getpid()

    with sb.start("127.0.0.1:0", who, "lines", dispatch="processes") as server:
        with connect(server) as a, connect(server) as b:
            first, second = a.request(b"?"), b.request(b"?")
            assert first == a.request(b"?")
            assert len({first, second, b"%d" % os.getpid()}) == 3


def test_a_process_that_dies_takes_no_other_along() -> None:
    def handler(message: bytes) -> bytes:
        if message == b"die":
            os._exit(3)
        return message

    with sb.start("127.0.0.1:0", handler, "lines", dispatch="processes") as server:
        with connect(server) as other:
            assert other.request(b"x") == b"x"
            c = connect(server)
            with pytest.raises((sb.Reset, sb.NoReply)):
                c.request(b"die")
            assert other.request(b"y") == b"y"


def test_processes_are_not_forked_off_a_program_with_threads() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    try:
        with pytest.raises(sb.SwitchboardError, match="threads"):
            sb.start("127.0.0.1:0", shout, "lines", dispatch="processes")
    finally:
        go.set()
        thread.join()


@pytest.mark.parametrize("dispatch", EVERY)
def test_ctrl_c_ends_serving(dispatch: Dispatch) -> None:
    program = textwrap.dedent(
        f"""
        import switchboard as sb
        def handler(message):
            print("handled", message.decode())
            return message
        try:
            with sb.start("127.0.0.1:0", handler, "lines", dispatch={dispatch!r}) as server:
                print(server.endpoints[0], flush=True)
                server.join()
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        endpoint = child.stdout.readline().strip()
        with sb.connect(endpoint, "lines", timeout=PATIENCE) as c:
            assert c.request(b"x") == b"x"
            child.send_signal(signal.SIGINT)
            assert c.recv() is None
        assert child.wait(PATIENCE) == 0
        assert sorted(child.stdout.read().split("\n")) == ["", "handled x", "interrupted"]


def test_a_server_that_nobody_stops_ends_with_the_program() -> None:
    program = """
import switchboard as sb
server = sb.start("127.0.0.1:0", bytes.upper, "lines")
c = sb.connect(server.endpoints[0], "lines", timeout=20)
print(c.request(b"x"))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("b'X'\n", "", 0)


def test_a_process_that_was_forked_off_does_not_stop_its_parents_server() -> None:
    program = """
import os, sys
import switchboard as sb
server = sb.start("127.0.0.1:0", bytes.upper, "lines")
if os.fork() == 0:
    try:
        server.stop()
    except ValueError as error:
        print(error, flush=True)
    sys.exit()
os.wait()
with server, sb.connect(server.endpoints[0], "lines", timeout=20) as c:
    print(c.request(b"x"))
"""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    expected = "the server is of the process that started it\nb'X'\n"
    assert (ran.stdout, ran.stderr, ran.returncode) == (expected, "", 0)


def fails_at_two(message: bytes) -> bytes:
    if message == b"2":
        raise KeyError("of the handler")
    return message


@pytest.mark.parametrize("dispatch", EVERY)
def test_a_report_says_who_and_what_at_one_go(
    dispatch: Dispatch, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    handlers: list[tuple[Any, str]] = [
        (fails_at_two, "KeyError: 'of the handler'"),
        (str, "and not str: encode it first, as in text.encode()"),
    ]
    for handler, text in handlers:
        with sb.start(
            "127.0.0.1:0", handler, "lines", dispatch=dispatch, per="message"
        ) as server:
            with connect(server) as c:
                client = c.local
                c.send_many([b"1", b"2", b"3"])
                with contextlib.suppress(ConnectionResetError):
                    list(c)
        number = 2 if handler is fails_at_two else 1
        lines = capfd.readouterr().err.splitlines()
        name = "fails_at_two" if handler is fails_at_two else "str"
        assert lines[0] == f"the handler {name} failed, at message {number} of {client}:"
        assert lines[-1].endswith(text)
        # None of it is the package's.
        assert not any("/switchboard/" in line for line in lines)


def test_a_hook_of_ones_own_is_told_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    with sb.start("127.0.0.1:0", fails_at_two, "lines") as server, connect(server) as c:
        client = c.local
        c.send(b"2")
        with contextlib.suppress(ConnectionResetError):
            list(c)
    (told,) = shown
    where = f"the handler fails_at_two failed, at message 1 of {client}"
    assert (told.object, told.exc_value.__notes__) == (fails_at_two, [where])


@pytest.mark.parametrize("dispatch", ["threads", "processes", "events"])
def test_a_client_that_says_nothing_is_ended(dispatch: Any) -> None:
    with sb.start(
        "127.0.0.1:0", bytes.upper, "lines", dispatch=dispatch, timeout=0.05
    ) as server:
        with sb.connect(server.endpoints[0], "lines", timeout=PATIENCE) as c:
            assert c.recv() is None
