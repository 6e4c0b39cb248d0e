"""Words that use a map several times, and more iterates than maps: iterates, costs, laws and expansions know them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction import expansions as ex
from contraction.families import FiniteFamily, GradientSteps, RidgeLogisticLoss
from contraction.laws.enumerate import exact_law
from contraction.maps.iterates import iterates, plain_iterates
from contraction.maps.operators import Operators
from contraction.maps.orders import (
    Backward,
    CustomOrder,
    Epochs,
    PairedReversal,
    Repeated,
    Windowed,
    check_order,
    full_word,
    map_applications,
)
from contraction.statements.cases.exact_words import affine_map, iid, iterate_law
from contraction.statements.cases.polynomials import composed, fields_of, point, random_tables
from tests.theory.family_examples import LABELS, X

REUSING = [PairedReversal(), Repeated(1), Repeated(3), Epochs(4), Epochs(4, forth_and_back=True), Epochs(1)]


def test_words_that_reuse_maps():
    assert list(PairedReversal().word(3)) == [1, 2, 3, 3, 2, 1]
    assert list(Repeated(3).word(2)) == [1, 2, 1, 2, 1, 2]
    assert list(Repeated(1).word(4)) == list(Backward().word(4))
    assert full_word(Epochs(2), 5) == [1, 2, 1, 2, 1]
    assert full_word(Epochs(3, forth_and_back=True), 7) == [1, 1, 2, 3, 3, 2, 1]
    for N in (1, 2, 5):
        assert full_word(Epochs(N, forth_and_back=True), 2 * N) == full_word(PairedReversal(), N)


def test_costs_of_words_that_reuse_maps():
    assert map_applications(PairedReversal(), range(11)) == 10 * 11
    assert map_applications(Repeated(3), [4]) == 12
    assert map_applications(Epochs(5), [40]) == 40


def smooth(n):
    family = GradientSteps(RidgeLogisticLoss(X, LABELS, 0.3), 0.5, 2)
    return family.sample(n, 1), np.ones(3)


@pytest.mark.parametrize("order", REUSING, ids=repr)
def test_reused_maps_give_the_iterates_of_the_plain_loop(order):
    """In floats of nonlinear maps, exactly of rational ones, and beyond the number of maps where words allow."""
    operators, theta0 = smooth(8)
    at = [0, 3, 8, 19, 5] if isinstance(order, Epochs) else [0, 3, 8, 5]
    rows = iterates(operators, theta0, order, at)
    assert rows == pytest.approx(plain_iterates(operators, theta0, order, at), abs=1e-14)
    maps = Operators.from_maps([lambda x, b=b: abs(x) / 2 + b for b in range(8)])
    start = np.array([Fraction(1)], dtype=object)
    assert iterates(maps, start, order, at).tolist() == plain_iterates(maps, start, order, at).tolist()
    replicas = FiniteFamily([(0.5, 1.0), (0.25, -1.0)]).sample(8, 0, replicas=3)
    assert iterates(replicas, 0.0, order) == pytest.approx(plain_iterates(replicas, 0.0, order), abs=1e-14)


@given(seed=st.integers(0, 2**32 - 1), anchored=st.booleans())
def test_any_words_of_any_length(seed, anchored):
    """Random words with repetitions, of random lengths and kinds, up to and beyond the number of maps."""
    rng = np.random.default_rng(seed)
    words = [rng.integers(1, 6, rng.integers(0, 12)) for _ in range(9)]
    kinds = [list, tuple, np.asarray, lambda w: [np.int32(i) for i in w]]
    order = CustomOrder(
        lambda n: kinds[n % 4](words[n - 1].tolist()), anchors=(lambda n: np.int64(n // 2)) if anchored else None
    )
    maps = Operators.from_maps([lambda x, b=b: abs(x) / 2 + b for b in range(5)])
    start = np.array([Fraction(1)], dtype=object)
    at = list(range(10))
    assert iterates(maps, start, order, at).tolist() == plain_iterates(maps, start, order, at).tolist()


def test_numpy_integers_are_integers():
    operators, theta0 = smooth(6)
    rng = np.random.default_rng(0)
    shuffled = CustomOrder(lambda n: np.random.default_rng(n).permutation(n) + 1)
    rows = iterates(operators, theta0, shuffled, at=rng.permutation(7))
    assert rows.shape == (7, 3)
    assert map_applications(shuffled, [4]) == 4
    assert all(type(i) is int for i in full_word(shuffled, 5))
    with pytest.raises(ValueError, match="names map"):
        check_order(CustomOrder(lambda n: np.array([1.0])), [1], 3)


def test_more_iterates_than_maps_only_where_words_allow():
    operators, theta0 = smooth(6)
    for order in (Windowed(4), PairedReversal(), Repeated(2), Epochs(7)):
        with pytest.raises(ValueError, match=r"names map .*; the maps are 1 … 6"):
            iterates(operators, theta0, order, at=[12])
    with pytest.raises(ValueError, match="iterate 12 was asked for, but there are 6 maps"):
        iterates(operators, theta0, Backward(), at=[12])
    with pytest.raises(ValueError, match="names map 1"):
        iterates(operators[:0], theta0, Epochs(1), at=[1])


@pytest.mark.control
def test_a_reversal_left_out_is_seen():
    """One epoch alone, the words swapped, and one map too few are other iterates."""
    operators, theta0 = smooth(5)
    right = iterates(operators, theta0, PairedReversal(), at=[5])
    for word in (range(1, 6), [*range(5, 0, -1), *range(1, 6)], [1, 2, 3, 4, 5, 4, 3, 2, 1]):
        other = iterates(operators, theta0, CustomOrder(lambda n, word=word: list(word)), at=[1])
        assert np.abs(other - right).max() > 1e-6


def test_exact_laws_of_reused_maps():
    """Two maps, all words: exact law of T_1 T_2 T_2 T_1 against the iterates of all words, in rationals."""
    maps = [(Fraction(1, 2), Fraction(1)), (Fraction(1, 3), Fraction(0))]
    functions = [affine_map(*pair) for pair in maps]
    found = iterate_law(functions, iid([Fraction(1, 2)] * 2, 2), [Fraction(1)], PairedReversal())
    law = exact_law(maps, 2, order=PairedReversal(), theta0=1)
    assert {(point,): mass for point, mass in law.items()} == found


def test_expansions_of_reused_maps():
    """Exactly, against direct composition of polynomials; more iterates than fields where words allow."""
    tables, theta = random_tables(3, 3), point(3)
    fields = fields_of(tables)
    for order, at in ((PairedReversal(), [1, 3]), (Repeated(2), [2]), (Epochs(3, forth_and_back=True), [6])):
        for n, series in zip(at, ex.iterate_series(fields, theta, 3, at, order), strict=True):
            assert series.tolist() == composed(tables, full_word(order, n), theta, 3)
    with pytest.raises(ValueError, match="names map 4"):
        ex.iterate_series(fields, theta, 1, [4], PairedReversal())
