"""What the clients have in common: they do one thing after the other, each reply compared with what
was sent, for a time; and print one line of JSON."""

import json
import sys
import time

MESSAGE = bytes(range(64))

# So many round trips between two looks at the clock.
BATCH = 64


def arguments():
    """The port to connect to, and for how long, in seconds: the warm-up, then the measurement."""
    port, warm_up, seconds = sys.argv[1:4]
    return int(port), float(warm_up), float(seconds)


def measure(round_trip, warm_up, seconds):
    """A function that sends a message and gives the reply."""
    def batch():
        for _ in range(BATCH):
            check(round_trip(MESSAGE))

    told(*_run(batch, warm_up, seconds))


def _run(batch, warm_up, seconds):
    begin = time.perf_counter()
    while time.perf_counter() - begin < warm_up:
        batch()
    batches, begin, cpu = 0, time.perf_counter_ns(), time.process_time_ns()
    while time.perf_counter_ns() - begin < seconds * 1e9 or not batches:
        batch()
        batches += 1
    return batches, time.perf_counter_ns() - begin, time.process_time_ns() - cpu


async def measure_async(round_trip, warm_up, seconds):
    """The same for an `async def`."""
    async def batch():
        for _ in range(BATCH):
            check(await round_trip(MESSAGE))

    begin = time.perf_counter()
    while time.perf_counter() - begin < warm_up:
        await batch()
    batches, begin, cpu = 0, time.perf_counter_ns(), time.process_time_ns()
    while time.perf_counter_ns() - begin < seconds * 1e9 or not batches:
        await batch()
        batches += 1
    told(batches, time.perf_counter_ns() - begin, time.process_time_ns() - cpu)


def check(reply):
    if reply != MESSAGE:
        raise SystemExit(f"another reply than what was sent: {reply!r}")


def told(batches, elapsed, cpu):
    count = batches * BATCH
    print(json.dumps({"round_trips": count, "ns": elapsed / count, "cpu_ns": cpu / count}))
