# recv's ConnectionResetError is not caught, and ends the loop that serves everyone.
import selectors
import socket
import struct
import sys

selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
selector.register(listener, selectors.EVENT_READ)
print(listener.getsockname()[1], flush=True)

while True:
    for key, _ in selector.select():
        if key.data is None:
            selector.register(listener.accept()[0], selectors.EVENT_READ, bytearray())
            continue
        conn, buffer = key.fileobj, key.data
        data = conn.recv(65536)
        if not data:
            selector.unregister(conn)
            conn.close()
            continue
        buffer += data
        while len(buffer) >= 4:
            (length,) = struct.unpack_from(">I", buffer)
            if len(buffer) < 4 + length:
                break
            body = bytes(buffer[4 : 4 + length])
            del buffer[: 4 + length]
            conn.sendall(struct.pack(">I", len(body)) + body)
