"""The kinds of bounds that `tests.trust.rigour` checks, each with its share of all checks."""

from __future__ import annotations

from typing import NamedTuple

from tests.trust import rigour_families as families
from tests.trust import rigour_formulas as formulas
from tests.trust import rigour_limits as limits
from tests.trust.rigour import Draws

__all__ = ["KINDS", "Kind"]


class Kind(NamedTuple):
    """A way to draw a bound with its exact value, its share of all checks, and whether the bound is to be attained."""

    draw: Draws
    share: int
    sharp: bool = False


KINDS: dict[str, Kind] = {
    "Theorem 2.2 (Geometric)": Kind(formulas.geometric, 128, sharp=True),
    "Theorem 2.2 in balls (GeometricBalls)": Kind(formulas.geometric_balls, 64, sharp=True),
    "the paper's other start": Kind(formulas.printed_other_start, 64, sharp=True),
    "orders that agree on p maps": Kind(formulas.agreeing_orders, 64),
    "in a region (InRegion)": Kind(formulas.in_region, 128, sharp=True),
    "in a common norm (CommonNorm)": Kind(formulas.common_norm, 96, sharp=True),
    "in p-mean (PMean)": Kind(formulas.p_mean, 128, sharp=True),
    "common factor, moment p < 1 (GeometricMoment)": Kind(formulas.geometric_moment, 64, sharp=True),
    "after q maps (after_q)": Kind(formulas.after_q, 64, sharp=True),
    "after q maps (AfterBlocks)": Kind(formulas.after_blocks, 128, sharp=True),
    "in p-mean after q maps (PMeanBlocks)": Kind(formulas.p_mean_blocks, 128, sharp=True),
    "mean square (MeanSquareMoments)": Kind(formulas.mean_square, 96, sharp=True),
    "sums over drawn maps (prefix_tail)": Kind(formulas.prefix_tail, 64, sharp=True),
    "products of drawn factors (product_tail)": Kind(formulas.product_tail, 64, sharp=True),
    "steps to a precision (steps)": Kind(formulas.steps, 64),
    "certify: a common factor": Kind(families.common_factor, 4),
    "certify: rigorous=True": Kind(families.rigorous, 2),
    "certify: a common norm": Kind(families.common_norm, 1),
    "certify: words of length q": Kind(families.words, 2),
    "certify: in p-mean": Kind(families.p_mean, 2),
    "certify: in mean square": Kind(families.mean_square, 2),
    "certify: drawn maps (DrawnTail)": Kind(families.drawn, 3),
    "certify: a region": Kind(families.region, 1),
    "certify: a region, epochs": Kind(families.epochs, 1),
    "a fixed point (AtLimit)": Kind(families.at_limit, 1),
    "backward_limit: the error of the value": Kind(limits.backward_limit, 3),
    "nested_boxes: affine maps": Kind(limits.nested_affine, 2),
    "nested_boxes: monotone maps": Kind(limits.nested_monotone, 2),
}
