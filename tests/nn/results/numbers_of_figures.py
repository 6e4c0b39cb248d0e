"""The numbers on the paper's figures, by plain NumPy."""

from __future__ import annotations

import itertools
from functools import cache
from typing import NamedTuple

import numpy as np

from tests.nn.results.stated_numbers import (
    FASHION,
    REGRESSIONS,
    RESNET,
    Said,
    between,
    deviation,
    fixed,
    last,
    paths,
    said,
    shown,
    spread,
    steadier,
)

# --- the paper's figures --------------------------------------------------------------------------------------------

#: What the rows of the tables say of REGRESSIONS, FASHION and RESNET, and the number of seeds.
TITLES = ("4 (x²), 5", "5 (cos 10x), 5", "6 (x³), 5", "7 (Fashion-MNIST), 5", "12 (ResNet-18, 2000 steps), 3")


def changes(name: str, every: int = 1) -> np.ndarray:
    """Return the root-mean-square change of the training loss between recorded iterates, forward over backward."""
    n, values = paths(name, "train_loss")
    kept = (n > n[-1] - 200) & (n % every == 0)
    both = np.sqrt(np.mean(np.diff(values[..., kept], axis=-1) ** 2, axis=-1))
    return both[:, 0] / both[:, 1]


def shares(name: str, metric: str = "train_loss") -> tuple[str, str]:
    """Return the deviation within a path over that between seeds, one denominator for both orders."""
    n, values = last(name, metric)
    within = np.sqrt((deviation(n, values) ** 2).mean(0)) / np.sqrt(values.var(axis=0, ddof=1).mean())
    return shown(within[0]), shown(within[1])


def table_of_figures() -> list[Said]:
    three, both = "{} ({} to {})", "{}, {}"
    rows = [
        said(f"| {title} | {three} | | {three} | {both} |", *spread(steadier(k)), *spread(changes(k)), *shares(k))
        for k, title in zip(REGRESSIONS, TITLES[:3], strict=True)
    ]
    for name, title, more in (
        (FASHION, TITLES[3], shares(FASHION, "test_accuracy")),
        (RESNET, TITLES[4], ()),
    ):
        ratios = (steadier(name), steadier(name, "test_accuracy"), changes(name))
        numbers = [number for values in ratios for number in spread(values)]
        end = f"{both} (test error {both})" if more else both
        rows.append(said(f"| {title} | {three} | {three} | {three} | {end} |", *numbers, *shares(name), *more))
    return rows


def windows_of_figures() -> list[Said]:
    medians = {
        name: [np.median(steadier(name, window=window)) for window in (50, 200, 400, 700)]
        for name in (*REGRESSIONS, FASHION)
    }
    fashion = "{} on the last 50 steps, {} on the last 200, {} on the last 400 and {} on the last 700"
    ranges = "medians are {} to {} (x²), {} to {} (cos) and {} to {} (x³)"
    steps = [shown(one) for every in (1, 10) for one in changes("mlp-fashion--every-iterate", every)]
    return [
        said(fashion, *(shown(value) for value in medians[FASHION])),
        said(ranges, *(number for name in REGRESSIONS for number in between(medians[name]))),
        said("Figure 7's seeds 0 and 1 have {} and {} between true steps, {} and {} between every tenth", *steps),
    ]


def two_records() -> list[Said]:
    """How far Fashion-MNIST's two records are apart, over the seeds, orders and iterates that both hold."""
    orders, apart = ("forward", "backward", "reset-1000", "late-1000"), {}
    for metric in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        (n, every), (held, tenth) = (paths(name, metric, orders) for name in (f"{FASHION}--every-iterate", FASHION))
        assert np.isin(held, n).all()
        assert len(held) == 201
        difference = np.abs(every[..., np.isin(n, held)] - tenth[: len(every)]).max()
        apart[metric[-4:]] = max(apart.get(metric[-4:], 0), difference)
    return [said("agree to {} in the losses and {} in the errors", shown(apart["loss"]), shown(apart["racy"]))]


def passed(n: np.ndarray, below: np.ndarray) -> tuple[float, float]:
    """Return the first iterate below a value, and the first from which on all are."""
    first = n[below][0] if below.any() else np.inf
    above = np.flatnonzero(~below)
    stays = n[0] if not len(above) else n[above[-1] + 1] if above[-1] + 1 < len(n) else np.inf
    return float(first), float(stays)


