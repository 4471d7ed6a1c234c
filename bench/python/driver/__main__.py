"""The command `bench/python/run`: checks, measures in rounds, writes RESULTS.md and the README."""

import argparse
import json
import random
import signal
import sys
import pathlib

HERE = pathlib.Path(__file__).resolve().parent.parent
# What both benchmarks have in common is there.
sys.path.append(str(HERE.parent / "driver"))

import machine
import measuring
import tables
from candidates import COLUMNS, PINGS, SERVERS, ZMQ
from peers import named
from rounds import Failed

RESULTS = HERE / "results.json"
# Of a candidate, in the quick run.
QUICK_SECONDS = 0.02


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench/python/run",
        description="Measures the Python package and what else Python has for framed messages.")
    words = {"type": lambda text: text.split(","), "default": [], "metavar": "A,B"}
    parser.add_argument("--rounds", type=int, default=10, help="default 10, about 10 minutes")
    parser.add_argument("--seconds", type=float, default=0.5,
                        help="each measurement, after the warm-up (default 0.5)")
    parser.add_argument("--warm-up", type=float, default=0.1, metavar="SECONDS",
                        help="before each measurement (default 0.1)")
    parser.add_argument("--columns", **words, help="these loads alone; --list names them")
    parser.add_argument("--peers", **words, help="these servers alone; --list names them")
    parser.add_argument("--skip", **words, help="of echo, ping, local: not those")
    parser.add_argument("--seed", type=int, help="of the order; printed when it is chosen")
    parser.add_argument("--lock", metavar="FILE", help="hold a lock on FILE in each round")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER",
                        help="results.json and RESULTS.md there, and the README left alone")
    parser.add_argument("--quick", action="store_true",
                        help="one brief round, every answer checked, nothing written")
    parser.add_argument("--report", action="store_true",
                        help="measure nothing: RESULTS.md and the README, from results.json")
    parser.add_argument("--check", action="store_true",
                        help="measure nothing: whether both agree with results.json")
    parser.add_argument("--list", action="store_true", help="loads and servers")
    # What `run` has made: the environment with everything, and swb where there is one.
    parser.add_argument("--python", default=sys.executable, help=argparse.SUPPRESS)
    parser.add_argument("--swb", help="a load generator that is built already")
    return parser.parse_args()


def command():
    """What was asked for, without what is of the machine that it was asked on."""
    words, rest = ["bench/python/run"], iter(sys.argv[1:])
    for word in rest:
        if word in ("--python", "--swb", "--lock", "--out"):
            next(rest, None)
        else:
            words.append(word)
    return " ".join(words)


def main():
    asked = arguments()
    if asked.list:
        for entry in [*COLUMNS, *SERVERS]:
            print(f"{entry.key:<28}{entry.title}")
        return 0
    if asked.check or asked.report:
        results = json.loads(RESULTS.read_text())
        if asked.check:
            return tables.check(results)
        return tables.write(results)
    machine.enter_namespace()
    machine.raise_limits()
    # Ended from outside, it ends the server that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if asked.quick:
        asked.rounds, asked.warm_up = 1, 0
    servers = named(asked.peers, SERVERS, "peer") if asked.peers else SERVERS
    seconds = None if asked.quick else asked.seconds
    bench = measuring.PythonBench(measuring.swb(asked), asked.python, SERVERS, seconds,
                                  asked.warm_up, asked.lock)
    try:
        return Run(bench, asked, servers).run()
    finally:
        bench.close()


