"""pyzmq: a ROUTER that sends back what comes. Its protocol on the wire is ZeroMQ's, so its client
is another one than that of the rest: `clients/zmq_load.py`."""

import zmq

if __name__ == "__main__":
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        print(port, flush=True)
        while True:
            router.send_multipart(router.recv_multipart())
