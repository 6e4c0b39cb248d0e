"""A draw that uses its rng and a generator of the whole program as well is refused, whatever the global seed is."""

from __future__ import annotations

import random

import numpy as np
import pytest

import contraction as ct

DRAWS = {
    "numpy": lambda rng: (np.random.choice([0.5, -0.3]), rng.uniform(-1, 1)),  # noqa: NPY002
    "random": lambda rng: (random.choice([0.5, -0.3]), rng.uniform(-1, 1)),
}


def family(draw) -> ct.RandomOperator:
    return ct.RandomOperator(draw, lambda x, u: u[0] * x + u[1], contraction=0.5, displacement=1.0)


@pytest.mark.parametrize("name", DRAWS)
def test_two_values_that_may_repeat_by_chance_are_not_enough_to_pass(name: str) -> None:
    """Two draws agree half the time; sixteen draws agree by chance once in 2^15."""
    for seed in range(20):
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        with pytest.raises(ct.NotDeterministic, match=r"draw\(rng\) must depend on rng alone"):
            ct.backward_limit(family(DRAWS[name]), [0.0], eps=1e-9, seed=1)


def test_a_global_generator_that_the_draw_seeds_from_its_rng_is_its_own() -> None:
    def draw(rng: np.random.Generator) -> tuple[float, float]:
        np.random.seed(rng.integers(2**31))  # noqa: NPY002
        return np.random.choice([0.5, -0.3]), rng.uniform(-1, 1)  # noqa: NPY002

    first, second = (ct.backward_limit(family(draw), [0.0], eps=1e-9, seed=1).value for _ in range(2))
    assert np.array_equal(first, second)
