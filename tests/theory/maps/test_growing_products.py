"""Maps that grow and share a fixed point stay at it, and large dimensions need no matrix."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct


@pytest.mark.parametrize(
    ("factors", "start", "last"),
    [
        ([2.0] * 60, 1.0, 1.0),  # T x = 2x - 1: the product 2^60 and its offset cancelled to 0 from n = 54 on
        ([4.0] * 60 + [0.25] * 60, 1.0, 1.0),
        ([8.0, 0.05] * 40, 1.0, 1.0),
    ],
)
@pytest.mark.parametrize("iterate", [ct.forward_iterates, ct.backward_iterates])
def test_a_common_fixed_point_is_kept(factors, start, last, iterate):
    maps = [lambda x, a=a: a * (x - 1) + 1 for a in factors]
    operators = ct.Operators.from_maps(maps, affine=[(a, 1 - a) for a in factors])
    rows = iterate(operators, start)[:, 0]
    np.testing.assert_allclose(rows, last, rtol=1e-9)


def test_declared_constants_are_searched_without_a_matrix(monkeypatch):
    """A matrix of 5,000 by 5,000 numbers is never made, and a wrong constant is still seen."""
    d, eye = 5_000, np.eye

    def small(n, *more, **named):
        assert n <= 512, "a matrix of the size of the space"
        return eye(n, *more, **named)

    monkeypatch.setattr(np, "eye", small)
    draw, apply = (lambda rng: rng.uniform(-1, 1, d)), (lambda theta, u: 0.5 * np.sin(theta) + u)
    right = ct.RandomOperator(draw, apply, contraction=0.5, displacement=100.0)
    assert ct.certify(right, np.zeros(d)).k == 0.5
    wrong = ct.RandomOperator(draw, apply, contraction=0.45, displacement=100.0)
    with pytest.raises(ct.DeclarationRefuted):
        ct.certify(wrong, np.zeros(d))
