"""Lyapunov exponents of maps of the line as means of logarithms, and of triangular matrices."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

import contraction as ct
from contraction.exponents.lyapunov import LyapunovExponents, lyapunov_exponents
from contraction.families import ConstantMaps, FiniteFamily, MarkovModulated, Reshuffled, ShuffledOnce
from contraction.maps.errors import NotCertified

SLOPES = np.array([0.5, -3.0, 0.25])
LINE = FiniteFamily([(float(a), 1.0) for a in SLOPES])


@pytest.mark.parametrize("confidence", [0.5, 0.95])
@pytest.mark.parametrize(("n", "burn_in"), [(1, 0), (7, 3), (20, 0)])
def test_the_exponent_of_the_line_is_a_mean_of_logarithms(n: int, burn_in: int, confidence: float) -> None:
    found = lyapunov_exponents(LINE, 0.0, n, burn_in=burn_in, replicas=5, confidence=confidence, seed=2)
    letters = np.array([np.asarray(d) for d in LINE.sample(burn_in + n, 2, replicas=5).draws])
    means = np.log(np.abs(SLOPES))[letters][burn_in:].mean(axis=0)
    error = means.std(ddof=1) / math.sqrt(5)
    half = stats.t.ppf(0.5 + confidence / 2, 4) * error
    assert found.values == pytest.approx((means.mean(),), rel=1e-10)
    assert found.standard_errors == pytest.approx((error,), rel=1e-10)
    assert (found.lower[0], found.upper[0]) == pytest.approx((means.mean() - half, means.mean() + half), rel=1e-9)
    assert (found.n, found.burn_in, found.replicas, found.seed) == (n, burn_in, 5, 2)
    assert found.confidence == confidence


@pytest.mark.parametrize(("n", "burn_in"), [(10, 50), (510, 51)])
def test_the_default_burn_in_is_a_tenth_and_at_least_fifty(n: int, burn_in: int) -> None:
    assert lyapunov_exponents(FiniteFamily([(0.5, 1.0)]), 0.0, n, replicas=2).burn_in == burn_in


def test_one_direction_or_a_whole_frame() -> None:
    """Triangular matrices: the exponents are the logarithms of the diagonal, in falling order."""
    A = np.array([[0.5, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 0.125]])
    family = FiniteFamily([(A, np.zeros(3))])
    top = lyapunov_exponents(family, np.zeros(3), 20, replicas=3)
    assert top.values == pytest.approx((math.log(2),), abs=1e-9)
    assert top.top == top.values[0]
    assert not top.contracts
    frame = lyapunov_exponents(family, np.zeros(3), 20, "all", replicas=3)
    assert frame.values == pytest.approx((math.log(2), math.log(0.5), math.log(0.125)), abs=1e-8)
    assert sum(frame.values) == pytest.approx(math.log(0.125), abs=1e-10)  # the determinant, in every basis


@pytest.mark.parametrize("upper", [-0.1, -5e-324, 0.0, 0.1])
def test_maps_contract_if_the_interval_of_the_top_exponent_is_below_zero(upper: float) -> None:
    made = LyapunovExponents((-0.5, -2.0), (-1.0, -3.0), (upper, -1.0), (0.1, 0.1), 0.95, 5, 50, 2, "", 0)
    assert made.contracts is (upper < 0)
    assert dataclasses.replace(made, upper=(-0.1, 1.0)).contracts
    assert made.top == -0.5


def test_a_map_that_collapses_a_direction_makes_its_exponent_minus_infinity() -> None:
    collapsed = lyapunov_exponents(ConstantMaps([[0.0], [1.0]]), 0.0, 3, burn_in=0, replicas=2)
    assert (collapsed.values, collapsed.lower, collapsed.upper) == ((-math.inf,),) * 3
    assert collapsed.standard_errors == (0.0,)
    flat = FiniteFamily([(np.array([[2.0, 1.0], [0.0, 0.0]]), np.zeros(2))])
    both = lyapunov_exponents(flat, np.zeros(2), 4, "all", burn_in=1, replicas=2)
    assert both.values[0] == pytest.approx(math.log(2), rel=1e-12)
    assert both.values[1] == -math.inf
    rare = FiniteFamily([(0.0, 1.0), (2.0, 0.0)], [0.1, 0.9])  # a zero among the first maps is enough
    seeds = [s for s in range(30) if 0 in rare.sample(3, s, replicas=2).draws[0]]
    later = [s for s in seeds if all(0 not in rare.sample(3, s, replicas=2).draws[i] for i in (1, 2))]
    assert later
    assert lyapunov_exponents(rare, 0.0, 2, burn_in=1, replicas=2, seed=later[0]).values == (-math.inf,)


@pytest.mark.parametrize("how", ["jvp=", "family", "differences"])
def test_derivatives_of_a_curved_map_by_each_way(how: str) -> None:
    """T(x) = sin(x)/2 + u: the product of cos(x)/2 along each path."""
    draws, maps = (lambda rng: rng.uniform(-1, 1)), (lambda x, u: np.sin(x) / 2 + u)
    given: dict[str, Any] = {"jvp": lambda t, v, u: np.cos(t) / 2 * v} if how == "jvp=" else {}

    class Curved(ct.RandomOperator):
        def jvp(self, theta: Any, directions: Any, draw: Any) -> Any:
            return np.cos(theta) / 2 * directions if how == "family" else None

    family = Curved(draws, maps)
    found = lyapunov_exponents(family, 0.3, 6, burn_in=2, replicas=3, seed=1, **given)
    operators, logs = family.sample(8, 1, replicas=3), []
    for r in range(3):
        x, total = 0.3, 0.0
        for i in range(8):
            total += math.log(abs(math.cos(x)) / 2) if i >= 2 else 0.0
            x = math.sin(x) / 2 + float(np.asarray(operators.draws[i])[r])
        logs.append(total / 6)
    assert found.values[0] == pytest.approx(np.mean(logs), abs=1e-6 if how == "differences" else 1e-12)
    said = {"jvp=": "given as jvp=", "family": "given by the family", "differences": "central differences of the maps"}
    assert found.jacobians == said[how]


def test_laws_that_are_not_ergodic_are_refused() -> None:
    maps = [(0.5, 1.0), (0.25, 0.0)]
    with pytest.raises(NotCertified, match=r"exponents are constants only for ergodic maps: .*one order of the maps"):
        lyapunov_exponents(FiniteFamily([*maps, (0.1, 0.0)], law=ShuffledOnce(3)), 0.0, 5)
    assert lyapunov_exponents(FiniteFamily(maps, law=Reshuffled(2)), 0.0, 4, replicas=2).n == 4
    chain = MarkovModulated([[0.5, 0.5], [0.25, 0.75]], [1 / 3, 2 / 3])
    assert lyapunov_exponents(FiniteFamily(maps, law=chain), 0.0, 4, replicas=2).n == 4
