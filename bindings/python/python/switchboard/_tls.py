"""What a socket of ``ssl`` cannot do by itself: to be done sending, and go on receiving."""

from __future__ import annotations

import os
import socket
import ssl


def goodbye(sock: ssl.SSLSocket) -> tuple[bytes, bytes, bool]:
    """Says ``close_notify``: gives what had been decrypted until then, the bytes that are to be
    sent, and whether the peer has said its own before.

    ``unwrap`` says it, and then reads on for the peer's: where data comes instead it breaks the
    connection, and the data is lost. So it is let read from a socket on which nothing comes, which
    for so long is behind the same descriptor.
    """
    held = b""
    while pending := sock.pending():
        held += sock.recv(pending)
    number, real = sock.fileno(), os.dup(sock.fileno())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        is_over = True
        try:
            os.dup2(theirs.fileno(), number, inheritable=False)
            sock.unwrap()
        except ssl.SSLWantReadError:
            is_over = False
        finally:
            os.dup2(real, number, inheritable=False)
            os.close(real)
        theirs.close()
        return held, b"".join(iter(lambda: ours.recv(4096), b"")), is_over
