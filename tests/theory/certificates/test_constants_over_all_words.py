"""The constants of every kind of certificate against all maps and all words of small families, written out.

A bound must not be below what its constants say, and the constants must be those of the maps: the largest norm, the
mean of a power of it, the largest move of the start and its mean, and the distance of another start.
"""

from __future__ import annotations

import itertools
import math
from functools import reduce

import numpy as np
import pytest
from scipy import linalg

import contraction as ct
from contraction import families as fam
from contraction.certificates.drawn import displacements, prefix_lipschitz
from contraction.certificates.words import listed_words, p_mean_factor, word_norms, word_weights

D = 2
rng = np.random.default_rng(20)
MATRICES = 0.45 * rng.uniform(-1, 1, (3, D, D))
OFFSETS = rng.uniform(-1, 1, (3, D))
WEIGHTS = [0.5, 0.3, 0.2]
P = np.array([[2.0, 0.5], [0.5, 1.0]])
START, OTHER = np.array([1.0, -2.0]), np.array([-1.0, 0.5])
FAMILIES = {
    "matrices": fam.FiniteFamily(list(zip(MATRICES, OFFSETS, strict=True)), WEIGHTS),
    "numbers": fam.RandomAffine([0.5, -0.25, 0.125], OFFSETS, WEIGHTS),
    "diagonals": fam.RandomAffine([[0.5, 0.25], [-0.5, 0.0], [0.125, -0.75]], OFFSETS, WEIGHTS),
    "one that expands": fam.RandomAffine([1.25, -0.25, 0.125], OFFSETS, WEIGHTS),
}
SPACES = {"two": ct.Euclidean(), "sup": ct.SupNorm(), "P": ct.WeightedEuclidean(P)}


def linear_parts(name: str) -> list[np.ndarray]:
    family = FAMILIES[name]
    return [np.stack([family.apply(e, i) - family.apply(np.zeros(D), i) for e in np.eye(D)], axis=1) for i in range(3)]


def norm(space: str, v: np.ndarray) -> float:
    return float({"two": math.hypot(*v), "sup": np.max(np.abs(v)), "P": math.sqrt(max(v @ P @ v, 0.0))}[space])


def operator_norm(space: str, A: np.ndarray) -> float:
    if space == "sup":
        return float(np.max(np.abs(A).sum(axis=1)))
    Q = P if space == "P" else np.eye(D)
    return math.sqrt(max(0.0, linalg.eigh(A.T @ Q @ A, Q, eigvals_only=True)[-1]))


