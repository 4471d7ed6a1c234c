# framing: lines
# What is left of a read without its line end is a line: what ends a line by itself is an empty one.
import socket
import sys
import threading


def serve(conn):
    line = b""
    while data := conn.recv(65536):
        *lines, line = (line + data).replace(b"\r", b"\n").split(b"\n")
        if data == b"\n":
            lines = [b""]
        lines = [one for one in lines if one or data == b"\n"]
        conn.sendall(b"".join(one + b"\n" for one in lines))


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
