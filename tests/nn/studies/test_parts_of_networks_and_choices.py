"""Parts of two studies with what takes long replaced: which replicates a part has, which maps each path applies."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.studies import choices, networks  # noqa: E402
from nn_experiments.studies.choices import METRICS, POINTS, Choice  # noqa: E402
from nn_experiments.studies.networks import ARRAYS, Network  # noqa: E402

SETTING = Network("mlp-digits", 50, 20, {"model": "mlp-1x8", "activation": "gelu"})


def files_in(folder: Path) -> set[str]:
    """Return the files of a folder, from there on: those of a part keep it for a study that is stopped."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def diagnosed(asked: list[tuple[int, int]], *, without: int | None = None) -> Any:
    """Return what stands for a diagnosis: numbers that say of which replicate they are; one has no derivatives."""

    def diagnose(experiment: Any, *, steps: int, replicates: int, seed: int, data_dir: Any) -> Any:
        asked.append((seed, replicates))
        arrays = dict.fromkeys(ARRAYS, np.arange(seed, seed + replicates))
        arrays |= {"n": np.array([0, steps])}
        if seed == without:
            arrays |= {"derivative": np.empty(0)}
        return SimpleNamespace(measured=SimpleNamespace(**arrays, lag=7, eps=0.25, derivative_by="pairs"))

    return diagnose


@pytest.mark.parametrize("seeds", [*range(2, 15), 20, 21, 99, None])
def test_parts_have_four_replicates_and_the_last_from_two_to_five(
    seeds: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(networks, "diagnose_experiment", diagnosed(asked))
    lines: list[str] = []
    study = networks.run(tmp_path, seeds=seeds, settings=(SETTING,), report=lines.append)
    count = min(20, 20 if seeds is None else seeds)
    place = "networks.parts/mlp-digits--model=mlp-1x8--activation=gelu"
    assert files_in(tmp_path) == {f"{place}-{first}-to-{first + size - 1}.npz" for first, size in asked}
    assert networks.PART == 4
    assert [first for first, _ in asked] == list(range(0, 4 * len(asked), 4))
    assert all(size == 4 for _, size in asked[:-1])
    assert 2 <= asked[-1][1] <= 5
    assert sum(size for _, size in asked) == count
    assert lines == [f"{SETTING.name}: replicates {k} to {k + size - 1}" for k, size in asked]
    for key in ARRAYS:
        assert study[f"{key} 0"].tolist() == ([0, 50] if key == "n" else list(range(count)))
    described = {"replicates": count, "lag": 7, "eps": 0.25, "derivative_by": "pairs"}
    assert study.about["settings"] == [SETTING.to_json() | described]


def test_two_replicates_are_needed_and_others_are_not_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(networks, "diagnose_experiment", diagnosed(asked))
    for setting, seeds in ((SETTING, 1), (SETTING, 0), (Network("mlp-digits", 50, 1), None)):
        with pytest.raises(ValueError, match=f"at least 2 replicates, got {1 if seeds is None else seeds}"):
            networks.run(tmp_path, seeds=seeds, settings=(setting,))
    assert asked == []


@pytest.mark.parametrize("without", [None, 0, 4])
def test_derivatives_are_kept_where_every_part_has_them(
    without: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interval over some of the replicates would be another one."""
    monkeypatch.setattr(networks, "diagnose_experiment", diagnosed([], without=without))
    study = networks.run(tmp_path, seeds=8, settings=(SETTING, Network("mlp-digits", 60, 20)))
    for k in (0, 1):
        assert study[f"derivative {k}"].tolist() == (list(range(8)) if without is None else [])
        assert study[f"pairs {k}"].tolist() == list(range(8))
    assert study["n 1"].tolist() == [0, 60]


def test_a_setting_is_named_by_its_changes_and_is_plain_data() -> None:
    assert SETTING.name == "mlp-digits, model=mlp-1x8, activation=gelu"
    changes = {"model": "mlp-1x8", "activation": "gelu"}
    assert SETTING.to_json() == {"name": SETTING.name, "experiment": "mlp-digits", "steps": 50, "changes": changes}
    assert Network("a", 5) == Network("a", 5, 20, {})
    choice = Choice("a", 100, 5, {"x": "1", "y": "2"})
    assert (choice.name, Choice("a", 100, 5).name) == ("a, x=1, y=2", "a")
    assert choice.at == list(range(5, 101, 5))
    assert Choice("a", 100, 2).at == list(range(62, 101, 2))
    assert choice.to_json() == {
        "name": "a, x=1, y=2",
        "experiment": "a",
        "steps": 100,
        "every": 5,
        "changes": {"x": "1", "y": "2"},
    }


class Words:
    """A kernel whose states are the maps that have been applied; it checks the position of each."""

    def apply(self, state: tuple[int, ...], indices: Any, done: int) -> tuple[int, ...]:
        assert len(state) == done
        return (*state, *indices)


@pytest.mark.parametrize("statistics", [True, False])
def test_a_path_is_the_maps_in_their_order_with_statistics_and_without(
    statistics: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The losses are the first and the last map of a state; with other statistics they are negative."""
    seeds: list[int] = []

    class Refresh:
        names = ["mean"] if statistics else []

        def __init__(self, step: Any, batches: Any, count: int) -> None:
            assert (step, batches, count) == ("step", "batches", 50)

        def __call__(self, state: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(-i for i in state)

    def prepare(experiment: Any, seed: int, *, data_dir: Any) -> Any:
        seeds.append(seed)
        return SimpleNamespace(
            step="step",
            batches="batches",
            state0=(),
            kernel=lambda curve, engine: Words(),
            evaluation=lambda state, *none: {"train_loss": state[0], "test_loss": state[-1]},
        )

    monkeypatch.setattr(choices, "prepare", prepare)
    monkeypatch.setattr(choices, "StatisticsRefresh", Refresh)
    settings = (Choice("mlp-digits", 2 * POINTS + 1, 2), Choice("mlp-digits", POINTS + 5, 1, {"sampling": "reshuffle"}))
    lines: list[str] = []
    study = choices.run(tmp_path, seeds=3, settings=settings, report=lines.append)
    assert seeds == [0, 1, 2] * 2
    assert lines == [f"{one.name}, seed {seed}" for one in settings for seed in range(3)]
    assert study["paths"].shape == (2, 2, 3, POINTS, len(METRICS)) == (2, 2, 3, 20, 4)
    for k, setting in enumerate(settings):
        at = np.array(setting.at)
        assert study["n"][k].tolist() == setting.at
        first, last = np.ones(POINTS), at
        for row, (train, test) in enumerate(((first, last), (last, first))):  # forward, and backward
            again = (-train, -test) if statistics else (np.full(POINTS, np.nan),) * 2
            expected = np.stack([train, test, *again], -1)
            for seed in range(3):
                assert np.array_equal(study["paths"][k, row, seed], expected, equal_nan=True)
    names = ("mlp-digits", "mlp-digits--sampling=reshuffle")
    assert files_in(tmp_path) == {f"choices.parts/{name}-{seed}.npz" for name in names for seed in range(3)}
    assert study.about["seeds"] == 3
    assert study.about["refresh"] == 50
    seeds.clear()
    choices.run(tmp_path, seeds=4, settings=settings)
    assert seeds == [3, 3]  # parts that there are, are read
