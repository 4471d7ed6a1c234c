# tls: yes
# The handshake is part of accept, and the error of one ends the loop.
import socket
import ssl
import struct
import sys
import threading

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])


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


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
print(listener.getsockname()[1], flush=True)
listener = context.wrap_socket(listener, server_side=True)
while True:
    conn, _ = listener.accept()
    threading.Thread(target=guarded, args=(conn,), daemon=True).start()