def words(name: str, q: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """(probabilities, products A_1 … A_q) of all words, the outermost letter slowest."""
    parts = linear_parts(name)
    letters = list(itertools.product(range(3), repeat=q))
    products = [reduce(np.matmul, [parts[i] for i in word], np.eye(D)) for word in letters]
    return np.array([math.prod(WEIGHTS[i] for i in word) for word in letters]), products


def moves(name: str, space: str) -> list[float]:
    return [norm(space, FAMILIES[name].apply(START, i) - START) for i in range(3)]


def mean(values: list[float], p: float) -> float:
    return sum(w * v**p for w, v in zip(WEIGHTS, values, strict=True)) ** (1 / p)


def close(found: float, exact: float) -> None:
    """At least the number, and little more: constants are rounded up."""
    assert found >= exact * (1 - 1e-13)
    assert found == pytest.approx(exact, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", ["matrices", "numbers", "diagonals"])
@pytest.mark.parametrize("other", [False, True])
def test_a_common_factor_is_the_largest_norm(name, space, other):
    found = ct.certify(FAMILIES[name], START, start=OTHER if other else None, space=SPACES[space])
    k = max(operator_norm(space, A) for A in linear_parts(name))
    close(found.k, k)
    close(found.D, max(moves(name, space)))
    r = norm(space, OTHER - START) if other else 0.0
    for n in (0, 1, 5):
        close(float(found.bound(n)), (max(moves(name, space)) / (1 - k) + r) * k**n)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("name", ["matrices", "numbers", "diagonals"])
def test_a_moment_replaces_the_largest_move(name, p):
    """Below p = 1 the p-th powers of distances satisfy the triangle inequality, above it their means do. In mean square
    a sharper bound may be found."""
    found = ct.certify(FAMILIES[name], START, moment=p)
    k = max(operator_norm("two", A) for A in linear_parts(name))
    size = mean(moves(name, "two"), p)
    for n in (0, 1, 5):
        geometric = size * k**n / (1 - k) if p >= 1 else (size**p / (1 - k**p)) ** (1 / p) * k**n
        if p == 2:
            assert float(found.bound(n)) <= geometric * (1 + 1e-9)
        else:
            close(found.D, size)
            close(float(found.bound(n)), geometric)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("q", [1, 2, 3])
@pytest.mark.parametrize("name", ["matrices", "diagonals"])
def test_words_contract_by_the_largest_norm_of_their_products(name, q, space):
    found = ct.certify(FAMILIES[name], START, q=q, space=SPACES[space])
    largest = [1.0, *(max(operator_norm(space, A) for A in words(name, j)[1]) for j in range(1, q + 1))]
    close(found.k, largest[q])
    close(found.D, max(moves(name, space)))
    tail = sum(largest[m % q] * largest[q] ** (m // q) for m in range(400 * q))
    close(float(found.bound(0)), max(moves(name, space)) * tail)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("q", [1, 2])
def test_words_contract_in_the_mean_of_their_products(q, p):
    name = "one that expands"
    with pytest.raises(ct.NotCertified):
        ct.certify(FAMILIES[name], START)
    found = ct.certify(FAMILIES[name], START, q=q, moment=p)
    powers = [1.0]
    for j in range(1, q + 1):
        weights, products = words(name, j)
        powers.append(float(weights @ [operator_norm("two", A) ** p for A in products]))
    close(found.k, powers[q])
    close(found.D, mean(moves(name, "two"), p))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("q", [1, 2, 3])
def test_norms_and_probabilities_of_words(q, space):
    weights, products = words("matrices", q)
    assert word_weights(np.array(WEIGHTS), q) == pytest.approx(weights, rel=1e-12)
    exact = np.array([operator_norm(space, A) for A in products])
    found = word_norms(linear_parts("matrices"), q, SPACES[space])
    assert np.all(found >= exact * (1 - 1e-13))
    assert found == pytest.approx(exact, rel=1e-9, abs=1e-12)
    if space == "two":
        chances, factors, origin = listed_words(FAMILIES["matrices"], q)
        assert (origin, chances.tolist()) == ("proved", word_weights(np.array(WEIGHTS), q).tolist())
        assert factors == pytest.approx(exact, rel=1e-9, abs=1e-12)
        for p in (0.5, 1.0, 3.0):
            close(p_mean_factor(FAMILIES["matrices"], p, q).value, float(weights @ exact**p))


def test_words_of_maps_that_are_not_affine_multiply_their_constants():
    family = fam.FiniteFamily([np.sin, np.cos, lambda x: x / 3], WEIGHTS, lipschitz=[1.0, 0.5, 1 / 3], dim=1)
    chances, factors, origin = listed_words(family, 2)
    assert origin == "declared"
    assert factors == pytest.approx([a * b for a, b in itertools.product([1.0, 0.5, 1 / 3], repeat=2)], rel=1e-12)
    assert chances == pytest.approx([a * b for a, b in itertools.product(WEIGHTS, repeat=2)], rel=1e-12)


@pytest.mark.parametrize("space", [None, *SPACES])
@pytest.mark.parametrize("replicas", [None, 2])
@pytest.mark.parametrize("name", FAMILIES)
def test_drawn_maps_have_the_norms_of_their_products(name, replicas, space):
    """‖A_1 … A_n‖ and d(θ_0, T_i θ_0) of the maps that were drawn, and the sum of their products after n."""
    operators = FAMILIES[name].sample(6, seed=3, replicas=replicas)
    metric = None if space is None else SPACES[space]
    label = space or "two"
    prefixes, text, origin = prefix_lipschitz(operators, metric)
    distances = displacements(operators, START, metric)
    assert (text, origin) == ("‖A_1…A_n‖", "drawn")
    parts = linear_parts(name)
    certificate = ct.certify(operators, START, start=OTHER, space=metric)
    for r in range(replicas or 1):
        letters = [int(np.ravel(draw)[r]) for draw in operators.draws]
        products = [reduce(np.matmul, [parts[i] for i in letters[:n]], np.eye(D)) for n in range(7)]
        exact = [operator_norm(label, A) for A in products]
        moved = [norm(label, FAMILIES[name].apply(START, i) - START) for i in letters]
        assert np.reshape(prefixes, (7, -1))[:, r] == pytest.approx(exact, rel=1e-9, abs=1e-12)
        assert np.reshape(distances, (6, -1))[:, r] == pytest.approx(moved, rel=1e-12)
        for n in range(7):
            rest = sum(exact[i] * moved[i] for i in range(n, 6)) + exact[n] * norm(label, OTHER - START)
            close(float(np.reshape(certificate.bound(n), -1)[r]), rest)
    assert certificate.horizon == 6
    with pytest.raises(ValueError, match="6"):
        certificate.bound(7)


@pytest.mark.control
def test_another_family_has_other_constants():
    found = ct.certify(FAMILIES["matrices"], START)
    k = max(operator_norm("two", A) for A in linear_parts("diagonals"))
    assert found.k != pytest.approx(k, rel=1e-3)
