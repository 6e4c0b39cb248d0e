"""What a diagnosis measures, as arrays (NumPy)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.values import Value

__all__ = ["AHEAD", "FLOOR", "INDEPENDENT", "NEAR", "NEXT", "START", "TRAVELLED", "Measured"]

#: Columns of distances from the run at θ_0 under the same maps: of the run that is one step ahead, of the run that is
#: `Measured.lag` steps ahead, of an independent run, of θ_0 itself, and of the run from another start (NaN without
#: one).
NEXT, AHEAD, INDEPENDENT, TRAVELLED, START = range(5)
#: The unit of distance is at least this share of the distance travelled from θ_0.
FLOOR = 0.01
#: Pairs are held this far apart, in units of the distance that counts as settled.
NEAR = 0.1


@dataclass(frozen=True, eq=False)
class Measured(Value):
    """Distances of forward runs under the same maps, and the growth of small differences, by replicate.

    Attributes
    ----------
    steps, lag
        N, and how many steps the second run is ahead.
    eps
        The distance that counts as settled, in units.
    n
        (K,) steps at which distances are measured, from 0 to N.
    parameter, function
        (R, K, 5): distances from the run at θ_0 in the parameters (Euclidean) and in the predictions (root mean square
        over the inputs of the Euclidean distance), columns as above. NaN after a replicate has diverged.
    diverged
        (R,) the first n of ``n`` at which a run was not finite or beyond all bounds, −1 if none.
    derivative
        (R,) exponents of the derivative per step over the last part of the run, or empty.
    derivative_by
        How they were found, or why there are none.
    pairs
        (R,) exponents per step, over the second half, of pairs held `NEAR`·eps units apart.
    jumps
        (R, E) sizes of the jumps that were found between the two states of a pair by one map, in units of the pair's
        distance, at the maps that drove it apart most; 0 where there is none, NaN where it was not examined.
    homogeneous
        Whether the same law goes on beyond N.
    """

    steps: int
    lag: int
    eps: float
    n: NDArray
    parameter: NDArray
    function: NDArray
    diverged: NDArray
    derivative: NDArray
    derivative_by: str
    pairs: NDArray
    jumps: NDArray
    homogeneous: bool

    @property
    def replicates(self) -> int:
        """The number of independent draws of the batches."""
        return len(self.parameter)

    def distances(self, space: str) -> NDArray:
        """Return (R, K, 5) distances, in the ``"parameters"`` or the ``"predictions"``."""
        return {"parameters": self.parameter, "predictions": self.function}[space]

    def unit(self, space: str) -> NDArray:
        """Return (R, K): the distance of two independent runs, at least `FLOOR` times the distance from θ_0."""
        values = self.distances(space)
        return np.maximum(values[..., INDEPENDENT], FLOOR * values[..., TRAVELLED])

    def ratio(self, space: str, column: int) -> NDArray:
        """Return (R, K) distances in units; NaN where the unit is 0, as at n = 0."""
        unit = self.unit(space)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(unit > 0, self.distances(space)[..., column] / unit, np.nan)
