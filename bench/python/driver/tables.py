"""RESULTS.md and the table in the package's README, wholly from what was measured."""

import pathlib
import sys

from candidates import (BY_HAND, BY_HAND_UVLOOP, COLUMNS, ECHO, LOCAL, LOCAL_NAMES, OURS,
                        PING_BY_HAND, PING_BY_HAND_IN_TIME, PINGS, SERVERS, STREAMS)
from figures import median, quartiles, quotients

HERE = pathlib.Path(__file__).resolve().parent.parent
README = HERE.parent.parent / "bindings/python/README.md"
BEGIN, END = "<!-- figures: begin, by bench/python/run -->", "<!-- figures: end -->"

# Who is in the README, of those that serve.
IN_README = ["events", "recv_many", "threads", "aio-recv_many", "aio-handler", "aio-iterating",
             "aio-recv_many-uvloop", "protocol", "protocol-uvloop", STREAMS, "twisted",
             "socketserver", "zmq"]
README_COLUMN = "50x64-64"

READING = """\
- **CPU** is the server's process time with its threads and children, user and system, divided by
  the messages answered in the measured time. It is what bounds a server; the rates are what one
  client on one other core got out of it, and of the quickest servers they are the client's.
- **Ratios** are of CPU (ping-pong: of time) within a round, medians over the rounds, with the
  quartiles; more than 1 is quicker than what it is compared with.
- **Protocol by hand** is the quicker of two that differ in how a length is read. Both are what a
  good programmer writes: one loop over all that has come, one write. It has no limit for a
  message's size, no time limit, and no back-pressure; ours have all three.
- The client is the same for all, `swb bench`, but pyzmq's: ZeroMQ has a protocol of its own, so its
  client is another program, in Python, and its figures are to be read beside that.
- Before it is measured every server is sent messages of many sizes in pieces, and each load with
  every reply compared; one that answers wrongly is no result.
- Ping-pong has client and server on one core: a round trip is what both take together. All but
  pyzmq talk to `swb serve`. Each reply is compared. Ours has a time limit for every wait; `socket`
  has one only if it is told to, and then asks the system twice for each wait.
- Decoders are fed 64 KiB at a time. *By hand* is the best loop in Python that we could write,
  *`bytearray` and `del`* the usual one, *naive* what most people write first; all in
  `local/by_hand.py`. `bytes.split` is a loop in C."""


def write(results, folder=None):
    """RESULTS.md in a folder, or here and the README too."""
    figures = Figures(results)
    path = (folder or HERE) / "RESULTS.md"
    path.write_text(report(results, figures))
    print(f"written: {path}")
    if folder is None:
        README.write_text(with_table(README.read_text(), in_readme(results, figures)))
        print(f"written: {README}")
    return 0


def check(results):
    """Whether both files are as the results would make them; the exit code."""
    figures = Figures(results)
    text = README.read_text()
    wrong = [name for name, agrees in [
        ("bench/python/RESULTS.md", (HERE / "RESULTS.md").read_text() == report(results, figures)),
        ("bindings/python/README.md", with_table(text, in_readme(results, figures)) == text),
    ] if not agrees]
    for name in wrong:
        print(f"{name} does not say what results.json says: run bench/python/run --report",
              file=sys.stderr)
    return 1 if wrong else 0


def with_table(text, made):
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{README} has no place for the figures: {BEGIN} .. {END}")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


class Figures:
    """What was measured, by what, who and round."""

    def __init__(self, results):
        self.echo, self.ping, self.local = {}, {}, {}
        for entry in results["echo"]:
            self.echo.setdefault((entry["column"], entry["who"]), {})[entry["round"]] = entry
        for entry in results["ping"]:
            self.ping.setdefault(entry["who"], {})[entry["round"]] = entry
        for entry in results["local"]:
            self.local.setdefault((entry["what"], entry["who"]), {})[entry["round"]] = entry

    def quicker(self, column, keys):
        """The one with the smaller median of these, or nothing."""
        there = [key for key in keys if (column, key) in self.echo]
        return min(there, key=lambda key: middle(self.echo[column, key], "cpu_ns"), default=None)

    def rivals(self, column):
        return [key for key in [STREAMS, self.quicker(column, BY_HAND)] if key]

    def times(self, column, rival, who):
        """How many times the CPU of `who` the rival takes, round by round."""
        one, other = self.echo.get((column, rival), {}), self.echo.get((column, who), {})
        return quotients(one, other, "cpu_ns")


