"""Results are values: frozen, compared by what they hold, hashable, copied and pickled whole, and readable as JSON."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
import math
import pickle
import pkgutil
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction import expansions, families, laws
from contraction.certificates import majorants
from contraction.maps.constants import Constant
from contraction.maps.order_convergence import order_convergence
from contraction.statements.records import Verdict
from contraction.values import Value

pytest.importorskip("flint")

QUADRATIC = families.QuadraticSGD(0.5, families.Uniform(-1, 1))
GAUSSIAN = families.QuadraticSGD(0.5)
TURNING = families.FiniteFamily([([[0.5, 0.9], [0.0, 0.5]], [0.0, 1.0])])
RATES = laws.Rates(1e-3, 1e-3)
CANTOR = families.BernoulliConvolution(Fraction(2, 3))


PAIR = families.OwnLossSteps(
    lambda t, s: t[0] ** 2 / 2 + t[1] ** 2 + s * (t[0] * t[1] / 2 - t[0]), ([1.0, -1.0],), 2, h=0.1, batches=[[0], [1]]
)


CERTIFICATES: dict[str, Callable[[], ct.ErrorBound]] = {
    "Geometric": lambda: ct.certify(QUADRATIC, 0.0),
    "Geometric from another start": lambda: ct.certify(QUADRATIC, 0.0, start=2.0),
    "GeometricMoment": lambda: ct.certify(GAUSSIAN, 0.0, moment=0.5, start=1.0),
    "GeometricBalls": lambda: ct.certify(QUADRATIC, 0.0, rigorous=True, start=0.25),
    "CommonNorm": lambda: ct.certify(TURNING, [0.0, 0.0]),
    "AfterBlocks": lambda: ct.certify(TURNING, [0.0, 0.0], q=4),
    "PMean": lambda: ct.certify(families.ExpandingOnAverage([0.25, 1.25]), 0.0, moment=1.0),
    "PMeanBlocks": lambda: ct.certify(TURNING, [0.0, 0.0], q=4, moment=2.0),
    "MeanSquareMoments": lambda: ct.certify(families.RandomAffine([0.25, 1.25], [[0.0], [1.0]]), 0.0, moment=2.0),
    "Smaller": lambda: ct.certify(families.FiniteFamily([(0.5, 0.5), (-0.25, 1.25)]), 1.0, moment=2.0),
    "DrawnTail": lambda: ct.certify(QUADRATIC.sample(5, replicas=2), 0.0, start=1.0),
    "InRegion": lambda: ct.certify(PAIR, [0.0, 0.0], region=ct.RotatedBox([0.0, 0.0], [2.5, 2.5])),
    "Estimate": lambda: ct.estimate(QUADRATIC, 0.0, maps=8),
    "AtLimit": lambda: dataclasses.replace(ct.certify(QUADRATIC, 0.0), majorant=majorants.AtLimit()),
    "WithinSeen": lambda: dataclasses.replace(ct.certify(QUADRATIC, 0.0), majorant=majorants.WithinSeen(4, 0.5)),
}


OTHERS: dict[str, Callable[[], Any]] = {
    "Constant": lambda: Constant(math.inf, "proved", "unbounded"),
    "AverageContraction": lambda: ct.average_contraction(QUADRATIC, 0.0),
    "Search": lambda: ct.search_violation(QUADRATIC, 0.0, maps=2),
    "BackwardLimit": lambda: ct.backward_limit(QUADRATIC, 0.0, 1e-3),
    "StationarySample": lambda: ct.sample_stationary(QUADRATIC, 1e-2, size=2),
    "UnbiasedExpectation": lambda: ct.unbiased_expectation(QUADRATIC, lambda x: x[..., 0], 0.0, copies=8),
    "NestedBoxes": lambda: ct.nested_boxes(QUADRATIC.sample(3), -2.0, 2.0),
    "ExactSample": lambda: ct.coupling_from_the_past(families.ConstantMaps([0.0, 1.0]), states=[0.0, 1.0], size=2),
    "OrderConvergence": lambda: order_convergence(ct.Windowed(3), 12),
    "LyapunovExponents": lambda: ct.lyapunov_exponents(QUADRATIC, 0.0, 60, replicas=3),
    "RotatedBox": lambda: ct.RotatedBox([0.0, 1.0], [1.0, 2.0]),
    "Synchronisation": lambda: ct.synchronisation(QUADRATIC, [0.0], 2, replicas=3),
    "ExactLaw": lambda: laws.exact_law(CANTOR, 3),
    "LawComparison": lambda: laws.compare_laws(laws.exact_law(CANTOR, 2), laws.exact_law(CANTOR, 3)),
    "Bracket": lambda: laws.Bracket(Fraction(1, 3), 0.5, 1.0, 3, "a", "b"),
    "ModulatedMoments": lambda: laws.modulated_moments(families.FiniteFamily([(0.5, 0.0), (0.25, 1.0)])),
    "AffineMoments": lambda: laws.affine_moments(GAUSSIAN, 0.0),
    "RandomAffineMoments": lambda: laws.RandomAffineMoments.from_maps([[0.5], [0.25]], [[0.0], [1.0]]),
    "Rates": lambda: laws.Rates(1e-3, 1e-2),
    "SuiteRates": lambda: laws.SuiteRates(tests=3),
    "CalibratedResult": lambda: laws.one_sample_test(np.linspace(0.01, 0.99, 50), lambda x: x, RATES),
    "PairedResult": lambda: laws.sign_flip_test([1.0, -2.0, 0.5]),
    "CorrectionCost": lambda: expansions.correction_cost("exact", 5, 2),
    "CorrectionReach": lambda: expansions.CorrectionReach(
        np.array([2]), np.array([0.1]), np.array([1]), np.zeros((1, 1, 1))
    ),
    "Verdict": lambda: Verdict("name", (1, 2), "upper", True, 0.0, 0.0),
}


MAKE = CERTIFICATES | OTHERS


def test_every_result_type_is_here() -> None:
    """Every subclass of `Value` that a module defines has an instance below, so none escapes the checks."""
    for info in pkgutil.walk_packages(ct.__path__, "contraction."):
        if "__main__" not in info.name and "statements.section" not in info.name:
            importlib.import_module(info.name)

    def below(cls: type) -> set[type]:
        return {cls}.union(*map(below, cls.__subclasses__()))

    shipped = {cls for cls in below(Value) if cls.__module__.startswith("contraction.")}
    classes = {cls for cls in shipped if not getattr(cls, "__abstractmethods__", None)} - {Value, ct.ErrorBound}
    shown = [make() for make in MAKE.values()]
    seen = {type(one) for one in shown} | {type(one.majorant) for one in shown if isinstance(one, ct.ErrorBound)}
    assert {cls.__name__ for cls in classes} <= {cls.__name__ for cls in seen}


def test_every_public_result_is_a_value() -> None:
    """Public dataclasses that are not orders, spaces or inputs are results."""
    inputs = {
        "Epochs",
        "PairedReversal",
        "Repeated",
        "Known",
        "Ball",
        "Box",
        "HalfSpace",
        "Simplex",
        "VectorField",
        "Backward",
        "Forward",
        "Late",
        "Reset",
        "Windowed",
        "CustomOrder",
    }
    spaces = {"Euclidean", "GridFunctions", "L1Simplex", "Metric", "SupNorm", "WeightedEuclidean", "Words"}
    for package in (ct, laws, expansions):
        for name in package.__all__:
            one = getattr(package, name)
            if isinstance(one, type) and dataclasses.is_dataclass(one) and name not in inputs | spaces:
                assert issubclass(one, Value), name
                assert one.__eq__ is Value.__eq__, f"{name} needs eq=False"


@pytest.mark.parametrize("name", list(MAKE))
def test_results_are_values(name: str) -> None:
    one, again = MAKE[name](), MAKE[name]()
    assert one == again
    assert hash(one) == hash(again)
    for made in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert made == one
        assert hash(made) == hash(one)
        assert type(made) is type(one)
        assert _frozen(made)
    assert _frozen(one)
    text = json.dumps(one.to_dict(), allow_nan=False)
    assert json.loads(text)["type"] == type(one).__name__
    assert one != text
    assert len({one, again}) == 1


def _frozen(one: Any) -> bool:
    if isinstance(one, laws.ExactLaw):
        with pytest.raises(TypeError):
            one[Fraction(0)] = Fraction(1)  # type: ignore[index]
        return True
    for field in dataclasses.fields(one):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, field.name, None)
        value = getattr(one, field.name)
        if isinstance(value, np.ndarray) and value.size:
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0
        if field.name == "constants":
            with pytest.raises(TypeError):
                value["k"] = None
    return True


@pytest.mark.parametrize("name", list(CERTIFICATES))
def test_a_copied_bound_gives_the_same_numbers(name: str) -> None:
    one = CERTIFICATES[name]()
    n = np.arange(5)
    for made in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        np.testing.assert_array_equal(made.bound(n), one.bound(n))
        assert made.formula == one.formula
        assert str(made) == str(one)
    assert one.to_dict()["majorant"]["type"] == type(one.majorant).__name__


@pytest.mark.control
@pytest.mark.parametrize("name", list(MAKE))
def test_another_number_makes_another_value(name: str) -> None:
    one = MAKE[name]()
    if isinstance(one, laws.ExactLaw):
        assert one != laws.exact_law(CANTOR, 4)
        return
    changed = 0
    for field in dataclasses.fields(one):
        value = getattr(one, field.name)
        if not field.compare or not field.init:
            continue
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            other: Any = np.array(value)
            other.flat[-1] += 0.125
        elif isinstance(value, str):
            other = value + "x"
        elif isinstance(value, bool):
            other = not value
        elif isinstance(value, int):
            other = value + 1
        elif isinstance(value, float):
            other = 2 * value + 1 if math.isfinite(value) else 0.0
        else:
            continue
        changed += 1
        different = copy.copy(one)
        object.__setattr__(different, field.name, other)
        assert different != one, field.name
    assert changed


def test_numbers_that_json_lacks_are_strings_that_float_reads() -> None:
    constant = Constant(math.inf, "proved", "unbounded")
    assert constant.to_dict() == {"type": "Constant", "value": "inf", "origin": "proved", "source": "unbounded"}
    assert float(constant.to_dict()["value"]) == math.inf
    bracket = laws.Bracket(Fraction(1, 3), 0.5, math.inf, 2, "a", "b")
    assert (bracket.to_dict()["lower"], bracket.to_dict()["p"]) == ("1/3", "inf")


def test_nan_equals_nan_and_only_that() -> None:
    nan = [
        expansions.CorrectionReach(np.array([2]), np.array([0.1]), np.array([1]), np.full((1, 1, 1), x))
        for x in (math.nan, math.nan, 0.0)
    ]
    assert nan[0] == nan[1]
    assert hash(nan[0]) == hash(nan[1])
    assert nan[0] != nan[2]


@pytest.mark.parametrize(
    "error",
    [
        ct.NotCertified("k ≥ 1", ("a larger q",), ("sup norm 2",)),
        ct.NotSettled("far"),
        ct.NotDeterministic("T_1 changes"),
        ct.DeclarationRefuted("k"),
        ct.MapRefused("shape"),
        expansions.MissingDerivative("jvp"),
    ],
)
def test_errors_are_pickled_with_their_parts(error: ct.TrainingInReverseError) -> None:
    for made in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(made) is type(error)
        assert str(made) == str(error)
        assert vars(made) == vars(error)
