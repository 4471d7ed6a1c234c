"""A peer that is cut off without a word: two network namespaces, and a cable that is pulled."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap

from helpers import cannot

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
            c.recv()
        except sb.PeerDead as error:
            print("dead", c.ending, isinstance(error, ConnectionResetError), error)
            raise SystemExit
        finally:
            far.communicate("done\\n")
    """
)


def test_a_peer_that_vanished_is_told_as_dead() -> None:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        cannot("there is no unshare or no ip to make a network with")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
        cannot("this user may not make a network namespace")
    ran = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", HERE, FAR],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.startswith("dead peer-dead True "), ran.stderr
    assert "without an answer" in ran.stdout
