"""Lower sums of moments whose powers overflow, and searches that allow for the rounding of large targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from contraction.families import DataLoss
from contraction.families.loss_search import search_loss
from contraction.families.tail_quadrature import COARSE, least_moment
from contraction.maps.errors import DeclarationRefuted


@pytest.mark.parametrize("p", [1.0, 2.0, 8.0, 20.0])
def test_a_lower_sum_leaves_out_where_no_mass_is(p: float) -> None:
    """E X^p = 1 / (p + 1) for uniform X: powers of 2^300 overflow, but nothing lies there.

    The sum takes S at the upper end of each cell, 2^(1/COARSE) times the lower one: it is at least 2^(-p/COARSE)
    times the moment.
    """
    found = least_moment(stats.uniform(), p)
    assert 0.999 * 2 ** (-p / COARSE) / (p + 1) < found <= 1 / (p + 1)
    shifted = least_moment(stats.uniform(2.0, 1.0), p, about=2.0)
    assert shifted == pytest.approx(found, rel=1e-9)


class Square(DataLoss):
    """(z - y)² / 20, with a slope whose two products are rounded."""

    def value(self, z: Any, y: Any) -> Any:
        return (z - y) ** 2 / 20

    def slope(self, z: Any, y: Any) -> Any:
        return 0.1 * z - 0.1 * y


@pytest.mark.parametrize("target", [0.0, 1.0, 1e8, 1e15])
@pytest.mark.parametrize("off", [0.0, 0.001])
def test_a_true_bound_is_not_refused_for_the_rounding_of_its_targets(target: float, off: float) -> None:
    class Stated(Square):
        low, high = 0.1 - off, 0.1 - off

    loss = Stated(np.ones((2, 1)), np.array([target, -target]))
    if off and target <= 1:
        with pytest.raises(DeclarationRefuted, match=r"but the slope of phi' is 0\.1 "):
            search_loss(loss)
    elif not off:
        search_loss(loss)
