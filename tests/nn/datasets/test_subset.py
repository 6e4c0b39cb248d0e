"""Cut data folders: exactly the images that some runs draw, the same numbers, and clear refusals of all else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nn_experiments.cli import main
from nn_experiments.datasets import DataError, load_dataset
from nn_experiments.datasets.subset import DataSubset, Rows, read_subset, subset_path, write_subset
from nn_experiments.paper import catalogue
from nn_experiments.runs import data_subset
from nn_experiments.runs.data_subset import export_subsets, needed_rows
from nn_experiments.training.sampling import Sampler

CHANGES = {"data": "cifar10", "model": "mlp-1x5", "train_evaluation": "20", "test_evaluation": "10"}
SETS = [word for name, value in CHANGES.items() for word in ("--set", f"{name}={value}")]
N = 7


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small data set in the layout of CIFAR-10: 900 training and 40 test images."""
    folder, rng = tmp_path_factory.mktemp("whole"), np.random.default_rng(11)
    arrays = {}
    for part, count in (("train", 900), ("test", 40)):
        arrays[f"{part}_images"] = rng.integers(256, size=(count, 32, 32, 3), dtype=np.uint8)
        arrays[f"{part}_labels"] = rng.integers(10, size=count)
    np.savez(folder / "cifar10.npz", **arrays)
    return folder


def cut(whole: Path, into: Path, **more) -> DataSubset:
    about = {"seeds": [0], "steps": N, "changes": CHANGES, "data_dir": whole, "official": False} | more
    [(path, data)] = export_subsets(["fig7"], into, **about)
    assert path == subset_path("cifar10", into)
    return data


def places(data: DataSubset, part: str = "train") -> set[int]:
    rows = getattr(data, f"{part}_inputs")
    assert isinstance(rows, Rows)
    return set(rows.positions.tolist())


def test_everything_but_the_missing_images_is_the_whole_set_s(whole: Path, tmp_path: Path) -> None:
    cut(whole, tmp_path)
    one, all_ = (load_dataset("cifar10", data_dir=d, official=False) for d in (tmp_path, whole))
    assert isinstance(one, DataSubset)
    for name in ("name", "shape", "outputs", "classes", "levels", "fingerprint"):
        assert getattr(one, name) == getattr(all_, name), name
    for mine, right in zip(one.statistics(), all_.statistics(), strict=True):
        assert mine.tobytes() == right.tobytes()
    for name in ("train_inputs", "train_targets", "test_inputs", "test_targets"):
        rows, array = getattr(one, name), getattr(all_, name)
        assert (len(rows), rows.shape, rows.ndim, rows.dtype) == (len(array), array.shape, array.ndim, array.dtype)
        assert np.array_equal(rows[:10], array[:10])
        held = rows.positions[::-1]
        assert np.array_equal(rows[held], array[held])
        assert np.array_equal(rows[int(held[0])], array[held[0]])
        assert np.array_equal(rows[np.isin(np.arange(len(array)), held)], array[np.sort(held)])
    assert one.held == (len(places(one)), 10)
    assert one.held[0] < 200


def test_what_is_not_held_is_refused_and_says_what_to_do(whole: Path, tmp_path: Path) -> None:
    data = cut(whole, tmp_path)
    absent = sorted(set(range(900)) - places(data))
    held = next(iter(places(data)))
    message = rf"cifar10-cut.npz holds {len(places(data))} of the 900 train images of cifar10 and not image "
    for rows in (np.array([held, absent[5]]), absent[5]):
        with pytest.raises(DataError, match=message + f"{absent[5]}; it was written for fig7, seed 0, up to step 7"):
            data.train_inputs[rows]
    with pytest.raises(DataError, match=r"and 2 more.*data --for FIGURE --seeds SEED … --into FOLDER"):
        data.train_targets[np.array(absent[:3])]
    with pytest.raises(DataError, match="10 of the 40 test images"):
        data.test_inputs[:11]
    with pytest.raises(DataError, match="and not the others"):
        np.asarray(data.train_inputs)
    with pytest.raises(IndexError):
        data.train_inputs[900]
    with pytest.raises(TypeError, match="by rows only"):
        data.train_inputs[:, 0]  # type: ignore[index]


