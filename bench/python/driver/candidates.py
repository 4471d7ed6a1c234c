"""Who is measured, at what, and what is to be reached."""

from dataclasses import dataclass

from columns import Column
from peers import Peer

# Over TCP on loopback, a length of four bytes before each message.
COLUMNS = [
    Column("1x512-64", "1 connection, 512 in flight, 64 B", "echo", 1, 512, 64),
    Column("50x64-64", "50 connections, 64 in flight on each, 64 B", "echo", 50, 64, 64),
    Column("50x64-1k", "50 x 64, 1 KiB", "sizes", 50, 64, 1024),
    # With the system's own, large messages over loopback measure that instead of the server.
    Column("50x1-64k", "50 x 1, 64 KiB (reno)", "sizes", 50, 1, 65536, congestion="reno"),
]
ECHO = [column.key for column in COLUMNS if column.group == "echo"]
ALL = [column.key for column in COLUMNS]


def ours(form, title, only=()):
    return Peer(form, title, "python", ("switchboard_echo.py",), (form,), only=only)


def aio(form, title, *, uvloop=False, only=()):
    words = (form, "uvloop") if uvloop else (form,)
    key = f"aio-{form}" + ("-uvloop" if uvloop else "")
    return Peer(key, title, "uvloop" if uvloop else "python", ("switchboard_aio.py",), words,
                only=only)


OURS = [
    ours("recv_many", "**`recv_many`, `send_many`**"),
    ours("events", "**handler, `events`**"),
    ours("threads", "**handler, `threads`**"),
    ours("processes", "**handler, `processes`**", ECHO),
    ours("iterating", "**`for message in c: c.send(..)`**", ECHO),
    aio("recv_many", "**aio, `recv_many`, `send_many`**"),
    aio("handler", "**aio, handler (`async def`)**"),
    aio("iterating", "**aio, `async for message in c`**", only=ECHO),
    aio("recv_many", "**aio on uvloop, `recv_many`, `send_many`**", uvloop=True),
    aio("handler", "**aio on uvloop, handler**", uvloop=True, only=ECHO),
    aio("iterating", "**aio on uvloop, `async for`**", uvloop=True, only=ECHO),
]

STREAMS = "asyncio-streams"
BY_HAND = ["protocol-int", "protocol-struct"]
BY_HAND_UVLOOP = ["protocol-int-uvloop", "protocol-struct-uvloop"]

OTHERS = [
    Peer(STREAMS, "asyncio streams", "python", ("asyncio_streams.py",)),
    Peer("protocol-int", "asyncio.Protocol batched by hand, `int.from_bytes`", "python",
         ("asyncio_protocol.py",), only=ECHO),
    Peer("protocol-struct", "asyncio.Protocol batched by hand, `unpack_from`", "python",
         ("asyncio_protocol.py",), ("unpack_from",)),
    Peer("asyncio-streams-uvloop", "uvloop, streams", "uvloop", ("asyncio_streams.py",),
         ("uvloop",), only=ECHO),
    Peer("protocol-int-uvloop", "uvloop, Protocol batched by hand, `int.from_bytes`", "uvloop",
         ("asyncio_protocol.py",), ("uvloop",), only=ECHO),
    Peer("protocol-struct-uvloop", "uvloop, Protocol batched by hand, `unpack_from`", "uvloop",
         ("asyncio_protocol.py",), ("unpack_from", "uvloop")),
    Peer("twisted", "Twisted, Int32StringReceiver", "twisted", ("twisted_strings.py",)),
    Peer("socketserver", "socketserver and struct", "python", ("socketserver_struct.py",),
         only=ECHO),
    Peer("zmq", "pyzmq, ROUTER (its own protocol, its own client)", "zmq", ("zmq_router.py",)),
]
ZMQ = "zmq"

SERVERS = [*OURS, *OTHERS]


@dataclass(frozen=True)
class Ping:
    """A client that has one message under way; its program is in `clients/`."""

    key: str
    title: str
    needs: str = "python"


PINGS = [
    Ping("socket", "`socket` and `struct` by hand"),
    Ping("socket_timeout", "the same with a timeout (`settimeout`)"),
    Ping("switchboard", "**`Conversation.request`**"),
    Ping("switchboard_aio", "**aio, `await c.request(..)`**"),
    Ping("asyncio", "asyncio streams"),
    Ping("zmq", "pyzmq REQ (to a ROUTER)", "zmq"),
]
PING_BY_HAND = "socket"
PING_BY_HAND_IN_TIME = "socket_timeout"

LOCAL = {
    "decode-u32be-64": "`Decoder(\"u32be\").feed`, 64 B",
    "decode-u32be-1k": "`Decoder(\"u32be\").feed`, 1 KiB",
    "decode-lines-64": "`Decoder(\"lines\").feed`, 64 B",
    "encode-u32be-64": "`Encoder(\"u32be\").encode`, 64 B",
    "send-u32be-64": "`send_many`, 256 of 64 B",
}
LOCAL_NAMES = {
    "split": "`bytes.split`",
    "by-hand": "by hand",
    "bytearray": "`bytearray` and `del`",
    "naive": "naive",
}
