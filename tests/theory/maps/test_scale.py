"""What must not grow: memory of the search with d², forward rows with N², draws one replica at a time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import contraction as ct
from contraction.families import AffineLaw, Reshuffled
from contraction.maps.orders import Forward


def wide(d, factor=0.5):
    return ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, d) / np.sqrt(d), lambda t, u: factor * np.sin(t) + u, contraction=0.5
    )


def test_a_search_in_high_dimension_makes_no_matrix():
    d = 20_000
    tracemalloc.start()
    try:
        ct.search_violation(wide(d), np.zeros(d), maps=2, pairs=4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200 * 8 * d < 8 * d * d / 10


@pytest.mark.control
@pytest.mark.parametrize("d", [100, 2000])
def test_one_steep_direction_is_found_without_a_matrix(d):
    """A symmetric derivative with one eigenvalue .9 in a random direction, where .6 is declared."""
    w = np.random.default_rng(3).standard_normal(d)
    w /= np.linalg.norm(w)
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, d) / d, lambda t, u: 0.5 * t + 0.4 * (t @ w)[..., None] * w + u, contraction=0.6
    )
    with pytest.raises(ct.DeclarationRefuted):
        ct.search_violation(family, np.zeros(d), maps=2, pairs=4)


def test_forward_rows_apply_each_map_once_and_are_found_in_order():
    calls = []

    def apply(x, u):
        calls.append(1)
        return np.sin(x) + u

    operators = ct.RandomOperator(lambda rng: rng.normal(), apply).sample(50)
    whole = ct.forward_iterates(operators, 0.3)
    calls.clear()
    some = ct.forward_iterates(operators, 0.3, at=[7, 0, 50, 7])
    assert len(calls) == 50
    assert np.array_equal(some, whole[[7, 0, 50, 7]])
    assert np.array_equal(ct.plain_iterates(operators, 0.3, Forward()), whole)


def draw_sized(rng, size):
    return rng.standard_normal((size, 2))


@pytest.mark.parametrize("vectorized", [True, False])
def test_many_draws_at_once(vectorized):
    apply = lambda t, u: 0.5 * np.sin(t) + u  # noqa: E731
    sized = ct.RandomOperator(draw_sized, apply, vectorized=vectorized)
    single = ct.RandomOperator(lambda rng: rng.standard_normal(2), apply, vectorized=vectorized)
    for one, other in (
        (sized.sample(6), single.sample(6)),
        (sized.sample(6, replicas=4), single.sample(6, replicas=4)),
    ):
        assert np.array_equal(ct.backward_iterates(one, [0.0, 0.0]), ct.backward_iterates(other, [0.0, 0.0]))
    assert np.array_equal(sized.sample(500).draws[7], sized.sample(1000).draws[7])
    pairs = AffineLaw(lambda rng, size: (rng.uniform(0, 1, size), rng.normal(size=(size, 3))), 3)
    alone = AffineLaw(lambda rng: (0.5, rng.normal(size=3)), 3)
    rows = ct.backward_iterates(pairs.sample(5, replicas=7), np.zeros(3))
    assert rows.shape == ct.backward_iterates(alone.sample(5, replicas=7), np.zeros(3)).shape
    assert np.array_equal(pairs.sample(5).draws[2][1], pairs.sample(9).draws[2][1])
    drawn = {"a": np.arange(3.0), "b": (np.arange(3), np.ones((3, 2)))}
    mixed = ct.RandomOperator(lambda rng, size: drawn if size == 3 else {"a": [0.0], "b": ([0], [[1.0]])}, apply)
    assert mixed.draw_block(np.random.default_rng(0), 3)[2]["b"][0] == 2


@pytest.mark.control
def test_draws_of_another_number_are_refused():
    wrong = ct.RandomOperator(lambda rng, size: rng.standard_normal(3), lambda t, u: t / 2 + u)
    with pytest.raises(ValueError, match="must give size = 1 draws along the first axis"):
        wrong.sample(2).draws[0]


def test_seeds_that_would_share_maps_are_refused():
    family = wide(2)
    for call in (
        lambda: family.sample(2, 7 + 5 * 2**32),
        lambda: ct.certify(family, np.zeros(2), seed=2**32),
        lambda: ct.coupling_from_the_past(ct.families.ConstantMaps([0.0, 1.0]), 2**32, [0.0, 1.0]),
        lambda: ct.sample_stationary(family, 0.1, 2**32, theta0=np.zeros(2)),
    ):
        with pytest.raises(ValueError, match=r"the seed must be below 2\^32"):
            call()
    assert len(family.sample(2, 2**32 - 1)) == 2


def test_words_are_counted_before_they_are_listed():
    """12! permutations are 480 million; three letters of the first epoch are 1,320 words."""
    tracemalloc.start()
    try:
        assert len(list(Reshuffled(12).words(3))) == 1320
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("maps", "start"),
    [
        ([(2.0, -1.0)] * 60, 1.0),
        ([(4.0, -3.0)] * 60 + [(0.25, 0.75)] * 60, 1.0),
        ([(8.0, -7.0)] * 5 + [(0.05, 0.95)] * 20, 1.0),
    ],
)
def test_expanding_maps_with_a_common_fixed_point_stay_there(maps, start):
    operators = ct.Operators.from_maps([lambda x, a=a, b=b: a * (x - 1) + 1 for a, b in maps], affine=maps)
    rows = ct.backward_iterates(operators, start)
    assert np.all(rows == 1)
    pair = ct.paired_iterates(operators, start)[1]
    assert np.all(pair == 1)


def test_complex_maps_are_refused():
    family = ct.RandomOperator(lambda rng: 0.5j, lambda x, u: x * u, contraction=0.5)
    for call in (lambda: ct.certify(family, 1.0), lambda: ct.backward_iterates(family.sample(3), 1.0)):
        with pytest.raises(ct.MapRefused, match="two coordinates"):
            call()
