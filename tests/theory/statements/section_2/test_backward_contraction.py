"""Theorem 2.2 (rows 9, 11, 12, 15, 18): every bound of the theorem and its proof, in seven metric geometries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction import strategies
from contraction.families import QuadraticSGD, TwoPoint
from contraction.maps.iterates import forward_iterates
from contraction.maps.orders import Forward
from contraction.statements.cases import random_contractions
from contraction.statements.cases.random_contractions import KINDS, draw, spread
from contraction.statements.section_2 import backward_contraction

factors = st.one_of(st.sampled_from([0.0, 0.5, 0.999, 1 - 1e-9]), st.floats(0, 1 - 1e-6))


@given(
    kind=st.sampled_from(KINDS),
    k=factors,
    D=st.one_of(st.just(0.0), st.floats(1e-6, 1e6)),
    dim=st.integers(1, 50),
    n=st.one_of(*[st.integers(1, 60)] * 9, st.just(1000)),
    seed=st.integers(0, 2**31),
    reach=st.sampled_from([0.0, 1.0, 1e9]),
    data=st.data(),
)
def test_every_bound_of_the_theorem(kind, k, D, dim, n, seed, reach, data):
    a = data.draw(st.integers(0, n - 1), label="a")
    m = data.draw(st.integers(a + 1, min(n, a + 15)), label="m")
    verdict = backward_contraction.check(kind, k, D, dim, n, seed, reach, (a, m))
    assert verdict, verdict


@given(kind=st.sampled_from(KINDS[:-1]), dim=st.integers(2, 50), n=st.integers(1, 40), seed=st.integers(0, 2**31))
def test_k_zero_is_exact_from_the_first_iterate_on(kind, dim, n, seed):
    T = draw(kind, 0.0, 1.0, dim, n, seed)
    limit, rows, _ = T.limit_and_iterates(spread(n))
    assert (rows[1:] == limit).all()
    assert T.distance(limit, rows[0]) <= T.D + T.rounding(n)


@given(seed=st.integers(0, 2**31), n=st.integers(20, 200), dim=st.integers(1, 50))
def test_the_bound_is_reached_by_aligned_maps(seed, n, dim):
    """From the other side: a smaller constant or exponent would be wrong."""
    T = draw("aligned", 0.75, 1.0, dim, n, seed)
    limit, rows, _ = T.limit_and_iterates(list(range(n + 1)))
    claimed = 4 * 0.75 ** np.arange(n + 1)
    assert (np.abs(T.distance(limit, rows) - claimed) <= T.rounding(n)).all()


@given(
    family=strategies.families(),
    n=st.one_of(*[st.integers(1, 60)] * 9, st.just(1000)),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_certified_families(family, n, seed, data):
    """Every family that the package certifies, from starts up to 1e6 away."""
    theta0 = data.draw(strategies.starts(family.dim or 1))
    verdict = backward_contraction.check_family(family, theta0, n, seed)
    assert verdict, verdict


def run_standard_cases() -> bool:
    return all(
        backward_contraction.check(**c) for c in backward_contraction.cases(np.random.default_rng(0), "standard")
    )


@pytest.mark.control
def test_forward_order_is_caught(monkeypatch):
    monkeypatch.setattr(random_contractions, "Backward", Forward)
    assert not run_standard_cases()


def understate_displacement(monkeypatch):
    """Make every drawn sequence of maps claim three quarters of its displacement D."""
    real = backward_contraction.draw

    def understated(*arguments):
        T = real(*arguments)
        object.__setattr__(T, "D", T.D * 3 / 4)
        return T

    monkeypatch.setattr(backward_contraction, "draw", understated)


@pytest.mark.control
def test_smaller_displacement_is_caught(monkeypatch):
    """D taken over too few maps: the bound fails."""
    understate_displacement(monkeypatch)
    assert not run_standard_cases()


@pytest.mark.control
def test_spectral_radius_as_factor_is_caught(monkeypatch):
    """A factor below the Lipschitz constant (as a spectral radius would give): the bound fails."""
    real = backward_contraction.draw

    def smaller(*arguments):
        T = real(*arguments)
        object.__setattr__(T, "k", T.k * 3 / 4)
        return T

    monkeypatch.setattr(backward_contraction, "draw", smaller)
    assert not run_standard_cases()


@pytest.mark.control
def test_forward_iterates_of_a_family_are_caught(monkeypatch):
    monkeypatch.setattr(backward_contraction, "backward_iterates", forward_iterates)
    family = QuadraticSGD(0.5, TwoPoint(-1, 1))
    assert not any(backward_contraction.check_family(family, np.zeros(1), 60, seed) for seed in range(20))
