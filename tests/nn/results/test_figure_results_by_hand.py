"""Which results a figure is drawn from: what is complete enough, which folder has most, and under which tags."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn_experiments.paper import catalogue
from nn_experiments.results import figure_results
from nn_experiments.results.curves import Curves
from nn_experiments.results.figure_results import FigureResults, find_results, load_figure

FIGURE = dataclasses.replace(
    catalogue.FIGURES["fig4"],
    steps=10,
    seeds=(0, 1),
    compared_at=(10,),
    baselines=("polyak",),
    metrics=("test_loss", "train_loss"),
    at_least=6,
)
ALL = ("forward", "backward", "polyak")


def curves(
    at: list[int] | None = None,
    seeds: tuple[int, ...] = (0, 1),
    orders: tuple[str, ...] = ALL,
    metric: str = "test_loss",
) -> Curves:
    """Return results that have one metric everywhere, and another one nowhere."""
    iterates = np.array([0, 3, 6] if at is None else at)
    shape = len(seeds), len(orders), len(iterates)
    metrics = {metric: np.ones(shape), "gradient_norm": np.ones(shape)}
    recorded = {metric: np.ones(shape, bool), "gradient_norm": np.zeros(shape, bool)}
    return Curves(seeds, orders, iterates, metrics, recorded, {"identity": "a", "experiment": {}, "decides": {}})


def without(one: Curves, seed: int, order: str, n: int) -> Curves:
    """Return results in which one number was not recorded."""
    mask = one.recorded["test_loss"].copy()
    mask[one.seeds.index(seed), one.orders.index(order), one.iterates.tolist().index(n)] = False
    return dataclasses.replace(one, recorded={**one.recorded, "test_loss": mask})


def found(monkeypatch: pytest.MonkeyPatch, folders: dict[str, list[tuple[Curves, str]]]) -> list[FigureResults]:
    """Return what is found for the figure alone, where each folder has some results with their tags."""
    monkeypatch.setattr(catalogue, "FIGURES", {FIGURE.name: FIGURE})
    monkeypatch.setattr(figure_results, "_every_setting", lambda entry, folder, unreadable: folders[folder.name])
    return find_results([Path(name) for name in folders])


# --- what is complete enough -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "complete"),
    [
        (curves(), True),
        (curves([0, 6]), False),  # two iterates are no path
        (curves([0, 1, 5]), False),  # it ends before the least step
        (curves([4, 5, 6]), True),
        (curves(orders=("backward", "forward")), True),  # baselines are not compared
        (curves(orders=("forward", "polyak")), False),
        (curves(metric="train_loss"), False),  # the first metric alone counts
        (without(curves(), 1, "backward", 6), False),
        (without(curves([0, 3, 6, 9]), 1, "backward", 9), True),
        (without(curves([0, 3, 6, 9]), 0, "forward", 3), True),
        (without(curves(), 0, "forward", 3), False),
        (without(curves(), 0, "polyak", 6), True),
        (without(curves(seeds=(0, 5)), 5, "forward", 6), True),  # another seed than the figure's
        (without(curves(seeds=(5, 7)), 7, "forward", 6), False),  # none of the figure's, so that all count
    ],
)
def test_every_seed_and_compared_order_has_three_iterates_that_reach_far_enough(
    results: Curves, complete: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(found(monkeypatch, {"a": [(results, "")]})) == int(complete)


def test_a_figure_has_its_own_seeds_and_curves_in_its_own_order(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = curves(seeds=(0, 1, 2), orders=("ema-0.99", "polyak", "backward", "forward"))
    (one,) = found(monkeypatch, {"a": [(whole, "tag")]})
    assert (one.curves.seeds, one.curves.orders) == ((0, 1), ALL)
    assert (one.entry, one.folder, one.others, one.tag) == (FIGURE, Path("a"), (), "tag")
    (one,) = found(monkeypatch, {"a": [(curves(seeds=(4, 9)), "")]})
    assert one.curves.seeds == (4, 9)
    (one,) = found(monkeypatch, {"a": [(curves(seeds=(1, 9)), "")]})
    assert one.curves.seeds == (1,)


@pytest.mark.parametrize(
    ("orders", "compared"),
    [
        (("forward", "backward", "windowed-3"), ("forward", "backward")),
        (("large", "small", "regularised-1"), ("large", "small", "regularised-1")),
    ],
)
def test_two_orders_are_compared_or_all_steps_of_parts(orders: tuple[str, ...], compared: tuple[str, ...]) -> None:
    assert figure_results._compared(dataclasses.replace(FIGURE, orders=orders)) == compared


# --- which folder ----------------------------------------------------------------------------------------------------


def test_the_folder_with_most_values_under_the_compared_orders_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of those that have as many. Baselines do not count; of one folder's settings the largest counts."""
    few, more = curves(), curves([0, 3, 6, 9])
    (one,) = found(monkeypatch, {"a": [(few, "")], "b": [(more, "")], "c": [(more, "")]})
    assert (one.folder, one.others) == (Path("b"), (Path("a"), Path("c")))
    assert len(one.curves.iterates) == 4
    wide = curves(orders=("forward", "backward", "polyak"))
    narrow = curves(orders=("forward", "backward"))
    (one,) = found(monkeypatch, {"a": [(narrow, "")], "b": [(wide, "")]})
    assert (one.folder, one.others) == (Path("a"), (Path("b"),))
    several = found(
        monkeypatch, {"a": [(without(more, 0, "forward", 3), "")], "b": [(few, ""), (more, "x"), (few, "y")]}
    )
    assert [(one.folder, one.tag, len(one.curves.iterates)) for one in several] == [
        (Path("b"), "", 3),
        (Path("b"), "x", 4),
        (Path("b"), "y", 3),
    ]
    assert {one.others for one in several} == {(Path("a"),)}
    assert found(monkeypatch, {"a": [(curves([0, 6]), "")], "b": []}) == []


