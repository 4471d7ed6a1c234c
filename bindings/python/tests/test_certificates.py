"""Endpoints of TLS, with certificates of files."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

import switchboard as sb
import switchboard.aio as sba
from helpers import PATIENCE, cannot, in_thread


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority (`ca`), and a server and a client of it, each a `.pem` and a `.key`."""
    if shutil.which("openssl") is None:
        cannot("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        made = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *new, "-days", "2", "-subj", "/CN=the authority",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    for name, subject in [("server", "example.test"), ("client", "somebody")]:
        openssl("req", *new, "-subj", f"/CN={subject}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")  # fmt: skip
        alternatives = folder / f"{name}.ext"
        alternatives.write_text(
            f"subjectAltName=DNS:{subject},DNS:localhost\n"
            "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        )
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", alternatives.name,
                "-out", f"{name}.pem")  # fmt: skip
    both = (folder / "server.pem").read_text() + (folder / "server.key").read_text()
    (folder / "both.pem").write_text(both)
    return folder


def shout(message: bytes) -> bytes:
    return message.upper()


def start(folder: Path, **more: object) -> sb.Running:
    cert, key = folder / "server.pem", folder / "server.key"
    tls = sb.Tls(cert=cert, key=key, **more)  # type: ignore[arg-type]
    running = sb.start("tls://127.0.0.1:0", shout, "lines", tls=tls)
    assert isinstance(running, sb.Running)
    return running


def at(server: sb.Running | sb.Listener, host: str = "localhost") -> str:
    port = server.endpoints[0].rpartition(":")[2]
    return f"tls://{host}:{port}"


def asked(endpoint: str, tls: sb.Tls | None) -> bytes:
    with sb.connect(endpoint, "lines", timeout=PATIENCE, tls=tls) as c:
        return c.request(b"hello")


def test_a_client_that_trusts_the_authority(folder: Path) -> None:
    with start(folder) as server:
        assert server.endpoints[0].startswith("tls://")
        assert asked(at(server), sb.Tls(ca=folder / "ca.pem")) == b"HELLO"
        assert asked(at(server), sb.Tls(ca=str(folder / "ca.pem"))) == b"HELLO"
        named = sb.Tls(ca=folder / "ca.pem", name="example.test")
        assert asked(at(server, "127.0.0.1"), named) == b"HELLO"
        assert asked(at(server, "127.0.0.1"), sb.Tls(insecure=True)) == b"HELLO"


def test_what_is_not_trusted_says_what_to_do(folder: Path) -> None:
    with start(folder) as server:
        with pytest.raises(OSError, match=r"trusted here.*tls=sb\.Tls\(ca=FILE\)") as unknown:
            asked(at(server), None)
        assert isinstance(unknown.value, sb.SwitchboardError)
        wrong = sb.Tls(ca=folder / "ca.pem")
        with pytest.raises(OSError, match=r"not for 127\.0\.0\.1.*tls=sb\.Tls\(name=\.\.\)"):
            asked(at(server, "127.0.0.1"), wrong)


def test_a_client_has_to_say_who_it_is(folder: Path) -> None:
    with start(folder, client_ca=folder / "ca.pem") as server:
        known = sb.Tls(
            ca=folder / "ca.pem", cert=folder / "client.pem", key=folder / "client.key"
        )
        assert asked(at(server), known) == b"HELLO"
        with pytest.raises(sb.SwitchboardError, match=r"tls=sb\.Tls\(cert=FILE, key=FILE\)"):
            asked(at(server), sb.Tls(ca=folder / "ca.pem"))


def test_a_listener_and_a_file_with_both(folder: Path) -> None:
    tls = sb.Tls(cert=folder / "both.pem")
    with sb.listen("tls://127.0.0.1:0", "lines", timeout=PATIENCE, tls=tls) as listener:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))

        def answer() -> None:
            with listener.accept(PATIENCE) as c:
                assert c.recv() == b"hello"
                c.send(b"and you")

        async def ask() -> bytes:
            async with sba.connect(at(listener), "lines", timeout=PATIENCE, ssl=context) as c:
                return await c.request(b"hello")

        with in_thread(answer):
            assert asyncio.run(ask()) == b"and you"


