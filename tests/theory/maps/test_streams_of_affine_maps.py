"""Long affine paths in one pass: where all linear parts act elementwise, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

import contraction as ct
from contraction.maps import iterates
from contraction.maps.affine import GROWTH, AffineMaps, backward_affine, backward_matrices
from contraction.maps.iterates import _blocks, _stream_pair

START = np.array([1.0, -2.0, 0.5])
AT = np.array([0, 2, 5, 5])


def of_kind(kind: str) -> ct.RandomOperator:
    """T(x) = A x + b with A a number, a diagonal or a matrix; "mixed": one of the two latter, as the draw has it."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        A, b = rng.uniform(-0.5, 0.5, (3, 3)), rng.uniform(-1, 1, 3)
        if kind == "mixed":
            return (A if b[0] > 0 else np.diag(A).copy()), b
        return {"number": A[0, 0], "diagonal": np.diag(A).copy(), "matrix": A}[kind], b

    def apply(x: np.ndarray, drawn: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        A, b = drawn
        return (x @ A.T if np.ndim(A) == 2 else A * x) + b

    return ct.RandomOperator(draw, apply, affine=lambda drawn: drawn)


@pytest.mark.parametrize("kind", ["number", "diagonal"])
def test_both_orders_in_one_pass(kind: str) -> None:
    operators = of_kind(kind).sample(5, 1)
    pair = _stream_pair(operators, START, AT)
    assert pair is not None
    for rows, order in zip(pair, (ct.Forward(), ct.Backward()), strict=True):
        np.testing.assert_allclose(rows, ct.plain_iterates(operators, START, order, at=AT), rtol=1e-13, atol=1e-13)


def test_matrices_are_left_to_others_wherever_they_occur() -> None:
    assert _stream_pair(of_kind("matrix").sample(5, 1), START, AT) is None
    seeds = [s for s in range(40) if of_kind("mixed").sample(1, s).draws[0][1][0] <= 0]  # begin with a diagonal
    found = [_stream_pair(of_kind("mixed").sample(5, s), START, AT) for s in seeds]
    assert len(seeds) > 9
    assert sum(one is None for one in found) > len(seeds) / 2


@pytest.mark.parametrize(("factor", "taken"), [(1.0, True), (1 + 2.0**-52, False)])
@pytest.mark.parametrize("place", [0, 2])
def test_products_may_grow_to_the_limit_itself(place: int, factor: float, taken: bool) -> None:
    """Two maps whose linear parts multiply to the limit, or to the float above it, in one coordinate."""
    A = np.array([0.5, 0.5, 0.5])
    A[place] = GROWTH * factor
    maps = [(A, np.zeros(3)), (np.ones(3), np.ones(3))]
    operators = ct.families.FiniteFamily(maps, law=ct.families.Cyclic(2)).sample(2, 0)
    assert (_stream_pair(operators, START, np.array([2])) is not None) is taken


@pytest.mark.parametrize("shape", [(5,), (7, 3), (10, 2, 2), (3, 100)], ids=str)
def test_blocks_cover_every_row_once(shape: tuple[int, ...]) -> None:
    seen = np.zeros(shape, dtype=int)
    for block in _blocks(shape, numbers=8):
        seen[block] += 1
    assert np.all(seen == 1)
    assert (
        all(seen[block].size <= max(8, int(np.prod(shape[1:]))) for block in _blocks(shape, numbers=8))
        or len(shape) < 2
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0.5, 1j), "as real numbers"),
        ((1j, 0.5), "as real numbers"),
        (("a", 0.5), "as real numbers"),
        ((0.5, 1.0, 2.0), r"must give a pair \(A, b\)"),
        (0.5, r"must give a pair \(A, b\)"),
        ({0.5: 1.0}, r"must give a pair \(A, b\)"),
    ],
    ids=str,
)
def test_what_is_no_affine_form(given: object, message: str) -> None:
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2, affine=lambda u: given)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match=message):
        family.affine(0.0)


@pytest.mark.parametrize("kind", ["number", "diagonal", "matrix"])
def test_long_paths_are_the_plain_ones_whether_they_are_stacked_or_not(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operators = of_kind(kind).sample(9, 2)
    for most in (2**26, 4):
        monkeypatch.setattr(iterates, "STACKED_NUMBERS", most)
        for order in (ct.Forward(), ct.Backward()):
            found = ct.iterates(operators, START, order, at=[0, 3, 9])
            expected = ct.plain_iterates(operators, START, order, at=[0, 3, 9])
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("size", "taken"), [(0.25, True), (40.0, False)])
def test_a_symmetric_common_part_is_turned_into_a_diagonal(size: float, taken: bool) -> None:
    """Backward iterates of x -> A x + b_i with A = size [[1, 1/2], [1/2, 1]], until A^n is too large."""
    A, b = size * np.array([[1.0, 0.5], [0.5, 1.0]]), np.arange(10.0).reshape(5, 2)
    rows = backward_affine(AffineMaps(A, b, "matrix", common=True), np.array([1.0, -1.0]))
    assert (rows is not None) is taken
    if rows is not None:
        for n in range(6):
            x = np.array([1.0, -1.0])
            for i in reversed(range(n)):
                x = A @ x + b[i]
            np.testing.assert_allclose(rows[n], x, rtol=1e-13)
        assert rows[0].tolist() == [1.0, -1.0]


def test_matrices_numbers_and_diagonals_in_one_path() -> None:
    parts = [
        np.array(0.5),
        np.array([0.5, -2.0]),
        np.array([[0.0, 1.0], [0.5, 0.25]]),
        np.array(-1.5),
        np.array([3.0, 0.1]),
    ]
    kinds = ["scalar", "diagonal", "matrix", "scalar", "diagonal"]
    maps = [AffineMaps(A, np.array([i + 1.0, -i]), kind) for i, (A, kind) in enumerate(zip(parts, kinds, strict=True))]
    start = np.array([1.0, -1.0])
    rows = backward_matrices(maps, len(maps), start)
    assert rows is not None
    for n in range(6):
        x = start
        for one in reversed(maps[:n]):
            x = (one.A @ x if one.kind == "matrix" else one.A * x) + one.b
        np.testing.assert_allclose(rows[n], x, rtol=1e-14, atol=1e-14)
