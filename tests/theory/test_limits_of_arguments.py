"""Every limit of an argument at exact equality: the last number that is accepted, and the next one, which is not.

One line for each limit: a call with one free number, numbers that it takes, and numbers that it refuses.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction import arguments, concentration, strategies
from contraction import families as fam
from contraction.certificates import bounds
from contraction.certificates.average import confidence_upper
from contraction.certificates.words import word_norms
from contraction.expansions import exact, fields, models, reach, regularisers, remainders
from contraction.laws import brackets, calibrated, enumerate, means, quantiles, random_affine
from contraction.laws import exact as exact_laws
from contraction.limits import composed
from contraction.limits.settled import Settling
from contraction.maps import domains, order_convergence, rounding, spaces
from contraction.maps.known import Known

HALF = Fraction(1, 2)
TINY = 5e-324
BELOW_1, ABOVE_1 = math.nextafter(1.0, 0.0), math.nextafter(1.0, 2.0)
INF, NAN = math.inf, math.nan
RATES = calibrated.Rates(1e-3, 1e-3)
OPERATORS = fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)).sample(3)
FIELD = [exact.polynomial_field([{(1,): 1}]), exact.polynomial_field([{(2,): 1}])]
TURNING = [
    models.quadratic_field(np.diag([1.0, 2.0]), np.ones(2)),
    models.quadratic_field(np.ones((2, 2)), np.zeros(2)),
]
COIN = exact_laws.ExactLaw({0: HALF, 1: HALF})
DRAWS = np.linspace(0, 1, 101)
DETECTED = means.mean_test(DRAWS, 0.5, RATES, low=0, high=1).discrepancy
CONVERGENCE = order_convergence.order_convergence(ct.Backward(), horizon=8)
RUNS = ct.synchronisation(fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)), [0.0], 2, replicas=8)


def bracket(n: int, p: float) -> brackets.Bracket:
    return brackets.Bracket(0.5, 1.0, p, n, "means", "coupling, k^n")


def declared(**constants) -> ct.RandomOperator:
    return ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: x / 2 + u, **constants)


Row = tuple[Callable, tuple, tuple]
LIMITS: dict[str, Row] = {
    # arguments that the package shares
    "an integer": (lambda x: arguments.check_integer("n", x, 3), (3, 4), (2, -1, 3.0, True)),
    "a seed": (arguments.check_seed, (0, 2**32 - 1), (-1, 2**32)),
    "a finite number": (lambda x: arguments.check_finite("x", x), (-1e308, 0, 1e308), (INF, -INF, NAN, "1")),
    "a positive number": (lambda x: arguments.check_positive("x", x), (TINY, 1e308), (0, 0.0, -TINY, INF, NAN)),
    "a number of at least 0": (lambda x: arguments.check_positive("x", x, zero=True), (0, TINY), (-TINY, INF)),
    "a probability": (lambda x: arguments.check_probability("x", x), (TINY, BELOW_1), (0, 1, -TINY, ABOVE_1)),
    "iterates": (lambda x: arguments.check_iterates([x], 3), (0, 3), (-1, 4)),
    "roundings": (lambda x: rounding.gamma(x, 2.0**-10), (0, 1023), (1024, 2000)),
    "draws of Bernstein": (
        lambda n: means.mean_test(np.zeros(n), 0.0, RATES, low=0, high=1, method="bernstein"),
        (2, 3),
        (1,),
    ),
    # laws
    "p of a distance": (lambda p: quantiles.wasserstein(COIN, COIN, p), (1, 2, INF), (BELOW_1, 0, NAN)),
    "width of an interval": (lambda x: quantiles.wasserstein_to_uniform(COIN, 0, x), (Fraction(1, 10**9), 1), (0, -1)),
    "k of a coupling": (lambda k: brackets.coupling_bound(k, 1.0, 2), (0, BELOW_1), (1, -TINY, NAN)),
    "D of a coupling": (lambda D: brackets.coupling_bound(0.5, D, 2), (0, 1e308), (INF,)),
    "a later iterate": (
        lambda m: brackets.exact_bracket([(HALF, 0), (HALF, HALF)], 3, later=m),
        (3, 4),
        (2,),
    ),
    "n of a rate": (lambda n: brackets.rate_bracket(bracket(2, 1), bracket(n, 1)), (3, 9), (2, 1)),
    "p of a rate": (lambda p: brackets.rate_bracket(bracket(2, 1), bracket(3, p)), (1,), (2, ABOVE_1)),
    "ends of a bracket": (lambda x: brackets.Bracket(x, 1.0, 1, 0, "", ""), (0.0, 1.0), (ABOVE_1,)),
    "values of a function": (
        lambda x: brackets.lipschitz_lower_bound([0.0, 0.5], [x], lambda v: v, low=0.0, high=1.0, false_alarm=0.01),
        (0.0, 1.0),
        (-TINY, ABOVE_1),
    ),
    "a discrepancy": (lambda x: calibrated.sample_size(x, RATES), (1e-3, 1), (0, -1, ABOVE_1, NAN)),
    "a discrepancy of two samples": (lambda x: calibrated.two_sample_size(x, RATES), (1e-3, 1), (0, ABOVE_1)),
    "p-values": (lambda x: calibrated.pvalue_guard([0.5, x], 0.01), (0, 1, 0.5), (-TINY, ABOVE_1, NAN)),
    "draws of a test": (
        lambda n: calibrated.one_sample_test(np.full(n, 0.5), lambda x: np.clip(x, 0, 1), RATES, discrepancy=0.25),
        (calibrated.sample_size(0.25, RATES), 1000),
        (calibrated.sample_size(0.25, RATES) - 1,),
    ),
    "a discrepancy of means": (lambda x: means.mean_sample_size(x, RATES, 0, 1), (1e-3, 5.0), (0, -1)),
    "the discrepancy that is detected": (
        lambda x: means.mean_test(DRAWS, 0.5, RATES, low=0, high=1, discrepancy=x),
        (DETECTED, 2 * DETECTED),
        (math.nextafter(DETECTED, 0.0),),
    ),
    "draws in a support": (lambda x: means.mean_test([0.5, x], 0.5, RATES, low=0, high=1), (0, 1), (-TINY, ABOVE_1)),
    "a support": (lambda x: means.mean_test([0.0], 0.0, RATES, low=0, high=x), (0, 1), (-TINY, INF, NAN)),
    "masses": (lambda x: exact_laws.ExactLaw({0: x, 1: 1 - x}), (0, 1, HALF), (-HALF, Fraction(11, 10))),
    "a total mass": (lambda x: exact_laws.ExactLaw({0: HALF, 1: x}), (HALF,), (0, Fraction(51, 100))),
    "weights of exact maps": (
        lambda x: ct.laws.exact_law([(HALF, 0), (HALF, 1)], 2, index_law=[x, 1 - x]),
        (0, 1, HALF),
        (-HALF, Fraction(11, 10)),
    ),
    "letters": (lambda a: enumerate.word_law(lambda n: [((a,) * n, 1)], 2, count=2), (0, 1), (-1, 2)),
    "masses of words": (
        lambda x: enumerate.word_law(lambda n: [((0,) * n, x), ((1,) * n, 1 - x)], 2),
        (0, 1),
        (-HALF, Fraction(11, 10)),
    ),
    "float weights": (
        lambda x: random_affine.RandomAffineMoments.from_maps([0.5, 0.5], [[0.0], [1.0]], [x, 1 - x]),
        (0.0, 1.0),
        (-1e-9, 1 + 1e-9),
    ),
    "a sum of float weights": (
        lambda x: random_affine.RandomAffineMoments.from_maps([0.5, 0.5], [[0.0], [1.0]], [0.5, x]),
        (0.5, 0.5 + 2.0**-50),
        (0.5 + 2.0**-47, 0.5 - 2.0**-47),
    ),
    # expansions
    "a letter": (lambda i: fields.check_word([1, i], 3), (1, 3), (0, 4, -1, True, 1.0)),
    "an exponent": (lambda e: exact.polynomial_field([{(e,): 1}]), (0, 1), (-1, 1.5)),
    "a first learning rate": (
        lambda h: reach.correction_reach(TURNING, np.ones(2), [h], at=[2]),
        (1e-3,),
        (0.0, -1e-3),
    ),
    "the next learning rate": (
        lambda h: reach.correction_reach(TURNING, np.ones(2), [1e-3, h], at=[2]),
        (2e-3,),
        (1e-3, 0.5e-3),
    ),
    "an iterate": (lambda n: reach.correction_reach(TURNING, np.ones(2), [1e-3], at=[2, n]), (2,), (1, 0)),
    "an order": (lambda p: reach.correction_reach(TURNING, np.ones(2), [1e-3], at=[2], orders=[2, p]), (1, 3), (0,)),
    "sizes of batches": (
        lambda x: regularisers.large_batch_step(FIELD, exact.rational_vector([1]), HALF, sizes=[1, x]),
        (HALF, 1),
        (0, -1),
    ),
    "λ": (lambda x: regularisers.regularised_step(FIELD, exact.rational_vector([1]), HALF, x), (0, HALF), (-HALF,)),
    "a bound on a derivative": (lambda x: remainders.majorant_coefficient(3, 2, [1, x]), (0, 1), (-1, NAN)),
    "bounds on derivatives": (lambda n: remainders.majorant_coefficient(3, 2, [1] * n), (2, 3), (1, 0)),
    "h of a remainder": (lambda h: remainders.remainder_bound(3, h, 1, [1, 1]), (0, HALF), (-HALF, NAN)),
    "steps": (lambda h: remainders.observed_orders(lambda x: x**2, [1.0, h]), (0.5, BELOW_1), (1.0, 0.0, 2.0)),
    "two steps": (lambda n: remainders.observed_orders(lambda x: x**2, [0.5**k for k in range(n)]), (2, 3), (1, 0)),
    # certificates and bounds
    "k": (lambda k: bounds.geometric(k, 1.0, 2), (0, BELOW_1, Fraction(99, 100)), (1, -TINY, NAN, 2)),
    "D": (lambda D: bounds.geometric(0.5, D, 2), (0, TINY, 1e308), (-TINY, INF, NAN)),
    "r": (lambda r: bounds.other_start(0.5, 1.0, r, 2), (0, 1e308), (-TINY, INF)),
    "r as printed": (lambda r: bounds.printed_other_start(0.5, 1.0, r, 2), (0, 1e300), (-TINY, INF)),
    "n": (lambda n: bounds.geometric(0.5, 1.0, np.array([3, n])), (0, 1), (-1, 0.5)),
    "kappa": (lambda k: bounds.after_q(2, k, 3.0, 1.0, 2), (0, BELOW_1), (1, -TINY)),
    "q": (lambda q: bounds.after_q(q, 0.5, 3.0, 1.0, 2), (1, 2), (0, -1, 1.5)),
    "lip": (lambda x: bounds.after_q(2, 0.5, x, 1.0, 2), (0, 1e100), (-TINY, INF)),
    "rho": (lambda x: bounds.p_mean(x, 1.0, 1.0, 2), (0, 1 - 1e-9), (1, -TINY, BELOW_1)),
    "p of a mean": (lambda p: bounds.p_mean(0.5, p, 1.0, 2), (1e-2, 1, 3), (0, -1, INF)),
    "eps": (lambda eps: bounds.steps(0.5, 1.0, eps), (TINY, 1.0, 2.0), (0, -1)),
    "displacements": (lambda n: bounds.prefix_tail(np.ones(4), np.ones(n)), (3,), (2, 4)),
    "a largest logarithm": (
        lambda x: confidence_upper([-1.0, x], 0.5, 0.9, -2.0),
        (0.5, 0.5 + 1e-10),
        (0.5 + 1e-8,),
    ),
    "values of a mean": (lambda n: confidence_upper([0.0] * n, 0.5, 0.9, -2.0), (2, 3), (1,)),
    "a declared factor": (lambda k: declared(contraction=k), (0, 0.0, 1e308), (-TINY, INF, NAN)),
    "a declared displacement": (lambda D: declared(displacement=D), (0, 1e308, INF), (-TINY, NAN)),
    "a declared mean square": (lambda x: Known(mean_square=x), (0, 1e308), (-TINY, INF, NAN, True)),
    "k of an order": (lambda k: CONVERGENCE.bound(3, k, 1.0), (0, BELOW_1), (1, -TINY)),
    "D of an order": (lambda D: CONVERGENCE.bound(3, 0.5, D), (0, 1e308), (-TINY, INF)),
    "n of an order": (lambda n: CONVERGENCE.bound(n, 0.5, 1.0), (0, 8), (9, -1)),
    "a ball": (lambda r: domains.Ball([0.0], r), (TINY, 1e308), (0, -1, INF, NAN)),
    "a box": (lambda x: domains.Box([0.0, 0.0], [1.0, x]), (TINY, INF), (0.0, -1.0)),
    "radii": (lambda x: domains.RotatedBox([0.0, 0.0], [1.0, x]), (TINY, 1.0), (0.0, -1.0)),
    "a grid": (lambda x: spaces.GridFunctions(np.array([0.0, x])), (TINY, 1.0), (0.0, -1.0)),
    "points of a grid": (lambda n: spaces.GridFunctions(np.arange(float(n))), (2, 3), (1, 0)),
    "letters of words": (spaces.Words, (2, 10), (1, 0)),
    "boxes": (lambda x: ct.nested_boxes(OPERATORS, [-1.0], [x]), (1.0, 2.0), (-1.5, -2.0)),
    # limits and exponents
    "p of a sample": (
        lambda p: ct.sample_stationary(fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)), 0.1, p=p),
        (1, 2),
        (BELOW_1, 0),
    ),
    "size of a sample": (
        lambda n: ct.sample_stationary(fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)), 0.1, size=n),
        (1, 2),
        (0,),
    ),
    "α": (lambda x: Settling(1e-3, alpha=x), (TINY, BELOW_1), (0, 1)),
    "δ": (lambda x: Settling(1e-3, delta=x), (TINY, BELOW_1), (0, 1)),
    "eps of a share": (lambda x: RUNS.exceeds(x), (0, 1.0), (-TINY, NAN)),
    "the order of a quantile": (lambda x: RUNS.quantile(x), (TINY, BELOW_1), (0, 1)),
    "iterates of a run": (
        lambda n: ct.synchronisation(fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)), [0.0], 2, replicas=2, at=[n]),
        (0, 2),
        (3, -1),
    ),
    "replicas of a run": (
        lambda n: ct.synchronisation(fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)), [0.0], 1, replicas=n),
        (2, 3),
        (1,),
    ),
    "the first map": (lambda i: ct.apply_backward(OPERATORS, 0.0, 3, i), (1, 3, 4), (0, 5)),
    "the last map": (lambda n: ct.apply_backward(OPERATORS, 0.0, n), (0, 3), (4, -1)),
    "a condition number": (lambda x: strategies.symmetric_positive_definite(2, condition=x), (1, 10), (BELOW_1, NAN)),
}


@pytest.mark.parametrize("what", LIMITS)
def test_the_last_number_is_accepted_and_the_next_one_is_not(what):
    call, good, bad = LIMITS[what]
    for value in good:
        call(value)
    for value in bad:
        with pytest.raises((ValueError, TypeError, ct.NotCertified)):
            call(value)


@pytest.mark.parametrize(("letters", "length", "listed"), [(2, 17, True), (2, 18, False), (200_000, 1, True)])
def test_words_are_listed_up_to_200_000(letters, length, listed):
    parts = [np.eye(1)] * letters
    if listed:
        assert len(word_norms(parts, length, spaces.Euclidean())) == letters**length
    else:
        with pytest.raises(ct.NotCertified, match=r"2\^18 words of length 18 are more than 200000 to list"):
            word_norms(parts, length, spaces.Euclidean())


# --- which of two answers is given where they meet ------------------------------------------------------------------


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_a_bracket_says_which_bound_it_is(p):
    """Gelbrich's bound holds from p = 2 on, the coupling in mean square up to p = 2."""
    found = brackets.moment_bracket(fam.QuadraticSGD(0.5, fam.Uniform(-1, 1)), 2, 5.0, p=p)
    assert found.lower_by == ("Gelbrich's bound" if p >= 2 else "means")
    assert found.upper_by == ("coupling, second moment" if p <= 2 else "coupling, k^n")


