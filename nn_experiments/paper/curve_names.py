"""What a curve of a run is: an iteration order, or a baseline made from the forward path.

A variant has a name that is also the name of its folder on disk and its label on the ``orders`` axis of
``load``: ``forward``, ``backward``, ``reset-1000`` (several points: ``reset-500-1000``), ``late-1000``,
``windowed-100``; and the baselines ``polyak`` (mean of iterates 1 … n), ``ema-0.99`` (exponential moving
average) and ``decayed-100`` (learning rate h / (1 + t/100)), all three on the forward path. Appendix D compares
other steps on the forward path of an experiment with c parts: ``large`` (SGD on the whole batch at h/c),
``small`` (c steps on its parts at h/c) and ``regularised-2`` (D.2's order-averaging step at h with λ = 2h²,
the literal reading); ``forward`` is there SGD on the whole batch at h.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contraction.maps.orders import Backward, Forward, Late, Order, Reset, Windowed, chain, map_applications

__all__ = ["KINDS", "Variant", "home", "parse", "variant_name"]

KINDS = (
    "forward",
    "backward",
    "reset-P[-P…]",
    "late-S",
    "windowed-W",
    "polyak",
    "ema-BETA",
    "decayed-TAU",
    "large",
    "small",
    "regularised-MULTIPLE",
)
PARTS = ("large", "small", "regularised")


@dataclass(frozen=True)
class Variant:
    """An order, with an average of its iterates or a decay of the learning rate if it is a baseline.

    Attributes
    ----------
    name
        Canonical name, used for folders and labels.
    order
        The iteration order the maps are applied in.
    average
        None, ``"polyak"`` or ``"ema"``: what the recorded iterate is an average of.
    beta
        Decay of the exponential moving average, in (0, 1).
    decay
        tau of the learning rate h / (1 + t/tau), in steps; None for the experiment's own schedule.
    rule
        ``large``, ``small`` or ``regularised``: a step of appendix D in place of the experiment's; else None.
    multiple
        λ/h² of the regularised step.
    """

    name: str
    order: Order
    average: str | None = None
    beta: float | None = None
    decay: float | None = None
    rule: str | None = None
    multiple: float | None = None

    @property
    def baseline(self) -> bool:
        """Whether this is one of the baselines, not an iteration order of the paper."""
        return self.average is not None or self.decay is not None

    def depth(self, n: int) -> int:
        """Return the number of gradients that iterate n alone costs."""
        return map_applications(self.order, [n])

    def path_cost(self, at: Iterable[int]) -> int:
        """Return the number of gradients that all iterates ``at`` cost together, anchors included."""
        return map_applications(self.order, at)

    def path_costs(self, at: Sequence[int]) -> list[int]:
        """Return, for each iterate of ``at``, the number of gradients that it and those before it cost together."""
        known: dict[int, int] = {}
        total, costs = 0, []
        for n in at:
            new = dict(chain(self.order, n, known))
            total += sum(len(self.order.word(m)) for m in new)
            known |= new
            costs.append(total)
        return costs


def parse(name: str) -> Variant:
    """Return the variant that a name describes; ``reset:1000`` is read as ``reset-1000``.

    Raises
    ------
    ValueError
        If the name is none of `KINDS`, with the list of them.
    """
    kind, *parts = name.replace(":", "-").split("-")
    try:
        if kind in ("forward", "backward", "polyak") and not parts:
            if kind == "backward":
                return Variant("backward", Backward())
            return Variant(kind, Forward(), average="polyak" if kind == "polyak" else None)
        if kind in ("large", "small") and not parts:
            return Variant(kind, Forward(), rule=kind)
        if kind == "regularised" and len(parts) == 1:
            multiple = float(parts[0])
            if not (multiple >= 0 and math.isfinite(multiple)):
                raise ValueError(f"the multiple of h² must be at least 0 and finite, got {multiple}")
            return Variant(f"regularised-{multiple:g}", Forward(), rule=kind, multiple=multiple)
        if kind == "reset" and parts:
            order = Reset(int(part) for part in parts)
            return Variant("-".join(["reset", *map(str, order.points)]), order)
        if kind in ("late", "windowed") and len(parts) == 1:
            value = int(parts[0])
            return Variant(f"{kind}-{value}", Late(value) if kind == "late" else Windowed(value))
        if kind == "ema" and len(parts) == 1:
            beta = float(parts[0])
            if not 0 < beta < 1:
                raise ValueError(f"the decay of a moving average must be in (0, 1), got {beta}")
            return Variant(f"ema-{beta:g}", Forward(), average="ema", beta=beta)
        if kind == "decayed" and len(parts) == 1:
            tau = float(parts[0])
            if not (tau > 0 and math.isfinite(tau)):
                raise ValueError(f"tau of a decayed learning rate must be positive and finite, got {tau}")
            return Variant(f"decayed-{tau:g}", Forward(), decay=tau)
    except ValueError as error:
        raise ValueError(f"cannot read the order {name!r}: {error}") from None
    raise ValueError(f"unknown order {name!r}; the known ones are {', '.join(KINDS)}")


def home(name: str, n: int, stream: str = "curves") -> str:
    """Return the name under which iterate n is stored: a reset path equals the backward path before its first reset.

    Up to its first reset point a ``reset`` path *is* the backward path, and up to its switch a ``late`` path is
    the forward one. Diagnostics look at later iterates as well and are not shared.
    """
    if stream == "diagnostics":
        return name
    match parse(name).order:
        case Reset(points=points) if not points or n <= points[0]:
            return "backward"
        case Windowed(w=w) if n <= w:
            return "backward"
        case Late(s=s) if n <= s:
            return "forward"
    return name


def variant_name(order: Order) -> str:
    """Return the name of one of the package's orders.

    Raises
    ------
    ValueError
        If it is a user's own order, which has no name on disk.
    """
    match order:
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
    raise ValueError(f"{order!r} has no name; only the orders of contraction.maps.orders are stored")
