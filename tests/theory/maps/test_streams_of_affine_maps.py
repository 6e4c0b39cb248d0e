"""Long affine paths in one pass: where all linear parts act elementwise, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction.maps.iterates import _stream_pair

START = np.array([1.0, -2.0, 0.5])
AT = np.array([0, 2, 5, 5])


def of_kind(kind: str) -> ct.RandomOperator:
    """T(x) = A x + b with A a number, a diagonal or a matrix; "mixed": one of the two latter, as the draw has it."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        A, b = rng.uniform(-0.5, 0.5, (3, 3)), rng.uniform(-1, 1, 3)
        if kind == "mixed":
            return (A if b[0] > 0 else np.diag(A).copy()), b
        return {"number": A[0, 0], "diagonal": np.diag(A).copy(), "matrix": A}[kind], b

    def apply(x: np.ndarray, drawn: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        A, b = drawn
        return (x @ A.T if np.ndim(A) == 2 else A * x) + b

    return ct.RandomOperator(draw, apply, affine=lambda drawn: drawn)


@pytest.mark.parametrize("kind", ["number", "diagonal"])
def test_both_orders_in_one_pass(kind: str) -> None:
    operators = of_kind(kind).sample(5, 1)
    pair = _stream_pair(operators, START, AT)
    assert pair is not None
    for rows, order in zip(pair, (ct.Forward(), ct.Backward()), strict=True):
        np.testing.assert_allclose(rows, ct.plain_iterates(operators, START, order, at=AT), rtol=1e-13, atol=1e-13)


def test_matrices_are_left_to_others_wherever_they_occur() -> None:
    assert _stream_pair(of_kind("matrix").sample(5, 1), START, AT) is None
    seeds = [s for s in range(40) if of_kind("mixed").sample(1, s).draws[0][1][0] <= 0]  # begin with a diagonal
    found = [_stream_pair(of_kind("mixed").sample(5, s), START, AT) for s in seeds]
    assert len(seeds) > 9
    assert sum(one is None for one in found) > len(seeds) / 2
