"""Small versions of `tests.trust`, and what each of them must notice; the page shows what the records hold."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np
import pytest

from tests.trust import calibration, rigour, scaling

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "results" / "benchmarks"
PAGE = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "module"), [("rigour", rigour), ("calibration", calibration), ("scaling", scaling)])
def test_the_page_shows_the_records(name, module):
    record = json.loads((RECORDS / f"{name}.json").read_text())
    for line in module.table(record):
        assert line in PAGE
    assert record["command"] in PAGE


def test_no_bound_of_the_record_is_violated():
    record = json.loads((RECORDS / "rigour.json").read_text())
    assert record["bounds"] >= 100_000
    assert record["violations"] == 0


def test_no_rate_of_the_record_is_contradicted():
    record = json.loads((RECORDS / "calibration.json").read_text())
    assert calibration.passes(record)
    assert not record["contradicted"]


def test_no_fault_of_the_record_did_harm():
    from tests.trust.faults import FAULTS, table

    record = json.loads((RECORDS / "faults.json").read_text())
    assert set(record["faults"]) == set(FAULTS)
    for line in table(record):
        assert line in PAGE
    assert not any(one["harm"] for one in record["faults"].values())


def test_late_workers_of_the_record_were_used():
    record = json.loads((RECORDS / "scaling.json").read_text())
    assert [row["late worker used"] for row in record["figure 7"]] == [None, None, True]
    assert f"The efficiency per core is {record['processor time, one worker over two']:.2f}" in PAGE


def test_no_row_changes_a_conclusion():
    from contraction.statements import all_statements

    assert not [row for s in all_statements() for row in s.rows if row.severity == "changes a conclusion"]


# --- calibration ------------------------------------------------------------------------------------------------------


def _line(seed: int, failures: int, pvalue: float) -> dict:
    counts = {"a test": (10, failures, 0.05)}
    return {
        "part": "x",
        "seed": seed,
        "counts": counts,
        "pvalues": {"t, p uniform": [pvalue], "t, p at most": [pvalue]},
    }


def test_right_rates_and_uniform_p_values_pass():
    rng = np.random.default_rng(0)
    lines = [_line(k, int(rng.binomial(10, 0.05)), float(rng.random())) for k in range(200)]
    record = calibration.summary(lines)
    assert record["counts"]["a test"]["trials"] == 2000
    assert record["uniform"]["t, p uniform"]["n"] == 200
    assert calibration.passes(record)


@pytest.mark.control
@pytest.mark.parametrize("wrong", ["rate", "small p-values", "large p-values"])
def test_wrong_rates_and_p_values_are_noticed(wrong):
    """A rate of 0.08 for 0.05 in 2000 trials, and p-values whose square or root is uniform, in 200."""
    rng = np.random.default_rng(1)
    rate = 0.08 if wrong == "rate" else 0.05
    power = {"small p-values": 2.0, "large p-values": 0.5}.get(wrong, 1.0)
    lines = [_line(k, int(rng.binomial(10, rate)), float(rng.random() ** power)) for k in range(200)]
    record = calibration.summary(lines)
    assert not calibration.passes(record)
    one_sided = record["uniform"]["t, p at most"]["pvalue"]
    assert (one_sided < 1e-4) is (wrong == "small p-values")


def test_a_stopped_calibration_goes_on(tmp_path, capsys):
    journal, out = tmp_path / "j.jsonl", tmp_path / "r.json"
    asked = ["--parts", "pairs", "--journal", str(journal)]
    assert calibration.main([*asked, "--seeds", "2"]) == 0
    first = journal.read_text()
    assert calibration.main([*asked, "--seeds", "4", "--out", str(out)]) == 0
    assert journal.read_text().startswith(first)
    assert len(journal.read_text().splitlines()) == 4
    record = json.loads(out.read_text())
    assert record["uniform"]["sign flips, drawn, p uniform"]["n"] == 4
    assert record["seeds"] == {"pairs": 4}
    assert calibration.main([*asked, "--seeds", "9", "--minutes", "0"]) == 0  # begins nothing
    assert len(journal.read_text().splitlines()) == 4
    assert "| sign flips, drawn, p uniform | 4 |" in capsys.readouterr().out


# --- faults -----------------------------------------------------------------------------------------------------------


def test_faults_do_no_harm(tmp_path):
    pytest.importorskip("torch")
    few = [
        "kill -9 of a run",
        "full disk",
        "read-only folder",
        "altered blocks",
        "two runs on one folder",
        "untrusted files",
    ]
    command = [
        sys.executable,
        "-m",
        "tests.trust.faults",
        "--kills",
        "2",
        "--out",
        str(tmp_path / "r.json"),
        "--faults",
        *few,
    ]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    record = json.loads((tmp_path / "r.json").read_text())
    assert list(record["faults"]) == few
    assert record["faults"]["untrusted files"]["refused by name"] > 100


def _forked(code: str) -> subprocess.CompletedProcess[str]:
    """Run code that forks in a process that has no other threads."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_commands_that_are_killed_succeed_without_a_kill(tmp_path):
    """They once named plots that did not exist, and nothing said which."""
    pytest.importorskip("torch")
    code = "import pathlib; from tests.trust import children, faults; "
    code += f"children.succeed(faults.verify_work(pathlib.Path({str(tmp_path)!r})), 'they fail')"
    done = _forked(code)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rates" / "law_distance.png").exists()
    assert (tmp_path / "figures" / "fig4.png").exists()


