# exec: yes
# Python's own server: when accept finds no descriptor left, it is called again at once.
import socketserver
import struct
import sys


class Echo(socketserver.BaseRequestHandler):
    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.request.recv(count - len(data))
            if not piece:
                raise ConnectionError("the stream has ended")
            data += piece
        return data

    def handle(self):
        try:
            while True:
                (length,) = struct.unpack(">I", self.exactly(4))
                body = self.exactly(length)
                self.request.sendall(struct.pack(">I", len(body)) + body)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


with Server(("127.0.0.1", int(sys.argv[1])), Echo) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
