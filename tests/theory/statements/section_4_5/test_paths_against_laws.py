"""Section 4 (row 73, fixed n): forward and backward iterates are an exchangeable pair, so perform alike in law."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families import Gaussian, QuadraticSGD
from contraction.families.index_laws import Cyclic, ExchangeableMixture
from contraction.laws import exchangeable_pair, sign_flip_test
from contraction.maps.iterates import paired_iterates
from contraction.statements.section_2.equality_of_laws import kink
from contraction.statements.section_4_5 import paths_against_laws as statement

fractions = st.fractions(-2, 2, max_denominator=4)


@given(
    parameters=st.lists(st.tuples(fractions, fractions, fractions), min_size=1, max_size=3),
    theta0=st.lists(fractions, min_size=1, max_size=2),
    n=st.integers(1, 4),
    center=fractions,
)
def test_pairs_are_exchangeable(parameters, theta0, n, center):
    M = len(parameters)
    weights = [Fraction(2 * (i + 1), M * (M + 1)) for i in range(M)]
    verdict = statement.check([kink(*p) for p in parameters], weights, theta0, n, statement.quartic(center))
    assert verdict, verdict


@given(bias=st.fractions(Fraction(1, 9), Fraction(8, 9), max_denominator=9), n=st.integers(1, 5))
def test_exchangeable_batches_are_enough(bias, n):
    law = ExchangeableMixture([[bias, 1 - bias], [Fraction(1, 2)] * 2]).word_law(n)
    maps = [kink(Fraction(1, 2), Fraction(1), Fraction(1, 4)), kink(Fraction(-1, 3), Fraction(2), Fraction(1))]
    assert statement.check(maps, law, [Fraction(1, 3)], n, statement.quartic(Fraction(1)))


def test_another_arithmetic_agrees():
    maps = [(Fraction(1, 2), 0), (Fraction(-3, 2), Fraction(1, 2)), (2, -1)]
    assert exchangeable_pair(maps, 5, Fraction(1, 3))


def test_same_seed_sign_flips_do_not_reject():
    """Exact paired test at one n: 40 seeds of an AR(1); a p-value below 1e-9 is a false alarm of that rate."""
    forward, backward = paired_iterates(QuadraticSGD(0.1, Gaussian()).sample(40, 7, replicas=40), 1.0, at=[40])
    result = sign_flip_test(forward[:, 0, 0] ** 2 - backward[:, 0, 0] ** 2, n_resamples=999, seed=1)
    assert result.pvalue > 1e-9


def test_at_a_fixed_step_the_expected_losses_are_equal():
    verdicts = [statement.check_printed(n, seed) for n in (1, 3, 5) for seed in range(3)]
    assert all(v and v.kind == "beyond" and v.measured == v.claimed for v in verdicts)


@pytest.mark.control
def test_a_fixed_order_of_batches_is_caught():
    """Not exchangeable: batches in one cyclic order. The pair is one point, and exchanging it moves it."""
    maps = [kink(Fraction(1, 2), Fraction(0), Fraction(0)), kink(Fraction(1, 2), Fraction(1), Fraction(0))]
    assert not statement.check(maps, Cyclic(2).word_law(2), [Fraction(0)], 2, statement.quartic(Fraction(1)))


@pytest.mark.control
def test_unequal_lengths_are_caught(monkeypatch):
    """Backward iterate n against forward iterate n-1 is no exchangeable pair."""
    real = statement.rows

    def shorter(maps, words, theta0, order, at):
        return real(maps, words, theta0, order, [at[0] - isinstance(order, statement.Forward)])

    monkeypatch.setattr(statement, "rows", shorter)
    verdicts = [statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard")]
    assert not all(verdicts)


@pytest.mark.control
def test_two_wrong_orders_that_agree_are_caught(monkeypatch):
    """Backward iterates given for both orders: equal expectations, and a pair that the maps do not have."""
    real = statement.rows
    monkeypatch.setattr(
        statement,
        "rows",
        lambda maps, words, theta0, order, at=None: real(maps, words, theta0, statement.Backward(), at),
    )
    verdicts = [statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard")]
    assert "the pair by hand" in {v.part for v in verdicts if not v}
    assert not statement.check_printed()


@pytest.mark.control
def test_other_maps_than_the_printed_ones_have_another_law(monkeypatch):
    monkeypatch.setattr(statement, "affine_map", lambda a, b: lambda x: a * x + b * Fraction(1001, 1000))
    assert not any(statement.check_printed(n, seed) for n in (2, 5) for seed in range(3))
