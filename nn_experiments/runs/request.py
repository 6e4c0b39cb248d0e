"""What a run still has to do: missing iterates cut into blocks of about equal cost (no torch)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nn_experiments.engine.plan import plan
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import Experiment, Figure
from nn_experiments.results import blocks

__all__ = ["Piece", "Request", "missing_pieces", "total_cost"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which numbers are wanted.

    Attributes
    ----------
    experiment
        What is trained.
    seeds, orders
        Rows and curves.
    steps, every
        Iterates 0, every, 2·every, …, and the last one.
    diagnostics_every
        The same for the coarser grid of the orders' diagnostics (baselines have none); 0 for none at all.
    """

    experiment: Experiment
    seeds: tuple[int, ...]
    orders: tuple[str, ...]
    steps: int
    every: int = 1
    diagnostics_every: int = 0

    def __post_init__(self) -> None:
        for name in self.orders:
            if curve_names.compares_steps([name]) and self.experiment.parts is None:
                raise ValueError(f"{name} needs an experiment whose batches have parts, as those of fig14 to fig19")
        if self.steps < 1 or self.every < 1 or self.diagnostics_every < 0 or not self.seeds or not self.orders:
            raise ValueError(
                f"a run needs seeds, orders, steps >= 1, every >= 1 and diagnostics_every >= 0; got {self.seeds}, "
                f"{self.orders}, {self.steps}, {self.every}, {self.diagnostics_every}"
            )

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
        """Return a figure's request, with some of it replaced; a seed or an order named twice is wanted once."""
        names = (curve_names.parse(n).name for n in (figure.all_orders if orders is None else orders))
        return cls(
            experiment=experiment,
            seeds=tuple(dict.fromkeys(figure.seeds if seeds is None else seeds)),
            orders=tuple(dict.fromkeys(names)),
            steps=figure.steps if steps is None else steps,
            every=figure.every if every is None else every,
            diagnostics_every=figure.diagnostics_every if diagnostics_every is None else diagnostics_every,
        )

    def wanted(self, stream: str) -> list[int]:
        """Return the asked iterates of a stream."""
        if stream == "diagnostics":
            return list(range(0, self.steps, self.diagnostics_every)) if self.diagnostics_every else []
        return sorted({*range(0, self.steps + 1, self.every), self.steps})


@dataclass(frozen=True)
class Piece:
    """A block still to be computed, and its cost in seconds as far as it can be foreseen."""

    seed: int
    variant: str
    stream: str
    at: tuple[int, ...]
    maps: int
    seconds: float


def missing_pieces(
    request: Request,
    root: Path | None,
    *,
    classes: int,
    step_seconds: float,
    evaluation_seconds: float,
    block_seconds: float = 15.0,
) -> list[Piece]:
    """Return what is not in ``root`` yet, longest pieces first.

    A piece holds iterates of one seed, variant and stream for about ``block_seconds`` of work (at least one
    iterate). Iterates that two orders share are computed once (see `curve_names.home`).
    """
    pieces: list[Piece] = []
    for seed in request.seeds:
        for stream in blocks.KINDS:
            places: dict[str, set[int]] = defaultdict(set)
            for name in request.orders:
                if stream == "diagnostics" and curve_names.parse(name).baseline:
                    continue
                for n in request.wanted(stream):
                    places[curve_names.home(name, n, stream)].add(n)
            for name, wanted in places.items():
                lacking = wanted
                if root is not None:
                    lacking = wanted - _present(root, seed, name, stream, classes, request.steps)
                prices = (step_seconds, evaluation_seconds, block_seconds)
                pieces += _cut(seed, name, stream, sorted(lacking), request.steps, *prices)
    return sorted(pieces, key=lambda piece: -piece.seconds)


def _present(root: Path, seed: int, variant: str, stream: str, classes: int, last: int) -> set[int]:
    from nn_experiments.results.curves import metric_names

    done = blocks.present(root, seed, variant, metric_names(stream, classes, 1, last), kind=stream)
    return done | (blocks.present(root, seed, variant, metric_names(stream, classes, 0, last), kind=stream) & {0})


def _cut(
    seed: int, name: str, stream: str, at: list[int], last: int, step: float, evaluation: float, block: float
) -> list[Piece]:
    """Cut iterates, from the last (dearest) down, into pieces of about ``block`` seconds.

    A piece that starts in the middle of a path has to make its anchor again first: it is made long enough to be
    worth that.
    """
    if not at:
        return []
    variant = curve_names.parse(name)
    runs = plan(variant.order, at)
    lengths, before = {run.n: len(run.indices) for run in runs}, {run.n: run.before for run in runs}
    evaluations = 5 if stream == "diagnostics" else 1  # predictions of four states and a gradient
    if stream == "diagnostics" and len(variant.order.word(at[-1] + 1)) > 1:
        lengths = {n: 3 * k for n, k in lengths.items()}  # iterates n and n + 1, and n from the second start
    groups: list[list[int]] = [[]]
    spent = 0.0
    for n in reversed(at):
        price = lengths.get(n, 0) * step + evaluations * evaluation
        alone = n == 0 and stream == "curves"  # iterate 0 has no batch losses: a block of its own
        worth = max(block, step * before.get(groups[-1][-1], 0)) if groups[-1] else block
        if groups[-1] and (spent + price > worth or alone):
            groups.append([])
            spent = 0.0
        groups[-1].append(n)
        spent += price
    found = []
    for group in groups:
        numbers = tuple(sorted(group))
        maps = job_cost(variant, numbers, stream, last)
        seconds = maps * step + evaluations * evaluation * len(numbers)
        found.append(Piece(seed, name, stream, numbers, maps, seconds))
    return found


def job_cost(variant: curve_names.OrderCurve, at: Sequence[int], stream: str, last: int) -> int:
    """Return how many maps a block applies: its iterates and the anchors it makes again for itself.

    Diagnostics add iterates n + 1, a second start, an independent forward run, and the last iterate.
    """

    def maps(asked: Sequence[int]) -> int:
        if isinstance(variant, curve_names.Averaged):
            return max(asked)
        return sum(len(run.indices) for run in plan(variant.order, asked))

    if stream == "diagnostics":
        return maps(sorted({*at, *(n + 1 for n in at)})) + maps(at) + max(at) + maps([last])
    return maps(at)


def total_cost(pieces: Sequence[Piece]) -> int:
    """Return the number of maps of all pieces."""
    return sum(piece.maps for piece in pieces)