@pytest.mark.parametrize("rule", ["iid", "reshuffle", "shuffle_once"])
def test_needed_rows_are_those_of_both_streams_and_the_evaluation(rule: str) -> None:
    experiment = catalogue.EXPERIMENTS["mlp-fashion"].override({"sampling": rule, "train_evaluation": "5"})
    drawn = {
        stream: {int(k) for seed in (3, 8) for i in (1, 2, 3, 4) for k in Sampler(rule, 8, 5000, seed, stream)(i)}
        for stream in ("batch", "other batch")
    }
    train, test = needed_rows(experiment, [3, 8], 4, diagnostics=True, sizes=(5000, 70))
    assert set(train.tolist()) == drawn["batch"] | drawn["other batch"] | set(range(5))
    assert test.tolist() == list(range(70))  # no test_evaluation: all of them
    train, _ = needed_rows(experiment, [3, 8], 4, diagnostics=False, sizes=(5000, 70))
    assert set(train.tolist()) == drawn["batch"] | set(range(5))
    probed, _ = needed_rows(experiment, [3], 1, diagnostics=False, sizes=(5000, 70))
    assert set(Sampler(rule, 8, 5000, 3)(2).tolist()) <= set(probed.tolist())
    with pytest.raises(ValueError, match="steps >= 1"):
        needed_rows(experiment, [3], 0, diagnostics=True, sizes=(5000, 70))


