"""Mean squared increments of both orders, and covariances of two iterates, over all words of two maps of R²."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from contraction.laws import RandomAffineMoments

MAPS = [
    (np.array([[0.5, 0.25], [0.0, -0.5]]), np.array([1.0, 0.0])),
    (np.array([[0.0, 0.5], [0.25, 0.5]]), np.array([-1.0, 2.0])),
]
WEIGHTS = [0.25, 0.75]
START = np.array([3.0, -1.0])
MOMENTS = RandomAffineMoments.from_maps([A for A, _ in MAPS], [b for _, b in MAPS], weights=WEIGHTS, theta0=START)


def paths(n: int, order: str) -> list[tuple[float, list[np.ndarray]]]:
    """(probability, iterates 0 … n) of every word of length n."""
    found = []
    for word in itertools.product((0, 1), repeat=n):
        rows = []
        for m in range(n + 1):
            x = START
            for i in word[:m] if order == "forward" else reversed(word[:m]):
                x = MAPS[i][0] @ x + MAPS[i][1]
            rows.append(x)
        found.append((float(np.prod([WEIGHTS[i] for i in word])), rows))
    return found


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_increments(n: int) -> None:
    for order, claimed in (("forward", MOMENTS.forward_increment), ("backward", MOMENTS.backward_increment)):
        mean = sum(p * np.sum((rows[n + 1] - rows[n]) ** 2) for p, rows in paths(n + 1, order))
        assert claimed(n) == pytest.approx(mean, rel=1e-12), order


@pytest.mark.parametrize(("n", "m"), [(1, 3), (3, 1), (2, 2), (0, 2)])
def test_covariances_of_two_iterates(n: int, m: int) -> None:
    for order, claimed in (("forward", MOMENTS.forward_covariance), ("backward", MOMENTS.backward_covariance)):
        all_words = paths(max(n, m), order)
        x, y = (sum(p * rows[k] for p, rows in all_words) for k in (n, m))
        product = sum(p * np.outer(rows[n], rows[m]) for p, rows in all_words)
        np.testing.assert_allclose(claimed(n, m), product - np.outer(x, y), rtol=1e-12, atol=1e-13, err_msg=order)


@pytest.mark.control
def test_the_two_orders_have_other_increments() -> None:
    assert MOMENTS.forward_increment(4) > 2 * MOMENTS.backward_increment(4)
    assert not np.allclose(MOMENTS.forward_covariance(1, 3), MOMENTS.backward_covariance(1, 3))
