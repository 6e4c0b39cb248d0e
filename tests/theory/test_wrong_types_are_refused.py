"""Values of the wrong kind are refused at the call, in a sentence with the rule and the value; right ones pass."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction import expansions as ex
from contraction import laws
from contraction.families import FiniteFamily, QuadraticSGD

NAN = float("nan")
RATES = laws.Rates(1e-3, 1e-3)
HALF = Fraction(1, 2)
COIN = laws.ExactLaw({0: HALF, 1: HALF})
PAIRS = laws.ExactLaw({(0, 0): HALF, (1, 2): HALF})
MAPS: Any = [(HALF, Fraction(0)), (HALF, HALF)]
FIELD = ex.quadratic_field(np.eye(2), np.ones(2))
TWO = np.array([1.0, 2.0])
ANY: Any = "a"
NONE: Any = None


def own(**stated: Any) -> ct.RandomOperator:
    return ct.RandomOperator(lambda rng: rng.uniform(-1, 1), lambda x, u: x / 2 + u, **stated)


def certified(**stated: Any) -> ct.ErrorBound:
    return ct.certify(own(**{"contraction": 0.5, "displacement": 1.0, **stated}), [0.0])


class FloatFactor(ct.RandomOperator):
    contraction = property(lambda self: 0.5)


class MethodFactor(ct.RandomOperator):
    def contraction(self) -> ct.Constant:  # type: ignore[override]
        return ct.Constant(0.5, "proved", "by hand")


class FloatReach(ct.RandomOperator):
    def displacement(self, theta0: np.ndarray) -> Any:
        return 1.0


class RightFactor(ct.RandomOperator):
    contraction = property(lambda self: ct.Constant(0.5, "proved", "by hand"))

    def displacement(self, theta0: np.ndarray) -> ct.Constant:
        return ct.Constant(1.0, "proved", "by hand")


def noise(**stated: Any) -> ct.families.FunctionNoise:
    return ct.families.FunctionNoise(lambda rng, size: rng.uniform(-1, 1, size), **stated)


def of_class(family: type[ct.RandomOperator], **stated: Any) -> ct.ErrorBound:
    return ct.certify(family(lambda rng: rng.uniform(-1, 1), lambda x, u: x / 2 + u, **stated), [0.0])


def expanded(function: Callable[[Any], Any]) -> np.ndarray:
    return ex.word_series([ex.numpy_field(function)], [1], TWO, 2)


def steps(**changed: Any) -> ct.families.OwnLossSteps:
    given = {"loss": lambda t, x: (t[0] - x) ** 2 / 2, "data": ([1.0, -1.0],), **changed}
    loss, data = given.pop("loss"), given.pop("data")
    return ct.families.OwnLossSteps(loss, data, 1, h=0.1, batches=[[0], [1]], **given)


def chain(P: list[list[float]]) -> FiniteFamily:
    return FiniteFamily([(0.5, [0.0]), (0.5, [1.0])], law=ct.families.MarkovModulated(P))


Row = tuple[Callable[[], object], type[Exception], str]

SPACES: dict[str, Row] = {
    "a box of two shapes": (lambda: ct.Box([0.0], [1.0, 2.0]), ValueError, r"one shape, got \(1,\) and \(2,\)"),
    "a box of text": (lambda: ct.Box(ANY, "b"), ValueError, "low must be an array of numbers, got 'a'"),
    "a ball around text": (
        lambda: ct.Ball(ANY, 1),
        ValueError,
        "center of a ball must be an array of numbers, got 'a'",
    ),
    "a ball around NaN": (
        lambda: ct.Ball([NAN], 1),
        ValueError,
        r"center of a ball must have finite entries, got \[nan",
    ),
    "a ball of text": (
        lambda: ct.Ball([0.0], ANY),
        ValueError,
        "radius of a ball must be a finite number > 0, got 'a'",
    ),
    "a normal of NaN": (lambda: ct.HalfSpace([NAN]), ValueError, r"normal of a half-space must have finite .* \[nan\]"),
    "a normal of text": (lambda: ct.HalfSpace(ANY), ValueError, "normal of a half-space must be an array of numbers"),
    "an offset NaN": (lambda: ct.HalfSpace([1.0], NAN), ValueError, "offset of a half-space must be a finite number"),
    "a rotated box of text": (lambda: ct.RotatedBox(ANY, [1.0]), ValueError, "center must be an array of numbers"),
    "a norm of text": (lambda: ct.WeightedEuclidean(ANY), ValueError, "P must be an array of numbers, got 'a'"),
    "a norm of NaN": (lambda: ct.WeightedEuclidean([[NAN]]), ValueError, r"P must be a finite square .* got \[\[nan"),
    "a grid of text": (lambda: ct.GridFunctions(ANY), ValueError, "the grid must be an array of numbers, got 'a'"),
    "-1 axes": (lambda: ct.Metric(lambda x, y: 0, -1), ValueError, "event_ndim, .* must be an integer .* got -1"),
    "axes 'a'": (lambda: ct.Metric(lambda x, y: 0, ANY), ValueError, "event_ndim, .* must be an integer .* got 'a'"),
    "an origin": (
        lambda: ct.Constant(1, ANY, ""),
        ValueError,
        "origin of a constant must be one of proved, .* got 'a'",
    ),
    "a constant of text": (lambda: ct.Constant(ANY, "proved", "x"), ValueError, "must be a number, got 'a' from x"),
}
FAMILIES: dict[str, Row] = {
    "batched": (lambda: own(batched=ANY), TypeError, "batched must be True or False, got 'a'"),
    "vectorized": (lambda: own(vectorized=1), TypeError, "vectorized must be True or False, got 1"),
    "name": (lambda: own(name=3), TypeError, "name must be text, got 3"),
    "a factor that is a float": (
        lambda: of_class(FloatFactor, displacement=1.0),
        TypeError,
        r"contraction of RandomOperator\(\) must be a property that returns ct\.Constant\(.*\) or None, got 0\.5",
    ),
    "a factor that is a method": (
        lambda: of_class(MethodFactor, displacement=1.0),
        TypeError,
        "contraction of .* must be a property .* got <bound method",
    ),
    "a displacement that is a float": (
        lambda: of_class(FloatReach, contraction=0.5),
        TypeError,
        r"displacement of .* must be a method of theta0 that returns ct\.Constant.* got 1\.0",
    ),
    "an affine number": (lambda: certified(affine=lambda u: 3), TypeError, r"give a pair \(A, b\), got 3"),
    "an affine triple": (lambda: certified(affine=lambda u: (1, 2, 3)), TypeError, r"pair \(A, b\), got \(1, 2, 3\)"),
    "an affine text": (lambda: certified(affine=lambda u: ("a", "b")), TypeError, "A and b as real numbers, got"),
    "a factor of text": (lambda: certified(lipschitz=lambda u: "a"), TypeError, r"lipschitz\(draw\) must be a number"),
    "a moment of text": (
        lambda: ct.certify(own(known=ct.Known(lipschitz_moment=lambda p: ANY)), [0.0], moment=2),
        TypeError,
        "known.lipschitz_moment must be one number, .* got 'a'",
    ),
    "a moment None": (
        lambda: ct.certify(own(known=ct.Known(lipschitz_moment=lambda p: NONE)), [0.0], moment=2),
        TypeError,
        "known.lipschitz_moment must be one number, .* got None",
    ),
    "a start that is a dictionary": (lambda: ct.certify(own(contraction=0.5), {}), ValueError, "made of real numbers"),  # type: ignore[arg-type]
    "a start of no kind": (lambda: ct.certify(own(contraction=0.5), object()), ValueError, "made of real numbers"),  # type: ignore[arg-type]
    "q of a billion": (
        lambda: ct.certify(ct.families.BernoulliConvolution(0.5), [0.0], q=10**9),
        ValueError,
        "q must be at most 200000, .* got 1000000000",
    ),
    "a certificate": (
        lambda: ct.backward_limit(QuadraticSGD(0.5), [0.0], 0.1, certificate=ANY),
        TypeError,
        r"certificate must be the result of certify\(family, theta0\), got 'a'",
    ),
    "boxes of a family": (
        lambda: ct.nested_boxes(own(), [0.0], [1.0]),  # type: ignore[arg-type]
        TypeError,
        r"operators must be the drawn maps of family\.sample\(n\), not a family, got RandomOperator",
    ),
}
LOSSES: dict[str, Row] = {
    "no data": (lambda: steps(data=None), TypeError, "data must be a list of arrays .* got None"),
    "data that are a number": (lambda: steps(data=3), TypeError, "data must be a list of arrays .* got 3"),
    "data of text": (lambda: steps(data="ab"), TypeError, "data must be a list of arrays .* got 'ab'"),
    "a row of text": (lambda: steps(data=(["a"],)), ValueError, r"each array of data must be an array .* got \['a'\]"),
    "the class of a chain": (
        lambda: steps(law=ct.families.MarkovModulated),
        TypeError,
        r"law=MarkovModulated cannot be made of the number of batches 2 alone: pass law=MarkovModulated\(…\)",
    ),
    "a power of a parameter": (lambda: steps(loss=lambda t, x: t[0] ** t[0]), ct.MapRefused, "a power that depends on"),
    "2 to a parameter": (
        lambda: steps(loss=lambda t, x: 2 ** t[0]),
        ct.MapRefused,
        "'int' and a number that depends on theta",
    ),
    "a float of a parameter": (
        lambda: steps(loss=lambda t, x: float(t[0])),
        ct.MapRefused,
        "not a number that depends on theta$",
    ),
    "grow": (lambda: ct.find_region(steps(), [0.0], grow=ANY), TypeError, "grow must be True or False, got 'a'"),
    "a region of no family": (lambda: ct.find_region(3, [0.0]), TypeError, "the family must be a family of maps"),  # type: ignore[arg-type]
    "progress": (
        lambda: ct.backward_limit(QuadraticSGD(0.5), [0.0], 0.1, progress=3),  # type: ignore[arg-type]
        TypeError,
        "progress must be a function .* got 3",
    ),
    "an error in draw": (
        lambda: ct.certify(ct.RandomOperator(lambda rng: 1 / 0, lambda x, u: x / 2, contraction=0.5), [0.0]),
        ct.MapRefused,
        r"draw of RandomOperator\(\) cannot be called: ZeroDivisionError: division by zero",
    ),
    "maps that give booleans": (
        lambda: ct.certify(ct.RandomOperator(lambda rng: 0, lambda x, u: x > 0, contraction=0.5), [0.0]),
        ct.MapRefused,
        "maps must give real numbers: T_1.* gives bool at theta",
    ),
    "a letter that is left for ever": (
        lambda: laws.modulated_moments(chain([[0, 1], [0, 1]])),
        ValueError,
        r"positive stationary probability, but \[0\] of MarkovModulated.* leave out these letters and their maps",
    ),
}
NORMS: dict[str, Row] = {
    f"{name}, {kind}": (lambda call=call, value=value: call(value), ValueError, words)
    for name, call, many in (
        ("lyapunov_norm", lambda A: ct.lyapunov_norm(A[0]), False),
        ("common_norm", ct.common_norm, True),
        ("mean_square_norm", lambda A: ct.mean_square_norm(A, [1 / max(len(A), 1)] * len(A)), True),
    )
    for kind, value, words, needs in (
        ("NaN", [[[NAN]]], r"must have finite entries, got nan at \(0, 0\)", False),
        ("one axis", [[0.5, 0.5]], r"square matrices of one size, got the shapes \(2,\)", False),
        ("not square", [[[0.5, 1.0]]], r"square matrices of one size, got the shapes \(1, 2\)", False),
        ("text", ["a"], "must be an array of numbers, got 'a'", False),
        ("two sizes", [[[0.5]], np.eye(2) / 2], r"of one size, got the shapes \(1, 1\), \(2, 2\)", True),
        ("none", [], "at least one matrix in matrices, got none", True),
    )
    if many or not needs
}
LAWS: dict[str, Row] = {
    "variance in words": (lambda: noise(variance=ANY), ValueError, "the variance must be .*, got 'a'"),
    "mean in words": (lambda: noise(mean=ANY), ValueError, "the mean must be a finite number, got 'a'"),
    "interval of one number": (
        lambda: noise(interval=3),
        TypeError,
        r"interval must be a pair \(low, high\) of numbers",
    ),
    "interval in words": (lambda: noise(interval=("a", "b")), ValueError, "each end of the interval must be a number"),
    "wasserstein of numbers": (lambda: laws.wasserstein(1, 2), TypeError, "a law must be an ExactLaw, got 1"),  # type: ignore[arg-type]
    "compare": (lambda: laws.compare_laws(COIN, 3), TypeError, "a law must be an ExactLaw, got 3"),  # type: ignore[arg-type]
    "push": (lambda: laws.push_forward(ANY, MAPS), TypeError, "a law must be an ExactLaw, got 'a'"),
    "masses in a list": (lambda: laws.ExactLaw([1, 2]), TypeError, r"masses must be a dictionary .* got \[1, 2\]"),  # type: ignore[arg-type]
    "moments": (lambda: laws.affine_moments(ANY), TypeError, "the family must be a family of maps, .* got 'a'"),
    "no cdf": (lambda: laws.one_sample_test([0.5], 3, RATES), TypeError, "function or an ExactLaw, got 3"),  # type: ignore[arg-type]
    "rates of one sample": (lambda: laws.one_sample_test([0.5], COIN, ANY), TypeError, "must be Rates.* got 'a'"),
    "rates of two samples": (lambda: laws.two_sample_test([0.5], [0.5], ANY), TypeError, "must be Rates.* got 'a'"),
    "rates of a mean": (lambda: laws.mean_test([0.5], 0, ANY, low=0, high=1), TypeError, "must be Rates.* got 'a'"),
    "rates of a size": (lambda: laws.sample_size(0.1, ANY), TypeError, "must be Rates.* got 'a'"),
    "rates of two sizes": (lambda: laws.two_sample_size(0.1, ANY), TypeError, "must be Rates.* got 'a'"),
    "rates of a size of a mean": (lambda: laws.mean_sample_size(0.1, ANY, 0, 1), TypeError, "must be Rates.* got 'a'"),
    "a discrepancy": (lambda: laws.sample_size(ANY, RATES), ValueError, "discrepancy must be a finite number, got 'a'"),
    "a sample": (lambda: laws.two_sample_test(ANY, [1.0], RATES), ValueError, "a sample must be an array of numbers"),
    "differences": (lambda: laws.sign_flip_test(ANY), ValueError, "differences must be an array of numbers, got 'a'"),
    "a settling probability": (
        lambda: ct.backward_limit(
            ct.RandomOperator(lambda rng: rng.normal(), lambda x, u: x / 2 + u), 0.0, 1.0, alpha=ANY
        ),
        ValueError,
        "alpha must be a finite number, got 'a'",
    ),
    "a certificate of draws": (
        lambda: ct.sample_stationary(QuadraticSGD(0.5), 0.1, certificate=ANY),
        TypeError,
        r"certificate must be the result of certify\(family, theta0\), got 'a'",
    ),
    "p-values": (lambda: laws.pvalue_guard(ANY, 0.1), ValueError, "p-values must be an array of numbers, got 'a'"),
    "p of W_p": (lambda: laws.wasserstein(COIN, COIN, ANY), ValueError, "p of W_p must be a number >= 1, got 'a'"),
    "p of a bracket": (
        lambda: laws.moment_bracket(QuadraticSGD(0.5), 3, p=ANY),
        ValueError,
        "p of W_p must be a number",
    ),
    "n of a bracket": (lambda: laws.exact_bracket(MAPS, -5), ValueError, "n must be an integer of at least 0, got -5"),
    "limit": (lambda: laws.exact_bracket(MAPS, 5, limit=ANY), TypeError, "limit must be a function of an ExactLaw"),
    "no maps": (lambda: laws.exact_law(None, 2), TypeError, "maps must be a FiniteFamily or a list .* got None"),  # type: ignore[arg-type]
    "maps of text": (lambda: laws.exact_law("ab", 2), TypeError, "maps must be a FiniteFamily or a list .* got 'ab'"),  # type: ignore[arg-type]
    "maps of numbers": (lambda: laws.exact_law([1, 2], 2), TypeError, r"a map must be a pair \(A, b\) or .* got 1"),  # type: ignore[arg-type]
    "a triple": (lambda: laws.exact_law([(1, 2, 3)], 2), TypeError, r"a map must be a pair .* got \(1, 2, 3\)"),  # type: ignore[arg-type]
    "reversible": (lambda: laws.reversible(3, 2), TypeError, "an index law must be weights, .* got 3"),  # type: ignore[arg-type]
    "means of two sizes": (
        lambda: laws.gelbrich_distance([0.0], [[1.0]], [0.0, 1.0], [[1.0]]),  # type: ignore[arg-type]
        ValueError,
        r"a mean must have shape \(1\), got shape \(2,\)",
    ),
    "a covariance of text": (
        lambda: laws.gelbrich_distance([0.0], ANY, [0.0], [[1.0]]),  # type: ignore[arg-type]
        ValueError,
        "a covariance must be an array of numbers, got 'a'",
    ),
    "f": (
        lambda: ct.unbiased_expectation(QuadraticSGD(0.5), ANY, [0.0]),
        TypeError,
        r"f must be a function of points \(\.\.\., d\), got 'a'",
    ),
    "a rate of text": (
        lambda: ct.unbiased_expectation(QuadraticSGD(0.5), lambda x: x[..., 0], [0.0], rate=ANY),
        ValueError,
        "rate must be a finite number, got 'a'",
    ),
    "a rate NaN": (
        lambda: ct.unbiased_expectation(QuadraticSGD(0.5), lambda x: x[..., 0], [0.0], rate=NAN),
        ValueError,
        "rate must be a finite number, got nan",
    ),
    "a tail of text": (
        lambda: ct.unbiased_expectation(QuadraticSGD(0.5), lambda x: x[..., 0], [0.0], tail=ANY),
        ValueError,
        "tail must be a finite number, got 'a'",
    ),
}
FIELDS: dict[str, Row] = {
    "error of an expansion": (lambda: ex.observed_orders(ANY, [0.2, 0.1]), TypeError, "error must be a function"),
    "one step": (lambda: ex.observed_orders(abs, 3), TypeError, "steps must be a list of learning rates, got 3"),  # type: ignore[arg-type]
    "a step in words": (lambda: ex.observed_orders(abs, [0.2, ANY]), ValueError, "the steps must be a number, got 'a'"),
    "tree": (lambda: ex.tree_text(3), TypeError, r"a labelled tree must be a pair .*, as in \(1, \(\)\), got 3"),  # type: ignore[arg-type]
    "strength": (lambda: ex.regularisation_strength(ANY, 0.1, 2), ValueError, "multiple must be a number, got 'a'"),
    "strength's rate": (lambda: ex.regularisation_strength(1, ANY, 2), ValueError, "the learning rate h must be a num"),
    "bracket of a number": (
        lambda: ex.minus_lie_bracket(FIELD, 3, TWO),  # type: ignore[arg-type]
        TypeError,
        r"fields\[1\] must be a VectorField, got 3",
    ),
    "brackets of a number": (lambda: ex.minus_lie_bracket_sum(3, TWO), TypeError, "fields must be a list of Vector"),  # type: ignore[arg-type]
    "coefficients of a number": (lambda: ex.tree_sums(3, [1], TWO, 2), TypeError, "fields must be a list of Vector"),  # type: ignore[arg-type]
    "a stream from text": (lambda: ex.ApproximateBackward(ANY, 0.1), TypeError, "theta must be a vector .* got 'a'"),
    "a network of text": (lambda: ex.tanh_network_field(ANY, ANY, 2), ValueError, "inputs must be an array of numbers"),
    "a function for a field": (
        lambda: ex.word_series([lambda z: z], [1], TWO, 2),  # type: ignore[list-item]
        TypeError,
        r"fields\[0\] must be a VectorField, got <function.*numpy_field\(function\)",
    ),
    "a number for fields": (
        lambda: ex.word_series(None, [1], TWO, 2),
        TypeError,
        "fields must be a list of VectorField",
    ),  # type: ignore[arg-type]
    "a start of text": (lambda: ex.word_series([FIELD], [1], ANY, 2), TypeError, "theta must be a vector .* got 'a'"),
    "a start of NaN": (lambda: ex.word_series([FIELD], [1], [NAN, 1], 2), ValueError, "theta must not contain NaN"),
    "no start": (lambda: ex.word_series([FIELD], [1], None, 2), TypeError, "theta must be a vector .* got None"),
    "no word": (lambda: ex.word_series([FIELD], None, TWO, 2), TypeError, "the word must be a list .* got None"),  # type: ignore[arg-type]
    "floats in an exact field": (
        lambda: ex.word_series([ex.polynomial_field([{(1,): 2}])], [1], np.array([1]), 2),
        TypeError,
        r"theta must hold exact numbers too: use rational_vector, got \[1\.0\]",
    ),
    "no coefficients": (lambda: ex.evaluate_series([], 0.1), ValueError, "a series needs at least one coefficient"),
    "h of text": (lambda: ex.evaluate_series([TWO], ANY), ValueError, "the learning rate h must be a number, got 'a'"),
    "errors of text": (lambda: ex.observed_orders(lambda h: ANY, [0.2, 0.1]), ValueError, "an error must be a number"),
    "errors below 0": (
        lambda: ex.observed_orders(lambda h: -h, [0.2, 0.1]),
        ValueError,
        "an error .* at least 0, got -0.2",
    ),
    "a complex h": (
        lambda: ex.remainder_bound(3, 1j, 2, [1, 1, 1]),
        ValueError,
        "h must be a number of at least 0, got 1j",
    ),
    "no bounds": (lambda: ex.majorant_coefficient(3, 2, NONE), ValueError, "must be a list of numbers, got None"),
    "a complex bound": (
        lambda: ex.majorant_coefficient(3, 2, [1, 1j]),
        ValueError,
        "bound M_1 must be a number of at le",
    ),
    "h of all orders": (lambda: ex.mean_over_orders([FIELD], TWO, ANY), ValueError, "h must be a number, got 'a'"),
    "start of all orders": (
        lambda: ex.mean_over_orders([FIELD], ANY, 0.1),
        TypeError,
        "theta must be a vector .* got 'a'",
    ),
    "start of a large step": (
        lambda: ex.large_batch_step([FIELD], ANY, 0.1),
        TypeError,
        "theta must be a vector .* got",
    ),
    "lambda": (lambda: ex.regularised_step([FIELD], TWO, 0.1, ANY), ValueError, "λ .* must be a number, got 'a'"),
    "lambda below 0": (lambda: ex.regularised_step([FIELD], TWO, 0.1, -1), ValueError, "λ .* at least 0, got -1"),
    "no h of a step": (
        lambda: ex.regularised_step([FIELD], TWO, NONE, 0.1),
        ValueError,
        "h must be a number, got None",
    ),
    "alignment of nothing": (
        lambda: ex.alignment(NONE, TWO),
        TypeError,
        "fields must be a list of VectorField, got None",
    ),
    "alignment of text": (lambda: ex.alignment("ab", TWO), TypeError, "fields must be a list of VectorField, got 'ab'"),  # type: ignore[arg-type]
    "alignment at a text": (lambda: ex.alignment([FIELD], ANY), TypeError, "theta must be a vector .* got 'a'"),
    "one order at a text": (lambda: ex.fixed_order_term([FIELD], ANY), TypeError, "theta must be a vector .* got 'a'"),
    "coefficients at a text": (lambda: ex.word_coefficients([FIELD], [1], ANY, 2), TypeError, "theta must be a vector"),
    "coefficients at a matrix": (
        lambda: ex.word_coefficients([FIELD], [1], np.eye(2), 2),
        ValueError,
        r"theta must be a vector \(d,\) of numbers, got array",
    ),
    "a stream of text": (
        lambda: ex.ApproximateBackward(TWO, 0.1).step(ANY),
        TypeError,
        r"fields\[0\] must be a VectorField, got 'a'",
    ),
    "Hessians that are none": (
        lambda: ex.fixed_order_curl(NONE),
        TypeError,
        "the Hessians must be a list of arrays, got N",
    ),
    "a Hessian of text": (lambda: ex.fixed_order_curl([np.eye(2), ANY]), TypeError, "Hessians .* got the entry 'a'"),
    "a Hessian with one axis": (
        lambda: ex.fixed_order_curl([TWO]),
        ValueError,
        r"with 2 axes, got the shapes \[\(2,\)\]",
    ),
    "gradients of text": (
        lambda: ex.small_batch_modified_loss("ab", 0.1),
        TypeError,
        "the gradients must be a list of ar",
    ),  # type: ignore[arg-type]
    "gradients of two lengths": (
        lambda: ex.small_batch_modified_loss([TWO, np.ones(3)], 0.1),
        ValueError,
        r"of one shape with 1 axes, got the shapes \[\(2,\), \(3,\)\]",
    ),
    "T_0": (
        lambda: own().sample(3, seed=0).apply(0, np.zeros(1)),
        ValueError,
        "number of a map must be .* at least 1, got 0",
    ),
    "T_4 of three": (
        lambda: own().sample(3, seed=0).apply(4, np.zeros(1)),
        ValueError,
        "there are 3 maps.*; T_4 was asked",
    ),
    "the largest factor": (
        lambda: ct.average_contraction(own(), [0.0], largest=ANY),
        ValueError,
        "largest must be a finite",
    ),
    "a largest factor below 0": (
        lambda: ct.average_contraction(own(), [0.0], largest=-1.0),
        ValueError,
        "largest must be a finite number >= 0, got -1.0",
    ),
    "a largest factor that is too small": (
        lambda: ct.average_contraction(own(lipschitz=lambda u: 0.5), [0.0], largest=0.25),
        ct.DeclarationRefuted,
        "of 0.25 is too small: a drawn word of length 1 has the factor 0.5$",
    ),
    "a factor that is true": (
        lambda: own(contraction=True),
        ValueError,
        "must be a finite number >= 0, got True",
    ),
    "a start beyond floats": (
        lambda: ct.certify(FiniteFamily([(HALF, Fraction(1))]), [Fraction(10**400)]),
        ct.MapRefused,
        "moves theta0 farther than the largest float, 1.8e308: start nearer$",
    ),
    "a seed of words": (
        lambda: ct.average_contraction(own(), [0.0], seed=ANY),
        ValueError,
        "the seed must be an integer",
    ),
    "a later iterate": (
        lambda: laws.exact_bracket(MAPS, 3, later=ANY),
        ValueError,
        "the later iterate must be an integer",
    ),
    "a law up to text": (lambda: COIN.cdf(ANY), ValueError, "x must be a number, got 'a'"),
    "a law up to NaN": (lambda: COIN.cdf(NAN), ValueError, "x must be a number, got nan"),
    "a law of pairs up to one number": (lambda: PAIRS.cdf((0,)), ValueError, r"x must be 2 numbers, got \(0,\)"),
    "the mean of text": (lambda: COIN.expectation(ANY), TypeError, "the function must be a function of one point, got"),
    "the image by text": (lambda: COIN.image(ANY), TypeError, "the function must be a function of one point, got 'a'"),
    "a law of numbers and pairs": (
        lambda: laws.ExactLaw({0: HALF, (1, 2): HALF}).mean(),
        TypeError,
        "moments need points that are all numbers, or vectors of one length",
    ),
    "floats of texts": (
        lambda: laws.ExactLaw({"a": HALF, 0: HALF}).floats(),
        TypeError,
        "moments need points that are",
    ),
    "a map that returns nothing": (
        lambda: laws.exact_law([lambda x: NONE], 1),
        TypeError,
        r"returned None in place of a point: .* without a return\?",
    ),
    "a map that returns a Decimal": (
        lambda: laws.exact_law([lambda x: Decimal("0.1")], 1),  # type: ignore[list-item, return-value]
        TypeError,
        "returned the Decimal .* need maps that return exact numbers",
    ),
    "no Hessians": (lambda: ex.fixed_order_curl([]), ValueError, "at least one Hessian is needed"),
    "no gradients": (lambda: ex.small_batch_modified_loss([], 0.1), ValueError, "at least one gradient is needed"),
    "bounds of text": (
        lambda: ex.remainder_bound(3, 0.1, 2, "abc"),
        ValueError,
        "M_1, … must be a list of numbers, got 'abc'",
    ),
    "a tree of text": (lambda: ex.density(ANY), TypeError, "a rooted tree must be a tuple of the trees .* got 'a'"),
    "a coefficient NaN": (
        lambda: ex.polynomial_field([{(1,): NAN}]),
        ValueError,
        "exact numbers are integers, .* got nan",
    ),  # type: ignore[dict-item]
    "a coefficient of text": (lambda: ex.rational_vector(["a"]), ValueError, "exact numbers are .* got 'a'"),
    "a Hessian of NaN": (
        lambda: ex.quadratic_field(np.array([[NAN]]), np.ones(1)),
        ValueError,
        r"the matrix of a quadratic loss must have finite entries, got \[\[nan\]\]",
    ),
    "h of a spread": (lambda: ex.quadratic_correction_sd(3, NAN, 1), ValueError, "h must be a finite number, got nan"),
    "noise of text": (lambda: ex.quadratic_correction(ANY), ValueError, "the noise must be numbers .* got array"),
}
FLAGS: dict[str, Row] = {
    "rigorous": (
        lambda: ct.certify(QuadraticSGD(0.5), [0.0], rigorous=ANY),
        TypeError,
        "rigorous must be True or False",
    ),
    "monotone": (
        lambda: ct.coupling_from_the_past(FiniteFamily([(0.5, [1.0])]), 0, monotone=ANY),
        TypeError,
        "monotone must be True or False, got 'a'",
    ),
    "sampled": (
        lambda: ct.families.BellmanOperators([[1.0]], [[[1.0]]], 0.5, sampled=ANY),
        TypeError,
        "sampled must be True or False, got 'a'",
    ),
    "batched": (lambda: FiniteFamily([(0.5, [1.0])], batched=ANY), TypeError, "batched must be True or False"),
    "maps": (lambda: ct.Operators.from_maps([abs], batched=ANY), TypeError, "batched must be True or False"),
    "hold": (lambda: ex.alignment_gradient([FIELD], TWO, hold=ANY), TypeError, "hold must be True or False"),
    "held step": (
        lambda: ex.regularised_step([FIELD], TWO, 0.1, 0.1, hold=ANY),
        TypeError,
        "hold must be True or False, got 'a'",
    ),
    "epochs": (lambda: ct.Epochs(2, forth_and_back=ANY), TypeError, "forth_and_back must be True or False"),
}
OPERATIONS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a comparison": (lambda z: np.where(z > 0, z, -z), "a comparison such as x < y"),
    "max": (lambda z: z * max(z[0], 0), "a comparison such as x < y"),
    "float": (lambda z: z * float(z[0]), r"float\(x\)"),
    "int": (lambda z: z * int(z[0]), r"int\(x\)"),
    "if": (lambda z: z * bool(z[0]), "a test of its value, as in if x:"),
    "arctan": (lambda z: np.arctan(z), r"np\.arctan"),
    "a norm": (lambda z: z * np.linalg.norm(z), r"np\.linalg\.norm"),
    "np.round": (lambda z: np.round(z), r"np\.round"),
    "round": (lambda z: z * round(z[0]), r"round\(x\)"),
    "//": (lambda z: z // 2, "the floor division //"),
    "%": (lambda z: z % 2, "the remainder %"),
    "a sum by a ufunc": (lambda z: z * np.add.reduce(z), r"np\.add\.reduce"),
    "an array": (lambda z: np.asarray(z, dtype=float), "np.array or np.asarray of it"),
}
TABLE = {
    f"{part}: {name}": row
    for part, rows in (
        ("space", SPACES),
        ("family", FAMILIES),
        ("loss", LOSSES),
        ("norm", NORMS),
        ("law", LAWS),
        ("field", FIELDS),
        ("flag", FLAGS),
    )
    for name, row in rows.items()
}


@pytest.mark.parametrize("name", TABLE)
def test_it_is_refused(name: str) -> None:
    call, error, words = TABLE[name]
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_without_a_taylor_series_is_named(name: str) -> None:
    function, words = OPERATIONS[name]
    with pytest.raises(TypeError, match=f"no Taylor series is known of {words}, which .* Use .*absolute, cos, exp"):
        expanded(function)


def test_right_values_pass() -> None:
    assert (COIN.cdf(0.5), COIN.cdf(float("inf")), PAIRS.cdf((0, 5)), PAIRS.mean()) == (HALF, 1, HALF, (HALF, 1))
    assert ex.alignment((field for field in (FIELD, FIELD)), np.zeros(2)) == 2.0
    assert [float(ex.regularised_step([FIELD], TWO, h, 0)[1]) for h in (0, 0.5)] == [2.0, 1.5]
    assert ex.remainder_bound(2, 0, 1, [1, Fraction(1, 2)]) == 0
    """One call beside each group of refusals, with its value by hand."""
    assert ct.Box([0.0, 0.0], [1.0, 2.0]).contains(np.array([0.5, 1.5]))
    assert ct.Box(0.0, 1.0).contains(np.array([0.5, 0.5]))
    assert ct.Ball([0.0], 1).contains(np.array([0.5]))
    assert ct.HalfSpace([1.0], 0.25).contains(np.array([0.5]))
    assert ct.Metric(lambda x, y: 0, np.int64(2)).event_ndim == 2
    assert float(ct.Constant(Fraction(1, 2), "proved", "")) == 0.5
    assert of_class(RightFactor).k == pytest.approx(0.5, rel=1e-12)
    assert certified(affine=lambda u: (0.5, [u]), lipschitz=lambda u: 0.5, name="mine").k == 0.5
    assert ct.certify(ct.families.BernoulliConvolution(0.5), [0.0], q=2).k == pytest.approx(0.25, rel=1e-12)
    family = QuadraticSGD(0.5, ct.families.Uniform(-1, 1))
    assert ct.backward_limit(family, [0.0], 0.1, certificate=ct.certify(family, [0.0])).error <= 0.1
    assert repr(steps(law=ct.families.Reshuffled).law) == "Reshuffled(2)"
    assert ct.find_region(steps(), [0.1], grow=True).contains(np.array([0.0]))
    assert laws.modulated_moments(chain([[0.5, 0.5], [0.5, 0.5]])).stationary_mean[0] == pytest.approx(1.0, rel=1e-12)
    for norm in (ct.lyapunov_norm([[0.5]]), ct.common_norm([[[0.5]]])[0], ct.common_norm([0.5])[0]):
        assert norm.operator_norm(np.array([[0.5]])) == pytest.approx(0.5, rel=1e-12)
    assert laws.wasserstein(COIN, laws.ExactLaw({0: 1}), np.float64(1)) == HALF
    assert laws.compare_laws(COIN, laws.push_forward(COIN, [(Fraction(1), Fraction(0))]))
    assert laws.gelbrich_distance([0.0], [[1.0]], [3.0], [[1.0]]) == pytest.approx(3.0, rel=1e-15)  # type: ignore[arg-type]
    assert laws.affine_moments(FiniteFamily([(0.5, [1.0])])).mean(1)[0] == 1.0
    assert laws.reversible([HALF, HALF], 2)
    assert laws.exact_bracket(MAPS, 5, p=1, limit=lambda law: 0).upper == 0
    np.testing.assert_array_equal(ex.word_series([FIELD], [1], [1, 2], 1), [[1, 2], [0, -1]])
    np.testing.assert_array_equal(ex.word_series([FIELD], [1], np.array([1, 2]), 1), [[1, 2], [0, -1]])
    exact = ex.word_series([ex.polynomial_field([{(1,): 2}])], [1], ex.rational_vector([1]), 1)
    assert exact.tolist() == [[1], [2]]
    np.testing.assert_array_equal(expanded(lambda z: z * np.sum(z) / 3), [[1, 2], [1, 2], [0, 0]])
    assert ex.density(()) == 1
    assert ex.quadratic_correction_sd(2, 0.5, 1) == pytest.approx(0.25 * 2**0.5, rel=1e-15)