@pytest.mark.parametrize("n", [1, 2, 100])
@pytest.mark.parametrize("width", [0.0, 1.0, 3.0])
def test_deviations_are_the_stated_formulas(n, width):
    for error in (1e-9, 0.3):
        expected = width * math.sqrt(math.log(1 / error) / (2 * n))
        assert concentration.hoeffding(n, width, error) == pytest.approx(expected, rel=1e-14)
        if n >= 2:
            values = np.linspace(0, width, n)
            spread = sum((x - sum(values) / n) ** 2 for x in values) / (n - 1)
            log = math.log(2 / error)
            expected = math.sqrt(2 * spread * log / n) + 7 * width * log / (3 * (n - 1))
            assert concentration.empirical_bernstein(values, width, error) == pytest.approx(expected, rel=1e-12)


def test_a_rounding_is_half_a_unit_in_the_last_place():
    assert composed._unit(np.zeros(1)) == 2.0**-53
    assert composed._unit(np.zeros(1, dtype=np.float32)) == 2.0**-24
    assert composed._unit(np.array([1])) == composed._unit(np.array([HALF])) == 0.0
    assert rounding.gamma(4) == pytest.approx(4 * 2.0**-53, rel=1e-12, abs=0)


def test_results_do_not_change():
    """A bracket and a run are frozen: what a limit was checked for stays as it was."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        bracket(1, 1).lower = 2.0  # type: ignore[misc]
