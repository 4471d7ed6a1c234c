# framing: lines
# tls: yes
# What is often advised against UNEXPECTED_EOF_WHILE_READING: to ignore it. An end without
# close_notify is then an end like any other, and what stands there is a line.
import socket
import ssl
import sys
import threading

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF


def serve(conn):
    with context.wrap_socket(conn, server_side=True) as tls, tls.makefile("rb") as lines:
        for line in lines:
            tls.sendall(line.rstrip(b"\n") + b"\n")


def guarded(conn):
    try:
        serve(conn)
    except OSError:
        conn.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    threading.Thread(target=guarded, args=(conn,), daemon=True).start()
