"""The exact paired test (row 73): exact p-values, exact size by enumeration, and what it must detect and refuse."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families import QuadraticSGD, Uniform
from contraction.laws import sign_flip_test
from contraction.maps.iterates import paired_iterates

small_integers = st.lists(st.integers(-5, 5), min_size=1, max_size=8)


@given(small_integers, st.sampled_from(["two-sided", "greater", "less"]))
def test_p_value_equals_the_count_over_all_sign_vectors(d, alternative):
    """In integers, by a plain loop over sign vectors: zeros and tied magnitudes included."""
    sums = [sum(s * x for s, x in zip(signs, d, strict=True)) for signs in itertools.product((1, -1), repeat=len(d))]
    keep = {
        "two-sided": lambda v: abs(v) >= abs(sum(d)),
        "greater": lambda v: v >= sum(d),
        "less": lambda v: v <= sum(d),
    }
    expected = Fraction(sum(map(keep[alternative], sums)), len(sums))
    result = sign_flip_test(d, alternative=alternative)
    assert result.exact
    assert result.pvalue == float(expected)
    # the general path (a function) walks other code to the same number
    by_function = sign_flip_test(d, lambda x: x.sum(axis=-1), alternative=alternative)
    assert by_function.pvalue == result.pvalue


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9), st.sampled_from(["mean", "signed_rank", "sign"]))
def test_size_is_exact(magnitudes, statistic):
    """Over all sign vectors of given magnitudes, P(p <= alpha) <= alpha at every alpha: the level is no estimate."""
    n = len(magnitudes)
    p = sorted(
        sign_flip_test(np.array(s) * magnitudes, statistic).pvalue
        for s in itertools.islice(itertools.product((1, -1), repeat=n), 2 ** min(n, 6))
    )
    if n <= 6:
        for rank, value in enumerate(p, start=1):
            assert rank / len(p) <= value


def test_drawn_flips_are_valid_and_replayable():
    d = np.arange(1.0, 31.0)
    result = sign_flip_test(d, n_resamples=999, seed=3)
    assert not result.exact
    assert result.seed == 3
    assert result.pvalue == 1 / 1000 == result.smallest_pvalue  # no drawn flip reaches 30 equal signs (chance 2e-6)
    assert result == sign_flip_test(d, n_resamples=999, seed=3)


def test_ranks_of_tied_magnitudes_are_their_middle():
    """|1|, |1|, |2| have ranks 3/2, 3/2, 3, so 1, 1, -2 balance exactly; signs alone do not."""
    result = sign_flip_test([1.0, 1.0, -2.0], "signed_rank")
    assert (result.statistic, result.pvalue) == (0.0, 1.0)
    assert sign_flip_test([5.0, 1.0, 2.0], "signed_rank").statistic == 2.0
    assert sign_flip_test([1.0, 1.0, -2.0], "sign").statistic == pytest.approx(1 / 3)


def test_rounding_counts_mathematical_ties():
    """0.1 + 0.2 and 0.3 differ in floats; the flips that tie in exact arithmetic must all count."""
    d = [0.1, 0.2, -0.3]
    assert sign_flip_test(d).pvalue == 1.0


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("n", [3, 5, 6, 7])
def test_ties_count_whatever_the_order_of_the_sum(n, alternative):
    """The values are integers over n, not a power of two: sums that are equal may differ in floating point."""
    signs = np.array(list(itertools.product((1, -1), repeat=n)))
    for d in itertools.islice(itertools.product((1, 2, 3, -4), repeat=n), 0, None, 1 if n < 6 else 4 ** (n - 5)):
        sums, own = signs @ np.array(d), sum(d)
        as_far = {"two-sided": np.abs(sums) >= abs(own), "greater": sums >= own, "less": sums <= own}[alternative]
        assert sign_flip_test(d, alternative=alternative).pvalue == np.count_nonzero(as_far) / 2**n, d


def test_iterates_pass_at_fixed_n_and_a_shift_is_detected():
    """200 seeds of Section 3.1; control: the same pair with the start remembered once more by one of the two.

    Under exchangeability P(p < 1e-6) <= 1e-6. The shift is a full standard deviation of the difference: with 200
    pairs the mean is 14 standard errors away, so the miss rate is far below 1e-6.
    """
    operators = QuadraticSGD(0.3, Uniform(-1, 1)).sample(12, seed=5, replicas=200)
    forward, backward = paired_iterates(operators, 1.0, at=[12])
    d = (np.abs(forward) - np.abs(backward))[:, 0, 0]
    assert sign_flip_test(d).pvalue >= 1e-6
    assert sign_flip_test(d + d.std(), n_resamples=99_999).pvalue == 1e-5


def test_functions_take_several_quantities_of_one_pair():
    d = np.array([[1.0, -1.0], [2.0, -2.0], [3.0, -3.0], [4.0, -4.0]])
    result = sign_flip_test(d, lambda x: np.abs(x.mean(axis=1)).max(axis=-1), alternative="greater")
    assert result.pvalue == 2 / 16


def test_few_seeds_cannot_reach_five_percent():
    assert sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0]).pvalue == sign_flip_test([1.0] * 5).smallest_pvalue == 1 / 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "at least one pair"),
        (([1.0, np.inf],), "must be finite"),
        (([1.0], "median"), "one of mean, signed_rank, sign"),
        (([[1.0, 2.0]],), "one difference per pair"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        sign_flip_test(*arguments)
    with pytest.raises(ValueError, match="alternative must be one of"):
        sign_flip_test([1.0], alternative="both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a function of differences, must be one of mean, signed_rank, sign;"):
        sign_flip_test([1.0], np.array([2.0, 3.0]))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n_resamples must be"):
        sign_flip_test([1.0], n_resamples=0)
