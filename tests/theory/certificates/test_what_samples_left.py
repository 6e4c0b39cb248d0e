"""Single statements that no other test made: the exponent of a certificate, prefixes, the tolerance of a leaf."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.average import confidence_upper
from contraction.certificates.drawn import certify_drawn
from contraction.certificates.leaves import leaf_basis
from contraction.certificates.moments import _pair
from contraction.certificates.words import certify_p_mean
from contraction.maps.errors import NotCertified
from contraction.maps.iterates import _are_prefixes
from contraction.maps.rounding import EPS, round_up


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


def test_a_leaf_may_not_be_left_even_by_a_rounding() -> None:
    """A = 1 + t e_2 e_1ᵀ moves e_1 out of its line by t, and is refused unless t = 0."""
    for t, inside in ((0.0, True), (5e-324, False), (1.25e-13, False)):
        family = ct.families.FiniteFamily([(np.array([[1.0, 0.0], [t, 1.0]]), [0.0, 0.0])])
        if inside:
            assert leaf_basis(family, np.zeros(2), np.array([[1.0], [0.0]])).shape == (2, 1)
        else:
            with pytest.raises(NotCertified, match=rf"a linear part moves the leaf's directions by {t:.3g} out of it"):
                leaf_basis(family, np.zeros(2), np.array([[1.0], [0.0]]))


def test_numbers_that_are_all_known_to_be_one_number_have_it_as_their_bound() -> None:
    """lowest = largest: the mean is that number, and neither inequality adds anything."""
    assert confidence_upper([-1.0, 2.0], largest=2.0, confidence=0.9, lowest=2.0) == 2.0
    with pytest.raises(ValueError, match="lowest <= largest"):
        confidence_upper([-1.0, 2.0], largest=2.0, confidence=0.9, lowest=2.5)


def test_two_points_of_a_search_have_a_scale_each() -> None:
    """x is θ plus the first scale, and y is x plus the second: pairs near θ that are far apart, and the other way."""

    class Ones:
        def uniform(self, low: float, high: float, size: int) -> np.ndarray:
            assert (low, high, size) == (-2, 3, 2)
            return np.array([1.0, 2.0])

        def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
            return np.ones(shape)

    family = ct.families.QuadraticSGD(0.5, dim=2)
    x, y = _pair(family, np.array([3.0, -1.0]), Ones())  # type: ignore[arg-type]
    assert x.tolist() == [43.0, 39.0]  # 1 + max |θ_j| is 4, times 10
    assert (y - x).tolist() == [400.0, 400.0]


def test_a_mean_of_powers_that_is_rounded_up_to_one_certifies_nothing() -> None:
    """E K^p is rounded up by 64 units: there are numbers for which 1 comes out, and D/(1 - 1) means nothing."""
    units = 1 - np.arange(200) * EPS / 2
    (tie, *_) = [float(m) for m in units if float(round_up(m, 64)) == 1.0]

    class Stated(ct.RandomOperator):
        moment = tie

        def factor_moment(self, p: float) -> float:
            return self.moment

        def displacement_moment(self, theta0, p: float) -> ct.Constant:
            return ct.Constant(1.0, "declared", "")

    family = Stated(lambda rng: rng.uniform(-1, 1), lambda x, u: u - x)
    assert certify_p_mean(family, np.zeros(1), None, 1.0) is None
    family.moment = 0.99
    assert certify_p_mean(family, np.zeros(1), None, 1.0) is not None


@pytest.mark.parametrize("start", [[0.0, 1e8], [1e8, 0.0], [-1e8, 1.0]], ids=str)
def test_what_drawn_maps_move_is_rounded_up_by_the_largest_coordinate(start: list[float]) -> None:
    """(d + 4) ε (D + √d max |θ_j|) for d = 2, also where floats show a displacement of 0: D is never below it."""
    theta = np.array(start)
    still = ct.families.FiniteFamily([(np.eye(2) / 2, theta / 2)])  # θ/2 + θ/2 = θ
    found = certify_drawn(still.sample(3), theta, None, None, 0)
    slack = 6 * EPS * np.sqrt(2) * 1e8
    assert slack <= found.D <= 1.01 * slack
    assert certify_drawn(still.sample(3), np.array([0.0, 0.0]), None, None, 0).D > 1e7
    origin = ct.families.FiniteFamily([(np.eye(2) / 2, np.zeros(2))])
    assert certify_drawn(origin.sample(3), np.zeros(2), None, None, 0).D == 0
