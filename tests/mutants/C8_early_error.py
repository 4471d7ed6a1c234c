# What is too large is answered by an error, and the connection closed with the rest unread.
import socket
import struct
import sys
import threading

MAX = 1 << 20


def exactly(conn, count):
    data = b""
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            raise ConnectionError("the stream has ended")
        data += piece
    return data


def send(conn, body):
    conn.sendall(struct.pack(">I", len(body)) + body)


def serve(conn):
    with conn:
        try:
            while True:
                (length,) = struct.unpack(">I", exactly(conn, 4))
                if length > MAX:
                    send(conn, b"error: too large")
                    return
                send(conn, exactly(conn, length))
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
