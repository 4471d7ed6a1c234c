"""The page of the book: what was found, and what people have to say of it."""

import os
import pathlib
import platform
import re

import ask

PAGE = ask.HERE.parent.parent / "docs/src/doctor_servers.md"
HEAD = ask.HERE / "page.md"
# What is longer is cut in the middle: a line that nobody reads to its end says less.
LENGTH_MAX = 200


def write(rows, kept):
    """Writes the page of all rows that may be published; what of them may not."""
    wrong = []
    sections = []
    table = ["| server | version | asked with | ok | weak | failed | inconclusive | skipped |",
             "|---|---|---|--:|--:|--:|--:|--:|"]
    dates, left_out = [], []
    for row in rows:
        doubts = kept.unsteady(row)
        if not doubts:
            doubts = ask.unlike(row, kept.rows[row.name]["probes"])
        wrong += doubts
        if doubts:
            left_out.append(row.title)
            continue
        found = kept.rows[row.name]
        dates += [run["date"] for run in found["runs"]]
        table.append(line(row, found))
        sections.append(section(row, found))
    if not dates:
        return wrong
    text = HEAD.read_text().replace("{table}", "\n".join(table))
    text = text.replace("{conditions}", conditions(dates))
    text = text.replace("{left_out}", "; ".join(left_out) or "none")
    PAGE.write_text(text.rstrip() + "\n\n" + "\n".join(sections))
    return wrong


def conditions(dates):
    system, cores = platform.system(), os.cpu_count()
    return (f"Asked between {min(dates)} and {max(dates)} UTC, on {system}, {cores} cores, over "
            f"loopback.")


def line(row, found):
    words = [probe["verdict"] for probe in found["probes"]]
    counts = [str(words.count(verdict)) for verdict in ask.VERDICTS]
    frame = re.search(r"--frame ('[^']*'|\S+)", row.command).group(1).strip("'")
    how = "echo" if "--echo" in row.command else "one request"
    name = f"[{row.title}](#{anchor(row.title)})"
    return f"| {name} | {found['version']} | `{frame}`, {how} | {' | '.join(counts)} |"


def anchor(title):
    """As mdBook makes it of a heading."""
    kept = re.sub(r"[^\w\- ]", "", title.lower())
    return kept.strip().replace(" ", "-")


def section(row, found):
    parts = [f"## {row.title}\n"]
    if row.about:
        parts.append(f"{row.about.strip()}\n")
    typed = "\n".join(part.strip() for part in [row.build, row.command] if part.strip())
    parts.append(f"```sh\n{typed}\n```\n")
    parts.append(f"{found['version']}: {ask.counts(found['probes'])}.\n")
    for probe in found["probes"]:
        if probe["verdict"] not in ask.PLAIN:
            parts.append(one(probe, row.found[probe["id"]]["means"]))
    unknown = [f"- {probe['id']} {probe['name']}: {shortened(probe['why'])}"
               for probe in found["probes"] if probe["verdict"] == "inconclusive"]
    if unknown:
        parts.append("\n".join(["Nothing follows from these:\n", *unknown, ""]))
    return "\n".join(parts)


def one(probe, means):
    told = [f"**{probe['id']} {probe['name']}: {probe['verdict']}.** {means.strip()}\n"]
    for key in ["sent", "came"]:
        if probe.get(key):
            told.append(f"    {key}   {shortened(probe[key])}")
    return "\n".join(told) + "\n"


def shortened(text):
    text = " ".join(text.split())
    if len(text) <= LENGTH_MAX:
        return text
    half = LENGTH_MAX // 2
    return f"{text[:half]} ... {text[-half:]}"
