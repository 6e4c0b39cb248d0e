"""Folders of runs: blocks become one array per metric, and runs are listed and told apart (with blocks by hand)."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import numpy as np
import pytest

from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.results import blocks
from nn_experiments.results.blocks import Block
from nn_experiments.results.load import load
from nn_experiments.results.records import check_beside_runs
from nn_experiments.results.run_folders import (
    describe_runs,
    last_written,
    load_run,
    names_of,
    run_rows,
    runs_of,
    unreadable_runs,
)

USUAL = EXPERIMENTS["regression-square"]


def settings(root: Path, experiment: dict | None = None, **decides: object) -> Path:
    about = USUAL.to_json() if experiment is None else experiment
    blocks.write_settings(root, {"identity": root.name, "experiment": about, "decides": decides, "data": {}})
    return root


def write(root: Path, seed: int, curve: str, at: list[int], kind: str = "curves", **values: list[float]) -> Path:
    arrays = {name: np.array(numbers) for name, numbers in values.items()}
    return blocks.write_block(root, seed, curve, Block(np.array(at), arrays, {"device": "cpu"}), kind=kind)


# --- one run --------------------------------------------------------------------------------------------------------


def test_distances_are_to_the_last_iterate_of_the_longest_run(tmp_path: Path) -> None:
    """Runs to 9, 20 and 100 left distances to their ends. As text, 9 would be the largest of the three."""
    root = settings(tmp_path / "run")
    for end, values in ((9, [1.0, 2.0]), (100, [3.0, 4.0]), (20, [5.0, 6.0])):
        named = {f"parameter_to_{end}": values, f"function_to_{end}": [10 * value for value in values]}
        write(root, 0, "forward", [0, end - 1], "diagnostics", **named)
    curves = load_run(root)
    assert curves.experiment["to_last"] == 100
    assert sorted(curves.metrics) == ["function_to_last", "parameter_to_last"]
    assert curves.iterates.tolist() == [0, 8, 19, 99]
    n, far = curves.path("parameter_to_last", seed=0, order="forward")
    assert (n.tolist(), far.tolist()) == ([0, 99], [3.0, 4.0])
    assert curves.path("function_to_last", seed=0, order="forward")[1].tolist() == [30.0, 40.0]


@pytest.mark.parametrize("kind", ["curves", "diagnostics"])
def test_a_truncated_block_is_named_and_not_left_out(tmp_path: Path, kind: str) -> None:
    """Read as if it had never been computed, half of a run would be packed into a record as the whole."""
    root = settings(tmp_path / "run")
    write(root, 0, "forward", [0, 1], test_loss=[1.0, 2.0])
    path = write(root, 0, "forward", [2, 3], kind, newest_batch_loss=[3.0, 4.0])
    assert load_run(root).iterates.tolist() == [0, 1, 2, 3]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(blocks.BrokenBlock, match=r"is not a whole block .*; delete it and run again"):
        load_run(root)
    assert [block.iterate.tolist() for block in blocks.blocks(root, 0, "forward", kind=kind)] == (
        [[0, 1]] if kind == "curves" else []
    )  # a run that goes on computes it again


def test_a_run_that_cannot_be_read_is_listed_beside_the_others(tmp_path: Path) -> None:
    write(settings(tmp_path / "good"), 0, "forward", [0], test_loss=[1.0])
    write(settings(tmp_path / "half"), 3, "backward", [0], test_loss=[1.0])
    (tmp_path / "half" / "experiment.json").write_text('{"decides": {')
    rows = {line.split()[3]: line for line in list(run_rows(tmp_path))[1:]}
    assert rows["good"].split()[2:] == [USUAL.name, "good", "0;", "forward"]
    assert rows["half"].split()[2:] == ["(unreadable)", "half", "3;", "backward"]


def test_a_run_without_distances_has_no_last_iterate(tmp_path: Path) -> None:
    root = settings(tmp_path / "run")
    write(root, 0, "forward", [0], test_loss=[1.0])
    assert "to_last" not in load_run(root).experiment
    assert sorted(load_run(root).metrics) == ["test_loss"]


def test_blocks_are_put_where_their_seed_curve_and_iterates_are(tmp_path: Path) -> None:
    """Seeds are sorted as numbers, and curves in the order of the page; what no block has was not recorded."""
    root = settings(tmp_path / "run")
    write(root, 10, "backward", [1, 3], test_loss=[1.5, 3.5])
    write(root, 2, "forward", [3], test_loss=[np.nan], train_loss=[7.0])
    write(root, 2, "forward", [0, 2], "diagnostics", parameter_norm=[8.0, 9.0])
    (root / "notes" / "forward").mkdir(parents=True)  # not a seed
    curves = load_run(root)
    assert (curves.seeds, curves.orders, curves.iterates.tolist()) == ((2, 10), ("forward", "backward"), [0, 1, 2, 3])
    recorded = {name: np.argwhere(mask).tolist() for name, mask in curves.recorded.items()}
    assert recorded == {
        "test_loss": [[0, 0, 3], [1, 1, 1], [1, 1, 3]],
        "train_loss": [[0, 0, 3]],
        "parameter_norm": [[0, 0, 0], [0, 0, 2]],
    }
    assert curves["test_loss"][1, 1, [1, 3]].tolist() == [1.5, 3.5]
    assert curves["parameter_norm"][0, 0, [0, 2]].tolist() == [8.0, 9.0]
    for name, values in curves.metrics.items():
        assert np.isnan(values[~curves.recorded[name]]).all()
    assert curves.provenance == [{"device": "cpu", "blocks": 3}]


def test_makers_are_told_apart_by_all_but_their_seconds(tmp_path: Path) -> None:
    root = settings(tmp_path / "run")
    for n, (device, seconds) in enumerate((("cpu", 1.0), ("cuda", 2.0), ("cpu", 3.0))):
        block = Block(np.array([n]), {"test_loss": np.zeros(1)}, {"device": device, "seconds": seconds})
        blocks.write_block(root, 0, "forward", block)
    assert load_run(root).provenance == [{"device": "cpu", "blocks": 2}, {"device": "cuda", "blocks": 1}]
    for n, meta in ((3, {"device": "cpu", "kernel": "mlp"}), (4, {"kernel": "mlp", "device": "cpu"})):  # in any order
        blocks.write_block(root, 0, "forward", Block(np.array([n]), {"test_loss": np.zeros(1)}, meta))
    assert load_run(root).provenance[0] == {"device": "cpu", "kernel": "mlp", "blocks": 2}


def test_losses_of_a_shared_piece_are_those_of_the_other_curve(tmp_path: Path) -> None:
    """A path reset at 2 is the backward path up to there. Losses and accuracies are taken over, and nothing else."""
    root = settings(tmp_path / "run")
    at = [1, 2, 3]
    same = {"test_loss": [1.0, 2.0, 3.0], "test_accuracy": [0.1, 0.2, 0.3], "alignment": [5.0, 5.0, 5.0]}
    write(root, 0, "backward", at, **same)
    write(root, 0, "reset-2", [3], test_loss=[30.0], test_accuracy=[0.9], alignment=[6.0])
    curves = load_run(root)
    reset = curves.orders.index("reset-2")
    assert curves["test_loss"][0, reset].tolist() == [1.0, 2.0, 30.0]
    assert curves["test_accuracy"][0, reset].tolist() == [0.1, 0.2, 0.9]
    assert curves.recorded["test_loss"][0, reset].all()
    assert curves.recorded["alignment"][0, reset].tolist() == [False, False, True]
    assert curves["test_loss"][0, curves.orders.index("backward")].tolist() == [1.0, 2.0, 3.0]


def test_a_run_without_blocks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no finished block yet"):
        load_run(settings(tmp_path / "run"))


# --- several runs ---------------------------------------------------------------------------------------------------


def test_runs_with_the_settings_of_the_catalogue_come_first(tmp_path: Path) -> None:
    """Notes are no settings. Runs of other experiments are left out; a name beyond the catalogue is one of its own."""
    usual = USUAL.to_json()
    settings(tmp_path / "a", usual | {"batch_size": usual["batch_size"] + 1})
    settings(tmp_path / "b", usual | {"notes": {"any": "text"}})
    settings(tmp_path / "c", usual | {"optimizer": usual["optimizer"] | {"learning_rate": 0.123}})
    settings(tmp_path / "d")
    settings(tmp_path / "e", EXPERIMENTS["mlp-digits"].to_json())
    settings(tmp_path / "f", {"name": "own network"})
    settings(tmp_path / "g", {})
    assert [root.name for root in runs_of(USUAL.name, tmp_path)] == ["b", "d", "a", "c"]
    assert [root.name for root in runs_of("own network", tmp_path)] == ["f"]
    assert names_of(tmp_path) == ["mlp-digits", "own network", USUAL.name]


BROKEN = '{"decides": {'


def test_one_run_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    """It is named: it may be another run of the same experiment."""
    write(settings(tmp_path / "good"), 0, "forward", [0, 1], test_loss=[1.0, 2.0])
    path = tmp_path / "half" / "experiment.json"
    path.parent.mkdir()
    path.write_text(BROKEN)
    said = r"^the run in .*half is left out: .*half.experiment\.json is not whole JSON: .*; delete this file, and"
    for words in ({}, {"run_id": "g"}):
        with pytest.warns(UserWarning, match=said) if not words else contextlib.nullcontext():
            assert load("fig4", out=tmp_path, **words)["test_loss"].tolist() == [[[1.0, 2.0]]]
    assert names_of(tmp_path) == [USUAL.name]
    assert list(unreadable_runs(tmp_path)) == [path.parent]


@pytest.mark.parametrize(("name", "words"), [("fig5", {}), ("own", {}), ("fig4", {"run_id": "h"})], ids=str)
def test_a_run_that_cannot_be_read_is_the_reason_where_no_other_fits(tmp_path: Path, name: str, words: dict) -> None:
    write(settings(tmp_path / "good"), 0, "forward", [0, 1], test_loss=[1.0, 2.0])
    path = tmp_path / "half" / "experiment.json"
    path.parent.mkdir()
    path.write_text(BROKEN)
    with pytest.raises(ValueError, match=r"half.experiment\.json is not whole JSON"):
        load(name, out=tmp_path, **words)
    path.unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=r"no results of|there is no figure|no run of"):
        load(name, out=tmp_path, **words)


def test_settings_of_any_kind_are_described(tmp_path: Path) -> None:
    """A file of someone else's stops nobody: the run ID is the name of its folder, and an optimizer may be a text."""
    roots = [settings(tmp_path / "a"), settings(tmp_path / "b", {"name": USUAL.name, "optimizer": "none"})]
    assert "optimizer = none" in describe_runs(roots)
    path = tmp_path / "c" / "experiment.json"
    write(path.parent, 0, "forward", [0, 1], test_loss=[1.0, 2.0])
    path.write_text('{"decides": {}}')
    assert load_run(path.parent).experiment == {"identity": "c", "experiment": {}, "decides": {}}