def test_asyncio_with_contexts(folder: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "server.pem", folder / "server.key")
    trusting = ssl.create_default_context(cafile=str(folder / "ca.pem"))

    async def main() -> None:
        async with sba.start("tls://127.0.0.1:0", shout, "lines", ssl=serving) as server:
            assert server.endpoints[0].startswith("tls://")
            endpoint = server.endpoints[0].replace("127.0.0.1", "localhost")
            async with sba.connect(endpoint, "lines", timeout=PATIENCE, ssl=trusting) as c:
                assert await c.request(b"hello") == b"HELLO"
            with pytest.raises(OSError, match="trusts its CA") as failed:
                await sba.connect(endpoint, "lines", timeout=PATIENCE)
            assert isinstance(failed.value, sb.SwitchboardError)
            # It is listened on an address, and the certificate is for a name.
            with pytest.raises(sb.Failed, match=r"'127.0.0.1': connect to a name that") as failed:
                await sba.connect(server.endpoints[0], "lines", timeout=PATIENCE, ssl=trusting)
            assert "CA" not in str(failed.value)
            # And the blocking side speaks with it.
            trust = sb.Tls(ca=folder / "ca.pem")
            assert await asyncio.to_thread(asked, endpoint, trust) == b"HELLO"
        with pytest.raises(sb.Misused, match="a path speaks no TLS"):
            await sba.connect("unix:@nobody", "lines", ssl=trusting)
        with pytest.raises(sb.Misused, match="a path speaks no TLS"):
            await sba.start("unix:@nobody", shout, "lines", ssl=serving)

    asyncio.run(main())


def test_what_cannot_be(folder: Path) -> None:
    ca, cert, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    with pytest.raises(sb.Misused, match="tcp://localhost:1 has none: write tls://host:port"):
        sb.connect("localhost:1", "lines", tls=sb.Tls(ca=ca))
    context: Any = ssl.create_default_context()
    with pytest.raises(TypeError, match=r"a switchboard\.Tls, not SSLContext: wrap"):
        sb.connect("tls://localhost:1", "lines", tls=context)
    with pytest.raises(sb.Misused, match="client_ca= is for who listens"):
        sb.connect("tls://localhost:1", "lines", tls=sb.Tls(client_ca=ca))
    with pytest.raises(sb.Misused, match="give cert= too"):
        sb.connect("tls://localhost:1", "lines", tls=sb.Tls(key=key))
    with pytest.raises(sb.Misused, match="are for who connects"):
        sb.listen("tls://127.0.0.1:0", "lines", tls=sb.Tls(ca=ca, cert=cert, key=key))
    with pytest.raises(sb.Misused, match="needs a certificate"):
        sb.listen("tls://127.0.0.1:0", "lines", tls=sb.Tls())
    with pytest.raises(sb.Misused, match=r"tls=sb\.Tls\(cert=FILE, key=FILE\)"):
        sb.listen("tls://127.0.0.1:0", "lines")
    with pytest.raises(sb.Misused, match="server.key"):
        sb.listen("tls://127.0.0.1:0", "lines", tls=sb.Tls(cert=key, key=key))
    with pytest.raises(sb.Misused, match="cannot read .*absent.pem: no such file"):
        sb.connect("tls://localhost:1", "lines", tls=sb.Tls(ca=folder / "absent.pem"))


def test_who_has_no_protocol_in_common(folder: Path) -> None:
    ca = folder / "ca.pem"
    with start(folder, alpn=["ours"]) as server:
        assert asked(at(server), sb.Tls(ca=ca, alpn=["theirs", "ours"])) == b"HELLO"
        with pytest.raises(sb.SwitchboardError, match="(?i)no.*application.?protocol"):
            asked(at(server), sb.Tls(ca=ca, alpn=["theirs"]))


def test_asyncio_does_not_finish_over_tls(folder: Path) -> None:
    async def main(endpoint: str) -> None:
        trusts = ssl.create_default_context(cafile=folder / "ca.pem")
        async with sba.connect(endpoint, "lines", ssl=trusts) as c:
            with pytest.raises(sb.Misused, match="close it"):
                await c.finish()
            assert await c.request(b"hello") == b"HELLO"

    with start(folder) as server:
        asyncio.run(main(at(server)))
