"""Estimates of backward limits: the horizon doubles until fresh starts agree (`contraction.limits.settled`)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.error_bound import ErrorBound, certificate_or_estimate
from contraction.certificates.majorants import WithinSeen
from contraction.limits.composed import compose, in_floats, rounding_of_one
from contraction.limits.result import BackwardLimit, NotSettled
from contraction.limits.settled import Settling, judged, lengths
from contraction.maps.constants import Constant
from contraction.maps.draws import sub_sequence
from contraction.maps.operators import Operators, RandomOperator, drawn
from contraction.maps.points import apply_read_only

__all__ = ["PATIENCE", "Search"]

#: An estimate stops at the first horizon of at least this many maps at which no second start has come nearer.
PATIENCE = 2**12
NEARER = 1 - 2.0**-20  # the ratio of distances below which a start counts as nearer
BATCH_NUMBERS = 2**22  # fresh starts are mapped in batches of this many numbers


class Search:
    """The doubling of the horizon, for one draw of the maps."""

    def __init__(
        self,
        family: RandomOperator,
        reference: NDArray,
        seed: int,
        far: NDArray | None,
        settling: Settling,
        progress: Callable[[int, float], None] | None,
    ) -> None:
        self.family, self.seed, self.far, self.settling, self.progress = family, seed, far, settling, progress
        self.reference = in_floats(reference, family.sample(1, seed))
        self.applications = 0

    def run(self, max_maps: int, patience: int) -> BackwardLimit:
        """Double the horizon until the path has settled; raise `NotSettled` if it does not."""
        n, eps = 1, self.settling.eps
        while n <= max_maps:
            operators = self.family.sample(n, self.seed)
            before, after, value = self.apart(operators, n, 1, 0)  # a cheap check with one start before the full test
            if np.isnan(after).any():
                raise NotSettled(
                    f"at n = {n}, T_1 … T_n of theta0 or of a fresh start is not finite (an overflow, or a map that "
                    f"gives NaN); T_1 … T_n theta0 = {value.tolist()}"
                )
            if judged(before, after, eps) == "agree":
                before, after, value = self.apart(operators, n, self.settling.starts, self.settling.tests + 1)
                if self.settling.after(before, after):
                    return self.accepted(operators, n, value, float(np.max(after)))
            else:
                self.settling.agreeing = 0
            if self.progress is not None:
                self.progress(n, float(np.max(after)))
            if n >= patience and np.all(after >= NEARER * before):
                break
            n *= 2
        n = min(n, 2 ** (max_maps.bit_length() - 1))
        moves = self.family.displacement(self.reference)
        if not np.any(before > 0) and moves is not None and moves.value == 0:
            raise NotSettled(
                f"undecided: no map moves theta0 ({moves.source}), so T_1 … T_n theta0 = theta0 for every n, and fresh "
                "starts, which are images of theta0, do not show what becomes of other starts. Leave out start= for "
                "the limit of theta0, or exchange theta0 and start to ask whether the other start comes there"
            )
        if not np.any(before > 0):
            raise NotSettled(
                f"undecided: at n = {n}, no fresh start (an image of theta0 under up to {lengths(n)[-1]} new maps) "
                "differs from theta0, so contraction cannot be tested. If every map fixes theta0, declare "
                "displacement=0.0"
            )
        seen = (
            f"fresh starts are up to {np.max(before):.6g} from theta0, and T_1 … T_n takes them up to "
            f"{np.max(after):.6g} from the iterate"
        )
        if np.all(after >= NEARER * before):
            raise NotSettled(f"no start comes nearer: {seen} under {n} maps, none nearer than before")
        raise NotSettled(
            f"not settled within eps = {eps!r} by {n} maps (max_maps = {max_maps}): {seen} under these maps"
        )

    def apart(self, operators: Operators, n: int, starts: int, test: int) -> tuple[NDArray, NDArray, NDArray]:
        """d(θ_0, X) and d(T_1 … T_n θ_0, T_1 … T_n X) for fresh X, and T_1 … T_n θ_0."""
        space, theta = self.family.space, self.reference
        step = max(1, BATCH_NUMBERS // max(1, theta.size))
        with np.errstate(over="ignore", invalid="ignore"):
            X = np.concatenate([self.fresh(m, starts, (n, m, test)) for m in lengths(n)])
            after, value = np.empty(len(X)), theta
            before = np.asarray(space.distance(theta, X), dtype=float)
            for first in range(0, len(X), step):
                part = X[first : first + step]
                ends = compose(operators, np.concatenate([theta[None].astype(X.dtype), part]))
                value, after[first : first + step] = ends[0], space.distance(ends[0], ends[1:])
                self.applications += n * (len(part) + 1)
        return before, after, value

    def fresh(self, m: int, count: int, key: tuple[int, ...]) -> NDArray:
        """Draw ``count`` points T'_1 … T'_m θ_0 with new maps, shape (count, *event)."""
        family = self.family
        self.applications += m * count
        value = np.broadcast_to(self.reference, (count, *self.reference.shape))
        words = sub_sequence(self.seed, "fresh starts", *key)
        if type(family).draws is not RandomOperator.draws:
            return compose(drawn(family, m, int(words.generate_state(1, np.uint64)[0]), count), value)
        rng = np.random.Generator(np.random.PCG64(words))  # one generator for all, because these maps are applied once
        for _ in range(m):
            value = apply_read_only(family, value, family.draw_block(rng, count), "a fresh map")
        return value

    def accepted(self, operators: Operators, n: int, value: NDArray, seen: float) -> BackwardLimit:
        """Return the limit at a horizon at which the rule has accepted, with the largest distance that was seen."""
        space, eps, rule = self.family.space, self.settling.eps, self.settling
        rounding, far = rounding_of_one(space, value), None
        if rounding > eps:
            raise ValueError(
                f"eps = {eps!r} is below the precision of {value.dtype} here: rounding alone may move the image of one "
                f"map by {rounding:.3g}"
            )
        if self.far is not None:
            far = float(space.distance(value, compose(operators, self.far.astype(value.dtype))))
            self.applications += n
        estimate = _tested(self.family, n, seen, rule)
        return BackwardLimit(
            value,
            seen + rounding,
            estimate,
            n,
            self.applications,
            seen,
            rounding,
            rule.alpha,
            rule.delta,
            lengths(n),
            far,
        )


def _tested(family: RandomOperator, n: int, seen: float, rule: Settling) -> ErrorBound:
    """Return the largest distance in the test as an `Estimate`: constant from n on, without a bound for smaller n."""
    m = ", ".join(map(str, lengths(n)))
    return certificate_or_estimate(
        {"seen": Constant(seen, "measured", f"largest d(T_1…T_n X, θ_n) at n = {n}, X from θ_0 by m = {m} new maps")},
        statement="fresh starts under the same maps",
        k=math.nan,
        D=math.nan,
        target="θ*",
        majorant=WithinSeen(n, seen),
        distance=repr(family.space),
        hypotheses=(
            f"tested at level α = {rule.alpha:g}: P(d(θ_n, θ_(n+m)) > {rule.eps:g} | T_1…T_n) ≤ δ = {rule.delta:g} for "
            f"m = {m}; no constant is proved",
        ),
    )
