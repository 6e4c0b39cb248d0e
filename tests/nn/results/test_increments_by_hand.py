"""Files of increments: what is joined, added up and compared, on two draws of two iterates."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from nn_experiments.results.increments import (
    INDEPENDENT,
    Increments,
    UnreadableIncrements,
    check_keeps,
    check_same_settings,
    joined,
    load_increments,
)

SETTINGS = {
    "name": "e",
    "model": "m",
    "batch_size": 4,
    "optimizer": {"method": "sgd", "schedule": {"kind": "constant"}},
    "notes": {"a": 1},
}
STARTS = ("θ0", "1 ahead", INDEPENDENT)


def measured(*draws: int, **about: object) -> Increments:
    """Return increments whose numbers say of which draw they are."""
    numbers = np.array(draws, float)[:, None, None] + np.arange(6.0).reshape(2, 3) / 8
    names = ("parameter", "function", "norm", "loss", "accuracy")
    arrays = {name: 10.0 * k + numbers for k, name in enumerate(names)}
    metadata = {
        "experiment": SETTINGS,
        "fingerprint": "f",
        "images": 5,
        "chains": 3,
        "seconds": 0.5,
        "revision": "one",
    } | about
    return Increments(np.array(draws), np.array([0, 9]), STARTS, metadata=metadata, **arrays)


def test_joined_draws_stand_one_after_the_other() -> None:
    """Chains and seconds are added up, each revision is named once, and all else is that of the first."""
    parts = [measured(4, 2), measured(7, chains=5, seconds=0.25, revision="two", device="b"), measured(1)]
    whole = joined(parts)
    assert whole.draws.tolist() == [4, 2, 7, 1]
    for name in ("parameter", "function", "norm", "loss", "accuracy"):
        assert np.array_equal(getattr(whole, name), getattr(measured(4, 2, 7, 1), name))
    assert (whole.at.tolist(), whole.starts) == ([0, 9], STARTS)
    assert whole.metadata == {**parts[0].metadata, "chains": 11, "seconds": 1.25, "revision": "one, two"}
    assert joined([measured(3)]) == measured(3)
    assert whole.experiment == "e"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"metadata": {"experiment": SETTINGS | {"batch_size": 5}}}, "experiment"),
        ({"metadata": {"fingerprint": "g"}}, "fingerprint"),
        ({"metadata": {"images": 6}}, "images"),
        ({"at": np.array([0, 8])}, "iterates"),
        ({"starts": ("θ0", "2 ahead", INDEPENDENT)}, "starts"),
        ({"at": np.array([0, 8]), "starts": ("θ0", "2 ahead", INDEPENDENT)}, "iterates, starts"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_draws_of_other_settings_are_named(change: dict, named: str) -> None:
    other = measured(2)
    change = {**change, "metadata": {**other.metadata, **change.get("metadata", {})}}
    with pytest.raises(ValueError, match=f"these differ: {named}$"):
        joined([measured(0), measured(1), dataclasses.replace(other, **change)])


def test_a_draw_is_joined_once_and_nothing_is_no_result() -> None:
    with pytest.raises(ValueError, match=r"a draw can be joined once, got the draws \[1, 2, 1\]"):
        joined([measured(1, 2), measured(1)])
    with pytest.raises(ValueError, match="there must be increments to join, got none"):
        joined([])


def test_a_file_comes_back_as_it_was(tmp_path: Path) -> None:
    one = measured(1, 3)
    one.save(tmp_path / "one.npz")
    assert load_increments(tmp_path / "one.npz") == one
    (tmp_path / "two.npz").write_bytes(b"something else")
    with pytest.raises(UnreadableIncrements, match="does not hold increments"):
        load_increments(tmp_path / "two.npz")
    with pytest.raises(UnreadableIncrements, match="is a folder"):
        load_increments(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"notes": {"a": 2}}, None),
        ({"new": 5}, None),  # a setting that the file does not know
        ({"batch_size": 8}, "batch_size is 4 there and 8 here"),
        (
            {"optimizer": {"method": "sgd", "schedule": {"kind": "cosine"}}},
            'schedule.kind is "constant" there and "cosine"',
        ),
        ({"name": "f", "batch_size": 8}, 'name is "e" there and "f" here; batch_size is 4 there and 8 here'),
    ],
    ids=["same", "notes", "new", "one", "inside", "two"],
)
def test_increments_of_other_settings_are_not_replaced(change: dict, message: str | None, tmp_path: Path) -> None:
    path = tmp_path / "one.npz"
    check_same_settings(path, SETTINGS | change)  # the file does not exist yet
    measured(0).save(path)
    if message is None:
        check_same_settings(path, SETTINGS | change)
        return
    with pytest.raises(ValueError, match="holds increments of other settings") as caught:
        check_same_settings(path, SETTINGS | change)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("draws", "at", "starts", "lost"),
    [
        ([2], [0, 9], STARTS, "1 draws (4)"),
        ([1], [0, 9], STARTS, "2 draws (4 to 2)"),
        ([2, 4], [0, 8], STARTS, "1 steps (9)"),
        ([2, 4], [3], STARTS, "2 steps (0 to 9)"),
        ([2, 4], [0, 9], ("θ0", "2 ahead", INDEPENDENT), "1 starts (1 ahead)"),
        ([4], [0], STARTS, "1 draws (2), 1 steps (9)"),
    ],
    ids=["a draw", "both draws", "a step", "both steps", "a start", "a draw and a step"],
)
def test_a_file_is_not_replaced_by_less_than_it_holds(
    draws: list[int], at: list[int], starts: tuple[str, ...], lost: str, tmp_path: Path
) -> None:
    path = tmp_path / "increments-e.npz"
    check_keeps(path, draws, at, starts)  # there is no file yet
    measured(4, 2).save(path)
    with pytest.raises(ValueError, match="would lose what was measured") as refused:
        check_keeps(path, draws, at, starts)
    assert f": {lost}. Nothing was written" in str(refused.value)
    assert str(path) in str(refused.value)
    check_keeps(path, [4, 2], [0, 9], STARTS)
    check_keeps(path, range(8), range(10), ("θ0", "1 ahead", "10 ahead", "nudged", INDEPENDENT))
