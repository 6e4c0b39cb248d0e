"""The names of curves: iteration orders, baselines made from the forward path, and the steps of appendix D.

The name of a curve is also the name of its folder on disk and its label on the ``orders`` axis of `load`.

- Orders: ``forward``, ``backward``, ``reset-1000`` (several points: ``reset-500-1000``), ``late-1000``,
  ``windowed-100``.
- Baselines on the forward path: ``polyak`` (mean of iterates 1 … n), ``ema-0.99`` (exponential moving average) and
  ``decayed-100`` (learning rate h / (1 + (t − 1)/100)).
- Appendix D compares other steps on the forward path of an experiment whose batches have c parts: ``large`` (SGD on
  the whole batch at h/c), ``small`` (c steps on its parts at h/c) and ``regularised-2`` (D.2's order-averaging step at
  h with λ = 2h², the literal reading); ``forward`` is there SGD on the whole batch at h. Other readings of the paper's
  settings are ``regularised-2-hc`` (λ = 2h'², h' = h/c), ``regularised-2-derived`` (λ = 2·h'²/2) and
  ``regularised-2-h-hc`` (λ = 2h², and h' in place of h before V_B). ``single_order-2`` has the term of one order,
  Σ_{i>j} V_i'V_j, in place of the sum over all i ≠ j, with the same forms (``derived``: λ = 2·h'²).
- Runs of a user's network also have the averages ``suffix_mean-S`` and ``swa-S-K-R`` of the forward path, and the
  policies ``reset_if_better-METRIC-K`` and ``stop_when_settled-EPS``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TypeAlias

from contraction.maps.orders import Backward, Forward, Late, Order, Reset, Windowed, chain, map_applications
from nn_experiments.paper.curve_kinds import KINDS
from nn_experiments.training.averages import EMA, SWA, Average, Polyak, SuffixMean
from nn_experiments.training.policies import Policy, ResetIfBetter, StopWhenSettled

__all__ = [
    "Averaged",
    "Decayed",
    "Decided",
    "OrderCurve",
    "StepRule",
    "compares_steps",
    "every_iterate",
    "home",
    "label_of",
    "name_of",
    "parse",
    "rank",
    "step_label_of",
]


@dataclass(frozen=True)
class OrderCurve:
    """The iterates of an order, with the step of the experiment.

    Attributes
    ----------
    name
        Canonical name, used for folders and labels.
    order
        The iteration order that the maps are applied in.
    """

    name: str
    order: Order

    @property
    def price(self) -> float:
        """What a step costs, in plain steps on the same images."""
        return 1.0

    @property
    def baseline(self) -> bool:
        """Whether this is one of the baselines, not an iteration order or a step of the paper."""
        return isinstance(self, Averaged | Decayed)

    def depth(self, n: int) -> int:
        """Return the number of gradients that iterate n alone costs."""
        return map_applications(self.order, [n])

    def path_cost(self, at: Iterable[int]) -> int:
        """Return the number of gradients that all iterates ``at`` cost together, anchors included."""
        return sum(self._new_costs(at))

    def path_costs(self, at: Sequence[int]) -> list[int]:
        """Return, for each iterate of ``at``, the number of gradients that it and those before it cost together."""
        return list(accumulate(self._new_costs(at)))

    @cached_property
    def _links(self) -> dict[int, tuple[int, int]]:
        """Iterate -> its anchor and the length of its word, for the iterates whose cost was asked for so far."""
        return {}

    def _new_costs(self, at: Iterable[int]) -> Iterator[int]:
        """Yield, for each iterate of ``at``, the gradients that it costs where those before it are known.

        A run is cut into thousands of blocks, and the cost of each goes along its path from the beginning: the order
        itself is asked only once for each iterate.
        """
        links, known = self._links, {0}
        for n in at:
            links |= {m: (anchor, len(self.order.word(m))) for m, anchor in chain(self.order, n, links)}
            cost = 0
            while n not in known:
                known.add(n)
                n, length = links[n]
                cost += length
            yield cost


@dataclass(frozen=True)
class Averaged(OrderCurve):
    """An average of the forward iterates.

    Attributes
    ----------
    average
        The average.
    """

    average: Average


@dataclass(frozen=True)
class Decided(OrderCurve):
    """Iterates under a policy, which are computed in sequence; they follow ``order`` until the policy intervenes.

    Attributes
    ----------
    policy
        Decides during the run where words start, and where the run ends.
    """

    policy: Policy


@dataclass(frozen=True)
class Decayed(OrderCurve):
    """The forward iterates with the learning rate h / (1 + (t − 1)/tau).

    Attributes
    ----------
    tau
        Time constant, in steps.
    """

    tau: float

    def __post_init__(self) -> None:
        """Check tau."""
        if not (self.tau > 0 and math.isfinite(self.tau)):
            raise ValueError(f"tau of a decayed learning rate must be positive and finite, got {self.tau}")


@dataclass(frozen=True)
class StepRule(OrderCurve):
    """The forward iterates of a step of appendix D in place of the experiment's.

    Attributes
    ----------
    rule
        ``large``, ``small``, ``regularised`` or ``single_order``.
    multiple
        λ of the last two in its unit; None for the others.
    unit
        ``h``: λ is a multiple of h², as printed; ``hc``: of h'², h' = h/c; ``derived``: of the λ that the mean over all
        orders (or the one order) has to second order.
    rate
        Factor of V_B: ``h``, as printed, or ``hc``, which is h'.
    """

    rule: str
    multiple: float | None = None
    unit: str = "h"
    rate: str = "h"

    def __post_init__(self) -> None:
        """Check the multiple."""
        if self.multiple is not None and not (self.multiple >= 0 and math.isfinite(self.multiple)):
            raise ValueError(f"the multiple of h² must be at least 0 and finite, got {self.multiple}")
        if self.unit not in ("h", "hc", "derived") or self.rate not in ("h", "hc"):
            raise ValueError(f"λ is in units of h, hc or derived, and the rate h or hc; got {self.unit}, {self.rate}")

    @property
    def price(self) -> float:
        """Cost of a step in plain steps: 2.8 for a regularised one on the paper's network, counted in multiply-adds.

        For each layer a gradient takes three products with the weights, and the Hessian-vector products of all parts
        take six; in the first layer, which passes no error further down, they take two each.
        """
        return 2.8 if self.multiple is not None else 1.0

    def settings(self) -> str:
        """Return λ and the rate as they are written in a legend."""
        count = "" if self.multiple == 1 else f"{self.multiple:g}"
        unit = {"h": "h²", "hc": "(h/c)²", "derived": "(h/c)²" if self.rule == "single_order" else "(h/c)²/2"}[
            self.unit
        ]
        times = "·" if count and self.unit == "derived" else ""
        return f"λ = {count}{times}{unit}, rate {'h' if self.rate == 'h' else 'h/c'}"


def _of(order: Order) -> OrderCurve:
    return OrderCurve(name_of(order), order)


def _averaged(average: Average) -> OrderCurve:
    return Averaged(average.name, Forward(), average)


def _decided(policy: Policy) -> OrderCurve:
    return Decided(policy.name, Backward(), policy)


def _read_order(kind: str, words: Sequence[str]) -> OrderCurve | None:
    match kind, words:
        case "forward", []:
            return _of(Forward())
        case "backward", []:
            return _of(Backward())
        case "reset", [_, *_]:
            return _of(Reset(map(int, words)))
        case "late", [word]:
            return _of(Late(int(word)))
        case "windowed", [word]:
            return _of(Windowed(int(word)))
    return None


def _read_other(kind: str, words: Sequence[str]) -> OrderCurve | None:
    match kind, words:
        case "polyak", []:
            return _averaged(Polyak())
        case "ema", [word]:
            return _averaged(EMA(float(word)))
        case "decayed", [word]:
            return Decayed(f"decayed-{float(word):g}", Forward(), float(word))
        case (("large" | "small"), []):
            return StepRule(kind, Forward(), kind)
        case (("regularised" | "single_order"), [word, *reading]) if len(reading) <= 2:
            defaults = ("h", "h")
            unit, rate = (*reading, *defaults[len(reading) :])
            shown = [unit, rate] if rate != "h" else [unit] if unit != "h" else []
            name = "-".join([kind, f"{float(word):g}", *shown])
            return StepRule(name, Forward(), kind, float(word), unit, rate)
    return None


def _read_own(kind: str, words: Sequence[str]) -> OrderCurve | None:
    match kind, words:
        case "suffix_mean", [word]:
            return _averaged(SuffixMean(int(word)))
        case "swa", [start, every, refresh]:
            return _averaged(SWA(int(start), int(every), int(refresh)))
        case "reset_if_better", [metric, every, *better]:
            return _decided(ResetIfBetter(metric, int(every), *better))
        case "stop_when_settled", [_, *_]:
            return _decided(StopWhenSettled(float("-".join(words))))  # 1e-05 contains a dash
    return None


def parse(name: str) -> OrderCurve:
    """Return the curve that a name describes.

    Parameters
    ----------
    name : str
        One of the forms of `nn_experiments.paper.curve_kinds.KINDS`; ``reset:1000`` is read as ``reset-1000``.

    Returns
    -------
    OrderCurve, Averaged, Decayed, StepRule or Decided
        Its ``name`` is canonical: ``ema-0.990`` is ``ema-0.99``.

    Raises
    ------
    ValueError
        If the name has none of these forms, with the list of them.

    Examples
    --------
    >>> parse("reset:1000:500").name
    'reset-500-1000'
    """
    kind, *words = name.replace(":", "-").split("-")
    try:
        curve = _read_order(kind, words) or _read_other(kind, words) or _read_own(kind, words)
    except ValueError as error:
        raise ValueError(f"cannot read the order {name!r}: {error}") from None
    if curve is None:
        forms = ", ".join(known.form for known in KINDS.values())
        raise ValueError(f"unknown order {name!r}; the known ones are {forms}")
    return curve


#: An order, an average of the forward path, or a policy.
Curve: TypeAlias = Order | Average | Policy


def curve_of(name: str) -> Order | Average | Policy:
    """Return the order, average or policy of a name.

    Raises
    ------
    ValueError
        If the name is not that of a curve, or the curve exists only for experiments of the catalogue.

    Examples
    --------
    >>> curve_of("windowed-5")
    Windowed(w=5)
    """
    curve = parse(name)
    if isinstance(curve, StepRule | Decayed):
        raise ValueError(f"{curve.name} is for experiments of the catalogue; give the step another learning rate")
    if isinstance(curve, Averaged):
        return curve.average
    return curve.policy if isinstance(curve, Decided) else curve.order


def compares_steps(names: Iterable[str]) -> bool:
    """Whether curves compare steps of appendix D, instead of two orders of one step."""
    return any(isinstance(parse(name), StepRule) for name in names)


def rank(name: str) -> tuple[int, str]:
    """Return the key that sorts names of curves: by kind as in `KINDS`, then by name; unknown kinds come last."""
    kind = name.split("-")[0]
    return (list(KINDS).index(kind) if kind in KINDS else len(KINDS), name)


def every_iterate(every: int) -> str:
    """Return which iterates a grid with a gap of ``every`` has, in words.

    Examples
    --------
    >>> every_iterate(1), every_iterate(2), every_iterate(11), every_iterate(1023)
    ('every iterate', 'every 2nd iterate', 'every 11th iterate', 'every 1,023rd iterate')
    """
    if every == 1:
        return "every iterate"
    suffix = "th" if every % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(every % 10, "th")
    return f"every {every:,}{suffix} iterate"


def label_of(name: str) -> str:
    """Return the name of a curve as it is written in a legend."""
    kind, *words = name.split("-")
    match parse(name) if kind in KINDS else None:
        case StepRule(multiple=float()) as rule:
            words = [rule.settings()]
        case Decided(policy=StopWhenSettled(eps=eps)):
            words = [f"{eps:g}"]
        case Decided(policy=ResetIfBetter(metric=metric, every=every)):
            words = [f"{metric} of {every_iterate(every)}"]
    return KINDS[kind].label.format(", ".join(words)) if kind in KINDS else name


def step_label_of(name: str) -> str:
    """Return how a legend reads a curve among steps of appendix D, with the learning rate before V_B."""
    rates = {"forward": "large batch, rate h", "large": "large batch, rate h/c", "small": "small batches, rate h/c"}
    return rates.get(name, label_of(name))


def home(name: str, n: int, kind: str = "curves") -> str:
    """Return the name of the curve with which iterate n is stored.

    A reset path equals the backward path before its first reset, and a late path the forward one up to its switch.

    Parameters
    ----------
    name : str
        A curve's name.
    n : int
        Number of the iterate.
    kind : str
        ``curves``, or ``diagnostics``, which also depend on later iterates and are not shared.

    Returns
    -------
    str
        A curve's name.
    """
    if kind == "diagnostics":
        return name
    curve = parse(name)
    if isinstance(curve, Decided):
        return name
    match curve.order:
        case Reset(points=points) if not points or n <= points[0]:
            return "backward"
        case Windowed(w=w) if n <= w:
            return "backward"
        case Late(s=s) if n <= s:
            return "forward"
    return name


def name_of(curve: Order | Average | Policy) -> str:
    """Return the name of one of the package's orders, averages or policies.

    Raises
    ------
    ValueError
        If it is a user's own order, which has no name on disk.

    Examples
    --------
    >>> name_of(Windowed(50)), name_of(EMA(0.99))
    ('windowed-50', 'ema-0.99')
    """
    match curve:
        case Forward():
            return "forward"
        case Backward():
            return "backward"
        case Reset(points=points):
            return "-".join(["reset", *map(str, points)])
        case Late(s=s):
            return f"late-{s}"
        case Windowed(w=w):
            return f"windowed-{w}"
        case EMA() | Polyak() | SuffixMean() | SWA() | ResetIfBetter() | StopWhenSettled():
            return curve.name
    if isinstance(curve, type):
        raise ValueError(f"a curve is an object: write {curve.__name__}(), not {curve.__name__}")
    raise ValueError(
        f"{curve!r} has no name: what is stored are the orders of contraction.maps.orders, and the averages and "
        "policies of nn_experiments"
    )
