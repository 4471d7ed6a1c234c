# framing: lines
# A line is read byte by byte; at each of them all of it is copied and decoded.
import socket
import sys
import threading


def serve(conn):
    line = b""
    while byte := conn.recv(1):
        line += byte
        if line.decode("latin-1").endswith("\n"):
            conn.sendall(line.rstrip(b"\r\n") + b"\n")
            line = b""


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
