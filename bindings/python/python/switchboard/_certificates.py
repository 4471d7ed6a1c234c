"""Who this side is over TLS, and whom it trusts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

_File = str | PathLike[str]


@dataclass(frozen=True, kw_only=True)
class Tls:
    """What a ``tls://`` endpoint is told, by PEM files, as ``tls=`` of ``connect``, ``listen``,
    ``start`` and ``serve``. It is the library's own TLS: an ``ssl.SSLContext`` is for
    ``switchboard.aio``, or for a socket that is given to ``wrap``.

    >>> import switchboard as sb
    >>> trusting = sb.Tls(ca="ca.pem")  # connect("tls://host:port", .., tls=trusting)
    >>> serving = sb.Tls(cert="chain.pem", key="key.pem")  # start("tls://:port", .., tls=serving)
    """

    #: Who connects trusts the authorities in this file, and not those of the system.
    ca: _File | None = None
    #: The certificate of this side, and behind it its chain.
    cert: _File | None = None
    #: The key that belongs to it; without this it is in the same file.
    key: _File | None = None
    #: The name that the server's certificate must have, if it is not the host.
    name: str | None = None
    #: Application protocols (ALPN), the one liked best first.
    alpn: Sequence[str] = ()
    #: Who listens requires a certificate of each client, of an authority in this file.
    client_ca: _File | None = None
    #: Takes whatever certificate the server has: whoever is in between reads and changes all.
    insecure: bool = False
