"""The page on the order of batches runs as printed, block after block."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

PAGE = Path(__file__).parents[2] / "docs" / "orders-and-brackets.md"


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S):
        exec(compile(block, PAGE.name, "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "reshuffled: a new shuffle in every epoch"
    assert "[True, True, False, True]" in printed
    assert printed.count("repeated") == 1
    assert "reshuffled sequential" in printed
    assert sum(line.startswith("T_i T_j - T_j T_i for SGD, 97 parameters") for line in printed) == 2
    assert sum("memory: predicted" in line for line in printed) == 1
    assert len((tmp_path / "brackets.csv").read_text().splitlines()) == 11
    assert (tmp_path / "brackets.png").stat().st_size > 10_000
