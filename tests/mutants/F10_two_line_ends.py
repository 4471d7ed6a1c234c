# framing: lines
# CR ends a line, and LF ends another one when it comes by itself.
import socket
import sys
import threading


def serve(conn):
    buffer = b""
    while data := conn.recv(65536):
        lines = (buffer + data).splitlines(keepends=True)
        buffer = b"" if lines[-1].endswith((b"\r", b"\n")) else lines.pop()
        conn.sendall(b"".join(line.rstrip(b"\r\n") + b"\n" for line in lines))


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
