"""What the message about a failing model or loss says to change, for one pair of data on either side of each rule."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from contraction.maps.errors import TrainingInReverseError  # noqa: E402
from nn_experiments.training import calls  # noqa: E402
from nn_experiments.training.calls import Broadcasts, CallFailed, kind_of, loss_of, no_broadcast  # noqa: E402

F32, F64, I32, I64 = torch.float32, torch.float64, torch.int32, torch.int64
META = torch.device("meta")
SHAPE = "The first axis of a batch counts its examples"


def zeros(*shape: int, dtype: torch.dtype = F32, device: Any = "cpu") -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device)


def assert_says(text: str, words: str) -> None:
    assert re.search(words, text), text


class TakesOne(nn.Module):
    """A forward pass of one required argument."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, x: Any, more: Any = None) -> Any:
        return x


class TakesTwo(TakesOne):
    """A forward pass of two required arguments."""

    def forward(self, x: Any, y: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("model", "inputs", "message", "words"),
    [
        (TakesOne(), zeros(4, 2), "anything", SHAPE),
        (
            TakesOne(),
            zeros(4, 2, dtype=F64),
            "anything",
            r"are float64 and the parameters float32.*x\.to\(torch\.float32",
        ),
        (TakesOne(), zeros(4, 2, dtype=I64), "anything", r"Layers on float32 parameters.*x\.to\(torch\.float32\)"),
        (TakesOne(), zeros(4, 2, dtype=I64), "a shape is wrong", SHAPE),
        (TakesOne(), zeros(4, 2, dtype=I64), "an index is out of range", SHAPE),
        (TakesOne(), zeros(4, 2, dtype=F64), "a shape is wrong", "are float64 and the parameters float32"),
        (TakesOne(), zeros(4, 2, device=META), "anything", r"are on meta and the parameters on cpu: move one"),
        (TakesOne(), zeros(4, 2, dtype=F64, device=META), "anything", "are on meta and the parameters on cpu"),
        (nn.Identity(), zeros(4, 2), "anything", "^$"),
        (TakesOne(), "text", "anything", "^$"),
        (TakesOne(), (zeros(4), zeros(4)), "anything", r"given the tuple as one argument.*model\(\*inputs\)"),
        (TakesOne(), [zeros(4)], "anything", r"given the list as one argument.*model\(\*inputs\)"),
        (TakesOne(), {"other": zeros(4)}, "anything", r"given the dict as one argument.*model\(\*\*inputs\)"),
        (TakesTwo(), (zeros(4), zeros(4)), "anything", "^$"),
        (TakesTwo(), {"x": zeros(4), "y": zeros(4)}, "anything", "^$"),
    ],
    ids=[
        "right type",
        "double",
        "integers",
        "integers, shape",
        "integers, index",
        "double, shape",
        "elsewhere",
        "elsewhere and double",
        "no parameters",
        "no tensor",
        "tuple",
        "list",
        "dict",
        "two arguments",
        "two names",
    ],
)
def test_what_to_change_if_the_model_fails(model: nn.Module, inputs: object, message: str, words: str) -> None:
    text = calls._on_inputs(model, inputs, message)
    assert_says(text, words)


@pytest.mark.parametrize(
    ("outputs", "targets", "error", "words"),
    [
        (zeros(4, 3), zeros(4, dtype=I64), IndexError(), "Classes are integers 0, 1, …, C − 1"),
        (zeros(4, 3), zeros(4, dtype=I64), RuntimeError(), "A loss of numbers takes both in one type"),
        (zeros(4, 3), zeros(4), IndexError(), r"A loss of classes takes them as int64: y\.long\(\)"),
        (zeros(4, 1), zeros(4), IndexError(), r"Give both one shape: targets y\.reshape\(-1, 1\)"),
        (zeros(4, 2, 3), zeros(4, 6), RuntimeError(), r"Give both one shape: targets y\.reshape\(-1, 2, 3\)"),
        (zeros(4), zeros(4, 1), RuntimeError(), r"Give both one shape: targets y\.reshape\(-1\)"),
        (zeros(4, 3), zeros(4), RuntimeError(), r"A loss of classes takes them as int64: y\.long\(\)"),
        (zeros(4, 3), zeros(4, dtype=I32), RuntimeError(), r"A loss of classes takes them as int64: y\.long\(\)"),
        (zeros(4, 3), zeros(4, 1, dtype=I64), RuntimeError(), r"without an axis of their own: y\.squeeze\(-1\)"),
        (zeros(4, 5, 3), zeros(4, 5, 1, dtype=I64), RuntimeError(), r"without an axis of their own: y\.squeeze\(-1\)"),
        (zeros(4, 3), zeros(4, 2, dtype=I64), RuntimeError(), r"takes both in one type: y\.to\(torch\.float32\)"),
        (zeros(4, 3), zeros(4, 3, dtype=F64), RuntimeError(), r"takes both in one type: y\.to\(torch\.float32\)"),
        (zeros(4, 3), zeros(4, 3), RuntimeError(), "^$"),
        (zeros(4, 3), zeros(4, 2), RuntimeError(), "^$"),
        (zeros(4, 3), zeros(4, device=META), RuntimeError(), "The outputs are on cpu and the targets on meta"),
        (zeros(4, 3), None, RuntimeError(), "^$"),
        ((zeros(4, 3),), zeros(4), RuntimeError(), "^$"),
    ],
    ids=[
        "class out of range",
        "another error of classes",
        "numbers and an index",
        "column",
        "flat targets",
        "flat outputs",
        "classes as numbers",
        "classes as int32",
        "classes in a column",
        "many classes in a column",
        "other integers",
        "double",
        "nothing is seen",
        "other shapes",
        "elsewhere",
        "no targets",
        "a tuple of outputs",
    ],
)
def test_what_to_change_if_the_loss_fails(outputs: object, targets: object, error: Exception, words: str) -> None:
    assert_says(calls._on_targets(outputs, targets, error), words)


