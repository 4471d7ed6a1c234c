"""Why a loop could not connect, as the blocking ``connect`` would say it."""

from __future__ import annotations

import re
import socket
import ssl

from switchboard._errors import Failed, SwitchboardError
from switchboard._native import connect_failed

#: What OpenSSL says of a certificate (``X509_V_ERR_..``), and what to do: its issuer is not trusted
#: (it is signed by itself, alone or in a chain; no issuer is at hand, of the chain or of its only
#: one), it is for another name or address, it is not valid yet or no longer.
ADVICE = {
    **dict.fromkeys(
        (18, 19, 20, 21), "give a context that trusts its CA: create_default_context(cafile=..)"
    ),
    **dict.fromkeys((62, 64), "connect to a name that its certificate is for"),
    9: "is the clock of this machine right?",
    10: "the server needs a new one; or is the clock of this machine wrong?",
}

#: An address that was tried, in the text of a loop which tried several or one.
TRIED = re.compile(r"\[Errno (\d+)\](?: Connect call failed \('([^']*)'(?:, (\d+))?)?")


def check_context(given: object) -> None:
    """Refuses what is no context, before anybody is connected to."""
    if given is not None and not isinstance(given, ssl.SSLContext):
        kind = type(given).__name__
        advice = "a switchboard.Tls is for switchboard.connect, listen and start"
        raise TypeError(f"ssl= is an ssl.SSLContext, not {kind}: {advice}")


def refusal(endpoint: str, host: str, port: int, error: OSError) -> Exception:
    """The exception for what a loop raised."""
    if isinstance(error, ssl.SSLError):
        return _of_tls(endpoint, error)
    if isinstance(error, socket.gaierror):
        made = connect_failed(endpoint, [], error.strerror or str(error))
        if isinstance(made, OSError) and error.errno is not None:
            made.errno, made.strerror = error.errno, error.strerror
        return made
    if isinstance(error, TimeoutError) and error.errno is None:
        return connect_failed(endpoint, [])
    tried = []
    for number, address, at in TRIED.findall(str(error)):
        place = address or host
        place = f"[{place}]" if ":" in place else place
        tried.append((f"{place}:{at or port}", int(number)))
    if not tried:
        if error.errno is None:
            return _failed(endpoint, error.strerror or str(error), error)
        tried = [(f"{host}:{port}", error.errno)]
    return connect_failed(endpoint, tried)


def _of_tls(endpoint: str, error: ssl.SSLError) -> SwitchboardError:
    if not isinstance(error, ssl.SSLCertVerificationError):
        what = (error.reason or error.strerror or str(error)).replace("_", " ").lower()
        text = f"the TLS handshake failed, {what}"
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            text += ": is it TLS that is spoken there?"
        return _failed(endpoint, text, error)
    text = error.verify_message.rstrip(".")
    advice = ADVICE.get(error.verify_code)
    return _failed(endpoint, text if advice is None else f"{text}: {advice}", error)


def _failed(endpoint: str, text: str, error: OSError) -> SwitchboardError:
    made = Failed(f"cannot connect to {endpoint}: {text}")
    made.endpoint = endpoint
    made.errno, made.strerror = error.errno, error.strerror
    return made
