"""The page on certified regions runs as printed, block after block, and prints what it says."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

import contraction as ct

PAGE = Path(__file__).parents[2] / "docs" / "certified-region.md"


def assert_printed(shown: str, printed: str) -> None:
    """The first lines of what is printed are those shown, with numbers to 5 %."""
    number = re.compile(r"\d+(?:\.\d+)?")
    words, numbers = ([], []), ([], [])
    for k, text in enumerate((shown, printed)):
        lines = text.splitlines()[: len(shown.splitlines())]
        words[k].extend(" ".join(number.sub("#", line).split()) for line in lines)
        numbers[k].extend(float(x) for x in number.findall(" ".join(lines)))
    assert words[0] == words[1]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.05)


def test_every_block_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 4
    shown = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    names: dict = {}
    outputs = []
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)
        outputs.append(capsys.readouterr().out)
    assert_printed(
        " ".join(shown[1].split()), outputs[1]
    )  # map, coordinate and number, for the same loss with independent batches
    with pytest.raises(AssertionError):
        assert_printed(" ".join(shown[1].split()).replace("coordinate 7", "coordinate 5"), outputs[1])
    with pytest.raises(
        ct.NotCertified, match=r"no box is invariant .* coordinate \d of map \d .* curvature of at least"
    ):
        ct.find_region(names["independent"], names["theta"])
    printed = outputs[0] + outputs[2]
    assert "certificate (Theorem 2.2 on a certified region (row 85))" in printed
    assert_printed(shown[0], printed)
    with pytest.raises(AssertionError):
        assert_printed(shown[0].replace("n=1000: 0.004", "n=1000: 0.003"), printed)
    assert "every epoch of 4 maps, in any order, sends the box into itself" in printed
    assert "may send coordinate 0 of the box to 1.0166667 r_0" in printed
    assert float(printed.split()[-1]) == pytest.approx(0.95)
    assert 0.975 <= float(outputs[3]) < 0.975 + 1e-14
    # log 2 is the loss at the border between the labels
    right = [
        names["loss"](names["region"].center, *row) < math.log(2) for row in zip(names["x"], names["y"], strict=True)
    ]
    assert sum(right) / len(right) > 0.8
