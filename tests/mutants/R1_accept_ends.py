# exec: yes
# An error of accept ends the loop: when there is no descriptor left, nobody is ever let in again.
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


def serve(conn):
    while True:
        (length,) = struct.unpack(">I", exactly(conn, 4))
        body = exactly(conn, length)
        conn.sendall(struct.pack(">I", len(body)) + body)


def guarded(conn):
    with conn:
        try:
            serve(conn)
        except OSError:
            pass


def accept_all():
    while True:
        try:
            conn, _ = listener.accept()
        except OSError as error:
            print("accept:", error, file=sys.stderr)
            return
        threading.Thread(target=guarded, args=(conn,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
print(listener.getsockname()[1], flush=True)
threading.Thread(target=accept_all).start()
threading.Event().wait()
