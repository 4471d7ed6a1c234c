# framing: crlf
# The delimiter is looked for in what came last alone.
import socket
import sys
import threading


def serve(conn):
    buffer = b""
    while data := conn.recv(65536):
        buffer += data
        if b"\r\n" in data:
            *lines, buffer = buffer.split(b"\r\n")
            conn.sendall(b"".join(line + b"\r\n" for line in lines))


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
