"""Appendix E.1 (rows 42, 43): the two implications with their numbers, exactly; neither can be reversed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.maps.orders import Backward, Forward
from contraction.statements.appendix_e import convergence_modes as statement
from contraction.statements.cases.exact_words import affine_map, iid, law_of, rows

fractions = st.fractions(-2, 2, max_denominator=5)


@given(
    maps=st.lists(st.tuples(fractions, fractions), min_size=2, max_size=2),
    theta0=st.lists(fractions, min_size=1, max_size=4),
    eps=st.fractions(Fraction(1, 1000), 3, max_denominator=1000),
    steps=st.tuples(st.integers(0, 3), st.integers(1, 2)),
    order=st.sampled_from([Backward(), Forward()]),
)
def test_implications_in_any_dimension(maps, theta0, eps, steps, order):
    n, more = steps
    weights = [Fraction(1, 3), Fraction(2, 3)]
    verdict = statement.check_implications(
        [affine_map(*m) for m in maps], weights, theta0, n, n + more, eps, order=order
    )
    assert verdict, verdict


@given(starts=st.tuples(st.integers(-3, 0), st.integers(1, 3)), n=st.integers(1, 4))
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
    """The typewriter sequence as maps: T_j is the indicator of cell j of its round, so P(X ≠ 0) halves with each round,
    while a path of the package's forward iterates comes back to 1 in every round."""
    maps = [affine_map(0, 0), affine_map(0, 1)]
    points = np.arange(64)
    words = np.concatenate([points[:, None] >> (6 - r) == np.arange(2**r) for r in range(1, 7)], axis=1).astype(int)
    path = rows(maps, words, [0], Forward())[:, 1:, 0]
    ends = np.cumsum([2**r for r in range(1, 7)])
    for level, (begin, end) in enumerate(zip([0, *ends], ends, strict=False), 1):
        assert (path[:, begin:end] != 0).mean(axis=0).tolist() == [2.0**-level] * 2**level
        assert (path[:, begin:end] == 1).any(axis=1).all()


def run() -> bool:
    return all(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))


@given(
    M=st.integers(2, 4),
    n=st.integers(0, 3),
    more=st.integers(0, 2),
    start=st.fractions(0, 1, max_denominator=9),
    scale=st.fractions(0, 2, max_denominator=9),
)
def test_limits_of_known_law(M, n, more, start, scale):
    verdict = statement.check(M, start, n, more, scale / M**n)
    assert verdict, verdict


def test_the_implication_is_attained():
    """F_n(0) = M^-n = F(eps) with eps = M^-n, from 0: the smallest eps that serves at x = 0."""
    n, M = 3, 2
    law = statement.law_of(
        rows(statement.digit_maps(M), statement.all_words(M, n), [0], Backward(), [n])[:, 0], [Fraction(1, M**n)] * M**n
    )
    assert statement.cdf(law, [Fraction(0)]) == statement.uniform_cdf(Fraction(1, M**n))


@pytest.mark.control
def test_made_up_iterates_are_caught(monkeypatch):
    """Any numbers in place of the iterates: the implications alone hold for them, the known limits do not."""
    rng = np.random.default_rng(3)

    def made_up(maps, words, theta0, order, at=None):
        shape = (len(words), np.shape(words)[1] + 1 if at is None else len(at), len(theta0))
        return np.array([Fraction(int(x), 7) for x in rng.integers(-9, 9, shape).ravel()], object).reshape(shape)

    monkeypatch.setattr(statement, "rows", made_up)
    drawn = statement.implication_cases(np.random.default_rng(0), "standard")
    assert all(statement.check_implications(**case) for case in drawn)
    assert not any(statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard"))


@pytest.mark.control
def test_forward_iterates_converge_in_law_alone():
    """Their law is that of the backward ones; they do not come close to the limit of their path."""
    verdict = statement.check(2, Fraction(1, 3), 3, 1, Fraction(1, 8), order=Forward())
    assert not verdict
    assert verdict.part.startswith("almost surely")


@pytest.mark.control
@pytest.mark.parametrize("wrong", [lambda x: x * x, lambda x: min(max(x, Fraction(0)), Fraction(9, 10))])
def test_another_limit_law_is_caught(monkeypatch, wrong):
    monkeypatch.setattr(statement, "uniform_cdf", wrong)
    assert not run()


@pytest.mark.control
def test_a_missing_probability_is_caught(monkeypatch):
    """Without the term P(|X_n - X_N| > eps), here by a distance that is always 0, the inequality fails."""
    monkeypatch.setattr(statement, "sup_distance", lambda x, y: np.zeros(np.broadcast_shapes(x.shape, y.shape)[:-1]))
    drawn = statement.implication_cases(np.random.default_rng(0), "standard")
    assert not all(statement.check_implications(**case) for case in drawn)
