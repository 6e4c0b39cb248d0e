"""The probe before any result: an ordinary mistake in a map is refused with its remedy, by every entry, or harmless."""

from __future__ import annotations

import doctest
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.families import FiniteFamily
from contraction.maps import probe as probe_module
from contraction.maps.probe import probe, probe_family
from contraction.plots import rates
from tests.theory.family_examples import EXAMPLES, NAMES

A2 = np.array([[0.5, 0.2], [0.0, 0.5]])
A3 = np.array([[0.5, 0.2, 0.0], [0.0, 0.5, 0.1], [0.1, 0.0, 0.4]])
A5 = np.diag([0.5, 0.4, 0.3, 0.2, 0.1]) + 0.1 * np.eye(5, k=1)
REMEDY = r"theta @ A\.T .*axis=-1.*batched=False"


def family(apply: Callable, d: int = 2, draw: Callable | None = None, **known: Any) -> ct.RandomOperator:
    return ct.RandomOperator((lambda rng: rng.uniform(-1, 1, d)) if draw is None else draw, apply, **known)


# --- every entry that takes maps ------------------------------------------------------------------------------------


def exhibited(f: ct.RandomOperator, d: int) -> Any:
    return rates.distances(rates.Exhibit("own", lambda: (f, np.zeros(d)), 4))


ENTRIES: dict[str, Callable[[ct.RandomOperator, int], Any]] = {
    "forward_iterates": lambda f, d: ct.forward_iterates(f.sample(7), np.zeros(d)),
    "backward_iterates": lambda f, d: ct.backward_iterates(f.sample(7), np.zeros(d)),
    "iterates": lambda f, d: ct.iterates(f.sample(7), np.zeros(d), ct.Windowed(3)),
    "plain_iterates": lambda f, d: ct.plain_iterates(f.sample(7), np.zeros(d), ct.Backward()),
    "paired_iterates": lambda f, d: ct.paired_iterates(f.sample(7), np.zeros(d)),
    "iterates, replicas": lambda f, d: ct.backward_iterates(f.sample(7, replicas=3), np.zeros(d)),
    "iterates, many replicas": lambda f, d: ct.backward_iterates(f.sample(7, replicas=20), np.zeros(d)),
    "apply_backward": lambda f, d: ct.apply_backward(f.sample(7), np.zeros(d)),
    "coupling_distance": lambda f, d: ct.coupling_distance(f.sample(7), np.zeros(d), np.ones(d)),
    "nested_boxes": lambda f, d: ct.nested_boxes(f.sample(7), -4 * np.ones(d), 4 * np.ones(d)),
    "certify": lambda f, d: ct.certify(f, np.zeros(d)),
    "certify, drawn": lambda f, d: ct.certify(f.sample(7), np.zeros(d)),
    "estimate": lambda f, d: ct.estimate(f, np.zeros(d)),
    "search_violation": lambda f, d: ct.search_violation(f, np.zeros(d)),
    "average_contraction": lambda f, d: ct.average_contraction(f, np.zeros(d)),
    "backward_limit": lambda f, d: ct.backward_limit(f, np.zeros(d), 1e-3),
    "backward_limit, start": lambda f, d: ct.backward_limit(f, np.zeros(d), 1e-3, start=np.ones(d)),
    "sample_stationary": lambda f, d: ct.sample_stationary(f, 1e-3, theta0=np.zeros(d)),
    "unbiased_expectation": lambda f, d: ct.unbiased_expectation(f, lambda x: x[..., 0], np.zeros(d), rate=0.5),
    "coupling_from_the_past": lambda f, d: ct.coupling_from_the_past(f, states=[0 * np.ones(d), np.arange(1.0, d + 1)]),
    "plots": exhibited,
}

# --- mistakes in apply: name -> (family, d, error, message) ---------------------------------------------------------


def project(z):
    return z / max(1.0, np.linalg.norm(z))


def minus(theta, u):
    theta -= 0.1 * (theta - u)
    return theta


def written(theta, u):
    np.add(0.5 * theta, u, out=theta)
    return theta


def sorts(theta, u):
    theta.sort()
    return 0.5 * theta + u


def unlocks(theta, u):
    """The caller's memory behind the read-only view, as a library that ignores the flag would write to it."""
    base = theta.base if theta.base is not None else theta
    base *= 0.5
    return base + u


