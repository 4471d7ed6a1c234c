# A list of clients that only ever grows: what has ended stays open.
# exec: yes
import selectors
import socket
import struct
import sys

selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
selector.register(listener, selectors.EVENT_READ)
print(listener.getsockname()[1], flush=True)
clients = []


def feed(conn, buffer):
    data = conn.recv(65536)
    if not data:
        raise ConnectionError("the stream has ended")
    buffer += data
    while len(buffer) >= 4:
        (length,) = struct.unpack_from(">I", buffer)
        if len(buffer) < 4 + length:
            break
        body = bytes(buffer[4 : 4 + length])
        del buffer[: 4 + length]
        conn.sendall(struct.pack(">I", len(body)) + body)


while True:
    for key, _ in selector.select():
        if key.data is None:
            conn, _ = listener.accept()
            clients.append(conn)
            selector.register(conn, selectors.EVENT_READ, bytearray())
            continue
        try:
            feed(key.fileobj, key.data)
        except ConnectionError:
            selector.unregister(key.fileobj)
            # The list has it still.
