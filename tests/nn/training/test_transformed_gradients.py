"""What a transform of gradients is given, what becomes of what it returns, and what it may not return."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training.calls import CallFailed  # noqa: E402
from nn_experiments.training.transforms import apply_transform, check_transform, clip_norm  # noqa: E402

RULE = "the transform must return a dictionary with a gradient for each name that it is given"
KIND = f"{RULE}, of the same shape, dtype and device; that of b was (1,) float32 on cpu"


def parameters() -> dict[str, nn.Parameter]:
    """Return two parameters with gradients, and one without."""
    made = {name: nn.Parameter(torch.zeros(size)) for name, size in (("a", 2), ("b", 1), ("none", 3))}
    made["a"].grad, made["b"].grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
    return made


@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_gradients_are_replaced_by_what_is_returned(kind: type) -> None:
    """Without recording, and without the parameters that have none."""
    held, given = parameters(), []

    def transform(gradients: dict[str, torch.Tensor]) -> Any:
        given.append((list(gradients), torch.is_grad_enabled()))
        return kind((name, 2 * slope + 1) for name, slope in reversed(gradients.items()))

    with torch.enable_grad():
        apply_transform(transform, held)
    assert given == [(["a", "b"], False)]
    assert held["a"].grad.tolist() == [7.0, 1.0]  # type: ignore[union-attr]
    assert held["b"].grad.tolist() == [9.0]  # type: ignore[union-attr]
    assert held["none"].grad is None


@pytest.mark.parametrize(
    ("transform", "error", "words"),
    [
        (lambda g: None, TypeError, f"{RULE}, got NoneType"),
        (lambda g: list(g.values()), TypeError, f"{RULE}, got list"),
        (lambda g: {"a": g["a"]}, ValueError, f"{RULE}; these names differ: b"),
        (lambda g: g | {"d": g["a"], "c": g["a"]}, ValueError, f"{RULE}; these names differ: c, d"),
        (lambda g: {"a": g["a"], "c": g["b"]}, ValueError, f"{RULE}; these names differ: b, c"),
        (lambda g: g | {"b": 4.0}, TypeError, f"{RULE}: a tensor; that of b is a float"),
        (lambda g: g | {"a": None}, TypeError, f"{RULE}: a tensor; that of a is a NoneType"),
        (
            lambda g: g | {"b": g["b"].reshape(1, 1)},
            ValueError,
            f"{KIND}, and is (1, 1) float32 on cpu",
        ),
        (
            lambda g: g | {"b": g["b"].double()},
            ValueError,
            f"{KIND}, and is (1,) float64 on cpu",
        ),
        (
            lambda g: g | {"b": g["b"].to("meta")},
            ValueError,
            f"{KIND}, and is (1,) float32 on meta",
        ),
        (lambda g: g["x"], CallFailed, "the transform fails: KeyError: 'x'. It is a function of the gradients"),
    ],
    ids=["nothing", "list", "one lacks", "two more", "renamed", "number", "None", "shape", "dtype", "device", "fails"],
)
def test_what_a_transform_may_not_return(transform: Callable, error: type[Exception], words: str) -> None:
    """The gradient of the first parameter is good in most of these."""
    with pytest.raises(error, match=f"^{re.escape(words)}"):
        apply_transform(transform, parameters())


def test_what_is_no_function_is_no_transform() -> None:
    for good in (None, clip_norm(1.0), dict):
        check_transform(good)
    for wrong in (1.0, "clip", {"a": 1}):
        with pytest.raises(TypeError, match=f"^the transform must be a function of .*; got {type(wrong).__name__}$"):
            check_transform(wrong)


def test_the_norm_of_all_gradients_together_is_clipped() -> None:
    """(3, 0) and (4) have the norm 5 together; half of it halves both, up to the 1e-6 that torch adds to the norm."""
    held = parameters()
    apply_transform(clip_norm(2.5), held)
    for name, value in (("a", [3.0, 0.0]), ("b", [4.0])):
        expected = torch.tensor(value) * (2.5 / (torch.tensor(5.0) + 1e-6))
        assert torch.equal(held[name].grad, expected)  # type: ignore[arg-type]
    held = parameters()
    apply_transform(clip_norm(2.0, float("inf")), held)  # the largest entry is 4
    assert held["a"].grad.tolist() == pytest.approx([1.5, 0.0], rel=1e-6)  # type: ignore[union-attr]
    held = parameters()
    apply_transform(clip_norm(6.0), held)
    assert held["b"].grad.tolist() == [4.0]  # type: ignore[union-attr]