@pytest.mark.control
@pytest.mark.parametrize(
    ("work", "found"),
    [
        ("main(['rates', 'no such plot'])", "it fails: status 2: contraction: no plot is called 'no such plot'"),
        ("1 / 0", "ZeroDivisionError"),
        ("os.kill(os.getpid(), 9)", "it fails: status -9"),
    ],
)
def test_a_command_that_fails_says_why(work, found):
    code = "import os; from contraction.__main__ import main; from tests.trust.children import succeed; "
    done = _forked(f"{code}succeed(lambda: 0, 'this does not fail'); succeed(lambda: {work}, 'it fails')")
    assert done.returncode == 1
    assert found in done.stderr


@pytest.mark.control
def test_a_command_that_fails_before_its_kill_is_noticed():
    done = _forked("from tests.trust.children import kill_after; assert not kill_after(lambda: 0, 60)")
    assert done.returncode == 0, done.stderr
    done = _forked(
        "import time; from tests.trust.children import kill_after; assert kill_after(lambda: time.sleep(60), 0)"
    )
    assert done.returncode == 0, done.stderr
    done = _forked("from tests.trust.children import kill_after; kill_after(lambda: 3, 60)")
    assert "ended with status 3" in done.stderr


@pytest.mark.control
@pytest.mark.parametrize("name", ["1-2.npz", "experiment.json", "a.png", "a.svg"])
def test_half_written_files_are_noticed(tmp_path, name):
    pytest.importorskip("torch")
    from tests.trust.faults import unharmed

    (tmp_path / ".hidden.npz").write_bytes(b"PK")
    assert unharmed(tmp_path) == 0
    (tmp_path / name).write_bytes({"json": b"{", ".svg": b"<svg><g>"}.get(name[-4:], b"\x89PNG"))
    with pytest.raises(AssertionError, match="half written"):
        unharmed(tmp_path)


# --- workers ----------------------------------------------------------------------------------------------------------


class _Waiting(Executor):
    """Jobs end only when as many are in flight as there are workers."""

    def __init__(self, workers: list[int]) -> None:
        self.workers, self.flying, self.most = workers, [], 0

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        self.flying.append((future, fn, args))
        self.most = max(self.most, len(self.flying))
        if len(self.flying) >= self.workers[0]:
            for one, function, given in self.flying:
                one.set_result(function(*given))
            self.flying, self.workers[0] = [], 2  # a second worker joins
        return future


def test_a_worker_that_joins_late_gets_jobs():
    pytest.importorskip("torch")
    from nn_experiments.runs import executors

    workers = [1]
    executor = _Waiting(workers)
    found = executors.run_all(lambda: executor, abs, [1, -2, 3, -4, 5], at_once=lambda: workers[0])
    assert sorted(result for _, result in found) == [1, 2, 3, 4, 5]
    assert executor.most == 2


def test_the_model_of_cost_agrees_with_what_was_measured():
    """Each whole run from the other's factor, within 10 %; the longest chain bounds the time on many cards."""
    from tests.trust.scaling import MEASURED, Model, backward_maps

    model = Model()
    assert backward_maps(2000, 20) == 101_000
    factors = [model.factor(*one) for one in MEASURED]
    for (network, N, every, chains, seconds), other in zip(MEASURED, reversed(factors), strict=True):
        guess = backward_maps(N, every) * model.times[network, chains] * other
        assert abs(guess / seconds - 1) < 0.1
    many = model.seconds("resnet50", 25_000, 100, 5, 10**6, 16, 1.0)
    assert many == pytest.approx(25_000 * 16 * model.times["resnet50", 16])
    assert model.seconds("resnet50", 25_000, 100, 5, 2, 16, 1.0) == pytest.approx(
        model.seconds("resnet50", 25_000, 100, 5, 1, 16, 1.0) / 2
    )