def buffered():
    buffer = np.empty(2)

    def apply(theta, u):
        if theta.shape != buffer.shape:
            return 0.5 * theta + u
        buffer[:] = 0.5 * theta + u
        return buffer

    return apply


def noisy():
    rng = np.random.default_rng(0)
    return lambda theta, u: 0.5 * theta + rng.normal(size=np.shape(theta))


def momentum():
    last: list = [0.0]

    def apply(theta, u):
        velocity = 0.5 * np.mean(last[0]) + u
        last[0] = theta
        return 0.5 * theta + velocity

    return apply


def alternating():
    calls = itertools.count()
    return lambda theta, u: 0.5 * theta + u * (-1) ** (next(calls) % 2)


def own_normal():
    rng = np.random.default_rng(0)
    return lambda _: rng.normal(size=2)


def own_coin():
    rng = np.random.default_rng(0)
    return lambda _: int(rng.integers(2))


def own_functions():
    rng = np.random.default_rng(0)

    def draw(_):
        c = rng.uniform()
        return lambda t: 0.5 * t + c

    return draw


def counter():
    count = itertools.count()
    return lambda _: {"i": next(count) % 3}


MISTAKES: dict[str, tuple[Callable[[], ct.RandomOperator], int, type[Exception], str]] = {
    # W1, case 5: written for one vector
    "A @ t, d = 2": (lambda: family(lambda t, u: A2 @ t + u), 2, ct.MapRefused, REMEDY),
    "A @ t, d = 3": (lambda: family(lambda t, u: A3 @ t + u, 3), 3, ct.MapRefused, REMEDY),
    "A @ t, d = 5": (lambda: family(lambda t, u: A5 @ t + u, 5), 5, ct.MapRefused, "stack|batch.*" + REMEDY),
    "(A @ t.T).T": (lambda: family(lambda t, u: (A3 @ t.T).T + u, 3), 3, ct.MapRefused, REMEDY),
    "solve": (lambda: family(lambda t, u: np.linalg.solve(np.eye(2) * 2 + A2, t) + u), 2, ct.MapRefused, REMEDY),
    "t.sum()": (lambda: family(lambda t, u: 0.1 * t + 0.1 * t.sum() + u), 2, ct.MapRefused, REMEDY),
    "t.mean(0)": (lambda: family(lambda t, u: 0.1 * t + 0.1 * t.mean(0) + u), 2, ct.MapRefused, REMEDY),
    "norm": (lambda: family(lambda t, u: project(0.8 * t + 0.5 * u), 3), 3, ct.MapRefused, REMEDY),
    "t[0]": (lambda: family(lambda t, u: 0.2 * t + 0.2 * t[0] + u), 2, ct.MapRefused, REMEDY),
    "roll": (lambda: family(lambda t, u: 0.5 * np.roll(t, 1) + u), 2, ct.MapRefused, REMEDY),
    "flip": (lambda: family(lambda t, u: 0.5 * t[::-1] + u), 2, ct.MapRefused, REMEDY),
    "a row of data": (
        lambda: family(lambda t, i: t - 0.1 * (A3[i] * np.sum(A3[i] * t)), 3, lambda rng: int(rng.integers(3))),
        3,
        ct.MapRefused,
        REMEDY,
    ),
    "functions of a finite family": (
        lambda: FiniteFamily([lambda t: A2 @ t, lambda t: A2 @ t + 1.0], dim=2),
        2,
        ct.MapRefused,
        r"theta @ A\.T",
    ),
    # W3, case 2: in place, aliases
    "t -= g": (lambda: family(minus), 2, ct.MapRefused, r"leave its argument unchanged.*theta\.copy\(\)"),
    "out=t": (lambda: family(written), 2, ct.MapRefused, "leave its argument unchanged"),
    "t.sort()": (lambda: family(sorts), 2, ct.MapRefused, "leave its argument unchanged"),
    "memory behind the view": (lambda: family(unlocks), 2, ct.MapRefused, "leave its argument unchanged"),
    "one buffer": (lambda: family(buffered()), 2, ct.MapRefused, "must return a new array.*not a buffer"),
    # not a function of the point
    "noise in apply": (lambda: family(noisy()), 2, ct.NotDeterministic, r"move the randomness into draw\(rng\)"),
    "momentum": (lambda: family(momentum()), 2, ct.NotDeterministic, "keep no state"),
    "every second call": (lambda: family(alternating()), 2, ct.NotDeterministic, "two values at one point"),
    # W8, case 12: draws that are no function of the generator
    "np.random in draw": (
        lambda: family(lambda t, u: 0.5 * t + u, 2, lambda rng: np.random.uniform(-1, 1, 2)),  # noqa: NPY002
        2,
        ct.NotDeterministic,
        r"draw\(rng\) must depend on rng alone.*no np\.random",
    ),
    "a generator of one's own": (
        lambda: family(lambda t, u: 0.5 * t + u, 2, own_normal()),
        2,
        ct.NotDeterministic,
        r"must depend on rng alone",
    ),
    "a coin of one's own": (
        lambda: family(lambda t, u: 0.5 * t + u, 2, own_coin()),
        2,
        ct.NotDeterministic,
        r"must depend on rng alone",
    ),
    "a counter in draw": (
        lambda: family(lambda t, u: 0.5 * t + u["i"], 2, counter()),
        2,
        ct.NotDeterministic,
        r"must depend on rng alone.*no counter",
    ),
    "functions from a generator of one's own": (
        lambda: family(lambda t, f: f(t), 2, own_functions()),
        2,
        ct.NotDeterministic,
        r"must depend on rng alone",
    ),
    # W7: a wrong affine form
    "A transposed": (
        lambda: family(lambda t, u: t @ A2.T + u, affine=lambda u: (A2.T, u)),
        2,
        ct.DeclarationRefuted,
        r"affine\(draw\) is not the map.*Correct affine=",
    ),
    "b forgotten": (
        lambda: family(lambda t, u: 0.5 * t + u, affine=lambda u: (0.5, 0 * u)),
        2,
        ct.DeclarationRefuted,
        r"affine\(draw\) is not the map",
    ),
    "A of another size": (
        lambda: family(lambda t, u: 0.5 * t + u, affine=lambda u: (np.eye(3) / 2, u)),
        2,
        ct.DeclarationRefuted,
        r"affine\(draw\) is not the map",
    ),
    # wrong shapes and kinds
    "a coordinate lost": (lambda: family(lambda t, u: t[..., :1]), 2, ct.MapRefused, "keep the shape of a point"),
    "a number": (lambda: family(lambda t, u: np.sum(t)), 2, ct.MapRefused, "keep the shape of a point"),
    "nothing returned": (lambda: family(lambda t, u: None), 2, ct.MapRefused, "returned None; end apply with return"),
    "complex": (lambda: family(lambda t, u: 0.5j * t + u), 2, ct.MapRefused, "real numbers.*as two coordinates"),
    "strings": (lambda: family(lambda t, u: np.array(["a", "b"])), 2, ct.MapRefused, "real numbers"),
    "another dimension": (
        lambda: family(lambda t, u: t + np.ones(3)),
        2,
        ct.MapRefused,
        r"cannot be applied to points of shape \(",
    ),
    "rows only": (lambda: family(lambda t, u: 0.5 * t[:, :] + u), 2, ct.MapRefused, "IndexError"),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_entry_refuses_every_mistake(mistake, entry):
    make, d, error, message = MISTAKES[mistake]
    if mistake == "a number" and entry == "search_violation":
        error = ValueError  # its own words for the same rule
    if mistake == "a coordinate lost" and entry == "search_violation":
        error = ValueError
    with pytest.raises(error, match=f"(?s){message}"):
        ENTRIES[entry](make(), d)


# --- what is right stays right --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("replicas", [None, 3, 12])
def test_every_shipped_family_passes(name, replicas):
    shipped, start = EXAMPLES[name]
    for n, seed in ((1, 0), (2, 1), (9, 2)):
        probe(shipped.sample(n, seed, replicas=replicas), start)
        probe(shipped.sample(n, seed, replicas=replicas), np.stack([start, start]) if replicas is None else start)
    probe_family(shipped, start)


def test_the_starts_of_the_caller_are_left_alone():
    start = np.zeros(3)
    for entry in ("forward_iterates", "backward_iterates", "apply_backward"):
        with pytest.raises(ct.MapRefused, match="leave its argument"):
            getattr(ct, entry)(family(minus, 3).sample(30), start)
    with pytest.raises(ct.MapRefused, match="T_1 writes into theta"):
        family(minus, 3).sample(3)[0](start)
    np.testing.assert_array_equal(start, np.zeros(3))
    assert start.flags.writeable


def test_a_map_in_place_that_was_not_probed_is_refused_as_well():
    """Seven maps, of which the third and the fifth write into their argument: neither is first, middle or last."""
    maps = [(lambda t: 0.5 * t + 1) if i not in (2, 4) else (lambda t: np.multiply(t, 0.5, out=t)) for i in range(7)]
    start = np.ones(2)
    for call in (ct.forward_iterates, ct.backward_iterates, ct.apply_backward):
        with pytest.raises(ct.MapRefused, match=r"T_[35] writes into theta"):
            call(ct.Operators.from_maps(maps), start)
    np.testing.assert_array_equal(start, np.ones(2))


def test_a_map_in_place_far_away_only_is_refused():
    def clipped(theta, u):
        image = theta
        if np.max(np.abs(theta)) > 5:
            image *= 0.5
        return 0.5 * image + u

    with pytest.raises(ct.MapRefused, match="leave its argument"):
        ct.backward_iterates(family(clipped).sample(4), np.zeros(2))


@pytest.mark.parametrize("wrong", [1, 4, 7])
def test_the_first_a_middle_and_the_last_map_are_tried(wrong):
    maps = [(lambda t: A2 @ t) if i == wrong else (lambda t: t @ A2.T) for i in range(1, 8)]
    with pytest.raises(ct.MapRefused, match=f"T_{wrong} sends theta.*"):
        ct.backward_iterates(ct.Operators.from_maps(maps), np.zeros(2))


def test_a_result_is_an_array_of_its_own():
    """The identity returns its argument: neither the caller's start nor two results share memory."""
    start, same = np.zeros(2), ct.Operators.from_maps([lambda t: t] * 3)
    for value in (ct.apply_backward(same, start), ct.apply_backward(same, start, n=0)):
        assert value.flags.writeable
        assert not np.shares_memory(value, start)


@pytest.mark.parametrize(
    ("one", "many", "d"),
    [
        (lambda t, u: A2 @ t + u, lambda t, u: t @ A2.T + u, 2),
        (lambda t, u: A3 @ t + u, lambda t, u: t @ A3.T + u, 3),
        (
            lambda t, u: project(0.8 * t + 0.5 * u),
            lambda t, u: (z := 0.8 * t + 0.5 * u) / np.maximum(1.0, np.linalg.norm(z, axis=-1, keepdims=True)),
            3,
        ),
        (lambda t, u: 0.3 * t + 0.1 * t.sum() + u, lambda t, u: 0.3 * t + 0.1 * t.sum(-1, keepdims=True) + u, 3),
    ],
    ids=["A @ t, 2", "A @ t, 3", "projection", "sum"],
)
def test_an_apply_for_one_vector_works_with_batched_false(one, many, d):
    """Every entry gives what the map written for batches gives, with as many starts as maps and coordinates."""
    looped, plain = family(one, d, batched=False), family(many, d)
    starts = np.arange(d * d).reshape(d, d) / 3.0
    for replicas in (None, d):
        a, b = looped.sample(d, 1, replicas=replicas), plain.sample(d, 1, replicas=replicas)
        for order in (ct.Forward(), ct.Backward(), ct.Windowed(2)):
            got, expected = ct.iterates(a, starts, order), ct.iterates(b, starts, order)
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
        for x, y in zip(ct.coupling_distance(a, starts, 0.0), ct.coupling_distance(b, starts, 0.0), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)
    a, b = (ct.backward_limit(f, np.zeros(d), 1e-9).value for f in (looped, plain))
    np.testing.assert_allclose(a, b, atol=1e-8)
    functions = [lambda t, u=u: one(t, u) for u in np.eye(d)]
    expected = np.stack([ct.backward_iterates(ct.Operators.from_maps(functions, batched=False), x) for x in starts])
    got = ct.backward_iterates(ct.Operators.from_maps(functions, batched=False), starts)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    finite, batches = FiniteFamily(functions, dim=d, batched=False), [lambda t, u=u: many(t, u) for u in np.eye(d)]
    for replicas in (None, d):
        rows = [ct.backward_iterates(f.sample(d, replicas=replicas), starts) for f in (finite, FiniteFamily(batches))]
        np.testing.assert_allclose(*rows, rtol=1e-12, atol=1e-12)


def test_an_apply_for_one_vector_is_refused_without_batched_false():
    """As many points as coordinates: two points of R^2 are mixed without an error."""
    with pytest.raises(ct.MapRefused, match=REMEDY):
        ct.apply_backward(family(lambda t, u: A2 @ t + u).sample(4), np.eye(2))


def test_one_vector_and_stacked_draws_exclude_each_other():
    with pytest.raises(ValueError, match="choose one"):
        family(lambda t, u: t, vectorized=True, batched=False)


def test_maps_of_a_domain_pass():
    """Maps that fail, or mean nothing, outside the set they are for: only points that they reach are tried then."""

    def gauss(theta, a):
        if np.any(theta < 0):
            raise ValueError("a continued fraction is at least 0")
        return 1 / (a + theta)

    fractions = family(gauss, 1, lambda rng: int(rng.integers(1, 5)))
    assert 0 < ct.backward_limit(fractions, 0.5, 1e-9).value[0] < 1
    roots = family(lambda t, u: np.sqrt(t) / 2 + u, 1, lambda rng: rng.uniform(0, 1, 1))
    assert np.isfinite(ct.backward_iterates(roots.sample(9), 1.0)).all()
    table = np.array([[0, 0, 1], [1, 2, 2]])
    chain = family(lambda s, u: table[u][s.astype(int)], 1, lambda rng: int(rng.integers(2)))
    assert ct.coupling_from_the_past(chain, states=np.arange(3)).value[0] in (0, 1, 2)


def test_maps_that_jump_pass():
    """Sign steps: a coordinate within rounding of the jump may fall on either side in another batch."""
    B = np.array([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [0.7, 0.1, 0.2]])
    sign = family(lambda t, u: t - 0.1 * np.sign(t @ B.T - B.sum(1)) + 0 * u, 3)
    for start in (np.zeros(3), np.ones(3), np.full(3, 0.1)):
        assert np.isfinite(ct.backward_iterates(sign.sample(6), start)).all()


def test_a_value_within_rounding_of_a_jump_passes():
    """A batch rounds the other way at 0, where the floor jumps; nowhere else is there a difference."""
    floor = family(lambda t, u: np.floor(t - (1e-18 if t.ndim > 1 else 0.0)) / 2 + 0 * u)
    assert np.isfinite(ct.backward_iterates(floor.sample(5), np.zeros(2))).all()


def test_draws_that_cannot_be_compared_pass():
    """Closures and constant draws."""

    def shift(rng):
        c = rng.uniform()
        return lambda t: 0.5 * t + c

    closures = family(lambda t, f: f(t), 2, shift)
    assert ct.backward_iterates(closures.sample(5), np.zeros(2)).shape == (6, 2)
    assert ct.backward_iterates(family(lambda t, u: t / 2, 2, lambda rng: None).sample(5), np.ones(2))[-1, 0] == 2.0**-5


# --- the metric -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "metric",
    [
        lambda x, y: np.linalg.norm(x - y),
        lambda x, y: np.abs(x - y),
        lambda x, y: abs(x[0] - y[0]) + abs(x[1] - y[1]),
        lambda x, y: np.sqrt(np.dot(x - y, x - y)),
        lambda x, y: float(np.dot(x - y, x - y)) ** 0.5,
        lambda x, y: np.abs(x - y).max(-1) + np.abs(x - y).mean(),
    ],
    ids=["norm", "no norm", "coordinates", "dot", "float", "mean"],
)
def test_a_metric_for_one_pair_is_refused(metric):
    own = ct.RandomOperator(lambda rng: rng.uniform(-1, 1, 3), lambda t, u: 0.5 * t + u, space=metric)
    for call in (
        lambda: ct.certify(own.sample(3), np.zeros(3)),
        lambda: ct.backward_limit(own, np.zeros(3), 1e-3),
        lambda: ct.coupling_distance(own.sample(3), np.zeros(3), np.ones(3)),
    ):
        with pytest.raises(ct.MapRefused, match=r"distance\(x, y\) must .*Write axis=-1"):
            call()
    right = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 3), lambda t, u: 0.5 * t + u, space=lambda x, y: np.abs(x - y).sum(-1)
    )
    assert ct.backward_limit(right, np.zeros(3), 1e-3).value.shape == (3,)


