"""Maps that break a rule of `RandomOperator`, and every public function that takes maps."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import contraction as ct
from contraction.families import FiniteFamily
from contraction.plots import showcase

A2 = np.array([[0.5, 0.2], [0.0, 0.5]])
A3 = np.array([[0.5, 0.2, 0.0], [0.0, 0.5, 0.1], [0.1, 0.0, 0.4]])
A5 = np.diag([0.5, 0.4, 0.3, 0.2, 0.1]) + 0.1 * np.eye(5, k=1)
REMEDY = r"theta @ A\.T .*axis=-1.*batched=False"


def family(apply: Callable, d: int = 2, draw: Callable | None = None, **known: Any) -> ct.RandomOperator:
    return ct.RandomOperator((lambda rng: rng.uniform(-1, 1, d)) if draw is None else draw, apply, **known)


def exhibited(f: ct.RandomOperator, d: int) -> Any:
    return showcase.distances(showcase.Exhibit("own", lambda: (f, np.zeros(d)), 4))


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
