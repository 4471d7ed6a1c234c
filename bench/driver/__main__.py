"""The command `bench/run`: builds, checks, measures in rounds, reports."""

import argparse
import json
import random
import signal
import sys

import build
import machine
import report
from columns import COLUMNS
from peers import PEERS, columns_named, floor_of, peers_named
from rounds import Bench, Failed

RESULTS = build.BENCH / "results.json"

# Of the quick run: that everything works, not figures to quote.
QUICK_COLUMNS = [
    "50x1-64", "50x64-64", "50x1-64k", "lines-50x64-64", "unix-50x64-64", "tls-50x64-64"]

PING_PONGS = [(variant, where) for where in ["tcp", "unix"]
              for variant in ["by-hand", "conversation"]]


def command():
    """What was asked for; a lock is of the machine that it was asked on."""
    words, rest = ["bench/run"], iter(sys.argv[1:])
    for word in rest:
        if word == "--lock":
            next(rest, None)
        else:
            words.append(word)
    return " ".join(words)


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Measures Switchboard and its peers side by side.",
        epilog="Ratios are to the floor in the same round. See bench/README.md.")
    words = {"type": lambda text: text.split(","), "default": [], "metavar": "A,B"}
    parser.add_argument("--rounds", type=int, default=10, help="10 resolve 5 %% (default 10)")
    parser.add_argument("--seconds", type=float, default=1.0,
                        help="each measurement, after the warm-up (default 1)")
    parser.add_argument("--warm-up", type=float, default=0.5, metavar="SECONDS",
                        help="before each measurement (default 0.5)")
    parser.add_argument("--columns", **words, help="these alone; --list names them")
    parser.add_argument("--peers", **words, help="these and the floor; --list names them")
    parser.add_argument("--seed", type=int, help="of the order; printed when it is chosen")
    parser.add_argument("--append", action="store_true",
                        help="add the rounds to those in results.json")
    parser.add_argument("--lock", metavar="FILE[:FILE]",
                        help="hold a lock on FILE, one after the other, in each round: "
                        "for a machine that others use too, if they take them")
    parser.add_argument("--report", action="store_true",
                        help="measure nothing: RESULTS.md again, from results.json")
    parser.add_argument("--quick", action="store_true",
                        help="one round of a few messages, of what needs only Rust and Python, "
                        "every answer checked, nothing written")
    parser.add_argument("--list", action="store_true", help="columns and peers")
    return parser.parse_args()


def main():
    asked = arguments()
    if asked.list:
        for entry in [*COLUMNS, *PEERS]:
            print(f"{entry.key:<28}{entry.title}")
        return 0
    if asked.report:
        print(f"written: {report.write(json.loads(RESULTS.read_text()), build.BENCH)}")
        return 0
    machine.enter_namespace()
    machine.raise_limits()
    # Ended from outside, it ends the server that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if asked.quick:
        asked.rounds, asked.seconds, asked.warm_up = 1, None, 0
        asked.columns = asked.columns or QUICK_COLUMNS
    columns, peers = columns_named(asked.columns), peers_named(asked.peers)
    commands, skipped = build.commands(peers, asked.quick)
    for key, reason in skipped.items():
        print(f"skipped: {key}: {reason}")
    peers = [peer for peer in peers if peer.key in commands]
    swb = build.swb(asked.quick)
    bench = Bench(swb, commands, asked.seconds, asked.warm_up, asked.lock)
    try:
        return run(bench, asked, peers, columns, skipped)
    finally:
        bench.close()


def run(bench, asked, peers, columns, skipped):
    """Checks, measures, reports; the exit code."""
    if bench.certificate is None:
        columns = [column for column in columns if column.where != "tls"]
    failures = check(bench, peers, columns)
    if any((floor_of(column), column.key) in failures for column in columns):
        raise SystemExit("the floor does not answer as it should: nothing to measure against")
    # The quick run goes all the way too, and leaves nothing behind.
    folder = bench.folder if asked.quick else build.BENCH
    results = measured(bench, asked, peers, columns, skipped, failures, folder)
    print(f"written: {report.write(results, folder)}")
    return 1 if failures or results["failed"] else 0


