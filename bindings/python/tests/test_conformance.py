"""The vectors that the engine, the command `swb decode` and this package share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import switchboard as sb

VECTORS = Path(__file__).parents[3] / "tests" / "vectors" / "decode.json"
ROWS: list[dict[str, Any]] = json.loads(VECTORS.read_text())


def decoded(row: dict[str, Any], size: int) -> dict[str, Any]:
    """What a row's stream comes to in pieces of so many bytes, as a row has it."""
    stream = bytes.fromhex(row["stream"])
    decoder = sb.Decoder(row["framing"], role=row.get("role", "client"))
    messages: list[bytes] = []
    found: dict[str, Any] = {"ending": "finished"}
    try:
        for at in range(0, len(stream), size):
            messages += decoder.feed(stream[at : at + size])
        messages += decoder.finish().messages
    except (sb.Truncated, sb.Oversize, sb.BadFrame) as error:
        messages += error.messages
        found = {"ending": error.ending, "offset": error.byte_offset, "at": error.at}
    found |= {name: row[name] for name in ("framing", "role", "stream") if name in row}
    found["messages"] = [message.hex() for message in messages]
    if decoder.discarded:
        found["discarded"] = [
            {"offset": one.offset, "frame_bytes": one.frame_bytes} for one in decoder.discarded
        ]
    return found


@pytest.mark.parametrize("size", [1_000_000, 1, 3])
def test_every_row_comes_out_as_it_says(size: int) -> None:
    assert len(ROWS) > 600
    for row in ROWS:
        found, expected = decoded(row, size), dict(row)
        if size < 1_000_000 and "raw" in row["framing"]:
            # It promises no more than the bytes.
            found["messages"] = ["".join(found["messages"])]
            expected["messages"] = ["".join(expected["messages"])]
        for told, known in zip(found.get("discarded", []), expected.get("discarded", [])):
            if size < 1_000_000 and told["frame_bytes"] is None:
                # Told at once: what it comes to is not known yet.
                known["frame_bytes"] = None
        assert found == expected
