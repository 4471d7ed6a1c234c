# framing: lines
# exec: yes
# What has no end yet is kept, however much it is, and nobody has said how much that may be.
import socket
import sys
import threading


def serve(conn):
    buffer = bytearray()
    while data := conn.recv(65536):
        buffer += data
        if b"\n" in data:
            *lines, buffer = buffer.split(b"\n")
            conn.sendall(b"".join(line.removesuffix(b"\r") + b"\n" for line in lines))


def guarded(conn):
    with conn:
        try:
            serve(conn)
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=guarded, args=(conn,), daemon=True).start()
