"""A row of the table: a server, how it is asked, what is kept of it."""

import dataclasses
import datetime
import json
import pathlib
import subprocess
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
KEPT = HERE / "results.json"
# Whoever takes longer than the doctor says it takes at most hangs.
SECONDS_MAX = 900
# A verdict is published when it was the same so many times.
TIMES = 3
VERDICTS = ["ok", "weak", "failed", "inconclusive", "skipped"]
# These need no words of a person: the doctor itself says why of what it could not find out.
PLAIN = ["ok", "skipped", "inconclusive"]


class Missing(Exception):
    """Something that the row needs is not installed."""


class Unasked(Exception):
    """The doctor had no answer to give."""


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    # Where it stands in the page.
    order: int
    title: str
    # A command that prints the version, and nothing else.
    version: str
    # What has to be run once before, by a reader too.
    build: str
    # What a reader types.
    command: str
    # What is to be known of the server, or of how it is asked.
    about: str
    # Of each probe that is not well: {verdict, means}.
    found: dict

    @staticmethod
    def of(path):
        told = tomllib.loads(path.read_text())
        row = {"build": "", "about": "", "found": {}, **told}
        return Row(name=path.stem, **row)


def rows(names):
    """All, or those with these names, in the order of the page."""
    found = sorted((Row.of(path) for path in HERE.glob("*.toml")), key=lambda row: row.order)
    known = [row.name for row in found]
    for name in names:
        if name not in known:
            raise SystemExit(f"no server is called {name}: there are {', '.join(known)}")
    return [row for row in found if not names or row.name in names]


def ask(row):
    """One run of the doctor: the version, and what it told of each probe."""
    version = told(row.version)
    if row.build:
        told(row.build)
    began = datetime.datetime.now(datetime.timezone.utc)
    command = ["sh", "-c", f"exec {row.command.strip()} --json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise Unasked(f"it was not done after {SECONDS_MAX} s") from None
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    probes = [part for part in objects if part["type"] == "probe"]
    if not probes or done.returncode not in (0, 1):
        raise Unasked(f"exit {done.returncode}: {done.stderr.strip()}")
    keys = ["id", "name", "verdict", "sent", "came", "why"]
    probes = [{key: probe[key] for key in keys if key in probe} for probe in probes]
    return {"version": version, "date": began.strftime("%Y-%m-%d %H:%M"), "probes": probes}


def told(command):
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"{command}: {done.stderr.strip()}")
    return done.stdout.strip()


def verdicts(probes):
    return {probe["id"]: probe["verdict"] for probe in probes}


def counts(probes):
    found = [probe["verdict"] for probe in probes]
    return ", ".join(f"{found.count(word)} {word}" for word in VERDICTS if word in found)


def unlike(row, probes):
    """Where the verdicts are not those that the row has words for."""
    wrong = []
    known = {probe["id"] for probe in probes}
    for probe in probes:
        name, verdict = probe["id"], probe["verdict"]
        expected = row.found.get(name, {}).get("verdict")
        if verdict != expected and (expected or verdict not in PLAIN):
            what = probe.get("came") or probe.get("why", "")
            wrong.append(f"{row.name}: {name} is {verdict}, not {expected or 'ok'}: {what}")
    wrong += [f"{row.name}: there is no {name}" for name in row.found if name not in known]
    return wrong


class Kept:
    """What was found, of each row: the last run whole, of the others the verdicts."""

    def __init__(self):
        self.rows = json.loads(KEPT.read_text()) if KEPT.exists() else {}

    def add(self, row, run):
        before = self.rows.get(row.name, {})
        # What was found by another question, or in another version, says nothing of this one.
        same = (before.get("command"), before.get("version")) == (row.command, run["version"])
        runs = before["runs"] if same else []
        runs.append({"date": run["date"], "verdicts": verdicts(run["probes"])})
        self.rows[row.name] = {"command": row.command, **run, "runs": runs[-TIMES:]}
        # A row is a line.
        kept = [f"{json.dumps(name)}: {json.dumps(run, sort_keys=True)}"
                for name, run in sorted(self.rows.items())]
        KEPT.write_text("{\n" + ",\n".join(kept) + "\n}\n")

    def unlike(self, row, probes):
        """Where the verdicts are not those that are kept."""
        kept = self.rows.get(row.name)
        if not kept:
            return [f"{row.name}: nothing is kept of it"]
        before = kept["runs"][-1]["verdicts"]
        return [f"{row.name}: {probe['id']} is {probe['verdict']}, not {before.get(probe['id'])}: "
                f"{probe.get('came') or probe.get('why', '')}"
                for probe in probes if probe["verdict"] != before.get(probe["id"])]

    def unsteady(self, row):
        """Verdicts that were not the same each time, or not looked at often enough."""
        kept = self.rows.get(row.name)
        if not kept:
            return [f"{row.name}: it was not asked yet"]
        if kept["command"] != row.command:
            return [f"{row.name}: it was asked by another command"]
        runs = [run["verdicts"] for run in kept["runs"]]
        wrong = []
        if len(runs) < TIMES:
            wrong.append(f"{row.name}: it was asked {len(runs)} times of {TIMES}")
        for name in runs[-1]:
            seen = [run.get(name) for run in runs]
            if len(set(seen)) > 1:
                wrong.append(f"{row.name}: {name} is not steady: {', '.join(map(str, seen))}")
        return wrong