class Run:
    def __init__(self, bench, asked, servers):
        self.bench = bench
        self.asked = asked
        self.columns = named(asked.columns, COLUMNS, "column") if asked.columns else COLUMNS
        self.servers = servers
        seed = asked.seed if asked.seed is not None else random.randrange(2**32)
        print(f"seed {seed}")
        self.order = random.Random(seed)
        [self.zmq] = [server for server in SERVERS if server.key == ZMQ]
        self.results = {
            "date": machine.now(),
            "command": command(),
            "rounds": asked.rounds,
            "seconds": bench.seconds,
            "warm_up": bench.warm_up,
            "pinned": {"server": bench.server_core, "client": bench.client_core},
            "machine": machine.described(bench.system_congestion),
            "versions": measuring.modules(bench.python),
            "commit": machine.switchboard_version(),
            "seed": seed,
            "echo": [], "ping": [], "local": [], "failed": [],
        }

    def run(self):
        """Checks, measures, writes; the exit code."""
        wrong = [] if "echo" in self.asked.skip else self.checked()
        servers = [server for server in self.servers if server.key not in wrong]
        if not self.asked.quick:
            self.measured(servers)
        else:
            self.pings(0, QUICK_SECONDS)
            self.local(0, QUICK_SECONDS)
            print(f"{len(servers)} servers, {len(PINGS)} clients: right, and nothing written")
        failed = wrong + self.results["failed"]
        return 1 if failed else 0

    def checked(self):
        """Those that do not echo what was sent: they are not measured."""
        wrong = []
        with self.bench.alone():
            for server in self.servers:
                try:
                    self.bench.check(server, self.able(server))
                    print(f"right: {server.key}", flush=True)
                except Failed as failure:
                    wrong.append(server.key)
                    print(f"wrong: {failure}", file=sys.stderr)
        self.results["wrong"] = wrong
        return wrong

    def able(self, server):
        return [column for column in self.columns if server.does(column)]

    def measured(self, servers):
        for number in range(self.asked.rounds):
            with self.bench.alone():
                if "echo" not in self.asked.skip:
                    for column in self.order.sample(self.columns, len(self.columns)):
                        self.echo(number, column, servers)
                if "ping" not in self.asked.skip:
                    self.pings(number, self.asked.seconds)
                if "local" not in self.asked.skip:
                    self.local(number, self.asked.seconds / 2)
            folder = self.asked.out or HERE
            # A run that is stopped keeps the rounds it has done.
            (folder / RESULTS.name).write_text(json.dumps(self.results, indent=0) + "\n")
            print(f"round {number + 1} done", flush=True)
        tables.write(self.results, self.asked.out)

    def echo(self, number, column, servers):
        self.bench.set_congestion(column)
        able = [server for server in servers if server.does(column)]
        for server in self.order.sample(able, len(able)):
            told = self.tried(number, lambda: self.bench.measure(server, column))
            if told:
                entry = {"round": number, "column": column.key, "who": server.key}
                entry["cpu_ns"] = round(told["server_cpu_ns_per_message"], 1)
                entry["per_second"] = round(told["messages_per_second"])
                entry["client_cpu_ns"] = round(told["client_cpu_ns_per_message"], 1)
                self.results["echo"].append(entry)
                print(f"{number + 1:>3} {column.key:<12}{server.key:<24}"
                      f"{entry['cpu_ns']:>10} ns{entry['per_second']:>12}/s", flush=True)

    def pings(self, number, seconds):
        for client in self.order.sample(PINGS, len(PINGS)):
            told = self.tried(number, lambda: self.bench.ping(client, seconds, self.zmq))
            if told:
                entry = {"round": number, "who": client.key}
                entry |= {what: round(told[what]) for what in ["ns", "cpu_ns"]}
                self.results["ping"].append(entry)
                print(f"{number + 1:>3} ping-pong   {client.key:<24}{entry['ns']:>10} ns",
                      flush=True)

    def local(self, number, seconds):
        seed = self.order.randrange(2**32)
        told = self.tried(number, lambda: self.bench.local(seconds, seed)) or {}
        for key, nanoseconds in told.items():
            what, who = key.split()
            entry = {"round": number, "what": what, "who": who, "ns": round(nanoseconds, 2)}
            self.results["local"].append(entry)
            print(f"{number + 1:>3} {what:<24}{who:<12}{entry['ns']:>10} ns", flush=True)

    def tried(self, number, measure):
        """What was measured, or nothing: other rounds may have it, and the report says so."""
        try:
            return measure()
        except Failed as failure:
            self.results["failed"].append(f"round {number + 1}: {failure}".splitlines()[0])
            print(f"failed: {failure}", file=sys.stderr)
            return None


if __name__ == "__main__":
    sys.exit(main())
