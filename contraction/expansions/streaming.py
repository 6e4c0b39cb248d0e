"""Corollary C.4: the approximate backward iterate computed from a stream of maps, and its cost.

The paper says that the correction needs "an additional variable C_n of the same size as the network parameters" and can
cost less than evaluating the backward iterates. The counts for iterates 1 … N in dimension d, in evaluations of one
field (V) and Jacobian-vector products (J):

    ==========================  =============  ========================  ==================================
    way                         V              J                         memory beside θ, C
    ==========================  =============  ========================  ==================================
    exact backward iterates     N(N+1)/2       0                         every batch
    "dense"                     2N − 1         (N−1)(d+1)                g (d) and H (d²)
    "replay"                    2N − 1         (N−1)(N+2)/2              g (d) and every batch
    one N in two passes         3N (2N: 1)     N                         O(d) and every batch, twice
    exact, one N                N              0                         every batch
    ==========================  =============  ========================  ==================================

(1: if a field evaluates V and its products together, see `VectorField.linearize`.) An exact stream must store H, since
H_n v for an arbitrary next gradient determines d(d+1)/2 numbers. "replay" takes N(N−1)/2 products for H_n V_n and N − 1
products for V_n' g_n, which is not less than the N(N+1)/2 evaluations that it replaces. "dense" is cheaper only if N is
at least about 2d. A single corrected iterate costs more than the single exact iterate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contraction.arguments import check_choice, check_integer
from contraction.expansions.coefficients import minus_lie_bracket_sum
from contraction.expansions.composition import compose
from contraction.expansions.fields import VectorField, check_fields, check_not_text, check_theta, zeros_stack
from contraction.types import Scalar, Vector
from contraction.values import Value

__all__ = ["ApproximateBackward", "CorrectionCost", "approximate_backward_iterate", "correction_cost"]


@dataclass(frozen=True, eq=False)
class CorrectionCost(Value):
    """Numbers of evaluations of V, of Jacobian-vector products, and of stored entries in addition to θ and C.

    The counts are those of row 61, on what Appendix C says before Corollary C.4.

    Examples
    --------
    >>> from contraction.expansions import correction_cost
    >>> correction_cost("dense", n=10, d=3)
    CorrectionCost(fields=19, products=36, numbers=12, batches=1)
    """

    fields: int
    products: int
    numbers: int
    batches: int


class ApproximateBackward:
    """The iterates θ̃_n = θ_n + h²C_n of Corollary C.4, one field at a time.

    For n ≥ 2, with g, H, C zero at n = 1 (the paper's recursion at n = 1 would need a map 0):

        θ_n = θ_{n−1} + hV_n(θ_{n−1}),  g += V_{n−1}(θ_0),  H += V_{n−1}'(θ_0),  C += H V_n(θ_0) − V_n'(θ_0) g;

    g and H are brought up to n *before* C. The fields need not be gradients. ‖θ̃_n − θ_n^B‖ = O(h³) at fixed n, with a
    constant of order n³: see `contraction.expansions.difference_remainder_bound`.

    Parameters
    ----------
    theta0
        The starting point, shape (d,).
    h
        Learning rate.
    variant
        "dense" keeps the running Hessian H (d × d) and no batch; "replay" keeps the fields and takes a product with
        each at every step. Both give the same numbers.

    Raises
    ------
    ValueError
        If the variant is unknown, or ``theta0`` is not a vector.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import ApproximateBackward, compose, quadratic_field
    >>> rng = np.random.default_rng(0)
    >>> hessians = [np.diag(rng.uniform(1, 2, 2)) + 0.5 for _ in range(5)]
    >>> fields = [quadratic_field(H, rng.normal(size=2)) for H in hessians]  # five batches
    >>> stream = ApproximateBackward(np.zeros(2), h=0.01)
    >>> for field in fields:  # T_1, T_2, … in the order of training
    ...     corrected = stream.step(field)
    >>> exact = compose(fields, [1, 2, 3, 4, 5], np.zeros(2), 0.01)  # T_1 … T_5
    >>> before, after = (np.linalg.norm(x - exact) for x in (stream.forward, corrected))
    >>> bool(after < before / 10)  # the correction removes most of the distance of the two orders
    True
    >>> stream.cost
    CorrectionCost(fields=9, products=12, numbers=6, batches=1)
    """

    def __init__(self, theta0: Vector, h: Scalar, variant: Literal["dense", "replay"] = "dense") -> None:
        check_choice("the variant", variant, ("dense", "replay"))
        check_not_text("the learning rate h", h)
        theta0 = check_theta(theta0)
        if len(theta0.shape) != 1:
            raise ValueError(f"theta0 must be a vector, got shape {tuple(theta0.shape)}")
        self.theta0, self.h, self.variant = theta0, h, variant
        self.n = 0
        self.forward = theta0
        self.correction = theta0 * 0
        self._g = theta0 * 0
        self._columns: Vector = None  # row k is the k-th column of H
        self._past: list[VectorField] = []
        self._last: tuple[VectorField, Vector] | None = None
        self._counts = [0, 0]

    @property
    def iterate(self) -> Vector:
        """θ̃_n = θ_n + h²C_n, shape (d,)."""
        return self.forward + self.h * self.h * self.correction

    @property
    def cost(self) -> CorrectionCost:
        """The cost so far, and the number of entries that are stored now."""
        d = self.theta0.shape[0]
        batches = len(self._past) + 1 if self.variant == "replay" and self.n else min(self.n, 1)
        values, products = self._counts
        return CorrectionCost(values, products, d + (d * d if self.variant == "dense" else 0), batches)

    def step(self, field: VectorField) -> Vector:
        """Process the next field V_n and return θ̃_n."""
        check_fields([field])
        start = self._value(field, self.theta0)
        if self._last is not None:
            previous, previous_start = self._last
            self._g = self._g + previous_start
            self._remember(previous)
            pushed = self._hessian_times(start)
            self.correction = self.correction + pushed - self._product(field, self._g)
            self.forward = self.forward + self.h * self._value(field, self.forward)
        else:
            self.forward = self.forward + self.h * start
        self._last = (field, start)
        self.n += 1
        return self.iterate

    def _value(self, field: VectorField, theta: Vector) -> Vector:
        self._counts[0] += 1
        return field(theta)

    def _product(self, field: VectorField, v: Vector) -> Vector:
        self._counts[1] += 1
        return field.differential(self.theta0, (v,))

    def _remember(self, field: VectorField) -> None:
        if self.variant == "replay":
            self._past.append(field)
            return
        d = self.theta0.shape[0]
        if self._columns is None:
            self._columns = zeros_stack(self.theta0, d)
        for k in range(d):
            unit = self.theta0 * 0
            unit[k] = unit[k] + 1
            self._columns[k] = self._columns[k] + self._product(field, unit)

    def _hessian_times(self, v: Vector) -> Vector:
        if self.variant == "dense":
            return v @ self._columns
        return sum((self._product(past, v) for past in self._past), self.theta0 * 0)


def approximate_backward_iterate(fields: Sequence[VectorField], theta0: Vector, h: Scalar) -> Vector:
    """Return θ̃_n for the one n = len(fields), in two passes and O(d) memory (Definition C.3).

    C_n = Σ_i V_i'w_i with w_i = Σ_{j>i} V_j − Σ_{j<i} V_j at θ_0 (`minus_lie_bracket_sum`): n products, and n values
    for the forward iterate beside n (or 2n, without ``linearize``) at θ_0. The exact θ_n^B costs n values.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import approximate_backward_iterate, compose, quadratic_field
    >>> fields = [quadratic_field(np.diag([1.0, 2.0]), np.ones(2)), quadratic_field(np.ones((2, 2)), np.zeros(2))]
    >>> theta, h = np.array([1.0, 0.0]), 0.1
    >>> approximate_backward_iterate(fields, theta, h).round(4)
    array([0.91, 0.02])
    >>> compose(fields, [1, 2], theta, h).round(4)  # the exact T_1 T_2(θ); two quadratic losses leave no remainder
    array([0.91, 0.02])
    """
    forward = compose(fields, range(len(fields), 0, -1), theta0, h)
    return forward + h * h * minus_lie_bracket_sum(fields, theta0)


def correction_cost(way: str, n: int, d: int) -> CorrectionCost:
    """Return the counts of the module's table for iterates 1 … n (or the one iterate n) in dimension d.

    The counts are those of row 61, on what Appendix C says before Corollary C.4.

    Parameters
    ----------
    way
        "exact", "dense", "replay", "two passes" or "exact, one".
    n, d
        Number of maps, at least 1; dimension, at least 1.

    Raises
    ------
    ValueError
        If the way is unknown, or n or d is below 1.

    Examples
    --------
    >>> from contraction.expansions import correction_cost
    >>> for way in ("exact", "dense", "replay"):  # iterates 1 … 100 in ten dimensions
    ...     cost = correction_cost(way, n=100, d=10)
    ...     print(way, cost.fields + cost.products)
    exact 5050
    dense 1288
    replay 5248
    """
    check_integer("n", n, 1)
    check_integer("d", d, 1)
    table = {
        "exact": CorrectionCost(n * (n + 1) // 2, 0, 0, n),
        "dense": CorrectionCost(2 * n - 1, (n - 1) * (d + 1), d + d * d, 1),
        "replay": CorrectionCost(2 * n - 1, (n - 1) * (n + 2) // 2, d, n),
        "two passes": CorrectionCost(3 * n, n, 3 * d, n),
        "exact, one": CorrectionCost(n, 0, 0, n),
    }
    return table[check_choice("the way", way, table)]
