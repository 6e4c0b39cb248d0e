"""An experiment: everything that the numbers of a run depend on, but for the seed, the order and the last step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_type_hints

from contraction.arguments import check_choice, check_integer
from nn_experiments.training import choices
from nn_experiments.training.optimizers import Optimizer, Schedule

__all__ = ["Experiment", "changes_of", "plain_fields"]

#: Fields of an experiment that its numbers depend on. A run ID is a hash of them, of the data and of the batches.
DECIDING = (
    "data",
    "model",
    "activation",
    "initialisation",
    "scaling",
    "loss",
    "optimizer",
    "batch_size",
    "sampling",
    "dtype",
    "tf32",
    "train_evaluation",
    "test_evaluation",
)

#: Fields that were added later. They are part of the hash only if they are not None, so that older run IDs stay valid.
LATER = ("parts", "precision")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that the numbers of a run depend on, but for the seed, the order and the last step.

    Attributes
    ----------
    name
        The name on the command line; the numbers do not depend on it.
    data
        ``square``, ``cosine``, ``cube`` (the functions of Figures 4 to 6), ``digits``, ``fashion_mnist``,
        ``cifar10``, ``cifar100``.
    model
        ``mlp-LxW`` (L hidden layers of W), or a name from `nn_experiments.training.models`.
    activation, initialisation, scaling
        ``relu`` or ``tanh``; ``torch`` (U(−1/√fan_in, 1/√fan_in) for weights and biases), ``he_normal`` or
        ``glorot_uniform`` (zero biases); pixels in [0, 1] (``unit``) or standardised over the training
        set, channel by channel (``standard``).
    loss
        ``mse`` (mean over the batch of (f(x) − y)²) or ``cross_entropy``.
    optimizer
        The optimizer, with its learning rate and schedule.
    batch_size, sampling
        Images per batch, and how they are drawn. ``iid``: every image of every batch is drawn independently;
        ``reshuffle``: every epoch has a new permutation; ``shuffle_once``: every epoch has the same permutation.
    dtype, tf32
        Type of parameters and inputs, and whether a GPU may round products to TF32.
    train_evaluation, test_evaluation
        Number of images, the first in canonical order, on which losses and accuracies are computed (default: all).
    precision
        ``bf16``: convolutions and matrix products are computed in bfloat16 by torch's autocast, while parameters stay
        in float32 (default: None, as ``dtype`` and ``tf32`` say).
    parts
        c of appendix D, the number of small batches into which a batch is split (default: None, batches are not split).
    notes
        Field name -> the reason for its value, if the paper leaves it open.
    """

    name: str
    data: str
    model: str
    loss: str
    optimizer: Optimizer
    batch_size: int
    activation: str = "relu"
    initialisation: str = "torch"
    scaling: str = "unit"
    sampling: str = "iid"
    dtype: str = "float32"
    tf32: bool = False
    train_evaluation: int | None = None
    test_evaluation: int | None = None
    precision: str | None = None
    parts: int | None = None
    notes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice("loss", self.loss, choices.LOSSES)
        check_choice("sampling", self.sampling, choices.SAMPLING)
        check_choice("dtype", self.dtype, choices.DTYPES)
        check_choice("initialisation", self.initialisation, choices.INITIALISATIONS)
        check_choice("scaling", self.scaling, choices.SCALINGS)
        check_choice("activation", self.activation, choices.ACTIVATIONS)
        if self.precision is not None:
            check_choice("precision, unless it is none,", self.precision, choices.PRECISIONS)
            if self.dtype != "float32":
                raise ValueError(f"precision={self.precision} needs dtype=float32, got {self.dtype}")
        for name in ("batch_size", "train_evaluation", "test_evaluation", "parts"):
            value = getattr(self, name)
            if value is not None:
                check_integer(name, value, 1)
        if self.parts is not None and (self.parts < 2 or self.batch_size % self.parts):
            raise ValueError(f"a batch of {self.batch_size} cannot be split into {self.parts} equal parts")
        unknown = set(self.notes) - {f.name for f in dataclasses.fields(self)}
        if unknown:
            raise ValueError(f"notes on unknown fields: {', '.join(sorted(unknown))}")

    def to_json(self) -> dict[str, object]:
        """Return all fields as JSON-ready data."""
        fields: dict[str, object] = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**fields, "optimizer": self.optimizer.to_json(), "notes": dict(self.notes)}

    def decides(self) -> dict[str, object]:
        """Return the fields that the numbers depend on, as JSON-ready data."""
        everything = self.to_json()
        decides = {name: everything[name] for name in DECIDING}
        return decides | {name: everything[name] for name in LATER if everything[name] is not None}

    def override(self, changes: Mapping[str, str]) -> Experiment:
        """Return the experiment with fields set from text, as given on the command line.

        Parameters
        ----------
        changes : mapping of str to str
            Field -> value. Dotted names reach the optimizer and its schedule (``optimizer.learning_rate=0.01``,
            ``optimizer.schedule.kind=cosine``, ``optimizer.betas=0.9,0.99``); their prefix may be left out.

        Returns
        -------
        Experiment
            Of the same name.

        Raises
        ------
        ValueError
            If a field is unknown (the message lists the known ones), or a value is not allowed for its field.
        """
        direct = {name: kind for name, kind in _types(Experiment).items() if name not in ("name", "notes", "optimizer")}
        of_optimizer = {name: kind for name, kind in _types(Optimizer).items() if name != "schedule"}
        of_schedule = _types(Schedule)
        fields: dict[str, Any] = {}  # Any: what `_value` returns is of the field's type
        optimizer: dict[str, Any] = {}
        schedule: dict[str, Any] = {}
        for name, text in changes.items():
            short = name.removeprefix("optimizer.")
            last = short.removeprefix("schedule.")
            if name in direct:
                fields[name] = _value(direct[name], text, name)
            elif short in of_optimizer:
                optimizer[short] = _value(of_optimizer[short], text, name)
            elif last != short and last in of_schedule:
                schedule[last] = _value(of_schedule[last], text, name)
            else:
                inner = [*of_optimizer, *(f"schedule.{known}" for known in of_schedule)]
                known = ", ".join([*direct, *(f"optimizer.{known}" for known in inner)])
                raise ValueError(f"no field {name!r}; the known ones are {known}")
        if schedule:
            optimizer["schedule"] = dataclasses.replace(self.optimizer.schedule, **schedule)
        if optimizer:
            fields["optimizer"] = dataclasses.replace(self.optimizer, **optimizer)
        return dataclasses.replace(self, **fields)


