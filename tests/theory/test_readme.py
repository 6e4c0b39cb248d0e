"""The README's Python runs as printed, and prints what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run_and_print_what_is_shown(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) == 2
    names: dict = {}
    outputs = []
    for block in blocks:
        if "import torch" in block:
            pytest.importorskip("torch")
        exec(compile(block, "README.md", "exec"), names)
        outputs.append(capsys.readouterr().out)
    shown = re.search(r"prints\n\n```text\n(.*?)```", README, re.S)
    assert shown is not None
    assert outputs[0].strip() == shown[1].strip()
    assert (tmp_path / "mine" / "curves.png").stat().st_size > 10_000


def test_the_block_on_networks_runs_by_itself(tmp_path, monkeypatch):
    """A reader who comes for networks copies this block alone."""
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("torch")
    (block,) = re.findall(r"```python\n(import torch\n.*?)```", README, re.S)
    exec(compile(block, "README.md", "exec"), {})


def test_links_point_at_files():
    root = Path(__file__).resolve().parents[2]
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (root / target).exists(), target
