"""The README's Python runs as printed, and prints what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
#: Code and what it is said to print.
SHOWN = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.S)


@pytest.mark.parametrize("package", ["contraction", "nn_experiments"])
def test_each_block_runs_by_itself_and_prints_what_is_shown(package, capsys, tmp_path, monkeypatch):
    """A reader who comes for networks copies their block alone."""
    if package == "nn_experiments":
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    ((code, shown),) = (block for block in SHOWN if f"import {package} as" in block[0])
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == shown.strip()


def test_every_block_is_run_and_the_page_is_short():
    assert len(SHOWN) == len(re.findall("```python", README)) == 2
    assert len(README.split()) <= 480


def test_links_point_at_files():
    root = Path(__file__).resolve().parents[2]
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (root / target).exists(), target
