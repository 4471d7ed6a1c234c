"""One measurement: a server on its core, the load generator on the other, what they have told."""

import contextlib
import fcntl
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile

import build
import machine

# Until a server says that it listens; a virtual machine has to be started for some.
START_SECONDS = 30
# So many messages at least, and so long at most, where messages are counted and not the time.
LEAST_COUNT = 200
COUNT_SECONDS = 20
# Of a ping-pong in the quick run.
QUICK_SECONDS = 0.1
# Beyond what the load itself takes: connecting, and the last replies.
SPARE_SECONDS = 30


class Failed(Exception):
    """A peer did not start, or did not answer as it should."""


class Bench:
    """What is the same for every measurement of a run."""

    def __init__(self, swb, commands, seconds, warm_up, lock=None):
        # None: a few messages each, of the quick run.
        self.swb = swb
        self.commands = commands
        self.seconds = seconds
        self.warm_up = warm_up
        self.lock = lock
        self.system_congestion = machine.congestion()
        self.server_core, self.client_core = machine.cores()
        self.temporary = tempfile.TemporaryDirectory(prefix="bench-")
        self.folder = pathlib.Path(self.temporary.name)
        self.certificate = make_certificate(self.folder)

    def close(self):
        self.temporary.cleanup()

    def set_congestion(self, column):
        """The column's congestion control, or the system's; gives what it is now."""
        return machine.set_congestion(column.congestion or self.system_congestion)

    @contextlib.contextmanager
    def alone(self):
        """While nothing else that takes the same locks is at work on this machine."""
        with contextlib.ExitStack() as held:
            for path in filter(None, (self.lock or "").split(":")):
                file = held.enter_context(open(path, "a", encoding="utf-8"))
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def measure(self, peer, column, verify=False):
        """Starts the peer, loads it as the column says, ends it. What the load generator says."""
        with self.server(peer, column) as (endpoint, pid):
            return self.loaded(endpoint, pid, peer, column, verify)

    def loaded(self, endpoint, pid, peer, column, verify=False):
        """Loads a server that runs."""
        words = [self.swb, "bench", endpoint, "--frame", column.framing, "--json"]
        words += ["-c", column.connections, "--depth", column.depth, "--size", column.size]
        words += ["--server-pid", pid]
        if column.where == "tls":
            words += ["--tls-ca", self.certificate[0]]
        words += ["--verify"] if verify else []
        if verify or self.seconds is None:
            # However slow it is: nothing that has to be right depends on a time.
            count = max(LEAST_COUNT, 2 * column.connections * column.depth)
            seconds, warm_up = COUNT_SECONDS, 0
            words += ["--count", count]
        else:
            seconds, warm_up = self.seconds, self.warm_up + peer.compiles
        words += ["--duration", milliseconds(seconds), "--warm-up", milliseconds(warm_up)]
        core = self.server_core if column.one_core else self.client_core
        return self.load(words, core, seconds + warm_up, f"{peer.key}, {column.key}")

    def load(self, words, core, seconds, who):
        words = [str(word) for word in words]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False,
                                  timeout=seconds + SPARE_SECONDS, preexec_fn=pinned(core))
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{who}: the load generator does not end: {' '.join(words)}") from late
        if done.returncode != 0:
            what = done.stderr.strip()
            raise Failed(f"{who}: exit code {done.returncode} of {' '.join(words)}\n{what}")
        summary = json.loads(done.stdout.splitlines()[-1])
        wrong = {name: count for name, count in summary["errors"].items() if count}
        if wrong or not summary["messages_received"]:
            raise Failed(f"{who}: {summary['messages_received']} messages received, {wrong}")
        if summary.get("server_cpu_ns_per_message") is None:
            raise Failed(f"{who}: what the server used is not told")
        return summary

    @contextlib.contextmanager
    def server(self, peer, column):
        """A server that listens, as its endpoint and process id; ended by that id."""
        where = "tcp" if column.where == "tls" else column.where
        path = self.folder / "socket"
        if where == "unix":
            where = f"unix:{path}"
            path.unlink(missing_ok=True)
        words = [*self.commands[peer.key], where, column.framing, *peer.words]
        words += self.certificate if column.where == "tls" else []
        with open(self.folder / "stderr", "w+", encoding="utf-8") as talk:
            server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=talk, text=True,
                                      preexec_fn=pinned(self.server_core))
            try:
                ready, _, _ = select.select([server.stdout], [], [], START_SECONDS)
                line = server.stdout.readline().strip() if ready else ""
                if not line:
                    talk.seek(0)
                    raise Failed(f"{peer.key} does not listen: {' '.join(words)}\n{talk.read()}")
                endpoint = where if column.where == "unix" else f"{column.where}://127.0.0.1:{line}"
                yield endpoint, server.pid
            finally:
                server.kill()
                # Until the last process of it has closed its end.
                server.communicate(timeout=SPARE_SECONDS)

    def ping_pong(self, variant, where, program):
        """The program that measures itself: a blocking client, pinned with who answers."""
        path = self.folder / "socket"
        path.unlink(missing_ok=True)
        place = f"unix:{path}" if where == "unix" else "tcp"
        seconds = self.seconds or QUICK_SECONDS
        words = [program, variant, place, str(seconds)]
        done = subprocess.run(words, capture_output=True, text=True, check=False,
                              timeout=seconds + SPARE_SECONDS,
                              preexec_fn=pinned(self.server_core))
        if done.returncode != 0:
            raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
        return json.loads(done.stdout)


def milliseconds(seconds):
    return f"{round(seconds * 1000)}ms"


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


def make_certificate(folder):
    """A certificate of this run for 127.0.0.1 and its key; nothing if there is no openssl."""
    try:
        openssl = build.tool("openssl")
    except build.Missing as reason:
        if "SWITCHBOARD_NO_SKIP" in os.environ:
            raise
        print(f"skipped: the columns with TLS, {reason}", file=sys.stderr)
        return None
    certificate, key = folder / "cert.pem", folder / "key.pem"
    words = [openssl, "req", "-x509", "-nodes", "-newkey", "ec", "-days", "2"]
    words += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=peers"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-addext", "basicConstraints=critical,CA:FALSE"]
    words += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    return [str(certificate), str(key)]
