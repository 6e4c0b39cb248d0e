"""Mutation testing itself, on a toy project: what is killed, what survives, what is equivalent, and what is left."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import table
from tests.mutation.mutate import is_program, mutants

ROOT = Path(__file__).parents[1]
TOY = '''"""A toy."""

LIMIT = 10


def positive(x: float) -> float:
    if x < 0:
        return 0
    return x


def unseen(x):
    return x + 3


def steps(n):
    k = 0
    while k < n:
        k += 1
    return k


def never(x):
    return x * 7
'''
TESTS = """from contraction.laws import toy


def test_positive():
    assert [toy.positive(x) for x in (-2, -1, 0, 0.5, 3)] == [0, 0, 0, 0.5, 3]
    assert toy.LIMIT == 10


def test_unseen():
    toy.unseen(1)


def test_steps():
    assert [toy.steps(n) for n in (0, 3)] == [0, 3]
"""
EQUIVALENT = "contraction/laws/toy.py\tif x < 0:\tif x <= 0:\tat 0 both branches return 0\n"


def edited(name: str, text: str = TOY) -> list:
    """The mutants of a function of the toy."""
    tree = ast.parse(text)
    [node] = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
    return [m for m in mutants(text, "toy.py") if node.lineno <= m.line <= (node.end_lineno or 0)]


def test_edits_are_made_once_and_in_their_place():
    found = mutants(TOY, "toy.py")
    assert len(found) > 10
    for mutant in found:
        lines = mutant.apply(TOY).splitlines()
        changed = [k for k, (a, b) in enumerate(zip(TOY.splitlines(), lines, strict=True), 1) if a != b]
        assert changed == [mutant.line]
        assert is_program(mutant, TOY)
        assert mutant.before == " ".join(TOY.splitlines()[mutant.line - 1].split())
        assert mutant.after == " ".join(lines[mutant.line - 1].split())
        with pytest.raises(ValueError, match="reads"):
            mutant.apply("\n" + TOY)


def test_kinds_of_edits():
    text = (
        "def f(a, b, c):\n"
        "    x = (a + b) * -c if not a else min(b, 2)\n"
        "    y: int = a @ b\n"
        "    if a == b and x.any():\n"
        "        raise ValueError(a + 1)\n"
        "    x -= f(a, b, 0.5)  # é\n"
        "    return x >= y, f'{a + b}', True, ...\n"
    )
    found = {(m.kind, m.old, m.new) for m in mutants(text) if is_program(m, text)}
    assert found == {
        ("operator", "+", "-"),
        ("removed term", " + b", ""),
        ("operator", "*", "/"),
        ("removed term", " * -c", ""),
        ("operator", "-", ""),
        ("not", "not", ""),
        ("name", "min", "max"),
        ("swap", "b, 2", "2, b"),
        ("constant", "2", "3"),
        ("swap", "a @ b", "b @ a"),
        ("comparison", "==", "!="),
        ("not", "and", "or"),
        ("name", "any", "all"),
        ("operator", "-", "+"),
        ("swap", "a, b", "b, a"),
        ("constant", "0.5", "1.0"),
        ("comparison", ">=", ">"),
        ("constant", "True", "False"),
    }


def test_equivalent_mutants_are_found_wherever_their_line_is(tmp_path):
    path = tmp_path / "equivalent.tsv"
    path.write_text("# a comment\n" + EQUIVALENT)
    known = table.equivalents(path)
    moved = "# a line more\n" + TOY
    for text in (TOY, moved):
        [same] = [m for m in mutants(text, "contraction/laws/toy.py") if table.is_equivalent(m, known)]
        assert (same.kind, same.old, same.new) == ("comparison", "<", "<=")
    path.write_text("contraction/laws/toy.py\tif x < 0:\tno reason\n")
    with pytest.raises(ValueError, match=r"equivalent.tsv:1: four fields"):
        table.equivalents(path)


def test_the_list_of_equivalent_mutants_is_of_today():
    """Every line of it is a line of its file, and its edit one that is made there."""
    for file, before, after in table.equivalents():
        made = {(m.before, m.after) for m in mutants((ROOT / file).read_text(encoding="utf-8"), file)}
        assert (before, after) in made, (file, before, after)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A project of one module, with its tests, as a git repository."""
    root = tmp_path / "toy"
    for name, text in {
        "contraction/__init__.py": "",
        "contraction/laws/__init__.py": "",
        "contraction/laws/toy.py": TOY,
        "nn_experiments/__init__.py": "",
        "tests/test_toy.py": TESTS,
        "pyproject.toml": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git = ["git", "-c", "user.name=toy", "-c", "user.email=toy@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "toy"]):
        subprocess.run([*git, *words], cwd=root, check=True)
    return root


def test_a_whole_run(toy: Path, tmp_path: Path):
    """What tests notice is killed, a loop that never ends as well; what none notices or runs survives, with its diff;
    what is listed as equivalent is counted apart. A second run resumes: nothing is run again."""
    pytest.importorskip("coverage")
    (tmp_path / "equivalent.tsv").write_text(EQUIVALENT)
    words = [sys.executable, "-m", "tests.mutation", "--root", str(toy), "--group", "laws", "--count", "100"]
    words += ["--cache", str(tmp_path / "cache"), "--processes", "1", "--patience", "2"]
    words += ["--equivalent", str(tmp_path / "equivalent.tsv"), "--out", str(tmp_path / "report.md")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}

    def report(*more: str) -> str:
        run = subprocess.run([*words, *more], env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
        assert run.returncode == 0, run.stdout + run.stderr
        return (tmp_path / "report.md").read_text()

    assert "0 of 14 mutants were run" in report("--limit-seconds", "0")
    found = report()
    [journal] = (tmp_path / "cache").glob("*.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    status = {(e["mutant"]["before"], e["mutant"]["after"]): e["outcome"]["status"] for e in lines}
    assert len(status) == len(lines) == 14
    killed = {pair for pair, what in status.items() if what == "killed"}
    assert set(status) - killed == {
        ("if x < 0:", "if x <= 0:"),
        ("return x + 3", "return x - 3"),
        ("return x + 3", "return x"),
        ("return x + 3", "return x + 4"),
        ("return x * 7", "return x / 7"),
        ("return x * 7", "return x"),
        ("return x * 7", "return x * 8"),
    }
    hung = [e["outcome"]["by"] for e in lines if e["mutant"]["after"] == "k -= 1"]
    assert hung == ["tests/test_toy.py::test_steps (it hung)"]
    assert "| laws | 14 | 1 | 7 | 6 | 54 % |" in found
    assert "-    return x + 3\n+    return x - 3" in found
    assert "if x <= 0" not in found
    assert report().partition("\n")[2] == found.partition("\n")[2]
    assert len(journal.read_text().splitlines()) == 14
    copies = list((tmp_path / "cache").glob("*/copy-0/contraction/laws/toy.py"))
    assert [path.read_text() for path in copies] == [TOY]
