"""Stationary laws of maps whose letters are a Markov chain: moments, samples, and the order of the maps."""

from __future__ import annotations

import doctest
import math
from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction import laws
from contraction.families import Cyclic, FiniteFamily, MarkovModulated, Reshuffled
from contraction.laws import modulated
from contraction.maps.affine import AffineMaps

P = [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]  # turns: it is not reversible
TURN = np.array([[0.8, -0.6], [0.6, 0.8]])
A = np.stack([0.5 * TURN, -0.5 * np.eye(2), 0.2 * TURN])
B = np.array([[3.0, 0.0], [-3.0, 3.0], [0.0, -3.0]])
CHAIN = FiniteFamily(list(zip(A, B, strict=True)), law=MarkovModulated(P))


def enumerated(n: int, forward: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and second moment of iterate n from zero over all words of the chain."""
    mean, second = np.zeros(2), np.zeros((2, 2))
    for word, p in MarkovModulated(P).words(n):
        x = np.zeros(2)
        for i in word if forward else reversed(word):
            x = A[i] @ x + B[i]
        mean, second = mean + float(p) * x, second + float(p) * np.outer(x, x)
    return mean, second


def test_moments_are_those_of_all_words():
    """Norms of at most 1/2 and offsets of at most 4.3 leave the limit within 8.6 · 2⁻⁸ = 0.034 of iterate 8.

    The square of a norm of at most 8.6 changes by at most 17.2 times as much; so do second moments.
    """
    found = laws.modulated_moments(CHAIN)
    mean, second = enumerated(8, forward=True)
    assert np.linalg.norm(found.stationary_mean - mean) < 0.034
    exact = found.stationary_covariance + np.outer(found.stationary_mean, found.stationary_mean)
    assert np.linalg.norm(exact - second) < 17.2 * 0.034
    assert np.allclose(found.letters, 1 / 3)
    assert np.allclose(found.letters @ found.means, found.stationary_mean)


def test_moments_are_a_fixed_point_of_one_more_map():
    """The equations, written out by letters: E[θ' 1(i' = a)] from E[θ 1(i = c)] and P."""
    found = laws.modulated_moments(CHAIN)
    m = found.letters[:, None] * found.means
    again = [A[a] @ sum(P[c][a] * m[c] for c in range(3)) + found.letters[a] * B[a] for a in range(3)]
    np.testing.assert_allclose(again, m, atol=1e-13)


def test_independent_letters_give_the_moments_of_independent_maps():
    weights = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    chain = FiniteFamily(list(zip(A, B, strict=True)), law=MarkovModulated([weights] * 3))
    free = FiniteFamily(list(zip(A, B, strict=True)), weights)
    known = laws.affine_moments(free, np.zeros(2))
    for family in (chain, free):
        found = laws.modulated_moments(family)
        np.testing.assert_allclose(found.stationary_mean, known.stationary_mean, atol=1e-13)
        np.testing.assert_allclose(found.stationary_covariance, known.stationary_covariance, atol=1e-12)


def test_samples_have_these_moments():
    """4,000 draws within 10⁻⁶ of the law: means within 6 standard errors, second moments within 6 of theirs."""
    found = laws.modulated_moments(CHAIN)
    sample = ct.sample_stationary(CHAIN, 1e-6, theta0=np.zeros(2), size=4000)
    x = sample.value
    assert x.shape == (4000, 2)
    assert sample.certificate.certified
    exact = found.stationary_covariance + np.outer(found.stationary_mean, found.stationary_mean)
    for values, target in ((x, found.stationary_mean), (x[:, :, None] * x[:, None], exact)):
        error = values.std(axis=0, ddof=1) / math.sqrt(len(x))
        assert np.all(np.abs(values.mean(axis=0) - target) <= 6 * error + 1e-4)
    assert ct.sample_stationary(CHAIN, 1e-3, theta0=np.zeros(2)).value.shape == (2,)


@pytest.mark.control
def test_the_other_order_has_another_law():
    """Backward iterates under the same chain tend to another mean, which the tests above would see."""
    found = laws.modulated_moments(CHAIN)
    assert np.linalg.norm(enumerated(8, forward=False)[0] - found.stationary_mean) > 0.3
    turned = FiniteFamily(list(zip(A, B, strict=True)), law=MarkovModulated(np.transpose(P).tolist()))
    backward = laws.modulated_moments(turned).stationary_mean
    assert np.linalg.norm(enumerated(8, forward=False)[0] - backward) < 0.034


def test_what_has_no_such_law_is_refused():
    maps = list(zip(A, B, strict=True))
    started = FiniteFamily(maps, law=MarkovModulated(P, initial=[1.0, 0.0, 0.0]))
    for family in (started, FiniteFamily(maps, law=Cyclic(3)), FiniteFamily(maps, law=Reshuffled(3))):
        with pytest.raises(ValueError, match="a Markov chain that starts in its stationary law"):
            ct.sample_stationary(family, 1e-3, theta0=np.zeros(2))
        with pytest.raises(ValueError, match=r"law MarkovModulated or IID|must start in their stationary law"):
            laws.modulated_moments(family)
    with pytest.raises(ValueError, match=r"spectral radius of its equations is 1\.21 ≥ 1"):
        laws.modulated_moments(FiniteFamily([(1.1, 0.0), (-1.1, 1.0)]))
    with pytest.raises(ValueError, match="finitely many affine maps"):
        laws.modulated_moments(ct.families.QuadraticSGD(0.1))


def test_example():
    assert doctest.testmod(modulated).failed == 0


class OfUnlikeWidths(FiniteFamily):
    """A family that does not tell its dimension, and whose maps are given as they were written."""

    def __init__(self, pairs, law):
        super().__init__(pairs, law=law)
        self.dim, self._pairs = None, pairs

    def affine(self, draw):
        A, b = (np.asarray(part, dtype=float) for part in self._pairs[int(draw)])
        return AffineMaps(A, np.atleast_1d(b), ("scalar", "diagonal", "matrix")[A.ndim])


@pytest.mark.parametrize("swapped", [False, True])
def test_a_number_among_vectors_stands_for_all_coordinates(swapped):
    """A map of one number beside one of two: the moments are those of the maps written out, in either order."""
    pairs = [(0.5, 1.0), ([[0.0, 0.4], [-0.3, 0.2]], [1.0, 2.0])]
    written_out = [(0.5 * np.eye(2), [1.0, 1.0]), pairs[1]]
    step = -1 if swapped else 1
    chain = MarkovModulated([[0.3, 0.7], [0.6, 0.4]])
    found = laws.modulated_moments(OfUnlikeWidths(pairs[::step], chain))
    known = laws.modulated_moments(FiniteFamily(written_out[::step], law=chain))
    assert found.stationary_mean.shape == (2,)
    np.testing.assert_allclose(found.stationary_mean, known.stationary_mean, atol=1e-14)
    np.testing.assert_allclose(found.stationary_covariance, known.stationary_covariance, atol=1e-14)
