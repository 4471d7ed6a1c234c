"""A peer that is cut off without a word: two network namespaces, and a cable that is pulled."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap

from helpers import cannot
from test_cookbook import sections

FAR = textwrap.dedent(
    """
    import subprocess
    import switchboard as sb

    print("here", flush=True)
    input()
    for line in ("addr add 10.77.1.2/24 dev swb1", "link set swb1 up"):
        subprocess.run(["ip", *line.split()], check=True)
    with sb.listen("10.77.1.2:0", "lines", timeout=None) as listener:
        print(listener.endpoints[0], flush=True)
        c = listener.accept()
        c.send(c.recv())
    input()
    subprocess.run(["ip", "link", "set", "swb1", "down"], check=True)
    print("pulled", flush=True)
    input()
    """
)

HERE = textwrap.dedent(
    """
    import subprocess, sys
    import switchboard as sb

    far = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", sys.argv[1]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )
    far.stdout.readline()
    for line in (
        f"link add swb0 type veth peer name swb1 netns {far.pid}",
        "addr add 10.77.1.1/24 dev swb0",
        "link set swb0 up",
    ):
        subprocess.run(["ip", *line.split()], check=True)
    far.stdin.write("plug\\n")
    with sb.connect(far.stdout.readline().strip(), "lines", timeout=None) as c:
        c.set_liveness(3)
        assert c.request(b"hello") == b"hello"
        far.stdin.write("pull\\n")
        far.stdout.readline()
        try:
            exec(sys.argv[2])
            raise SystemExit
        finally:
            far.communicate("done\\n")
    """
)

WAIT = textwrap.dedent(
    """
    try:
        c.recv()
    except sb.PeerDead as error:
        print("dead", c.ending, isinstance(error, ConnectionResetError), error)
    """
)


def pulled(then: str) -> str:
    """What code says that has a conversation `c` whose cable has just been pulled."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        cannot("there is no unshare or no ip to make a network with")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
        cannot("this user may not make a network namespace")
    ran = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", HERE, FAR, then],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_peer_that_vanished_is_told_as_dead() -> None:
    said = pulled(WAIT)
    assert said.startswith("dead peer-dead True ")
    assert "without an answer" in said


def test_so_it_is_with_the_code_of_the_cookbook() -> None:
    wrong, right = sections()["How to know that the client has gone"]
    # The wrong one takes it to be there, since the system takes the bytes. Ours is told sooner.
    sooner = right.replace("set_liveness(30)", "set_liveness(3)")
    assert sooner != right
    said = pulled(
        "import contextlib, os, socket\n"
        "sock = socket.socket(fileno=os.dup(c.fileno()))\n"
        f"{wrong}\nprint(is_there())\n{sooner}\nprint(gone)"
    )
    assert said == "True\npeer-dead\n"
