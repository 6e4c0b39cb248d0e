"""A batch of starts gives what one start at a time gives: every family, entry and order, with and without replicas.

The treacherous cases are as many starts as maps, as coordinates or as replicas: axes that are taken for one another
then give wrong numbers without an error.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction as ct
from tests.theory.family_examples import EXAMPLES, NAMES

ORDERS = {"forward": ct.Forward(), "backward": ct.Backward(), "windowed": ct.Windowed(2), "late": ct.Late(1)}


def diagonal(rng):
    return rng.uniform(-0.9, 0.9, 3), rng.uniform(-1, 1, 3)


def of_mixed_kinds(rng):
    """A number, a diagonal or a matrix, as the draw has it."""
    A, b = rng.uniform(-0.5, 0.5, (3, 3)), rng.uniform(-1, 1, 3)
    return (A[0, 0], np.diag(A).copy(), A)[rng.integers(3)], b


def applied(theta, draw):
    A, b = draw
    return (theta @ A.T if np.ndim(A) == 2 else A * theta) + b


OWN = {
    "own, numbers": ct.RandomOperator(
        lambda rng: (rng.uniform(-0.9, 0.9), rng.uniform(-1, 1, 3)), applied, affine=lambda d: d
    ),
    "own, diagonals": ct.RandomOperator(diagonal, applied, affine=lambda d: d),
    "own, mixed": ct.RandomOperator(of_mixed_kinds, applied, affine=lambda d: d),
    "own, sine": ct.RandomOperator(lambda rng: rng.uniform(-1, 1, 3), lambda t, u: 0.5 * np.sin(t) + u),
    "own, sine, vectorized": ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 3), lambda t, u: 0.5 * np.sin(t) + u, vectorized=True
    ),
    "own, one vector": ct.RandomOperator(
        lambda rng: rng.uniform(-0.5, 0.5, (3, 3)), lambda t, A: A @ t + A[0], batched=False
    ),
}
FAMILIES = EXAMPLES | {name: (family, np.ones(3)) for name, family in OWN.items()}


def starts_near(family: ct.RandomOperator, start: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Starts of the family's space, shape (count, d)."""
    rng = np.random.default_rng(seed)
    found = family.space.random_points(rng, start, count)
    return start + rng.normal(0, 2, (count, len(start))) if found is None else np.asarray(found)


def entries(operators: ct.Operators, other: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Every entry that takes starts, with the axes of the batch in front."""
    found = {}
    for label, order in ORDERS.items():
        found[label] = lambda x, order=order: ct.iterates(operators, x, order)
        found[f"plain {label}"] = lambda x, order=order: ct.plain_iterates(operators, x, order)
    found["forward_iterates"] = lambda x: ct.forward_iterates(operators, x)
    found["backward_iterates"] = lambda x: ct.backward_iterates(operators, x)
    found["backward_iterates, at"] = lambda x: ct.backward_iterates(operators, x, at=[len(operators), 1])
    found["paired_iterates"] = lambda x: np.stack(ct.paired_iterates(operators, x), axis=-1)
    found["apply_backward"] = lambda x: ct.apply_backward(operators, x)
    found["coupling_distance"] = lambda x: np.moveaxis(ct.coupling_distance(operators, x, other)[1], 0, -1)
    return found


def check(family: ct.RandomOperator, start: np.ndarray, N: int, S: int, R: int | None, seed: int) -> None:
    """All entries on a batch against one start at a time; elementwise roundings alone are allowed to differ."""
    starts = starts_near(family, start, S, seed)
    operators = family.sample(N, seed, replicas=R)
    batch = starts if R is None else np.broadcast_to(starts[:, None, :], (S, R, len(start)))
    kept = batch.copy()
    for label, entry in entries(operators, start).items():
        together, alone = entry(batch), np.stack([entry(one) for one in starts])
        assert together.shape == alone.shape, label
        assert together.dtype == alone.dtype, label
        # sums of up to d products, N maps: N (2d + 4) roundings of the largest number that occurs
        largest = 1 + np.max(np.abs(alone.astype(float)))
        slack = 0.0 if alone.dtype == object else 8 * (N + 1) * (2 * len(start) + 4) * 2.0**-53 * largest * 4.0**N
        gap = np.max(np.abs((together - alone).astype(float)), initial=0.0)
        assert gap <= slack, (label, gap, slack)
    np.testing.assert_array_equal(batch, kept)


@settings(max_examples=5)
@given(N=st.integers(1, 6), seed=st.integers(0, 10**6), data=st.data())
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_batch_of_starts_is_one_start_at_a_time(name, N, seed, data):
    family, start = FAMILIES[name]
    S = data.draw(st.sampled_from(sorted({1, 2, N, N + 1, len(start)})), label="starts")
    R = data.draw(st.sampled_from([None, 1, S, N, len(start)]), label="replicas")
    check(family, start, N, S, R, seed)


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("replicas", [False, True])
def test_as_many_starts_as_maps_as_coordinates_as_replicas(name, replicas):
    family, start = FAMILIES[name]
    for N in {3, len(start)}:
        for S in {N, len(start)}:
            check(family, start, N, S, S if replicas else None, seed=5)


def test_as_many_starts_as_maps_by_hand():
    """Three starts and three maps x/2 + eps of Section 3.1: the row of each start, written out."""
    family = ct.families.QuadraticSGD(h=0.5, dim=2)
    operators = family.sample(3, seed=1)
    e1, e2, e3 = (operators.draws[i] for i in range(3))
    starts = np.array([[0.0, 0.0], [8.0, 16.0], [24.0, 32.0]])
    expected = starts / 8 + e1 / 2 + e2 / 4 + e3 / 8
    np.testing.assert_allclose(ct.backward_iterates(operators, starts)[:, -1], expected, rtol=1e-14, atol=1e-14)
    with_two_axes = ct.backward_iterates(operators, np.stack([starts, starts[::-1]]))
    np.testing.assert_allclose(with_two_axes[:, :, -1], np.stack([expected, expected[::-1]]), rtol=1e-14, atol=1e-14)


def test_every_shipped_family_is_here():
    """The examples hold a family of every public class."""
    classes = {type(family) for family, _ in EXAMPLES.values()}
    shipped = [getattr(ct.families, name) for name in ct.families.__all__]
    missing = [c for c in shipped if isinstance(c, type) and issubclass(c, ct.RandomOperator) and c not in classes]
    assert missing == []
    assert set(NAMES) <= set(FAMILIES)


@pytest.mark.control
def test_maps_beside_the_wrong_axis_are_seen(monkeypatch):
    """The mistake that this file was written for: maps and starts on one axis."""
    from contraction.maps import affine

    monkeypatch.setattr(affine, "_beside", lambda values, ndim: values)
    family, start = EXAMPLES["quadratic, uniform"]
    with pytest.raises((AssertionError, ValueError)):
        check(family, start, N=3, S=3, R=None, seed=5)
