# exec: yes
# Who ends well is taken off the list of clients; who resets is not, and stays open.
import socket
import struct
import sys
import threading


clients = set()


def exactly(conn, count):
    data = b""
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            raise ConnectionError("the stream has ended")
        data += piece
    return data


def serve(conn):
    clients.add(conn)
    try:
        while True:
            header = conn.recv(4, socket.MSG_WAITALL)
            if len(header) < 4:
                break
            (length,) = struct.unpack(">I", header)
            body = exactly(conn, length)
            conn.sendall(struct.pack(">I", len(body)) + body)
    except ConnectionResetError:
        return
    except OSError:
        pass
    clients.remove(conn)
    conn.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(conn,), daemon=True).start()
