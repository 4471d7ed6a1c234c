"""What the drivers beside `bench/run` have in common: rounds in random order, and what they write
for the report."""

import json
import random
import sys

import build
import machine


def add_arguments(parser, rounds, seconds=None):
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
    if seconds is not None:
        parser.add_argument("--seconds", type=float, default=seconds,
                            help=f"each measurement, default {seconds}")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=[], metavar="A,B",
                        help="these alone; without, all")
    parser.add_argument("--seed", type=int, help="of the order; printed when it is chosen")
    parser.add_argument("--lock", metavar="FILE", help="hold a lock on FILE in each round")
    parser.add_argument("--quick", action="store_true", help="one short round, nothing written")


def rounds(asked, things, alone, measure):
    """Measures each thing once a round; gives what was measured, by thing, and the seed."""
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
    order = random.Random(seed)
    measured = {thing: [] for thing in things}
    for number in range(asked.rounds):
        with alone():
            for thing in order.sample(things, len(things)):
                measured[thing].append(measure(thing))
        print(f"round {number + 1} of {asked.rounds}, seed {seed}", file=sys.stderr)
    return measured, seed


def write(name, title, unit, conditions, rows):
    told = {"title": title, "unit": unit, "conditions": conditions, "rows": rows}
    (build.BENCH / name).write_text(json.dumps(told, indent=1) + "\n")


def pinned_at():
    server, client = machine.cores()
    return f"server on core {server}, client on core {client}"
