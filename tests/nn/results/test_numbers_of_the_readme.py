"""The numbers of results/README.md and README.md are those of plain NumPy on the arrays of record, rounded once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from nn_experiments.results.studies import Study, load_study, study_path

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "results"
REGRESSIONS = ("regression-square", "regression-cosine", "regression-cube")
FASHION, RESNET = "mlp-fashion", "resnet18-cifar10"


# --- pages, sentences and numbers -----------------------------------------------------------------------------------


class Said(NamedTuple):
    """A sentence of a page with {} in place of its numbers, and these numbers."""

    sentence: str
    numbers: tuple[str, ...]
    page: str = "results/README.md"


def said(sentence: str, *numbers: str | int, page: str = "results/README.md") -> Said:
    return Said(sentence, tuple(number if isinstance(number, str) else f"{int(number):,}" for number in numbers), page)


@cache
def text_of(page: str) -> str:
    """Return a page on one line, with numbers below 1 written without a zero before the point."""
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    return re.sub(r"(?<![\d.])0\.(?=\d)", ".", text)


def states(text: str, sentence: str, numbers: tuple[str, ...]) -> bool:
    """Whether a text has a sentence with these numbers in place of its {}."""
    return re.search(rf"(?<![\d.,]){re.escape(sentence.format(*numbers))}(?!\d|[.,]\d)", text) is not None


def fixed(value: float, decimals: int = 2) -> str:
    """Return a number with so many decimals, as the pages write it: .62, −.11."""
    return re.sub(r"^(−?)0\.", r"\1.", f"{value:.{decimals}f}".replace("-", "−"))


def shown(value: float, digits: int = 2) -> str:
    """Return a number with so many significant digits, as the pages write it: 11, 1.0, .062, 2.2e-4."""
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    return fixed(value, max(digits - 1 - power, 0)) if power >= -2 else f"{mantissa.replace('-', '−')}e{power}"


def spread(values: np.ndarray, digits: int = 2) -> tuple[str, str, str]:
    """Return the median, the least and the largest value."""
    median, low, high = (shown(value, digits) for value in (np.median(values), np.min(values), np.max(values)))
    return median, low, high


def between(values: np.ndarray | list[float], digits: int = 2) -> tuple[str, str]:
    """Return the least and the largest value."""
    return shown(float(np.min(values)), digits), shown(float(np.max(values)), digits)


# --- arrays of record -----------------------------------------------------------------------------------------------


@cache
def paths(name: str, metric: str, orders: tuple[str, ...] = ("forward", "backward")) -> tuple[np.ndarray, np.ndarray]:
    """Return n (K,) and values (seed, order, K) where all seeds and orders are recorded; accuracies become errors."""
    with np.load(RESULTS / f"{name}.npz", allow_pickle=False) as file:
        names = json.loads(str(file["about"]))["orders"]
        values = file[f"metric/{metric}"].astype(float)
        recorded = np.unpackbits(file[f"recorded/{metric}"], count=values.size).reshape(values.shape).astype(bool)
        places = [names.index(order) for order in orders]
        kept = recorded[:, places].all((0, 1))
        values = values[:, places][:, :, kept]
        return file["iterates"][kept], 1 - values if metric.endswith("_accuracy") else values


@cache
def recorded(name: str) -> Study:
    return load_study(study_path(name, RESULTS))


def names_of(study: Study) -> list[str]:
    return [setting["name"] for setting in study.about["settings"]]


def deviation(n: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the deviation about the least-squares line through (…, K), with the denominator K − 2."""
    t = n - n.mean()
    centred = values - values.mean(-1, keepdims=True)
    residual = centred - (centred @ t / (t @ t))[..., None] * t
    return np.sqrt((residual**2).sum(-1) / (len(n) - 2))


def last(name: str, metric: str, window: int = 200, orders: tuple[str, ...] = ("forward", "backward")):
    """Return n > N − window and the values there, logarithms of losses."""
    n, values = paths(name, metric, orders)
    kept = n > n[-1] - window
    return n[kept], np.log(values[..., kept]) if metric.endswith("_loss") else values[..., kept]


