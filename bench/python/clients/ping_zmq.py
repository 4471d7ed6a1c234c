"""One message at a time: pyzmq's REQ, whose server is `peers/zmq_router.py`."""

import timing
import zmq

port, warm_up, seconds = timing.arguments()
with zmq.Context() as context, context.socket(zmq.REQ) as socket:
    socket.connect(f"tcp://127.0.0.1:{port}")

    def request(message):
        socket.send(message)
        return socket.recv()

    timing.measure(request, warm_up, seconds)
