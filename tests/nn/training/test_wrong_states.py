"""States that do not fit the model are refused at the call, with the rule and the value in the message."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.training.states import Fits  # noqa: E402
from tests.nn.refusals import assert_refused  # noqa: E402

MODEL = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
LOSS = torch.nn.functional.mse_loss
BATCH = torch.ones(4, 2) * torch.arange(4.0)[:, None], torch.zeros(4, 1)
RIGHT = nne.initial_state(MODEL)


def step_of(kind: str):
    if kind == "own":
        return nne.TorchOptimizerStep(MODEL, LOSS, lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    sgd = torch.optim.SGD(MODEL.parameters(), lr=0.1)
    return nne.from_torch(MODEL, LOSS, sgd, form="loop" if kind == "loop" else "auto", check=False)[0]


STEPS = {kind: step_of(kind) for kind in ("pure", "loop", "own")}
CALLS: dict[str, Callable[[Any, Any], object]] = {
    "step": lambda step, state: step(state, BATCH, 1),
    "iterates": lambda step, state: nne.iterates(step, lambda i: BATCH, state, ct.Backward(), [1], {}),
    "state_at": lambda step, state: nne.state_at(step, lambda i: BATCH, state, ct.Backward(), 1),
    "limit, state0": lambda step, state: nne.limit(step, lambda i: BATCH, state, moved(), eps=1.0, max_maps=1),
    "limit, start": lambda step, state: nne.limit(step, lambda i: BATCH, moved(), state, eps=1.0, max_maps=1),
    "run": lambda step, state: nne.run(
        step, lambda i: BATCH, state, [ct.Backward()], at=[1], measure={"m": bias}, dry_run=True, out="never-written"
    ),
}


def bias(state: Any) -> torch.Tensor:
    return state["parameters"]["0.bias"].norm()


def moved() -> Any:
    return {**RIGHT, "parameters": {name: value + 1 for name, value in RIGHT["parameters"].items()}}


def changed(part: str, **tensors: Any) -> Any:
    """The right state with other tensors in a part; ``__`` in a name stands for the dot, None removes the tensor."""
    new = RIGHT[part] | {name.replace("__", "."): value for name, value in tensors.items()}
    return {**RIGHT, part: {name: value for name, value in new.items() if value is not None}}


GRAPH = torch.ones(3, requires_grad=True) * 2
WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "no parameters": ({**RIGHT, "parameters": {}}, ValueError, "has no parameters|lacks 0.weight, 0.bias"),
    "a tensor less": (changed("parameters", **{"0__bias": None}), ValueError, r"lacks 0\.bias of the model"),
    "a tensor more": (changed("parameters", zz=torch.ones(2)), ValueError, "has zz, and the model has no tensor of"),
    "a buffer less": (changed("buffers", **{"1__running_var": None}), ValueError, r"lacks 1\.running_var of the"),
    "a buffer more": (changed("buffers", zz=torch.ones(2)), ValueError, "has zz, and the model has no tensor of"),
    "a shape that broadcasts": (
        changed("parameters", **{"0__bias": torch.ones(1)}),
        ValueError,
        r"0\.bias has the shape \(1,\) in \w+( \w+)?, and \(3,\) in the model",
    ),
    "integers": (
        changed("parameters", **{"0__bias": torch.ones(3, dtype=torch.int64)}),
        TypeError,
        r"must be floating point numbers; 0\.bias has torch\.int64",
    ),
    "a list": (changed("parameters", **{"0__bias": [0.0] * 3}), TypeError, "must be a tensor, got list"),
    "no buffers": ({**RIGHT, "buffers": None}, TypeError, r"\['buffers'\] must be a dictionary .*; got None"),
    "tensors alone": (RIGHT["parameters"], TypeError, "must be a state, a dictionary"),
}


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("what", WRONG)
def test_a_state_that_does_not_fit_the_model_is_refused(what: str, call: str, kind: str) -> None:
    state, error, words = WRONG[what]
    with pytest.raises(error, match=words):
        CALLS[call](STEPS[kind], state)


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("call", CALLS)
def test_the_state_of_the_model_is_taken(call: str, kind: str) -> None:
    CALLS[call](STEPS[kind], RIGHT)


def test_what_autograd_recorded_is_refused() -> None:
    state = changed("parameters", **{"0__bias": GRAPH})
    with pytest.raises(ValueError, match=r"state0\['parameters'\]\['0.bias'\] is the result of a computation that aut"):
        CALLS["iterates"](STEPS["pure"], state)
    CALLS["iterates"](STEPS["pure"], changed("parameters", **{"0__bias": GRAPH.detach()}))


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("t", [0, -1, "1", 1.0, None, True])
def test_a_position_is_an_integer_from_1_on(t: Any, kind: str) -> None:
    with pytest.raises(ValueError, match="the position t of a step must be an integer of at least 1, got "):
        STEPS[kind](RIGHT, BATCH, t)
    STEPS[kind](RIGHT, BATCH, 1)


def test_a_parameter_that_is_not_trained_may_be_left_out_or_be_with_the_buffers() -> None:
    """As `from_torch` keeps it; a parameter with two names needs one of them."""
    model = torch.nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    step = nne.TrainingStep(model, LOSS, nne.Optimizer(learning_rate=0.1))
    weight, bias = {"weight": torch.ones(1, 2)}, {"bias": torch.ones(1)}
    for state in ({"parameters": weight}, {"parameters": weight, "buffers": bias}, {"parameters": weight | bias}):
        assert step(state, BATCH, 1)["parameters"].keys() == state["parameters"].keys()
    assert nne.initial_state(model, weight)["parameters"].keys() == {"weight"}
    with pytest.raises(ValueError, match="the state lacks weight of the model"):
        step({"parameters": bias}, BATCH, 1)
    tied = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    values = dict(tied.named_parameters())
    assert "1.weight" not in values
    assert nne.initial_state(tied, values)["parameters"].keys() == values.keys()


class Shared(torch.nn.Module):
    """A parameter, a parameter that is not trained and a buffer, each of which two modules have."""

    def __init__(self) -> None:
        super().__init__()
        self.p, self.still = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3), requires_grad=False)
        self.register_buffer("b", torch.ones(4))
        self.inner = torch.nn.Module()
        self.inner.p, self.inner.still = self.p, self.still
        self.inner.register_buffer("b", self.b)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    "names", list(itertools.product(["p", "inner.p", ""], ["still", "inner.still", ""], ["b", "inner.b", ""]))
)
def test_a_tensor_of_several_names_is_given_under_one_of_them(names: tuple[str, str, str], every: bool) -> None:
    """What is not trained may be left out, unless every parameter is needed."""
    p, still, b = names
    parameters = {name: torch.ones(size) for name, size in ((p, 2), (still, 3)) if name}
    state = {"parameters": parameters, "buffers": {b: torch.ones(4)} if b else {}}
    missing = [name for name, given in (("b", b), ("p", p), ("still", still or not every)) if not given]
    fits = Fits(Shared(), every=every)
    for _ in range(2):  # what is refused once is refused again
        if not missing:
            fits("start", state)
            continue
        with pytest.raises(ValueError, match=r"^start lacks ") as found:
            fits("start", state)
        listed = str(found.value).removeprefix("start lacks ").partition(" of the model")[0].split(", ")
        assert {name.removeprefix("inner.") for name in listed} == set(missing)


def test_a_state_that_fits_does_not_speak_for_another_one() -> None:
    """Whatever was checked last: names, shapes and types of parameters, and names and shapes of buffers."""
    fits = Fits(MODEL)
    for wrong in (
        changed("parameters", **{"0__bias": None}),
        changed("parameters", **{"0__bias": torch.ones(4)}),
        changed("parameters", **{"0__bias": torch.ones(3, dtype=torch.int32)}),
        changed("buffers", **{"1__running_var": torch.ones(1)}),
        changed("buffers", zz=torch.ones(3)),
    ):
        fits("start", RIGHT)
        for _ in range(2):
            with pytest.raises((TypeError, ValueError), match=r"0\.bias|1\.running_var|zz"):
                fits("start", wrong)
    fits("start", changed("buffers", **{"1__running_var": torch.ones(3, dtype=torch.int32)}))  # buffers may be integers
    fits("start", changed("parameters", **{"0__bias": torch.ones(3, dtype=torch.complex64)}))


def test_at_most_five_tensors_are_named() -> None:
    model = torch.nn.Sequential(*(torch.nn.Linear(1, 1, bias=False) for _ in range(7)))
    fits, whole = Fits(model), {f"{k}.weight": torch.ones(1, 1) for k in range(7)}
    for count, named in (
        (5, "2.weight, 3.weight, 4.weight, 5.weight, 6.weight"),
        (7, "0.weight, 1.weight, 2.weight, 3.weight, 4.weight"),
    ):
        with pytest.raises(ValueError, match=f"^start lacks {named} of the model"):
            fits("start", {"parameters": dict(list(whole.items())[: 7 - count])})
    more = {name: torch.ones(1) for name in "abcdefg"}
    with pytest.raises(ValueError, match=r"^start has a, b, c, d, e, and the model"):
        fits("start", {"parameters": whole | more})
    fits("start", {"parameters": whole})


ROWS: dict[str, tuple[Callable[[Any], object], Any, Any, type[Exception], str]] = {
    "initial_state of no module": (nne.initial_state, MODEL, None, TypeError, "must be a torch.nn.Module, got NoneTyp"),
    "initial_state with other names": (
        lambda p: nne.initial_state(MODEL, p),
        RIGHT["parameters"],
        RIGHT["parameters"] | {"zz": torch.ones(1)},
        ValueError,
        "parameters has zz, and the model has no tensor of that name",
    ),
    "initial_state with other shapes": (
        lambda p: nne.initial_state(MODEL, p),
        RIGHT["parameters"],
        RIGHT["parameters"] | {"0.bias": torch.ones(2, 2)},
        ValueError,
        r"0.bias has the shape \(2, 2\) in parameters, and \(3,\) in the model",
    ),
    "initial_state with a number": (
        lambda p: nne.initial_state(MODEL, p),
        RIGHT["parameters"],
        3,
        TypeError,
        r"parameters must be a dictionary \{name: tensor\}, got int",
    ),
    "initial_state with text": (
        lambda p: nne.initial_state(MODEL, p),
        RIGHT["parameters"],
        {"0.bias": "a"},
        TypeError,
        r"parameters\['0.bias'\] must be a tensor, got str",
    ),
    "state_dict of no module": (lambda m: nne.state_dict(m, RIGHT), MODEL, None, TypeError, "must be a torch.nn.Modul"),
    "state_dict of no state": (
        lambda s: nne.state_dict(MODEL, s),
        RIGHT,
        None,
        TypeError,
        "state must be a state, a d",
    ),
    "state_dict of a flat dictionary": (
        lambda s: nne.state_dict(MODEL, s),
        RIGHT,
        RIGHT["parameters"],
        TypeError,
        r"state must be a state, a dictionary \{'parameters': ",
    ),
    "TrainingStep of no module": (
        lambda m: nne.TrainingStep(m, LOSS, nne.Optimizer(learning_rate=0.1)),
        MODEL,
        None,
        TypeError,
        "the model must be a torch.nn.Module, got NoneType",
    ),
}


@pytest.mark.parametrize("what", ROWS)
def test_the_wrong_value_is_refused_and_the_right_one_is_taken(what: str) -> None:
    assert_refused(ROWS[what])
