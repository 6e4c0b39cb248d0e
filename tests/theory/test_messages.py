"""Messages say what is true of the maps, and exact numbers, copies and dictionaries of results work everywhere."""

from __future__ import annotations

import copy
import dataclasses
import doctest
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction import values
from contraction.families import AffineLaw, FiniteFamily, MarkovModulated, QuadraticSGD
from tests.theory.test_values import CERTIFICATES, OTHERS

A = np.array([[0.5, 10.0], [0.0, 0.5]])


def halves(**known: Any) -> ct.RandomOperator:
    """x/2 + u with Fractions for 1/2 and u."""
    return ct.RandomOperator(
        lambda rng: Fraction(int(rng.integers(2)), 3), lambda x, u: Fraction(1, 2) * x + u, **known
    )


def drawn_affine() -> ct.RandomOperator:
    return ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 2), lambda theta, u: theta @ A.T + u, affine=lambda u: (A, u)
    )


@pytest.mark.parametrize("start", [0.0, 0, Fraction(1, 2), np.array([0.5])])
def test_maps_of_fractions_are_certified_from_any_start(start):
    """The search takes derivatives of the maps, which are Fractions or floats here."""
    family = halves(contraction=0.5, displacement=lambda x: float(abs(x[0])) / 2 + 0.34)
    certificate = ct.certify(family, start)
    assert certificate.k == 0.5
    limit = ct.backward_limit(family, start, 1e-6)
    exact = ct.backward_iterates(family.sample(200), Fraction(0))[-1, 0]
    assert abs(float(limit.value[0]) - float(exact)) <= limit.error + 2.0**-190
    assert ct.estimate(family, start).k == pytest.approx(0.5, rel=1e-9)


@pytest.mark.control
def test_a_wrong_constant_of_maps_of_fractions_is_refuted():
    with pytest.raises(ct.DeclarationRefuted):
        ct.certify(halves(contraction=0.4, displacement=1.0), 0.0)


def test_words_of_maps_that_are_drawn_one_by_one():
    """It was said that no linear parts are known, though affine= states them."""
    with pytest.raises(ct.NotCertified, match="draws its affine maps one at a time, and no finite list") as error:
        ct.certify(drawn_affine(), np.zeros(2), q=3)
    assert "no linear parts" not in str(error.value)
    with pytest.raises(ct.NotCertified, match="no linear parts are known"):
        ct.certify(halves(), 0.0, q=2)


def test_a_certificate_of_dependent_maps_does_not_say_that_they_are_independent():
    chain = MarkovModulated([[0.9, 0.1], [0.2, 0.8]])
    certificate = ct.certify(FiniteFamily([(0.5, 0.0), (0.3, 1.0)], law=chain), 0.0, moment=2)
    assert "‖d(θ_0, Tθ_0)‖_2 ≤ D for every map" in certificate.hypotheses
    assert not any("i.i.d." in hypothesis for hypothesis in certificate.hypotheses)


def test_a_certificate_of_drawn_maps_says_for_which_it_holds():
    family = FiniteFamily([(0.5, 0.0), (0.3, 1.0)])
    lines = str(ct.certify(family.sample(4), 0.0)).splitlines()
    assert "  holds for T_1 … T_4 only, and says nothing about θ*" in lines
    lines = str(ct.certify(family, 0.0)).splitlines()
    assert "  holds if  every map has factor at most k" in lines


def test_a_factor_just_below_one_is_shown_before_and_after_rounding():
    just_below = float(np.nextafter(1, 0))
    with pytest.raises(ct.NotCertified, match=r"k ≥ 1: k = 0\.9{16} is 1\.0\d* when rounded up \(largest"):
        ct.certify(FiniteFamily([(just_below, [1.0]), (just_below, [-1.0])]), [0.0])
    with pytest.raises(ct.NotCertified, match=r"k ≥ 1: k = 1 \(largest of"):
        ct.certify(FiniteFamily([(1.0, [1.0]), (1.0, [-1.0])]), [0.0])


@pytest.mark.parametrize("moment", [1, 2])
def test_a_law_without_moments_is_told_which_to_declare(moment):
    def law(rng):
        return rng.uniform(0, 1.5), rng.standard_normal(1)

    with pytest.raises(ct.NotCertified, match=r"known=ct\.Known\(lipschitz_moment=…, displacement_moment=…\)"):
        ct.certify(AffineLaw(law, dim=1), 0.0, moment=moment)
    with pytest.raises(ct.NotCertified) as error:
        ct.certify(AffineLaw(law, dim=1), 0.0)
    assert "lipschitz_moment" not in str(error.value)
    known = ct.Known(
        lipschitz_moment=lambda p: 1.5**p / (p + 1), displacement_moment=lambda p, x: (1 + x[0] ** 2 / 4) ** 0.5
    )
    assert ct.certify(AffineLaw(law, dim=1, known=known), 0.0, moment=moment).k == pytest.approx(0.75 ** (1 / moment))


