"""What is measured: each column is one load on one kind of connection."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    key: str
    title: str
    group: str
    connections: int
    depth: int
    size: int
    framing: str = "u32be"
    # tcp, unix or tls.
    where: str = "tcp"
    # Client and server on the same processor: a round trip takes what both take together.
    one_core: bool = False
    # The congestion control of this column; empty is the system's own.
    congestion: str = ""


GROUPS = {
    "echo": "Echo over TCP, 4-byte big-endian length prefix",
    "lines": "Lines over TCP",
    "one core": "Ping-pong: one connection, one message at a time, both sides on one core",
    "unix": "Unix socket, 4-byte length prefix",
    "tls": "TLS 1.3 over TCP, 4-byte length prefix",
}

COLUMNS = [
    Column("50x1-64", "50 conns x 1, 64 B", "echo", 50, 1, 64),
    Column("50x64-64", "50 x 64 in flight, 64 B", "echo", 50, 64, 64),
    Column("50x64-1k", "50 x 64, 1 KiB", "echo", 50, 64, 1024),
    Column("1000x1-64", "1000 x 1, 64 B", "echo", 1000, 1, 64),
    Column("50x1-64k", "50 x 1, 64 KiB (reno)", "echo", 50, 1, 65536, congestion="reno"),
    Column("lines-50x64-64", "lines, 50 x 64, 64 B", "lines", 50, 64, 64, framing="lines"),
    Column("pair-tcp", "TCP, 1 x 1, 64 B", "one core", 1, 1, 64, one_core=True),
    Column("pair-unix", "Unix, 1 x 1, 64 B", "one core", 1, 1, 64, where="unix", one_core=True),
    Column("unix-50x64-64", "Unix, 50 x 64, 64 B", "unix", 50, 64, 64, where="unix"),
    Column("tls-50x1-64", "TLS, 50 x 1, 64 B", "tls", 50, 1, 64, where="tls"),
    Column("tls-50x64-64", "TLS, 50 x 64, 64 B", "tls", 50, 64, 64, where="tls"),
]

MAIN = [column.key for column in COLUMNS if column.group == "echo"]

# Where many messages are under way, and it matters when a server writes.
IN_FLIGHT = ["50x64-64", "50x64-1k"]
