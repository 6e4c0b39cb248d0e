"""What a user's loss or index law states is searched: the range of phi'', and the independence of letters."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction.families import DataLoss, FiniteFamily, GradientSteps, IndexLaw

X, Y = np.random.default_rng(0).normal(size=(6, 2)), [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]


class LogCosh(DataLoss):
    """phi(z, y) = log cosh(z - y), whose second derivative 1/cosh² has the range (0, 1]."""

    low, high = 0.0, 1.0

    def slope(self, z, y):
        return np.tanh(z - y)

    def value(self, z, y):
        return np.log(np.cosh(z - y))


class TooSmall(LogCosh):
    high = 0.01


class TooConvex(LogCosh):
    low = 0.2


@pytest.mark.parametrize("loss", [TooSmall, TooConvex], ids=["high", "low"])
def test_a_wrong_range_of_the_second_derivative_is_refused(loss):
    with pytest.raises(ct.DeclarationRefuted, match="states phi''"):
        GradientSteps(loss(X, Y, 0.5), 0.3)


def test_a_right_range_is_declared():
    family = GradientSteps(LogCosh(X, Y, 0.5), 0.3)
    certificate = ct.certify(family, [0.0, 0.0])
    assert {certificate.constants[name].origin for name in ("k", "D")} == {"declared"}


class Pairs(IndexLaw):
    """Letters 0 and 1 of which the second repeats the first with probability ``stay``; only words of two are listed."""

    size, is_iid = 2, True

    def __init__(self, stay):
        self.stay = stay

    @property
    def marginal(self):
        return (Fraction(1, 2), Fraction(1, 2))

    def letters(self, n, seed, replicas=None):
        return np.random.default_rng(seed).integers(2, size=n if replicas is None else (n, replicas))

    def _words(self, n):
        for a, b in itertools.product(range(2), repeat=2):
            yield (a, b), (self.stay if a == b else 1 - self.stay) / 2


def test_laws_that_call_themselves_independent_are_checked():
    maps = [(0.5, [1.0]), (0.5, [-1.0])]
    with pytest.raises(ct.DeclarationRefuted, match=r"the word \(0, 0\) has the probability 9/20"):
        FiniteFamily(maps, law=Pairs(Fraction(9, 10)))
    assert ct.certify(FiniteFamily(maps, law=Pairs(Fraction(1, 2))), [0.0]).origin == "declared"


def test_laws_that_do_not_call_themselves_independent_may_depend():
    class Honest(Pairs):
        is_iid = False

    assert not FiniteFamily([(0.5, [1.0]), (0.5, [-1.0])], law=Honest(Fraction(9, 10))).is_iid
