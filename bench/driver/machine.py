"""The machine as it is for a measurement: a network namespace of its own, two cores, limits; and
what is told about it."""

import datetime
import fcntl
import os
import pathlib
import platform
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys

import build

CONGESTION = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")
METRICS = pathlib.Path("/proc/sys/net/ipv4/tcp_no_metrics_save")
INSIDE = "SWITCHBOARD_BENCH_NAMESPACE"


def enter_namespace():
    """Starts this program again in a network namespace of its own: what is set there, the
    congestion control, is set nowhere else. Without the right to have one, goes on outside."""
    if INSIDE in os.environ:
        if os.environ[INSIDE] == "own":
            set_loopback_up()
            # What one peer's connections have suffered is nothing to the next peer's.
            METRICS.write_text("1")
        return
    words = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    usable = shutil.which("unshare") and subprocess.run(
        [*words, "true"], capture_output=True).returncode == 0
    os.environ[INSIDE] = "own" if usable else "none"
    if usable:
        os.execvp("unshare", [*words, sys.executable, *sys.argv])


def set_loopback_up():
    get_flags, set_flags, up = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, get_flags, asked))[1]
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", flags | up))


def congestion():
    return CONGESTION.read_text().strip()


def set_congestion(name):
    """In a namespace of its own alone; gives what holds from now on."""
    if os.environ.get(INSIDE) == "own":
        CONGESTION.write_text(name)
    return congestion()


def cores():
    """The server's and the client's: the first two that this program may use."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[min(1, len(allowed) - 1)]


def raise_limits():
    """A thousand connections need more descriptors than a shell's soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def described(congestion_control):
    """What decides about the figures and is not in the programs."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    governor = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    mitigations = pathlib.Path("/sys/devices/system/cpu/vulnerabilities/spectre_v2")
    return {
        "processor": model.group(1) if model else platform.processor(),
        "cores": os.cpu_count(),
        "memory GiB": round(int(memory.group(1)) / 2**20) if memory else 0,
        "kernel": f"{platform.system()} {platform.release()}",
        "governor": governor.read_text().strip() if governor.exists() else "not told",
        "spectre_v2": mitigations.read_text().strip() if mitigations.exists() else "not told",
        "congestion control": congestion_control,
        "network namespace": os.environ.get(INSIDE, "none"),
        "tcp_no_metrics_save": METRICS.read_text().strip(),
    }


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def versions(peers):
    """The version of everything that one of these peers is made with."""
    needs = {peer.needs for peer in peers}
    found = {"Switchboard": switchboard_version()}
    for name, (need, ask) in ASK.items():
        if need in needs:
            found[name] = ask() or "not told"
    return found


def output(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


def first(pattern, text):
    found = re.search(pattern, text)
    return found.group(1) if found else ""


def switchboard_version():
    manifest = (build.ROOT / "Cargo.toml").read_text()
    commit = output("git", "-C", build.ROOT, "rev-parse", "--short", "HEAD")
    return f"{first(r'version = .([0-9.]+)', manifest)} ({commit})"


def locked(crate):
    lock = (build.BENCH / "Cargo.lock").read_text()
    return lambda: first(rf'name = "{crate}"\nversion = "(.*)"', lock)


def module(name):
    ask = f"import importlib.metadata as m; print(m.version({name!r}))"
    return lambda: output(*build.python(False)["python"], "-c", ask)


def netty():
    jars = " ".join(jar.name for jar in build.JARS.glob("netty-transport-[0-9]*.jar"))
    return first(r"-(\d[\d.]*\d)", jars)


def boost():
    text = output("g++", "-E", "-dM", "-include", "boost/version.hpp", "-x", "c++", "/dev/null")
    return first(r'BOOST_LIB_VERSION "(.*)"', text).replace("_", ".")


ASK = {
    "rustc": ("rust", lambda: first(r"rustc (\S+)", output("rustc", "--version"))),
    "tokio": ("rust", locked("tokio")),
    "tokio-util": ("rust", locked("tokio-util")),
    "rustls": ("rust", locked("rustls")),
    "Go": ("go", lambda: first(r"go(\d\S+)", output("go", "version"))),
    "Erlang/OTP": ("erlang", lambda: output(
        "erl", "-noinput", "-eval",
        'io:format("~s", [erlang:system_info(otp_release)]), halt().')),
    "Java": ("netty", lambda: first(r'version "(.*?)"', output("java", "-version"))),
    "Netty": ("netty", netty),
    "g++": ("asio", lambda: output("g++", "-dumpfullversion")),
    "Boost": ("asio", boost),
    "Python": ("python", lambda: first(
        r"Python (\S+)", output(*build.python(False)["python"], "--version"))),
    "uvloop": ("uvloop", module("uvloop")),
    "Twisted": ("twisted", module("twisted")),
}
