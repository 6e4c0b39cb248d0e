"""A compiled kernel on disk is used again only while the text of every file that it calls is the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

ROOT = Path(__file__).resolve().parents[3]
BLOCKED = "nn_experiments/engine/kernels/blocked.py"
RIGHT = "under[j, k] *= 1 - a * a"
WRONG = "under[j, k] *= 1 + a * a"

#: Prints the norm of the error that a layer passes down by the compiled kernel, and whether it was read from the disk.
#: The slope of the activation is in another file than the kernel.
SCRIPT = """
import numpy as np
from nn_experiments.engine.kernels import mlp_numba
shapes = [(4, 3), 4, (2, 3), (2, 4)]
weight, bias, below, error = (np.random.default_rng(i).uniform(-1, 1, s) for i, s in enumerate(shapes))
under = np.empty((2, 3))
mlp_numba._backward_few(weight, bias, below, error, under, False, False, 0.1)
print(repr(float(np.sum(under**2))), sum(mlp_numba._backward_few.stats.cache_hits.values()))
"""


@pytest.fixture
def copy(tmp_path):
    for name in ("contraction", "nn_experiments"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(folder: Path, cache: str) -> tuple[str, int]:
    environment = os.environ | {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / cache)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-c", SCRIPT]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    number, hits = result.stdout.split()
    return number, int(hits)


def test_a_wrong_sign_in_another_file_is_not_hidden_by_a_warm_cache(copy):
    """The edit keeps size and time of the file, which is all that numba itself looks at, and of another file only."""
    right, hits = run(copy, "warm")
    assert hits == 0
    assert run(copy, "warm") == (right, 1)  # the same text: read from the disk
    path = copy / BLOCKED
    text, before = path.read_text(encoding="utf-8"), path.stat()
    assert text.count(RIGHT) == 1
    path.write_text(text.replace(RIGHT, WRONG), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    wrong, hits = run(copy, "warm")
    assert hits == 0
    assert wrong == run(copy, "cold")[0] != right
    path.write_text(text, encoding="utf-8")
    assert run(copy, "warm")[0] == right


def test_the_tests_have_a_cache_of_their_own():
    assert Path(os.environ["NUMBA_CACHE_DIR"]).name.startswith("numba-")
    assert not Path(os.environ["NUMBA_CACHE_DIR"]).is_relative_to(ROOT)
