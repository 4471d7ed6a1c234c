"""client PORT CERT COUNT: sends COUNT messages of u32be, each must come back; says goodbye.
server CERT KEY: says its port, echoes one conversation to its goodbye, says how many bytes."""

import socket
import ssl
import struct
import sys
import threading


def read(stream, count):
    bytes = b""
    while len(bytes) < count:
        some = stream.recv(count - len(bytes))
        assert some, "the stream ended"
        bytes += some
    return bytes


def client(port, cert, count):
    context = ssl.create_default_context(cafile=cert)
    bare = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
    stream = context.wrap_socket(bare, server_hostname="localhost")
    messages = [bytes([n % 256]) * (n * n) for n in range(int(count))]

    def send():
        for message in messages:
            stream.sendall(struct.pack(">I", len(message)) + message)

    sender = threading.Thread(target=send)
    sender.start()
    for message in messages:
        (size,) = struct.unpack(">I", read(stream, 4))
        assert read(stream, size) == message
    sender.join()
    # Says close_notify and waits for the other side's: without one this raises.
    stream.unwrap().close()
    print(f"echoed {len(messages)} over {context.maximum_version.name}")


def server(cert, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("127.0.0.1", 0))
    print("port", listener.getsockname()[1], flush=True)
    bare, _ = listener.accept()
    stream = context.wrap_socket(bare, server_side=True, suppress_ragged_eofs=False)
    total = 0
    # An end without close_notify raises.
    while some := stream.recv(65536):
        total += len(some)
        stream.sendall(some)
    stream.unwrap().close()
    print("served", total, flush=True)


{"client": client, "server": server}[sys.argv[1]](*sys.argv[2:])