def middle(entries, what):
    return median([entry[what] for entry in entries.values()])


def report(results, figures):
    machine, versions = results["machine"], results["versions"]
    parts = ["# Python, side by side", (
        f"Written by `bench/python/run`; do not edit. {results['rounds']} rounds on "
        f"{results['date']}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['kernel']}, Python {versions['Python']}. "
        f"Server on core {results['pinned']['server']}, client on core "
        f"{results['pinned']['client']}, loopback.")]
    wanted = targets(figures)
    if wanted:
        parts += ["## Targets", table(["", "wanted", "reached", "quartiles", "met"], wanted)]
    for column in COLUMNS:
        if any(key == column.key for key, _ in figures.echo):
            parts += [f"## Echo: {column.title}", echo_table(figures, column.key)]
    if figures.ping:
        parts += ["## Ping-pong: one message of 64 B under way, the client's side",
                  ping_table(figures)]
    if figures.local:
        parts += ["## Without a server, nanoseconds of CPU a message", local_table(figures)]
    parts += ["## How to read it", READING, "## Conditions", conditions(results)]
    return "\n\n".join(parts) + "\n"


def targets(figures):
    """The rows of what was to be reached."""
    rows = []
    titles = {server.key: plain(server.title) for server in SERVERS}
    for column in ECHO:
        by_hand = figures.quicker(column, BY_HAND)
        for rival, name, limit in [(STREAMS, "asyncio streams", 20),
                                   (by_hand, "Protocol by hand", 3)]:
            best = figures.quicker(column, [server.key for server in OURS])
            values = figures.times(column, rival, best) if rival and best else []
            if not values:
                continue
            title = f"echo, {column}, times {name}: the best of ours, {titles[best]}"
            row = target(title, values, limit)
            enough = [titles[server.key] for server in OURS if server.key != best
                      and median(figures.times(column, rival, server.key) or [0]) >= limit]
            row[-1] += "; and " + ", ".join(enough) if enough else ""
            rows.append(row)
    for name, ping in pings(figures):
        rows.append(target(f"ping-pong, `request`, times {name}", ping, 1))
    for what in ["decode-u32be-64", "decode-lines-64"]:
        for who in ["split", "by-hand", "bytearray", "naive"]:
            values = local_times(figures, what, who)
            if values:
                rows.append(target(f"{LOCAL[what]}, times {LOCAL_NAMES[who]}", values, 10))
    return rows


def pings(figures):
    """What `request` is beside, and how many times as quick."""
    for key, name in [(PING_BY_HAND_IN_TIME, "`socket` with a timeout and `struct`"),
                      (PING_BY_HAND, "`socket` without one and `struct`")]:
        other = figures.ping.get(key, {})
        if times := quotients(other, figures.ping.get("switchboard", {}), "ns"):
            yield name, times


def target(title, values, limit):
    reached = median(values)
    by = 1 - reached / limit
    missed = f"{by:.0%}" if by >= 0.01 else "less than 1%"
    return [title, f">= {limit}", ratio(reached), spread(values),
            "yes" if reached >= limit else f"**no**, by {missed}"]


def local_times(figures, what, who):
    return quotients(figures.local.get((what, who), {}),
                     figures.local.get((what, "switchboard"), {}), "ns")


def echo_table(figures, column):
    rivals = figures.rivals(column)
    names = {STREAMS: "times asyncio streams"} | dict.fromkeys(BY_HAND, "times Protocol by hand")
    head = ["", "CPU a message"]
    for rival in rivals:
        head += [names[rival], "quartiles"]
    rows = []
    for server in SERVERS:
        entries = figures.echo.get((column, server.key))
        if not entries:
            continue
        row = [server.title, nanoseconds(middle(entries, "cpu_ns"))]
        for rival in rivals:
            values = figures.times(column, rival, server.key)
            if rival == server.key:
                row += ["1", ""]
            else:
                row += [ratio(median(values)), spread(values)] if values else ["", ""]
        rows.append([*row, rate(middle(entries, "per_second"))])
    return table([*head, "messages/s"], rows)


