"""Builds what can be built here. A builder gives the words that its peers are called with, or says
why it cannot."""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
MADE = BENCH / "target/peers"
VENV = BENCH / "target/venv/bin/python"
JARS = pathlib.Path("/usr/share/java")
NETTY = ["buffer", "codec", "common", "handler", "resolver", "transport"]


class Missing(Exception):
    """Something that a builder needs is not installed: the peer is skipped by name."""


def tool(name):
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def run(words, cwd=BENCH):
    print(f"building: {' '.join(str(word) for word in words)}", file=sys.stderr)
    subprocess.run([str(word) for word in words], cwd=cwd, check=True, stdout=sys.stderr)


def cargo(folder, quick, *words):
    """Runs cargo and gives the programs it has made, by name."""
    command = [tool("cargo"), "build", "--message-format", "json-render-diagnostics", *words]
    if quick:
        # Beside what the tests have built, of which most is the same.
        shared = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        command += ["--target-dir", shared.resolve()]
    else:
        command += ["--release"]
    command = [str(word) for word in command]
    print(f"building: {' '.join(command)}", file=sys.stderr)
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    lines = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    made = (line for line in lines if line.get("executable"))
    return {line["target"]["name"]: line["executable"] for line in made}


@functools.cache
def swb(quick):
    """The load generator."""
    return cargo(ROOT, quick, "-p", "switchboard-cli")["swb"]


@functools.cache
def rust(quick):
    return {name: [path] for name, path in cargo(BENCH, quick, "--locked").items()}


def go(_quick):
    compiler = tool("go")
    run([compiler, "build", "-o", MADE / "go-echo", "."], BENCH / "peers/go")
    return {"go": [MADE / "go-echo"]}


def erlang(_quick):
    erl, erlc = tool("erl"), tool("erlc")
    run([erlc, "-o", MADE, BENCH / "peers/erlang/echo.erl"])
    return {"erl": [erl, "-noinput", "-pa", MADE, "-s", "echo", "main"]}


def netty(_quick):
    java, javac = tool("java"), tool("javac")
    jars = [JARS / f"netty-{name}.jar" for name in NETTY]
    if not all(jar.exists() for jar in jars):
        raise Missing("Netty's jars are not installed")
    jars = ":".join(str(jar) for jar in jars)
    run([javac, "-cp", jars, "-d", MADE / "netty", BENCH / "peers/netty/Echo.java"])
    return {"java": [java, "-cp", f"{MADE / 'netty'}:{jars}"]}


def asio(_quick):
    compiler = tool("g++")
    probe = subprocess.run([compiler, "-E", "-x", "c++", "-"], capture_output=True, text=True,
                           input="#include <boost/asio.hpp>\n")
    if probe.returncode != 0:
        raise Missing("Boost's headers are not installed")
    source = BENCH / "peers/asio/echo.cpp"
    run([compiler, "-O2", "-std=c++17", "-pthread", "-o", MADE / "asio-echo", source])
    return {"asio": [MADE / "asio-echo"]}


def python(_quick):
    return {"python": [VENV if VENV.exists() else sys.executable]}


def with_module(name):
    def build(quick):
        made = python(quick)
        probe = [*made["python"], "-c", f"import {name}"]
        if subprocess.run(probe, capture_output=True).returncode != 0:
            raise Missing(f"{name} is not installed for {made['python'][0]}")
        return made
    return build


BUILDERS = {
    "rust": rust,
    "go": go,
    "erlang": erlang,
    "netty": netty,
    "asio": asio,
    "python": python,
    "uvloop": with_module("uvloop"),
    "twisted": with_module("twisted"),
}

# Those that a machine with Rust and Python has in any case.
QUICK = ["rust", "python"]


def commands(peers, quick):
    """The command of each peer that can be built here, and why the others cannot."""
    MADE.mkdir(parents=True, exist_ok=True)
    made, missing = {}, {}
    for name in dict.fromkeys(peer.needs for peer in peers):
        if quick and name not in QUICK:
            missing[name] = "not of the quick run"
            continue
        try:
            made[name] = BUILDERS[name](quick)
        except Missing as reason:
            missing[name] = str(reason)
    skipped = {peer.key: missing[peer.needs] for peer in peers if peer.needs in missing}
    built = {peer.key: words_of(peer, made[peer.needs]) for peer in peers
             if peer.needs in made}
    return built, skipped


def words_of(peer, made):
    words = []
    for word in peer.command:
        if word.startswith("{"):
            words += [str(part) for part in made[word.strip("{}")]]
        elif word.endswith(".py"):
            words.append(str(BENCH / "python/peers" / word))
        else:
            words.append(word)
    return words
