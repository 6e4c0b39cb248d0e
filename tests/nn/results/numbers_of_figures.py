"""The numbers on the paper's figures, the increments in law and the networks, by plain NumPy."""

from __future__ import annotations

import itertools
import json
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from tests.nn.results.stated_numbers import (
    FASHION,
    REGRESSIONS,
    RESNET,
    RESULTS,
    Said,
    between,
    deviation,
    fixed,
    last,
    paths,
    recorded,
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
    """What the second half of backward paths holds, seed by seed."""

    increment: np.ndarray
    moved: np.ndarray
    farthest: np.ndarray
    at_end: np.ndarray
    kept: np.ndarray


@cache
def settling(name: str) -> Settling:
    """Return increments and movement beyond drift over independent runs' distance, and growths from the start."""
    n, independent = paths(name, "parameter_independent", ("backward",))
    end = int(paths(name, "train_loss")[0][-1])
    scale = np.median(independent[:, 0, n >= end / 2], axis=-1)
    at, increment = paths(name, "parameter_increment", ("backward",))
    largest = increment[:, 0, at >= end / 2].max(-1)
    where, away = paths(name, "parameter_to_last", ("backward",))
    tail = (where >= end / 2) & (where < end)
    moved = []
    for distances in away[:, 0, tail]:
        slope, _ = np.polyfit((end - where[tail].astype(float)) ** 2, distances**2, 1)
        rest = np.mean(distances**2) - max(slope, 0) * np.mean((end - where[tail].astype(float)) ** 2)
        moved.append(np.sqrt(max(rest, 0)))
    starts, coupling = paths(name, "parameter_coupling", ("backward",))
    kept = np.median(coupling[:, 0, starts >= end / 2], axis=-1) / coupling[:, 0, 0]
    began = increment[:, 0, 0]
    return Settling(largest / scale, np.array(moved) / scale, largest / began, increment[:, 0, -1] / began, kept)


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


# --- increments in law ----------------------------------------------------------------------------------------------


def cell(value: float) -> str:
    """Return a number of a table of distances: two decimals, or two digits of a small one."""
    return fixed(value) if value >= 0.095 else shown(value)


def increments_in_law() -> list[Said]:
    ratios, rows, growth, nearness = {}, [], {}, {}
    for path in sorted((RESULTS / "increments").glob("increments-*.npz")):
        name = path.stem.removeprefix("increments-")
        with np.load(path, allow_pickle=False) as file:
            starts = json.loads(str(file["about"]))["starts"]
            one, near, other = (starts.index(start) for start in ("1 ahead", "nudged", "independent"))
            with np.errstate(invalid="ignore", divide="ignore"):
                spaces = [file[space][..., one] / file[space][..., other] for space in ("parameter", "function")]
            ratios[name] = (file["at"], *spaces)
            nudged = file["parameter"][..., near]
            ends = [spaces[0][:, -1], spaces[1][:, -1], nudged[:, -1] / file["parameter"][:, -1, other]]
            cells = [cell(f(end)) for end in ends for f in (np.median, np.min, np.max)]
            rows.append(said(f"| {name} | {{}} | " + " | ".join(["{} ({} to {})"] * 3), str(file["at"][-1]), *cells))
            fiftieth = file["at"] == 50
            growth[name] = nudged[:, fiftieth][:, 0] / nudged[:, 0]
            nearness[name] = nudged[:, fiftieth][:, 0] / file["parameter"][:, fiftieth, other][:, 0]
    networks = [ratios["resnet18-cifar10"], ratios["vgg19-cifar10"]]
    early = np.concatenate([parameter[:, n >= 50].ravel() for n, parameter, _ in networks])
    late = [function[:, n >= 1000] for n, _, function in networks]
    medians = np.concatenate([np.median(values, axis=0) for values in late])
    draws = np.concatenate([values.ravel() for values in late])
    narrow = ratios.pop("resnet18-cifar10--stem-7x7")
    assert len(narrow[1]) == 4
    assert len(ratios) == 7
    for _, _, function in ratios.values():
        assert (function[:, -1] < 1).sum() == len(function) == 8  # "eight of eight each"
    outputs = [fixed(np.median(function[:, -1])) for _, _, function in networks]
    apart = np.array([nearness[name] for name in ("resnet18-cifar10", "vgg19-cifar10")])
    stem = nearness["resnet18-cifar10--stem-7x7"]
    residual, plain = growth["resnet18-cifar10"], growth["vgg19-cifar10"]
    return [
        *rows,
        said("nudge grows {}-fold ({} to {}) with ResNet-18", *spread(residual)),
        said("and {}-fold ({} to {}) with VGG-19", *spread(plain)),
        said("{}-fold ({} to {}) with the 7×7 stem", *spread(growth["resnet18-cifar10--stem-7x7"])),
        said(
            "in the outputs ({} of four draws are nearer at n = 500, and from n = 50 on single draws have {} to {}",
            str(int((narrow[2][:, -1] < 1).sum())),
            *(fixed(f(narrow[2][:, narrow[0] >= 50])) for f in (np.min, np.max)),
        ),
        said(
            "{} a step for ResNet-18 and {} for VGG-19", *(shown(np.log(np.median(v)) / 50) for v in (residual, plain))
        ),
        said("for these two ({} to {} of it, every draw)", *(fixed(f(apart)) for f in (np.min, np.max))),
        said("and {} to {} of it with the 7×7 stem", *(fixed(f(stem)) for f in (np.min, np.max))),
        said("from step 50 on ({} to {} of that distance, every draw)", *(fixed(f(early)) for f in (np.min, np.max))),
        said("(eight of eight each: p = {}, two-sided sign test)", fixed(2 / 2**8, 3)),
        said("stays between {} and {} for the two", *(fixed(f(medians)) for f in (np.min, np.max))),
        said("single draws {} to {})", *(fixed(f(draws)) for f in (np.min, np.max))),
        said("in outputs {} and {} of that distance", *outputs, page="README.md"),
    ]


def kinks() -> list[Said]:
    """The table of the study of the paper's networks: means with t intervals, medians with order statistics."""
    study, rows = recorded("networks"), []
    middle, far, gaps, slopes = {}, [], [], []  # of each setting, apart for ReLU and the smooth activations
    for k, setting in enumerate(study.about["settings"]):
        count = setting["replicates"]
        derivative, values = study[f"derivative {k}"].mean(), study[f"pairs {k}"]
        pairs, half = values.mean(), stats.t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count)
        exponents = [shown(value) for value in (derivative, pairs, pairs - half, pairs + half)]
        rank = {20: 6, 12: 3}[count]  # P(Bin(20, ½) ≤ 5) = .021 and P(Bin(12, ½) ≤ 2) = .019, each below .025
        distances = []
        for space in ("parameter", "function"):
            values = study[f"{space} {k}"][:, -1]
            unit = np.maximum(values[:, 2], 0.01 * values[:, 3])
            for column in (0, 1):
                ordered = np.sort(values[:, column] / unit)
                distances += [cell(np.median(ordered)), cell(ordered[rank - 1]), cell(ordered[-rank])]
        jumps = study[f"jumps {k}"]
        ends = [study[f"{space} {k}"][:, -1] for space in ("parameter", "function")]
        middle[setting["name"]] = [np.median(d[:, 0] / np.maximum(d[:, 2], 0.01 * d[:, 3])) for d in ends]
        far.append(np.median(ends[0][:, 1] / np.maximum(ends[0][:, 2], 0.01 * ends[0][:, 3])))
        slopes.append(derivative)
        gaps.append(abs(pairs - derivative) if "activation" in setting["name"] else pairs)
        assert (jumps > 0).all() if "activation" not in setting["name"] else (jumps == 0).all(), setting["name"]
        name = setting["name"].replace(", activation=", ", ")
        name = name if name != setting["experiment"] else f"{name}, relu"
        row = f"| {name.removeprefix('regression-')} | {{}} | {{}} ({{}} to {{}}) | {{}} of {{}} | "
        row += " | ".join(["{} ({} to {})"] * 4) + " | "
        rows.append(said(row, *exponents, (jumps > 0).sum(), np.isfinite(jumps).sum(), *distances))
    smooth = ["activation" in name for name in middle]
    nearer = np.array([np.divide(middle[name.partition(",")[0]], middle[name]) for name in middle if "," in name])
    odd, others = nearer[0], nearer[1:]  # x² with tanh
    switching = [gap for gap, plain in zip(gaps, smooth, strict=True) if not plain]
    return [
        *rows,
        said("grow apart by {} to {} a step", *(fixed(f(switching), d) for f, d in ((min, 4), (max, 3)))),
        said("(at most {} a step)", shown(max(np.abs(slopes)))),
        said(
            "(the two exponents agree to {} a step)",
            shown(max(gap for gap, plain in zip(gaps, smooth, strict=True) if plain)),
        ),
        said(
            "{} to {} times in seven of the eight settings, and {} times in one", *between(others[:, 0]), shown(odd[0])
        ),
        said(
            "seven are {} to {} times nearer; in the other one the factor is {}.",
            shown(others[:, 1].min()),
            f"{round(others[:, 1].max(), -1):.0f}",
            fixed(odd[1]),
        ),
        said("every network moves by {} to {} units", *between(far)),
    ]
