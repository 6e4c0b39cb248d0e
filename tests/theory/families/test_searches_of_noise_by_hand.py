"""What a search refuses of stated means, variances and intervals, on a few thousand numbers that are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contraction.families import FunctionNoise, GaussianVector, Noise, Uniform
from contraction.families.noise_search import _moment, _search_interval, _search_mean_and_variance, _value
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.rounding import EPS
from contraction.maps.supermartingales import BETS, differs, exceeds

SIGNS = np.random.default_rng(0).permutation(np.repeat([-1.0, 1.0], 1000))  # of mean 0 and variance 1
ALL = -math.inf, math.inf


def search(mean: float | None, variance: float | None, ends: tuple[float, float] = ALL) -> None:
    _search_mean_and_variance(Uniform(-1, 1), SIGNS, mean, variance, ends, 1e-9)


@pytest.mark.parametrize(
    ("mean", "variance", "ends", "refused"),
    [
        (0.0, 1.0, ALL, None),
        (0.0, 1.0, (-1.0, 1.0), None),
        (0.0, None, (-1.0, 1.0), None),
        (None, 1.0, (-1.0, 1.0), None),
        (None, None, (-1.0, 1.0), None),
        (0.0, 0.8, ALL, "variance"),
        (None, 0.5, ALL, "variance"),
        (0.0, 1.2, ALL, None),  # that it is smaller is not seen without ends
        (None, 1.2, ALL, None),
        (0.0, 1.2, (-1.0, 1.0), "variance"),  # no law on [-1, 1] of mean 0 has it
        (0.0, 1.2, (-1.2, 1.1), "variance"),  # 1.44 - x² has the mean 0.44, and not 0.24
        (0.0, 1.2, (-1.1, 1.2), "variance"),
        (None, 2.1, (-1.0, 1.0), "variance"),  # half of the squared length is 2
        (0.3, 1.0, ALL, "mean"),
        (-0.3, 1.0, ALL, "mean"),
        (0.3, None, ALL, None),  # nothing is known of how far the mean of draws may be
        (0.3, None, (-1.0, 1.0), "mean"),
        (-0.3, None, (-1.0, 1.0), "mean"),
        (0.3, None, (-math.inf, 1.0), "mean"),
        (0.3, None, (-1.0, math.inf), None),
        (-0.3, None, (-1.0, math.inf), "mean"),
        (-0.3, None, (-math.inf, 1.0), None),
        (1.5, None, (-5.0, 1.0), "mean"),
        (-1.5, None, (-1.0, 5.0), "mean"),
    ],
)
def test_which_means_and_variances_are_refused(
    mean: float | None, variance: float | None, ends: tuple[float, float], refused: str | None
) -> None:
    if refused is None:
        search(mean, variance, ends)
    else:
        with pytest.raises(DeclarationRefuted, match=rf"states the {refused} .* of 2000 draws is ") as error:
            search(mean, variance, ends)
        seen = float(str(error.value).split("draws is ")[1])
        assert seen == pytest.approx(0.0 if refused == "mean" else 1.0, abs=0.2)
        shown = f" and the variance {variance!r}"
        assert (shown in str(error.value)) is (refused == "mean" and variance is not None)


def test_numbers_at_the_ends_of_an_interval_lie_in_it() -> None:
    for low, high, outside in (
        (-1.0, 1.0, None),
        (-1.0, math.inf, None),
        (-1.0 + EPS, 1.0, -1.0),
        (-1.0, 1.0 - EPS, 1.0),
        (2.0, 2.0, SIGNS[0]),
    ):
        if outside is None:
            _search_interval(Uniform(-1, 1), SIGNS, low, high)
        else:
            with pytest.raises(DeclarationRefuted, match=rf"but {outside} was drawn"):
                _search_interval(Uniform(-1, 1), SIGNS, low, high)
    _search_interval(Uniform(-1, 1), np.full(3, 2.0), 2.0, 2.0)
    for low, high in ((1.0, 0.0), (math.nan, 1.0)):
        with pytest.raises(DeclarationRefuted, match="its ends must be low <= high"):
            _search_interval(Uniform(-1, 1), SIGNS, low, high)


def test_numbers_that_are_not_stated() -> None:
    assert _value(lambda: 3) == 3.0
    assert _value(lambda: math.inf) is None
    assert _value(lambda: Noise().mean) is None
    assert _moment(Uniform(-1, 1), np.zeros(1), 1.0) == pytest.approx(0.5)
    assert _moment(Noise(), np.zeros(1), 1.0) is None


@pytest.mark.parametrize("count", [1, 40, 400])
def test_supermartingales_refuse_at_their_level(count: int) -> None:
    """The mean over five bets exceeds 1/alpha only if the largest product exceeds 5/alpha."""
    values = np.full(count, 1.5)
    product = max((1 + c / 2) ** count for c in BETS)
    for share, refuted in ((1.001, True), (0.999, False)):
        assert exceeds(values, 1.0, len(BETS) / product * share) is refuted
    assert exceeds(values, 0.0, 1e-9) is True
    assert exceeds(np.zeros(3), 0.0, 1e-9) is False
    assert exceeds(np.array([0.0, 1e-300]), 0.0, 1e-9) is True
    assert exceeds(values, math.inf, 0.5) is False
    for sign in (1.0, -1.0):
        x = {c: c / 2 * 1.0 for c in BETS}  # c (X - m) / sd for X - m = 1 and sd = 2
        products = [((1 + v + v * v / 2) / (1 + c * c / 2)) ** count for c, v in x.items()]
        level = 2 * len(BETS) / max(products)
        for share, refuted in ((1.001, True), (0.999, False)):
            if level * share < 1:
                assert differs(np.full(count, 3.0 + sign), 3.0, 4.0, level * share) is refuted
    assert differs(np.array([3.0, 3.0]), 3.0, 0.0, 1e-9) is False
    assert differs(np.array([3.0, 3.5]), 3.0, 0.0, 1e-9) is True
    assert differs(np.array([3.0, 9.0]), 3.0, math.inf, 1e-9) is False


def declared(**options: Any) -> FunctionNoise:
    return FunctionNoise(lambda rng, size: rng.choice([-1.0, 1.0], size), **options)


def test_moments_of_a_function_from_what_is_declared() -> None:
    """From mean and variance up to p = 2, or from the farthest number, whichever is smaller."""
    both = declared(mean=0.0, variance=1.0, interval=(-1.0, 1.0))
    for p, about, value in (
        (2.0, 3.0, 10.0),
        (1.0, 3.0, math.sqrt(10)),
        (2.0, 0.0, 1.0),
        (3.0, 3.0, 64.0),
        (1.0, -9.0, math.sqrt(82)),
    ):
        assert both.moment(p, about) == pytest.approx(value, rel=1e-14)
        assert both.bounding_exponent(p) == (2.0 if p <= 2 else p)
    ends = declared(interval=(-2.0, 1.0))
    assert ends.moment(1.0, 0.5) == 2.5
    assert ends.moment(2.0, -1.0) == 4.0
    assert ends.bounding_exponent(1.0) == 1.0
    assert (ends.bound, ends.interval) == (2.0, (-2.0, 1.0))
    assert declared(mean=0.0, variance=1.0).moment(3.0) == math.inf
    assert declared().moment(1.0) == math.inf
    assert declared(mean=0.0).bounding_exponent(1.0) == 1.0
    assert declared(variance=1.0).variance == 1.0
    with pytest.raises(ValueError, match="is unknown: pass mean="):
        _ = declared(variance=1.0).mean


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: declared(mean=math.inf), ValueError),
        (lambda: declared(variance=-1.0), ValueError),
        (lambda: declared(interval=(1.0, -1.0)), ValueError),
        (lambda: declared(interval=(1.0,)), TypeError),
        (lambda: declared(interval=(-1.0, 0.0, 1.0)), TypeError),
        (lambda: declared(interval=5), TypeError),
        (lambda: FunctionNoise(lambda rng: 0.0), TypeError),  # type: ignore[arg-type,misc]
        (lambda: declared(mean=0.5, variance=1.0), DeclarationRefuted),
        (lambda: declared(interval=(-0.5, 1.0)), DeclarationRefuted),
    ],
)
def test_declarations_that_are_none_are_refused(make: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


@pytest.mark.parametrize(("share", "good"), [(0.9, True), (1.1, False)])
def test_a_covariance_may_be_indefinite_to_rounding(share: float, good: bool) -> None:
    """d units of its largest entry in absolute value."""
    for cov in (np.diag([3.0, -3.0 * 2 * EPS * share]), np.diag([-3.0 * 2 * EPS * share, 3.0])):
        if good:
            noise = GaussianVector(cov)
            assert noise.variance == pytest.approx(1.5)
            assert noise.norm_moment(np.zeros(2), 2.0) == pytest.approx(math.sqrt(3), rel=1e-12)
            assert noise.norm_moment(np.zeros(2), 1.0) == noise.norm_moment(np.zeros(2), 2.0)
        else:
            with pytest.raises(ValueError, match="must be positive semidefinite"):
                GaussianVector(cov)
    with pytest.raises(ValueError, match="must be positive semidefinite"):
        GaussianVector(-np.eye(2))
    still = GaussianVector(np.zeros((2, 2)))
    assert still.interval == (0.0, 0.0)
    assert still.norm_moment(np.array([3.0, -4.0]), 3.0) == pytest.approx(5.0)
