"""Which laws of the word are reversible and ergodic, by listing words; derivatives and their floors."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.exponents.derivatives import _compare, _differences, _given, _linear, _with_floor, derivative_of
from contraction.exponents.law_of_maps import index_law, is_reversible_chain, why_not_ergodic, why_not_reversible
from contraction.families import (
    IID,
    Cyclic,
    ExchangeableMixture,
    FiniteFamily,
    MarkovModulated,
    Reshuffled,
    ShuffledOnce,
)
from contraction.maps.affine import AffineMaps
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.rounding import EPS

THIRD, HALF = F(1, 3), F(1, 2)
TURNING = [[F(0), F(1), F(0)], [F(0), F(0), F(1)], [F(1), F(0), F(0)]]
LAWS = {
    "independent": IID([F(1, 4), F(3, 4)]),
    "one letter": Cyclic(1),
    "mixture": ExchangeableMixture([[F(1), F(0)], [HALF, HALF]], [HALF, HALF]),
    "one component": ExchangeableMixture([[HALF, HALF], [HALF, HALF]], [HALF, HALF]),
    "shuffled once, 2": ShuffledOnce(2),
    "shuffled once, 3": ShuffledOnce(3),
    "reshuffled, 2": Reshuffled(2),
    "reshuffled, 3": Reshuffled(3),
    "cyclic, 2": Cyclic(2),
    "cyclic, 3": Cyclic(3),
    "turning chain": MarkovModulated(TURNING, [THIRD] * 3),
    "reversible chain": MarkovModulated([[HALF, HALF], [F(1, 4), F(3, 4)]], [THIRD, F(2, 3)]),
    "chain from elsewhere": MarkovModulated([[HALF, HALF], [F(1, 4), F(3, 4)]], [HALF, HALF]),
    "two classes": MarkovModulated([[F(1), F(0)], [F(0), F(1)]], [HALF, HALF]),
    "one class after a while": MarkovModulated([[F(0), F(1)], [F(0), F(1)]], [F(1), F(0)]),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_words_are_reversible_where_their_list_says_so(name: str, n: int) -> None:
    law = LAWS[name]
    words = law.word_law(n)
    listed = all(words.get(word[::-1], 0) == p for word, p in words.items())
    if "chain" in name or "class" in name:  # chains are judged for all n together
        longer = law.word_law(4)
        listed = n == 1 or all(longer.get(word[::-1], 0) == p for word, p in longer.items())
    assert (why_not_reversible(law, n) is None) is listed


@pytest.mark.parametrize(
    ("name", "n", "reason"),
    [
        (
            "reshuffled, 3",
            4,
            "fresh shuffles of 3 maps have the law of their reversal only for n ≤ 3 and where 3 divides n",
        ),
        ("cyclic, 3", 2, "a cyclic order of 3 maps is one fixed word, which differs from its reversal"),
        ("cyclic, 2", 2, "a cyclic order of 2 maps is one fixed word"),
        ("turning chain", 2, "is not a stationary reversible chain"),
        ("shuffled once, 3", 0, "draws one order of the maps for the whole word"),
        ("mixture", 0, "draws one component for the whole word"),
        ("two classes", 0, "has several classes of letters that it never leaves"),
    ],
)
def test_the_reason_names_the_law(name: str, n: int, reason: str) -> None:
    found = why_not_reversible(LAWS[name], n) if n else why_not_ergodic(LAWS[name])
    assert found is not None
    assert reason in found


@pytest.mark.parametrize("name", LAWS)
def test_laws_are_ergodic_where_the_word_says_nothing_of_its_law(name: str) -> None:
    """Shares of letters in long words are constants: not for a component or a class that is drawn once."""
    ergodic = name not in ("mixture", "two classes", "shuffled once, 3")
    assert (why_not_ergodic(LAWS[name]) is None) is ergodic


def test_maps_without_a_known_law() -> None:
    free = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: u * x)
    found = index_law(free)
    assert isinstance(found, IID)
    assert found.size == 1
    cyclic = Cyclic(2)
    assert index_law(FiniteFamily([(0.5, 1.0), (0.5, 0.0)], law=cyclic)) is cyclic

    class Unknown(ct.RandomOperator):
        is_iid = False

    unknown = Unknown(lambda rng: rng.uniform(), lambda x, u: u * x)
    assert index_law(unknown) is None
    for reason in (why_not_ergodic(None), why_not_reversible(None, 3)):
        assert reason is not None
        assert reason.startswith("the law of its maps is not known")


@pytest.mark.parametrize(("units", "reversible"), [(0, True), (4, True), (64, False)])
def test_detailed_balance_in_floats_is_up_to_four_units(units: int, reversible: bool) -> None:
    p = 0.25 * (1 + units * EPS)
    law = MarkovModulated([[1 - p, p], [0.25, 0.75]], [0.5, 0.5])
    assert is_reversible_chain(law) is reversible


@pytest.mark.parametrize("r", [1, 3])
def test_floors_belong_to_directions_beside_others(r: int) -> None:
    """8 d units of the longest image, for every direction if there are several; one direction has none."""
    images = np.array([[[3.0, 4.0]], [[0.0, 1.0]], [[0.6, 0.8]]])[:r]
    given, floors = _with_floor(images, 2)
    assert given is images or np.array_equal(given, images)
    assert floors.tolist() == [[8 * 2 * EPS * 5.0 if r > 1 else 0.0]] * r


@pytest.mark.parametrize("kind", ["scalar", "diagonal", "matrix"])
def test_floors_of_linear_maps_are_those_of_their_moduli(kind: str) -> None:
    A = {"scalar": np.array(-2.0), "diagonal": np.array([1.0, -3.0]), "matrix": np.array([[1.0, -2.0], [3.0, 4.0]])}[
        kind
    ]
    full = A * np.eye(2) if kind != "matrix" else A
    V = np.array([[[0.6, -0.8]], [[1.0, 0.0]]])
    images, floors = _linear(AffineMaps(A, np.zeros(2), kind), V, 2)
    np.testing.assert_allclose(images, V @ full.T, rtol=1e-15)
    np.testing.assert_allclose(floors, 16 * EPS * np.linalg.norm(np.abs(V) @ np.abs(full).T, axis=-1), rtol=1e-12)
    with pytest.raises(ValueError, match="has a map without an affine form"):
        _linear(None, V, 2)


def curved() -> ct.RandomOperator:
    return ct.RandomOperator(lambda rng: rng.uniform(1, 2), lambda x, u: u * np.sin(x), vectorized=False)


def slope(t: Any, v: Any, u: Any) -> Any:
    return u * np.cos(t) * v


def test_difference_quotients_and_their_floors() -> None:
    operators = curved().sample(2, 0, replicas=3)
    theta, V = np.array([[0.3], [1e3], [-2.0]]), np.ones((1, 3, 1))
    images, floors = _differences(operators, 1, theta, V)
    u = np.asarray(operators.draws[0])
    np.testing.assert_allclose(images[0, :, 0], u * np.cos(theta[:, 0]), atol=1e-5)
    assert np.all(
        np.abs(images[0, :, 0] - u * np.cos(theta[:, 0])) <= floors[0] + 1e-8 * np.maximum(1, theta[:, 0] ** 2)
    )
    assert floors.shape == (1, 3)
    assert np.all(floors > 0)


@pytest.mark.parametrize(
    ("jvp", "error", "message"),
    [
        (slope, None, ""),
        (lambda t, v, u: slope(t, v, u) * (1 + 5e-5), None, ""),
        (
            lambda t, v, u: slope(t, v, u) * (1 + 5e-4),
            DeclarationRefuted,
            r"jvp= is not the derivative of T_1: at theta",
        ),
        (lambda t, v, u: -slope(t, v, u), DeclarationRefuted, r"jvp= is not the derivative of T_1"),
        (lambda t, v, u: 0 * v, DeclarationRefuted, r"jvp= is not the derivative of T_1"),
        (lambda t, v, u: np.zeros(2), ValueError, r"must return shape \(1,\), got \(2,\) for map 1"),
    ],
    ids=["true", "5e-5 off", "5e-4 off", "sign", "zero", "shape"],
)
def test_a_given_derivative_is_compared_with_quotients(jvp: Callable, error: Any, message: str) -> None:
    operators, theta = curved().sample(3, 0, replicas=2), np.array([[0.3], [0.4]])
    if error is None:
        derivative, source = derivative_of(operators, theta, jvp)
        assert source == "given as jvp="
        images, floors = derivative(2, theta, np.ones((1, 2, 1)))
        np.testing.assert_allclose(images[0, :, 0], np.asarray(operators.draws[1]) * np.cos(theta[:, 0]), rtol=1e-4)
        assert floors.tolist() == [[0.0, 0.0]]
    else:
        with pytest.raises(error, match=message):
            derivative_of(operators, theta, jvp)


@pytest.mark.parametrize("replica", [0, 1])
def test_a_derivative_that_is_wrong_for_one_replica_is_refused(replica: int) -> None:
    operators, theta = curved().sample(3, 0, replicas=2), np.array([[0.3], [0.4]])
    given = _given(operators, lambda t, v, u: slope(t, v, u) * (2.0 if t[0] == theta[replica, 0] else 1.0))
    with pytest.raises(DeclarationRefuted, match=rf"at theta = array\(\[{theta[replica, 0]}\]\) in direction"):
        _compare(operators, theta, given)


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_the_first_a_middle_and_the_last_map_are_compared(wrong: int) -> None:
    operators, theta = curved().sample(3, 0, replicas=2), np.array([[0.3], [0.4]])
    bad = set(np.asarray(operators.draws[wrong - 1]).tolist())
    given = _given(operators, lambda t, v, u: slope(t, v, u) * (2.0 if float(u) in bad else 1.0))
    with pytest.raises(DeclarationRefuted, match=rf"is not the derivative of T_{wrong}: "):
        _compare(operators, theta, given)


def test_draws_that_are_no_list_of_single_draws_have_no_derivative_one_at_a_time() -> None:
    def draw(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
        return {"u": rng.uniform(1, 2, size)}

    family = ct.RandomOperator(draw, lambda x, d: d["u"][..., None] * x, vectorized=True)
    with pytest.raises(ValueError, match="jvp= takes one draw at a time"):
        derivative_of(family.sample(2, 0, replicas=2), np.ones((2, 1)), slope)


def test_quotients_of_large_numbers_are_compared_up_to_their_rounding() -> None:
    """The values 10^9 + u x are rounded to units of 10^-7, so that a quotient says little of the derivative u."""
    family = ct.RandomOperator(lambda rng: rng.uniform(0, 1), lambda x, u: 1e9 + u * x, vectorized=False)
    operators = family.sample(2, 0, replicas=2)
    derivative_of(operators, np.array([[0.5], [0.25]]), lambda t, v, u: u * v)
    small = ct.RandomOperator(lambda rng: rng.uniform(0, 1), lambda x, u: u * x, vectorized=False).sample(
        2, 0, replicas=2
    )
    with pytest.raises(DeclarationRefuted, match=r"is not the derivative of T_1"):
        derivative_of(small, np.array([[0.5], [0.25]]), lambda t, v, u: (u + 1e-3) * v)


def test_a_path_that_overflows_in_one_coordinate_is_refused() -> None:
    """The derivative stays (1, 1), while the first coordinate grows beyond all floats."""

    class Own(ct.RandomOperator):
        def jvp(self, theta: Any, directions: Any, draw: Any) -> Any:
            return directions

    own = Own(lambda rng: rng.uniform(0, 1), lambda x, u: x * np.array([1e200, 1.0]) + 1.0, vectorized=False)
    with pytest.raises(ArithmeticError, match="a forward path or its derivative is not finite at map 3"):
        ct.lyapunov_exponents(own, np.zeros(2), 5, burn_in=0, replicas=2)