def counted(name: str) -> tuple[list[int], list[int]]:
    """Return how often backward is sooner, later and as soon below a threshold, the first time and from then on."""
    metrics = ["train_loss", "test_loss"] + (["train_accuracy", "test_accuracy"] if name in (FASHION, RESNET) else [])
    counts = np.zeros((2, 3), int)
    for metric, part in itertools.product(metrics, (0.9, 0.5, 0.1, 0.01)):
        n, values = paths(name, metric)
        below = values <= part * values[..., :1]
        if below.any():
            times = np.array([[passed(n, path) for path in seed] for seed in below])  # (seed, order, kind)
            for kind in (0, 1):
                forward, backward = times[:, :, kind].T
                pairs = ((backward < forward).sum(), (backward > forward).sum(), (backward == forward).sum())
                counts[kind] += pairs
    return counts[0].tolist(), counts[1].tolist()


def passages() -> list[Said]:
    """The table of counts, a row for each network."""
    names = (*REGRESSIONS, FASHION, RESNET)
    cells = " | ".join(["{}"] * 6)
    return [
        said(f"| {title} | {cells} |", *itertools.chain(*counted(name)))
        for name, title in zip(names, TITLES, strict=True)
    ]


def costs() -> list[Said]:
    two = ("ema-0.99", "backward")
    lower, steady = {}, []
    for name in (*REGRESSIONS, FASHION):
        for metric in ("train_loss", "test_loss", "train_accuracy", "test_accuracy")[: 4 if name == FASHION else 2]:
            average, backward = paths(name, metric, two)[1][:, :, -1].T
            lower[name, metric] = int((average < backward).sum())
            if metric == "train_accuracy":
                assert (average == backward).sum() == 1  # "one tie"
        if name != FASHION:
            average, backward = deviation(*last(name, "test_loss", orders=two)).T
            steady += (backward / average).tolist()
    counts = [lower[name, "test_loss"] for name in REGRESSIONS]
    assert counts == [lower[name, "train_loss"] for name in REGRESSIONS]
    assert lower[FASHION, "train_loss"] == lower[FASHION, "test_loss"] == 0
    (worst,) = [ratio for ratio in steady if ratio < 1]
    newest = np.median(steadier(FASHION, "newest_batch_loss"))
    return [
        said("ends lower than backward on {}, {} and {} of 5 seeds", *counts),
        said(
            "on {} of these {} seeds. On the other one (x², seed 1) backward's deviation is {} times the average's",
            sum(r > 1 for r in steady),
            len(steady),
            fixed(worst),
        ),
        said("Its training error ends lower on {} of 5, with one tie", lower[FASHION, "train_accuracy"]),
        said("with one tie, and its test error on {} of 5", lower[FASHION, "test_accuracy"]),
        said("lags in the losses: it ends lower on {} of 5 seeds", lower[FASHION, "test_loss"]),
        said("(Figure 7: its logarithm about a line, ratio {})", shown(newest)),
        said("ends lower on {} of {} regressions", sum(counts), len(steady), page="README.md"),
    ]


class Settling(NamedTuple):
    """What the second half of a path holds, seed by seed, in units of the distance of independent runs."""

    increment: np.ndarray
    moved: np.ndarray
    tail: np.ndarray
    farthest: np.ndarray
    at_end: np.ndarray
    coupling: np.ndarray
    kept: np.ndarray


