"""socketserver with a thread for each connection, and `struct`: as many tutorials have it."""

import socket
import socketserver
import struct

SIZE = struct.Struct(">I")


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while prefix := self.exactly(4):
            (size,) = SIZE.unpack(prefix)
            message = self.exactly(size)
            self.request.sendall(SIZE.pack(len(message)) + message)

    def exactly(self, count):
        """So many bytes; none where the connection ends."""
        parts = []
        while count:
            part = self.request.recv(count)
            if not part:
                return b""
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 1024
    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Echo) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
