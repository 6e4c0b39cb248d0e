"""Functions of the user are taken if they can be called with the arguments that they will be given, and only then."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.training.signatures import check_is_step, check_takes  # noqa: E402


class Called:
    """An object that can be called with two arguments."""

    def __call__(self, a: object, b: object) -> None:
        """Do nothing."""

    def one(self, a: object) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("function", "counts"),
    [
        (lambda: 0, {0}),
        (lambda a: 0, {1}),
        (lambda a, b=0: 0, {1, 2}),
        (lambda *a: 0, {0, 1, 2, 3}),
        (lambda a, *, b=0: 0, {1}),
        (lambda a, *, b: 0, set()),
        (functools.partial(lambda a, b: 0, 1), {1}),
        (Called(), {2}),
        (Called().one, {1}),
        (Called, {0}),
        (dict.fromkeys, {1, 2}),
    ],
    ids=[
        "none",
        "one",
        "default",
        "any",
        "by name",
        "must be named",
        "partial",
        "object",
        "method",
        "class",
        "builtin",
    ],
)
def test_a_function_takes_so_many_arguments(function: Callable[..., object], counts: set[int]) -> None:
    for count in range(4):
        names = ["x", "y", "z"][:count]
        if count in counts:
            check_takes("rule", function, names)
        else:
            rule = rf"rule must be a function \({', '.join(names)}\); got one with the arguments \("
            with pytest.raises(TypeError, match=rule):
                check_takes("rule", function, names)


@pytest.mark.parametrize("value", [3, "f", None, [len]], ids=repr)
def test_what_cannot_be_called_is_named_by_its_type(value: object) -> None:
    with pytest.raises(TypeError, match=rf"rule must be a function \(x, y\); got {type(value).__name__}$"):
        check_takes("rule", value, ["x", "y"])


def test_a_function_without_a_known_signature_is_taken() -> None:
    """Python does not know that of ``max``; whatever it takes is seen when it is called."""
    for names in ([], ["x"], ["x", "y"]):
        check_takes("rule", max, names)


@pytest.mark.parametrize(
    ("step", "got"),
    [
        (torch.nn.Linear(1, 1), "got the module Linear$"),
        (torch.nn.Linear, "got the class Linear$"),
        (dict, "got the class dict$"),
        (lambda state, batch: None, r"got one with the arguments \(state, batch\)$"),
        (lambda state, batch, t, u: None, r"got one with the arguments \(state, batch, t, u\)$"),
        (3, "got int$"),
    ],
    ids=["module", "class of modules", "class", "two arguments", "four arguments", "number"],
)
def test_what_is_no_step(step: object, got: str) -> None:
    with pytest.raises(TypeError, match=rf"^step must be a function \(state, batch, t\).*{got}"):
        check_is_step(step)
    check_is_step(lambda state, batch, t: None)
    check_is_step(lambda state, batch, t, more=0: None)