def test_no_record_is_written_beside_a_run_that_cannot_be_read(tmp_path: Path) -> None:
    check_beside_runs(tmp_path / f"{USUAL.name}.npz", USUAL.name)
    path = tmp_path / "half" / "experiment.json"
    path.parent.mkdir()
    path.write_text(BROKEN)
    with pytest.raises(ValueError, match="is not whole JSON"):
        check_beside_runs(tmp_path / f"{USUAL.name}.npz", USUAL.name)


def stamped(path: Path, second: int) -> None:
    os.utime(path, (second, second))


def test_the_last_block_tells_when_a_run_was_written(tmp_path: Path) -> None:
    """The modification time is that of the newest block, or of the settings file while no block exists."""
    root = settings(tmp_path / "run")
    stamped(root / "experiment.json", 10 * 86_400)
    begun = last_written(root)
    assert re.fullmatch(r"1970-01-1[01] \d\d:\d\d", begun)
    for k, day in enumerate((3, 5, 4)):
        stamped(write(root, 0, "forward", [k], test_loss=[1.0]), day * 86_400)
    assert int(begun[8:10]) - int(last_written(root)[8:10]) == 5
    assert begun[10:] == last_written(root)[10:]


def test_a_folder_is_listed_with_its_latest_run_first(tmp_path: Path) -> None:
    one, two, three = (settings(tmp_path / name) for name in ("one", "two", "three"))
    for root, seed, curve, day in (
        (one, 10, "backward", 4),
        (one, 2, "forward", 3),
        (one, 2, "backward", 3),
        (two, 0, "polyak", 5),
    ):
        stamped(write(root, seed, curve, [1], test_loss=[1.0]), day * 86_400)
    stamped(three / "experiment.json", 86_400)
    heading, *rows = run_rows(tmp_path)
    columns = [[row[:18].strip(), row[18:40].strip(), row[40:58].strip(), row[58:]] for row in (heading, *rows)]
    assert columns == [
        ["last written", "experiment", "run ID", "seeds; curves"],
        [last_written(two), USUAL.name, "two", "0; polyak"],
        [last_written(one), USUAL.name, "one", "2, 10; forward, backward"],
        [last_written(three), USUAL.name, "three", "no finished block yet"],
    ]
    with pytest.raises(FileNotFoundError, match="holds no runs"):
        next(run_rows(tmp_path / "none"))


