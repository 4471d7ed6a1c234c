"""Decoders, encoders and sending, in one process: each candidate in turn, several times; what each
gives is compared first. Prints one line of JSON: nanoseconds of processor a message, by what and
candidate.

SECONDS is for how long each candidate runs each time, SEED of the order.
"""

import json
import os
import random
import socket
import struct
import sys
import time

import by_hand
import switchboard as sb

PIECE_BYTES = 64 * 1024
STREAM_BYTES = 1024 * 1024
TIMES = 3

SIZE = struct.Struct(">I")


def pieces(stream):
    return [stream[at:at + PIECE_BYTES] for at in range(0, len(stream), PIECE_BYTES)]


def decoding(made, stream):
    """A function that decodes the stream, whose messages end where it ends."""
    parts = pieces(stream)

    def run():
        decoder = made()
        return [message for part in parts for message in decoder.feed(part)]

    def timed():
        feed = made().feed
        for part in parts:
            feed(part)

    return run, timed


def decoders():
    """By what: the messages, and how each candidate decodes them."""
    def prefixed(size):
        messages = [bytes([65 + i % 26]) * size for i in range(STREAM_BYTES // (size + 4))]
        stream = b"".join(SIZE.pack(len(message)) + message for message in messages)
        return messages, {
            "switchboard": decoding(lambda: sb.Decoder("u32be"), stream),
            "by-hand": decoding(by_hand.Prefixed, stream),
            "bytearray": decoding(by_hand.PrefixedBytearray, stream),
            "naive": decoding(by_hand.PrefixedNaive, stream),
        }

    messages = [bytes([65 + i % 26]) * 64 for i in range(STREAM_BYTES // 65)]
    stream = b"".join(message + b"\n" for message in messages)
    yield "decode-u32be-64", *prefixed(64)
    yield "decode-u32be-1k", *prefixed(1024)
    yield "decode-lines-64", messages, {
        "switchboard": decoding(lambda: sb.Decoder("lines"), stream),
        "split": decoding(by_hand.Lines, stream),
        "by-hand": decoding(by_hand.LinesLoop, stream),
        "naive": decoding(by_hand.LinesNaive, stream),
    }


def encoders():
    messages = [bytes([65 + i % 26]) * 64 for i in range(STREAM_BYTES // 68)]
    encode, pack = sb.Encoder("u32be").encode, SIZE.pack

    def ours():
        return [encode(message) for message in messages]

    def packed():
        return [pack(len(message)) + message for message in messages]

    yield "encode-u32be-64", packed(), {"switchboard": (ours, ours), "by-hand": (packed, packed)}


class Sink:
    """A process that reads and forgets, on the other core, and where to send to it."""

    def __init__(self):
        core, other = sorted(os.sched_getaffinity(0))[:2] if two_cores() else (None, None)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            self.child = os.fork()
            if self.child == 0:
                if other is not None:
                    os.sched_setaffinity(0, {other})
                sock, buffer = listener.accept()[0], bytearray(1024 * 1024)
                while sock.recv_into(buffer):
                    pass
                os._exit(0)
        if core is not None:
            os.sched_setaffinity(0, {core})
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def two_cores():
    return len(os.sched_getaffinity(0)) >= 2


def senders(sink, other_sink):
    """Batches of 256 messages: `send_many`, and what one would write by hand."""
    batch = [bytes([65 + i % 26]) * 64 for i in range(256)]
    pack, sock = SIZE.pack, sink.sock
    c = sb.wrap(other_sink.sock, "u32be")

    def ours():
        for _ in range(16):
            c.send_many(batch)

    def packed():
        for _ in range(16):
            parts = []
            for message in batch:
                parts.append(pack(len(message)))
                parts.append(message)
            sock.sendall(b"".join(parts))

    yield "send-u32be-64", 16 * len(batch), {"switchboard": ours, "by-hand": packed}


def measured(run, count, seconds):
    """Nanoseconds of this thread a message, the quickest of the passes: what else the machine did
    is no part of it."""
    best, until = float("inf"), time.perf_counter() + seconds
    while True:
        begin = time.thread_time_ns()
        run()
        best = min(best, time.thread_time_ns() - begin)
        if time.perf_counter() >= until:
            return best / count


def main(seconds, seed):
    order, told, candidates = random.Random(seed), {}, []
    for what, messages, forms in [*decoders(), *encoders()]:
        for name, (run, timed) in forms.items():
            if run() != messages:
                raise SystemExit(f"wrong: {what}, {name}")
            candidates.append((what, name, timed, len(messages)))
    sinks = Sink(), Sink()
    for what, count, forms in senders(*sinks):
        candidates += [(what, name, run, count) for name, run in forms.items()]
    for _ in range(TIMES):
        for what, name, run, count in order.sample(candidates, len(candidates)):
            told.setdefault(f"{what} {name}", []).append(measured(run, count, seconds / TIMES))
    print(json.dumps({key: min(values) for key, values in told.items()}))
    for sink in sinks:
        sink.sock.close()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
