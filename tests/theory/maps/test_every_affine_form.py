"""Affine maps of every kind, alone, common and per replica, against matrices; their moments against all maps."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from contraction.maps import affine
from contraction.maps.affine import GROWTH, AffineMaps, as_matrix, linear
from contraction.maps.second_moments import SecondMoments

KINDS = ("scalar", "diagonal", "matrix")
D, N, R = 3, 5, 2


def drawn(kind: str, lead: tuple[int, ...], common: bool, seed: int = 0, scale: float = 1.0) -> AffineMaps:
    rng = np.random.default_rng([seed, KINDS.index(kind), len(lead)])
    shape = {"scalar": (), "diagonal": (D,), "matrix": (D, D)}[kind]
    A = scale * rng.uniform(-1, 1, shape if common else (*lead, *shape))
    return AffineMaps(A, rng.uniform(-1, 1, (*lead, D)), kind, common)


def matrix(maps: AffineMaps, *at: int) -> np.ndarray:
    """The linear part of one map, written out."""
    A = maps.A if maps.common else maps.A[at]
    full = np.zeros((D, D))
    for i, j in itertools.product(range(D), repeat=2):
        full[i, j] = A[i, j] if maps.kind == "matrix" else (i == j) * (A if maps.kind == "scalar" else A[i])
    return full


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("common", [False, True])
@pytest.mark.parametrize("replicas", [None, R])
@pytest.mark.parametrize("batch", [(), (4,)])
def test_iterates_of_affine_maps_are_products_of_matrices(kind, common, replicas, batch):
    """Iterate n backward is T_1 ∘ … ∘ T_n, forward T_n ∘ … ∘ T_1, for each replica and each start of a batch."""
    lead = (N,) if replicas is None else (N, replicas)
    maps = drawn(kind, lead, common)
    theta0 = np.random.default_rng(5).uniform(-1, 1, (*batch, *lead[1:], D))
    backward, forward = affine.backward_affine(maps, theta0), affine.forward_affine(maps, theta0)
    assert backward is not None
    assert backward.shape == forward.shape == (N + 1, *theta0.shape)
    for at in itertools.product(*(range(k) for k in theta0.shape[:-1])):
        replica = at[len(batch) :]
        forms = [(matrix(maps, i, *replica), maps.b[(i, *replica)]) for i in range(N)]
        for n in range(N + 1):
            x = y = theta0[at]
            for A, b in reversed(forms[:n]):
                x = A @ x + b
            for A, b in forms[:n]:
                y = A @ y + b
            assert backward[(n, *at)] == pytest.approx(x, rel=1e-12, abs=1e-13)
            assert forward[(n, *at)] == pytest.approx(y, rel=1e-12, abs=1e-13)
    assert np.array_equal(backward[0], theta0)
    assert np.array_equal(forward[0], theta0)


def test_a_common_symmetric_matrix_takes_the_same_path():
    maps = drawn("matrix", (N,), common=True)
    symmetric = maps._replace(A=(maps.A + maps.A.T) / 2)
    assert affine.is_symmetric(symmetric.A)
    assert not affine.is_symmetric(maps.A)
    x = np.ones(D)
    rows = affine.backward_affine(symmetric, x)
    assert rows is not None
    for n in range(N + 1):
        y = x
        for b in symmetric.b[:n][::-1]:
            y = symmetric.A @ y + b
        assert rows[n] == pytest.approx(y, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("common", [False, True])
def test_products_may_grow_to_the_limit_and_not_beyond(kind, sign, common):
    """Ten maps with the factor ±2: 2^10 is the last size at which the products are used."""
    assert GROWTH == 2.0**10
    for n, factor, used in ((10, 2.0, True), (11, 2.0, False), (1, GROWTH, True), (1, GROWTH * (1 + 2**-40), False)):
        A = {
            "scalar": np.array(1.0),
            "diagonal": np.ones(D),
            "matrix": np.array([[1.0, 1e-30, 0], [0, 1, 0], [0, 0, 1]]),
        }
        one = sign * factor * A[kind]
        maps = AffineMaps(one if common else np.stack([one] * n), np.zeros((n, D)), kind, common)
        assert (affine.backward_affine(maps, np.ones(D)) is not None) == used


@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, repeat=2)))
def test_stacked_maps_are_each_the_same_as_alone(kinds):
    singles = [drawn(kind, (), common=False, seed=k) for k, kind in enumerate(kinds)]
    both = affine.stack_affine(singles)
    assert both.kind == max(kinds, key=KINDS.index)
    x = np.arange(1.0, D + 1)
    for i, one in enumerate(singles):
        assert linear(both.A[i], x, both.kind) + both.b[i] == pytest.approx(one(x), rel=1e-14)
        assert as_matrix(one) == pytest.approx(matrix(one), abs=0)
    with pytest.raises(ValueError, match="every map must be affine"):
        affine.stack_affine([singles[0], None])
    with pytest.raises(ValueError, match="at least one"):
        affine.stack_affine([])


@pytest.mark.parametrize("symmetric", [False, True])
def test_matrices_pay_from_twice_their_dimension_on(symmetric):
    assert affine.worth_it("matrix", symmetric, 2 * D, D) == symmetric
    assert affine.worth_it("matrix", symmetric, 2 * D + 1, D)
    assert affine.worth_it("scalar", symmetric, 1, D)
    assert affine.worth_it("diagonal", symmetric, 1, D)


# --- moments --------------------------------------------------------------------------------------------------------

NAMES = ("EA", "Eb", "EAA", "EAb", "EbA", "Ebb")


def moments(A: list[np.ndarray], b: list[np.ndarray], weights: list[float]) -> dict[str, np.ndarray]:
    """The six means, each as a sum of Kronecker products; vec stacks rows, so that a vector is a column."""
    column = [v[:, None] for v in b]
    terms = {
        "EA": A,
        "Eb": b,
        "EAA": [np.kron(a, a) for a in A],
        "EAb": [np.kron(a, v) for a, v in zip(A, column, strict=True)],
        "EbA": [np.kron(v, a) for a, v in zip(A, column, strict=True)],
        "Ebb": [np.kron(v, v) for v in b],
    }
    return {name: sum(w * x for w, x in zip(weights, of, strict=True)) for name, of in terms.items()}


def agree(found: SecondMoments, expected: dict[str, np.ndarray]) -> None:
    for name in NAMES:
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-12), name


def listed(d: int, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng([d, count])
    return list(rng.uniform(-0.6, 0.6, (count, d, d))), list(rng.uniform(-1, 1, (count, d)))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_moments_of_listed_maps(d):
    A, b = listed(d, 3)
    weights = [0.5, 0.3, 0.2]
    found = SecondMoments.from_maps(A, b, weights)
    agree(found, moments(A, b, weights))
    theta = np.arange(1.0, d + 1)
    agree(found.about(theta), moments(A, [a @ theta + v - theta for a, v in zip(A, b, strict=True)], weights))
    noise = [np.full(d, 0.5), np.full(d, -0.5)]  # off by ±1/2 in all coordinates alike
    both = [v + e for v in b for e in noise]
    agree(
        found.with_noise(np.full((d, d), 0.25)),
        moments([a for a in A for _ in noise], both, [w / 2 for w in weights for _ in noise]),
    )
    mean, square = found.stationary()
    x, xx = np.zeros(d), np.zeros(d * d)
    for _ in range(4000):
        x, xx = found.EA @ x + found.Eb, found.EAA @ xx + (found.EAb + found.EbA) @ x + found.Ebb
    assert mean == pytest.approx(x, rel=1e-9)
    assert found.stationary_mean() == pytest.approx(x, rel=1e-9)
    assert square == pytest.approx(xx, rel=1e-8)
    assert found.radius == pytest.approx(max(abs(np.linalg.eigvals(found.EAA))), rel=1e-12)
    agree(
        SecondMoments.of_common(A[0], b[0], 0.25 * np.eye(d)).with_noise(-0.25 * np.eye(d)), moments(A[:1], b[:1], [1])
    )


@pytest.mark.parametrize("count", [1, 2, 4])
def test_moments_of_batches_are_those_of_every_batch(count):
    A, b = listed(2, count)
    for size in range(1, count + 1):
        batches = list(itertools.combinations(range(count), size))
        means = [(np.mean([A[i] for i in one], axis=0), np.mean([b[i] for i in one], axis=0)) for one in batches]
        found = SecondMoments.of_batches(A, b, size)
        agree(found, moments([a for a, _ in means], [v for _, v in means], [1 / math.comb(count, size)] * len(means)))


@pytest.mark.parametrize(("factor", "mean", "square"), [(0.9, True, True), (1.0, False, False), (-1.0, False, False)])
def test_stationary_moments_exist_below_one(factor, mean, square):
    found = SecondMoments.of_common([[factor]], [1.0], [[1.0]])
    for exists, ask in ((mean, found.stationary_mean), (square, found.stationary)):
        if exists:
            ask()
        else:
            with pytest.raises(ValueError, match="spectral radius"):
                ask()
    heavy = SecondMoments.from_maps([[[1.2]], [[0.1]]], [[1.0], [0.0]], [0.7, 0.3])  # E A = .87, E A² = 1.011
    assert heavy.stationary_mean() == pytest.approx([0.7 / 0.13], rel=1e-12)
    with pytest.raises(ValueError, match="second moment"):
        heavy.stationary()
