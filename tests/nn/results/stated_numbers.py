"""Sentences of the pages on results, their numbers as the pages write them, and the arrays of record."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

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