@pytest.mark.parametrize(("metric", "count"), [("test_loss", 2 * 2 * 3), ("gradient_norm", 0)])
def test_values_are_counted_over_seeds_and_compared_orders(metric: str, count: int) -> None:
    assert figure_results._amount(curves(), dataclasses.replace(FIGURE, metrics=(metric,))) == count
    assert figure_results._amount(without(curves(), 0, "polyak", 3), FIGURE) == 12
    assert figure_results._amount(without(curves(), 0, "backward", 3), FIGURE) == 11


# --- files -----------------------------------------------------------------------------------------------------------


def written(folder: Path, identity: str, *, blocks: bool = True, **changes: Any) -> Path:
    """Write a run of the figure's experiment with one block, or without."""
    from nn_experiments.results.blocks import Block, write_block, write_settings

    about = catalogue.EXPERIMENTS[FIGURE.experiment].to_json() | changes
    root = folder / identity
    write_settings(root, {"identity": identity, "experiment": about, "decides": {"a": 1}})
    if blocks:
        for order in ("forward", "backward"):
            write_block(root, 0, order, Block(np.arange(4), {"train_loss": np.ones(4)}, {}))
    return root


def tags(folder: Path, unreadable: dict[Path, Exception] | None = None) -> list[tuple[str, str]]:
    every = figure_results._every_setting(FIGURE, folder, unreadable)
    return [(str(one.experiment["identity"]), tag) for one, tag in every]


def test_runs_are_tagged_by_their_ids_but_for_the_first(tmp_path: Path) -> None:
    written(tmp_path, "aaaaaaaaaaaa", batch_size=2)
    written(tmp_path, "bbbbbbbbbbbb")
    written(tmp_path, "cccccccccccc", batch_size=3)
    written(tmp_path, "dddddddddddd", batch_size=4, blocks=False)
    assert tags(tmp_path) == [("bbbbbbbbbbbb", ""), ("aaaaaaaaaaaa", "aaaaaaaa"), ("cccccccccccc", "cccccccc")]


def test_records_are_read_in_place_of_runs(tmp_path: Path) -> None:
    written(tmp_path, "aaaaaaaaaaaa")
    name = FIGURE.experiment
    for file in (f"{name}.npz", f"{name}--x.npz", "another.npz"):
        one = curves()
        dataclasses.replace(one, experiment={**one.experiment, "identity": file}).save(tmp_path / file)
    assert tags(tmp_path) == [(f"{name}.npz", ""), (f"{name}--x.npz", "x")]
    (tmp_path / f"{name}.npz").unlink()
    assert tags(tmp_path) == [(f"{name}--x.npz", "x")]


def test_what_cannot_be_read_is_noted_or_an_error(tmp_path: Path) -> None:
    for identity in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        root = written(tmp_path, identity)
    path = next(root.rglob("*.npz"))
    path.write_bytes(b"half")
    with pytest.raises(ValueError, match="is not a whole block"):
        tags(tmp_path)
    reasons: dict[Path, Exception] = {}
    assert tags(tmp_path, reasons) == [("aaaaaaaaaaaa", "")]
    assert list(reasons) == [root]


def test_a_figure_is_loaded_with_its_seeds_or_with_those_that_are_named(tmp_path: Path) -> None:
    """Its own seeds 0 and 1 as far as they are there, all others if none is; errors name the figure and the folder."""
    from nn_experiments.results.blocks import Block, write_block

    root = written(tmp_path, "aaaaaaaaaaaa")
    block = Block(np.arange(4), {"train_loss": np.ones(4)}, {})
    write_block(root, 7, "backward", block)
    assert load_figure(FIGURE, tmp_path).seeds == (0,)
    assert load_figure(FIGURE, tmp_path, seeds=[7, 0]).seeds == (7, 0)
    assert load_figure(FIGURE, tmp_path, orders=["backward"]).orders == ("backward",)
    with pytest.raises(ValueError, match=rf"^fig4 in {tmp_path}: no seed 3; recorded are 0, 7$"):
        load_figure(FIGURE, tmp_path, seeds=[3])
    with pytest.raises(ValueError, match=rf"^fig4 in {tmp_path}: no order 'polyak'; recorded are forward, backward$"):
        load_figure(FIGURE, tmp_path, orders=["polyak"])
    other = dataclasses.replace(FIGURE, seeds=(8, 9))
    assert load_figure(other, tmp_path).seeds == (0, 7)
    assert load_figure(FIGURE, tmp_path, run_id="aaa").seeds == (0,)
    with pytest.raises(ValueError, match="has an ID that begins with b"):
        load_figure(FIGURE, tmp_path, run_id="b")
    with pytest.raises(ValueError, match="no record of"):
        load_figure(FIGURE, tmp_path, tag="t")


@pytest.mark.parametrize("kind", ["record", "run"])
def test_reading_needs_no_more_than_json(kind: str, tmp_path: Path) -> None:
    """A note that was added to the settings by hand is kept."""
    opened: dict[str, Callable[[], Curves]] = {}
    root = written(tmp_path, "aaaaaaaaaaaa")
    settings = json.loads((root / "experiment.json").read_text())
    (root / "experiment.json").write_text(json.dumps({**settings, "added": [1, 2]}))
    opened["run"] = lambda: load_figure(FIGURE, tmp_path)
    load_figure(FIGURE, tmp_path).save(tmp_path / "results" / f"{FIGURE.experiment}.npz")
    opened["record"] = lambda: load_figure(FIGURE, tmp_path / "results")
    assert opened[kind]().experiment["added"] == [1, 2]  # type: ignore[typeddict-item]