@cache
def settling(name: str, space: str = "parameter", order: str = "backward") -> Settling:
    """Return increments, movement beyond drift and distances to the last iterate, and growths from the start."""
    n, independent = paths(name, f"{space}_independent", (order,))
    end = int(paths(name, "train_loss")[0][-1])
    scale = np.median(independent[:, 0, n >= end / 2], axis=-1)
    at, increment = paths(name, f"{space}_increment", (order,))
    largest = increment[:, 0, at >= end / 2].max(-1)
    where, away = paths(name, f"{space}_to_last", (order,))
    tail = (where >= end / 2) & (where < end)
    moved = []
    for distances in away[:, 0, tail]:
        slope, _ = np.polyfit((end - where[tail].astype(float)) ** 2, distances**2, 1)
        rest = np.mean(distances**2) - max(slope, 0) * np.mean((end - where[tail].astype(float)) ** 2)
        moved.append(np.sqrt(max(rest, 0)))
    starts, coupling = paths(name, f"{space}_coupling", (order,))
    apart, began = np.median(coupling[:, 0, starts >= end / 2], axis=-1), increment[:, 0, 0]
    return Settling(
        increment=largest / scale,
        moved=np.array(moved) / scale,
        tail=away[:, 0, tail].max(-1) / scale,
        farthest=largest / began,
        at_end=increment[:, 0, -1] / began,
        coupling=apart / scale,
        kept=apart / coupling[:, 0, 0],
    )


def convergence() -> list[Said]:
    every = {name: settling(name) for name in (*REGRESSIONS, FASHION)}
    increments = np.concatenate([every[name].increment for name in REGRESSIONS])
    moved = np.concatenate([every[name].moved for name in REGRESSIONS])
    fashion = every[FASHION]
    (drifting,) = np.flatnonzero(fashion.moved >= 0.5)
    others = np.delete(fashion.increment, drifting)
    apart = np.sort(np.concatenate([found.at_end for found in every.values()]))
    assert min(found.farthest.min() for found in every.values()) > 1  # "farther apart than they began on every seed"
    assert (apart < 1).sum() == (every["regression-square"].at_end < 1).sum() == 2
    far, end = ([np.median(getattr(found, key)) for found in every.values()] for key in ("farthest", "at_end"))
    worst = max(np.abs(found.kept - 1).max() for found in every.values())
    return [
        said("have increments of up to {} to {} units", *between(increments)),
        said("and move by {} to {} beyond a steady drift", *between(moved)),
        said("undecided on four seeds (largest increments {} to {})", *between(others)),
        said("({}, and a movement of {})", shown(fashion.increment[drifting]), shown(fashion.moved[drifting])),
        said("At their farthest recorded n they are {}, {}, {} and {} times", *(shown(value) for value in far)),
        said("At the last recorded n they are {}, {}, {} and {} times", *(shown(value) for value in end)),
        said("on two seeds of x² nearer than they began ({} and {})", *(shown(value) for value in apart[:2])),
        said("the distance of two starts stays what it was, to {} %", shown(100 * worst, 1)),
    ]


def convergence_in_outputs() -> list[Said]:
    """The verdicts on the outputs, by the rules that the page states."""
    names, counts, increments = (*REGRESSIONS, FASHION), {}, {}
    for order in ("forward", "backward"):
        every = [settling(name, "function", order) for name in names]
        increments[order] = np.concatenate([found.increment for found in every])
        beyond = np.maximum(increments[order], np.concatenate([found.moved for found in every]))
        counts[order] = int((beyond >= 0.5).sum())
        settled = np.maximum(increments[order], np.concatenate([found.tail for found in every])) <= 0.1
        assert not settled.any()  # "No path is shown to settle"
        far = [np.maximum(found.coupling, found.kept) for found in every]
        assert np.min(far) > 0.1  # "an independent one on none"
    backward = [settling(name, "function") for name in names]
    near = [int((np.maximum(found.increment, found.farthest) <= 0.1).sum()) for found in backward]
    assert near[0] == near[1] == near[3] == 0  # "on no other"
    seeds = len(increments["backward"])
    assert counts["forward"] == seeds  # "on any of"
    stem = [settling("resnet18-cifar10--stem-7x7", "function", order).increment for order in counts]
    assert np.min(stem) >= 0.5  # "neither order settles"
    return [
        said("forward does not settle on any of the {} seeds of Figures 4 to 7", seeds),
        said(
            "backward does not on {} and is undecided or still training on {}",
            counts["backward"],
            seeds - counts["backward"],
        ),
        said(
            "(largest increments {} to {} units forward, {} to {} backward)",
            *between(increments["forward"]),
            *between(increments["backward"]),
        ),
        said("With the 7×7 stem neither order settles on any of {} seeds", len(stem[0])),
        said("A near start is forgotten on {} of the {} seeds of x³", near[2], len(backward[2].increment)),
    ]
