"""One measurement of each kind: an echo, a ping-pong, what needs no server."""

import contextlib
import json
import pathlib
import select
import socket
import struct
import subprocess
import threading

import build
from candidates import COLUMNS, ZMQ
from rounds import (COUNT_SECONDS, LEAST_COUNT, SPARE_SECONDS, START_SECONDS, Bench, Failed,
                    pinned)

HERE = pathlib.Path(__file__).resolve().parent.parent

# Each is sent in pieces, so that they begin and end anywhere in what one read gives.
SIZES = [0, 1, 3, 64, 0, 1000, 65_536, 70_001, 2] + [64] * 300
PIECE_BYTES = 1_021


class PythonBench(Bench):
    """The measurements of `bench/run`, and those that only this run has."""

    def __init__(self, swb, python, peers, seconds, warm_up, lock=None):
        commands = {peer.key: [python, HERE / "peers" / peer.command[0]] for peer in peers}
        super().__init__(swb, commands, seconds, warm_up, lock)
        self.python = python

    def loaded(self, endpoint, pid, peer, column, verify=False):
        if peer.key != ZMQ:
            return super().loaded(endpoint, pid, peer, column, verify)
        port = endpoint.rpartition(":")[2]
        words = [self.python, HERE / "clients/zmq_load.py", port, "--server-pid", pid]
        words += ["--connections", column.connections, "--depth", column.depth]
        words += ["--size", column.size]
        if verify or self.seconds is None:
            count = max(LEAST_COUNT, 2 * column.connections * column.depth)
            seconds, warm_up = COUNT_SECONDS, 0
            words += ["--count", count]
        else:
            seconds, warm_up = self.seconds, self.warm_up
        words += ["--seconds", seconds, "--warm-up", warm_up]
        return self.load(words, self.client_core, seconds + warm_up, f"{peer.key}, {column.key}")

    def check(self, peer, columns):
        """Whether it echoes: what comes in pieces, and every reply under each load."""
        by_congestion = {}
        for column in columns:
            by_congestion.setdefault(column.congestion, []).append(column)
        for same in by_congestion.values():
            self.set_congestion(same[0])
            with self.server(peer, same[0]) as (endpoint, pid):
                if peer.key != ZMQ:
                    check_pieces(peer.key, int(endpoint.rpartition(":")[2]))
                for column in same:
                    self.loaded(endpoint, pid, peer, column, verify=True)

    @contextlib.contextmanager
    def echo(self):
        """`swb serve`, as its port: what answers all the ping-pongs but one."""
        words = [self.swb, "serve", "127.0.0.1:0", "echo", "--frame", "u32be", "--loops", "1"]
        words += ["--print-endpoint"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              preexec_fn=pinned(self.server_core)) as server:
            try:
                ready, _, _ = select.select([server.stdout], [], [], START_SECONDS)
                line = server.stdout.readline().strip() if ready else ""
                if not line:
                    raise Failed("swb serve does not listen")
                yield line.rpartition(":")[2]
            finally:
                server.kill()

    def ping(self, client, seconds, zmq):
        """A client, pinned with who answers: then a round trip takes what both sides take."""
        where = self.server(zmq, COLUMNS[0]) if client.key == ZMQ else self.echo()
        with where as place:
            port = place[0].rpartition(":")[2] if client.key == ZMQ else place
            program = HERE / "clients" / f"ping_{client.key}.py"
            return self.told([program, port, min(self.warm_up, seconds), seconds], seconds,
                             self.server_core)

    def local(self, seconds, seed):
        return self.told([HERE / "local/measure.py", seconds, seed], 100 * seconds, None)

    def told(self, words, seconds, core):
        words = [str(word) for word in [self.python, *words]]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False,
                                  timeout=seconds + SPARE_SECONDS,
                                  preexec_fn=None if core is None else pinned(core))
        except subprocess.TimeoutExpired as late:
            raise Failed(f"it does not end: {' '.join(words)}") from late
        if done.returncode != 0:
            raise Failed(f"exit code {done.returncode} of {' '.join(words)}\n{done.stderr.strip()}")
        return json.loads(done.stdout.splitlines()[-1])


def check_pieces(who, port):
    """Sends messages of many sizes in pieces; all must come back, and nothing else."""
    frames = (struct.pack(">I", size) + bytes([number % 251]) * size
              for number, size in enumerate(SIZES))
    stream = b"".join(frames)
    with socket.create_connection(("127.0.0.1", port), timeout=SPARE_SECONDS) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender = threading.Thread(target=send_in_pieces, args=(sock, stream), daemon=True)
        sender.start()
        echoed = bytearray()
        try:
            while len(echoed) < len(stream):
                part = sock.recv(65_536)
                if not part:
                    break
                echoed += part
        except OSError as error:
            raise Failed(f"{who}: {len(echoed)} of {len(stream)} bytes echoed: {error}") from error
        sender.join()
    if echoed != stream:
        raise Failed(f"{who}: what came back is not what was sent")


def send_in_pieces(sock, stream):
    with contextlib.suppress(OSError):  # The receiver tells of it.
        for at in range(0, len(stream), PIECE_BYTES):
            sock.sendall(stream[at:at + PIECE_BYTES])


def modules(python):
    """The version of what the programs are made with; of what is not there, nothing."""
    code = """
import importlib.metadata as m, json, platform, sys
found = {"Python": f"{platform.python_version()} ({platform.python_compiler()})"}
for name in ["switchboard-sockets", "uvloop", "twisted", "pyzmq"]:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def swb(asked):
    return asked.swb or build.swb(asked.quick)
