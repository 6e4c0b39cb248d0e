"""The missing iterates of a run, divided into blocks of about equal cost (no torch)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contraction.arguments import check_seed
from nn_experiments.engine.plan import plan
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import Experiment, Figure
from nn_experiments.paper.cost import DIAGNOSTIC_EVALUATIONS, curve_cost
from nn_experiments.results import blocks

__all__ = ["Grid", "Piece", "Prices", "Request", "cut", "missing_iterates", "path_cost", "total_cost"]

#: (seed, curve, kind) -> iterates.
Missing = Mapping[tuple[int, str, str], Sequence[int]]
#: (kind, n) -> the metrics that iterate n has.
MetricNames = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The requested numbers.

    Attributes
    ----------
    seeds, orders
        The seeds, and the names of the curves.
    at
        The iterates of the curves.
    diagnostics_at
        The iterates of the diagnostics of orders (default: none); baselines and policies have no diagnostics.
    last
        The last iterate, to which diagnostics measure the distance.
    """

    seeds: tuple[int, ...]
    orders: tuple[str, ...]
    at: tuple[int, ...]
    diagnostics_at: tuple[int, ...] = ()
    last: int

    def wanted(self, kind: str) -> tuple[int, ...]:
        """Return the iterates of a kind, ``curves`` or ``diagnostics``."""
        return self.diagnostics_at if kind == "diagnostics" else self.at


@dataclass(frozen=True, kw_only=True)
class Request:
    """The requested numbers of an experiment of the catalogue.

    Attributes
    ----------
    experiment
        What is trained.
    seeds, orders
        The seeds, and the names of the curves.
    steps, every
        The iterates are 0, ``every``, 2·``every``, …, and ``steps``.
    diagnostics_every
        The same for the diagnostics of orders (default: 0, no diagnostics).
    """

    experiment: Experiment
    seeds: tuple[int, ...]
    orders: tuple[str, ...]
    steps: int
    every: int = 1
    diagnostics_every: int = 0

    def __post_init__(self) -> None:
        """Check the request."""
        for name in self.orders:
            if curve_names.compares_steps([name]) and self.experiment.parts is None:
                raise ValueError(f"{name} needs an experiment whose batches have parts, as those of fig14 to fig19")
        for what in ("seeds", "orders"):
            if not getattr(self, what):
                raise ValueError(f"{what} is empty: a run needs at least one of them")
        for what, least in (("steps", 1), ("every", 1), ("diagnostics_every", 0)):
            if (value := getattr(self, what)) < least:
                raise ValueError(f"{what} must be an integer >= {least}, got {value}")
        for seed in self.seeds:
            check_seed(seed)

    @classmethod
    def of(
        cls,
        figure: Figure,
        experiment: Experiment,
        *,
        seeds: Sequence[int] | None = None,
        orders: Sequence[str] | None = None,
        steps: int | None = None,
        every: int | None = None,
        diagnostics_every: int | None = None,
    ) -> Request:
        """Return a figure's request, with the given parts replaced; repeated seeds and orders count once."""
        names = (curve_names.parse(n).name for n in (figure.all_orders if orders is None else orders))
        return cls(
            experiment=experiment,
            seeds=tuple(dict.fromkeys(figure.seeds if seeds is None else seeds)),
            orders=tuple(dict.fromkeys(names)),
            steps=figure.steps if steps is None else steps,
            every=figure.every if every is None else every,
            diagnostics_every=figure.diagnostics_every if diagnostics_every is None else diagnostics_every,
        )

    @property
    def grid(self) -> Grid:
        """The requested numbers."""
        coarse = tuple(range(0, self.steps, self.diagnostics_every)) if self.diagnostics_every else ()
        at = tuple(sorted({*range(0, self.steps + 1, self.every), self.steps}))
        return Grid(seeds=self.seeds, orders=self.orders, at=at, diagnostics_at=coarse, last=self.steps)


@dataclass(frozen=True)
class Piece:
    """A block that is still to be computed, with its number of maps and an estimate of its seconds."""

    seed: int
    variant: str
    stream: str
    at: tuple[int, ...]
    maps: int
    seconds: float


@dataclass(frozen=True)
class Prices:
    """Seconds of one step, of one evaluation, and of a block."""

    step: float
    evaluation: float
    block: float = 15.0