# --- replicas -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replicas", [2, 3, 20])
def test_stacked_draws_are_tried_one_replica_at_a_time(replicas):
    """A number a replica, of shape (R,), against points (R, d): an error, or mixed where R = d."""
    number = family(lambda t, u: 0.5 * t + u, 2, lambda rng: rng.uniform(-1, 1), vectorized=True)
    with pytest.raises(ct.MapRefused, match=r"replicas|points of shape"):
        ct.backward_iterates(number.sample(5, replicas=replicas), np.zeros(2))
    right = family(lambda t, u: 0.5 * t + np.asarray(u)[..., None], 2, lambda rng: rng.uniform(-1, 1), vectorized=True)
    assert ct.backward_iterates(right.sample(5, replicas=replicas), np.zeros(2)).shape == (replicas, 6, 2)


def test_replicas_that_mix_are_refused():
    centred = family(lambda t, u: 0.5 * t + u - np.mean(u, axis=0), 2, vectorized=True)
    with pytest.raises(ct.MapRefused, match=r"replicas must not mix.*omit vectorized=True"):
        ct.backward_iterates(centred.sample(5, replicas=4), np.zeros(2))


# --- declared constants of drawn operators (W6) ---------------------------------------------------------------------


def sine(**known):
    return family(lambda t, u: 0.5 * np.sin(t) + u, 2, **known)


