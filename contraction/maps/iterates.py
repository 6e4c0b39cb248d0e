"""Trajectories of drawn maps under an order: forward, backward, or any other.

All implementations give the iterates of the plain loop ``for n: for j in reversed(word(n)): theta = T_j(theta)``: up to
rounding on the affine path, bitwise for elementwise maps on the wavefront. Chains that start at the same iterate apply
the same map at the same position, so the wavefront advances them together, with N batched calls instead of N(N+1)/2
single ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_iterates
from contraction.maps.affine import (
    GROWTH,
    backward_affine,
    backward_matrices,
    elementwise,
    forward_affine,
    is_symmetric,
    worth_it,
)
from contraction.maps.operators import AffineMaps, Operators, RandomOperator
from contraction.maps.orders import Backward, Forward, Order, anchors, check_order
from contraction.maps.points import as_point
from contraction.maps.probe import probe

__all__ = ["backward_iterates", "forward_iterates", "iterates", "paired_iterates", "plain_iterates"]

STACKED_NUMBERS = 2**26  # affine maps are stacked along the axis of maps up to this many numbers


def forward_iterates(operators: Operators, theta0: ArrayLike, at: Iterable[int] | None = None) -> NDArray:
    """Forward iterates: row n is T_n … T_1 (θ_0).

    See `iterates` for the parameters, shapes and errors.

    Examples
    --------
    >>> import contraction as ct
    >>> maps = ct.families.FiniteFamily([(0.5, [0.0]), (0.5, [1.0])]).sample(4, seed=0)
    >>> ct.forward_iterates(maps, [0.0])[:, 0]
    array([0.   , 1.   , 1.5  , 0.75 , 1.375])
    """
    return iterates(operators, theta0, Forward(), at)


def backward_iterates(operators: Operators, theta0: ArrayLike, at: Iterable[int] | None = None) -> NDArray:
    """Backward iterates: row n is T_1 … T_n (θ_0) (Theorem 2.2).

    See `iterates` for the parameters, shapes and errors.

    Examples
    --------
    >>> import contraction as ct
    >>> maps = ct.families.FiniteFamily([(0.5, [0.0]), (0.5, [1.0])]).sample(4, seed=0)
    >>> ct.backward_iterates(maps, [0.0])[:, 0]
    array([0.   , 1.   , 1.5  , 1.5  , 1.625])
    """
    return iterates(operators, theta0, Backward(), at)


def iterates(operators: Operators, theta0: ArrayLike, order: Order, at: Iterable[int] | None = None) -> NDArray:
    """Return iterates 0 … N of drawn maps under an order.

    Parameters
    ----------
    operators
        The maps T_1 … T_N.
    theta0
        The start, shape (..., d); a number for one coordinate. With replicas it is broadcast to (..., R, d).
        Integers, Fractions and other exact types (object arrays) pass through untouched.
    order
        Any object with ``anchor(n)`` and ``word(n)``, such as those of `contraction.maps.orders`.
    at
        The indices of the requested iterates, in any order (default: 0 … N). They may exceed N if their words name only
        maps 1 … N, as those of `contraction.maps.orders.Epochs` do.

    Returns
    -------
    ndarray
        Shape (..., N+1, d), or (..., len(at), d): row n is iterate n. With replicas (R, N+1, d).

    Raises
    ------
    ValueError
        If a requested iterate needs a map beyond T_N, the order is malformed, or a map changes the shape of a point.
    MapRefused, NotDeterministic, DeclarationRefuted
        If a map breaks a rule of `RandomOperator`: see `contraction.maps.probe.probe`.

    Examples
    --------
    >>> import contraction as ct
    >>> maps = ct.families.FiniteFamily([(0.5, [0.0]), (0.5, [1.0])]).sample(4, seed=0)
    >>> ct.iterates(maps, [0.0], ct.Windowed(2))[:, 0]
    array([0.   , 1.   , 1.5  , 0.75 , 0.875])
    """
    start = start_of(operators, theta0)
    total = len(operators)
    plain = isinstance(order, Forward | Backward)
    asked = _asked(at, total, beyond=not plain)
    if not plain:
        check_order(order, asked.tolist(), total)
    if total == 0 or not len(asked):
        rows = np.broadcast_to(start, (len(asked), *start.shape)).copy()
        return _rows_last(rows, operators)
    start = _probe(operators, start)
    if plain and operators.family.is_affine and start.dtype.kind == "f":
        rows = _affine_rows(operators, start, asked, backward=isinstance(order, Backward))
        if rows is not None:
            return _rows_last(rows, operators)
    known = _ordered(operators, start, order, asked)
    return _rows_last(known, operators)


def plain_iterates(operators: Operators, theta0: ArrayLike, order: Order, at: Iterable[int] | None = None) -> NDArray:
    """Return the same iterates by the plain double loop: the reference for tests of the fast implementations.

    Examples
    --------
    >>> import contraction as ct
    >>> maps = ct.families.FiniteFamily([(0.5, [0.0]), (0.5, [1.0])]).sample(4, seed=0)
    >>> bool((ct.plain_iterates(maps, [0.0], ct.Backward()) == ct.iterates(maps, [0.0], ct.Backward())).all())
    True
    """
    total = len(operators)
    asked = _asked(at, total, beyond=True)
    check_order(order, asked.tolist(), total)
    start = start_of(operators, theta0)
    if total and len(asked):
        start = _probe(operators, start)
    values: dict[int, NDArray] = {0: start}
    for n, anchor in sorted(anchors(order, asked.tolist()).items()):
        theta = values[anchor]
        for i in reversed(order.word(n)):
            theta = operators.apply(int(i), theta)
        values[n] = theta
    return _rows_last(_stack([values[n] for n in asked.tolist()], start), operators)


def paired_iterates(
    operators: Operators, theta0: ArrayLike, at: Iterable[int] | None = None
) -> tuple[NDArray, NDArray]:
    """Forward and backward iterates of the same maps in one pass over the draws.

    At each fixed n the two iterates are an exchangeable pair if the maps are i.i.d. (reversing the maps swaps them), so
    sign-flip tests that pair them by seed are exact. For affine maps with elementwise linear parts the draws are
    streamed: memory holds only the requested iterates and one block, for any number of replicas.

    Returns
    -------
    tuple of ndarray
        Forward and backward, each shaped as in `iterates`.

    Examples
    --------
    >>> import contraction as ct
    >>> maps = ct.families.FiniteFamily([(0.5, [0.0]), (0.5, [1.0])]).sample(4, seed=0)
    >>> forward, backward = ct.paired_iterates(maps, [0.0], at=[1, 4])
    >>> forward[:, 0], backward[:, 0]
    (array([1.   , 1.375]), array([1.   , 1.625]))
    """
    start = start_of(operators, theta0)
    asked = _asked(at, len(operators))
    family = operators.family
    if len(operators) and family.is_affine and start.dtype.kind in "fiu":
        start = _probe(operators, start)
        streamed = _stream_pair(operators, start, asked)
        if streamed is not None:
            return _rows_last(streamed[0], operators), _rows_last(streamed[1], operators)
    return iterates(operators, theta0, Forward(), at), iterates(operators, theta0, Backward(), at)


# --- pieces -------------------------------------------------------------------------------------------------------


def _asked(at: Iterable[int] | None, total: int, beyond: bool = False) -> NDArray:
    """Return the requested iterates; ``beyond`` allows indices above the number of maps, see `check_order`."""
    if at is None:
        return np.arange(total + 1)
    return np.array(check_iterates(at, None if beyond else total), dtype=int)


def start_of(operators: Operators, theta0: ArrayLike) -> NDArray:
    """Return a start, or a batch of starts, in the shape that iterates need: (..., d), with replicas (..., R, d)."""
    if not isinstance(operators, Operators):
        hint = "family.sample(N, seed)" if isinstance(operators, RandomOperator) else "Operators.from_maps(maps)"
        raise TypeError(f"iterates take drawn operators, such as {hint}; got {operators!r}")
    start = as_point(theta0, operators.family.dim)
    if operators.replicas is not None:
        event = start.shape[start.ndim - operators.family.space.event_ndim :]
        lead = start.shape[: start.ndim - len(event)]
        if lead and lead[-1] not in (1, operators.replicas):
            raise ValueError(
                f"a start for {operators.replicas} replicas has shape (..., {operators.replicas}, d) or (d,), "
                f"got {start.shape}"
            )
        batch = np.broadcast_shapes(lead, (operators.replicas,))
        start = np.broadcast_to(start, (*batch, *event))
    return start


def _probe(operators: Operators, start: NDArray) -> NDArray:
    """Probe the maps at the start; return a copy of the start in the dtype of the iterates."""
    dtype = probe(operators, start)
    if dtype.kind in "iub":
        dtype = np.dtype(object)  # Python integers do not overflow
    return start.astype(dtype)


def _rows_last(rows: NDArray, operators: Operators) -> NDArray:
    return np.moveaxis(rows, 0, rows.ndim - 1 - operators.family.space.event_ndim)


def _stack(points: Sequence[NDArray], like: NDArray) -> NDArray:
    rows = np.empty((len(points), *like.shape), dtype=like.dtype)
    for row, point in zip(rows, points, strict=True):
        row[...] = point
    return rows


def _affine_rows(operators: Operators, start: NDArray, asked: NDArray, backward: bool) -> NDArray | None:
    """All requested rows on the affine path, or None if restarts are cheaper or numbers overflow."""
    last = int(asked.max())
    if last == 0:
        return None
    if last * start.size > STACKED_NUMBERS:
        pair = _stream_pair(operators, start, asked)
        return None if pair is None else pair[backward]
    family, draws = operators.family, [operators.draws[i] for i in range(last)]
    first = family.affine(draws[0])
    assert first is not None
    symmetric = first.common and first.kind == "matrix" and is_symmetric(first.A)
    if backward and not worth_it(first.kind, symmetric, last, start.shape[-1]):
        return None
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if not backward:
            rows = forward_affine(family.stacked_affine(draws), start)
        elif first.kind == "matrix" and not symmetric:
            rows = backward_matrices(_one_by_one(operators, last), last, start)
        else:
            rows = backward_affine(family.stacked_affine(draws), start)
    if rows is None or np.isnan(rows).any():
        return None  # the products grew or overflowed (inf * 0 is NaN): apply the maps one by one
    return rows if len(asked) == last + 1 and np.array_equal(asked, np.arange(last + 1)) else rows[asked]


def _one_by_one(operators: Operators, last: int) -> Iterator[AffineMaps]:
    for i in range(last):
        maps = operators.family.affine(operators.draws[i])
        if maps is None:
            raise ValueError(f"{operators.family!r} says it is affine, but T_{i + 1} has no affine form")
        yield maps


def _stream_pair(operators: Operators, start: NDArray, asked: NDArray) -> tuple[NDArray, NDArray] | None:
    """Forward and backward rows in one pass over the draws; None unless the linear parts act elementwise."""
    first = operators.family.affine(operators.draws[0])
    if first is None or first.kind == "matrix":
        return None
    forward_rows, backward_rows = (np.empty((len(asked), *start.shape)) for _ in range(2))
    rows_of: dict[int, list[int]] = {}
    for row, n in enumerate(asked.tolist()):
        rows_of.setdefault(n, []).append(row)
    forward_rows[asked == 0] = backward_rows[asked == 0] = start
    forward = start.astype(float)
    offset = np.zeros(start.shape)  # T_1 … T_n theta = product * theta + offset
    product = np.ones(start.shape[-1:] if first.common else start.shape)
    for n in range(1, int(asked.max(initial=0)) + 1):
        maps = operators.family.affine(operators.draws[n - 1])
        if maps is None or maps.kind == "matrix" or maps.common != first.common:
            return None
        _one_more_map(maps, forward, offset, product)
        product = product * elementwise(maps)
        if not np.max(np.abs(product)) <= GROWTH:
            return None
        if here := rows_of.get(n):
            forward_rows[here], backward_rows[here] = forward, offset + product * start
    return forward_rows, backward_rows


def _one_more_map(maps: AffineMaps, forward: NDArray, offset: NDArray, product: NDArray) -> None:
    """Set forward = A forward + b and offset = offset + product b in place.

    Replicas are processed in blocks that fit in a core's cache.
    """
    shape, A = forward.shape, elementwise(maps)
    wide_A, wide_b = (A if maps.common else np.broadcast_to(A, shape)), np.broadcast_to(maps.b, shape)
    for block in _blocks(shape):
        b = wide_b[block]
        offset[block] += (product if maps.common else product[block]) * b
        forward[block] *= wide_A if maps.common else wide_A[block]
        forward[block] += b


def _blocks(shape: tuple[int, ...], numbers: int = 2**14) -> list:
    """Slices of the leading axis with at most ``numbers`` numbers each."""
    if len(shape) < 2:
        return [...]
    size = max(1, numbers // max(1, int(np.prod(shape[1:]))))
    return [slice(a, a + size) for a in range(0, shape[0], size)]


def _ordered(operators: Operators, start: NDArray, order: Order, asked: NDArray) -> NDArray:
    """Return iterates of any order; chains with a common anchor are computed together, in the order of anchors."""
    if isinstance(order, Forward):
        return _forward_rows(operators, start, asked)
    groups: dict[int, list[int]] = {}
    for n, anchor in anchors(order, asked.tolist()).items():
        groups.setdefault(anchor, []).append(n)
    values: dict[int, NDArray] = {0: start}
    for m in sorted(groups):
        members = sorted(groups[m])
        for n, value in zip(members, _wavefront(operators, values[m], order, members), strict=True):
            values[n] = value
    return _stack([values[n] for n in asked.tolist()], start)


def _forward_rows(operators: Operators, start: NDArray, asked: NDArray) -> NDArray:
    """T_n … T_1 (start) for the requested n, in one pass over the maps."""
    rows = np.empty((len(asked), *start.shape), dtype=start.dtype)
    by_n = np.argsort(asked, kind="stable")
    theta, n = start, 0
    for row in by_n.tolist():
        while n < asked[row]:
            n += 1
            theta = operators.apply(n, theta)
        rows[row] = theta
    return rows


def _wavefront(operators: Operators, anchor: NDArray, order: Order, members: list[int]) -> NDArray:
    """Values of chains that start at one anchor.

    If all words are prefixes of the longest one, all chains whose words have at least p maps apply the same map at
    position p, starting from the innermost; `_sweep` handles other words.
    """
    words = [order.word(n) for n in members]
    by_length = sorted(range(len(words)), key=lambda k: len(words[k]))
    ordered = [words[k] for k in by_length]
    lengths = [len(word) for word in ordered]
    X = np.empty((len(members), *anchor.shape), dtype=anchor.dtype)
    X[:] = anchor
    if _are_prefixes(ordered):
        for p in range(lengths[-1], 0, -1):
            live = bisect_left(lengths, p)  # chains from here on have a p-th map
            X[live:] = operators.apply(ordered[-1][p - 1], X[live:])
    else:
        _sweep(operators, X, ordered, np.array(lengths))
    values = np.empty_like(X)
    values[by_length] = X
    return values


def _sweep(operators: Operators, X: NDArray, words: Sequence[Sequence[int]], lengths: NDArray) -> None:
    """Apply arbitrary words in place: at each step, the next map of largest index, to all chains whose next map it is.

    Chains whose words differ in length then share steps: T_1 … T_n T_n … T_1 for n = 1 … N takes 2N steps, not N².
    """
    flat = np.concatenate([part for w in words for part in ([0], np.asarray(w, dtype=int))])  # a 0 before each word
    position = np.cumsum(lengths + 1) - 1  # of each chain's next map; at the 0 when the chain is done
    while (i := int((pending := flat[position]).max())) > 0:
        chosen = np.flatnonzero(pending == i)
        X[chosen] = operators.apply(i, X[chosen])
        position[chosen] -= 1


def _are_prefixes(words: list[Sequence[int]]) -> bool:
    """Whether all words are ranges with step 1 and the same first index, so that each is a prefix of the longest."""
    first = words[-1][:1]
    return all(isinstance(w, range) and w.step == 1 and (len(w) == 0 or w[:1] == first) for w in words)
