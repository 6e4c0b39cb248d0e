"""The paper's network experiments as data (no torch): experiments are what is run, figures are views on them.

Fields marked "left open" in an experiment's notes are choices that the paper does not state; all of them can
be varied from the command line (``--set scaling=standard``), which makes another identity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nn_experiments.paper import curve_names, figures
from nn_experiments.training import choices
from nn_experiments.training.choices import check_choice
from nn_experiments.training.optimizers import Optimizer, Schedule

__all__ = ["EXPERIMENTS", "FIGURES", "Experiment", "Figure", "find", "plain_fields"]

#: Fields of an experiment that decide its numbers: what an identity is a hash of (with data and batches).
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

#: Fields that came later and decide only where they are given, so that older identities stay what they are.
LATER = ("parts", "precision")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that decides the numbers of a run, but the seed, the order and how far it goes.

    Attributes
    ----------
    name
        What it is called on the command line; decides nothing.
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
    batch_size, sampling
        ``iid``: every image of every batch drawn independently; ``reshuffle``: a new permutation each epoch;
        ``shuffle_once``: one permutation repeated.
    dtype, tf32
        Precision of parameters and inputs, and whether a GPU may round products to TF32.
    train_evaluation, test_evaluation
        How many images (the first in canonical order) losses and accuracies are computed on; None for all.
    precision
        ``bf16``: convolutions and matrix products in bfloat16 (torch's autocast; parameters stay float32); None:
        as ``dtype`` and ``tf32`` say.
    parts
        c of appendix D: how many small batches a batch is cut into; None where nothing is cut.
    notes
        Field name -> why this value, where the paper leaves it open.
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
        check_choice("loss", self.loss, choices.LOSSES)
        check_choice("sampling", self.sampling, choices.SAMPLING)
        check_choice("dtype", self.dtype, choices.DTYPES)
        check_choice("initialisation", self.initialisation, choices.INITIALISATIONS)
        check_choice("scaling", self.scaling, choices.SCALINGS)
        check_choice("activation", self.activation, choices.ACTIVATIONS)
        if self.precision is not None:
            check_choice("precision", self.precision, choices.PRECISIONS)
            if self.dtype != "float32":
                raise ValueError(f"precision={self.precision} needs dtype=float32, got {self.dtype}")
        for name in ("batch_size", "train_evaluation", "test_evaluation", "parts"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
        if self.parts is not None and (self.parts < 2 or self.batch_size % self.parts):
            raise ValueError(f"a batch of {self.batch_size} cannot be cut into {self.parts} equal parts")
        unknown = set(self.notes) - {f.name for f in dataclasses.fields(self)}
        if unknown:
            raise ValueError(f"notes on unknown fields: {', '.join(sorted(unknown))}")

    def to_json(self) -> dict[str, Any]:
        """Return all fields as plain JSON."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return fields | {"optimizer": self.optimizer.to_json(), "notes": dict(self.notes)}

    def decides(self) -> dict[str, Any]:
        """Return the fields that decide the numbers, as plain JSON."""
        everything = self.to_json()
        decides = {name: everything[name] for name in DECIDING}
        return decides | {name: everything[name] for name in LATER if everything[name] is not None}

    def override(self, changes: Mapping[str, str]) -> Experiment:
        """Return the experiment with fields set from text, as given on the command line.

        Dotted names reach the optimizer and its schedule (``optimizer.learning_rate=0.01``,
        ``optimizer.schedule.kind=cosine``, ``optimizer.betas=0.9,0.99``).

        Raises
        ------
        ValueError
            For an unknown field, with the known ones, or a value that the field refuses.
        """
        plain = {f.name: f for f in dataclasses.fields(self) if f.name not in ("name", "notes", "optimizer")}
        changed: dict[str, Any] = {}
        inner: dict[str, Any] = {}
        shape: dict[str, Any] = {}
        rates = {f.name: f for f in dataclasses.fields(Optimizer) if f.name != "schedule"}
        shapes = {f"schedule.{f.name}": f for f in dataclasses.fields(Schedule)}
        for name, text in changes.items():
            short = name.removeprefix("optimizer.")
            if name in plain:
                changed[name] = _read(str(plain[name].type), text, name)
            elif short in rates:
                inner[short] = _read(str(rates[short].type), text, name)
            elif short in shapes:
                shape[shapes[short].name] = _read(str(shapes[short].type), text, name)
            else:
                known = [*plain, *(f"optimizer.{field}" for field in (*rates, *shapes))]
                raise ValueError(f"no field {name!r}; the known ones are {', '.join(known)}")
        if shape:
            inner["schedule"] = dataclasses.replace(self.optimizer.schedule, **shape)
        if inner:
            changed["optimizer"] = dataclasses.replace(self.optimizer, **inner)
        return dataclasses.replace(self, **changed)


