"""The examples of the docstrings, and the README's."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import switchboard
import switchboard._native
import switchboard._select
import switchboard._serve
import switchboard.aio


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found: list[doctest.DocTest] = []
    for module in (switchboard, switchboard._serve, switchboard._select, switchboard.aio):
        found += finder.find(module)
    # What is not written in Python is not found from its module.
    parser = doctest.DocTestParser()
    for name, value in vars(switchboard._native).items():
        if not name.startswith("_") and value.__doc__:
            found.append(parser.get_doctest(value.__doc__, {}, name, None, None))
    return [one for one in found if one.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.name)
def test_an_example_does_what_it_says(example: doctest.DocTest) -> None:
    results = doctest.DocTestRunner().run(example)
    assert results.attempted > 0
    assert results.failed == 0


def test_the_readme() -> None:
    readme = Path(__file__).parents[1] / "README.md"
    blocks = readme.read_text().split("```python\n")[1:]
    assert blocks
    for block in blocks:
        exec(compile(block.split("```")[0], str(readme), "exec"), {})


def test_everything_public_is_explained() -> None:
    named = [(switchboard, name) for name in switchboard.__all__]
    for module, name in [*named, *((switchboard.aio, name) for name in switchboard.aio.__all__)]:
        value = getattr(module, name)
        assert value.__doc__, name
        for member, inner in vars(value).items() if isinstance(value, type) else ():
            if callable(inner) and not member.startswith("_"):
                assert inner.__doc__, f"{name}.{member}"
