"""Runs as on a GPU, on a CPU: the device "cpu:0" takes every turn that a card takes, but computes here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from nn_experiments.engine.ensemble import graphs, wavefront  # noqa: E402
from nn_experiments.engine.ensemble.wavefront import TOGETHER, Ensemble  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.results import blocks  # noqa: E402
from nn_experiments.runs import job as jobs  # noqa: E402
from nn_experiments.runs import run as runs  # noqa: E402
from nn_experiments.runs.request import Prices, Request  # noqa: E402
from nn_experiments.runs.run import Options, run  # noqa: E402
from nn_experiments.runs.setup import ExperimentProblem  # noqa: E402

SMALL = EXPERIMENTS["regression-square"].override({"model": "mlp-2x12", "dtype": "float64"})
REQUEST = Request(
    experiment=SMALL, seeds=(0,), orders=("forward", "backward", "late-10"), steps=24, diagnostics_every=8
)
CARD = "cpu:0"


def options(out: Path, **more) -> Options:
    return Options(**({"out": out, "workers": 0, "device": CARD} | more))


def pins(root: Path) -> dict:
    return json.loads((root / blocks.TUNING_FILE).read_text())["cpu"]


def metas(root: Path) -> list[dict]:
    return [blocks.read_block(path).meta for path in sorted(root.glob("0/backward/*.npz"))]


def test_the_numbers_are_those_of_the_chain_engine(tmp_path: Path, monkeypatch) -> None:
    """In float64 to 1e-9; what was chosen is in the blocks and beside them, and holds when the run goes on."""
    first = run(REQUEST, options(tmp_path / "card", time_limit=0.0))  # nothing, but what is chosen before
    assert (first.made, pins(first.root)["chunk"]) == (
        0,
        wavefront.fitting(None, {"parameters": {"": torch.ones(1)}}, 0),
    )
    chosen = pins(first.root)
    assert chosen["together"] in (1, TOGETHER)
    (first.root / blocks.TUNING_FILE).write_text(json.dumps({"cpu": chosen | {"chunk": 5, "together": 3}}))
    together = []

    def measured(*arguments, **options):
        together.append(options["together"])
        return true(*arguments, **options)

    true = jobs.measure_path
    monkeypatch.setattr(jobs, "measure_path", measured)
    there = run(REQUEST, options(tmp_path / "card"))
    assert there.missing == 0
    assert set(together) == {3}
    assert (pins(there.root)["chunk"], {meta["chunk"] for meta in metas(there.root)}) == (5, {5})
    assert {meta["kernel"] for meta in metas(there.root)} == {"ensemble"}
    here = run(REQUEST, options(tmp_path / "chains", device="cpu"))
    one, other = nne.load(there.root), nne.load(here.root)
    assert one.orders == other.orders
    for name in other.metrics:
        assert np.allclose(one[name], other[name], rtol=1e-9, atol=1e-12, equal_nan=True), name
    assert not all(np.array_equal(one[name], other[name], equal_nan=True) for name in other.metrics)


def test_a_chunk_that_did_not_fit_is_not_tried_again(tmp_path: Path, monkeypatch, capsys) -> None:
    true, true_tune = graphs.sweep, runs.Runner.tune

    def scarce(form, step, batches, state, now, wide):
        if now.live > 3 and max(now.positions) > 10:  # later than the rehearsal sees
            raise torch.OutOfMemoryError("injected")
        true(form, step, batches, state, now, wide)

    root = run(REQUEST, options(tmp_path, time_limit=0.0)).root
    (root / blocks.TUNING_FILE).write_text(json.dumps({"cpu": pins(root) | {"chunk": 6}}))
    monkeypatch.setattr(graphs, "sweep", scarce)
    # pieces of twelve iterates, whatever they are said to cost
    monkeypatch.setattr(runs.Runner, "tune", lambda self: (true_tune(self), Prices(1.0, 0.0, 160.0))[1])
    outcome = run(replace(REQUEST, orders=("backward",), diagnostics_every=0), options(tmp_path))
    assert outcome.missing == 0
    assert pins(root)["chunk"] == 3
    halved = [meta.get("halved") for meta in metas(root)]
    assert halved.count([6]) == 1
    assert halved.count(None) == len(halved) - 1 > 0
    assert capsys.readouterr().err.count("out of memory") == 1


def test_blocks_fit_into_the_time_there_is(tmp_path: Path) -> None:
    def seconds(chunk: int = 10, **more) -> float:
        runner = runs.Runner(
            ExperimentProblem(SMALL, device=more.get("device", CARD)), REQUEST.grid, options(tmp_path, **more)
        )
        runner.ensemble = Ensemble(chunk=chunk)
        return runner._block_seconds(2.0)

    assert seconds() == 10 * 24 * 2  # a whole chunk of the longest chains
    assert seconds(time_limit=600.0) == 120
    assert seconds(time_limit=10.0) == 15  # no less than asked for
    assert seconds(chunk=1000) == 25 * 24 * 2  # all there are
    assert seconds(device="cpu") == 15


def test_what_would_not_end_in_time_is_not_begun(tmp_path: Path, monkeypatch) -> None:
    begun = []

    def long(job):
        begun.append(job)
        now[0] += 10.0
        return runs_job(job)

    runs_job, now = runs.run_job, [0.0]
    monkeypatch.setattr(runs.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(runs, "run_job", long)
    monkeypatch.setattr(runs.Runner, "tune", lambda _: Prices(0.2, 0.0, 20.0))
    outcome = run(replace(REQUEST, orders=("backward",), diagnostics_every=0), options(tmp_path, time_limit=11.0))
    # one second is left, blocks take about twenty, but that of iterate 0, which takes none
    assert ([job.at for job in begun[1:]], outcome.made) == ([(0,)], 2)
    assert begun[0].at != (0,)
    assert outcome.missing > 0


def test_one_process_a_card(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(ValueError, match="a GPU is used by one process, got workers=2 on cpu:0"):
        run(REQUEST, options(tmp_path, workers=2))
    monkeypatch.setattr(runs.executors, "process_executor", None)  # not even one beside this
    assert run(replace(REQUEST, steps=2, diagnostics_every=0), options(tmp_path, workers=1)).missing == 0
