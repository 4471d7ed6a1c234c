# The accept loop asks who is there, and ends with the error when nobody is any more.
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


def serve(conn, peer):
    with conn:
        try:
            while True:
                (length,) = struct.unpack(">I", exactly(conn, 4))
                body = exactly(conn, length)
                conn.sendall(struct.pack(">I", len(body)) + body)
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    peer = conn.getpeername()
    threading.Thread(target=serve, args=(conn, peer), daemon=True).start()
