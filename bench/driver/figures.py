"""What the measurements come to: ratios within a round, medians, quartiles, and the targets."""

import statistics

from columns import MAIN
from peers import FLOOR, FLOOR_TLS


class Figures:
    """The measures of a run by column, peer and round; and what the drivers beside it have
    written, by the name of the file."""

    def __init__(self, results, beside):
        self.beside = beside
        self.measures = {}
        for entry in results["measures"]:
            key = entry["column"], entry["peer"]
            self.measures.setdefault(key, {})[entry["round"]] = entry
        self.ping_pong = {}
        for entry in results["ping_pong"]:
            key = entry["variant"], entry["where"]
            self.ping_pong.setdefault(key, {})[entry["round"]] = entry

    def rounds(self):
        return len({number for rounds in self.measures.values() for number in rounds})

    def has(self, column, peer):
        return (column, peer) in self.measures

    def values(self, column, peer, what="cpu_ns"):
        return [entry[what] for entry in self.measures.get((column, peer), {}).values()]

    def ratios(self, over, under, what="cpu_ns"):
        """Of two (column, peer), in each round that has both."""
        return quotients(self.measures.get(over, {}), self.measures.get(under, {}), what)

    def ping_pong_ratios(self, where, what):
        over = self.ping_pong.get(("conversation", where), {})
        return quotients(over, self.ping_pong.get(("by-hand", where), {}), what)


def quotients(over, under, what):
    return [over[number][what] / under[number][what] for number in over if number in under]


def median(values):
    return statistics.median(values)


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


class Target:
    """One line of what is to be reached: `limit` at most, or at least."""

    def __init__(self, key, title, values, limit, least=False):
        self.key = key
        self.title = title
        self.values = values
        self.limit = limit
        self.least = least

    @property
    def reached(self):
        return median(self.values)

    @property
    def met(self):
        # As it is printed: two places are what ten rounds can tell.
        reached = round(self.reached, 2)
        return reached >= self.limit if self.least else reached <= self.limit

    @property
    def wanted(self):
        return f"{'>=' if self.least else '<='} {self.limit:g}"

    @property
    def missed_by(self):
        """How far from the limit, as a part of it."""
        return abs(self.reached / self.limit - 1)


EVENTS = "switchboard-events"
ECHO_LIMITS = {"50x1-64": 1.05, "50x64-64": 1.15, "50x64-1k": 1.08, "1000x1-64": 1.05,
               "50x1-64k": 1.10}
TLS_LIMIT = 1.15
SUBSCRIBERS = 100
FANOUT_LIMITS = {"floor": 0.8, "redis": 2, "nats": 4}
IDLE_BYTES = 300


def targets(figures):
    """Those of which there is something to say."""
    found = []

    def add(key, title, values, limit, least=False):
        if values:
            found.append(Target(key, title, values, limit, least))

    for column, limit in ECHO_LIMITS.items():
        ratios = figures.ratios((column, EVENTS), (column, FLOOR))
        add(f"events {column}", f"events, {column}, CPU to the floor", ratios, limit)
    for column in MAIN:
        over, under = (column, "switchboard-threads"), (column, "threads")
        title = f"threads, {column}, CPU to std threads"
        add(f"threads {column}", title, figures.ratios(over, under), 1.0)
    lines = figures.ratios(("lines-50x64-64", EVENTS), ("50x64-64", EVENTS))
    add("lines", "events, lines, CPU to u32be (50 x 64, 64 B)", lines, 1.10)
    for peer in ["tokio-framed", "erlang", "asyncio"]:
        values = figures.ratios(("50x64-64", EVENTS), ("50x64-64", peer), "per_second")
        add(f"rate {peer}", f"events, 50x64-64, messages/s to {peer}", values, 25, least=True)
    unix = figures.ratios(("pair-unix", EVENTS), ("pair-tcp", EVENTS), "per_second")
    add("unix", "events, ping-pong, round trips/s over a Unix socket to TCP", unix, 2, least=True)
    for what, words in [("ns", "time"), ("client_cpu_ns", "the client's CPU")]:
        title = f"blocking Conversation, ping-pong, {words} to read and write by hand"
        add(f"conversation {what}", title, figures.ping_pong_ratios("tcp", what), 1.03)
    for column in ["tls-50x1-64", "tls-50x64-64"]:
        ratios = figures.ratios((column, EVENTS), (column, FLOOR_TLS))
        add(f"events {column}", f"events, {column}, CPU to rustls unframed", ratios, TLS_LIMIT)
    for rival, limit in FANOUT_LIMITS.items():
        values = fanout_ratios(figures.beside.get("fanout.json"), rival)
        title = f"fan-out to {SUBSCRIBERS}, deliveries/s to {rival}"
        add(f"fanout {rival}", title, values, limit, least=True)
    idle = [row["values"] for row in figures.beside.get("idle.json", {"rows": []})["rows"]
            if row["target"]]
    add("idle", "events, bytes of an idle connection", sum(idle, []), IDLE_BYTES)
    return found


def fanout_ratios(told, rival):
    """Ours, the row with a target, to a rival's, in the same round."""
    rows = told["rows"] if told else []
    rows = [row for row in rows if row["name"].endswith(f"1 to {SUBSCRIBERS}")]
    ours = next((row["values"] for row in rows if row["target"]), [])
    others = next((row["values"] for row in rows if row["name"].startswith(rival)), [])
    return [one / other for one, other in zip(ours, others)]
