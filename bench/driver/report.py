"""RESULTS.md and its plots, wholly from what was measured."""

import json
import re

import build
import plots
from columns import COLUMNS, GROUPS
from figures import Figures, median, quartiles, targets
from peers import PEERS, floor_of

# What the other drivers of this folder have measured, if they have.
BESIDE = ["fanout.json", "idle.json"]
# Why a target is missed, by its key: what no driver can know.
REASONS = build.BENCH / "reasons.json"

READING = """\
- **CPU a message** is what the server's process, with its threads and children, has had of its
  core, by the scheduler's account in nanoseconds, divided by the messages answered in the measured
  time. It is the kernel's work too: at one message at a time that is nearly all of it.
- **Ratios** are to the floor in the same round, medians over the rounds. The machine's speed moves
  between rounds, and both with it. Absolute times are of this machine and this hour.
- **The floor** echoes bytes and knows no messages: one buffer for all connections, one recv and one
  send an event. Below it is only a server that makes fewer system calls.
- **Messages a second** are what one client on one core got out of the server, in a closed loop: it
  sends as fast as it is answered. A ratio of CPU can differ from one of rates where the client is
  what limits.
- A server that waits for the client has idle time; one that is loaded for all it can take has none.
  At one message in flight a server that is slower finds more waiting for it at each wake-up.
- Where the shortest program of a peer differs from its best one, both are shown: `next` + `send`,
  `writeAndFlush` and a flush a message are what most people write.
- Every answer of every peer in every column was compared byte for byte, once, before the rounds."""


def write(results, folder):
    """RESULTS.md and the folder `plots`, in a folder; the path of the first."""
    beside = {name: json.loads((build.BENCH / name).read_text()) for name in BESIDE
              if (build.BENCH / name).exists()}
    figures = Figures(results, beside)
    path, drawn = folder / "RESULTS.md", folder / "plots"
    drawn.mkdir(exist_ok=True)
    parts = ["# Side by side", preface(results, figures), target_table(figures)]
    for group, title in GROUPS.items():
        columns = [column for column in COLUMNS
                   if column.group == group and measured(figures, column)]
        if columns:
            parts.append(section(title, columns, figures, drawn))
    if figures.ping_pong:
        parts.append(ping_pong(figures))
    parts += [another(told, drawn / name.replace(".json", ".svg")) for name, told in beside.items()]
    parts.append("## How to read it\n\n" + READING)
    parts.append("## Conditions\n\n" + conditions(results, figures))
    path.write_text("\n\n".join(parts) + "\n")
    return path


def measured(figures, column):
    return figures.has(column.key, floor_of(column))


def preface(results, figures):
    machine = results["machine"]
    return (
        "Written by `bench/run`; do not edit. "
        f"{figures.rounds()} rounds on {results['date']}, {machine['processor']}, "
        f"{machine['cores']} cores, {machine['kernel']}. "
        f"Server on core {results['pinned']['server']}, client on core "
        f"{results['pinned']['client']}, loopback. Ratios are the server's CPU time a message to "
        "that of a server without framing in the same round; medians. "
        "[How to read it](#how-to-read-it), [conditions](#conditions)."
    )


