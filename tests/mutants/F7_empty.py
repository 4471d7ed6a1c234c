# An empty message is taken for the end of the stream: both are b"".
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


def receive(conn):
    try:
        (length,) = struct.unpack(">I", exactly(conn, 4))
        return exactly(conn, length)
    except ConnectionError:
        return b""


def serve(conn):
    while body := receive(conn):
        conn.sendall(struct.pack(">I", len(body)) + body)


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
