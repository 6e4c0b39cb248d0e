"""Single statements that no other test made: the exponent of a certificate, prefixes, the tolerance of a leaf."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.leaves import leaf_basis
from contraction.maps.errors import NotCertified
from contraction.maps.iterates import _are_prefixes
from contraction.maps.rounding import EPS


def test_a_certificate_in_mean_square_is_on_second_moments() -> None:
    """A declared factor of E d(Tx, Ty)² gives a bound on (E d²)^(1/2), whatever the moment of the displacement."""
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1),
        lambda x, u: x / 2 + u,
        known=ct.Known(mean_square=0.5, displacement_moment=lambda p, theta: 1.0),
    )
    certificate = ct.certify(family, [0.0], moment=2)
    assert certificate.statement == "mean-square contraction"
    assert certificate.p == 2
    assert certificate.bound(3) == pytest.approx(0.5**3 / 0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([range(1, 1), range(1, 2), range(1, 5)], True),
        ([range(1, 3), range(1, 5)], True),
        ([range(2, 3), range(1, 5)], False),
        ([range(1, 3), range(2, 5)], False),
        ([range(1, 1), range(1, 5, 2)], False),
        ([[1, 2], range(1, 5)], False),
        ([[], range(1, 5)], False),
    ],
    ids=[
        "with the empty word",
        "prefixes",
        "another first",
        "another first of the longest",
        "steps of 2",
        "list",
        "none",
    ],
)
def test_which_words_are_prefixes_of_the_longest(words, expected) -> None:
    assert _are_prefixes(words) is expected


def test_a_leaf_may_be_left_by_roundings_and_no_more() -> None:
    """A = 1 + t e_2 e_1ᵀ moves e_1 out of its line by t; up to 64 d² (1 + |A|) ulps are taken for rounding."""
    limit = 64 * 4 * EPS * 2
    for t, inside in ((0.9 * limit, True), (1.1 * limit, False)):
        A = np.array([[1.0, 0.0], [t, 1.0]]) / 2
        family = ct.families.FiniteFamily([(2 * A, [0.0, 0.0])])
        if inside:
            assert leaf_basis(family, np.zeros(2), np.array([[1.0], [0.0]])).shape == (2, 1)
        else:
            with pytest.raises(NotCertified, match=r"a linear part moves the leaf's directions by 1\.25e-13 out of it"):
                leaf_basis(family, np.zeros(2), np.array([[1.0], [0.0]]))
