# The end of input closes the connection, and what is still queued for it is gone.
import selectors
import socket
import struct
import sys

selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
listener.setblocking(False)
selector.register(listener, selectors.EVENT_READ)
print(listener.getsockname()[1], flush=True)


class Client:
    def __init__(self, conn):
        self.conn, self.input, self.output = conn, bytearray(), bytearray()

    def read(self):
        data = self.conn.recv(65536)
        if not data:
            self.close()
            return
        self.input += data
        while len(self.input) >= 4:
            (length,) = struct.unpack_from(">I", self.input)
            if len(self.input) < 4 + length:
                break
            body = self.input[4 : 4 + length]
            del self.input[: 4 + length]
            self.output += struct.pack(">I", len(body)) + body
        self.write()

    def write(self):
        try:
            del self.output[: self.conn.send(self.output[:262144])]
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.output else 0)
        selector.modify(self.conn, events, self)

    def close(self):
        selector.unregister(self.conn)
        self.conn.close()


while True:
    for key, events in selector.select():
        if key.data is None:
            conn, _ = listener.accept()
            conn.setblocking(False)
            selector.register(conn, selectors.EVENT_READ, Client(conn))
            continue
        try:
            if events & selectors.EVENT_WRITE:
                key.data.write()
            if events & selectors.EVENT_READ:
                key.data.read()
        except ConnectionError:
            key.data.close()
