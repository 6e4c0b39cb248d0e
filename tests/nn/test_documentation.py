"""The page on one's own network runs as printed, block after block."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

PAGE = Path(__file__).parents[2] / "docs" / "own-network.md"


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 12
    names: dict = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)
    printed = capsys.readouterr()
    assert (
        "orders forward, backward, windowed-50, ema-0.99, swa-100-10-100, reset_if_better-test_loss-100" in printed.out
    )
    assert "(3, 7, 31)" in printed.out
    assert "done in" in printed.err
    table = (tmp_path / "mine" / "table.csv").read_text().splitlines()
    assert table[0] == "seed,order,iterate,gradients,reset_at,test_accuracy,test_loss"
    assert len(table) == 1 + 3 * 7 * 31
    assert (tmp_path / "mine" / "picture.png").stat().st_size > 10_000
    assert len(list((tmp_path / "mine").glob("*/experiment.json"))) == 1
    assert names["path"].metadata["engine"] == "own_loop"
    assert f"Sequential: {names['diagnosis'].verdict} (11 replicates of 600 steps)" in printed.out
    assert (tmp_path / "mine" / "diagnosis.png").stat().st_size > 10_000
    (verdict,) = (block for block in blocks if "nne.diagnose" in block)
    assert len([line for line in verdict.splitlines() if line.strip()]) <= 15