def steadier(name: str, metric: str = "train_loss", window: int = 200) -> np.ndarray:
    """Return the deviation about a line, forward over backward, seed by seed."""
    both = deviation(*last(name, metric, window))
    return both[:, 0] / both[:, 1]


# --- the paper's figures --------------------------------------------------------------------------------------------


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
    titles = dict(zip(REGRESSIONS, ("4 (x²), 5", "5 (cos 10x), 5", "6 (x³), 5"), strict=True))
    rows = [
        said(f"| {title} | {three} | | {three} | {both} |", *spread(steadier(k)), *spread(changes(k)), *shares(k))
        for k, title in titles.items()
    ]
    for name, title, more in (
        (FASHION, "7 (Fashion-MNIST), 5", shares(FASHION, "test_accuracy")),
        (RESNET, "12 (ResNet-18, 2000 steps), 3", ()),
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
    steps = [shown(changes("mlp-fashion--every-iterate", every)[0]) for every in (1, 10)]
    return [
        said(fashion, *(shown(value) for value in medians[FASHION])),
        said(ranges, *(number for name in REGRESSIONS for number in between(medians[name]))),
        said("Figure 7's seed 0 has {} between true steps, {} between every tenth", *steps),
    ]


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
    for metric, part in product(metrics, (0.9, 0.5, 0.1, 0.01)):
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
    first, stays = zip(*(counted(name) for name in (*REGRESSIONS, FASHION, RESNET)), strict=True)
    three = "{}/{}/{}"
    return [
        said(
            f"First time below: x² {three}, cos {three}, x³ {three}, Fashion-MNIST {three}, ResNet-18 (2000 steps, "
            f"three seeds) {three}",
            *(count for counts in first for count in counts),
        ),
        said(
            f"Below from then on: {three}, {three}, {three}, {three}, {three}",
            *(count for counts in stays for count in counts),
        ),
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
        said("ends lower than backward on {}, {} and {} of 5 seeds of Figures 4 to 6", *counts),
        said("on {} of these {} seeds (x², seed 1: {} times)", sum(r > 1 for r in steady), len(steady), fixed(worst)),
        said("its error is lower on {} of 5 (training", lower[FASHION, "train_accuracy"]),
        said("one tie) and on {} of 5 (test)", lower[FASHION, "test_accuracy"]),
        said("it lags in the losses (lower on {} of 5)", lower[FASHION, "test_loss"]),
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
    assert min(found.farthest.min() for found in every.values()) > 1  # "more than once on every seed"
    assert (apart < 1).sum() == (every["regression-square"].at_end < 1).sum() == 2
    far, end = ([np.median(getattr(found, key)) for found in every.values()] for key in ("farthest", "at_end"))
    worst = max(np.abs(found.kept - 1).max() for found in every.values())
    return [
        said("have increments of up to {} to {} units", *between(increments)),
        said("and move by {} to {} beyond a steady drift", *between(moved)),
        said("undecided on four seeds (largest increments {} to {})", *between(others)),
        said("({}, and a movement of {})", shown(fashion.increment[drifting]), shown(fashion.moved[drifting])),
        said("are, at their farthest recorded n there, {}, {}, {} and {} times", *(shown(value) for value in far)),
        said("and at the last one {}, {}, {} and {} times", *(shown(value) for value in end)),
        said("(on two seeds of x² less than once: {} and {})", *(shown(value) for value in apart[:2])),
        said("the distance of two starts stays what it was, to {} %", shown(100 * worst, 1)),
    ]


# --- increments in law ----------------------------------------------------------------------------------------------


def cell(value: float) -> str:
    """Return a number of a table of distances: two decimals, or two digits of a small one."""
    return fixed(value) if value >= 0.095 else shown(value)


def increments_in_law() -> list[Said]:
    ratios, rows, growth = {}, [], {}
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
            growth[name] = nudged[:, file["at"] == 50][:, 0] / nudged[:, 0]
    networks = [ratios["resnet18-cifar10"], ratios["vgg19-cifar10"]]
    early = np.concatenate([parameter[:, n >= 50].ravel() for n, parameter, _ in networks])
    late = [function[:, n >= 1000] for n, _, function in networks]
    medians = np.concatenate([np.median(values, axis=0) for values in late])
    draws = np.concatenate([values.ravel() for values in late])
    for _, _, function in ratios.values():
        assert (function[:, -1] < 1).sum() == len(function) == 8  # "eight of eight each"
    outputs = [fixed(np.median(function[:, -1])) for _, _, function in networks]
    residual, plain = growth["resnet18-cifar10"], growth["vgg19-cifar10"]
    return [
        *rows,
        said("grows {}-fold ({} to {}) in the first 50 steps of ResNet-18", *spread(residual)),
        said("and {}-fold ({} to {}) in those of VGG-19", *spread(plain)),
        said("{} and {} a step", *(shown(np.log(np.median(values)) / 50) for values in (residual, plain))),
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
        said("(to {} a step)", shown(max(gap for gap, plain in zip(gaps, smooth, strict=True) if plain))),
        said("{} to {} times in seven of the eight settings, {} times in one", *between(others[:, 0]), shown(odd[0])),
        said(
            "seven have {} to {} times, that one {}.",
            shown(others[:, 1].min()),
            f"{round(others[:, 1].max(), -1):.0f}",
            fixed(odd[1]),
        ),
        said("every network moves by {} to {} units", *between(far)),
    ]


# --- studies --------------------------------------------------------------------------------------------------------


def one_law() -> list[Said]:
    study = recorded("one-law")
    n, metrics = study["n"], study.about["metrics"]
    columns = np.searchsorted(n, (100, 200, 300))
    forward, backward = (study["values"][:, k, columns] for k in (0, 1))
    pooled = np.concatenate([forward, backward])
    half = 1.96 * (forward - backward).std(0, ddof=1) / np.sqrt(len(forward)) / pooled.std(0, ddof=1)
    kept = n > 300
    ratios, within = {}, {}
    for metric in ("test_loss", "test_error"):
        values = study["values"][..., kept, metrics.index(metric)]
        values = np.log(values) if metric == "test_loss" else values
        both = deviation(n[kept], values)
        ratios[metric] = both[:, 0] / both[:, 1]
        centred = values - values.mean((0, 1))
        within[metric] = 100 * centred.var(-1, ddof=1).mean(0) / (centred**2).mean((0, 2))
    assert all((values > 1).all() for values in ratios.values())
    medians = [shown(np.median(values)) for values in ratios.values()]
    return [
        said("known to ±{} to ±{} deviations of the law", fixed(half.min()), fixed(half.max())),
        said("on 200 of {} seeds (log test loss {} times, test error {} times, medians)", len(forward), *medians),
        said("{} % (log test loss) and {} % (test error)", *(shown(values[0]) for values in within.values())),
        said("within a forward path, {} % and {} % within", *(shown(values[1]) for values in within.values())),
    ]


def halves(study: Study, space: str) -> dict[str, np.ndarray]:
    """Return the largest increment and tail of the second half over the scale, backward and forward, (setting, R)."""
    runs = study.about["runs"]
    found: dict[str, list[np.ndarray]] = {key: [] for key in ("increment", "tail", "settles", "forward")}
    for n, distances in zip(study["n"], study[space], strict=True):
        late = distances[:, 2 * n >= n[-1]]
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = np.median(late[..., runs.index("independent")], axis=1)
            largest = {run: late[..., runs.index(run)].max(1) for run in runs if run != "other start"}
            rounding = scale <= 1e-9 * distances[:, 0, runs.index("half ahead")]
            ratio = {run: values / scale for run, values in largest.items()}
        travelled = distances[:, 0, runs.index("half ahead")]
        for key, pair in (("settles", ("1 ahead", "half ahead")), ("forward", ("next", "earlier half"))):
            far = np.maximum(*(largest[run] for run in pair))
            found[key].append(np.where(rounding, far <= 1e-9 * travelled, far <= 0.1 * scale).all())
        found["increment"].append(ratio["1 ahead"])
        found["tail"].append(ratio["half ahead"])
    return {key: np.array(values) for key, values in found.items()}


def rates(study: Study, k: int) -> tuple[float, float]:
    """Return the foretold and the measured rate of the increments, from half of the last n above rounding."""
    n, increment, exponent = study["n"][k], study["parameter"][k][..., 0], study["exponent"][k]
    floor = 1e-11 * (1 + np.median(study["norm"][k], axis=0))
    stop = np.flatnonzero((np.median(increment, axis=0) > floor) & (n > 0))[-1]
    start = min(np.flatnonzero(n >= n[stop] / 2)[0], stop - 1)
    with np.errstate(divide="ignore"):
        measured = np.median(np.log(increment[:, stop] / increment[:, start]))
    foretold = np.median(exponent[:, stop] - exponent[:, start])
    return foretold / (n[stop] - n[start]), measured / (n[stop] - n[start])


def atlas() -> list[Said]:
    study = recorded("atlas")
    groups = np.array([setting["group"] for setting in study.about["settings"]])
    known, network = groups == "certified", ~np.isin(groups, ("certified", "convex", "least squares"))
    increments = study["parameter"][known][..., 0]
    steps = study["n"][known][:, None].astype(float)
    excess = increments - study["displacement"][known][..., None] * study["factor"][known][:, None, None] ** steps
    parameter, function = halves(study, "parameter"), halves(study, "function")
    assert not parameter["forward"][known].any()
    assert (parameter["settles"] & network).sum() == 1
    assert (function["settles"] & network).sum() == 3
    moving = np.sort(np.median(parameter["tail"], axis=1)[known & ~parameter["settles"]])
    fallen = np.log10(np.median(increments[..., 0], axis=1) / np.median(increments[..., -1], axis=1))
    pairs = np.array([rates(study, k) for k in range(len(groups))])
    certified = pairs[known, 1] / np.log(study["factor"][known])
    shrinking = pairs[pairs[:, 0] < -0.001]
    errors = dict(zip(names_of(study), np.median(study["error"][..., -1], axis=1), strict=True))
    return [
        said("({} settings; the probe", known.sum()),
        said("{} of {} backward increments exceed", (excess > 1e-15).sum(), excess.size),
        said("by more than rounding ({} do by less than 1e-15)", (excess > 0).sum()),
        said("They fall at {} to {} times the certified rate", *between(certified)),
        said("by {} to {} orders of magnitude in all", *between(fallen)),
        said("at most {} of two runs' distance", shown(np.median(parameter["increment"], axis=1)[known].max())),
        said("are still {}, {}, {} and {} of it apart", *(shown(value) for value in moving)),
        said("Of {} linear networks and MLPs", network.sum()),
        said("which leaves a test error of {}.", shown(errors["MLP, μ = 0.2"])),
        said("(a linear network, test error {},", shown(errors["linear network, μ = 0.1"])),
        said("rate of the increments in {} of {};", (np.sign(pairs[:, 0]) == np.sign(pairs[:, 1])).sum(), len(pairs)),
        said("increments fall at {} to {} times that rate", *between(shrinking[:, 1] / shrinking[:, 0])),
    ]


def misjudged(values: np.ndarray) -> float:
    """Return the chance that a run of the rate with the higher mean is lower than one of the other; (rate, run)."""
    worse, better = sorted(values, key=lambda runs: -runs.mean())
    return float(np.mean((worse[:, None] < better) + 0.5 * (worse[:, None] == better)))


def conjectures() -> list[Said]:
    study = recorded("conjectures")
    curves = dict(zip(study.about["strategies"], study["curves"].astype(float), strict=True))
    steps = dict(zip(study.about["strategies"], study["steps"].tolist(), strict=True))
    first, second = ({name: path[:, -1, k] for name, path in curves.items()} for k in (0, 2))

    def both(name: str) -> tuple[str, str]:
        return shown(np.median(second[name])), shown(np.median(first[name]))

    with np.errstate(invalid="ignore"):
        moved = {name: np.nanstd(np.diff(path[:, -20:, 2], axis=1), axis=1) for name, path in curves.items()}
    late, forward = curves["late backward"], curves["forward"]
    points = np.arange(20)
    straight = [deviation(points, np.log(path[:, -20:, 2])) for path in (late, forward)]
    stopped, regret = {}, {}
    for name in ("late backward", "forward", "moving average"):
        chosen = np.argmin(curves[name][..., 0], axis=1)
        stopped[name] = curves[name][np.arange(20), chosen, 2]
        regret[name] = stopped[name] - curves[name][..., 2].min(1)
    for rival in ("forward", "windows", "reset if better", "backward", "late backward"):
        assert (moved["suffix mean"] < moved[rival]).all()  # "steadier than all of these on 20 of 20"
    less = [[int((v["late backward"] < v[r]).sum()) for r in ("forward", "moving average")] for v in (regret, stopped)]
    counts = [int((end["late backward"] < end["forward"]).sum()) for end in (second, first)]
    judged = study["judged"]  # (forward, backward and moving average; rate; run; loss and error)
    wrong = np.array([[misjudged(way[..., metric]) for way in judged] for metric in (0, 1)])
    return [
        said("Backward in windows of 20 comes {} steps far", steps["windows"]),
        said("{} [{}] against {} [{}] forward", *both("windows"), *both("forward")),
        said("with resets only if better as far: {} [{}]", *both("reset if better")),
        said("full backward {} steps", steps["backward"]),
        said("ends at {} [{}], lower than forward on {} [{}] of 20 seeds", *both("late backward"), *counts),
        said("is steadier on {} of 20", (moved["late backward"] < moved["forward"]).sum()),
        said("(on {} by the logarithm about a line)", (straight[0] < straight[1]).sum()),
        said("costs nothing more: {} [{}]", *both("suffix mean")),
        said("than for forward on {} of 20 seeds, than for the moving average on {}", *less[0]),
        said("the loss itself is lower on {} and on {}", *less[1]),
        said("wrong with chance {} forward and {} backward by loss", *(fixed(chance, 3) for chance in wrong[0, :2])),
        said("{} and {} by error", *(fixed(chance, 3) for chance in wrong[1, :2])),
        said("{} and {} with a moving average", *(fixed(chance, 3) for chance in wrong[:, 2])),
    ]


def influence() -> list[Said]:
    study = recorded("influence")
    j, names = study["j"], names_of(study)
    moved = np.median(study["parameter"] / study["independent"][..., None], axis=1)
    outputs = np.median(study["function"] / study["independent_function"][..., None], axis=1)
    reach = {}
    for name, row in zip(names, moved, strict=True):
        beyond = np.flatnonzero(row >= 0.01)[-1] + 1
        reach[name] = int(j[beyond]) if beyond < len(j) else None
    known = np.isfinite(study["factor"])
    bound = study["step"][known] * study["factor"][known][:, None, None] ** (j - 1.0)
    above = study["parameter"][known] > bound * (1 + 1e-9) + 1e-12
    mlps = [k for k, name in enumerate(names) if name.startswith("MLP")]
    squares = names.index("least squares, 10 data in 50 dimensions, label noise")
    assert all(row.argmax() == len(j) - 1 for row in moved[mlps])  # the batch applied first moves the most
    assert [int(j[outputs[k].argmax()]) for k in mlps] == [3, 1, 1]
    first = [outputs[k, 0] for k in mlps]
    return [
        said("(no contraction, exponent +{})", shown(study["exponent"][squares])),
        said("from batch {} (least squares)", reach[names[squares]] or "none"),
        said("to {} (ridge softmax) on", max(value for value in reach.values() if value)),
        said("times the first displacement ({} of {})", above.sum(), above.size),
        said("if as little as {} to {} %", *between(100 * moved[mlps].min(1))),
        said(
            "parameters most: {} to {}, against {} to {}",
            *between(moved[mlps, -1]),
            *(fixed(f(moved[mlps, 0])) for f in (min, max)),
        ),
        said("the outermost in two ({} and {})", *(shown(value) for value in sorted(first)[1:])),
        said("without weight decay ({}; outermost {})", shown(outputs[mlps[0]].max()), shown(first[0])),
    ]


def optimizers() -> list[Said]:
    balls = recorded("quadratics")
    study = recorded("optimizers")
    norm, _, weighted = balls["heavy_ball"]
    largest = np.median(halves(study, "parameter")["increment"], axis=1)
    ends = np.median(study["parameter"][:, :, -1, 0] / study["parameter"][:, :, -1, 3], axis=1)
    adam, sgd = (
        [
            k
            for k, name in enumerate(names_of(study))
            if ", MLP" in name and name.split(",")[0] in methods and "ε" not in name
        ]
        for methods in (("Adam", "AdamW"), ("SGD", "momentum 0.9"))
    )
    assert (len(adam), len(sgd)) == (4, 4)
    exponents = (f"{value:+.3f}".replace("0.", ".").replace("-", "−") for value in balls["exponent"])
    in_half = (*between(largest[adam]), *between(largest[sgd]))
    at_end = (*between(ends[adam]), *between(ends[sgd]))
    return [
        said("not a Euclidean contraction (‖M‖ = {})", shown(norm, 3)),
        said("one in a weighted norm ({})", shown(weighted, 3)),
        said("exponents are {}, {}, {}, {} at κ = 4, 8, 12, 25", *exponents),
        said("h(1 − β₁)/(2(1 + β₁)) = {} at h = .001", shown(0.001 * (1 - 0.9) / (2 * (1 + 0.9)), 3)),
        said("at most {} to {} (Adam and AdamW) and {} to {} (SGD and momentum)", *in_half),
        said("and at the last n {} to {} and {} to {}.", *at_end),
    ]


def baselines() -> list[Said]:
    rows, study = [], recorded("baselines")
    for figure in (4, 5, 6, 7):
        ends = study[f"fig{figure}"][..., 1]
        below = [int((ends[:, k] < ends[:, 0]).sum()) for k in (1, 2, 3)]
        write: Callable[[float], str] = {5: lambda v: shown(v, 3), 7: fixed}.get(figure, shown)
        plain, average = ([write(f(ends[:, k])) for f in (np.median, np.min, np.max)] for k in (0, 1))
        rest = [part for k in (2, 3) for part in (write(np.median(ends[:, k])), str(below[k - 1]))]
        columns = "{} ({} to {}) | {} ({} to {}), lower on {} | {}, lower on {} | {}, lower on {}"
        rows.append(said(f"| Figure {figure} | {columns} |", *plain, *average, below[0], *rest))
    return rows


def choices() -> list[Said]:
    study = recorded("choices")
    names = names_of(study)
    n, values = study["n"], study["paths"]

    def ratios(name: str, metric: int = 1) -> np.ndarray:
        k = names.index(name)
        forward, backward = deviation(n[k], np.log(values[k, ..., metric]))
        return forward / backward

    diverging = [k for k, name in enumerate(names) if "he_normal" in name and "regression" in name]
    trained = [np.median(ratios(name)) for k, name in enumerate(names) if k not in diverging]
    ends = values[diverging][..., 1]
    assert not np.isfinite(ends).all(-1).any()  # every path is not finite somewhere in the window
    he = "mlp-fashion, initialisation=he_normal, scaling=standard"
    forward = np.median(values[names.index(he), 0, :, -1, 1])
    at, losses = paths(FASHION, "test_loss")
    same = np.isin(at, n[names.index(he)])
    both = deviation(at[same], np.log(losses[..., same]))
    digits = "mlp-digits, model=convnet"
    return [
        said("The medians are {} to {}.", *between(trained)),
        said("{} of {} paths, in both orders", (~np.isfinite(ends[..., -1])).sum(), ends[..., -1].size),
        said("test loss {} at step 2000", fixed(forward)),
        said("where Figure 7 has {}, forward)", fixed(np.median(losses[:, 0, -1]))),
        said("backward is {} times as steady ({} to {})", *spread(ratios(he))),
        said("Figure 7 has {} ({} to {}) by the same measure", *spread(both[:, 0] / both[:, 1])),
        said("for every iterate the ratio is {} ({} to {})", *spread(ratios(digits, 3))),
        said("with those of the state {} ({} to {})", *spread(ratios(digits))),
        said("it is {} ({} to {})", *spread(ratios(f"{digits}-group"))),
    ]


def written(values: np.ndarray, decimals: int) -> list[str]:
    """Return median, least and largest value, ``diverged`` where it is not finite."""
    numbers = (np.median(values), np.min(values), np.max(values))
    return [fixed(value, decimals) if np.isfinite(value) else "diverged" for value in numbers]


def order_averaging_table() -> list[Said]:
    study = recorded("order-averaging")
    ends = np.where(np.isfinite(study["ends"][0]), study["ends"][0], np.inf)[..., 1]  # (rate, curve, seed, budget)
    rows = []
    for name, title, decimals, rate in (
        ("regularised-1-derived", "λ = (h/c)²/2, the derived one", (3, 3), (".2", ".2")),
        ("single_order-1-derived", "term of one order", (3, 3), (".2", ".2")),
        ("regularised-0.5", "λ = .5h²", (3, 2), (".05", ".05")),
        ("regularised-1", "λ = h²", (2, 2), (".025", ".025")),
        ("regularised-2", "λ = 2h²", (2, 2), (".0125", ".025")),
        ("regularised-4", "λ = 4h²", (2, 2), (".0031", ".0125")),
        ("forward", "SGD, large batch", (3, 3), (".4", ".4")),
        ("small", "SGD, small batches", (3, 3), (".8", ".8")),
    ):
        k = study.about["curves"].index(name)
        best = [int(np.median(ends[:, k, :, budget], axis=1).argmin()) for budget in (0, 1)]
        assert [fixed(study.about["rates"][b], len(r) - 1) for b, r in zip(best, rate, strict=True)] == list(rate)
        steps, cost = (written(ends[best[b], k, :, b], decimals[b]) for b in (0, 1))
        same = name in ("forward", "small")
        columns = f"{{}} ({{}} to {{}}) at {rate[0]} | " + ("the same" if same else f"{{}} ({{}} to {{}}) at {rate[1]}")
        rows.append(said(f"| {title} | {columns} |", *steps, *([] if same else cost)))
    return rows


def order_averaging() -> list[Said]:
    study = recorded("order-averaging")
    rate, curves = np.array(study.about["rates"]), list(study.about["curves"])
    ends = np.where(np.isfinite(study["ends"][0]), study["ends"][0], np.inf)[..., 0, :]  # (rate, curve, seed, metric)
    fails = ends[..., 0] > np.log(10)
    top = study["eigenvalue"][0]  # (rate, seed, start or end)
    reach, at_start = rate[:, None] * np.nanmax(top, axis=-1), rate[:, None] * top[..., 0]
    multiples = {"regularised-1-derived": 1 / 8} | {f"regularised-{m:g}": m for m in (0.5, 1, 2, 4, 16)}

    def told(hl: np.ndarray, multiple: float) -> np.ndarray:
        return np.abs(1 - hl + multiple * 2 * hl**2) > 1  # c = 2

    verdicts = {
        key: np.array([[told(hl, m), fails[:, curves.index(name)]] for name, m in multiples.items()])
        for key, hl in (("both", reach), ("start", at_start))
    }
    (both, failed), (start, _) = verdicts["both"].swapaxes(0, 1), verdicts["start"].swapaxes(0, 1)
    plain = curves.index("forward")
    assert not fails[:, plain].any()
    printed = [curves.index(f"regularised-{m:g}") for m in (0.5, 1, 2, 4)]
    best = [rate.tolist().index(h) for h in (0.4, 0.8)]
    assert fails[best][:, printed].all()
    with np.errstate(invalid="ignore"):
        falls = (np.diff(ends[:, printed], axis=1) < 0).all(1).sum(1)  # (rate, metric)
    assert (falls[2:, :2] == 0).all()
    at = rate.tolist().index(0.2)
    derived = np.median(ends[at, curves.index("regularised-1-derived"), :, 1])
    relu, tanh = (study["expansion"][study.about["activations"].index(name), ..., 0] for name in ("relu", "tanh"))
    assert tanh.min() > 0.99
    assert (relu[-1] > 0.995).sum() == 5  # "1.00 on five of six seeds"
    return [
        said("(at .2: {}, SGD {})", fixed(derived, 3), fixed(np.median(ends[at, plain, :, 1]), 3)),
        said("for {} of {} regularised ones", (both == failed).sum(), both.size),
        said("{} of them with an unlisted λ = 16h²", both[0].size),
        said("({} failures missed, {} false alarms)", (failed & ~both).sum(), (both & ~failed).sum()),
        said("which could foretell, does for {} ({} missed)", (start == failed).sum(), (failed & ~start).sum()),
        said("condemns {} of plain SGD's {} paths", told(reach, 0).sum(), reach.size),
        said("hΛ is {} to {} and {} to {}, and every", *between(reach[best[0]]), *between(reach[best[1]])),
        said("on {} of 6 seeds (training loss: {}), at .0125 on {} ({})", *falls[0, [1, 0]], *falls[1, [1, 0]]),
        said("for ReLU it is {}, {}, {} and {} (medians)", *(fixed(np.median(row)) for row in relu[:4])),
        said("1e-5 it is {} on five of six seeds and {} on", fixed(np.median(relu[4])), fixed(relu[4].min())),
    ]


def front_page() -> list[Said]:
    medians = [np.median(steadier(name)) for name in REGRESSIONS]
    fashion = [shown(np.median(steadier(FASHION, window=window))) for window in (200, 700)]
    return [
        said("{} to {} times in the log loss of the regressions", *between(medians), page="README.md"),
        said("{} in that of Fashion-MNIST (last 200 steps; {} on the last 700)", *fashion, page="README.md"),
    ]


# --- tests ----------------------------------------------------------------------------------------------------------

SECTIONS = (
    table_of_figures,
    windows_of_figures,
    passages,
    costs,
    convergence,
    increments_in_law,
    kinks,
    one_law,
    atlas,
    conjectures,
    influence,
    optimizers,
    baselines,
    choices,
    order_averaging_table,
    order_averaging,
    front_page,
)
statements = cache(lambda section: section())


@pytest.mark.parametrize("section", SECTIONS, ids=[section.__name__ for section in SECTIONS])
def test_the_pages_state_what_the_arrays_say(section):
    lacking = [
        row.sentence.format(*row.numbers)
        for row in statements(section)
        if not states(text_of(row.page), row.sentence, row.numbers)
    ]
    assert lacking == []


def altered(number: str) -> list[str]:
    """Return a number with one more and one less in its last digit."""
    place = max(k for k, sign in enumerate(number.split("e")[0]) if sign.isdigit())
    return [f"{number[:place]}{(int(number[place]) + step) % 10}{number[place + 1 :]}" for step in (1, -1)]


@pytest.mark.control
@pytest.mark.parametrize("section", SECTIONS, ids=[section.__name__ for section in SECTIONS])
def test_a_number_that_is_off_by_one_in_its_last_digit_is_not_stated(section):
    unnoticed = [
        (row.sentence, wrong)
        for row in statements(section)
        for k, number in enumerate(row.numbers)
        if number != "diverged"
        for wrong in altered(number)
        if states(text_of(row.page), row.sentence, (*row.numbers[:k], wrong, *row.numbers[k + 1 :]))
    ]
    assert unnoticed == []


def test_numbers_are_written_as_the_pages_write_them():
    assert [shown(value) for value in (11.156, 0.9986, 0.06569, 0.0103, 2.225e-4, 0.99961)] == [
        *("11", "1.0", ".066", ".010", "2.2e-4", "1.0")
    ]
    assert [fixed(-0.1077), fixed(0.0084, 3)] == ["−.11", ".008"]
    assert states("from 4.7 to 14.7 times", "from {} to {}", ("4.7", "14.7"))
    assert not states("from 14.7 to 4.75 times", "{} to {}", ("4.7", "4.7"))
