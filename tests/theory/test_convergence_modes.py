"""Appendix E.1 (rows 42, 43): the two implications with their numbers, exactly; neither can be reversed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.orders import Backward, Forward
from contraction.statements import convergence_modes as statement
from contraction.statements._finite import affine_map, iid, law_of, rows

fractions = st.fractions(-2, 2, max_denominator=5)


@given(
    maps=st.lists(st.tuples(fractions, fractions), min_size=2, max_size=2),
    theta0=st.lists(fractions, min_size=1, max_size=4),
    eps=st.fractions(Fraction(1, 1000), 3, max_denominator=1000),
    steps=st.tuples(st.integers(0, 4), st.integers(1, 2)),
    order=st.sampled_from([Backward(), Forward()]),
)
def test_implications(maps, theta0, eps, steps, order):
    n, more = steps
    weights = [Fraction(1, 3), Fraction(2, 3)]
    verdict = statement.check([affine_map(*m) for m in maps], weights, theta0, n, n + more, eps, order=order)
    assert verdict, verdict


@given(starts=st.tuples(st.integers(-3, 0), st.integers(1, 3)), n=st.integers(1, 6))
def test_limit_law_belongs_to_the_start(starts, n):
    assert statement.check_printed(Fraction(1, 2), n, starts)


@pytest.mark.control
def test_one_start_does_not_refute():
    assert not statement.check_printed(Fraction(1, 2), 4, (1, 1))


@pytest.mark.control
def test_convergence_in_law_does_not_give_probability():
    """Example 2.4, forward: the law is the same at every n, yet consecutive iterates differ with probability ½."""
    maps, words = [affine_map(0, 0), affine_map(0, 1)], iid([Fraction(1, 2)] * 2, 6)
    path = rows(maps, list(words), [0], Forward())[:, :, 0]
    weights = list(words.values())
    assert len({tuple(sorted(law_of(path[:, n], weights).items())) for n in range(1, 7)}) == 1
    assert sum(w for w, p in zip(weights, path, strict=True) if p[5] != p[6]) == Fraction(1, 2)


@pytest.mark.control
def test_convergence_in_probability_does_not_give_almost_sure():
    """The typewriter sequence on [0, 1): nonzero values become rare, yet every point is hit in every round."""
    for level in range(1, 7):
        cells = np.arange(2**level)
        hits = cells[:, None] == cells  # X_j is the indicator of cell j of this round
        assert np.all(hits.mean(axis=1) == 2.0**-level)
        assert np.all(hits.any(axis=0))


@pytest.mark.control
def test_a_missing_probability_is_caught(monkeypatch):
    """Without the term P(|X_n - X_N| > eps), here by a distance that is always 0, the inequality fails."""
    monkeypatch.setattr(statement, "sup_distance", lambda x, y: np.zeros(np.broadcast_shapes(x.shape, y.shape)[:-1]))
    verdicts = [statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard")]
    assert not all(verdicts)