def test_runs_are_described_by_what_differs(tmp_path: Path) -> None:
    """Also by what only one of them has; names and notes do not count."""
    usual = USUAL.to_json()
    roots = [
        settings(tmp_path / "a", usual | {"batch_size": 4, "notes": {"any": "text"}}, precision="double"),
        settings(tmp_path / "b", usual | {"batch_size": 8, "name": "other"}, precision="double"),
        settings(tmp_path / "c", usual | {"batch_size": 8}, precision="double", more=1),
    ]
    write(roots[1], 0, "forward", [1], test_loss=[1.0])

    def described(*chosen: Path) -> list[str]:
        return [re.sub(r"last written [-\d: ]+", "…", line) for line in describe_runs(chosen).splitlines()]

    assert described(*roots) == [
        "  a (…): batch_size = 4, more = None, no finished block yet",
        "  b (…): batch_size = 8, more = None",
        "  c (…): batch_size = 8, more = 1, no finished block yet",
    ]
    assert described(*roots[:2]) == [
        "  a (…): batch_size = 4, no finished block yet",
        "  b (…): batch_size = 8",
    ]
    assert described(roots[1]) == ["  b (…): the same settings"]


def test_of_several_runs_the_one_with_the_catalogues_settings_is_used_and_the_others_are_named(tmp_path: Path) -> None:
    usual = USUAL.to_json()
    for name, about, value in (("a", {"batch_size": 4}, 1.0), ("b", {"notes": {"any": "text"}}, 2.0)):
        root = settings(tmp_path / name, usual | about, batches={"digest": name})
        write(root, 0, "forward", [0, 1], test_loss=[value, value])
    with pytest.warns(UserWarning, match="the one with the catalogue's settings is used, others by run_id=") as seen:
        curves = load(USUAL.name, out=tmp_path)
    assert curves["test_loss"].tolist() == [[[2.0, 2.0]]]
    rows = [re.sub(r" \(last written [-\d: ]+\)", "", row) for row in str(seen[0].message).splitlines()[1:]]
    assert rows == [f"  b: the catalogue's settings, batch_size = {usual['batch_size']}", "  a: batch_size = 4"]
    assert load(USUAL.name, out=tmp_path, run_id="a")["test_loss"].tolist() == [[[1.0, 1.0]]]


@pytest.mark.parametrize(
    "changes", [({}, {}, {"batch_size": 4}), ({"batch_size": 3}, {"batch_size": 4})], ids=["2", "0"]
)
def test_no_run_is_chosen_where_not_exactly_one_has_the_catalogues_settings(tmp_path: Path, changes: tuple) -> None:
    """Two may have the same settings and other data."""
    for k, change in enumerate(changes):
        root = settings(tmp_path / f"run{k}", USUAL.to_json() | change, fingerprint=f"data {k}")
        write(root, 0, "forward", [0, 1], test_loss=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"several runs of .* choose one by run_id=.*\n.*fingerprint = data 0"):
        load(USUAL.name, out=tmp_path)
