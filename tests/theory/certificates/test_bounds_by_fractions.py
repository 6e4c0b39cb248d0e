"""Bounds in floats against exact fractions, sums that lose small terms, and what one's own classes state."""

from __future__ import annotations

import itertools
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.bounds import after_q, other_start, p_mean, prefix_tail
from contraction.certificates.hypotheses import no_contraction
from contraction.certificates.norms import common_norm
from contraction.certificates.overrides import _search_linear_parts, search_stated_moments
from contraction.families import FiniteFamily
from contraction.maps.constants import Constant
from contraction.maps.errors import DeclarationRefuted, NotCertified
from contraction.maps.known import Known


@pytest.mark.parametrize("q", [1, 2, 3, 7])
@pytest.mark.parametrize("lip", [0.5, 1.0, 1.5, 100.0])
def test_blocks_of_q_maps_by_fractions(q: int, lip: float) -> None:
    """(D q / (1 - kappa) + r) max(1, lip)^(q-1) kappa^floor(n/q), and floats little above it."""
    n = np.arange(3 * q + 2)
    for kappa, D, r in itertools.product((0.25, 0.1, 0.9), (3.0, 0.1), (0.0, 0.7)):
        exact = [
            (F(D) * q / (1 - F(kappa)) + F(r)) * max(F(1), F(lip)) ** (q - 1) * F(kappa) ** (int(m) // q) for m in n
        ]
        found = after_q(q, kappa, lip, D, n, r)
        for value, bound in zip(np.asarray(found).tolist(), exact, strict=True):
            assert bound <= F(value) <= bound * (1 + F(2.0**-40))
        assert np.asarray(after_q(q, F(kappa), F(lip), F(D), n, F(r))).tolist() == exact
        if lip <= 1 and q == 1:
            other = np.asarray(other_start(kappa, D, r, n)).tolist()
            assert all(abs(a - b) <= 2.0**-40 * a for a, b in zip(found.tolist(), other, strict=True))


def test_moments_below_one_take_the_root_of_the_sum() -> None:
    """p = 1/2: E d^p <= D^p / (1 - rho) rho^n = 2 / (3/4) / 4^n, squared."""
    found = np.asarray(p_mean(0.25, 0.5, 4.0, np.arange(4)))
    for n, value in enumerate(found.tolist()):
        exact = (F(8, 3) / 4**n) ** 2
        assert exact <= F(value) <= exact * (1 + F(2.0**-40))
    of_two = np.asarray(p_mean(F(1, 4), 2.0, 3.0, np.arange(4))).tolist()  # kappa = 1/2
    for n, value in enumerate(of_two):
        assert F(6, 2**n) <= F(value) <= F(6, 2**n) * (1 + F(2.0**-40))


@pytest.mark.parametrize("terms", [10, 1000, 20_000])
def test_a_tail_covers_terms_that_a_sum_in_floats_loses(terms: int) -> None:
    """One term 1 at the end, and before it terms of 2^-54, each of which alone leaves 1 as it is."""
    L = np.ones(terms + 2)
    d = np.full(terms + 1, 2.0**-54)
    d[-1] = 1.0
    found = prefix_tail(L, d)
    exact = 1 + terms * F(2.0**-54)
    assert float(np.cumsum(d[::-1])[-1]) == 1.0  # what has to be covered
    assert exact <= F(float(found[0])) <= exact * (1 + 6 * terms * F(2.0**-52) + F(2.0**-48))


def test_where_nothing_moves_the_tail_is_exactly_zero() -> None:
    assert prefix_tail(np.ones(4), np.zeros(3)).tolist() == [0.0] * 4
    assert prefix_tail(np.array([1.0, 0.0, 0.0]), np.array([0.5, 2.0])).tolist()[1:] == [0.0, 0.0]
    some = prefix_tail(np.ones(4), np.array([1.0, 0.0, 0.0]))
    assert some[0] >= 1
    assert some[1:].tolist() == [0.0] * 3
    assert prefix_tail(np.array([1.0, 1e-200, 1.0]), np.array([0.0, 1e-200])).tolist()[1] > 0  # not lost by underflow


def test_a_matrix_that_no_norm_contracts_is_named_by_its_word() -> None:
    for radius in (1.0, 1.5, 2.5):
        with pytest.raises(
            NotCertified, match=rf"the linear parts' product \(1,\) has spectral radius {radius:g} ≥ 1"
        ) as e:
            common_norm([[[radius, 1.0], [0.0, 0.5]]])
        assert [line.split(" norm ")[0] for line in e.value.tried] == ["Euclidean", "sup", "l1"]
    space, factor, tried = common_norm([[[0.9, 5.0], [0.0, 0.5]]])
    assert factor < 1
    assert tried[-1].startswith("‖·‖_P (Lyapunov) norm ")
    assert type(space).__name__ == "WeightedEuclidean"


@pytest.mark.parametrize("size", [1.0, 1e6, 1e12])
@pytest.mark.parametrize(("off", "refused"), [(0.0, False), (4 * 2.0**-53, False), (1e-11, True)])
def test_linear_parts_may_differ_by_their_rounding(size: float, off: float, refused: bool) -> None:
    family = FiniteFamily([(size, 0.0), (-size, 1.0)])
    stated = [np.array([[size * (1 + off)]]), np.array([[-size]])]
    if refused:
        with pytest.raises(DeclarationRefuted, match=r"the linear part of T_1 of .* not among the 2 of"):
            _search_linear_parts(family, stated, [0, 1])
    else:
        _search_linear_parts(family, stated, [0, 1])
        with pytest.raises(DeclarationRefuted, match=r"the linear part of T_2 of"):
            _search_linear_parts(family, stated[:1], [0, 1])

    class Formless(FiniteFamily):
        def affine(self, draw: Any) -> Any:
            return None if draw == 0 else super().affine(draw)

    _search_linear_parts(Formless([(size, 0.0), (-size, 1.0)]), stated[1:], [0, 1])  # T_1 has no form to compare


def own(p_asked: list, **stated: float) -> ct.RandomOperator:
    """T(x) = 0.9 x + (u, 0) with u = ± 1: every displacement of 0 is 1, and every factor is 0.9."""

    class Own(ct.RandomOperator):
        def factor_moment(self, p: float) -> float | None:
            p_asked.append(("factor", p))
            return stated.get("factor")

        def displacement_moment(self, theta0: Any, p: float) -> Constant | None:
            p_asked.append(("moved", np.shape(theta0), p))
            return Constant(stated["moved"], "proved", "mine") if "moved" in stated else None

    return Own(lambda rng: rng.choice([-1.0, 1.0]), lambda x, u: 0.9 * x + u * np.array([1.0, 0.0]))


@pytest.mark.parametrize("p", [3.0])
def test_stated_moments_are_asked_for_the_start_and_the_exponent(p: float) -> None:
    for stated, named in (
        ({"moved": 1.0, "factor": 0.9**p}, None),
        ({"moved": 0.9, "factor": 0.9**p}, rf"displacement_moment\(theta0, {p:g}\) = 0\.9 of"),
        ({"moved": 1.0, "factor": 0.8 * 0.9**p}, rf"factor_moment\({p:g}\) of .* its mean"),
        ({"moved": np.inf, "factor": np.inf}, None),
    ):
        asked: list = []
        if named is None:
            search_stated_moments(own(asked, **stated), np.zeros(2), p, 0)
        else:
            with pytest.raises(DeclarationRefuted, match=named):
                search_stated_moments(own(asked, **stated), np.zeros(2), p, 0)
        assert asked == [("moved", (2,), p), ("factor", p)]


def test_a_factor_that_is_broken_near_the_centre_of_a_ball_alone_is_refuted() -> None:
    """Slope 0.9 for |x| < 0.3 and 0 beyond it: from one end of the ball to the other the factor is 0.27."""
    draws = lambda rng: rng.uniform(-0.01, 0.01)  # noqa: E731
    broken = ct.RandomOperator(draws, lambda x, u: 0.9 * np.clip(x, -0.3, 0.3) + u, contraction=0.5, displacement=0.01)
    with pytest.raises(DeclarationRefuted, match=r"contraction factor .* = 0\.5 is violated"):
        ct.certify(broken, [0.0], ball=1.0)
    true = ct.RandomOperator(draws, lambda x, u: 0.5 * np.clip(x, -0.3, 0.3) + u, contraction=0.5, displacement=0.01)
    assert ct.certify(true, [0.0], ball=1.0).k == 0.5


def test_what_to_state_comes_in_the_order_of_its_use() -> None:
    """The first alternative is the one for which something is stated already."""
    sines = lambda rng: rng.uniform(0, 0.5), lambda x, u: u * np.sin(x)
    nothing = no_contraction(ct.RandomOperator(*sines), None, (), None)
    assert nothing.alternatives[0] == "declare contraction="
    moment = no_contraction(ct.RandomOperator(*sines), None, (), 2.0)
    assert moment.alternatives[:2] == (
        "declare contraction=",
        "declare known=ct.Known(lipschitz_moment=…, displacement_moment=…)",
    )
    square = no_contraction(ct.RandomOperator(*sines, known=Known(mean_square=0.5)), None, (), None)
    assert square.alternatives[:2] == ("moment=2, for which known.mean_square= is stated", "declare contraction=")
    steps = ct.families.OwnLossSteps(lambda t, x: np.sin(t[0] - x), ([1.0],), 1, h=0.1, batches=[[0]])
    assert no_contraction(steps, None, (), None).alternatives[0] == "region=ct.find_region(family, theta0)"
    assert no_contraction(steps, None, ("a",), None).alternatives[-1] == "q= for contraction after q maps"
    too_large = no_contraction(ct.RandomOperator(*sines, known=Known(mean_square=1.5)), None, (), 2.0)
    assert too_large.hypothesis.startswith("k ≥ 1: known.mean_square = 1.5 is not below 1, and no Lipschitz constant")
    each = no_contraction(ct.RandomOperator(*sines, lipschitz=lambda u: u), None, (), None)
    assert each.hypothesis.startswith("k unknown: lipschitz= is stated for each map, but no bound for all maps of ")
