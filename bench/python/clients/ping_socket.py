"""One message at a time: `socket` and `struct` by hand."""

import socket
import struct

import timing

SIZE = struct.Struct(">I")


def exactly(sock, count):
    part = sock.recv(count)
    if len(part) == count:
        return part
    parts = []
    while part:
        parts.append(part)
        count -= len(part)
        if not count:
            return b"".join(parts)
        part = sock.recv(count)
    raise EOFError("the stream has ended")


def measure(timeout):
    port, warm_up, seconds = timing.arguments()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout)

        def request(message):
            sock.sendall(b"".join((SIZE.pack(len(message)), message)))
            (size,) = SIZE.unpack(exactly(sock, 4))
            return exactly(sock, size)

        timing.measure(request, warm_up, seconds)


if __name__ == "__main__":
    # For ever.
    measure(None)