@pytest.mark.parametrize(
    "known",
    [{"lipschitz": lambda u: 0.1}, {"contraction": 0.1}, {"contraction": 0.5, "displacement": 0.01}],
    ids=["lipschitz", "contraction", "displacement"],
)
def test_declared_constants_of_drawn_operators_are_searched(known):
    with pytest.raises(ct.DeclarationRefuted, match="violated"):
        ct.certify(sine(**known).sample(10), np.zeros(2))
    assert ct.certify(sine(lipschitz=lambda u: 0.5).sample(10), np.zeros(2)).k == pytest.approx(0.5)


def test_declared_constants_are_searched_wherever_they_are_used():
    wrong = sine(lipschitz=lambda u: 0.1, contraction=0.5, displacement=2.0)
    for call in (
        lambda: ct.average_contraction(wrong, np.zeros(2)),
        lambda: ct.certify(wrong, np.zeros(2)),
        lambda: ct.backward_limit(wrong, np.zeros(2), 1e-6),
        lambda: ct.unbiased_expectation(wrong, lambda x: x[..., 0], np.zeros(2)),
    ):
        with pytest.raises(ct.DeclarationRefuted, match=r"lipschitz\(draw\) = 0.1 is violated"):
            call()


# --- cost -----------------------------------------------------------------------------------------------------------


