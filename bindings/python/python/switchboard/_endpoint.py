"""What an endpoint may be given as."""

from __future__ import annotations

from os import PathLike

#: A string (``"localhost:9000"``); or a host and a port, as `getsockname` has them; or the path of
#: a Unix socket.
Endpoint = str | tuple[str, int] | tuple[str, int, int, int] | PathLike[str]
