"""Folders of runs that are joined: nothing is lost, nothing is mixed, and what differs is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nn_experiments as nne
from nn_experiments.cli import main
from nn_experiments.results import blocks as store
from nn_experiments.results.blocks import Block
from nn_experiments.results.merge import Merged, _merge_pins, merge
from tests.nn.results.test_blocks import block, everything, numbers, some
from tests.nn.synthetic_results import assert_equal, write_synthetic


def test_merge_copies_what_lacks_and_never_mixes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for root in (here, there):
        store.write_settings(root / "abc", {"decides": {"a": 1}})
    store.write_block(here / "abc", 0, "forward", block(1, 10))
    store.write_block(there / "abc", 0, "forward", block(6, 20, value=0.5))
    store.write_block(there / "abc", 1, "forward", block(1, 5), kind="diagnostics")
    store.write_settings(there / "def", {"decides": {"a": 9}})
    store.write_block(there / "def", 0, "backward", block(1, 5))
    assert merge([there], here) == [Merged(here, copied=3, there=1, partly=1, differing=1, difference=0.5 / 10)]
    assert merge([there], here) == [Merged(here, copied=0, there=3, differing=1, difference=0.5 / 20.5)]
    curves = nne.load(here / "abc")
    n, loss = curves.path("test_loss", seed=0, order="forward")
    assert n.tolist() == list(range(1, 21))
    assert loss.tolist() == [*range(1, 11), *(k + 0.5 for k in range(11, 21))]
    assert nne.load(here / "def").orders == ("backward",)
    store.write_settings(tmp_path / "third" / "abc", {"decides": {"a": 2}})
    with pytest.raises(ValueError, match="another experiment"):
        merge([tmp_path / "third"], here)
    with pytest.raises(ValueError, match="no folder"):
        merge([tmp_path / "nothing"], here)


def test_merge_looks_at_every_source_before_it_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One bad source among good ones: a clear word, and nothing is written. A good list is merged, source by source."""
    good, records, other, broken, into = (tmp_path / name for name in ("good", "records", "other", "broken", "into"))
    root = write_synthetic(good, "fig4", steps=20, seeds=(0,))
    nne.load(root).save(records / "regression-square.npz")
    store.write_settings(other / root.name, {"decides": {"a": 2}})
    path = store.write_block(broken / "abc", 0, "forward", block(1, 5))
    store.write_settings(broken / "abc", {"decides": {"a": 3}})
    path.write_bytes(b"?")
    (tmp_path / "empty").mkdir()
    for bad, message in (
        (records, r"results of record \(regression-square.npz\).*cannot be merged"),
        (records / "regression-square.npz", "is a file of record, and only folders of runs can be merged"),
        (root, f"is a single run: name the folder that holds it, {good}"),
        (other, "describes another experiment"),
        (broken, "1-5.npz is not a whole block"),
        (tmp_path / "empty", "holds no run"),
        (tmp_path / "nothing", "there is no folder"),
    ):
        with pytest.raises(ValueError, match=message):
            merge([good, bad], into)
        assert main(["merge", str(good), str(bad), "--out", str(into)]) == 2
        assert capsys.readouterr().out == ""
        assert not into.exists()
    assert main(["merge", str(good), str(good), "--out", str(into)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1].split()[0] for line in lines] == [str(len(list(root.rglob("*.npz")))), "0"]


def test_merge_keeps_what_the_target_has_and_adds_what_it_lacks(tmp_path: Path) -> None:
    """Metric by metric: longer runs have other distances, and either folder may have the richer block."""
    here, there = tmp_path / "here" / "abc", tmp_path / "there" / "abc"
    for root in (here, there):
        store.write_settings(root, {"decides": {"a": 1}})
    mine = [some([1, 5, 9], "a", "b"), some([11, 12], "a")]
    theirs = [some([1, 5, 7, 9], "a", "c", value=0.5), some([12, 13], "a", "b", value=0.5)]
    for root, written in ((here, mine), (there, theirs)):
        for one in written:
            store.write_block(root, 0, "forward", one, kind="diagnostics")
    assert [one.copied for one in merge([there.parent], here.parent)] == [2]
    assert numbers(here, kind="diagnostics") == everything(*theirs) | everything(*mine)
    assert [one.copied for one in merge([there.parent], here.parent)] == [0]
    assert numbers(there, kind="diagnostics") == everything(*theirs)


