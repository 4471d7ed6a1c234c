"""Who is measured: how each peer is called, what it needs, and which columns it can do.

The first peer of each transport is the floor, which every other is divided by.
"""

from dataclasses import dataclass

from columns import COLUMNS, IN_FLIGHT


@dataclass(frozen=True)
class Peer:
    key: str
    title: str
    # A name in build.BUILDERS.
    needs: str
    # The words before WHERE FRAMING; {name} stands for what the builder has made.
    command: tuple
    # The words after them.
    words: tuple = ()
    # What it speaks: pairs of transport and framing.
    speaks: frozenset = frozenset({("tcp", "u32be")})
    # Only these columns, for a form that differs from another one of the same peer in these alone.
    only: tuple = ()
    # Seconds of load before the warm-up of every peer: until a virtual machine has compiled.
    compiles: float = 0

    def does(self, column):
        if self.only and column.key not in self.only:
            return False
        return (column.where, column.framing) in self.speaks


def speaks(*pairs):
    return frozenset(tuple(pair.split()) for pair in pairs)


PLAIN = speaks("tcp u32be", "tcp lines", "unix u32be")
ALL = PLAIN | speaks("tls u32be")
PREFIXED = speaks("tcp u32be", "unix u32be")

FLOOR = "floor"
FLOOR_TLS = "floor-tls"

PEERS = [
    Peer(FLOOR, "floor: raw epoll, unframed", "rust", ("{floor}",), speaks=PLAIN),
    Peer(FLOOR_TLS, "floor: epoll and rustls, unframed", "rust", ("{floor_tls}",),
         speaks=speaks("tls u32be")),
    Peer("switchboard-events", "**Switchboard, events**", "rust", ("{switchboard}", "events"),
         speaks=ALL),
    Peer("switchboard-threads", "Switchboard, threads", "rust", ("{switchboard}", "threads"),
         speaks=ALL),
    Peer("switchboard-processes", "Switchboard, processes", "rust",
         ("{switchboard}", "processes"), speaks=ALL),
    Peer("switchboard-conversations", "Switchboard, blocking conversations", "rust",
         ("{switchboard}", "conversations"), speaks=ALL),
    Peer("tokio-by-hand", "tokio, BytesMut by hand", "rust", ("{tokio}", "by-hand"),
         speaks=PREFIXED | speaks("tls u32be")),
    Peer("tokio-batched", "tokio-util Framed, `feed` + `flush`", "rust",
         ("{tokio}", "batched"), speaks=ALL),
    Peer("tokio-framed", "tokio-util Framed, `next` + `send`", "rust", ("{tokio}", "framed"),
         speaks=ALL),
    Peer("threads", "std threads, BufReader/BufWriter", "rust", ("{threads}", "default"),
         speaks=PLAIN),
    Peer("threads-large", "std threads, buffers of 64 KiB", "rust", ("{threads}", "large"),
         only=IN_FLIGHT),
    Peer("asio", "Boost.Asio", "asio", ("{asio}",), speaks=PREFIXED),
    Peer("go", "Go, bufio", "go", ("{go}",), speaks=PLAIN),
    Peer("go-large", "Go, bufio of 64 KiB", "go", ("{go}",), words=("large",), only=IN_FLIGHT),
    Peer("go-each", "Go, a flush a message", "go", ("{go}",), words=("each",), only=IN_FLIGHT),
    Peer("netty", "Netty NIO, flush at read complete", "netty", ("{java}", "Echo"),
         words=("complete",), compiles=2),
    Peer("netty-each", "Netty NIO, `writeAndFlush`", "netty", ("{java}", "Echo"),
         words=("each",), only=IN_FLIGHT, compiles=2),
    Peer("erlang", "Erlang gen_tcp {packet,4}", "erlang", ("{erl}",), words=("each",),
         speaks=speaks("tcp u32be", "tcp lines")),
    Peer("erlang-delayed", "Erlang, {delay_send,true}", "erlang", ("{erl}",),
         words=("delayed",), only=IN_FLIGHT),
    Peer("asyncio", "Python asyncio streams", "python", ("{python}", "asyncio_streams.py"),
         speaks=PLAIN),
    Peer("asyncio-uvloop", "Python asyncio streams, uvloop", "uvloop",
         ("{python}", "asyncio_streams.py"), words=("uvloop",)),
    Peer("asyncio-protocol", "Python asyncio protocol, uvloop", "uvloop",
         ("{python}", "asyncio_protocol.py"), words=("uvloop",)),
    Peer("twisted", "Python Twisted", "twisted", ("{python}", "twisted_strings.py"),
         speaks=speaks("tcp u32be", "tcp lines")),
]


def floor_of(column):
    return FLOOR_TLS if column.where == "tls" else FLOOR


def named(keys, table, kind):
    """The entries with these keys; an unknown one is told, with those there are."""
    known = {entry.key: entry for entry in table}
    for key in keys:
        if key not in known:
            raise SystemExit(f"no {kind} is called {key}: there are {', '.join(known)}")
    return [entry for entry in table if entry.key in keys]


def peers_named(keys):
    """Those, and always the floors: there is no ratio without."""
    return named({*keys, FLOOR, FLOOR_TLS}, PEERS, "peer") if keys else list(PEERS)


def columns_named(keys):
    return named(keys, COLUMNS, "column") if keys else list(COLUMNS)
