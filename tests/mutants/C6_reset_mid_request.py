# A reset is caught where a message begins, and not where the rest of it is read.
import selectors
import socket
import struct
import sys

selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
selector.register(listener, selectors.EVENT_READ, "listener")
print(listener.getsockname()[1], flush=True)


def exactly(conn, data, count):
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return data


while True:
    for key, _ in selector.select():
        if key.data == "listener":
            selector.register(listener.accept()[0], selectors.EVENT_READ)
            continue
        conn = key.fileobj
        try:
            first = conn.recv(1)
        except ConnectionResetError:
            first = b""
        prefix = exactly(conn, first, 4) if first else None
        body = exactly(conn, b"", struct.unpack(">I", prefix)[0]) if prefix else None
        if body is None:
            selector.unregister(conn)
            conn.close()
            continue
        conn.sendall(struct.pack(">I", len(body)) + body)