def test_merge_says_what_was_there_and_by_how_much_it_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another engine's numbers under the same identity: kept out, counted, and the largest difference named."""
    at, first = np.arange(1, 5), np.array([8.0, 4.0, 0.0, np.nan])

    def folder(name: str, *blocks: tuple[int, np.ndarray]) -> Path:
        store.write_settings(tmp_path / name / "abc", {"decides": {"a": 1}})
        for seed, values in blocks:
            store.write_block(tmp_path / name / "abc", seed, "forward", Block(at, {"loss": values}, {}))
        return tmp_path / name

    def said(source: Path) -> str:
        assert main(["merge", str(source), "--out", str(here)]) == 0
        return capsys.readouterr().out.removeprefix(f"{source}: ").replace(str(here), "m1").strip()

    here = folder("here", (0, first), (1, first), (2, 0 * at))
    assert said(folder("same", (0, first), (1, first))) == "0 blocks copied into m1; 2 already there"
    other = folder(
        "other",
        (0, first + 0.03 * np.array([0, 0, 8, 0])),
        (1, first + 0.01 * np.array([8, 0, 0, 0])),
        (2, 0 * at),
        (3, first),
    )
    expected = (
        "1 blocks copied into m1; 3 already there, 2 of them differ by up to 0.03 (the target's values were kept)"
    )
    assert said(other) == expected
    assert said(folder("zero", (2, 0.1 * at))).endswith(
        "1 already there, 1 of them differ by up to 1 (the target's values were kept)"
    )
    broken = folder("broken", (0, np.array([8.0, np.inf, 0.0, np.nan])))
    assert "1 of them differ in which values are finite (the target's" in said(broken)
    for seed in (0, 1):
        [kept] = store.blocks(here / "abc", seed, "forward")
        assert np.array_equal(kept.values["loss"], first, equal_nan=True)
    assert said(folder("new", (4, first))) == "1 blocks copied into m1"


def test_pieces_from_two_folders_make_one_run(tmp_path: Path) -> None:
    """Seeds, orders, grids and lengths shared out between two folders, merged: bitwise as one run, and finished."""
    pytest.importorskip("torch")
    from dataclasses import replace

    from nn_experiments.paper import catalogue
    from nn_experiments.runs.request import Request
    from nn_experiments.runs.run import Options, run

    small = catalogue.EXPERIMENTS["regression-square"].override({"model": "mlp-2x12"})
    orders = ("forward", "backward", "reset-10", "polyak")
    request = Request(experiment=small, seeds=(0, 1), orders=orders, steps=24, diagnostics_every=8)

    def made(folder: str, part: Request) -> Path:
        outcome = run(part, Options(out=tmp_path / folder, workers=0, device="cpu", block_seconds=0.002))
        assert outcome.missing == 0
        return outcome.root

    one = nne.load(made("one", request))
    made("a", replace(request, seeds=(0,)))
    made("a", replace(request, seeds=(1,), orders=("forward",), every=5))
    made("b", replace(request, seeds=(1,)))
    made("b", replace(request, seeds=(0,), steps=16))  # other distances to the last iterate, at the same iterates
    for source in ("a", "b"):
        assert merge([tmp_path / source], tmp_path / "merged")[0].copied > 0
        [again] = merge([tmp_path / source], tmp_path / "merged")
        assert (again.copied, again.partly, again.differing, again.difference) == (0, 0, 0, 0.0)
        assert again.there > 0
    [root] = (tmp_path / "merged").iterdir()
    assert_equal(nne.load(root), one)
    assert run(request, Options(out=tmp_path / "merged", workers=0, device="cpu")).made == 0
    assert (
        run(replace(request, seeds=(0,), steps=16), Options(out=tmp_path / "merged", workers=0, device="cpu")).made == 0
    )


def test_merge_carries_what_an_ensemble_chose(tmp_path: Path) -> None:
    """A device's choices in the target stay; those of devices it does not know are added."""
    for name, pins in (("a", {"card": {"chunk": 4}}), ("b", {"card": {"chunk": 8}, "other": {"chunk": 2}})):
        root = write_synthetic(tmp_path / name, "fig4", steps=20, seeds=(0,))
        (root / store.TUNING_FILE).write_text(json.dumps(pins))
    for name in ("a", "b"):
        merge([tmp_path / name], tmp_path / "both")
    [merged] = (tmp_path / "both").glob(f"*/{store.TUNING_FILE}")
    assert json.loads(merged.read_text()) == {"card": {"chunk": 4}, "other": {"chunk": 2}}


