"""Norms of products of drawn linear parts against plain products: kinds, replicas, norms, zeros and underflow."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction.certificates.drawn import prefix_lipschitz
from contraction.families import Cyclic, FiniteFamily
from contraction.maps.spaces import Euclidean, L1Simplex, Space, SupNorm, WeightedEuclidean

PARTS = {
    "scalar": [0.5, -0.25],
    "diagonal": [np.array([0.5, -2.0]), np.array([0.25, 0.1])],
    "matrix": [np.array([[0.5, 1.0], [0.0, -0.5]]), np.array([[0.1, 0.0], [0.3, 0.2]])],
}
SPACES: list[Space] = [Euclidean(), SupNorm(), L1Simplex(), WeightedEuclidean(np.array([[2.0, 1.0], [1.0, 3.0]]))]


def full(A: np.ndarray | float) -> np.ndarray:
    return A * np.eye(2) if np.ndim(A) < 2 else np.asarray(A)


def family_of(parts: list, law: object = None) -> FiniteFamily:
    return FiniteFamily([(A, np.array([1.0, float(i)])) for i, A in enumerate(parts)], law=law)  # type: ignore[arg-type]


def products(parts: list, letters: list[int]) -> list[np.ndarray]:
    out = [np.eye(2)]
    for i in letters:
        out.append(out[-1] @ full(parts[i]))
    return out


@pytest.mark.parametrize("space", SPACES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("common", [False, True])
def test_prefixes_are_the_norms_of_products(kind: str, common: bool, space: Space) -> None:
    parts = PARTS[kind][:1] * 2 if common else PARTS[kind]
    for replicas in (None, 3):
        operators = family_of(parts).sample(6, 3, replicas=replicas)
        known = prefix_lipschitz(operators, space)
        assert known is not None
        found = known[0].reshape(7, -1)
        letters = np.array([np.asarray(d).reshape(-1) for d in operators.draws])
        for r in range(found.shape[1]):
            for n, product in enumerate(products(parts, letters[:, r].tolist())):
                exact = float(space.operator_norm(product))
                assert exact * (1 - 1e-15) <= found[n, r] <= exact * (1 + 1e-11) + 1e-14
        assert known[1:] == ("‖A_1…A_n‖", "drawn")


@pytest.mark.parametrize("space", SPACES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize(
    ("zero", "other"),
    [
        (0.0, 2.0),
        (np.zeros(2), np.array([2.0, 3.0])),
        (np.zeros((2, 2)), np.array([[2.0, 1.0], [0.0, 1.0]])),
        (np.array([0.0, 1.0]), np.array([1.0, 0.0])),
    ],
    ids=["number", "diagonal", "matrix", "one coordinate each"],
)
def test_a_product_that_vanishes_is_exactly_zero(zero: object, other: object, space: Space) -> None:
    operators = family_of([other, zero], Cyclic(2)).sample(4, 0)
    letters = [int(d) for d in operators.draws]
    known = prefix_lipschitz(operators, space)
    assert known is not None
    for found, product in zip(known[0].tolist(), products([other, zero], letters), strict=True):
        assert (found == 0) == (not product.any())


@pytest.mark.parametrize("kind", ["scalar", "diagonal", "matrix"])
def test_a_product_that_underflows_is_not_zero(kind: str) -> None:
    A = {"scalar": 1e-200, "diagonal": np.array([1e-200, 1e-300]), "matrix": np.full((2, 2), 1e-200)}[kind]
    known = prefix_lipschitz(family_of([A]).sample(3), Euclidean())
    assert known is not None
    assert known[0][2:].tolist() == [5e-324, 5e-324]
    large = {"scalar": 1e200, "diagonal": np.array([1e200, 1.0]), "matrix": 1e200 * np.eye(2)}[kind]
    mixed = prefix_lipschitz(family_of([large, A], Cyclic(2)).sample(4, 0), SupNorm())
    assert mixed is not None
    assert np.all(np.isfinite(mixed[0]))


def test_factors_of_maps_that_are_not_affine_are_multiplied() -> None:
    family = ct.RandomOperator(lambda rng: rng.uniform(0, 2), lambda x, u: u * np.sin(x), lipschitz=lambda u: u)
    operators = family.sample(5, 1)
    known = prefix_lipschitz(operators)
    assert known is not None
    np.testing.assert_allclose(known[0], np.cumprod([1.0, *[float(d) for d in operators.draws]]), rtol=1e-12)
    common = ct.RandomOperator(lambda rng: rng.uniform(0, 0.5), lambda x, u: u * np.sin(x), contraction=0.5)
    of_common = prefix_lipschitz(common.sample(3))
    assert of_common is not None
    assert of_common[0].tolist() == pytest.approx([1.0, 0.5, 0.25, 0.125], rel=1e-12)
    assert of_common[2] == "declared"
    assert prefix_lipschitz(ct.RandomOperator(lambda rng: 0.5, lambda x, u: u * np.sin(x)).sample(3)) is None
    for wrong in (-0.5, np.nan):
        broken = ct.RandomOperator(lambda rng: 0.5, lambda x, u: u * np.sin(x), lipschitz=lambda u, w=wrong: w)
        with pytest.raises(ValueError, match=r">= 0"):
            prefix_lipschitz(broken.sample(3))


def test_in_mean_square_the_smaller_factor_is_taken() -> None:
    """E K² is 5/16 for slopes 1/4 and 3/4, whatever norm is searched; a common factor of 3/4 is larger."""
    family = FiniteFamily([(0.25 * np.eye(2), [0.0, 1.0]), (0.75 * np.eye(2), [1.0, 0.0])])
    assert ct.certify(family, np.zeros(2), moment=2.0).k == pytest.approx((5 / 16) ** 0.5, rel=1e-6)
    assert ct.certify(family, np.zeros(2)).k == pytest.approx(0.75, rel=1e-12)


def test_above_the_exact_dimension_the_norm_with_the_smaller_factor_is_taken() -> None:
    """A shear of norm above 0.7 has factors near 1/2 in other quadratic norms, here in 21 dimensions."""
    d = 21
    A = 0.5 * np.eye(d)
    A[0, 1] = 0.4
    family = FiniteFamily([(A, np.eye(d)[0]), (A * np.where(np.eye(d) > 0, 1, -1), np.eye(d)[1])])
    plain = family.mean_square_factor
    assert plain is not None
    assert plain.value > 0.57
    found = ct.certify(family, np.zeros(d), moment=2.0)
    assert found.statement == "mean-square contraction in a quadratic norm"
    assert 0.5 <= found.k < 0.55