def table(head, rows):
    """Columns of numbers to the right, but the first."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def target_table(figures):
    reasons = json.loads(REASONS.read_text()) if REASONS.exists() else {}
    rows, why = [], []
    for target in targets(figures):
        low, high = quartiles(target.values)
        met = "yes" if target.met else f"**no**, by {target.missed_by:.0%}"
        rows.append([target.title, target.wanted, number(target.reached),
                     f"{number(low)} - {number(high)}", met])
        if not target.met and target.key in reasons:
            why.append(f"- *{target.title}*: {reasons[target.key]}")
    text = "## Targets\n\n" + table(["target", "wanted", "reached", "quartiles", "met"], rows)
    return text + ("\n\nWhy those that are missed are missed:\n\n" + "\n".join(why) if why else "")


def section(title, columns, figures, drawn):
    rows = [peer for peer in PEERS
            if any(figures.has(column.key, peer.key) for column in columns)]
    titles = [column.title for column in columns]
    out = [f"## {title}", "Server CPU a message, as a ratio to the floor:"]
    out.append(table(["", *titles], ratio_rows(rows, columns, figures)))
    images = [draw(column, figures, drawn) for column in columns]
    out.append("\n".join(images))
    out.append("Messages a second, medians:")
    out.append(table(["", *titles], [
        [peer.title] + [rate(figures.values(column.key, peer.key, "per_second"))
                        for column in columns] for peer in rows]))
    out.append("Quartiles of the ratios:")
    spreads = [peer for peer in rows if peer.key not in {floor_of(column) for column in columns}]
    out.append(table(["", *titles], [
        [peer.title] + [spread(own_ratios(column, peer, figures)) for column in columns]
        for peer in spreads]))
    return "\n\n".join(out)


def ratio_rows(peers, columns, figures):
    limits = {target.key: target for target in targets(figures)}
    rows = []
    for peer in peers:
        cells = []
        for column in columns:
            values = figures.values(column.key, peer.key)
            if peer.key == floor_of(column):
                cells.append(f"{median(values):,.0f} ns")
            elif values:
                cells.append(number(median(own_ratios(column, peer, figures))))
            else:
                cells.append("")
        rows.append([peer.title, *cells])
    wanted = [limits.get(f"events {column.key}") for column in columns]
    if any(wanted):
        rows.append(["*events: wanted*"] + [target.wanted if target else "" for target in wanted])
        rows.append(["*events: met*"] + [
            "" if not target else "yes" if target.met else f"no, by {target.missed_by:.0%}"
            for target in wanted])
    return rows


def own_ratios(column, peer, figures):
    return figures.ratios((column.key, peer.key), (column.key, floor_of(column)))


def number(value):
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}"


def rate(values):
    return f"{median(values):,.0f}" if values else ""


def spread(values):
    if not values:
        return ""
    low, high = quartiles(values)
    return f"{number(low)} - {number(high)}"


def plain(title):
    return re.sub(r"[*`]", "", title)


def draw(column, figures, drawn):
    """The plot of one column, the best on top; its image for RESULTS.md."""
    rows = []
    for peer in PEERS:
        values = own_ratios(column, peer, figures)
        if values:
            rows.append((plain(peer.title), median(values), *quartiles(values)))
    rows.sort(key=lambda row: row[1])
    limit = next((target.limit for target in targets(figures)
                  if target.key == f"events {column.key}"), None)
    title = f"{column.title}: server CPU a message"
    svg = plots.bars(title, "ratio to the floor in the same round; medians, quartiles", rows, limit)
    (drawn / f"{column.key}.svg").write_text(svg)
    return f"![{title}](plots/{column.key}.svg)"


def ping_pong(figures):
    rows = []
    for where in ["tcp", "unix"]:
        hand = figures.ping_pong.get(("by-hand", where), {}).values()
        ours = figures.ping_pong.get(("conversation", where), {}).values()
        if not hand or not ours:
            continue
        for what, words in [("ns", "a round trip"), ("client_cpu_ns", "client's CPU")]:
            ratios = figures.ping_pong_ratios(where, what)
            rows.append([f"{where.upper() if where == 'tcp' else 'Unix'}, {words}",
                         f"{median([entry[what] for entry in hand]):,.0f} ns",
                         f"{median([entry[what] for entry in ours]):,.0f} ns",
                         number(median(ratios)), spread(ratios)])
    head = ["", "read and write by hand", "`Conversation`", "ratio", "quartiles"]
    return ("## A blocking client\n\nOne message of 64 B at a time; client and a thread that sends "
            "back what it reads are pinned on one core.\n\n" + table(head, rows))


def another(told, drawing):
    """A table and a plot of what another driver has written."""
    rows = [(row["name"], median(row["values"]), *quartiles(row["values"]))
            for row in told["rows"] if row["values"]]
    bars = [(plain(name), *numbers) for name, *numbers in rows]
    drawing.write_text(plots.bars(told["title"], told["unit"], bars))
    wanted = {row["name"]: row.get("target") or "" for row in told["rows"]}
    lines = table(["", told["unit"], "quartiles", "wanted"], [
        [row, plots.shown(middle), f"{plots.shown(low)} - {plots.shown(high)}", wanted[row]]
        for row, middle, low, high in rows])
    said = told.get("conditions", "")
    said = f"{said}\n\n" if said else ""
    return f"## {told['title']}\n\n{said}{lines}\n\n![{told['title']}](plots/{drawing.name})"


def conditions(results, figures):
    rows = list(results["machine"].items())
    rows += [("congestion control, " + key, name)
             for key, name in sorted(results["congestion"].items())
             if name != results["machine"]["congestion control"]]
    rows += list(results["versions"].items())
    rows += [("rounds", figures.rounds()), ("each measurement", f"{results['seconds']} s"),
             ("warm-up", f"{results['warm_up']} s"), ("date", results["date"]),
             ("command", f"`{results['command']}`"),
             ("seeds of the order", ", ".join(str(seed) for seed in results["seeds"]))]
    text = "\n".join(f"- {name}: {value}" for name, value in rows)
    skipped = results["skipped"]
    text += "".join(f"\n- failed: {what}" for what in results["failed"])
    titles = {peer.key: plain(peer.title) for peer in PEERS}
    for key, reason in skipped.items():
        text += f"\n- skipped: {titles[key]}: {reason}"
    return text
