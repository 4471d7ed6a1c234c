# The header is what one recv() gives, however little that is.
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
    while header := conn.recv(4):
        (length,) = struct.unpack(">I", header)
        body = exactly(conn, length)
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
