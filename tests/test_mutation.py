"""Mutation testing itself, on a toy project: what is killed, what survives, what is equivalent, and what is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mutation import coverage_of_tests, groups, table, tree
from tests.mutation.mutate import is_program, mutants
from tests.mutation.run import FEW_FILES, QUICKEST, READERS, Choice, Outcome, Selection, batches, outcome

ROOT = Path(__file__).parents[1]
TOY = '''"""A toy."""

LIMIT = 10


def positive(x: float) -> float:
    if x < 0:
        return 0
    return x


def unseen(x):
    return x + 3


def never(x):
    return x * 7
'''
TOY_FILE = "contraction/laws/toy.py"
TESTS = """from contraction.laws import toy


def test_positive():
    assert [toy.positive(x) for x in (-2, -1, 0, 0.5, 3)] == [0, 0, 0, 0.5, 3]
    assert toy.LIMIT == 10


def test_unseen():
    toy.unseen(1)
"""
GIT = ["git", "-c", "user.name=toy", "-c", "user.email=toy@example.org"]
EQUIVALENT = "contraction/laws/toy.py\tif x < 0:\tif x <= 0:\tat 0 both branches return 0\n"


def test_edits_are_made_once_and_in_their_place():
    found = mutants(TOY, "toy.py")
    assert len(found) == 10
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


#: A process that may use 0.1 s of the processor, and then does what follows.
LIMITED = "import time; from tests.mutation import tree; tree._end_after(0.1); "


@pytest.mark.parametrize(
    ("words", "deadline", "status"),
    [
        ([sys.executable, "-c", LIMITED + "exec('while True: pass')"], 1000.0, "killed"),
        ([sys.executable, "-c", LIMITED + "time.sleep(1.0)"], 1000.0, "survived"),
        (["sleep", "1000"], -1.0, "stopped"),
        (["sh", "-c", "kill -KILL $$"], 1000.0, "stopped"),
        (["sh", "-c", "kill -SEGV $$"], 1000.0, "killed"),
        (["echo", "tests/test_x.py::test_y"], 1000.0, "survived"),
    ],
    ids=["computes for ever", "waits", "waits for ever", "out of memory", "dies", "says what it runs"],
)
def test_a_machine_that_is_slow_kills_no_mutant(tmp_path, words: list[str], deadline: float, status: str):
    """A test hangs by the time that its own process computes. One that waits beyond its deadline, as on a machine that
    does other things, says nothing, and so does one that the system ends."""
    reads, writes = os.pipe()
    process = subprocess.Popen(words, stdout=writes, start_new_session=True, cwd=ROOT)
    os.close(writes)
    job = tree.Job(process.pid, reads, tmp_path, lambda test: 1000.0, time.monotonic() + deadline)
    while not job.look():
        time.sleep(0.01)
    assert outcome(job, Choice([], 0), 0.0).status == status
    assert outcome(job, Choice([], 1), 0.0).status == status.replace("survived", "unfinished")
    assert job.stopped == (deadline < 0)
    assert job.hung == ("while True" in words[-1])
    assert job.test == ("tests/test_x.py::test_y" if words[0] == "echo" else "")
    process.returncode = job.returncode  # waited for by the job


def test_modules_are_in_one_group_at_most():
    """What draws pictures, the command lines, types and what packages export are in none."""
    found = [path for places in groups.GROUPS.values() for path in groups.files_of(ROOT, places)]
    assert len(found) == len(set(found))
    assert all(path.exists() for path in found)
    left_out = {ROOT / file for file in groups.LEFT_OUT}
    assert all(path.exists() for path in left_out)
    names = ("__init__.py", "__main__.py", "cli.py", "types.py")
    programs = {
        path
        for package in ("contraction", "nn_experiments")
        for path in (ROOT / package).rglob("*.py")
        if path.name not in names and path.parent not in (ROOT / "contraction/plots", ROOT / "nn_experiments/report")
    }
    assert programs - set(found) == left_out


def test_samples_of_one_file(tmp_path):
    """With a list of files every edit is in one of them, and a large number draws each of them once."""
    folder = tmp_path / "contraction/laws"
    folder.mkdir(parents=True)
    for name in ("toy", "other"):
        (folder / f"{name}.py").write_text(TOY)
    drawn = groups.sample(tmp_path, "laws", 100, 0, [TOY_FILE])
    assert sorted(drawn, key=str) == sorted(mutants(TOY, TOY_FILE), key=str)
    assert {m.file for m in groups.sample(tmp_path, "laws", 100, 0)} == {TOY_FILE, "contraction/laws/other.py"}
    assert groups.sample(tmp_path, "laws", 100, 0, ["contraction/maps/base.py"]) == []


def test_only_the_dead_count_as_killed():
    mutant = mutants(TOY, "contraction/laws/toy.py")[0]
    statuses = ("killed", "survived", "untested", "stopped", "unfinished")
    found = [("laws", mutant, Outcome(status, "", 1, 0.0)) for status in statuses]
    assert table.counts(found, {}) == [("laws", 5, 0, 1, 1, 3)]
    assert "| laws | 5 | 0 | 1 | 1 | 3 | 20 % |" in table.table(found, {})


def test_tests_about_the_edited_file_come_first(tmp_path):
    """Three tests of one second and one of two run the line; the share of their lines in the file decides."""
    mutant = mutants("def f(x):\n    return x + 1\n", "contraction/laws/toy.py")[0]
    here, other = {mutant.file: frozenset({1, 2})}, {"contraction/laws/other.py": frozenset(range(98))}
    near = coverage_of_tests.Test("tests/a.py::near", 1.0, here)
    far = coverage_of_tests.Test("tests/b.py::far", 1.0, here | other)
    slow = coverage_of_tests.Test("tests/c.py::slow", 2.0, here)
    selection = Selection([far, slow, near], tmp_path)
    assert selection.tests_of(mutant).tests == [near, slow, far]
    assert batches(selection.tests_of(mutant).tests) == [[near, slow, far]]
    many = [coverage_of_tests.Test(f"tests/{k % 7}.py::{k}", 1.0, here) for k in range(90)]
    first, rest = batches(many)
    assert [test.file for test in first[:5]] == [f"tests/{k}.py" for k in range(5)]
    assert len(first) == QUICKEST
    assert {test.file for test in first} == {f"tests/{k}.py" for k in range(FEW_FILES)}
    assert sorted(first + rest, key=lambda t: t.name) == sorted(many, key=lambda t: t.name)


def test_defaults_meet_the_tests_that_read_the_text(tmp_path):
    """A default value is outside the function body: its mutants also run the tests that inspect signatures."""
    default, body = mutants("def f(x=5):\n    return x * 3\n", "contraction/laws/toy.py")[0::3]
    assert (default.in_function, body.in_function) == (False, True)
    runs = coverage_of_tests.Test("tests/t.py::a", 1.0, {body.file: frozenset({2})})
    reads = coverage_of_tests.Test(f"{READERS[0]}::b", 2.0, {})
    assert (ROOT / READERS[0]).exists()
    selection = Selection([runs, reads], tmp_path)
    assert selection.tests_of(default).tests == [runs, reads]
    assert selection.tests_of(body).tests == [runs]


def test_tests_that_the_budget_has_no_room_for_are_counted(tmp_path):
    """Three tests of 1, 2 and 4 s run the edited line: with 3 s two of them run, and one is left out."""
    (mutant, *_) = mutants("def f(x):\n    return x + 1\n", "contraction/laws/toy.py")
    tests = [coverage_of_tests.Test(f"tests/t.py::{s}", s, {mutant.file: frozenset({2})}) for s in (4.0, 1.0, 2.0)]
    for most, expected in ((0.5, [1.0]), (2.9, [1.0]), (3.0, [1.0, 2.0]), (7.0, [1.0, 2.0, 4.0])):
        choice = Selection(tests, tmp_path, most).tests_of(mutant)
        assert [test.seconds for test in choice.tests] == expected
        assert choice.left == 3 - len(expected)


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
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "toy"]):
        subprocess.run([*GIT, *words], cwd=root, check=True)
    return root


def test_a_record_holds_until_what_it_ran_changes(toy: Path, tmp_path: Path):
    """A file that no test imports may change; one that is run, a name beside it, or a test file may not."""
    pytest.importorskip("coverage")
    words = [sys.executable, "-m", "tests.mutation", "--root", str(toy), "--group", "laws", "--processes", "1"]
    words += ["--limit-seconds", "0", "--cache", str(tmp_path / "cache")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}

    def recorded(**changes: str) -> list[str]:
        """Commit changes of files, and return which files of tests are recorded then."""
        for name, text in changes.items():
            (toy / name).write_text(text)
        for words_of_git in (["add", "."], ["commit", "-qm", "toy"]):
            subprocess.run([*GIT, *words_of_git], cwd=toy, check=True)
        run = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
        return [line.split()[1] for line in run.stdout.splitlines() if line.startswith("[")]

    assert recorded(**{"nn_experiments/other.py": "X = 1\n"}) == ["tests/test_toy.py"]
    assert recorded(**{"nn_experiments/other.py": "X = 2\n", "nn_experiments/another.py": "X = 3\n"}) == []
    for name, text in {TOY_FILE: TOY, "contraction/laws/beside.py": "X = 1\n", "tests/test_toy.py": TESTS}.items():
        assert recorded(**{name: f"{text}# more\n"}) == ["tests/test_toy.py"], name


def test_a_whole_run(toy: Path, tmp_path: Path):
    """What tests notice is killed; what none notices or runs survives, with its diff; what is listed as equivalent is
    counted apart. A second run resumes: nothing is run again."""
    pytest.importorskip("coverage")
    (tmp_path / "equivalent.tsv").write_text(EQUIVALENT)
    words = [sys.executable, "-m", "tests.mutation", "--root", str(toy), "--group", "laws", "--count", "100"]
    words += ["--cache", str(tmp_path / "cache"), "--processes", "1"]
    words += ["--equivalent", str(tmp_path / "equivalent.tsv"), "--out", str(tmp_path / "report.md")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}

    def report(*more: str) -> str:
        run = subprocess.run([*words, *more], env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
        assert run.returncode == 0, run.stdout + run.stderr
        return (tmp_path / "report.md").read_text()

    assert "0 of 10 mutants were run" in report("--limit-seconds", "0", "--tests", "tests/test_toy.py")
    for wrong, message in {
        ("--tests", "tests/test_to"): "--tests must name files and folders",
        ("--only", "contraction/laws/to.py"): "--only must name files of the groups",
    }.items():
        refused = subprocess.run(
            [*words, *wrong], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert refused.returncode == 1
        assert message in refused.stderr
    found = report()
    [journal] = (tmp_path / "cache").glob("*.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    status = {(e["mutant"]["before"], e["mutant"]["after"]): e["outcome"]["status"] for e in lines}
    assert len(status) == len(lines) == 10
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
    assert "| laws | 10 | 1 | 3 | 0 | 6 | 33 % |" in found
    assert "-    return x + 3\n+    return x - 3" in found
    assert "if x <= 0" not in found
    assert report().partition("\n")[2] == found.partition("\n")[2]
    assert len(journal.read_text().splitlines()) == 10
    copies = list((tmp_path / "cache").glob("*/copy-0/contraction/laws/toy.py"))
    assert [path.read_text() for path in copies] == [TOY]
