"""Ctrl-C, SIGTERM and SIGKILL, under each dispatcher: what becomes of a program that serves, of its
processes, and of its clients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import switchboard as sb
from helpers import PATIENCE, in_thread, two

#: A dispatcher, and how its processes are started.
Method = tuple[str, str]

METHODS: list[Method] = [
    ("threads", "fork"),
    ("events", "fork"),
    ("processes", "fork"),
    ("processes", "spawn"),
]

PROGRAM = """
import signal, sys
import switchboard as sb

def handler(message):
    if message == b"stay":
        print("stays", flush=True)
        signal.sigwait({signal.SIGUSR1})
    return message.upper()

def main(how, dispatch, start_method):
    ends = {signal.SIGINT, signal.SIGTERM}
    if how == "sigwait":
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    server = sb.start(
        "127.0.0.1:0", handler, "lines",
        dispatch=dispatch, start_method=start_method, stop_within=1000,
    )
    if how == "with":
        with server:
            print(server.endpoints[0], flush=True)
            server.join()
    print(server.endpoints[0], flush=True)
    if how == "sigwait":
        assert ends <= signal.pthread_sigmask(signal.SIG_BLOCK, ()), "it has unblocked them"
        signal.sigwait(ends)
        server.stop()
    elif how == "join":
        server.join()

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


class Program:
    """One that serves, in a session of its own."""

    def __init__(self, folder: Path, how: str, method: Method) -> None:
        script = folder / "serving.py"
        script.write_text(PROGRAM)
        self.process = subprocess.Popen(
            [sys.executable, str(script), how, *method],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.endpoint = self.line()

    def line(self) -> str:
        """The next line that it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self, number: signal.Signals, *, all: bool = False) -> None:
        (os.killpg if all else os.kill)(self.process.pid, number)

    def ended(self) -> tuple[int, str]:
        """Its code and what it has said, once all of its processes have ended."""
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


@contextmanager
def program(folder: Path, how: str, method: Method) -> Iterator[Program]:
    it = Program(folder, how, method)
    try:
        yield it
    finally:
        try:
            it.kill(signal.SIGKILL, all=True)
        except ProcessLookupError:
            pass
        it.process.communicate()


def idle(c: sb.Conversation, talks: threading.Event) -> None:
    assert c.request(b"x") == b"X"
    talks.set()
    try:
        assert c.recv() is None
    except ConnectionError:
        pass


def busy(c: sb.Conversation, talks: threading.Event) -> None:
    try:
        while True:
            assert c.request(b"x") == b"X"
            talks.set()
    except (ConnectionError, EOFError):
        pass


CLIENTS = {"idle": idle, "busy": busy}

#: What is sent, to whom; how the program waits; and the code that it ends with. At the end by
#: SIGINT it tells of its KeyboardInterrupt, else nothing.
ENDS = [
    (signal.SIGINT, "one", "with", -signal.SIGINT),
    (signal.SIGINT, "all", "with", -signal.SIGINT),
    (signal.SIGINT, "one", "join", -signal.SIGINT),
    (signal.SIGINT, "all", "join", -signal.SIGINT),
    (signal.SIGTERM, "one", "join", -signal.SIGTERM),
    (signal.SIGTERM, "all", "join", -signal.SIGTERM),
    (signal.SIGKILL, "one", "join", -signal.SIGKILL),
    (signal.SIGINT, "all", "sigwait", 0),
    (signal.SIGTERM, "one", "sigwait", 0),
    (signal.SIGTERM, "all", "sigwait", 0),
]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("method", METHODS, ids="-".join)
@pytest.mark.parametrize(
    "sent,to,how,code", ENDS, ids=[f"{sent.name}-{to}-{how}" for sent, to, how, _ in ENDS]
)
def test_how_a_program_ends(
    tmp_path: Path,
    sent: signal.Signals,
    to: str,
    how: str,
    code: int,
    method: Method,
    client: str,
) -> None:
    with program(tmp_path, how, method) as it:
        talks = threading.Event()

        def talk() -> None:
            with sb.connect(it.endpoint, "lines", timeout=PATIENCE) as c:
                CLIENTS[client](c, talks)

        with in_thread(talk):
            assert talks.wait(PATIENCE)
            it.kill(sent, all=to == "all")
            ended, said = it.ended()
        assert ended == code, said
        lines = said.splitlines()
        if code == -signal.SIGINT:
            assert lines[0].startswith("Traceback") and lines[-1] == "KeyboardInterrupt", said
            assert said.count("Traceback") == 1, said
        else:
            assert not lines, said


@pytest.mark.parametrize("method", METHODS[2:], ids="-".join)
def test_who_presses_ctrl_c_again_waits_for_nobody(tmp_path: Path, method: Method) -> None:
    with program(tmp_path, "with", method) as it:
        c = sb.connect(it.endpoint, "lines", timeout=PATIENCE)
        c.send(b"stay")
        assert it.line() == "stays"
        it.kill(signal.SIGINT, all=True)
        # It stops: nobody is accepted any more.
        with pytest.raises(ConnectionError):
            while True:
                sb.connect(it.endpoint, "lines", timeout=PATIENCE).abort()
        it.kill(signal.SIGINT, all=True)
        ended, said = it.ended()
        assert ended == -signal.SIGINT, said
        # Not the last line: a process that is forked just then may tell of the signal too.
        assert "KeyboardInterrupt" in said.splitlines(), said
        c.abort()


@pytest.mark.parametrize("method", METHODS, ids="-".join)
@pytest.mark.parametrize("blocked", [set(), {signal.SIGTERM, signal.SIGUSR1}, {signal.SIGINT}])
def test_a_start_leaves_the_mask_as_it_was(
    blocked: set[signal.Signals], method: Method, tmp_path: Path
) -> None:
    script = tmp_path / "mask.py"
    script.write_text(
        f"""
import signal
import switchboard as sb

def handler(message):
    return repr(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))).encode()

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_SETMASK, {set(map(int, blocked))!r})
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with sb.start(
        "127.0.0.1:0", handler, "lines", dispatch={method[0]!r}, start_method={method[1]!r}
    ) as server:
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
        with sb.connect(server.endpoints[0], "lines", timeout={PATIENCE}) as c:
            print(c.request(b"x") == handler(b"x"))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
