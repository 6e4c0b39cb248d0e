"""When a backward path counts as settled, where no constant is proved: one rule for `backward_limit` and networks.

The horizon doubles, n = 1, 2, 4, … At each, two distances are measured: the coupling, of the iterates n of two starts
under the same maps, and the gap, of iterates n/2 and n of the first start. Either alone can be small by chance or by
construction: two starts of x ↦ |x| + u that differ by a sign agree after one map, and the path still goes to infinity.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AGREEING_HORIZONS", "Settling"]

#: At so many successive horizons both distances must be at most eps.
AGREEING_HORIZONS = 2


@dataclass
class Settling:
    """Decide, horizon by horizon, whether a path has settled to ``eps``. It is an estimate, never a certificate.

    Parameters
    ----------
    eps
        What both distances must not exceed.

    Examples
    --------
    >>> rule = Settling(eps=0.1)
    >>> [rule.after(coupling=0.0, gap=gap) for gap in (float("inf"), 0.3, 0.05, 0.02)]
    [False, False, False, True]
    """

    eps: float
    agreeing: int = 0

    def after(self, *, coupling: float, gap: float) -> bool:
        """Return whether the path has settled, given the distances at the next horizon (``gap`` is inf at the first).

        NaN never agrees.
        """
        self.agreeing = self.agreeing + 1 if coupling <= self.eps and gap <= self.eps else 0
        return self.agreeing >= AGREEING_HORIZONS
