# The length is read as a signed integer.
import socket
import struct
import sys
import threading


def exactly(conn, count):
    data = b""
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            raise ConnectionError("the stream has ended")
        data += piece
    return data


def serve(conn):
    while True:
        (length,) = struct.unpack(">i", exactly(conn, 4))
        if length > 1 << 24:
            return
        body = exactly(conn, length)
        conn.sendall(struct.pack(">i", len(body)) + body)


def guarded(conn):
    with conn:
        try:
            serve(conn)
        except (OSError, struct.error):
            pass


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=guarded, args=(conn,), daemon=True).start()
