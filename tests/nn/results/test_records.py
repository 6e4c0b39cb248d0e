"""A file of record is not replaced by less than it holds, unless that is asked for."""

from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pytest

from nn_experiments import load
from nn_experiments.cli import main
from nn_experiments.results.records import joined, missing_after
from tests.nn.synthetic_results import write_synthetic

ORDERS = ("forward", "backward", "polyak")


def _runs(out, **changes):
    write_synthetic(out, "fig4", **{"steps": 40, "seeds": (0, 1), "orders": ORDERS} | changes)
    return out


def _record(runs, into, *words):
    return main(["record", "fig4", "--out", str(runs), "--results", str(into), *words])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seeds": (1,)}, "seeds 0."),
        ({"orders": ("backward", "polyak")}, "orders forward."),
        ({"every": 2}, "20 iterates of newest_batch_loss, seed 0, forward (1 to 39)"),
        ({"steps": 38}, "2 iterates of newest_batch_loss, seed 0, forward (39 to 40)"),
        ({"diagnostics_every": 40}, "1 iterate of function_coupling, seed 0, forward (20)"),
        ({"identity": "other"}, "all of it: it has identity synthetic0 (other settings), the new results other."),
    ],
)
def test_what_would_be_lost_is_named_and_kept(tmp_path, capsys, changes, named):
    path = tmp_path / "results" / "regression-square.npz"
    assert _record(_runs(tmp_path / "whole"), path.parent) == 0
    before = path.read_bytes()
    less = _runs(tmp_path / "less", **changes)
    capsys.readouterr()
    assert _record(less, path.parent) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {path} would lose ")
    assert named in err
    assert "--replace" in err
    assert path.read_bytes() == before
    assert _record(less, path.parent, "--replace") == 0
    assert load(path).seeds == load("fig4", out=less).seeds
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    "more", [{}, {"seeds": (0, 1, 2)}, {"orders": (*ORDERS, "ema-0.99")}, {"steps": 60}, {"diagnostics_every": 10}]
)
def test_as_much_or_more_is_written(tmp_path, more):
    """A longer run has other distances to its last iterate, which are no loss."""
    assert _record(_runs(tmp_path / "whole"), tmp_path) == 0
    assert _record(_runs(tmp_path / "more", **more), tmp_path) == 0
    there, new = load(tmp_path / "regression-square.npz"), load("fig4", out=tmp_path / "more")
    assert (there.seeds, there.orders, len(there.iterates)) == (new.seeds, new.orders, len(new.iterates))


def test_a_variant_is_guarded_by_itself(tmp_path):
    """What another file of the same experiment holds is no hindrance."""
    assert _record(_runs(tmp_path / "whole"), tmp_path) == 0
    less = _runs(tmp_path / "less", seeds=(1,))
    assert _record(less, tmp_path, "--tag", "one") == 0
    assert _record(_runs(tmp_path / "least", seeds=(1,), every=2), tmp_path, "--tag", "one") == 2


def test_a_broken_file_is_replaced_only_if_asked(tmp_path, capsys):
    path = tmp_path / "regression-square.npz"
    path.write_bytes(b"no file of results")
    runs = _runs(tmp_path / "runs")
    assert _record(runs, tmp_path) == 2
    assert "is not a file of results" in capsys.readouterr().err
    assert _record(runs, tmp_path, "--replace") == 0
    assert load(path).seeds == (0, 1)


def test_a_metric_and_a_value_that_are_not_there(tmp_path):
    """A column that nothing was recorded in is no loss; NaN that was recorded is one."""
    whole = load("fig4", out=_runs(tmp_path))
    part = whole.select(metrics=["train_loss"])
    gone = sorted(set(whole.metrics) - {"train_loss"})
    assert missing_after(whole, part) == [f"metrics {', '.join(gone)}"]
    assert missing_after(part, whole) == missing_after(whole, whole) == []
    nowhere = {name: np.zeros_like(mask) for name, mask in whole.recorded.items()}
    empty = dataclasses.replace(whole, recorded=nowhere | {"train_loss": whole.recorded["train_loss"]})
    assert missing_after(empty, part) == []
    diverged = dataclasses.replace(part, metrics={"train_loss": np.full_like(part["train_loss"], np.nan)})
    nothing = dataclasses.replace(part, recorded={"train_loss": part.recorded["train_loss"] & (part.iterates < 40)})
    assert missing_after(diverged, nothing)[0] == "1 iterate of train_loss, seed 0, forward (40)"
    assert missing_after(diverged, nothing)[3] == "iterates of 3 more curves"