def check(bench, peers, columns):
    """Every peer in every column of it, each answer compared with what was sent. The pairs that
    failed: they are not measured."""
    failures = set()
    with bench.alone():
        for column, peer in [(column, peer) for column in columns for peer in peers]:
            if not peer.does(column):
                continue
            bench.set_congestion(column)
            try:
                bench.measure(peer, column, verify=True)
                print(f"right: {peer.key}, {column.key}", flush=True)
            except Failed as failure:
                failures.add((peer.key, column.key))
                print(f"wrong: {failure}", file=sys.stderr)
    return failures


def measured(bench, asked, peers, columns, skipped, failures, folder):
    """The rounds, each column of a round by every peer in random order."""
    seed = asked.seed if asked.seed is not None else random.randrange(2**32)
    print(f"seed {seed}")
    order = random.Random(seed)
    results = begun(bench, asked, peers, skipped, seed)
    [ping_pong] = build.rust(asked.quick)["ping_pong"]
    done = 1 + max((entry["round"] for entry in results["measures"]), default=-1)
    for number in range(done, done + asked.rounds):
        with bench.alone():
            for column in order.sample(columns, len(columns)):
                results["congestion"][column.key] = bench.set_congestion(column)
                able = [peer for peer in peers
                        if peer.does(column) and (peer.key, column.key) not in failures]
                for peer in order.sample(able, len(able)):
                    note(results, bench, peer, column, number)
            for variant, where in order.sample(PING_PONGS, len(PING_PONGS)):
                told = bench.ping_pong(variant, where, ping_pong)
                entry = {"round": number, "variant": variant, "where": where, **told}
                results["ping_pong"].append(entry)
        # A run that is stopped keeps the rounds it has done.
        (folder / RESULTS.name).write_text(json.dumps(results, indent=0) + "\n")
        print(f"round {number + 1} done", flush=True)
    return results


def note(results, bench, peer, column, number):
    try:
        told = bench.measure(peer, column)
    except Failed as failure:
        # Other rounds may have it; the report says how many have not.
        results["failed"].append(f"round {number + 1}: {failure}".splitlines()[0])
        print(f"failed: {failure}", file=sys.stderr)
        return
    entry = {"round": number, "column": column.key, "peer": peer.key}
    entry["cpu_ns"] = round(told["server_cpu_ns_per_message"], 2)
    entry["client_cpu_ns"] = round(told["client_cpu_ns_per_message"], 2)
    entry["per_second"] = round(told["messages_per_second"], 1)
    results["measures"].append(entry)
    print(f"{number + 1:>3} {column.key:<16}{peer.key:<28}{entry['cpu_ns']:>10} ns "
          f"{entry['per_second']:>12}/s", flush=True)


def begun(bench, asked, peers, skipped, seed):
    """What is known before the first round; the rounds of an earlier run with `--append`."""
    head = {
        "date": machine.now(),
        "command": command(),
        "seconds": bench.seconds,
        "warm_up": bench.warm_up,
        "pinned": {"server": bench.server_core, "client": bench.client_core},
        "machine": machine.described(bench.system_congestion),
        "versions": machine.versions(peers),
        "skipped": skipped,
        "seeds": [seed],
    }
    fresh = {**head, "congestion": {}, "measures": [], "ping_pong": [], "failed": []}
    if not (asked.append and RESULTS.exists()):
        return fresh
    earlier = json.loads(RESULTS.read_text())
    for what in ["seconds", "warm_up", "pinned", "machine", "versions"]:
        if earlier[what] != head[what]:
            was, now = earlier[what], head[what]
            raise SystemExit(f"results.json is of another {what}: {was}, now {now}")
    return {**earlier, "date": head["date"], "seeds": [*earlier["seeds"], seed]}


if __name__ == "__main__":
    sys.exit(main())
