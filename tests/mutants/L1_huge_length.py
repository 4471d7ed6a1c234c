# As much memory is asked for as a header says, and the one loop dies of not getting it. It may have
# a gibibyte, so that nothing else does.
import resource
import selectors
import socket
import struct
import sys

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
selector.register(listener, selectors.EVENT_READ)
print(listener.getsockname()[1], flush=True)


class Client:
    def __init__(self, conn):
        self.conn = conn
        self.start()

    def start(self):
        self.header, self.body, self.got = b"", None, 0

    def read(self):
        if self.body is None:
            piece = self.conn.recv(4 - len(self.header))
            self.header += piece
            if len(self.header) == 4:
                (length,) = struct.unpack(">I", self.header)
                self.body = bytearray(length)
        else:
            piece = self.conn.recv(len(self.body) - self.got)
            self.body[self.got : self.got + len(piece)] = piece
            self.got += len(piece)
        if not piece:
            raise ConnectionError("the stream has ended")
        if self.body is not None and self.got == len(self.body):
            self.conn.sendall(self.header + self.body)
            self.start()


while True:
    for key, _ in selector.select():
        if key.data is None:
            conn, _ = listener.accept()
            selector.register(conn, selectors.EVENT_READ, Client(conn))
            continue
        try:
            key.data.read()
        except OSError:
            selector.unregister(key.fileobj)
            key.fileobj.close()
