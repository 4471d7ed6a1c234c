# exec: yes
# A buffer for each client, kept by its address: the next client has another address.
import socket
import struct
import sys
import threading


buffers = {}


def exactly(conn, buffer, count):
    view = memoryview(buffer)[:count]
    at = 0
    while at < count:
        got = conn.recv_into(view[at:])
        if got == 0:
            raise ConnectionError("the stream has ended")
        at += got
    return bytes(view)


def serve(conn, peer):
    buffer = buffers.setdefault(peer, bytearray(16384))
    while True:
        (length,) = struct.unpack(">I", exactly(conn, buffer, 4))
        if length > len(buffer):
            break
        body = exactly(conn, buffer, length)
        conn.sendall(struct.pack(">I", len(body)) + body)


def guarded(conn, peer):
    with conn:
        try:
            serve(conn, peer)
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
print(listener.getsockname()[1], flush=True)
while True:
    conn, peer = listener.accept()
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=guarded, args=(conn, peer), daemon=True).start()