class Raises(nn.Module):
    """Raises an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: object) -> object:
        raise self.error


def raised(model: nn.Module, loss: Any, index: int | None = None) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is, is what is tested
        loss_of(model, loss, zeros(4, 2), zeros(4, 3, dtype=I64), index)
    return caught.value


def fails_with(error: Exception) -> Any:
    def loss(outputs: object, targets: object) -> object:
        raise error

    return loss


@pytest.mark.parametrize("of", ["model", "loss"])
@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (TrainingInReverseError("ours"), True),
        (torch.OutOfMemoryError("full"), True),
        (RuntimeError("theirs"), False),
        (TypeError("theirs"), False),
        (ValueError("missing 1 required positional argument: 'x'"), False),
        (TypeError("missing 1 required positional argument: 'x'"), "of the model"),
    ],
    ids=["ours", "memory", "other", "type", "value", "arguments"],
)
def test_which_errors_are_put_into_other_words(of: str, error: Exception, passes: object) -> None:
    """What this package says itself, and memory that ran out; and how many arguments a forward pass takes."""
    found = raised(Raises(error), nn.functional.mse_loss) if of == "model" else raised(nn.Identity(), fails_with(error))
    if passes is True or (passes and of == "model"):
        assert found is error
    else:
        assert type(found) is CallFailed
        assert found.__cause__ is error
    if of == "model":
        return
    for other in (
        calls.transform_failed(error),
        calls.function_failed("the rule", error, "Give another."),
        calls.metric_failed("x", error),
    ):
        assert (other is error) == (passes is True)
        assert other is error or type(other) is CallFailed


def test_the_texts_of_failures() -> None:
    """Which call, the data with their shapes, the number of the batch if it is known, the first line, the remedy."""
    error = RuntimeError("  first line.\nsecond line")
    assert str(raised(Raises(error), None)) == "the model fails on inputs (4, 2) float32: RuntimeError: first line"
    assert str(raised(nn.Identity(), fails_with(error), 7)) == (
        "the loss fails on outputs (4, 2) float32 and targets (4, 3) int64 of batch 7: RuntimeError: first line. "
        "A loss of numbers takes both in one type: y.to(torch.float32)"
    )
    assert str(raised(Raises(KeyError()), None, 0)).startswith("the model fails on inputs (4, 2) float32 of batch 0:")
    assert str(calls.function_failed("it fails", ValueError(""), "Rule.")) == "it fails: ValueError: no message. Rule."


def test_data_are_shown_by_shapes_and_types() -> None:
    tree = {"a": (zeros(2, 3), 5), "b": [zeros(dtype=F64)]}
    assert kind_of(tree) == "a: 0: (2, 3) float32, a: 1: int, b: 0: () float64"
    assert kind_of(()) == "an empty tuple"
    assert kind_of("x") == "str"


def within(loss: Any, *shapes: tuple[int, ...]) -> list[str]:
    """Compute a loss where broadcasts are refused; return what has been done."""
    done = []
    with no_broadcast():
        loss(*(zeros(*shape) for shape in shapes))
        done.append("after the loss")
    return done


def test_broadcasts_are_refused_and_other_warnings_given_again() -> None:
    def warning(outputs: torch.Tensor, targets: torch.Tensor) -> None:
        warnings.warn("mind the step", stacklevel=1)
        nn.functional.mse_loss(outputs, targets)

    mse = nn.functional.mse_loss
    with pytest.raises(Broadcasts, match=r"target: a target size \(torch\.Size\(\[4\]\)\)"):
        within(mse, (4, 1), (4,))
    assert within(mse, (4, 1), (4, 1)) == ["after the loss"]
    with pytest.warns(UserWarning, match="mind the step") as caught:
        assert within(warning, (4, 1), (4, 1)) == ["after the loss"]
    assert [str(one.message) for one in caught] == ["mind the step"]