def test_distances_to_another_last_iterate_are_no_loss(tmp_path):
    """A longer run has them to its own end only; those to the same end are kept like all else."""
    whole = load("fig4", out=_runs(tmp_path))
    name = "parameter_to_last"
    without = dataclasses.replace(whole, recorded=whole.recorded | {name: np.zeros_like(whole.recorded[name])})
    assert missing_after(whole, without) == [f"metrics {name}"]
    assert missing_after(whole, dataclasses.replace(without, experiment=whole.experiment | {"to_last": 60})) == []


def _equal(one, two):
    assert (one.seeds, one.orders, one.metrics.keys()) == (two.seeds, two.orders, two.metrics.keys())
    assert np.array_equal(one.iterates, two.iterates)
    for name, values in one.metrics.items():
        assert np.array_equal(one.recorded[name], two.recorded[name]), name
        assert np.array_equal(values.astype("f4"), two[name].astype("f4"), equal_nan=True), name


@pytest.mark.parametrize(
    "parts",
    [
        ({"seeds": (1,)}, {"seeds": (0,)}),
        ({"seeds": (0,)}, {"seeds": (0, 1)}),
        ({"orders": ORDERS[:1]}, {"orders": ORDERS[1:]}),
        ({"every": 20, "seeds": (1,)}, {"seeds": (0, 1)}),
        ({"diagnostics_every": 40, "seeds": (1,), "orders": ORDERS[:2]}, {}),
    ],
)
def test_results_that_are_added_in_parts_are_those_of_the_whole(tmp_path, parts):
    whole = load("fig4", out=_runs(tmp_path / "whole"))
    results = tmp_path / "results"
    for k, part in enumerate(parts):
        assert _record(_runs(tmp_path / f"part{k}", **part), results, "--add") == 0
    together = load(results / "regression-square.npz")
    _equal(together, whole)
    assert together.experiment["identity"] == whole.experiment["identity"]


def test_values_that_both_have_are_kept_and_counted(tmp_path, capsys):
    assert _record(_runs(tmp_path / "whole"), tmp_path) == 0
    path = tmp_path / "regression-square.npz"
    there, new = load(path), load("fig4", out=tmp_path / "whole")
    assert joined(there, new)[1] == 0  # the file is in float32
    new["train_loss"][1, 0, 3:5] += 1
    new["test_loss"][0, 2, 7] = np.nan
    both, differing = joined(there, new)
    assert differing == 3
    _equal(both, there)
    assert joined(new, there)[0]["train_loss"][1, 0, 3] == new["train_loss"][1, 0, 3]  # control: the first is kept
    for seed in (0, 1):
        write_synthetic(
            tmp_path / "again", "fig4", steps=40, seeds=(seed,), orders=ORDERS, diverges_at={(1, "forward"): 9}
        )
    capsys.readouterr()
    assert _record(tmp_path / "again", tmp_path, "--add") == 0
    assert f"values differ from those of {path}, which were kept" in capsys.readouterr().out
    _equal(load(path), there)


def test_other_settings_and_other_ends_are_not_joined(tmp_path, capsys):
    assert _record(_runs(tmp_path / "whole"), tmp_path) == 0
    before = (tmp_path / "regression-square.npz").read_bytes()
    for name, changes, why in (
        ("other", {"identity": "other"}, "results of other settings cannot be joined"),
        (
            "longer",
            {"steps": 60},
            "distances to the last iterate cannot be joined: it is 40 in one and 60 in the other",
        ),
    ):
        capsys.readouterr()
        assert _record(_runs(tmp_path / name, **changes), tmp_path, "--add") == 2
        assert why in capsys.readouterr().err
    assert (tmp_path / "regression-square.npz").read_bytes() == before
    with pytest.raises(SystemExit):
        _record(tmp_path / "whole", tmp_path, "--add", "--replace")


