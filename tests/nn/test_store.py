"""Blocks on disk, and the curves that are read back from them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import nn_experiments as nne
from nn_experiments import store, variants
from nn_experiments.command import main
from nn_experiments.merging import Merged, merge
from nn_experiments.store import Block
from tests.nn.synthetic_results import assert_equal, write_synthetic


def block(first: int, last: int, value: float = 0.0, step: int = 1) -> Block:
    at = np.arange(first, last + 1, step)
    return Block(at, {"test_loss": at + value}, {"kernel": "test"})


def test_a_block_survives_the_disk_with_its_divergence(tmp_path: Path) -> None:
    values = np.array([1 / 3, np.nan, np.inf])
    path = store.write_block(tmp_path, 4, "backward", Block(np.array([2, 3, 9]), {"a": values}, {"kernel": "k"}))
    assert path == tmp_path / "4" / "backward" / "2-9.npz"
    back = store.read_block(path)
    assert np.array_equal(back.values["a"], values, equal_nan=True)
    assert back.iterate.tolist() == [2, 3, 9]
    assert back.meta == {"kernel": "k"}
    assert store.present(tmp_path, 4, "backward", ["a"]) == {2, 3, 9}
    assert store.present(tmp_path, 4, "backward", ["a", "b"]) == set()
    assert [p.name for p in path.parent.iterdir()] == ["2-9.npz"]


def test_blocks_of_two_grids_that_meet_in_one_file_are_joined(tmp_path: Path) -> None:
    store.write_block(tmp_path, 0, "forward", block(10, 30, step=5))
    store.write_block(tmp_path, 0, "forward", block(10, 30, step=4))
    assert store.present(tmp_path, 0, "forward", ["test_loss"]) == {10, 14, 15, 18, 20, 22, 25, 26, 30}


def numbers(root: Path, *, stream: str = "curves") -> dict[tuple[str, int], float]:
    """Return all that is recorded of seed 0, forward; blocks that hold the same number twice must agree."""
    found: dict[tuple[str, int], float] = {}
    for one in store.blocks(root, 0, "forward", stream=stream):
        for name, values in one.values.items():
            for n, value in zip(one.iterate.tolist(), values.tolist(), strict=True):
                assert found.setdefault((name, n), value) == value
    return found


def some(at: list[int], *names: str, maker: str = "old", value: float = 0.0) -> Block:
    """Return a block whose metric k has the numbers n + k/10 + value."""
    values = {name: np.array(at) + ord(name) / 1000 + value for name in names}
    return Block(np.array(at), values, {"device": maker, "seconds": 2.0})


def everything(*blocks: Block) -> dict[tuple[str, int], float]:
    return {
        (name, int(n)): float(value)
        for one in blocks
        for name, values in one.values.items()
        for n, value in zip(one.iterate, values, strict=True)
    }


@pytest.mark.parametrize(
    ("old", "new", "files"),
    [
        (some([1, 2, 9], "a", "b", "c"), some([1, 2, 9], "a", maker="new", value=0.5), 1),
        (some([1, 2, 9], "a"), some([1, 2, 9], "b", maker="new"), 1),
        (some([1, 4, 9], "a"), some([1, 5, 9], "a", "b", maker="new", value=0.5), 2),
        (some([1, 4, 9], "a", "b"), some([1, 5, 9], "a", maker="new", value=0.5), 2),
        (some([1, 3, 4, 5, 9], "a", "b"), some([1, 5, 6, 7, 9], "a", "c", maker="new", value=0.5), 3),
    ],
    ids=["fewer metrics", "other metrics", "more metrics", "fewer metrics, other grid", "both have their own"],
)
def test_nothing_recorded_is_lost_where_blocks_meet(tmp_path: Path, old: Block, new: Block, files: int) -> None:
    """The file of two blocks of one range holds both; what no one block can hold is in a file of its own."""
    store.write_block(tmp_path, 0, "forward", old)
    path = store.write_block(tmp_path, 0, "forward", new)
    assert numbers(tmp_path) == everything(old) | everything(new)  # where both have a number, the new one wins
    assert len(list(path.parent.iterdir())) == files
    assert store.present(tmp_path, 0, "forward", new.values) >= set(new.iterate.tolist())
    meta = store.read_block(path).meta
    assert meta == {"device": "new", "seconds": 4.0, "joined": [{"device": "old"}]}
    store.write_block(tmp_path, 0, "forward", new)
    assert numbers(tmp_path) == everything(old) | everything(new)
    assert [maker["device"] for maker in store.read_block(path).meta["joined"]] == ["old"]


def test_what_does_not_fit_meets_a_third_block(tmp_path: Path) -> None:
    """A part that moves to a file of its own finds one there, and so on: still nothing is lost."""
    written = [some([3, 4, 7], "a"), some([3, 5, 7], "b"), some([1, 3, 7, 9], "c"), some([1, 9], "a", "d")]
    for one in written:
        store.write_block(tmp_path, 0, "forward", one)
    assert numbers(tmp_path) == everything(*written)
    assert store.present(tmp_path, 0, "forward", ["a", "b", "c"]) == {3, 7}
    assert store.present(tmp_path, 0, "forward", ["a", "d"]) == {1, 9}


@pytest.mark.parametrize("damage", ["truncated", "altered", "empty", "no block", "half written"])
def test_broken_files_do_not_count(tmp_path: Path, damage: str) -> None:
    path = store.write_block(tmp_path, 0, "forward", block(1, 50))
    data = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "altered":
        path.write_bytes(data[:200] + bytes([data[200] ^ 255]) + data[201:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "no block":
        np.savez(path, x=np.zeros(3))
    else:
        path.rename(path.with_name(".1-50.npz.abc.part"))
    assert store.present(tmp_path, 0, "forward", ["test_loss"]) == set()
    if path.exists():
        with pytest.raises(store.BrokenBlock, match="delete it"):
            store.read_block(path)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with store.write_atomically(tmp_path / "x") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_settings_are_written_once_and_guarded(tmp_path: Path) -> None:
    store.write_settings(tmp_path, {"decides": {"a": 1}, "experiment": {}})
    store.write_settings(tmp_path, {"decides": {"a": 1}, "experiment": {"later": True}})
    assert store.read_settings(tmp_path) == {"decides": {"a": 1}, "experiment": {}}
    with pytest.raises(ValueError, match="another experiment"):
        store.write_settings(tmp_path, {"decides": {"a": 2}})


def test_merge_copies_what_lacks_and_never_mixes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for root in (here, there):
        store.write_settings(root / "abc", {"decides": {"a": 1}})
    store.write_block(here / "abc", 0, "forward", block(1, 10))
    store.write_block(there / "abc", 0, "forward", block(6, 20, value=0.5))
    store.write_block(there / "abc", 1, "forward", block(1, 5), stream="diagnostics")
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
        assert main(["merge", str(good), str(bad), "--into", str(into)]) == 1
        assert capsys.readouterr().out == ""
        assert not into.exists()
    assert main(["merge", str(good), str(good), "--into", str(into)]) == 0
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
            store.write_block(root, 0, "forward", one, stream="diagnostics")
    assert [one.copied for one in merge([there.parent], here.parent)] == [2]
    assert numbers(here, stream="diagnostics") == everything(*theirs) | everything(*mine)
    assert [one.copied for one in merge([there.parent], here.parent)] == [0]
    assert numbers(there, stream="diagnostics") == everything(*theirs)


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
        assert main(["merge", str(source), "--into", str(here)]) == 0
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
    expected = "1 blocks copied into m1; 3 already there, 2 of them differ by up to 0.03 (kept what was there)"
    assert said(other) == expected
    assert said(folder("zero", (2, 0.1 * at))).endswith(
        "1 already there, 1 of them differ by up to 1 (kept what was there)"
    )
    broken = folder("broken", (0, np.array([8.0, np.inf, 0.0, np.nan])))
    assert "1 of them differ even in where they are finite (kept" in said(broken)
    for seed in (0, 1):
        [kept] = store.blocks(here / "abc", seed, "forward")
        assert np.array_equal(kept.values["loss"], first, equal_nan=True)
    assert said(folder("new", (4, first))) == "1 blocks copied into m1"


def test_pieces_from_two_folders_make_one_run(tmp_path: Path) -> None:
    """Seeds, orders, grids and lengths shared out between two folders, merged: bitwise as one run, and finished."""
    pytest.importorskip("torch")
    from dataclasses import replace

    from nn_experiments import catalogue
    from nn_experiments.planning import Request
    from nn_experiments.run import Options, run

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
        (root / store.PINS).write_text(json.dumps(pins))
    for name in ("a", "b"):
        merge([tmp_path / name], tmp_path / "both")
    [merged] = (tmp_path / "both").glob(f"*/{store.PINS}")
    assert json.loads(merged.read_text()) == {"card": {"chunk": 4}, "other": {"chunk": 2}}


def test_load_gives_arrays_over_seed_order_iterate(tmp_path: Path) -> None:
    root = write_synthetic(tmp_path, "fig4", steps=100, every=2, diagnostics_every=10, diverges_at={(1, "forward"): 60})
    curves = nne.load("fig4", out=tmp_path)
    assert curves.seeds == (0, 1, 2, 3, 4)
    assert curves.orders == ("forward", "backward", "polyak", "ema-0.99", "decayed-100")
    assert curves["test_loss"].shape == (5, 5, 51)
    assert curves.diverged(seed=1, order="forward") == 60
    assert curves.diverged(seed=0, order="forward") is None
    n, increments = curves.path("parameter_increment", seed=2, order="backward")
    assert n.tolist() == list(range(0, 100, 10))
    assert increments[-1] < 1e-3 < increments[0]
    assert curves.complete("test_loss", range(0, 101, 2))
    assert not curves.complete("parameter_increment", range(0, 101, 2))
    assert curves.gradients("backward")[-1] == 100
    assert curves.gradients("backward", path=True)[-1] == sum(range(2, 101, 2))
    assert curves.gradients("polyak", path=True)[-1] == 100
    part = nne.load(root, seeds=[3, 1], orders=["backward"])
    assert np.array_equal(part["test_loss"][1, 0], curves["test_loss"][1, 1])
    with pytest.raises(KeyError, match="recorded are"):
        curves["speed"]
    for name in ("fig5", "5"):
        with pytest.raises(FileNotFoundError, match="run fig5"):
            nne.load(name, out=tmp_path)
    assert nne.load("4", out=tmp_path).iterates[-1] == curves.iterates[-1]
    write_synthetic(tmp_path, "fig4", steps=10, identity="other")
    with pytest.raises(ValueError, match="several runs"):
        nne.load("fig4", out=tmp_path)
    assert len(nne.load("fig4", out=tmp_path, identity="other").iterates) == 11


def test_a_name_that_nothing_has_is_not_sent_to_run(tmp_path: Path) -> None:
    """``run figg4`` would fail as well: the known names are listed, the nearest first."""
    for name, guess in (
        ("figg4", "did you mean fig4? "),
        ("regression-squar", "did you mean regression-square? "),
        ("x", ""),
    ):
        with pytest.raises(ValueError, match=rf"no figure, experiment or folder '{name}': ") as caught:
            nne.load(name, out=tmp_path)
        assert f"'{name}': {guess}Figures are fig2, fig3," in str(caught.value)
        assert "experiments mlp-fashion-split-2," in str(caught.value)
        assert "run " not in str(caught.value)
    with pytest.raises(ValueError, match="is not that of one run"):
        nne.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="`run fig5 --out"):  # run takes figures only
        nne.load("regression-cosine", out=tmp_path)


def test_several_runs_of_one_experiment_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    changes = {
        "a1": {},
        "a2": {"batch_size": 2, "optimizer": {"learning_rate": 0.3}},
        "b": {"notes": {"data": "other"}},
    }
    for identity, change in changes.items():
        root = write_synthetic(tmp_path, "fig4", steps=10, seeds=(0,), orders=("forward",), identity=identity)
        settings = store.read_settings(root)
        settings["experiment"]["optimizer"] |= change.pop("optimizer", {})
        settings["experiment"] |= change
        (root / "experiment.json").write_text(json.dumps(settings))
    one, two = "batch_size = 1, learning_rate = 0.05", "batch_size = 2, learning_rate = 0.3"
    with pytest.raises(ValueError, match="several runs of 'regression-square'") as caught:
        nne.load("fig4", out=tmp_path)
    assert str(caught.value).splitlines()[1:] == [f"  a1: {one}", f"  b: {one}", f"  a2: {two}"]
    with pytest.raises(ValueError, match=r"has an identity c…; there are:\n  a1: batch_size"):
        nne.load("fig4", out=tmp_path, identity="c")
    assert nne.load("fig4", out=tmp_path, identity="a2").experiment["identity"] == "a2"


def test_results_print_what_they_are_and_no_numbers(tmp_path: Path) -> None:
    write_synthetic(tmp_path, "fig4", steps=20, seeds=range(12), orders=("forward", "backward"))
    curves = nne.load("fig4", out=tmp_path)
    few = curves.select(seeds=(3, 1), metrics=["test_loss", "train_loss"])
    assert repr(few) == (
        "Curves(regression-square: seeds 3, 1; orders forward, backward; 21 iterates from 0 to 20; "
        "metrics test_loss, train_loss)"
    )
    assert "seeds 0, 1 … 11 (12 of them)" in repr(curves)
    assert len(repr(curves)) < 500
    assert "no iterates" in repr(curves.select(at=[]))


def test_results_of_record_and_csv(tmp_path: Path) -> None:
    write_synthetic(tmp_path, "fig4", seeds=[0, 1], steps=20, diagnostics_every=10, diverges_at={(1, "forward"): 15})
    curves = nne.load("fig4", out=tmp_path)
    curves.save(tmp_path / "record.npz", dtype="float64")
    back = nne.load(tmp_path / "record.npz")
    assert back.orders == curves.orders
    assert back.experiment == curves.experiment
    for name in curves.metrics:
        assert np.array_equal(back[name], curves[name], equal_nan=True)
        assert np.array_equal(back.recorded[name], curves.recorded[name])
    curves.to_csv(tmp_path / "curves.csv")
    with (tmp_path / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * 21
    assert rows[15 + 21]["test_loss"] == "nan"
    assert rows[15]["parameter_increment"] == ""
    assert float(rows[7]["test_loss"]) == curves["test_loss"][0, 0, 7]
    (tmp_path / "record.npz").write_bytes(b"?")
    with pytest.raises(ValueError, match="not a file of results"):
        nne.load(tmp_path / "record.npz")


def test_a_reset_path_is_the_backward_one_until_its_first_point(tmp_path: Path) -> None:
    """Only the part that differs is stored; ``load`` fills in the rest."""
    root = tmp_path / "abc"
    store.write_settings(root, {"decides": {}})
    store.write_block(root, 0, "backward", block(1, 30))
    store.write_block(root, 0, "reset-20", block(21, 30, value=0.5))
    n, loss = nne.load(root).path("test_loss", seed=0, order="reset-20")
    assert n.tolist() == list(range(1, 31))
    assert loss.tolist() == [*range(1, 21), *(k + 0.5 for k in range(21, 31))]
    for n in range(1, 40):
        for name in ("reset-20", "late-7", "windowed-5", "backward", "reset-3-9"):
            shared, own = variants.parse(variants.home(name, n)), variants.parse(name)
            assert word(shared, n) == word(own, n)


def word(variant: variants.Variant, n: int) -> list[int]:
    found: list[int] = []
    while n > 0:
        found += variant.order.word(n)
        n = variant.order.anchor(n)
    return found


@pytest.mark.parametrize(
    "name", ["forward", "backward", "reset-500-1000", "late-20", "windowed-7", "polyak", "ema-0.99", "decayed-100"]
)
def test_names_of_variants_are_canonical(name: str) -> None:
    variant = variants.parse(name)
    assert variant.name == name
    assert variant.baseline == (name.split("-")[0] in ("polyak", "ema", "decayed"))
    if not variant.baseline:
        assert variants.variant_name(variant.order) == name
    assert variants.parse("reset:1000:500").name == "reset-500-1000"
    for bad in ("sideways", "reset", "ema-1.5", "late-x", "forward-3", "decayed-0"):
        with pytest.raises(ValueError, match=bad):
            variants.parse(bad)