@pytest.mark.parametrize(
    ("source", "target", "merged"),
    [
        (None, None, None),
        (None, {"card": 1}, {"card": 1}),
        ({"card": 1}, None, {"card": 1}),
        ({"card": 1, "other": 2}, {"card": 3}, {"card": 3, "other": 2}),
        ({"card": 1}, {"card": 3, "other": 2}, {"card": 3, "other": 2}),
        ({}, None, None),
    ],
    ids=["neither", "target", "source", "one more", "none more", "empty"],
)
def test_choices_for_a_device_are_those_of_the_target_or_else_of_the_source(
    source: dict | None, target: dict | None, merged: dict | None, tmp_path: Path
) -> None:
    for name, pins in (("source", source), ("target", target)):
        (tmp_path / name).mkdir()
        if pins is not None:
            (tmp_path / name / store.TUNING_FILE).write_text(json.dumps(pins))
    _merge_pins(tmp_path / "source", tmp_path / "target")
    file = tmp_path / "target" / store.TUNING_FILE
    assert (json.loads(file.read_text()) if file.exists() else None) == merged


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"moved": {"w": 2.03}}, "w moves by 2.03, and 2 there"),
        ({"measured": {"loss": float("nan")}}, "loss is nan, and 0.5 there"),
        ({"moved": {"w": 2.01}}, ""),  # within one in a hundred, as on other hardware
        ({"seed": 3, "moved": {"w": 7.0}}, ""),  # another seed has other batches
    ],
    ids=["a step", "a metric", "rounding", "another seed"],
)
def test_runs_that_look_the_same_and_behave_differently_are_not_mixed(change: dict, said: str, tmp_path: Path) -> None:
    """A step may read what no hash can see, such as a file."""
    behaviour = {"seed": 0, "moved": {"w": 2.0}, "measured": {"loss": 0.5}}
    for seed, (name, about) in enumerate((("here", behaviour), ("there", behaviour | change))):
        store.write_settings(tmp_path / name / "abc", {"decides": {"a": 1}, "behaviour": about})
        store.write_block(tmp_path / name / "abc", seed, "forward", block(1, 5))
    if not said:
        assert merge([tmp_path / "there"], tmp_path / "here")[0].copied == 1
        return
    with pytest.raises(ValueError, match="behaves differently") as refused:
        merge([tmp_path / "there"], tmp_path / "here")
    assert f"after T_1 T_2, {said}" in str(refused.value)
    assert not (tmp_path / "here" / "abc" / "1").exists()
    with pytest.raises(ValueError, match="behaves differently"):  # two sources, and a folder that has none of them
        merge([tmp_path / "here", tmp_path / "there"], tmp_path / "into")
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(("source", "target", "said"), [("one", "two", "there"), ("two", "one", "here")], ids=str)
def test_a_metric_that_only_one_of_two_runs_has_is_a_difference_either_way(
    tmp_path: Path, source: str, target: str, said: str
) -> None:
    """Otherwise the order of the folders would decide whether they are merged."""
    for seed, (name, measured) in enumerate((("one", {"loss": 0.5}), ("two", {"loss": 0.5, "accuracy": 1.0}))):
        about = {"seed": 0, "moved": {"w": 2.0}, "measured": measured}
        store.write_settings(tmp_path / name / "abc", {"decides": {"a": 1}, "behaviour": about})
        store.write_block(tmp_path / name / "abc", seed, "forward", block(1, 5))
    with pytest.raises(ValueError, match=f"behaves differently: accuracy is only {said}"):
        merge([tmp_path / source], tmp_path / target)


def test_behaviour_is_compared_between_all_folders_and_not_with_the_first_alone(tmp_path: Path) -> None:
    """The first run is of another seed than the two that contradict each other."""
    for name, seed, moved in (("a", 0, 1.0), ("b", 1, 2.0), ("c", 1, 3.0)):
        about = {"seed": seed, "moved": {"w": moved}, "measured": {}}
        store.write_settings(tmp_path / name / "abc", {"decides": {"a": 1}, "behaviour": about})
        store.write_block(tmp_path / name / "abc", seed, "forward", block(1, 5))
    with pytest.raises(ValueError, match="w moves by 3, and 2 there"):
        merge([tmp_path / name for name in "abc"], tmp_path / "into")
    assert not (tmp_path / "into").exists()
