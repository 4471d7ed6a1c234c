# framing: netstring
# The length is what int() makes of it: signs, blanks and leading zeros are fine.
import socket
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


def serve(conn):
    while True:
        digits = b""
        while (byte := exactly(conn, 1)) != b":":
            digits += byte
        body = exactly(conn, int(digits))
        if exactly(conn, 1) != b",":
            return
        conn.sendall(b"%d:%b," % (len(body), body))


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
