"""Example 2.4: constant maps, which send every point to the same point."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from contraction.families.finite import FiniteFamily
from contraction.families.index_laws import IndexLaw
from contraction.maps.constants import Constant
from contraction.types import Draw, Number, Numbers, override

__all__ = ["ConstantMaps"]


class ConstantMaps(FiniteFamily):
    """T_i(θ) = x_i, one of finitely many points (Example 2.4 has two): k = 0.

    Backward iterates are constant from n = 1 on, forward iterates never settle; both have the law of the points.

    Parameters
    ----------
    points
        The points, shape (M, d) (numbers for d = 1); integers and Fractions stay exact.
    weights, law
        As in `FiniteFamily`.

    Examples
    --------
    >>> import contraction as ct
    >>> maps = ct.families.ConstantMaps([[0.0], [1.0]]).sample(5, seed=0)
    >>> values = ct.backward_iterates(maps, [0.5])[1:, 0]
    >>> bool((values == values[0]).all())
    True
    """

    def __init__(
        self, points: Iterable[Numbers], weights: Iterable[Number] | None = None, *, law: IndexLaw | None = None
    ) -> None:
        super().__init__([(0, point) for point in points], weights, law=law, name="ConstantMaps")

    @override
    def apply(self, theta: NDArray, draw: Draw) -> NDArray:
        exact = theta.dtype.kind in "iubO" and self._exact_table is not None
        table = self._exact_table if exact else self._table
        assert table is not None
        return np.broadcast_to(table.b[draw], np.broadcast_shapes(theta.shape, table.b[draw].shape)).copy()

    @property
    @override
    def contraction(self) -> Constant:
        return Constant(0.0, "proved", "constant maps (Example 2.4)")

    @property
    def stationary_support(self) -> list[tuple[Number, NDArray]] | None:
        """The stationary law, which is the law of the points.

        Returns
        -------
        list or None
            Pairs (probability, point); None unless the maps are i.i.d.

        Examples
        --------
        >>> from contraction.families import ConstantMaps
        >>> ConstantMaps([[0.0], [1.0]]).stationary_support
        [(Fraction(1, 2), array([0.])), (Fraction(1, 2), array([1.]))]
        """
        if not self.law.is_iid or self.weights is None:
            return None
        table = self._table if self._exact_table is None else self._exact_table
        assert table is not None
        return [(self.weights[i], table.b[i]) for i in self._live()]
