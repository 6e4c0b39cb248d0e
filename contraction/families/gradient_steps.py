"""Section 2.1: gradient steps on the losses of random batches, with constants proved for every batch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite, check_integer
from contraction.families._checks import check_batches, law_of
from contraction.families._reasons import why_not_curvature
from contraction.families.index_laws import Cyclic, IndexLaw, Reshuffled, ShuffledOnce, check_independence, one_letter
from contraction.families.loss_search import search_loss
from contraction.families.losses import DataLoss, RidgeLoss
from contraction.maps.balls import AffineEnclosure, ball, matrix, product, times, transpose, vector
from contraction.maps.constants import Constant
from contraction.maps.domains import RotatedBox
from contraction.maps.gram import largest_second_moment
from contraction.maps.intervals import Intervals, above
from contraction.maps.operators import AffineMaps, RandomOperator
from contraction.maps.rounding import EPS, euclidean_norm, gamma, power_mean, round_up
from contraction.maps.second_moments import SecondMoments
from contraction.maps.spaces import Euclidean
from contraction.maps.stated import overridden
from contraction.maps.step_enclosures import StepEnclosure, enclose_step
from contraction.types import Draw, Number, override

__all__ = ["GradientSteps"]

ENCLOSED_DIM = 64  # third derivatives of this many coordinates take 2 MB per batch
BATCHES_LIMIT = 4096  # up to this many batches are enumerated for exact constants; beyond, bounds are used


class GradientSteps(RandomOperator):
    """T_B(θ) = θ - h grad L_B(θ) for a random batch B (Example 2.1, Lemma 2.5).

    For an m_B-strongly convex loss with M_B-Lipschitz gradient the step has Lipschitz constant
    max(|1 - h m_B|, |1 - h M_B|) for every real h; Lemma 2.5 prints sqrt(1 - 2 h m + h^2 M^2), which is larger and
    needs h >= 0. The losses state which of their constants are exact (`contraction.families.losses`).

    Parameters
    ----------
    loss
        A `RidgeLoss`, `RidgeLogisticLoss`, `RidgeSoftmaxLoss`, `SoftplusLoss` or another `DataLoss`.
    h
        Learning rate, any finite number.
    batch_size
        Number of rows per batch, drawn uniformly without replacement. Pass either this or ``batches``.
    batches
        The batches, row numbers of shape (count, b), one of which is drawn uniformly.
    law
        Law of the order (default: independent batches). With ``batches`` it is a law of the batch numbers. With
        ``batch_size`` it is a law of the rows, of which each batch takes the next ``batch_size``; the number of rows
        must then be a multiple of ``batch_size``. With ``law=Reshuffled`` every epoch goes once through all rows in a
        fresh order. A class stands for its law with as many letters as there are batches, or rows. Batches of several
        rows need `Reshuffled`, `ShuffledOnce` or `Cyclic`, because other laws may repeat a row within a batch.

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Example 2.1 and Lemma 2.5.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.families import GradientSteps, Reshuffled, RidgeLoss
    >>> family = GradientSteps(RidgeLoss(np.eye(6), np.ones(6)), 0.1, batch_size=2, law=Reshuffled)
    >>> rows = np.concatenate([family.sample(6).draws[i] for i in range(6)])
    >>> sorted(rows[:6].tolist()), sorted(rows[6:].tolist()), family.is_iid
    ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], False)
    >>> family = GradientSteps(RidgeLoss(np.eye(2), np.ones(2)), 0.1, batches=[[0], [1]])
    >>> [(probability, one.A.round(2).tolist()) for probability, one in family.support()]
    [(Fraction(1, 2), [[0.9, 0.0], [0.0, 1.0]]), (Fraction(1, 2), [[1.0, 0.0], [0.0, 0.9]])]
    """

    vectorized = True
    dim: int

    def __init__(
        self,
        loss: DataLoss,
        h: float,
        batch_size: int | None = None,
        *,
        batches: Iterable[ArrayLike] | None = None,
        law: IndexLaw | type[IndexLaw] | None = None,
    ) -> None:
        if not isinstance(loss, DataLoss):
            raise TypeError(f"loss must be a DataLoss such as RidgeLoss(X, y, ridge), got {loss!r}")
        if overridden(loss):
            search_loss(loss)
        self.loss, self.h = loss, check_finite("the learning rate h", h)
        self.rows, self.dim = len(loss.X), loss.dim
        self.space, self.name = Euclidean(), "GradientSteps"
        self.batches: NDArray | None = None
        self.given: NDArray | None = None
        if batches is not None:
            if batch_size is not None:
                raise ValueError("pass batch_size or batches, not both")
            self.batches = self.given = check_batches(batches, self.rows)
            self.batch_size = self.batches.shape[1]
        else:
            self.batch_size = check_integer("batch_size", 1 if batch_size is None else batch_size, 1)
            if self.batch_size > self.rows:
                raise ValueError(f"a batch without replacement has at most {self.rows} rows, got {self.batch_size}")
            if math.comb(self.rows, self.batch_size) <= BATCHES_LIMIT:
                every = itertools.combinations(range(self.rows), self.batch_size)
                self.batches = np.array(list(every), dtype=np.int64)

        if law is not None and self.batch_size == 1 and batches is None:
            self.batches = self.given = np.arange(self.rows)[:, None]  # a law of rows is then one of batches
        self.law = self._law(law)

    def __repr__(self) -> str:
        order = "" if self.law is None else f", law={self.law!r}"
        return f"GradientSteps({self.loss!r}, h={self.h!r}, batch_size={self.batch_size}{order})"

    @property
    def index_law(self) -> IndexLaw | None:
        """Law of the word of batches; of a law of rows, that of the batches which an epoch is cut into.

        It is None where it is unknown. One shuffle of the rows makes random batches, so that one shuffle of one or two
        batches, which depends on nothing, does not stand for it.
        """
        if self.law is None or self.given is not None:
            return self.law
        batches = self.rows // self.batch_size
        if isinstance(self.law, ShuffledOnce) and batches <= 2:
            return None
        return type(self.law)(batches) if isinstance(self.law, Cyclic | Reshuffled | ShuffledOnce) else None

    def _law(self, law: IndexLaw | type[IndexLaw] | None) -> IndexLaw | None:
        if law is None:
            return None
        size = self.rows if self.given is None else len(self.given)
        result = law_of(law, size) if isinstance(law, type) else law
        what = "rows" if self.given is None else "batches"
        if not isinstance(result, IndexLaw) or result.size != size:
            raise ValueError(f"law= must be an index law of the {size} {what}, got {law!r}")
        check_independence(result)
        if self.given is None and size % self.batch_size:
            raise ValueError(
                f"a law of rows needs a batch_size that divides their number {size}, got {self.batch_size}"
            )
        if self.given is None and not isinstance(result, Reshuffled | ShuffledOnce | Cyclic):
            raise ValueError(
                f"{result!r} may repeat a row in a batch of {self.batch_size}: pass batches= and a law of the batch "
                "numbers"
            )
        return result

    @property
    @override
    def is_iid(self) -> bool:
        return self.law is None or (self.given is not None and self.law.is_iid)

    def draws(self, n: int, seed: int, replicas: int | None) -> Sequence[NDArray]:
        """Return the batches: drawn one by one if independent, otherwise from one word of rows or of batch numbers."""
        if self.law is None:
            return super().draws(n, seed, replicas)
        if self.given is not None:
            return self.given[self.law.letters(n, seed, replicas)]  # pyright: ignore[reportReturnType]
        word = self.law.letters(n * self.batch_size, seed, replicas).astype(np.int64)
        blocks = word.reshape(n, self.batch_size, *word.shape[1:])
        return np.moveaxis(blocks, 1, -1)  # pyright: ignore[reportReturnType]

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """Rows of the batch, integers, shape (b,) or (R, b), from the law that every batch has.

        Raises
        ------
        ValueError
            If the law of a batch depends on its position.
        """
        if self.law is not None:
            letter = one_letter(self.law, rng, replicas)
            if self.given is not None:
                return self.given[letter]
        if self.batches is not None:
            return self.batches[rng.integers(len(self.batches), size=replicas)]
        if replicas is None:
            return np.sort(rng.choice(self.rows, self.batch_size, replace=False))
        keys = rng.random((replicas, self.rows))
        return np.sort(np.argpartition(keys, self.batch_size - 1, axis=-1)[:, : self.batch_size], axis=-1)

    @override
    def apply(self, theta: NDArray, draw: NDArray) -> NDArray:
        return theta - self.h * self.loss.gradient(theta, draw)

    @override
    def jvp(self, theta: NDArray, directions: NDArray, draw: NDArray) -> NDArray | None:
        product = self.loss.hessian_product(theta, directions, draw)
        return None if product is None else directions - self.h * product

    # --- constants ------------------------------------------------------------------------------------------------

    @cached_property
    def curvature(self) -> tuple[float, float]:
        """(m, M) over all batches: the smallest m_B and largest M_B, or bounds on them if there are too many."""
        if self.batches is not None:
            m, M = self.loss.curvature(self.batches)
            return float(np.min(m)), float(np.max(M))
        largest = np.sort(np.sum(self.loss.X**2, axis=1))[-self.batch_size :].mean()
        whole = np.linalg.norm(self.loss.X, 2) ** 2 / self.batch_size
        return self.loss.ridge, float(self.loss.ridge + self.loss.high * min(largest, whole))

    @property
    @override
    def contraction(self) -> Constant:
        m, M = self.curvature
        over = "every batch" if self.batches is not None else "bounds over all batches"
        return Constant(sharp_factor(self.h, m, M), "proved", f"max(|1 - h m|, |1 - h M|), m and M from {over}")

    def contraction_on_ball(self, theta0: NDArray, radius: float) -> Constant:
        """Return the constant on the ball B(θ_0, radius), on which phi'' varies less than over all arguments."""
        if self.batches is None or self.loss.quadratic:
            return self.contraction
        ends = self.loss.curvature_on_ball(self.batches, np.asarray(theta0, dtype=float), radius)
        m, M = float(np.min(ends[0])), float(np.max(ends[1]))
        source = f"max(|1 - h m|, |1 - h M|), m = {m:.6g} and M = {M:.6g} from every batch on the ball"
        return Constant(sharp_factor(self.h, m, M), "proved", source)

    def step_enclosures(self, region: RotatedBox) -> list[StepEnclosure] | None:
        """Every batch's step, enclosed on a box; None for more than 4096 batches or more than 64 coordinates."""
        if self.batches is None or self.dim > ENCLOSED_DIM:
            return None
        X, y, loss = self.loss.X, self.loss.targets, self.loss
        return [enclose_step(loss.of_row, (X[rows], y[rows]), region, self.h, loss.ridge) for rows in self.batches]

    @override
    def constant_bounds(self, theta0: NDArray) -> tuple[Constant, Constant] | None:
        """K and D with outward rounding for convex losses, of which every batch is listed; None for others.

        m >= ρ, M <= ρ + sup φ'' · s with s the largest second moment of the rows of a batch, and k = max(|1 - hm|,
        |1 - hM|), the sharp form of Lemma 2.5; D is h times the largest enclosed gradient at θ_0.
        """
        if self.batches is None or self.loss.low < 0:
            return None
        theta, rho = np.asarray(theta0, dtype=float), Intervals(self.loss.ridge)
        largest = max(largest_second_moment(self.loss.X[rows]) for rows in self.batches)
        M = rho + Intervals(self.loss.high) * largest
        k = max(float((1 - Intervals(self.h) * end).magnitude) for end in (rho, Intervals(float(M.high))))
        slopes = [self.loss.gradient_enclosure(theta, rows).magnitude for rows in self.batches]
        D = max(float(above(abs(self.h) * np.sqrt(np.sum(g * g)), len(g) + 4)) for g in slopes)
        source = f"max(|1 − hm|, |1 − hM|), m = {self.loss.ridge:.6g} and M ≤ {float(M.high):.6g}, rounded outwards"
        return Constant(k, "proved", source), Constant(D, "proved", "h max |∇L_B(θ_0)| over every batch, enclosed")

    @property
    def printed_contraction(self) -> Constant:
        """The constant of Lemma 2.5, sqrt(1 - 2 h m + h^2 M^2), which is never below `contraction`.

        Returns
        -------
        Constant

        Raises
        ------
        ValueError
            If h < 0: the lemma's proof uses h >= 0.

        Examples
        --------
        With m = 1, M = 10 and h = 0.1:

        >>> import numpy as np
        >>> from contraction.families import GradientSteps, RidgeLoss
        >>> rows = np.sqrt(2) * np.diag([1, np.sqrt(10)])
        >>> family = GradientSteps(RidgeLoss(rows, np.zeros(2)), 0.1, batch_size=2)
        >>> round(family.printed_contraction.value, 4), round(family.contraction.value, 4)
        (1.3416, 0.9)
        """
        if self.h < 0:
            raise ValueError(f"Lemma 2.5 needs h >= 0, got h = {self.h!r}")
        m, M = self.curvature
        radicand = (1 - self.h * m) ** 2 + self.h**2 * (M - m) * (M + m)
        return Constant(math.sqrt(radicand), "proved", "sqrt(1 - 2 h m + h^2 M^2) (Lemma 2.5)")

    @property
    @override
    def linear_terms(self) -> int:
        return self.batch_size + 6

    @property
    def mean_square_factor(self) -> Constant | None:
        """The factor rho of contraction in mean square (row 82): exact for quadratic losses, else from co-coercivity.

        E |g_B(x) - g_B(y)|^2 <= M <g(x) - g(y), x - y>, g_B the gradients of M-smooth convex batches and g that of the
        mean loss, which is mu-strongly convex: rho^2 = 1 - h mu (2 - h M) for 0 <= h <= 2/M.
        """
        if not self._has_one_law:
            return None
        if self.loss.quadratic:
            return Constant(self._root_mean_square(), "proved", "√λ_max(E A²) over the batches")
        mu, M = self.mean_curvature, self.curvature[1]
        if self.loss.low < 0 or not 0 <= self.h * M <= 2:
            return None
        # 1 and terms of at most 4 cancel; mu and M are eigenvalues
        room = gamma(self.batch_size + 16 * self.dim**2 + 16) * 16
        value = math.sqrt(max(1 - self.h * mu * (2 - self.h * M), 0.0) + room)
        return Constant(value, "proved", "√(1 − hμ(2 − hM)), μ of the mean loss (co-coercivity)")

    @property
    def probabilities(self) -> NDArray | None:
        """Probabilities of the batches that are listed; None if they depend on the position, or if none are listed."""
        if self.batches is None or (self.law is not None and self.law.marginal is None):
            return None
        if self.law is None or self.given is None:  # a law of rows with equal weights has batches of equal weights
            return np.full(len(self.batches), 1 / len(self.batches))
        return np.array(self.law.marginal, dtype=float)

    @property
    def _weights(self) -> NDArray:
        """Probabilities of the given batches; equal ones if they depend on the position."""
        assert self.given is not None
        known = self.probabilities
        return np.full(len(self.given), 1 / len(self.given)) if known is None else known

    @property
    def _has_one_law(self) -> bool:
        """Whether the batches are independent, with probabilities that are known where batches are given."""
        return self.is_iid and (self.given is None or self.probabilities is not None)

    @cached_property
    def mean_curvature(self) -> float:
        """A strong convexity constant mu of the mean loss (over the given batches, or over all rows).

        Batches whose probabilities depend on the position count equally.

        Examples
        --------
        One row is flat in the direction that the other one curves; the mean of both losses is strongly convex:

        >>> from contraction.families import GradientSteps, RidgeLoss
        >>> steps = GradientSteps(RidgeLoss([[1.0, 0.0], [0.0, 3.0]], [0.0, 0.0], ridge=0.0), h=0.1, batches=[[0], [1]])
        >>> steps.curvature[0], steps.mean_curvature
        (0.0, 0.5)
        """
        if self.given is None:
            return float(self.loss.curvature(np.arange(self.rows))[0])
        X = self.loss.X[self.given]
        gram = np.einsum("k,kbi,kbj->ij", self._weights, X, X) / self.batch_size
        return self.loss.ridge + self.loss.low * float(np.linalg.eigvalsh(gram)[0])

    def _root_mean_square(self) -> float:
        """√λ_max(E A²) of the symmetric linear parts A of quadratic losses, rounded up.

        Each A is computed with an error, whose norm in mean square is added, as that norm satisfies the triangle
        inequality. Batches without replacement have E A² = (E A)² + h² (1/s - (s-1)/(s (N-1))) Var x x^T, where only
        the variance of rows is a difference.
        """
        d, h, rho, high = self.dim, abs(self.h), self.loss.ridge, self.loss.high
        if self.given is not None:
            A = self.stacked_affine(list(self.given)).A
            square = np.tensordot(self._weights, A @ A, 1)
            terms, extra = len(A) + d, 0.0
            longest = np.max(np.mean(np.sum(self.loss.X**2, axis=-1)[self.given], axis=-1))
            of_A = gamma(self.linear_terms)
        else:
            x, N, s = self.loss.X, self.rows, self.batch_size
            share = 0.0 if N == 1 else (N - s) / (s * (N - 1))
            lengths = np.sum(x * x, axis=-1)
            gram = x.T @ x / N
            variance = (x.T * lengths) @ x / N - gram @ gram  # that of x x^T
            mean = (1 - self.h * rho) * np.eye(d) - self.h * high * gram
            square = mean @ mean + share * (h * high) ** 2 * variance
            terms, extra = N + 2 * d, share * (h * high) ** 2 * float(np.mean(lengths**2))
            longest, of_A = np.mean(lengths), gamma(N + 8)
        room = (gamma(terms + 16) + 8 * d * d * EPS) * (float(np.trace(square)) + 4 * extra)
        lost = of_A * (math.sqrt(d) * (1 + h * rho) + h * high * float(longest)) * (1 + 2.0**-20)
        largest = float(np.linalg.eigvalsh(square)[-1])
        return float(round_up(math.sqrt(max(largest, 0.0) + max(room, 0.0)) + lost, 8))

    def second_moments(self) -> SecondMoments | None:
        """Second moments for quadratic losses: over the given batches, or from single rows for random batches."""
        if not (self.loss.quadratic and self._has_one_law):
            return None
        if self.given is not None:
            maps = self.stacked_affine(list(self.given))
            return SecondMoments.from_maps(maps.A, maps.b, self._weights)
        rows = self.stacked_affine(list(np.arange(self.rows)[:, None]))
        return SecondMoments.of_batches(rows.A, rows.b, self.batch_size)

    @override
    def lipschitz(self, draw: NDArray) -> NDArray:
        m, M = self.loss.curvature(draw)
        return np.maximum(np.abs(1 - self.h * m), np.abs(1 - self.h * M))

    @override
    def why_not_contracting(self, k: Constant) -> str:
        return why_not_curvature(self.h, *self.curvature, k)

    def displacement(self, theta0: NDArray) -> Constant:
        """Return h sup_B |grad L_B(θ_0)|: exact if batches are enumerated, else a bound from the largest row."""
        theta = np.asarray(theta0, dtype=float).reshape(-1, self.dim)
        if self.batches is not None:
            value = max(np.max(euclidean_norm(self._gradients(t))) for t in theta)
            return Constant(float(abs(self.h) * value), "proved", "h max |grad L_B(theta0)| over every batch")
        singles = np.arange(self.rows)[:, None]
        norms = [euclidean_norm(self.loss.gradient(np.broadcast_to(t, (self.rows, self.dim)), singles)) for t in theta]
        value = max(np.sort(n)[-self.batch_size :].mean() for n in norms)
        return Constant(float(abs(self.h) * value), "proved", "h times the mean of the largest row gradients")

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        """(E d^p)^(1/p): exact if the batches are enumerated and all have one law, else the bound on the supremum."""
        weights = self.probabilities
        if weights is None or math.isinf(p):
            return self.displacement(theta0)
        theta = np.asarray(theta0, dtype=float).reshape(-1, self.dim)
        moves = np.stack([euclidean_norm(self._gradients(t)) for t in theta], axis=-1) * abs(self.h)
        value = float(np.max(power_mean(moves, p, weights)))
        return Constant(value, "proved", f"(E d^p)^(1/p) over every batch at p = {p:g}")

    def _gradients(self, theta: NDArray) -> NDArray:
        assert self.batches is not None
        return self.loss.gradient(np.broadcast_to(theta, (len(self.batches), self.dim)), self.batches)

    # --- affine form ------------------------------------------------------------------------------------------------

    @property
    @override
    def is_affine(self) -> bool:
        return self.loss.quadratic

    def affine(self, draw: NDArray) -> AffineMaps | None:
        """Return A = I - h (phi'' X_B^T X_B / b + rho I), b = -h X_B^T phi'(0, y_B) / b, for quadratic losses."""
        if not self.loss.quadratic:
            return None
        X, y = self.loss.X[draw], self.loss.y[draw]
        b = draw.shape[-1]
        gram = self.loss.high * (np.swapaxes(X, -1, -2) @ X) / b + self.loss.ridge * np.eye(self.dim)
        pull = np.einsum("...bd,...b->...d", X, -self.loss.slope(np.zeros(y.shape), y))
        return AffineMaps(np.eye(self.dim) - self.h * gram, self.h * pull / b, "matrix")

    @override
    def stacked_affine(self, draws: Sequence[Draw]) -> AffineMaps:
        maps = self.affine(np.stack(draws))
        if maps is None:
            raise ValueError(f"gradient steps on {self.loss!r} are not affine")
        return maps

    def affine_enclosures(self) -> list[AffineEnclosure] | None:
        """I - h (X_B^T X_B / b + rho I) and h X_B^T y_B / b of every batch of a `RidgeLoss`; None for others."""
        if self.batches is None or type(self.loss) is not RidgeLoss:
            return None
        return [self._enclosure(rows) for rows in self.batches]

    def _enclosure(self, rows: NDArray) -> AffineEnclosure:
        X, y = matrix(self.loss.X[rows]), vector(self.loss.y[rows])
        h, b, rho, d = ball(self.h), len(rows), ball(self.loss.ridge), self.dim
        Xt = transpose(X)
        gram = product(Xt, X)
        A = [[(1 - h * rho if i == j else 0) - h * gram[i][j] / b for j in range(d)] for i in range(d)]
        offset = [h * v / b for v in times(Xt, y)]
        return AffineEnclosure(A, vector(np.zeros(d)), offset, offset)

    def finite_support(self) -> list[tuple[Number | None, NDArray]] | None:
        """(probability, rows) of every batch; None if there are too many to enumerate. See `RandomOperator`."""
        if self.batches is None:
            return None
        marginal = None if self.law is None else self.law.marginal
        if self.law is not None and self.given is not None:
            weights = [None] * len(self.given) if marginal is None else list(marginal)
            return list(zip(weights, self.batches, strict=True))
        if self.law is not None and not isinstance(self.law, Reshuffled | ShuffledOnce):
            return [(None, rows) for rows in self.batches]
        return [(Fraction(1, len(self.batches)), rows) for rows in self.batches]

    def support(self) -> list[tuple[Number | None, Callable[[NDArray], NDArray]]]:
        """(probability, map) of every batch: affine maps for quadratic losses, functions otherwise.

        Raises
        ------
        ValueError
            If there are too many batches to enumerate.
        """
        listed = self.finite_support()
        if listed is None:
            raise ValueError(f"there are more than {BATCHES_LIMIT} batches, too many to enumerate")
        return [(w, self.affine(b) or (lambda theta, rows=b: self.apply(theta, rows))) for w, b in listed]


def sharp_factor(h: float, m: float, M: float) -> float:
    """max(|1 - h m|, |1 - h M|), the Lipschitz constant of gradient steps with curvature in [m, M]."""
    return max(abs(1 - h * m), abs(1 - h * M))