def test_no_record_is_written_beside_runs_that_it_would_hide(tmp_path, capsys):
    """`load` reads a folder's records and not its runs, so that later results of the runs would not be seen."""
    runs = _runs(tmp_path / "runs")
    assert _record(runs, runs) == 2
    assert f"{runs} holds runs of 'regression-square', and a record beside them" in capsys.readouterr().err
    assert not list(runs.glob("*.npz"))
    _runs(runs, seeds=(2,))
    assert load("regression-square", out=runs).seeds == (0, 1, 2)
    assert _record(runs, tmp_path / "results") == 0
    assert _record(tmp_path / "results", tmp_path / "results") == 0  # a folder of records holds no runs


def _changed(out, identity, **changes):
    """Write a run whose settings are the catalogue's but for these."""
    path = write_synthetic(out, "fig4", steps=40, seeds=(0,), orders=ORDERS, identity=identity) / "experiment.json"
    settings = json.loads(path.read_text())
    settings["experiment"] |= changes
    path.write_text(json.dumps(settings))
    return out


def test_other_settings_need_a_tag(tmp_path, capsys):
    """A record without a tag is read as that of the catalogue's settings."""
    runs, into = _changed(tmp_path / "runs", "aaa1", batch_size=3, notes={"any": "text"}), tmp_path / "results"
    for words in ((), ("--run-id", "aaa"), ("--add",), ("--replace",)):
        assert _record(runs, into, *words) == 2
        said = capsys.readouterr().err
        assert "run aaa1 has others: batch_size = 3. Give these a name with --tag" in said
        assert "or choose another run with --run-id" in said
        assert said.splitlines()[1].startswith("  aaa1 (last written ")
        assert not into.exists()
    assert _record(runs, into, "--tag", "three") == 0
    _runs(runs, identity="bbb2")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert _record(runs, into) == 0
    assert "the one with the catalogue's settings is used" in capsys.readouterr().err
    assert load("fig4", out=into).orders == ORDERS
    assert {path.name for path in into.iterdir()} == {"regression-square.npz", "regression-square--three.npz"}


def test_of_two_runs_with_other_settings_one_must_be_chosen(tmp_path, capsys):
    runs, into = _changed(tmp_path / "runs", "aaa1", batch_size=3), tmp_path / "results"
    _changed(runs, "bbb2", batch_size=5)
    assert _record(runs, into, "--tag", "other") == 2
    assert "choose one by run_id= (on the command line --run-id)" in capsys.readouterr().err
    assert _record(runs, into, "--tag", "other", "--run-id", "bbb") == 0
    assert {path.name for path in into.iterdir()} == {"regression-square--other.npz"}
    before = (into / "regression-square--other.npz").read_bytes()
    assert _record(runs, into, "--tag", "other", "--run-id", "aaa") == 2  # as many results, of other settings
    said = capsys.readouterr().err
    assert "it has identity bbb2 (other settings), the new results aaa1" in said
    assert "Nothing was written: choose another --tag, or the run of the file with --run-id, and --replace" in said
    assert "--add" not in said
    assert (into / "regression-square--other.npz").read_bytes() == before
    assert _record(runs, into, "--tag", "other", "--run-id", "bbb") == 0
    assert _record(runs, into, "--tag", "other", "--run-id", "aaa", "--replace") == 0
    assert load(into / "regression-square--other.npz").experiment["identity"] == "aaa1"


@pytest.mark.control
def test_notes_and_settings_that_one_side_alone_names_are_no_other_settings(tmp_path):
    """Another version of this package may know a setting that this one does not."""
    runs = _changed(tmp_path / "runs", "aaa1", later=1, notes={"any": "text"})
    path = runs / "aaa1" / "experiment.json"
    settings = json.loads(path.read_text())
    del settings["experiment"]["batch_size"]
    path.write_text(json.dumps(settings))
    assert _record(runs, tmp_path / "results") == 0


def test_a_record_of_other_settings_that_has_no_tag_already_goes_on(tmp_path):
    runs, into = _changed(tmp_path / "runs", "aaa1", batch_size=3), tmp_path / "results"
    load("fig4", out=runs).select(orders=["forward"]).save(into / "regression-square.npz")
    assert _record(runs, into) == 0
    assert load("fig4", out=into).orders == ORDERS
    other = _changed(tmp_path / "others", "ccc3", batch_size=4)
    assert _record(other, into, "--replace") == 2
    assert load("fig4", out=into).experiment["identity"] == "aaa1"
