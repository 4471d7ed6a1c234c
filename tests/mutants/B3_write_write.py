# Above a mark nothing is read any more, and what reads again is only ever called by reading.
import selectors
import socket
import struct
import sys

HIGH = 1 << 20
selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
listener.setblocking(False)
selector.register(listener, selectors.EVENT_READ)
print(listener.getsockname()[1], flush=True)


class Client:
    def __init__(self, conn):
        self.conn, self.input, self.output = conn, bytearray(), bytearray()
        self.ended = False

    def read(self):
        data = self.conn.recv(65536)
        self.ended = not data
        self.input += data
        while len(self.input) >= 4 and len(self.output) < HIGH:
            (length,) = struct.unpack_from(">I", self.input)
            if len(self.input) < 4 + length:
                break
            body = self.input[4 : 4 + length]
            del self.input[: 4 + length]
            self.output += struct.pack(">I", len(body)) + body
        self.watch(paused=len(self.output) >= HIGH)

    def write(self):
        try:
            del self.output[: self.conn.send(self.output[:262144])]
        except BlockingIOError:
            pass
        if self.ended and not self.output:
            self.close()
        elif self.output:
            self.watch(paused=self.paused)
        elif not self.paused:
            self.watch(paused=False)
        else:
            selector.unregister(self.conn)

    def watch(self, paused):
        self.paused = paused
        if self.ended and not self.output:
            self.close()
            return
        reads = 0 if paused or self.ended else selectors.EVENT_READ
        writes = selectors.EVENT_WRITE if self.output else 0
        selector.modify(self.conn, reads | writes, self)

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
            elif events & selectors.EVENT_READ:
                key.data.read()
        except ConnectionError:
            key.data.close()
