# A body that was cut off by the end of input is handled like a whole one.
import socket
import sys
import threading


def upto(conn, count):
    data = b""
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            break
        data += piece
    return data


def serve(conn):
    with conn:
        try:
            while True:
                prefix = upto(conn, 4)
                if len(prefix) < 4:
                    return
                body = upto(conn, int.from_bytes(prefix, "big"))
                conn.sendall(len(body).to_bytes(4, "big") + body)
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
