"""Many paths at once under the rule of `contraction.limits.settled`, and how many of its answers are false.

``python -m tests.theory.limits.settling_paths`` prints the table of ``docs/certified.md``: 200 seeds a family, at the
default error rates. The rule and its lengths are those that `backward_limit` uses; the maps are written for all paths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contraction.limits.settled import Settling, judged, lengths

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray]


class Maps(NamedTuple):
    """``step(theta, draw(rng, shape))``, elementwise, from ``theta0``; ``largest`` horizon, a power of two."""

    draw: Draw
    step: Callable[[NDArray, NDArray], NDArray]
    theta0: float | complex
    eps: float
    largest: int
    settles: bool


class Answers(NamedTuple):
    """Of each path: the horizon at which it settled (0: it did not), its value there, and T_1 … T_N of a far N."""

    n: NDArray
    value: NDArray
    limit: NDArray

    def false(self, eps: float) -> int:
        return int(np.sum((self.n > 0) & ~(np.abs(self.value - self.limit) <= eps)))


def lazy(stay: float) -> Maps:
    """The identity with probability ``stay``, otherwise theta/2 - 1/2 or theta/2 + 1/2."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        return np.where(rng.random(shape) < stay, 0.0, rng.choice([-0.5, 0.5], shape))

    return Maps(draw, lambda t, u: np.where(u == 0, t, t / 2 + u), 0.0, 1e-6, 4096, True)


def queue(low: float, high: float, eps: float) -> Maps:
    """Lindley's waiting time max(w + xi, 0): the backward limit from 0 is Loynes' supremum of sums of xi."""
    return Maps(
        lambda rng, shape: rng.uniform(low, high, shape), lambda t, u: np.maximum(t + u, 0), 0.0, eps, 4096, True
    )


def rotation(turns: float) -> Maps:
    factor = np.exp(2j * np.pi * turns)
    return Maps(nothing, lambda t, u: t * factor, 1.0 + 0j, 1e-3, 256, False)


def nothing(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
    return np.zeros(shape)


def sign_sgd(h: float, sd: float) -> Maps:
    return Maps(
        lambda rng, shape: sd * rng.standard_normal(shape), lambda t, u: t - h * np.sign(t - u), 0.0, 1e-3, 256, False
    )


FAMILIES: dict[str, Maps] = {
    "sign-SGD, h = 0.1, noise 0.05": sign_sgd(0.1, 0.05),
    "sign-SGD, h = 1, noise 1": sign_sgd(1.0, 1.0),
    "T = −x": Maps(nothing, lambda t, u: -t, 1.0, 1e-3, 256, False),
    "rotation by 90°": rotation(1 / 4),
    "rotation by 120°": rotation(1 / 3),
    "rotation by 1 rad": rotation(1 / (2 * np.pi)),
    "a chain of period 5": Maps(nothing, lambda t, u: (t + 1) % 5, 0.0, 0.5, 256, False),
    "a chain of period 17": Maps(nothing, lambda t, u: (t + 1) % 17, 0.0, 0.5, 256, False),
    "lazy maps, 0.9": lazy(0.9),
    "lazy maps, 0.96": lazy(0.96),
    "lazy maps, 0.99": lazy(0.99),
    "queue, xi in [−1.2, 0.8]": queue(-1.2, 0.8, 1e-9),
    "queue, xi in [−1.05, 0.95]": queue(-1.05, 0.95, 1e-6),
}


def answers(
    maps: Maps,
    paths: int,
    seed: int,
    alpha: float = 0.01,
    delta: float = 0.05,
    chosen: Callable[[int], tuple[int, ...]] = lengths,
    fresh: int | None = None,
) -> Answers:
    """Double the horizon of every path as `backward_limit` does.

    ``chosen`` and ``fresh`` replace the rule's lengths and its number of fresh starts: for wrong rules.
    """
    rng = np.random.default_rng(seed)
    T = maps.draw(rng, (maps.largest, paths))
    rules = [Settling(maps.eps, alpha, delta) for _ in range(paths)]
    at, value = np.zeros(paths, dtype=int), np.full(paths, np.nan, dtype=np.asarray(maps.theta0).dtype)
    n, going = 1, np.arange(paths)
    while n <= maps.largest and len(going):
        before, after, _ = _ends(maps, T[:n, going], 1, rng, chosen(n))
        agree = np.array([judged(b, a, maps.eps) == "agree" for b, a in zip(before, after, strict=True)])
        for path in going[~agree]:
            rules[path].agreeing = 0
        if len(tested := going[agree]):
            count = max(rules[path].starts for path in tested) if fresh is None else fresh
            before, after, here = _ends(maps, T[:n, tested], count, rng, chosen(n))
            for path, b, a, end in zip(tested, before, after, here, strict=True):
                if rules[path].after(b, a):
                    at[path], value[path] = n, end
        going, n = going[at[going] == 0], 2 * n
    limit = np.full(paths, maps.theta0)
    for u in maps.draw(rng, (4 * maps.largest, paths)):
        limit = maps.step(limit, u)
    for u in T[::-1]:
        limit = maps.step(limit, u)
    return Answers(at, value, limit)


def _ends(
    maps: Maps, T: NDArray, count: int, rng: np.random.Generator, of_lengths: tuple[int, ...]
) -> tuple[NDArray, NDArray, NDArray]:
    """d(theta0, X) and d(T_1 … T_n theta0, T_1 … T_n X), shape (paths, starts), and T_1 … T_n theta0."""
    starts = [np.full((T.shape[1], 1), maps.theta0)]
    for m in of_lengths:
        x = np.full((T.shape[1], count), maps.theta0)
        for _ in range(m):
            x = maps.step(x, maps.draw(rng, x.shape))
        starts.append(x)
    x = np.concatenate(starts, axis=1)
    y = x
    for u in T[::-1]:
        y = maps.step(y, u[:, None])
    return np.abs(x[:, 1:] - x[:, :1]), np.abs(y[:, 1:] - y[:, :1]), y[:, 0]


def main() -> None:
    print("| family | settled of 200 | false | largest n |\n|---|---|---|---|")
    for name, maps in FAMILIES.items():
        found = answers(maps, 200, seed=1)
        print(f"| {name} | {np.sum(found.n > 0)} | {found.false(maps.eps)} | {found.n.max()} |", flush=True)


if __name__ == "__main__":
    main()
