"""Prints the cookbook's right answers as one module, for a checker of types: each in a function of
its own, with the names that the page says there are."""

from __future__ import annotations

import textwrap

from test_cookbook import MODULES, sections

NAMES = """
from collections.abc import Callable
from typing import Any

import switchboard as sb
import switchboard.aio as sba

sock: socket.socket
c: sb.Conversation
other: sb.Conversation
endpoint: str
endpoints: list[str]
path: str
copy: str
message: bytes
messages: list[bytes]
value: dict[str, int]
kind: int
number: int
handle: Callable[[Any], object]
handle_rest: Callable[[bytes], object]
do_something_else: Callable[[], object]
handler: Callable[[bytes], bytes]
"""


def main() -> None:
    print("import signal")
    for name in sorted(MODULES.keys() - {"sb", "sba"}):
        print(f"import {name}")
    print(NAMES)
    for heading, (_, *right) in sections().items():
        for i, block in enumerate(right):
            name = "_".join(filter(str.isalnum, heading.replace("'", "").split()))
            print(f"def {name.lower()}_{i}() -> None:\n{textwrap.indent(block, '    ')}\n")


if __name__ == "__main__":
    main()
