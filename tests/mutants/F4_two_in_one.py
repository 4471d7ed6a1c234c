# One message a read: what is behind it waits for the next read.
import socket
import struct
import sys
import threading


def serve(conn):
    buffer = b""
    while data := conn.recv(65536):
        buffer += data
        if len(buffer) < 4:
            continue
        (length,) = struct.unpack_from(">I", buffer)
        if len(buffer) >= 4 + length:
            body, buffer = buffer[4 : 4 + length], buffer[4 + length :]
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
