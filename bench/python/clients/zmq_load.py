"""The load on `peers/zmq_router.py`: DEALERs, each with so many messages under way, as `swb bench`
has them. Prints what that prints of it, one line of JSON; every reply is compared."""

import argparse
import json
import time

import zmq

# So many messages between two looks at the clock, at the most.
BATCH = 64


def server_cpu(pid):
    """What a process has had of the processor, in nanoseconds: Linux's clock of that process, which
    `swb bench` reads too."""
    scheduler = 2
    return time.clock_gettime_ns((~pid << 3) | scheduler)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    for name, kind in [("connections", int), ("depth", int), ("size", int), ("server-pid", int),
                       ("count", int), ("seconds", float), ("warm-up", float)]:
        parser.add_argument(f"--{name}", type=kind, required=name != "count")
    return parser.parse_args()


class Load:
    def __init__(self, context, asked):
        self.message = b"x" * asked.size
        self.poller = zmq.Poller()
        for _ in range(asked.connections):
            dealer = context.socket(zmq.DEALER)
            dealer.connect(f"tcp://127.0.0.1:{asked.port}")
            self.poller.register(dealer, zmq.POLLIN)
            for _ in range(asked.depth):
                dealer.send(self.message)

    def go_on(self, until, count):
        """Until then, or for so many: how many replies came."""
        received = 0
        while time.perf_counter() < until and (count is None or received < count):
            for dealer, _ in self.poller.poll(1000):
                received += self.answered(dealer)
        return received

    def answered(self, dealer):
        for number in range(BATCH):
            try:
                reply = dealer.recv(zmq.NOBLOCK)
            except zmq.Again:
                return number
            if reply != self.message:
                raise SystemExit("another reply than what was sent")
            dealer.send(self.message)
        return BATCH


def main():
    asked = arguments()
    with zmq.Context() as context:
        load = Load(context, asked)
        load.go_on(time.perf_counter() + asked.warm_up, None)
        server, client = server_cpu(asked.server_pid), time.process_time()
        begin = time.perf_counter()
        received = load.go_on(begin + asked.seconds, asked.count)
        elapsed = time.perf_counter() - begin
        server, client = server_cpu(asked.server_pid) - server, time.process_time() - client
        each = max(received, 1)
        print(json.dumps({
            "messages_received": received,
            "messages_per_second": received / elapsed,
            "server_cpu_ns_per_message": server / each,
            "client_cpu_ns_per_message": client * 1e9 / each,
            "errors": {},
        }), flush=True)
        context.destroy(linger=0)


if __name__ == "__main__":
    main()