def missing_iterates(grid: Grid, root: Path | None, metric_names: MetricNames) -> dict[tuple[int, str, str], list[int]]:
    """Return the iterates that the folder ``root`` (None: a new run) does not have yet with all their metrics.

    Iterates that two orders share are computed once (see `curve_names.home`).
    """
    missing: dict[tuple[int, str, str], list[int]] = {}
    for seed in grid.seeds:
        for kind in blocks.KINDS:
            homes: dict[str, set[int]] = defaultdict(set)
            for name in grid.orders:
                curve = curve_names.parse(name)
                if kind == "curves" or not (curve.baseline or isinstance(curve, curve_names.Decided)):
                    for n in grid.wanted(kind):
                        homes[curve_names.home(name, n, kind)].add(n)
            for name, wanted in homes.items():
                present = set() if root is None else _present(root, seed, name, kind, metric_names)
                if lacking := sorted(wanted - present):
                    missing[seed, name, kind] = lacking
    return missing


def _present(root: Path, seed: int, name: str, kind: str, metric_names: MetricNames) -> set[int]:
    curve = curve_names.parse(name)
    more = (curve.policy.records,) if isinstance(curve, curve_names.Decided) else ()
    recorded = blocks.recorded(root, seed, name, kind)

    def having(n: int) -> set[int]:
        return set.intersection(*(recorded.get(metric, set()) for metric in (*metric_names(kind, n), *more)))

    return having(1) | (having(0) & {0})


def cut(missing: Missing, last: int, prices: Prices) -> list[Piece]:
    """Divide missing iterates into pieces, the longest first.

    A piece has iterates of one seed, curve and kind, at least one, for about ``prices.block`` seconds of work. The
    curve of a policy is one piece, since its iterates are computed in sequence, and so is one of appendix D's steps:
    these are expensive, and the piece of its last iterates would compute all of them again.
    """
    pieces = [piece for key, at in missing.items() for piece in _cut(*key, at, last, prices)]
    return sorted(pieces, key=lambda piece: -piece.seconds)


def _cut(seed: int, name: str, kind: str, at: Sequence[int], last: int, prices: Prices) -> list[Piece]:
    """Divide the iterates of a curve into pieces, beginning with the last and most expensive ones.

    A piece that starts in the middle of a path must first compute its anchor again, so it takes at least as long as
    that.
    """
    curve = curve_names.parse(name)
    if isinstance(curve, curve_names.Decided | curve_names.StepRule):
        first = int(at[0] == 0)  # iterate 0 has no batch losses: a block of its own
        return [_piece(seed, curve, kind, part, last, prices) for part in (at[:first], at[first:]) if part]
    segments = plan(curve.order, at)
    lengths = {segment.n: len(segment.indices) for segment in segments}
    before = {segment.n: segment.before for segment in segments}
    if kind == "diagnostics" and len(curve.order.word(at[-1] + 1)) > 1:
        lengths = {n: 3 * k for n, k in lengths.items()}  # iterates n and n + 1, and n from the second start
    groups: list[list[int]] = [[]]
    spent = 0.0
    for n in reversed(at):
        price = lengths.get(n, 0) * curve.price * prices.step + _evaluations(kind) * prices.evaluation
        alone = n == 0 and kind == "curves"  # iterate 0 has no batch losses: a block of its own
        worth = (
            max(prices.block, curve.price * prices.step * before.get(groups[-1][-1], 0)) if groups[-1] else prices.block
        )
        if groups[-1] and (spent + price > worth or alone):
            groups.append([])
            spent = 0.0
        groups[-1].append(n)
        spent += price
    return [_piece(seed, curve, kind, sorted(group), last, prices) for group in groups]


def _evaluations(kind: str) -> int:
    return DIAGNOSTIC_EVALUATIONS if kind == "diagnostics" else 1


def _piece(seed: int, curve: curve_names.OrderCurve, kind: str, at: Sequence[int], last: int, prices: Prices) -> Piece:
    maps = curve_cost(curve, at, kind, last)
    seconds = maps * curve.price * prices.step + _evaluations(kind) * prices.evaluation * len(at)
    return Piece(seed, curve.name, kind, tuple(at), maps, seconds)


def path_cost(pieces: Sequence[Piece], last: int) -> int:
    """Return the number of maps of all pieces if each path is gone along once, as `list` counts them."""
    places: dict[tuple[int, str, str], set[int]] = defaultdict(set)
    for piece in pieces:
        places[piece.seed, piece.variant, piece.stream].update(piece.at)
    return sum(curve_cost(curve_names.parse(name), sorted(at), kind, last) for (_, name, kind), at in places.items())


def total_cost(pieces: Sequence[Piece]) -> int:
    """Return the number of maps of all pieces; a piece that begins in the middle of a path makes its anchor again."""
    return sum(piece.maps for piece in pieces)
