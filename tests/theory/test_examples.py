"""The examples in docstrings, and the blocks of the page on certificates that run without torch, give what they say."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "certified.md"
MODULES = (
    "certificates.blocks",
    "certificates.mean_square",
    "concentration",
    "families.bernoulli",
    "families.constant_maps",
    "families.expanding",
    "families.gradient_steps",
    "families.least_squares",
    "families.noise",
    "families.own_noise",
    "families.page_rank",
    "families.random_affine",
    "laws.calibrated",
    "limits.backward",
    "limits.settled",
    "limits.stationary",
    "maps.known",
    "maps.support",
    "statements.section_2.backward_contraction",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"contraction.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_example_in_mean_square_prints_what_is_shown():
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    block = next(b for b in blocks if "mean_square" in b)
    shown = re.findall(r"#\s*(\S+)$", next(line for line in block.splitlines() if line.startswith("print")))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block, {})
    assert printed.getvalue().split() == shown
