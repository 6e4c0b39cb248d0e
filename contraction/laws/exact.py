"""Exact laws of iterates of finitely many maps in rational arithmetic, and their exact comparison (Theorem 2.6).

A law of (T_1, …, T_n) over finitely many maps gives each word of map numbers a probability, and the law of an iterate
is its image. Theorem 2.6 says that forward and backward laws agree for i.i.d. maps; it is enough that the word has the
law of its reversal. Laws map points to rational masses and are compared exactly. If two laws differ, the comparison
names an atom and its two masses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contraction.arguments import check_function, check_type
from contraction.laws import _words
from contraction.laws._words import as_fraction
from contraction.types import Atom, Exact, Number
from contraction.values import Value, plain

__all__ = ["ExactLaw", "LawComparison", "compare_laws"]


class ExactLaw(Mapping):
    """A law with finitely many atoms, all rational: a read-only mapping {point: Fraction}.

    Points are Fractions, tuples of Fractions, or other hashable values of the maps. ``law == other`` is exact.

    Parameters
    ----------
    masses
        {point: mass}; masses are positive rationals with sum one (zeros are dropped).

    Raises
    ------
    ValueError
        If a mass is negative or the masses do not sum to one.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> law = laws.ExactLaw({0: Fraction(1, 3), 1: Fraction(2, 3)})
    >>> law.mean(), law.variance()
    (Fraction(2, 3), Fraction(2, 9))
    >>> law.expectation(lambda x: x**2), law.cdf(0)
    (Fraction(2, 3), Fraction(1, 3))
    >>> law.image(lambda x: 5 * x).counter()
    {Fraction(0, 1): Fraction(1, 3), Fraction(5, 1): Fraction(2, 3)}
    >>> law.floats()
    (array([0., 1.]), array([0.33333333, 0.66666667]))
    >>> law.to_dict()
    {'type': 'ExactLaw', 'masses': [['0', '1/3'], ['1', '2/3']]}
    """

    def __init__(self, masses: Mapping[Atom, Exact]) -> None:
        check_type("masses", masses, Mapping, "a dictionary {point: mass}")
        exact: dict[Hashable, Fraction] = {}
        for point, mass in masses.items():
            key = _words.as_hashable(point)
            exact[key] = exact.get(key, Fraction(0)) + as_fraction(mass)
        if any(m < 0 for m in exact.values()) or sum(exact.values()) != 1:
            raise ValueError(f"masses must be >= 0 and sum to one, got the sum {sum(exact.values())}")
        self._counter: dict[Hashable, Fraction] | None = {p: m for p, m in exact.items() if m}
        self._atoms: NDArray | None = None  # integers (K, d) over _scale, masses over _total: the fast representation
        self._masses: NDArray = np.empty(0)
        self._scale = self._total = 1
        self._scalar = True

    @classmethod
    def from_integers(cls, values: NDArray, scale: int, masses: NDArray | None, total: int, scalar: bool) -> ExactLaw:
        """Return the law of values (K, d) / scale with masses (K,) / total; equal atoms are merged.

        Without masses every value has mass 1 / total.

        Raises
        ------
        ValueError
            If the masses do not sum to one.

        Examples
        --------
        >>> import numpy as np
        >>> from contraction.laws import ExactLaw
        >>> law = ExactLaw.from_integers(np.array([[0], [1], [1]]), scale=2, masses=None, total=3, scalar=True)
        >>> law.counter()  # the values 0, 1/2 and 1/2 with mass 1/3 each
        {Fraction(0, 1): Fraction(1, 3), Fraction(1, 2): Fraction(2, 3)}
        """
        law = cls.__new__(cls)
        law._counter = None
        law._atoms, law._masses = _words.collect(values, masses)
        law._scale, law._total, law._scalar = scale, total, scalar
        if int(np.sum(law._masses)) != total:
            raise ValueError(f"masses must sum to one, got {Fraction(int(np.sum(law._masses)), total)}")
        return law

    def counter(self) -> dict[Atom, Fraction]:
        """Return the law as a plain dictionary {point: Fraction}."""
        if self._counter is None:
            assert self._atoms is not None
            points = ([Fraction(x, self._scale) for x in row] for row in self._atoms.tolist())
            keys = (p[0] if self._scalar else tuple(p) for p in points)
            masses = (Fraction(m, self._total) for m in self._masses.tolist())
            self._counter = dict(zip(keys, masses, strict=True))
        return dict(self._counter)

    def __getitem__(self, point: Atom) -> Fraction:
        if self._counter is None:
            self.counter()
        assert self._counter is not None
        return self._counter[point]

    def __iter__(self) -> Iterator[Atom]:
        return iter(self.counter())

    def __len__(self) -> int:
        return len(self._counter) if self._atoms is None and self._counter is not None else len(self._masses)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExactLaw) and bool(compare_laws(self, other, witness=False))

    def __hash__(self) -> int:
        return hash(frozenset(self.counter().items()))

    def to_dict(self) -> dict[str, object]:
        """Return ``"type"`` and ``"masses"``, a JSON-ready list of pairs (atom, mass) with Fractions as strings."""
        return {"type": "ExactLaw", "masses": plain(list(self.counter().items()))}

    def __repr__(self) -> str:
        shown = list(self.counter().items()) if len(self) <= 8 else []
        return (
            f"<ExactLaw of {len(self)} atoms>"
            if not shown
            else f"<ExactLaw {', '.join(f'{p}: {m}' for p, m in shown)}>"
        )

    # --- moments ----------------------------------------------------------------------------------------------

    def expectation(self, function: Callable[[Atom], Number]) -> Number:
        """E f(X) for a function f of one point; exact if f is exact."""
        check_function("the function", function, "of one point")
        return sum(mass * function(point) for point, mass in self.counter().items())

    def mean(self) -> Atom:
        """Mean, exact: a Fraction, or a tuple for points with coordinates."""
        if self._scalar_points():
            return self.expectation(lambda x: x)
        columns = zip(*([m * x for x in p] for p, m in self.counter().items()), strict=True)
        return tuple(sum(column) for column in columns)

    def variance(self) -> Number:
        """Variance of a real law, or the sum of those of the coordinates (the trace of the covariance), exact."""
        mean = self.mean()
        if self._scalar_points():
            return self.expectation(lambda x: (x - mean) ** 2)
        return self.expectation(lambda p: sum((x - m) ** 2 for x, m in zip(p, mean, strict=True)))

    def cdf(self, x: Atom) -> Fraction:
        """P(X <= x) for a real law; componentwise for points with coordinates.

        Raises
        ------
        ValueError
            If x is not a number, infinity included, or not as many numbers as the points have coordinates.
        """
        scalar = self._scalar_points()
        entries = [x] if scalar or isinstance(x, str | bytes) or not isinstance(x, Iterable) else list(x)
        d = 1 if scalar else len(next(iter(self.counter())))
        if len(entries) != d or not all(_is_real(entry) for entry in entries):
            raise ValueError(f"x must be {'a number' if scalar else f'{d} numbers'}, got {x!r}")
        if scalar:
            return sum((m for p, m in self.counter().items() if p <= x), Fraction(0))
        inside = (m for p, m in self.counter().items() if all(a <= b for a, b in zip(p, x, strict=True)))
        return sum(inside, Fraction(0))

    def image(self, function: Callable[[Atom], Atom]) -> ExactLaw:
        """Return the law of f(X)."""
        check_function("the function", function, "of one point")
        masses: dict[Hashable, Fraction] = {}
        for point, mass in self.counter().items():
            key = _words.as_hashable(function(point))
            masses[key] = masses.get(key, Fraction(0)) + mass
        return ExactLaw(masses)

    def floats(self) -> tuple[NDArray, NDArray]:
        """Atoms (K,) or (K, d) and masses (K,) rounded to float64, atoms sorted."""
        self._scalar_points()
        ordered = sorted(self.counter().items())
        return np.array([p for p, _ in ordered], dtype=float), np.array([m for _, m in ordered], dtype=float)

    def _scalar_points(self) -> bool:
        """Return whether the points are numbers, and not vectors of one length.

        Raises
        ------
        TypeError
            If they are neither, so that they have no mean and no order.
        """
        if self._atoms is not None:
            return self._scalar
        lengths = {len(p) if isinstance(p, tuple) else -1 for p in self.counter()}
        flat = [x for p in self.counter() for x in (p if isinstance(p, tuple) else (p,))]
        if len(lengths) > 1 or not all(_is_real(x) for x in flat):
            raise TypeError(f"moments need points that are all numbers, or vectors of one length, got {self!r}")
        return -1 in lengths


def _is_real(x: object) -> bool:
    """Return whether x is a real number that can be compared: not text, not complex, not NaN."""
    if isinstance(x, bool | str | bytes):
        return False
    try:
        return bool(x == x and (x <= 0 or x > 0))  # type: ignore[operator]
    except TypeError:
        return False


@dataclass(frozen=True, eq=False)
class LawComparison(Value):
    """Whether two exact laws are equal, with an atom at which they differ.

    Attributes
    ----------
    equal : bool
        Whether the laws are equal.
    atom : object or None
        The atom at which the masses differ most; None if the laws are equal or no witness was requested.
    masses : tuple of Fraction or None
        The two masses of that atom.
    total_variation : Fraction or None
        sup_B |P(B) - Q(B)|, exact; 0 if equal.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import families, laws
    >>> half, quarter = Fraction(1, 2), Fraction(1, 4)
    >>> maps = [(half, Fraction(0)), (quarter, Fraction(1))]
    >>> bool(laws.compare_orders(maps, 3))  # independent maps: the two orders have one law
    True
    >>> cyclic = laws.compare_orders(maps, 2, index_law=families.Cyclic(2))  # T_1, T_2, T_1, … without randomness
    >>> cyclic.equal, cyclic.atom, cyclic.masses
    (False, Fraction(1, 1), (Fraction(1, 1), Fraction(0, 1)))
    """

    equal: bool
    atom: Atom | None = None
    masses: tuple[Fraction, Fraction] | None = None
    total_variation: Fraction | None = None

    def __bool__(self) -> bool:
        return self.equal

    def __str__(self) -> str:
        if self.equal:
            return "the laws are equal"
        if self.masses is None:
            return "the laws differ"
        return f"the laws differ: the atom {self.atom} has masses {self.masses[0]} and {self.masses[1]}"


def compare_laws(first: ExactLaw, second: ExactLaw, *, witness: bool = True) -> LawComparison:
    """Decide exactly whether two laws are equal; if not, name an atom and both of its masses.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> coin = laws.ExactLaw({0: Fraction(1, 2), 1: Fraction(1, 2)})
    >>> biased = laws.ExactLaw({0: Fraction(1, 3), 1: Fraction(2, 3)})
    >>> laws.compare_laws(coin, biased).total_variation
    Fraction(1, 6)
    """
    for law in (first, second):
        check_type("a law", law, ExactLaw, "an ExactLaw")
    if _equal_integers(first, second):
        return LawComparison(True, total_variation=Fraction(0))
    if not witness and first._atoms is not None and second._atoms is not None:
        return LawComparison(False)
    a, b = first.counter(), second.counter()
    if a == b:
        return LawComparison(True, total_variation=Fraction(0))
    gaps = {p: a.get(p, Fraction(0)) - b.get(p, Fraction(0)) for p in {**a, **b}}
    atom = max(gaps, key=lambda p: abs(gaps[p]))
    masses = (a.get(atom, Fraction(0)), b.get(atom, Fraction(0)))
    return LawComparison(False, atom, masses, sum((abs(g) for g in gaps.values()), Fraction(0)) / 2)


def _equal_integers(first: ExactLaw, second: ExactLaw) -> bool:
    """Whether both laws have equal integer representations; False also if a law has no such representation."""
    x, y = first._atoms, second._atoms
    if x is None or y is None or x.shape != y.shape or first._scalar != second._scalar:
        return False
    return _proportional(x, first._scale, y, second._scale) and _proportional(
        first._masses, first._total, second._masses, second._total
    )


def _proportional(x: NDArray, x_scale: int, y: NDArray, y_scale: int) -> bool:
    """Return whether x / x_scale == y / y_scale entrywise, in integers."""
    if x_scale == y_scale:
        return bool(np.array_equal(x, y))
    common = math.lcm(x_scale, y_scale)
    return bool(np.array_equal(_words.rescaled(x, common // x_scale), _words.rescaled(y, common // y_scale)))