"""
    )
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "True\n", "")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("method", METHODS, ids="-".join)
def test_a_fork_that_leaves_the_block_has_no_say_in_it(method: Method, tmp_path: Path) -> None:
    script = tmp_path / "forks.py"
    script.write_text(
        f"""
import os, sys
import switchboard as sb

if __name__ == "__main__":
    with sb.start(
        "127.0.0.1:0", bytes.upper, "lines", dispatch={method[0]!r}, start_method={method[1]!r}
    ) as server:
        child = os.fork()
        if child == 0:
            for call in (server.stop, server.join):
                try:
                    call()
                except sb.Misused as error:
                    assert "of the process that started it" in str(error)
                else:
                    sys.exit(1)
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with sb.connect(server.endpoints[0], "lines", timeout={PATIENCE}) as c:
            print(c.request(b"still there"))
"""
    )
    ran = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(script)],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "b'STILL THERE'\n", "")


class Heard(Exception):
    """Raised by the handler of a signal."""


def waiting_recv() -> None:
    a, _b = two()
    a.recv()


def waiting_select() -> None:
    a, _b = two()
    sb.select([a], [], [], PATIENCE)


def waiting_accept() -> None:
    with sb.listen("127.0.0.1:0", "lines") as listener:
        listener.accept(timeout=PATIENCE)


def waiting_join() -> None:
    with sb.start("127.0.0.1:0", bytes.upper, "lines") as server:
        server.join()


def waiting_join_of_another() -> None:
    with sb.start(
        "127.0.0.1:0", bytes.upper, "lines", dispatch="processes", start_method="spawn"
    ) as server:
        server.join()


@pytest.mark.parametrize(
    "waits",
    [waiting_recv, waiting_select, waiting_accept, waiting_join, waiting_join_of_another],
)
def test_a_signal_that_interrupts_nothing_is_heard_all_the_same(waits: Callable[[], None]) -> None:
    def hear(number: int, frame: object) -> None:
        raise Heard

    main = Path(f"/proc/self/task/{threading.get_native_id()}/stat")

    def send() -> None:
        # As if it had come just before the wait: in another thread it interrupts nothing there.
        in_a_row = 0
        while in_a_row < 1000:
            is_asleep = main.read_text().rpartition(")")[2].split()[0] == "S"
            in_a_row = in_a_row + 1 if is_asleep else 0
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, hear)
    began = time.monotonic()
    try:
        with in_thread(send), pytest.raises(Heard):
            waits()
        # And not because the wait was over.
        assert time.monotonic() - began < PATIENCE / 2
    finally:
        signal.signal(signal.SIGUSR1, before)
