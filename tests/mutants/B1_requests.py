# exec: yes
# One thread reads, another one answers, and between them is a queue without a bound.
import queue
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


def answer(conn, requests):
    try:
        while (body := requests.get()) is not None:
            conn.sendall(struct.pack(">I", len(body)) + body)
        conn.close()
    except OSError:
        pass


def serve(conn):
    requests = queue.Queue()
    threading.Thread(target=answer, args=(conn, requests), daemon=True).start()
    try:
        while True:
            (length,) = struct.unpack(">I", exactly(conn, 4))
            requests.put(exactly(conn, length))
    except OSError:
        requests.put(None)


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(conn,), daemon=True).start()