def _types(settings: type) -> dict[str, type | UnionType]:
    """Return the name and type of every field of a dataclass, in order."""
    hints = get_type_hints(settings)
    return {field.name: hints[field.name] for field in dataclasses.fields(settings)}


def _value(kind: type | UnionType, text: str, name: str) -> object:
    """Return text from the command line as a value of a field's type."""
    options = get_args(kind)
    if NoneType in options:
        if text.lower() in ("none", "all"):
            return None
        (kind,) = (option for option in options if option is not NoneType)
    read = cast(Callable[[str], object], kind)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if get_args(kind):  # a tuple of numbers
            return tuple(float(part) for part in text.split(","))
        return read(text)
    except (KeyError, ValueError):
        shown = kind.__name__ if isinstance(kind, type) else kind
        raise ValueError(f"{name} is of type {shown}, got {text!r}") from None


def plain_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Return an experiment's fields (as JSON) in one dictionary with those of its optimizer and schedule."""
    flat = dict(fields)
    for name, begin in (("optimizer", ""), ("schedule", "schedule.")):
        if isinstance(inner := flat.get(name), Mapping):  # it is on disk, and may be anything
            del flat[name]
            flat |= {f"{begin}{key}": value for key, value in inner.items()}
    return flat


def changes_of(words: Iterable[str]) -> dict[str, str]:
    """Return field -> value for words such as ``batch_size=32``, the values of ``--set`` on the command line.

    Raises
    ------
    ValueError
        If a word has no equals sign.

    Examples
    --------
    >>> changes_of(["batch_size=32", "optimizer.betas=0.9,0.99"])
    {'batch_size': '32', 'optimizer.betas': '0.9,0.99'}
    """
    pairs = [word.partition("=") for word in words]
    if missing := [name for name, equals, _ in pairs if not equals]:
        raise ValueError(f"--set takes FIELD=VALUE, such as batch_size=32, got {missing[0]!r}")
    return {name: value for name, _, value in pairs}
