"""client PORT CERT COUNT: sends COUNT messages of u32be, each must come back; says goodbye.
server CERT KEY: says its port, echoes one conversation to its goodbye, says how many bytes."""

import select
import socket
import ssl
import struct
import sys


def client(port, cert, count):
    context = ssl.create_default_context(cafile=cert)
    bare = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
    stream = context.wrap_socket(bare, server_hostname="localhost")
    messages = [bytes([n % 256]) * (n * n) for n in range(int(count))]
    sent = b"".join(struct.pack(">I", len(message)) + message for message in messages)
    left, received = memoryview(sent), bytearray()
    # One thread for both directions: what is under an SSLSocket is not for two at once.
    stream.settimeout(0)
    waits = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
    while len(received) < len(sent):
        if not stream.pending():
            ready = select.select([stream], [stream] if left else [], [], 30)
            assert any(ready), "nothing moves"
        try:
            if left:
                left = left[stream.send(left[:16384]) :]
        except waits:
            pass
        try:
            some = stream.recv(65536)
            assert some, "the stream ended"
            received += some
        except waits:
            pass
    assert received == sent
    stream.settimeout(30)
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
