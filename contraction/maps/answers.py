"""The questions that a family of maps can answer: one method per question; its default answer None means "unknown"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.maps.affine import AffineMaps, as_matrix, linear, stack_affine
from contraction.maps.balls import AffineEnclosure
from contraction.maps.constants import Constant, Origin
from contraction.maps.domains import RotatedBox
from contraction.maps.known import Known
from contraction.maps.points import declared_number
from contraction.maps.rounding import cancelled, float_up
from contraction.maps.second_moments import SecondMoments
from contraction.maps.spaces import Euclidean, Space
from contraction.maps.step_enclosures import StepEnclosure
from contraction.maps.support import probabilities
from contraction.types import Draw, Number

__all__ = ["Answers", "LawOfIndices"]


class LawOfIndices(Protocol):
    """What maps ask of a law of the word, such as those of `contraction.families.index_laws`."""

    @property
    def is_stationary_chain(self) -> bool:
        """Whether the letters are a Markov chain in its stationary law."""
        ...


class Answers:
    """Questions that certificates, samplers, limits and closed forms ask of a family; they use nothing else of it.

    A function that needs an answer and gets None raises an error that names the method. Override a method only to
    return a value that is proved.
    """

    dim: int | None = None
    space: Space = Euclidean()
    known: Known = Known()

    @property
    def contraction(self) -> Constant | None:
        """A bound on every map's Lipschitz constant with its origin, None if nothing is known."""
        return None

    def displacement(self, theta0: NDArray) -> Constant | None:
        """Supremum over the support of d(θ_0, T θ_0) with its origin, None if nothing is known."""
        return None

    def affine(self, draw: Draw) -> AffineMaps | None:
        """Return the map of a draw (or of stacked draws) as an affine map, None if it is not known to be one."""
        return None

    @property
    def is_iid(self) -> bool:
        """True if T_1, T_2, … are known to be independent with one law."""
        return False

    @property
    def is_affine(self) -> bool:
        """True if every map is known in affine form."""
        return False

    #: Finite set of states, (S, d) or (S,), that every map sends into itself, for `coupling_from_the_past`; or None.
    states: ArrayLike | None = None

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant | None:
        """‖d(θ_0, T θ_0)‖_p = (E d^p)^(1/p), or an upper bound, with its origin; None if nothing is known."""
        if self.known.displacement_moment is not None:
            value = declared_number("known.displacement_moment", self.known.displacement_moment(p, theta0))
            return Constant(value, "declared", "known.displacement_moment")
        return self.displacement(theta0)

    @property
    def moment_origin(self) -> Origin:
        """Where `factor_moment` comes from: "declared" for moments that a user gave, "proved" for derived ones."""
        return "proved" if self.known.lipschitz_moment is None else "declared"

    def jvp(self, theta: NDArray, directions: NDArray, draw: Draw) -> NDArray | None:
        """Return the derivative of a draw's map at θ (..., d) in directions (r, ..., d); None if unknown.

        Used by `contraction.lyapunov_exponents`. With replicas the last batch axis of θ is the replica.
        """
        maps = self.affine(draw) if self.is_affine else None
        return None if maps is None else linear(maps.A, directions, maps.kind)

    def random_points(self, rng: np.random.Generator, near: NDArray, count: int) -> NDArray | None:
        """Points of the domain, or of the space, around one point, shape (count, *event); None if the domain is R^d."""
        if (region := self.known.region) is not None:
            return region.points(rng, near, count)
        return self.space.random_points(rng, near, count)

    def contraction_on_ball(self, theta0: NDArray, radius: float) -> Constant | None:
        """Return a bound on every map's Lipschitz constant on the closed ball B(θ_0, radius); None if unknown.

        Used by ``certify(ball=radius)``. The default is `contraction`, which a user may declare for that ball only.
        """
        return self.contraction

    @property
    def is_constant(self) -> bool:
        """True if every map is known to be constant, so that a proved factor 0 is exact and not rounded to 0."""
        return False

    @property
    def linear_terms(self) -> int:
        """How many rounded terms make up an entry of a linear part such as I - h H; 0 where they are given numbers.

        Norms of such parts need an allowance for terms that cancel (`contraction.maps.rounding.cancelled`).
        """
        return 0

    @property
    def index_law(self) -> LawOfIndices | None:
        """Law (`contraction.families.IndexLaw`) of the word of finitely many maps; None if unknown or there is none.

        It determines which words are reversible in law if the maps are not independent.
        """
        return None

    @property
    def epoch(self) -> int | None:
        """N if T_{jN+1}, …, T_{jN+N} are, for every j, the N maps of `finite_support`, each once; None otherwise."""
        return None

    @property
    def linear_part(self) -> NDArray | None:
        """The common linear part A, shape (d, d), of affine maps A θ + b; None if they have none or it is unknown.

        It is used only if `is_affine` is true.
        """
        return None

    @property
    def offset_mean(self) -> NDArray | None:
        """E b, shape (d,), of affine maps A θ + b with a common A; None if unknown (Section 3)."""
        return None

    @property
    def offset_covariance(self) -> NDArray | None:
        """Cov b, shape (d, d), of affine maps A θ + b with a common A, ``inf`` where infinite; None if unknown."""
        return None

    def finite_support(self) -> list[tuple[Number | None, Draw]] | None:
        """(probability, draw) of every map of positive probability, if they are finitely many; None if unknown.

        `apply`, `lipschitz` and `affine` accept each of these draws. The probabilities sum to one; they are None if the
        law of T_i depends on i.
        """
        return None

    def linear_support(self) -> list[tuple[Number | None, NDArray]] | None:
        """(probability, linear part (d, d)) of every affine map of the support; None unless all are known.

        One pair is enough if all maps share their linear part. The probabilities are None if the law of T_i depends on
        i. The default combines `is_affine`, `linear_part`, `finite_support` and `affine`.
        """
        if not self.is_affine:
            return None
        if (common := self.linear_part) is not None:
            return [(1, np.asarray(common, dtype=float))]
        if (support := self.finite_support()) is None:
            return None
        forms = [(w, self.affine(draw)) for w, draw in support]
        return None if any(f is None for _, f in forms) else [(w, as_matrix(f, self.dim)) for w, f in forms if f]

    def affine_enclosures(self) -> list[AffineEnclosure] | None:
        """Affine maps in ball arithmetic that contain every map of the support, for ``certify(rigorous=True)``.

        Each map of the support must belong to one of the returned `contraction.maps.balls.AffineEnclosure` objects.
        Build their entries with `contraction.maps.balls.ball` from the exact numbers of the family, not from rounded
        ones. None if unknown.
        """
        return None

    def constant_bounds(self, theta0: NDArray) -> tuple[Constant, Constant] | None:
        """(k, D), bounds with outward rounding in the family's own metric, for ``certify(rigorous=True)``.

        Asked where `affine_enclosures` is None; before use, drawn maps are searched for a violation. None if unknown.
        """
        return None

    def step_enclosures(self, region: RotatedBox) -> list[StepEnclosure] | None:
        """Gradient steps enclosed on a box, one for each map of the support, for ``certify(region=box)``.

        Gradient and Hessian are enclosed at the centre, third derivatives over the box, with outward rounding
        (`contraction.maps.step_enclosures`). None if unknown.
        """
        return None

    def factor_moment(self, p: float) -> float | None:
        """Return E[Lip(T)**p] for p > 0, exact up to floating-point rounding; None if it is unknown (Section 2.4)."""
        return (
            None
            if self.known.lipschitz_moment is None
            else declared_number("known.lipschitz_moment", self.known.lipschitz_moment(p))
        )

    @property
    def given_moments(self) -> bool:
        """Whether `second_moments` returns what a user declared, which is then searched and called declared."""
        return False

    def second_moments(self) -> SecondMoments | None:
        """Moments of (A, b) of independent affine maps A θ + b; None if they are unknown or infinite.

        Used by ``certify(moment=2)`` and by the closed forms of laws. The default combines `linear_part`,
        `offset_mean` and `offset_covariance`, or `finite_support` and `affine`.
        """
        if not (self.is_affine and self.is_iid):
            return None
        A, covariance = self.linear_part, self.offset_covariance
        if A is not None and covariance is not None:
            mean = self.offset_mean if np.all(np.isfinite(covariance)) else None
            return None if mean is None else SecondMoments.of_common(A, mean, covariance)
        if (support := self.finite_support()) is None or (weights := probabilities(support)) is None:
            return None
        forms = [form for _, draw in support if (form := self.affine(draw)) is not None]
        if len(forms) < len(support):
            return None
        d = self.dim or max(form.b.shape[-1] for form in forms)
        b = [np.broadcast_to(np.asarray(form.b, dtype=float), (d,)) for form in forms]
        return SecondMoments.from_maps([as_matrix(form, d) for form in forms], b, weights.tolist())

    @property
    def mean_square_factor(self) -> Constant | None:
        """A rho with (E d(Tx, Ty)^2)^(1/2) <= rho d(x, y) for all x and y, of independent maps; None if unknown.

        The default is the declared value, or else the square root of the largest eigenvalue of E A^T A over the linear
        parts that `linear_support` lists.
        """
        if self.known.mean_square is not None:
            return Constant(float_up(self.known.mean_square), "declared", "known.mean_square")
        if not (self.is_iid and type(self.space) is Euclidean):
            return None
        listed = self.linear_support()
        if listed is None or (weights := probabilities(listed)) is None:
            return None
        gram = np.sum([w * (A.T @ A) for w, (_, A) in zip(weights, listed, strict=True)], axis=0)
        rho = float(np.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0.0)))
        largest = max(float(np.linalg.norm(A)) for _, A in listed)
        rho += float(cancelled(self.linear_terms, len(gram), largest))
        return Constant(rho, "proved", "√λ_max(E AᵀA) over the listed maps")

    @property
    def log_mean(self) -> float | None:
        """E[log Lip(T)]; ``-inf`` if a constant map has positive probability; None if it is unknown (Section 2.4)."""
        return None

    @property
    def leaf_basis(self) -> NDArray | None:
        """Basis (d, r) of a subspace V such that every map sends θ + V into itself, for ``certify(leaf=True)``.

        `certify` checks it against the listed maps in rational arithmetic, unless `step_span` is known. None if
        unknown.
        """
        return None

    @property
    def step_span(self) -> NDArray | None:
        """Rows (m, d) whose span contains T(θ) - θ for every map and θ by its formula; None if unknown."""
        return None

    def why_not_contracting(self, k: Constant) -> str | None:
        """One sentence on why the factor ``k`` of the family is at least 1, for `NotCertified`; None if unknown."""
        return None

    def stacked_affine(self, draws: Sequence[Draw]) -> AffineMaps:
        """Return the maps of a sequence of draws as one `AffineMaps` with a leading axis of maps."""
        return stack_affine([self.affine(d) for d in draws])
