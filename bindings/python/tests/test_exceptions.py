"""Exceptions as values: copied, sent to another process, shown."""

from __future__ import annotations

import copy
import errno
import multiprocessing
import os
import pickle
import socket
from collections.abc import Callable
from typing import Any

import pytest

import switchboard as sb
from switchboard import _native
from helpers import PATIENCE, two, with_socket


def raised(what: Callable[[], Any]) -> sb.SwitchboardError:
    with pytest.raises(sb.SwitchboardError) as error:
        what()
    return error.value


def truncated() -> sb.SwitchboardError:
    c, peer = with_socket()
    peer.sendall(b"\0\0\0\5he")
    peer.close()
    return raised(c.recv)


def in_decoder() -> sb.SwitchboardError:
    return raised(lambda: sb.Decoder("u32be", max=5).feed(b"\0\0\0\1x\0\0\0\xff"))


def refused() -> sb.SwitchboardError:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    return raised(lambda: sb.connect(("127.0.0.1", port), "lines"))


def in_use() -> sb.SwitchboardError:
    with sb.listen("127.0.0.1:0", "lines") as listener:
        return raised(lambda: sb.listen(listener.endpoints[0], "lines"))


def timed_out() -> sb.SwitchboardError:
    ours, _theirs = two(timeout=0.01)
    return raised(ours.recv)


def bad_framing() -> sb.SwitchboardError:
    return raised(lambda: sb.Decoder("u33be"))


def not_yet() -> sb.SwitchboardError:
    ours, _theirs = two()
    return raised(ours.try_recv)


def everything(error: BaseException) -> dict[str, Any]:
    known = {name: getattr(error, name, None) for name in ("errno", "strerror", "args")}
    return error.__dict__ | known | {"str": str(error), "repr": repr(error)}


MADE = [truncated, in_decoder, refused, in_use, timed_out, bad_framing, not_yet]


@pytest.mark.parametrize("make", MADE)
def test_nothing_is_lost_on_the_way(make: Callable[[], sb.SwitchboardError]) -> None:
    error = make()
    error.add_note("a note")
    copies = [copy.copy(error), copy.deepcopy(error)]
    copies += [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)]
    for one in copies:
        assert type(one) is type(error)
        assert everything(one) == everything(error)
    assert repr(error) == f"{type(error).__name__}({str(error)!r})"
    assert error.args == (str(error),)
    assert error.__cause__ is None and error.__context__ is None


def test_every_class_can_be_made_and_copied() -> None:
    classes = [
        value for value in vars(sb).values()
        if isinstance(value, type) and issubclass(value, sb.SwitchboardError)
    ]  # fmt: skip
    assert len(classes) == 16
    for made in (one("text") for one in classes):
        again = pickle.loads(pickle.dumps(made))
        assert (type(again), str(again)) == (type(made), "text")
        assert str(type(made)()) == ""


def test_what_the_system_said() -> None:
    for error, number in [(refused(), errno.ECONNREFUSED), (in_use(), errno.EADDRINUSE)]:
        assert isinstance(error, OSError)
        assert (error.errno, error.strerror) == (number, os.strerror(number))
        assert str(error).startswith("cannot ")


def test_out_of_a_pool_of_processes() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        with pytest.raises(sb.Truncated) as error:
            pool.apply_async(truncated_there).get(PATIENCE)
        pool.close()
        pool.join()
    assert error.value.partial == b"\0\0\0\5he"
    assert error.value.ending == "truncated"


def truncated_there() -> None:
    raise truncated()


def test_out_of_a_server_in_another_interpreter() -> None:
    with sb.listen("127.0.0.1:0", "lines") as listener:
        with pytest.raises(OSError, match="in use") as error:
            sb.start(
                listener.endpoints[0], bytes.upper, "lines",
                dispatch="processes", start_method="spawn",
            )  # fmt: skip
    assert error.value.errno == errno.EADDRINUSE


def test_the_ending_of_a_decoder_goes_along() -> None:
    decoder = sb.Decoder("eof")
    decoder.feed(b"all of it")
    ending = decoder.finish()
    for one in (copy.copy(ending), pickle.loads(pickle.dumps(ending))):
        assert one == "finished" and one.messages == [b"all of it"]


def test_what_a_system_says_of_a_connect() -> None:
    def failed(number: int) -> Exception:
        return _native.connect_failed("192.0.2.1:9", [("192.0.2.1:9", number)])

    for number, kind in [
        (errno.EACCES, sb.Denied),
        (errno.EPERM, sb.Denied),
        (errno.ECONNREFUSED, sb.Refused),
        (errno.ENOENT, sb.Missing),
        (errno.EHOSTUNREACH, sb.Failed),
    ]:
        error = failed(number)
        assert type(error) is kind
        assert isinstance(error, OSError)
        assert (error.errno, error.strerror) == (number, os.strerror(number))
    for text, number in [
        ("Name or service not known", socket.EAI_NONAME),
        ("Temporary failure in name resolution", socket.EAI_AGAIN),
    ]:
        error = _native.connect_failed("nowhere.invalid:9", [], text)
        assert isinstance(error, sb.Unresolved)
        assert error.errno == number


def test_where_a_frame_is_broken() -> None:
    a, b = socket.socketpair()
    with sb.wrap(a, "netstring", timeout=PATIENCE) as c:
        b.sendall(b"1:x,zz")
        assert c.recv() == b"x"
        with pytest.raises(sb.BadFrame) as caught:
            c.recv()
        assert (caught.value.byte_offset, caught.value.at) == (4, 4)
        b.close()
