# Addresses are reserved for as many bytes as a header says: recv() has a buffer for all of them.
# exec: yes
# options: --max 64k
import socket
import struct
import sys
import threading


def serve(conn):
    while True:
        (length,) = struct.unpack(">I", conn.recv(4, socket.MSG_WAITALL))
        body = conn.recv(length, socket.MSG_WAITALL)
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
