"""Whole messages over stream sockets.

>>> import switchboard as sb
>>> with sb.connect("exec:cat", framing="u32be", timeout=5) as c:
...     c.send(b"hello")
...     c.recv()
b'hello'
"""

from switchboard._certificates import Tls
from switchboard._ending import Ending
from switchboard._errors import (
    BadFrame,
    BadFraming,
    Denied,
    Failed,
    Misused,
    NoReply,
    NotYet,
    Oversize,
    PeerDead,
    Refused,
    Reset,
    SwitchboardError,
    TimedOut,
    Truncated,
    Unresolved,
)
from switchboard._native import (
    Conversation,
    Decoder,
    Discarded,
    Encoder,
    Listener,
    Running,
    connect,
    listen,
    wrap,
)
from switchboard._select import Ready, select
from switchboard._serve import serve, start
from switchboard._spawn import Spawned

__all__ = [
    "BadFrame",
    "BadFraming",
    "Conversation",
    "Decoder",
    "Denied",
    "Discarded",
    "Encoder",
    "Ending",
    "Failed",
    "Listener",
    "Misused",
    "NoReply",
    "NotYet",
    "Oversize",
    "PeerDead",
    "Ready",
    "Refused",
    "Reset",
    "Running",
    "Spawned",
    "SwitchboardError",
    "TimedOut",
    "Tls",
    "Truncated",
    "Unresolved",
    "connect",
    "listen",
    "select",
    "serve",
    "start",
    "wrap",
]