def counting():
    calls = itertools.count()
    counted = family(lambda t, u: (next(calls), 0.5 * t + u)[1])
    return counted, lambda: next(calls)


def test_a_probe_takes_at_most_ten_applications_a_map_and_the_second_none():
    counted, calls = counting()
    operators = counted.sample(100)
    probe(operators, np.zeros(2))
    first = calls()
    assert first <= 3 * 10
    probe(operators, np.ones(2))
    assert calls() == first + 1
    probe_family(counted, np.zeros(2))
    used = calls()
    probe_family(counted, np.zeros(2), seed=5)
    assert calls() == used + 1


def test_what_passed_is_forgotten_with_the_object():
    before = len(probe_module._passed)
    for seed in range(5):
        probe(sine().sample(3, seed), np.zeros(2))
    assert len(probe_module._passed) == before


def test_another_shape_or_type_of_point_is_tried_again():
    shrink = family(lambda t, u: t / 2 if t.dtype == np.float32 else t / max(1.0, float(np.linalg.norm(t))))
    operators = shrink.sample(3)
    ct.backward_iterates(operators, np.zeros(2, dtype=np.float32))
    with pytest.raises(ct.MapRefused, match="every point independently"):
        ct.backward_iterates(operators, np.zeros(2))


# --- what the docstrings show ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module", [probe_module, ct.RandomOperator, ct.apply_backward], ids=["probe", "operators", "limits"]
)
def test_the_examples_of_the_docstrings_run(module):
    shown = inspect.getmodule(module)
    assert shown is not None
    result = doctest.testmod(shown)
    assert result.attempted >= 3
    assert result.failed == 0


def test_large_points_are_tried_in_batches_as_well():
    """5,000 numbers: a map that adds a mean over the batch is refused, and one that keeps its points apart is not."""
    start = np.zeros(5000)

    def maps(apply):
        return ct.RandomOperator(lambda rng: rng.uniform(-1, 1), apply).sample(2)

    assert ct.backward_iterates(maps(lambda theta, u: 0.5 * theta + u), start).shape == (3, 5000)
    with pytest.raises(ct.MapRefused, match="T_1"):
        ct.backward_iterates(maps(lambda theta, u: 0.5 * theta + u + 0.1 * np.mean(theta)), start)
