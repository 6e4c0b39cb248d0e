"""Iteration orders: the maps that are applied for iterate n, and their order (standard library only).

An order says, for each n >= 1, an *anchor* m < n and a *word*: iterate n is the word applied to iterate m.
A word is a sequence of 1-based indices in the order in which the paper writes compositions: leftmost = outermost =
applied last, so the word (1, 2, 3) at anchor 0 is T_1 T_2 T_3 (θ_0). A word may name a map several times and may be
longer than n; NumPy integers count as integers. Orders depend on neither NumPy nor torch. Both packages of this project
use these objects, and any object with the two methods is an order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from numbers import Integral
from typing import Protocol, runtime_checkable

from contraction.arguments import check_flag, check_integer
from contraction.types import override

__all__ = [
    "Backward",
    "CustomOrder",
    "Epochs",
    "Forward",
    "Late",
    "Order",
    "PairedReversal",
    "Repeated",
    "Reset",
    "Windowed",
    "anchors",
    "chain",
    "check_order",
    "full_word",
    "map_applications",
]


@runtime_checkable
class Order(Protocol):
    """For each n >= 1 an anchor m < n and a word applied to iterate m."""

    def anchor(self, n: int) -> int:
        """Return the index m < n of the iterate that the word of n is applied to."""
        ...

    def word(self, n: int) -> Sequence[int]:
        """Return the 1-based indices of the maps applied to the anchor, outermost first."""
        ...


@dataclass(frozen=True)
class Forward(Order):
    """The usual order of a stochastic optimizer: iterate n is T_n … T_1 (θ_0) = T_n (iterate n-1).

    Examples
    --------
    >>> import contraction as ct
    >>> from contraction.maps.orders import full_word
    >>> full_word(ct.Forward(), 3)
    [3, 2, 1]
    """

    @override
    def anchor(self, n: int) -> int:
        return check_integer("n", n, 1) - 1

    @override
    def word(self, n: int) -> Sequence[int]:
        return range(n, n + 1)


@dataclass(frozen=True)
class Backward(Order):
    """The reverse order of Theorem 2.2: iterate n is T_1 T_2 … T_n (θ_0).

    Examples
    --------
    >>> import contraction as ct
    >>> from contraction.maps.orders import full_word
    >>> full_word(ct.Backward(), 3)
    [1, 2, 3]
    """

    @override
    def anchor(self, n: int) -> int:
        check_integer("n", n, 1)
        return 0

    @override
    def word(self, n: int) -> Sequence[int]:
        return range(1, n + 1)


@dataclass(frozen=True)
class Windowed(Order):
    """Backward inside windows of ``w`` maps, each from the end of the window before ("intermittent", Section 4).

    Iterate n is T_{m+1} … T_n (iterate m) with m = w⌊(n-1)/w⌋.

    Examples
    --------
    >>> import contraction as ct
    >>> from contraction.maps.orders import full_word
    >>> full_word(ct.Windowed(2), 4)
    [3, 4, 1, 2]
    """

    w: int

    def __post_init__(self) -> None:
        check_integer("the window w", self.w, 1)

    @override
    def anchor(self, n: int) -> int:
        return self.w * ((check_integer("n", n, 1) - 1) // self.w)

    @override
    def word(self, n: int) -> Sequence[int]:
        return range(self.anchor(n) + 1, n + 1)


@dataclass(frozen=True, init=False)
class Reset(Order):
    """Backward, restarted from the iterate reached at each of the given points (Figures 3 and 13).

    Parameters
    ----------
    points
        Indices of at least 1, in any order. Iterate n is T_{m+1} … T_n (iterate m), m the last point below n (or 0).

    Raises
    ------
    TypeError
        If ``points`` is not an iterable, such as a single number.
    ValueError
        If a point is not an integer of at least 1.

    Examples
    --------
    >>> import contraction as ct
    >>> from contraction.maps.orders import full_word
    >>> full_word(ct.Reset([2]), 4)
    [3, 4, 1, 2]
    """

    points: tuple[int, ...]

    def __init__(self, points: Iterable[int]) -> None:
        if not isinstance(points, Iterable):
            raise TypeError(f"the points of a Reset must be a list of indices, as in Reset([5]), got {points!r}")
        object.__setattr__(self, "points", tuple(sorted({check_integer("a reset point", p, 1) for p in points})))

    @override
    def anchor(self, n: int) -> int:
        position = bisect_left(self.points, check_integer("n", n, 1))
        return self.points[position - 1] if position else 0

    @override
    def word(self, n: int) -> Sequence[int]:
        return range(self.anchor(n) + 1, n + 1)


@dataclass(frozen=True)
class Late(Order):
    """Forward up to iterate ``s``, then backward from it (Figure 10): T_{s+1} … T_n (iterate s) for n > s.

    Examples
    --------
    >>> import contraction as ct
    >>> from contraction.maps.orders import full_word
    >>> full_word(ct.Late(2), 4)
    [3, 4, 2, 1]
    """

    s: int

    def __post_init__(self) -> None:
        check_integer("the switch s", self.s)

    @override
    def anchor(self, n: int) -> int:
        return self.s if check_integer("n", n, 1) > self.s else n - 1

    @override
    def word(self, n: int) -> Sequence[int]:
        return range(self.anchor(n) + 1, n + 1)


@dataclass(frozen=True)
class PairedReversal(Order):
    """Each map twice, in one order and then in the reverse: iterate n is T_1 … T_n T_n … T_1 (θ_0).

    For gradient steps of size h, permuting the maps changes this iterate by O(h³) only, instead of O(h²)
    (`contraction.statements`, row 81).

    Examples
    --------
    >>> from contraction import PairedReversal
    >>> list(PairedReversal().word(3))
    [1, 2, 3, 3, 2, 1]
    """

    @override
    def anchor(self, n: int) -> int:
        check_integer("n", n, 1)
        return 0

    @override
    def word(self, n: int) -> Sequence[int]:
        return (*range(1, n + 1), *range(n, 0, -1))


@dataclass(frozen=True)
class Repeated(Order):
    """The backward word repeated ``k`` times: iterate n is (T_1 … T_n)^k (θ_0), and ``Repeated(1)`` is backward.

    Examples
    --------
    >>> from contraction import Repeated
    >>> list(Repeated(2).word(3))
    [1, 2, 3, 1, 2, 3]
    """

    k: int

    def __post_init__(self) -> None:
        check_integer("the number of repetitions k", self.k, 1)

    @override
    def anchor(self, n: int) -> int:
        check_integer("n", n, 1)
        return 0

    @override
    def word(self, n: int) -> Sequence[int]:
        return range(1, n + 1) if self.k == 1 else tuple(range(1, n + 1)) * self.k


@dataclass(frozen=True)
class Epochs(Order):
    """The usual order over the same ``N`` maps in every epoch: iterate n is T_i (iterate n-1), i = 1 … N, 1 … N, ….

    Parameters
    ----------
    N
        Number of maps per epoch, at least 1. The index of an iterate may exceed N.
    forth_and_back
        If true, every second epoch takes the maps in reverse, i = 1 … N, N … 1, 1 … N, …, so that iterate 2N is
        iterate N of `PairedReversal` (default: False).

    Examples
    --------
    >>> from contraction import Epochs
    >>> [Epochs(3, forth_and_back=True).word(n)[0] for n in range(1, 8)]
    [1, 2, 3, 3, 2, 1, 1]
    """

    N: int
    forth_and_back: bool = False

    def __post_init__(self) -> None:
        check_integer("the number N of maps per epoch", self.N, 1)
        check_flag("forth_and_back", self.forth_and_back)

    @override
    def anchor(self, n: int) -> int:
        return check_integer("n", n, 1) - 1

    @override
    def word(self, n: int) -> Sequence[int]:
        epoch, position = divmod(check_integer("n", n, 1) - 1, self.N)
        i = self.N - position if self.forth_and_back and epoch % 2 else position + 1
        return range(i, i + 1)


@dataclass(frozen=True)
class CustomOrder(Order):
    """An order defined by two functions; without ``anchors`` every word starts at θ_0.

    Parameters
    ----------
    words
        n -> sequence of 1-based indices, outermost first.
    anchors
        n -> anchor m < n; None for m = 0 always.
    settles
        p -> n: declares that the p outermost maps of the words, written out from θ_0, do not change from iterate n
        on. With it `contraction.order_convergence` can decide that iterates converge, after checking the declaration up
        to its horizon. None if nothing is declared.

    Raises
    ------
    TypeError
        If one of them is not a function.

    Examples
    --------
    >>> import contraction as ct
    >>> from contraction.maps.orders import full_word
    >>> even_first = ct.CustomOrder(lambda n: [*range(2, n + 1, 2), *range(1, n + 1, 2)])
    >>> full_word(even_first, 4)
    [2, 4, 1, 3]
    """

    words: Callable[[int], Sequence[int]]
    anchors: Callable[[int], int] | None = None
    settles: Callable[[int], int] | None = None

    def __post_init__(self) -> None:
        for name, given, form in (
            ("words", self.words, "n -> the indices of the maps of iterate n, such as lambda n: range(1, n + 1)"),
            ("anchors", self.anchors, "n -> the anchor of iterate n, such as lambda n: 0"),
            ("settles", self.settles, "p -> the iterate from which the p outermost maps stay, such as lambda p: p"),
        ):
            if not callable(given) and (given is not None or name == "words"):
                raise TypeError(f"{name} must be a function {form}; got {given!r}")

    @override
    def anchor(self, n: int) -> int:
        check_integer("n", n, 1)
        return 0 if self.anchors is None else self.anchors(n)

    @override
    def word(self, n: int) -> Sequence[int]:
        word = self.words(n)
        return word if isinstance(word, Sized) else tuple(word)


def chain(order: Order, n: int, known: Container[int] = ()) -> Iterator[tuple[int, int]]:
    """Yield (n, its anchor), (that anchor, its anchor), … down to 0 or to an iterate that is in ``known``.

    `anchors`, `full_word` and `map_applications` use it.

    Raises
    ------
    ValueError
        If an anchor is not an integer in 0 … n-1.
    """
    while n > 0 and n not in known:
        anchor = order.anchor(n)
        if isinstance(anchor, bool) or not isinstance(anchor, Integral) or not 0 <= anchor < n:
            raise ValueError(f"the anchor of iterate {n} must be an integer in 0 … {n - 1}, got {anchor!r}")
        yield n, int(anchor)
        n = int(anchor)


def anchors(order: Order, at: Iterable[int]) -> dict[int, int]:
    """Return the anchors of the iterates ``at`` and of all iterates from which they are computed.

    Parameters
    ----------
    order : Order
        Any object with ``anchor(n)`` and ``word(n)``.
    at : iterable of int
        Indices of iterates, at least 0.

    Returns
    -------
    dict of int to int
        Index of an iterate above 0 -> index of its anchor. From each new index of ``at`` the function follows the
        anchors down to 0 or to an iterate that is already in the mapping, so for a single n the keys are n, its anchor,
        the anchor of its anchor, and so on.

    Raises
    ------
    ValueError
        If an anchor is not an integer in 0 … n-1.

    Examples
    --------
    >>> anchors(Windowed(3), [7, 2])
    {7: 6, 6: 3, 3: 0, 2: 0}
    """
    known: dict[int, int] = {}
    for n in at:
        known.update(chain(order, n, known))
    return known


def full_word(order: Order, n: int) -> list[int]:
    """Return the indices of all maps between θ_0 and iterate n, outermost first.

    Examples
    --------
    >>> full_word(Windowed(3), 7)
    [7, 4, 5, 6, 1, 2, 3]
    """
    return [int(i) for m, _ in chain(order, n) for i in order.word(m)]


def map_applications(order: Order, at: Iterable[int]) -> int:
    """Return how many maps a plain loop applies for the iterates ``at`` and the anchors they need.

    Backward iterates 1 … N cost N(N+1)/2 applications, forward ones N. For a single iterate n this is the length of
    ``full_word(order, n)``.

    Examples
    --------
    >>> map_applications(Backward(), range(5)), map_applications(Backward(), [4]), map_applications(Forward(), range(5))
    (10, 4, 4)
    >>> map_applications(PairedReversal(), [4]), map_applications(Epochs(4), [12])
    (8, 12)
    """
    return sum(len(order.word(n)) for n in anchors(order, at))


def check_order(order: Order, at: Iterable[int], available: int | None = None) -> None:
    """Raise an error unless the order is valid for the iterates ``at`` of maps T_1 … T_available (None: any number).

    Raises
    ------
    TypeError
        If ``order`` lacks the methods anchor and word.
    ValueError
        If an anchor is not an integer in 0 … n-1, or a word names a map that does not exist.
    """
    if isinstance(order, type) or not isinstance(order, Order):
        raise TypeError(f"an order is an object with methods anchor(n) and word(n), such as Backward(), got {order!r}")
    for n in anchors(order, at):
        word = order.word(n)
        named = (word[0], word[-1]) if isinstance(word, range) and len(word) else tuple(word)
        for i in named:
            whole = isinstance(i, Integral) and not isinstance(i, bool)
            if not whole or i < 1 or (available is not None and i > available):
                last = "" if available is None else available
                shown = int(i) if whole else repr(i)
                raise ValueError(f"the word of iterate {n} names map {shown}; the maps are 1 … {last}".rstrip())