def _read(kind: str, text: str, name: str) -> Any:
    try:
        if "None" in kind and text.lower() in ("none", "all"):
            return None
        if kind == "bool":
            return {"true": True, "false": False}[text.lower()]
        if kind.startswith("int"):
            return int(text)
        if kind.startswith("tuple"):
            return tuple(float(part) for part in text.split(","))
        return float(text) if kind.startswith("float") else text
    except (KeyError, ValueError):
        raise ValueError(f"{name} is of type {kind}, got {text!r}") from None


def plain_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return an experiment's fields (as JSON) with those of the optimizer and its schedule among them."""
    flat = dict(fields)
    flat |= flat.pop("optimizer", {})
    return flat | {f"schedule.{key}": value for key, value in flat.pop("schedule", {}).items()}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A view on an experiment: which curves of it a figure of the paper shows.

    Attributes
    ----------
    name, title, section
        ``fig4``, a short title, and where in the paper it is.
    experiment
        Name of the experiment in `EXPERIMENTS`.
    steps, every
        Length of the curves and the grid of iterates that are recorded by default.
    orders
        Variants drawn in the paper's figure (see `nn_experiments.paper.curve_names`); the first is the reference.
    baselines
        Variants that we add in the same axes, at their true cost in gradients.
    seeds
        Seeds of the paper's figure: how many it has; the numbers are ours.
    metrics
        Metrics of the picture's columns, left to right; each row is one seed.
    diagnostics_every
        The coarser grid of increments, couplings and gradient norms; 0 for none.
    compared_at
        Steps fixed beforehand, at which seeds are compared by the exact paired sign-flip test.
    window
        Number of last iterates that variability along a path is judged on.
    claim
        The paper's sentence, verbatim.
    reduced
        What a laptop can do of it (``run fig2 --reduced``), always labelled as reduced: ``steps``, ``every``,
        ``seeds``, and ``set``, the fields of the experiment that differ. Empty where the whole figure is cheap.
    at_least
        Steps below which results of the same experiment say nothing about this figure.
    """

    name: str
    title: str
    section: str
    experiment: str
    steps: int
    orders: tuple[str, ...]
    claim: str
    metrics: tuple[str, ...]
    every: int = 1
    baselines: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    diagnostics_every: int = 100
    compared_at: tuple[int, ...] = ()
    window: int = 200
    reduced: Mapping[str, Any] = field(default_factory=dict, hash=False)
    at_least: int = 0

    def __post_init__(self) -> None:
        for name in self.all_orders:
            if curve_names.parse(name).name != name:
                raise ValueError(f"the canonical name of order {name!r} is {curve_names.parse(name).name!r}")
        if self.steps < 1 or self.every < 1 or any(not 0 < n <= self.steps for n in self.compared_at):
            raise ValueError(f"{self.name}: steps, every and compared_at do not fit together")

    def smaller(self) -> tuple[Figure, dict[str, str]]:
        """Return the reduced form, and the fields of its experiment that differ (see `Experiment.override`).

        Raises
        ------
        ValueError
            If the figure has none.
        """
        if not self.reduced:
            known = ", ".join(name for name, figure in FIGURES.items() if figure.reduced)
            raise ValueError(f"{self.name} has no reduced form (set --seeds, --steps, --every); {known} have")
        own = {name: value for name, value in self.reduced.items() if name != "set"}
        kept = tuple(n for n in self.compared_at if n <= own["steps"])
        return dataclasses.replace(self, **own, compared_at=kept, diagnostics_every=own["steps"] // 5), {
            **self.reduced["set"]
        }

    @property
    def all_orders(self) -> tuple[str, ...]:
        """The figure's orders and our baselines."""
        return self.orders + self.baselines


def _experiments() -> dict[str, Experiment]:
    rows: list[dict[str, Any]] = [dict(row) for row in figures.EXPERIMENTS]
    entries = [Experiment(optimizer=Optimizer(learning_rate=row.pop("optimizer")), **row) for row in rows]
    return {entry.name: entry for entry in entries}


EXPERIMENTS: dict[str, Experiment] = _experiments()
FIGURES: dict[str, Figure] = {row["name"]: Figure(**row) for row in figures.FIGURES}


def find(name: str) -> Figure:
    """Return a figure by name (``fig4`` or ``4``).

    Raises
    ------
    ValueError
        If there is none, with the known names.
    """
    key = f"fig{name}" if name.isdigit() else name
    if key not in FIGURES:
        raise ValueError(f"no figure {name!r}; the known ones are {', '.join(FIGURES)}")
    return FIGURES[key]