def run(data: Path, out: Path, *more: str, seed: int = 0, steps: int = N) -> int:
    torch = pytest.importorskip("torch")
    from nn_experiments.runs import setup

    setup.prepare.cache_clear()
    words = ["run", "fig7", "--seeds", str(seed), "--steps", str(steps), "--diagnostics-every", "3", "--workers", "0"]
    words += ["--device", "cpu", "--any-data", "--data-dir", str(data), "--out", str(out), *SETS, *more]
    assert torch is not None
    return main(words)


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--engine", "step"),
        ("--engine", "mlp", "--set", "scaling=standard"),
        ("--engine", "ensemble", "--set", "sampling=reshuffle"),
    ],
    ids=["auto", "step", "standard", "ensemble"],
)
def test_runs_from_a_cut_are_bitwise_those_from_the_whole(whole: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    """Identity, settings, curves and diagnostics of all orders and baselines."""
    pytest.importorskip("torch")
    import nn_experiments as nne
    from tests.nn.synthetic_results import assert_equal

    changes = CHANGES | dict(word.split("=") for word in more if "=" in word)
    cut(whole, tmp_path / "data", changes=changes)
    results = []
    for data, out in ((whole, tmp_path / "a"), (tmp_path / "data", tmp_path / "b")):
        orders = ("--orders", "forward", "backward", "reset-3", "late-2", "polyak", "decayed-5")
        assert run(data, out, *more, *orders) == 0
        [root] = out.iterdir()
        results.append((root.name, json.loads((root / "experiment.json").read_text()), nne.load(root)))
    assert results[0][:2] == results[1][:2]
    assert "parameter_independent" in results[0][2].metrics
    assert_equal(results[0][2], results[1][2])


def test_a_run_looks_at_every_image_of_its_cut(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is carried that is not needed: without diagnostics the rows asked for are the rows held."""
    data = cut(whole, tmp_path / "data", diagnostics=False)
    asked: dict[int, set[int]] = {900: set(), 40: set()}
    plain = Rows.__getitem__

    def recorded(self: Rows, rows) -> np.ndarray:
        asked[len(self)].update(np.arange(len(self))[rows].tolist())
        return plain(self, rows)

    monkeypatch.setattr(Rows, "__getitem__", recorded)
    assert run(tmp_path / "data", tmp_path / "out", "--diagnostics-every", "0") == 0
    assert asked == {900: places(data), 40: places(data, "test")}


def test_other_runs_are_refused(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut(whole, tmp_path / "data", diagnostics=False)
    plain = ("--diagnostics-every", "0")
    assert run(tmp_path / "data", tmp_path / "out", *plain) == 0
    assert run(tmp_path / "data", tmp_path / "out", *plain, steps=3) == 0
    for change in (
        {"seed": 1},
        {"steps": N + 1},
        {"more": ("--diagnostics-every", "3")},
        {"more": ("--set", "batch_size=9")},
        {"more": ("--set", "sampling=shuffle_once")},
        {"more": ("--set", "train_evaluation=all")},
        {"more": ("--set", "test_evaluation=11")},
    ):
        capsys.readouterr()
        words = {key: value for key, value in change.items() if key != "more"}
        assert run(tmp_path / "data", tmp_path / "other", *change.get("more", plain), **words) == 2, change
        assert "it was written for fig7, seed 0, up to step 7" in capsys.readouterr().err


@pytest.mark.parametrize("dry", [False, True], ids=["run", "dry run"])
def test_a_lacking_image_is_missed_before_anything_is_computed(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dry: bool
) -> None:
    """A later batch, a later seed, the batches of diagnostics: no step is rehearsed. What is there already is no need.

    A whole set, and a cut that has all, are rehearsed and pass.
    """
    pytest.importorskip("torch")
    import nn_experiments.runs.run as module

    rehearsed: list[int] = []
    plain = module.measure_rates

    def counted(*args, **kwargs):
        rehearsed.append(1)
        return plain(*args, **kwargs)

    monkeypatch.setattr(module, "measure_rates", counted)
    cut(whole, tmp_path / "bare", diagnostics=False)
    cut(whole, tmp_path / "full")
    more = ("--dry-run",) if dry else ()
    none = ("--diagnostics-every", "0", *more)
    for steps, seeds, words in ((300, (), none), (N, ("--seeds", "0", "1"), none), (N, (), more)):
        assert run(tmp_path / "bare", tmp_path / "out", *seeds, *words, steps=steps) == 2, (steps, seeds, words)
        assert "and not image" in capsys.readouterr().err
        assert rehearsed == []
        assert not (tmp_path / "out").exists()
    for data, words in ((whole, more), (tmp_path / "full", more), (tmp_path / "bare", none)):
        assert run(data, tmp_path / data.name, *words) == 0
    assert len(rehearsed) == 3
    assert run(whole, tmp_path / "out", "--seeds", "1", "--diagnostics-every", "0") == 0
    assert run(tmp_path / "bare", tmp_path / "out", "--seeds", "0", "1", *none) == 0


def test_cuts_add_up(whole: Path, tmp_path: Path) -> None:
    """A second cut into the same folder is the union, as one call for both; the larger serves to make smaller ones."""
    first = cut(whole, tmp_path / "a")
    second = cut(whole, tmp_path / "a", seeds=[4], steps=3)
    together = cut(whole, tmp_path / "b", seeds=[0, 4])
    assert places(first) < places(second) < places(together)
    alone = cut(whole, tmp_path / "c", seeds=[4], steps=3)
    assert places(second) == places(first) | places(alone)
    assert len(second.purposes) == 2
    again = cut(whole, tmp_path / "a", seeds=[4], steps=3)
    assert (again.purposes, places(again)) == (second.purposes, places(second))
    smaller = cut(tmp_path / "a", tmp_path / "d", seeds=[4], steps=3)
    assert places(smaller) == places(alone)
    assert np.array_equal(smaller.train_inputs[:20], first.train_inputs[:20])
    with pytest.raises(DataError, match="and not image"):
        cut(tmp_path / "a", tmp_path / "e", seeds=[5])
    assert not (tmp_path / "e").exists() or not any((tmp_path / "e").iterdir())


def test_the_whole_set_wins_and_other_data_is_refused(whole: Path, tmp_path: Path) -> None:
    data = cut(whole, tmp_path)
    with np.load(whole / "cifar10.npz") as file:
        arrays = dict(file)
    (tmp_path / "cifar10.npz").write_bytes((whole / "cifar10.npz").read_bytes())
    found = load_dataset("cifar10", data_dir=tmp_path, official=False)
    assert not isinstance(found, DataSubset)
    with pytest.raises(DataError, match="holds the whole cifar10"):
        cut(whole, tmp_path)
    (tmp_path / "cifar10.npz").unlink()
    arrays["train_labels"] = (arrays["train_labels"] + 1) % 10
    (tmp_path / "other").mkdir()
    np.savez(tmp_path / "other" / "cifar10.npz", **arrays)
    with pytest.raises(DataError, match=f"a subset of other data .fingerprint {data.fingerprint}"):
        cut(tmp_path / "other", tmp_path)
    with pytest.raises(DataError, match=f"not the official cifar10: fingerprint {data.fingerprint}"):
        load_dataset("cifar10", data_dir=tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "pixel", "label", "place", "fingerprint", "order"])
def test_an_altered_cut_is_refused(whole: Path, tmp_path: Path, damage: str) -> None:
    """Also one whose zip file is whole, and one with a new checksum whose images are out of order."""
    cut(whole, tmp_path)
    path = subset_path("cifar10", tmp_path)
    data = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    if damage == "truncated":
        path.write_bytes(data[:-200])
    elif damage == "flipped":
        path.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "order":
        one = read_subset(path)
        rows = one.train_inputs
        assert isinstance(rows, Rows)
        rows.values[[3, 9]] = rows.values[[9, 3]]
        path.unlink()
        with pytest.raises(DataError, match="not a subset of a data set in canonical order"):
            write_subset(one, (rows.positions, np.arange(10)), ["test"], tmp_path)
    else:
        name = {"pixel": "train_images", "label": "test_labels", "place": "train_places"}.get(damage, "about")
        if name == "about":
            arrays[name] = np.array(str(arrays[name]).replace('"fingerprint": "', '"fingerprint": "0'))
        else:
            arrays[name].flat[-1] ^= 1
        np.savez_compressed(path, **arrays)
    with pytest.raises(DataError, match=r"cifar10-cut.npz.*write it again"):
        load_dataset("cifar10", data_dir=tmp_path, official=False)


def test_a_write_that_fails_leaves_the_old_cut(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(whole, tmp_path)
    before = subset_path("cifar10", tmp_path).read_bytes()

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="no space"):
        cut(whole, tmp_path, seeds=[1])
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_the_command_needs_neither_torch_nor_the_model(whole: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from nn_experiments.cli import main\n"
        f"words = ['--any-data', '--data-dir', {str(whole)!r}]\n"
        f"into = ['--steps', '2', '--into', {str(tmp_path)!r}]\n"
        "assert main(['data', '--for', 'fig2', 'fig8', '--seeds', '0', '1', *into, *words]) == 0\n"
        f"assert main(['data', 'cifar10', '--any-data', '--data-dir', {str(tmp_path)!r}]) == 0\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, use, *about = done.stdout.splitlines()
    held = len(places(read_subset(subset_path("cifar10", tmp_path))))
    assert first.startswith(f"{tmp_path}/cifar10-cut.npz: {held} of 900 training and 40 of 40 test images of cifar10,")
    assert "fig2, seeds 0, 1, up to step 2" in first
    assert "fig8, seeds 0, 1" in first
    assert use == f"run these with --data-dir {tmp_path}"
    assert "900 training and 40 test items" in about[0]
    assert f"a subset: only {held} training and 40 test items are in this folder, for fig2" in about[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--for", "fig4", "--into", "x"], "fig4 needs no data folder: square comes with the package"),
        (["--for", "fig99", "--into", "x"], "no figure 'fig99'; the known ones are"),
        (["--for", "fig2"], "either the name of a data set, or --for FIGURE … --into DIR"),
        (["cifar10", "--into", "x"], "either the name"),
        (["cifar10", "--steps", "3"], "either the name"),
        ([], "either the name"),
        (["--for", "fig2", "--into", "x", "--seeds", "-1"], "the seed must be an integer of at least 0"),
        (["--for", "fig2", "--into", "x", "--set", "speed=3"], "no field 'speed'"),
    ],
)
def test_mistakes(
    words: list[str],
    message: str,
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", *words, "--any-data", "--data-dir", str(whole)]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("every", "asked", "measured"), [(50, True, True), (1, True, True), (50, False, False), (0, True, False)]
)
def test_figures_without_diagnostics_need_one_stream_of_batches(
    every: int, asked: bool, measured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = replace(catalogue.find("fig7"), diagnostics_every=every)
    streams: list[bool] = []
    said: list[str] = []

    def needed(*given: object, diagnostics: bool, sizes: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        streams.append(diagnostics)
        assert sizes == (900, 40)
        return np.arange(3), np.arange(2)

    monkeypatch.setattr(data_subset.catalogue, "find", lambda name: figure)
    whole = SimpleNamespace(train_inputs=range(900), test_inputs=range(40))
    monkeypatch.setattr(data_subset, "load_dataset", lambda *given, **more: whole)
    monkeypatch.setattr(data_subset, "needed_rows", needed)
    monkeypatch.setattr(data_subset, "write_subset", lambda data, rows, purposes, into: said.extend(purposes))
    export_subsets(["fig7"], tmp_path, seeds=[0, 2], steps=5, changes=CHANGES, diagnostics=asked)
    assert streams == [measured]
    (text,) = said
    assert "seeds 0, 2, up to step 5, " in text
    assert text.endswith("with diagnostics" if measured else "without diagnostics")


def test_a_whole_set_has_all_rows_and_no_run_needs_any() -> None:
    experiment = catalogue.EXPERIMENTS["mlp-digits"]
    whole: Any = object()  # nothing is asked of it
    data_subset.require_rows(whole, experiment, [0], 5, diagnostics=True)
    data_subset.require_rows(whole, experiment, [], 5, diagnostics=True)