def ping_table(figures):
    rows = []
    by_hand = figures.ping.get(PING_BY_HAND, {})
    for client in PINGS:
        entries = figures.ping.get(client.key)
        if not entries:
            continue
        times, cpu = (quotients(by_hand, entries, what) for what in ["ns", "cpu_ns"])
        rows.append([client.title, nanoseconds(middle(entries, "ns")),
                     ratio(median(times)), spread(times),
                     nanoseconds(middle(entries, "cpu_ns")), ratio(median(cpu)), spread(cpu)])
    return table(["", "round trip", "times by hand", "quartiles", "client's CPU", "times by hand",
                  "quartiles"], rows)


def local_table(figures):
    rows = []
    for what, title in LOCAL.items():
        own = figures.local.get((what, "switchboard"))
        for who, name in LOCAL_NAMES.items():
            other = figures.local.get((what, who))
            if own and other:
                values = local_times(figures, what, who)
                rows.append([title, f"{middle(own, 'ns'):.0f}",
                             f"{name}: {middle(other, 'ns'):.0f}",
                             ratio(median(values)), spread(values)])
    return table(["", "Switchboard", "beside", "times", "quartiles"], rows)


def conditions(results):
    rows = [*results["machine"].items(), *results["versions"].items(),
            ("Switchboard", results["commit"]),
            ("each measurement", f"{results['seconds']} s"), ("warm-up", f"{results['warm_up']} s"),
            ("date", results["date"]), ("command", f"`{results['command']}`"),
            ("seed of the order", results["seed"])]
    rows += [("answers wrongly, and is not measured", who) for who in results.get("wrong", [])]
    rows += [("failed", what) for what in results["failed"]]
    return "\n".join(f"- {name}: {value}" for name, value in rows)


def in_readme(results, figures):
    """The short table."""
    column = README_COLUMN
    by_hand = figures.quicker(column, BY_HAND)
    titles = {server.key: server.title for server in SERVERS}
    on_uvloop = figures.quicker(column, BY_HAND_UVLOOP)
    titles[by_hand] = "asyncio.Protocol, batched by hand"
    titles[on_uvloop] = "the same on uvloop"
    rows = []
    for key in IN_README:
        key = {"protocol": by_hand, "protocol-uvloop": on_uvloop}.get(key, key)
        if (column, key) in figures.echo:
            row = [titles[key], nanoseconds(middle(figures.echo[column, key], "cpu_ns"))]
            for rival in [STREAMS, by_hand]:
                values = figures.times(column, rival, key)
                row.append("1" if rival == key else ratio(median(values)) if values else "")
            rows.append(row)
    machine = results["machine"]
    text = table(["", "server's CPU a message", "times asyncio streams", "times Protocol by hand"],
                 rows)
    lines = [text, "", (
        f"Echo of 64 B, 50 connections with 64 in flight on each. {results['rounds']} rounds on "
        f"{results['date']}, {machine['processor']}, {machine['cores']} cores, "
        f"Python {results['versions']['Python'].split()[0]}; ratios within a round, medians.")]
    lines.append("")
    for name, ping in pings(figures):
        lines.append(f"- `request`, one message at a time, beside {name}, by hand: "
                     f"{ratio(median(ping))} times as quick.")
    for what, who, name in [("decode-u32be-64", "by-hand", "the best loop in Python"),
                            ("decode-u32be-64", "bytearray", "the usual one, with a `bytearray`"),
                            ("decode-u32be-64", "naive", "the loop that most write first"),
                            ("send-u32be-64", "by-hand", "`struct`, `join` and `sendall`")]:
        values = local_times(figures, what, who)
        if values:
            call = LOCAL[what].partition(",")[0]
            lines.append(f"- {call}, beside {name}: {ratio(median(values))} times as quick.")
    return "\n".join(lines)


def table(head, rows):
    """Columns of numbers to the right, but the first."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def nanoseconds(value):
    return f"{value:,.0f} ns" if value < 10_000 else f"{value / 1000:,.1f} µs"


def ratio(value):
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}"


def spread(values):
    low, high = quartiles(values)
    return f"{ratio(low)} - {ratio(high)}"


def rate(value):
    return f"{value:,.0f}"


def plain(title):
    return title.replace("**", "")
