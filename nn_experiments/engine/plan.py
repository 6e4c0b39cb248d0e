"""Segments of maps that compute the requested iterates of an order (no torch)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contraction.arguments import check_integer
from contraction.maps.orders import Order, anchors, check_order

__all__ = ["Segment", "bottlenecks", "check_iterates", "plan"]


@dataclass(frozen=True)
class Segment:
    """A sequence of maps applied to an earlier iterate.

    Attributes
    ----------
    n
        The iterate that it ends in.
    anchor
        The iterate it starts from; 0 or the ``n`` of an earlier segment.
    indices
        Indices of the maps, in the order in which they are applied.
    before
        Number of maps from θ_0 to the anchor; the first map of the segment has t = before + 1.
    outermost
        Index of the map applied last to reach n.
    """

    n: int
    anchor: int
    indices: Sequence[int]
    before: int
    outermost: int

    @property
    def depth(self) -> int:
        """Number of maps applied at iterate n, counted from θ_0."""
        return self.before + len(self.indices)


def check_iterates(at: Iterable[int]) -> list[int]:
    """Return the numbers of iterates in increasing order and without repetitions.

    Raises
    ------
    TypeError
        If ``at`` is not a sequence.
    ValueError
        If ``at`` is empty, or an entry is negative or not an integer.
    """
    if not isinstance(at, Iterable):
        raise TypeError(f"at must be a sequence of iterates, such as range(0, 101, 10) or [10]; got {at!r}")
    numbers = sorted({check_integer("the index of an iterate", n) for n in at})
    if not numbers:
        raise ValueError("at names no iterate")
    return numbers


def plan(order: Order, at: Sequence[int]) -> list[Segment]:
    """Return segments for all iterates in ``at`` and for the anchors that they share, each after its anchor.

    An anchor that only one segment needs and that is not in ``at`` gets no segment: the forward iterates 100, 200, …
    are segments of 100 maps each.

    Parameters
    ----------
    order
        From ``contraction.maps.orders``, or your own.
    at
        Numbers of iterates.

    Returns
    -------
    list of Segment
        By increasing ``n``.

    Raises
    ------
    ValueError
        If an anchor is not less than its iterate, or a word has an entry that is not an index of at least 1.
    """
    check_order(order, at)
    parents = anchors(order, at)
    children = Counter(parents.values())
    wanted = set(at)
    ends = {n for n in parents if n in wanted or children[n] > 1}
    depth = {0: 0}
    segments: list[Segment] = []
    for n in sorted(ends):
        words = [order.word(n)]
        anchor = parents[n]
        while anchor > 0 and anchor not in ends:
            words.append(order.word(anchor))
            anchor = parents[anchor]
        if len(words) == 1 and isinstance(words[0], range):
            indices: Sequence[int] = words[0][::-1]
        else:
            indices = [int(i) for word in reversed(words) for i in reversed(word)]
        outermost = next((int(word[0]) for word in words if len(word)), 0)
        if not outermost and anchor:
            outermost = next(earlier.outermost for earlier in segments if earlier.n == anchor)
        segments.append(Segment(n, anchor, indices, depth[anchor], outermost))
        depth[n] = segments[-1].depth
    return segments


def bottlenecks(segments: Sequence[Segment]) -> set[int]:
    """Return the iterates that all later segments lead through: a stopped computation can go on from any of them.

    They are all but the last one for ``Forward``, and none for ``Backward``, each iterate of which starts at θ_0.

    Parameters
    ----------
    segments
        A plan, by increasing ``n``.
    """
    found: set[int] = set()
    earliest: int | None = None  # the earliest anchor of the later segments
    for segment in reversed(segments):
        if earliest is not None and earliest >= segment.n:
            found.add(segment.n)
        earliest = segment.anchor if earliest is None else min(earliest, segment.anchor)
    return found
