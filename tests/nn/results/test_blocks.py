"""Blocks on disk, and the curves that are read back from them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import nn_experiments as nne
from contraction.files import replacing
from nn_experiments.paper import curve_names
from nn_experiments.results import blocks as store
from nn_experiments.results.blocks import Block
from tests.nn.synthetic_results import write_synthetic


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


def numbers(root: Path, *, kind: str = "curves") -> dict[tuple[str, int], float]:
    """Return all that is recorded of seed 0, forward; blocks that hold the same number twice must agree."""
    found: dict[tuple[str, int], float] = {}
    for one in store.blocks(root, 0, "forward", kind=kind):
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
        with replacing(tmp_path / "x") as temporary:
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"decides": {', r"is not whole JSON: Expecting property name.*"),
        ("[]", "has no settings under 'decides'"),
        ('{"decides": 3}', "has no settings under 'decides'"),
        ('{"decides": {}, "experiment": 5}', "has no settings under 'experiment'"),
    ],
    ids=["half", "a list", "decides", "experiment"],
)
def test_settings_that_cannot_be_read_are_named_with_the_remedy(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "run" / "experiment.json"
    path.parent.mkdir()
    path.write_text(text)
    for read in (lambda: store.read_settings(path.parent), lambda: nne.load("fig4", out=tmp_path)):
        advice = "delete this file, and the command that made the run writes it again"
        with pytest.raises(ValueError, match=rf"experiment\.json {said}; {advice}"):
            read()
    path.write_text('{"decides": {}, "experiment": {}}')
    assert store.read_settings(path.parent) == {"decides": {}, "experiment": {}}


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
    assert len(nne.load("fig4", out=tmp_path, run_id="other").iterates) == 11


def test_a_name_that_nothing_has_is_not_sent_to_run(tmp_path: Path) -> None:
    """``run figg4`` would fail as well: the known names are listed, the nearest first."""
    for name, guess in (
        ("figg4", "did you mean fig4? "),
        ("regression-squar", "did you mean regression-square? "),
        ("x", ""),
    ):
        with pytest.raises(ValueError, match=rf"no figure, experiment or folder '{name}': ") as caught:
            nne.load(name, out=tmp_path)
        assert f"'{name}': {guess}{tmp_path} holds no run; figures are fig2, fig3," in str(caught.value)
        assert "mlp-fashion-split-2," in str(caught.value)
        assert "run " not in str(caught.value)
    with pytest.raises(ValueError, match="is not that of one run"):
        nne.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="nn_experiments run fig5 --out"):  # run takes figures only
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
    two = "batch_size = 2, learning_rate = 0.3"
    one = "the catalogue's settings, batch_size = 1, learning_rate = 0.05"
    with pytest.raises(ValueError, match="several runs of 'regression-square'") as caught:
        nne.load("fig4", out=tmp_path)
    lines = str(caught.value).splitlines()[1:]
    written = [re.fullmatch(r"  (\w+) \(last written \d{4}-\d\d-\d\d \d\d:\d\d\): (.*)", line) for line in lines]
    assert [match and match.groups() for match in written] == [("a1", one), ("b", one), ("a2", two)]
    with pytest.raises(ValueError, match=r"begins with c; there are:\n  a1 \(last written .*\): the catalogue"):
        nne.load("fig4", out=tmp_path, run_id="c")
    assert nne.load("fig4", out=tmp_path, run_id="a2").experiment["identity"] == "a2"


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


def test_an_error_of_the_disk_names_the_file(tmp_path: Path, monkeypatch) -> None:
    """Writing to an open file on a full disk raises an error without a path; the name is added, and nothing is left."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    root = tmp_path / "abc"
    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*abc.*1-5\.npz'") as caught:
        store.write_block(root, 0, "forward", block(1, 5))
    assert caught.value.errno == 28
    assert [path for path in root.rglob("*") if path.is_file()] == []


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
            shared, own = curve_names.parse(curve_names.home(name, n)), curve_names.parse(name)
            assert word(shared, n) == word(own, n)


def word(curve: curve_names.OrderCurve, n: int) -> list[int]:
    found: list[int] = []
    while n > 0:
        found += curve.order.word(n)
        n = curve.order.anchor(n)
    return found


@pytest.mark.parametrize(
    "name", ["forward", "backward", "reset-500-1000", "late-20", "windowed-7", "polyak", "ema-0.99", "decayed-100"]
)
def test_names_of_curves_are_canonical(name: str) -> None:
    curve = curve_names.parse(name)
    assert curve.name == name
    assert curve.baseline == (name.split("-")[0] in ("polyak", "ema", "decayed"))
    if not curve.baseline:
        assert curve_names.name_of(curve.order) == name
    assert curve_names.parse("reset:1000:500").name == "reset-500-1000"
    for bad in ("sideways", "reset", "ema-1.5", "late-x", "forward-3", "decayed-0"):
        with pytest.raises(ValueError, match=bad):
            curve_names.parse(bad)
