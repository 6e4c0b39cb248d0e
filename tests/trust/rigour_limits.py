"""Limits with their errors, and boxes around them, against the same maps in balls."""

from __future__ import annotations

from typing import Any

import flint
import numpy as np
from flint import arb

import contraction as ct
from contraction.families import FiniteFamily
from contraction.limits.backward import backward_limit as search_limit
from contraction.limits.nested_boxes import nested_boxes
from tests.trust.rigour import BITS, Case
from tests.trust.rigour_families import column, length, rows
from tests.trust.rigour_formulas import draw_scale

__all__ = ["backward_limit", "nested_affine", "nested_monotone"]


def _images(maps: list, letters: list[int], x: Any, n: int) -> Any:
    for i in range(n, 0, -1):
        A, b = maps[letters[i - 1]]
        x = rows(A) * x + column(b)
    return x


def backward_limit(rng: np.random.Generator) -> Case | None:
    """The distance of the value to the limit, which 400 further maps of factor at most 0.9 give to 1e-18 of it."""
    scale, d = draw_scale(rng, 0.0), int(rng.integers(1, 4))
    maps = []
    for _ in range(2):
        A = rng.standard_normal((d, d))
        A *= rng.uniform(0.01, 0.9) / np.linalg.norm(A, 2)
        maps.append((float(A[0, 0]) if d == 1 else A, scale * rng.uniform(-1, 1, d)))
    theta, seed = scale * rng.uniform(-1, 1, d), int(rng.integers(2**31))
    family = FiniteFamily(maps)
    eps = scale * float(10.0 ** rng.uniform(-12, 0))
    try:
        found = search_limit(family, theta, eps, seed)
    except (ct.NotCertified, ValueError):
        return None
    n = found.maps + 400
    letters = [int(i) for i in family.sample(n, seed).draws]
    flint.ctx.prec = BITS
    gap = length(_images(maps, letters, column(theta), n) - column(found.value))
    # the remaining error of ``gap`` is at most the truncation times 0.9^400 < 1e-18
    return Case(found.error * (1 + 1e-18), gap, f"maps={maps}, theta0={theta.tolist()}, eps={eps!r}, seed={seed}")


def _outside(boxes: Any, low: Any, high: Any) -> tuple[float, Any]:
    """How far a corner of the exact image lies outside the last box: at most 0, stated as claimed 0 >= outside."""
    worst = arb(0)
    for j in range(len(boxes.low[-1])):
        for out in (arb(float(boxes.low[-1][j])) - low[j], high[j] - arb(float(boxes.high[-1][j]))):
            worst = out if out > worst else worst
    return 0.0, worst


def _nested(rng: np.random.Generator, signs: Any, how: str) -> Case | None:
    scale, d, n = draw_scale(rng, 0.0), int(rng.integers(1, 4)), int(rng.integers(1, 40))
    maps = []
    for _ in range(2):
        A = signs(rng.standard_normal((d, d)))
        A *= rng.uniform(0.01, 0.9) / np.max(np.sum(np.abs(A), axis=1))
        maps.append((A, scale * 0.09 * rng.uniform(-1, 1, d)))
    end = np.full(d, scale)
    seed = int(rng.integers(2**31))
    operators = FiniteFamily(maps).sample(n, seed)
    try:
        boxes = nested_boxes(operators, -end, end, at=[n], maps=how)
    except ct.NotCertified:
        return None
    flint.ctx.prec = BITS
    low, high = ([arb(float(x)) for x in e] for e in (-end, end))
    for i in range(n, 0, -1):
        A, b = maps[int(operators.draws[i - 1])]
        images = []
        for row, shift in zip(A.tolist(), b.tolist(), strict=True):
            ends = [(arb(a) * x, arb(a) * y) for a, x, y in zip(row, low, high, strict=True)]
            images.append(
                (
                    sum((u if a > 0 else v for a, (u, v) in zip(row, ends, strict=True)), arb(shift)),
                    sum((v if a > 0 else u for a, (u, v) in zip(row, ends, strict=True)), arb(shift)),
                )
            )
        low, high = [u for u, _ in images], [v for _, v in images]
    claimed, outside = _outside(boxes, low, high)
    return Case(claimed, outside, f"maps={maps}, n={n}, seed={seed}, {how}")


def nested_affine(rng: np.random.Generator) -> Case | None:
    """Interval images of a box by affine maps."""
    return _nested(rng, lambda A: A, "affine")


def nested_monotone(rng: np.random.Generator) -> Case | None:
    """Images of the two extremes by monotone maps."""
    return _nested(rng, np.abs, "monotone")