def test_a_metric_is_printed_by_the_name_of_its_function():
    def gap(x, y):
        return np.abs(x - y)[..., 0]

    assert repr(ct.Metric(gap)).endswith("<locals>.gap, event_ndim=1)")
    assert " at 0x" not in repr(ct.Metric(lambda x, y: gap(x, y)))
    assert ct.Metric(gap) == ct.Metric(gap) != ct.Metric(lambda x, y: gap(x, y))


def test_maps_that_give_nan_do_not_overflow():
    family = ct.RandomOperator(lambda rng: rng.uniform(), lambda theta, u: np.where(theta > 2, np.nan, theta + 1.0))
    with pytest.raises(ct.NotSettled, match=r"is not finite \(an overflow, or a map that gives NaN\)"):
        ct.backward_limit(family, 0.27, 1e-3)


def test_points_with_more_axes_are_told_of_event_ndim():
    family = ct.RandomOperator(lambda rng: rng.uniform(-1, 1, (2, 2)), lambda theta, u: 0.5 * theta + u)
    with pytest.raises(
        ValueError, match=r"in Euclidean a point is an array with 1 axis; got shape \(2, 2\).*event_ndim=2"
    ):
        ct.certify(family, np.zeros((2, 2)))


def test_numpy_integers_are_named_as_numbers():
    order = ct.CustomOrder(lambda n: np.arange(1, n + 4))
    with pytest.raises(ValueError, match="names map 4; the maps are 1 … 3"):
        ct.iterates(QuadraticSGD(0.1).sample(3), 0.0, order, at=[1])


@pytest.mark.parametrize("name", [name for name in (CERTIFICATES | OTHERS) if name != "ExactLaw"])  # no dataclass
def test_results_become_dictionaries(name):
    made = (CERTIFICATES | OTHERS)[name]()
    found = dataclasses.asdict(made)
    assert set(found) == {f.name for f in dataclasses.fields(made)}


def test_mappings_of_results_are_read_only():
    assert doctest.testmod(values).failed == 0
    constants = ct.certify(QuadraticSGD(0.1), 0.0, moment=2).constants
    for change in (
        lambda: constants.__setitem__("k", 1),
        lambda: constants.pop("k"),
        lambda: constants.update(k=1),
        lambda: constants.clear(),
        lambda: constants.__ior__({"k": 1}),
        lambda: constants.__delitem__("k"),
        lambda: constants.setdefault("z", 1),
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change()
    for other in (pickle.loads(pickle.dumps(constants)), copy.deepcopy(constants)):
        assert other == constants
        assert type(other) is type(constants)
    assert isinstance(constants | {"k": 1}, dict)


def test_a_diagonal_that_the_maps_share_with_replicas():
    """affine=(diagonal, offset), forward, backward, certified and in unbiased_expectation, against one at a time."""
    diagonal = np.array([0.5, 0.3])
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 2), lambda theta, u: diagonal * theta + u, affine=lambda u: (diagonal, u)
    )
    operators = family.sample(4, replicas=3)
    for iterate in (ct.forward_iterates, ct.backward_iterates):
        rows = iterate(operators, np.ones(2))
        for r in range(3):
            maps = [lambda x, i=i, r=r: diagonal * x + operators.draws[i][r] for i in range(4)]
            np.testing.assert_allclose(rows[r], iterate(ct.Operators.from_maps(maps), np.ones(2)), rtol=0, atol=1e-15)
    assert np.shape(ct.certify(operators, np.ones(2)).bound(2)) == (3,)
    found = ct.unbiased_expectation(family, lambda x: x[..., 0], np.zeros(2), copies=400, rate=0.25)
    assert abs(found.estimate) < 6 * found.standard_error  # the mean is 0; false alarm about 2e-9


@pytest.mark.parametrize("make", [lambda h: QuadraticSGD(h=h), lambda h: QuadraticSGD(h)])
def test_a_learning_rate_that_is_text_is_named(make):
    with pytest.raises(ValueError, match=r"the learning rate h must be a finite number, got '0\.1'"):
        make("0.1")
