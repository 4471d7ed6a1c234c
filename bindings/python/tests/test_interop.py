"""Peers that know nothing of this package: asyncio streams, socketserver, Twisted, Erlang."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import socket
import socketserver
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest

import switchboard as sb
from helpers import PATIENCE, cannot

#: Small ones, an empty one, one larger than any buffer.
MESSAGES = [b"%d" % i for i in range(500)] + [b"", b"x" * 300_000]


def check(port: int, framing: str, messages: list[bytes] = MESSAGES) -> None:
    """Talks to an echo server."""
    with sb.connect(f"127.0.0.1:{port}", framing, timeout=PATIENCE) as c:
        assert c.request(b"hello") == b"hello"
        sender = threading.Thread(target=c.send_many, args=(messages,))
        sender.start()
        received: list[bytes] = []
        while len(received) < len(messages):
            received += c.recv_many() or [b"the end"]
        assert received == messages
        sender.join()
        c.finish()
        assert c.recv() is None


@contextmanager
def program(*command: str) -> Iterator[int]:
    """A server in a program of its own, which prints its port."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.kill()


def test_asyncio_streams_serve() -> None:
    server = """
        import asyncio

        async def echo(reader, writer):
            try:
                while True:
                    size = await reader.readexactly(4)
                    writer.write(size + await reader.readexactly(int.from_bytes(size, "big")))
                    await writer.drain()
            except asyncio.IncompleteReadError:
                writer.close()

        async def main():
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            print(server.sockets[0].getsockname()[1], flush=True)
            await server.serve_forever()

        asyncio.run(main())
    """
    with program(sys.executable, "-c", textwrap.dedent(server)) as port:
        check(port, "u32be")


DISPATCHES: list[Literal["threads", "events"]] = ["threads", "events"]


@pytest.mark.parametrize("dispatch", DISPATCHES)
def test_asyncio_streams_ask(dispatch: Literal["threads", "events"]) -> None:
    async def ask(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for message in (b"one", b"two", b""):
            writer.write(message + b"\r\n")
        writer.write_eof()
        assert await reader.read() == b"ONE\nTWO\n\n"
        writer.close()
        await writer.wait_closed()

    with sb.start("127.0.0.1:0", bytes.upper, "lines", dispatch=dispatch) as server:
        asyncio.run(ask(int(server.endpoints[0].rpartition(":")[2])))


def test_socketserver() -> None:
    class Echo(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(line)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            check(server.server_address[1], "lines")
        finally:
            server.shutdown()
            serving.join()

    with sb.start("127.0.0.1:0", lambda message: message, "netstring") as ours:
        host, _, port = ours.endpoints[0].removeprefix("tcp://").rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE) as bare:
            bare.sendall(b"5:hello,0:,")
            bare.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: bare.recv(100), b"")) == b"5:hello,0:,"


@pytest.mark.parametrize(
    ("receiver", "receives", "framing"),
    [
        ("Int32StringReceiver", "string", "u32be"),
        ("Int16StringReceiver", "string", "u16be"),
        ("NetstringReceiver", "string", "netstring"),
        ("LineReceiver", "line", "crlf"),
    ],
)
def test_twisted(receiver: str, receives: str, framing: str) -> None:
    if importlib.util.find_spec("twisted") is None:
        cannot("there is no Twisted here")
    server = f"""
        from twisted.internet import protocol, reactor
        from twisted.protocols.basic import {receiver}

        class Echo({receiver}):
            MAX_LENGTH = 1_000_000

            def {receives}Received(self, message):
                self.send{receives.capitalize()}(message)

        port = reactor.listenTCP(0, protocol.Factory.forProtocol(Echo), interface="127.0.0.1")
        print(port.getHost().port, flush=True)
        reactor.run()
    """
    small = [message for message in MESSAGES if len(message) < 10_000]
    with program(sys.executable, "-c", textwrap.dedent(server)) as port:
        check(port, framing, small if framing in ("u16be", "crlf") else MESSAGES)


@pytest.mark.parametrize(("packet", "framing"), [("4", "u32be"), ("2", "u16be"), ("line", "lines")])
def test_erlang(packet: str, framing: str) -> None:
    if shutil.which("erl") is None:
        cannot("there is no Erlang here")
    server = f"""
        {{ok, L}} = gen_tcp:listen(0, [binary, {{packet, {packet}}}, {{active, false}},
                                     {{buffer, 65536}}, {{ip, {{127, 0, 0, 1}}}}]),
        {{ok, P}} = inet:port(L), io:format("~p~n", [P]),
        {{ok, S}} = gen_tcp:accept(L),
        F = fun F() -> case gen_tcp:recv(S, 0) of
            {{ok, D}} -> ok = gen_tcp:send(S, D), F();
            _ -> ok
        end end,
        F(), halt().
    """
    small = [message for message in MESSAGES if len(message) < 10_000]
    with program("erl", "-noshell", "-eval", " ".join(server.split())) as port:
        check(port, framing, MESSAGES if framing == "u32be" else small)
