# One client is served to its end before the next one is accepted.
import socket
import struct
import sys


def exactly(conn, count):
    data = b""
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            raise ConnectionError("the stream has ended")
        data += piece
    return data


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    with conn:
        try:
            while True:
                (length,) = struct.unpack(">I", exactly(conn, 4))
                body = exactly(conn, length)
                conn.sendall(struct.pack(">I", len(body)) + body)
        except OSError:
            pass
