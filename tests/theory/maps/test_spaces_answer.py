"""A space answers for itself: attributes named ``root`` or ``weights`` that mean something else are never read."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction.families import FiniteFamily
from contraction.maps.spaces import Space


class Rooted(Space):
    """R^d with the sup distance; ``root`` and ``weights`` belong to a tree that a user draws, not to the distance."""

    event_ndim = 1

    def __init__(self, root=None, weights=None):
        self.root, self.weights = root, weights

    def distance(self, x, y):
        return np.max(np.abs(np.subtract(x, y)), axis=-1)


class BareRooted:
    """The same without inheriting from `Space`: only its distance is used."""

    event_ndim = 1

    def __init__(self, root=None, weights=None):
        self.root, self.weights = root, weights

    def distance(self, x, y):
        return np.max(np.abs(np.subtract(x, y)), axis=-1)

    def __repr__(self):
        return "BareRooted()"


def declared(space, contraction):
    return ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 2),
        lambda x, u: 0.5 * np.sin(x) + u,
        contraction=contraction,
        displacement=1.0,
        space=space,
    )


@pytest.mark.parametrize("kind", [Rooted, BareRooted])
def test_a_root_that_is_no_square_root(kind):
    """A large ``root`` made the allowance for rounding so large that a false factor was not refuted."""
    space = kind(root=1e20 * np.eye(2))
    assert ct.certify(declared(space, 0.5), np.zeros(2)).k == 0.5
    with pytest.raises(ct.DeclarationRefuted):
        ct.certify(declared(space, 0.1), np.zeros(2))


@pytest.mark.parametrize("kind", [Rooted, BareRooted])
@pytest.mark.parametrize("other", [{"root": "a leaf"}, {"weights": {"edge": 1.0}}, {"weights": np.zeros(7)}], ids=str)
def test_attributes_of_a_space_that_mean_something_else(kind, other):
    family = declared(kind(**other), 0.5)
    assert ct.certify(family, np.zeros(2)).k == 0.5
    assert ct.certify(family.sample(10), np.zeros(2)).k == pytest.approx(0.5, rel=1e-12)


def test_an_object_with_a_distance_serves_as_a_space():
    raw = BareRooted()
    family = declared(raw, 0.5)
    assert isinstance(family.space, Space)
    assert family.space == raw
    assert repr(family.space) == "BareRooted()"
    assert not family.space.is_normed
    assert ct.certify(family, np.zeros(2), space=raw).k == 0.5
    with pytest.raises(ct.NotCertified, match="no operator norm"):
        ct.certify(FiniteFamily([(0.5, [1.0, 1.0])]), np.zeros(2), space=raw)


SHEAR = np.array([[1.0, 1.0], [0.0, 1.0]])


class Sheared(Space):
    """‖x‖ = max |S x|: the norm of diag(a) is not max |a|, because S diag(a) S^-1 is not diagonal."""

    def distance(self, x, y):
        return np.max(np.abs(np.subtract(x, y) @ SHEAR.T), axis=-1)

    def operator_norm(self, A):
        return np.max(np.sum(np.abs(SHEAR @ A @ np.linalg.inv(SHEAR)), axis=-1), axis=-1)


MIXING = {"sheared": Sheared(), "weighted": ct.WeightedEuclidean([[1.0, 0.9], [0.9, 1.0]])}  # type: ignore[arg-type]


@pytest.mark.parametrize("space", MIXING.values(), ids=MIXING)
def test_the_norm_of_a_diagonal_in_a_norm_that_mixes_coordinates(space):
    """max |a| = 1/2 was taken for the Lipschitz constant of diag(1/2, -1/2), which is 3/2 or more."""
    a = np.array([0.5, -0.5])
    true = float(space.operator_norm(np.diag(a)))
    assert true > 1
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 2), lambda x, b: a * x + b, affine=lambda b: (a, b), space=space
    )
    assert float(family.lipschitz(family.sample(1).draws[0])) >= true * (1 - 1e-14)
    assert ct.certify(family.sample(1), np.zeros(2)).constants["k"].value >= true * (1 - 1e-14)
    finite = FiniteFamily([(a, [0.0, 0.0]), (a / 2, [1.0, 0.0])], space=space)
    assert finite.contraction.value >= true * (1 - 1e-14)


def test_a_space_answers_unknown():
    space = ct.Metric(lambda x, y: np.abs(x - y).sum(axis=-1))
    rng = np.random.default_rng(0)
    unknown = (space.operator_norm(np.eye(2)), space.diagonal_norm(np.ones(2)), space.isometry)
    assert all(answer is None for answer in (*unknown, space.random_points(rng, np.zeros(2), 1)))
    assert not space.is_normed
    assert space.stretched_directions(np.eye(2)) == []
