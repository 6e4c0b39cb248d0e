"""Lower and upper bounds of the Wasserstein distance between the law of iterate n and the limit law.

Upper bounds come from coupling: W_p(law θ_n, mu) <= (E d(θ_n^B, θ*)^p)^{1/p}, which is at most
k^n ‖d(θ_0, T θ_0)‖_p / (1 - k). Lower bounds come from 1-Lipschitz test functions, means, and Gelbrich's bound.
For exact laws on R the distance itself is known (`contraction.laws.quantiles`). If the limit law is not known, the law
of a later iterate replaces it, and coupling bounds the distance between the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import (
    check_function,
    check_integer,
    check_positive,
    check_probability,
    check_real,
)
from contraction.laws._words import as_fraction
from contraction.laws.affine_moments import AffineMoments, affine_moments, covariance_root, root_distance
from contraction.laws.draws import ExactMaps, affine_pairs, independent_maps
from contraction.laws.exact import ExactLaw
from contraction.laws.merged import merged_law
from contraction.laws.quantiles import check_order, power_bounds, wasserstein, wasserstein_bounds
from contraction.laws.random_affine import RandomAffineMoments
from contraction.maps.arrays import numbers
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import (
    EPS,
    TINY,
    euclidean_norm,
    gamma,
    geometric_tail,
    norm_of_entries,
    round_down,
    round_up,
)
from contraction.types import Exact, Number
from contraction.values import Value

__all__ = [
    "Bracket",
    "coupling_bound",
    "exact_bracket",
    "lipschitz_lower_bound",
    "moment_bracket",
    "rate_bracket",
]

SLOPE_AXES = 16  # coordinates in which neighbouring draws are compared
SQUARES_BELOW = 1e-280  # mean squares below it may have lost digits to underflow
OPERATIONS = 64  # roundings allowed in a function of a point, as in the search for violations


@dataclass(frozen=True, eq=False)
class Bracket(Value):
    """Bounds lower <= W_p(law of iterate n, limit law) <= upper, with the method for each side.

    Attributes
    ----------
    lower, upper : Fraction or float
        Fractions are exact; floats hold up to rounding.
    p : float
        Order of the Wasserstein distance.
    n : int
        Index of the iterate.
    lower_by, upper_by : str
        The argument that gave each side: "quantiles", "coupling", "Gelbrich's bound", "means", ….

    Examples
    --------
    >>> import contraction as ct
    >>> bracket = ct.laws.moment_bracket(ct.families.QuadraticSGD(h=0.5), n=4, theta0=[1.0])
    >>> round(bracket.lower, 4), round(bracket.upper, 4), bracket.p
    (0.0625, 0.0722, 2)
    >>> bracket.lower_by, bracket.upper_by
    ("Gelbrich's bound", 'coupling, second moment')
    """

    lower: Number
    upper: Number
    p: float
    n: int
    lower_by: str
    upper_by: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.lower <= self.upper:
            raise ValueError(f"a bracket needs lower <= upper, got {self.lower} > {self.upper}")

    def __contains__(self, value: Number) -> bool:
        return bool(self.lower <= value <= self.upper)


def coupling_bound(k: Number, displacement: Number, n: int) -> Number:
    """k^n D / (1 - k) >= W_p(law θ_n, mu) with D = ‖d(θ_0, T θ_0)‖_p; exact for Fractions (0^0 = 1), else rounded up.

    Raises
    ------
    NotCertified
        If k is not in [0, 1), or D is infinite.
    ValueError
        If k or D is not a number, D is negative, or n is not an integer of at least 0.

    References
    ----------
    Dherin, B., et al. (2025). Training in reverse. arXiv:2502.01557v1, Theorem 2.2.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> laws.coupling_bound(Fraction(1, 2), 1, 10)
    Fraction(1, 512)
    """
    n = check_integer("the number of maps n", n)
    check_real("the displacement D", displacement, least=0)
    if not 0 <= check_real("the factor k", k) < 1:
        raise NotCertified(f"needs a common factor k < 1, got k = {k}", ("moment_bracket for affine maps",))
    if not displacement < math.inf:
        raise NotCertified("‖d(theta0, T theta0)‖_p must be finite, got inf", ("a smaller p",))
    return geometric_tail(k, n, displacement)


def exact_bracket(
    maps: ExactMaps,
    n: int,
    theta0: Exact = 0,
    *,
    p: float = math.inf,
    weights: Sequence[Exact] | None = None,
    later: int | None = None,
    limit: Callable[[ExactLaw], Number] | None = None,
) -> Bracket:
    """Lower and upper bounds on W_p(law θ_n, limit) for i.i.d. rational affine maps of R.

    The sides come from `coupling_bound` (Theorem 2.2) for a far iterate and from the triangle inequality.

    Parameters
    ----------
    maps, n, theta0, weights
        As in `merged_law`.
    p
        Order of the distance; the results for 1 and inf are Fractions.
    later
        Index of the later iterate whose law replaces the limit law; the bounds differ by O(k^later) (default: n + 6).
    limit
        If the limit law is known: the function of a law that returns its W_p distance to the limit law, such as
        ``lambda law: wasserstein_to_uniform(law, 0, 1, p)``.

    Raises
    ------
    NotCertified
        If some |a_i| >= 1.
    TypeError
        If a map is a function.
    ValueError
        If p < 1 or another argument is invalid.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from contraction import laws
    >>> half = Fraction(1, 2)
    >>> maps = [(half, Fraction(0)), (half, half)]  # the limit law is uniform on [0, 1]
    >>> bracket = laws.exact_bracket(maps, 4, p=1)
    >>> bracket.lower, bracket.upper
    (Fraction(31, 1024), Fraction(1, 32))
    >>> laws.exact_bracket(maps, 4, p=1, limit=lambda law: laws.wasserstein_to_uniform(law, 0, 1, 1)).lower
    Fraction(1, 32)
    """
    check_order(p)
    check_integer("the number of maps n", n)
    if limit is not None:
        check_function("limit", limit, "of an ExactLaw")
    listed, chances = independent_maps(maps, weights)
    pairs = affine_pairs(listed)
    if pairs is None:
        raise TypeError("exact_bracket needs affine maps as pairs (a, b), got functions")
    live = [
        (as_fraction(np.asarray(a, dtype=object).item()), as_fraction(np.asarray(b, dtype=object).item()), w)
        for (a, b), w in zip(pairs, chances, strict=True)
        if w
    ]
    start = as_fraction(theta0)
    k = max(abs(a) for a, _, _ in live)
    moves = [(abs((a - 1) * start + b), w) for a, b, w in live]
    if p == math.inf:
        D: Number = max(m for m, _ in moves)
    elif p == 1:
        D = sum((m * w for m, w in moves), Fraction(0))
    else:
        _, D = power_bounds([(w, m) for m, w in moves], p)
    upper = coupling_bound(k, D, n)
    near = merged_law(listed, n, start, weights=chances)
    if limit is not None:
        exact = limit(near)
        return Bracket(exact, exact, p, n, "quantiles", "quantiles")
    m = n + 6 if later is None else check_integer("the later iterate", later)
    if m < n:
        raise ValueError(f"the later iterate must be at least n = {n}, got {m}")
    far, rest = merged_law(listed, m, start, weights=chances), coupling_bound(k, D, m)
    if p in (1, math.inf):
        gap = wasserstein(near, far, p)
        lower, from_law = max(gap - rest, 0 * gap), gap + rest
    else:
        least, most = wasserstein_bounds(near, far, p)
        from_law = float(round_up(most + rest))
        lower = min(max(round_down(least - float(rest)), 0.0), upper, from_law)
    return Bracket(
        lower,
        min(upper, from_law),
        p,
        n,
        f"quantiles of iterate {m}",
        "coupling" if upper <= from_law else f"quantiles of iterate {m}",
    )


def moment_bracket(family: RandomOperator, n: int, theta0: ArrayLike = 0.0, *, p: float = 2) -> Bracket:
    """Lower and upper bounds on W_p(law θ_n, limit) for affine families from their moments.

    The upper bound is (E ‖θ_inf - θ_n^B‖^2)^{1/2} for p <= 2, and k^n ‖D‖_p / (1 - k) for p > 2. The lower
    bound is the distance of the means, and for p >= 2 Gelbrich's bound, which is exact for p = 2 and Gaussian noise.

    The upper bound for p > 2 is that of Theorem 2.2 in p-th moments (row 51), Gelbrich's bound that of
    `gelbrich_distance`.

    Raises
    ------
    ValueError
        If the family has no closed moments or no stationary law with a second moment.
    NotCertified
        For p > 2, if k >= 1 or the p-th moment of the displacement is infinite or unknown.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.QuadraticSGD(h=0.5)
    >>> brackets = [ct.laws.moment_bracket(family, n, 1.0) for n in (2, 4, 8)]
    >>> [(round(b.lower, 4), round(b.upper, 4)) for b in brackets]  # W_2 to the limit law is between the two
    [(0.2507, 0.2887), (0.0625, 0.0722), (0.0039, 0.0045)]
    """
    check_order(p)
    moments = affine_moments(family, theta0)
    lower = _means_below(moments, n)
    if p >= 2:
        lower = math.hypot(lower, _covariances_below(moments, n))
    if p <= 2:
        upper, by = _coupled(moments, n), "coupling, second moment"
    else:
        start = moments.theta0
        D = family.displacement_moment(start, p)
        if family.contraction is None or D is None:
            raise NotCertified("a contraction factor and ‖d(theta0, T theta0)‖_p are needed", ("p <= 2",))
        upper, by = coupling_bound(family.contraction.value, D.value, n), "coupling, k^n"
    lower = min(lower, upper)  # for constant noise the two are equal in exact arithmetic and differ by rounding
    return Bracket(lower, upper, p, n, "Gelbrich's bound" if p >= 2 else "means", by)


def _linear_part(moments: AffineMoments | RandomAffineMoments) -> tuple[NDArray, float]:
    """E A, and a bound on its spectral radius."""
    return (moments.A, moments.radius) if isinstance(moments, AffineMoments) else (moments.EA, moments.rate)


def _coupled(moments: AffineMoments | RandomAffineMoments, n: int) -> float:
    """(E ‖θ_inf - θ_n^B‖^2)^{1/2}, which is 0 only if it does not underflow."""
    if moments.limit_distance(0) <= 0 or (n and not moments.radius):
        return math.sqrt(max(moments.limit_distance(n), 0.0))
    if isinstance(moments, AffineMoments):
        power, gap = moments.power(n), moments.theta0 - moments.stationary_mean
        parts = np.column_stack([power @ covariance_root(moments.stationary_covariance), power @ gap])
        return max(norm_of_entries(parts), TINY)
    return math.sqrt(max(moments.limit_distance(n), SQUARES_BELOW))


def _means_below(moments: AffineMoments | RandomAffineMoments, n: int) -> float:
    """Return |E θ_n - E θ*| = |(E A)^n (θ_0 - E θ*)|, less what the rounding of E θ* and of the products may add."""
    A, radius = _linear_part(moments)
    power, limit = np.linalg.matrix_power(A, n), moments.stationary_mean
    d, gap = len(limit), moments.theta0 - limit
    size = float(euclidean_norm(moments.theta0) + euclidean_norm(limit)) / (1 - radius)
    allowance = EPS * OPERATIONS * d * norm_of_entries(power) * (size + (n + 1) * float(euclidean_norm(gap)))
    return max(float(euclidean_norm(power @ gap)) - allowance, 0.0)


def _covariances_below(moments: AffineMoments | RandomAffineMoments, n: int) -> float:
    """Return Gelbrich's distance of the covariances of θ_n and θ*, less what their rounding may add.

    Roots of covariances S and S' differ by at most |S - S'| / λ^{1/2}, λ the least eigenvalue of S, and by at most the
    root of d |S - S'|.
    """
    _, radius = _linear_part(moments)
    S, limit = moments.covariance(n), moments.stationary_covariance
    d, allowance = len(S), 0.0
    for C in (S, limit):
        size, least = norm_of_entries(C), max(float(np.linalg.eigvalsh((C + C.T) / 2)[0]), 0.0)
        rounding = EPS * OPERATIONS * d * norm_of_entries(limit) / (1 - radius**2)
        sure = least > 2 * rounding
        allowance += rounding / math.sqrt(least - rounding) if sure else math.sqrt(d * rounding)
        allowance += EPS * OPERATIONS * d * math.sqrt(size)
    return max(root_distance(S, limit) - allowance, 0.0)


def lipschitz_lower_bound(
    near: ArrayLike,
    far: ArrayLike,
    function: Callable[[NDArray], ArrayLike],
    *,
    low: float,
    high: float,
    false_alarm: float,
    far_distance: float = 0.0,
) -> float:
    """Return a lower bound on W_1(law θ_n, limit) from draws, with confidence 1 - ``false_alarm``.

    It is a lower bound on every W_p as well.

    The bound is the simple half of the duality theorem of Kantorovich and Rubinstein, with Hoeffding's inequality
    (1963) for the means.

    Parameters
    ----------
    near, far
        Independent draws of iterate n (r, …) and of a much later iterate (s, …).
    function
        A 1-Lipschitz function in the Euclidean distance of two draws, vectorised over draws, with values in
        [low, high]. Draws whose values are further apart than the draws themselves refute it.
    low, high
        Bounds of the function's values, which must not depend on the draws.
    false_alarm
        Bound on the probability that the result exceeds the distance.
    far_distance
        Bound on W_1 between the law of the far draws and the limit (such as `coupling_bound`).

    Raises
    ------
    ValueError
        If the function does not return one number in [low, high] per draw, or two draws show that it is not
        1-Lipschitz.

    Notes
    -----
    |E f(X) - E f(Y)| <= W_1 for 1-Lipschitz f. Each mean is within Hoeffding's radius, except with probability at most
    half of ``false_alarm``.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> family = ct.families.BernoulliConvolution(0.1, values=(0, 1))
    >>> maps = family.sample(200, seed=0, replicas=8000)  # replicas are independent
    >>> near, far = np.moveaxis(ct.forward_iterates(maps, np.ones((8000, 1)), at=[5, 200]), 1, 0)
    >>> f, near, far = (lambda x: x[..., 0]), near[:4000], far[4000:]
    >>> bound = ct.laws.lipschitz_lower_bound(near, far, f, low=0.0, high=1.0, false_alarm=1e-6)
    >>> round(bound, 1)  # the means differ by 0.9^5 / 2 = 0.295
    0.2
    """
    check_probability("false_alarm", false_alarm)
    check_positive("far_distance", far_distance, zero=True)
    check_function("function", function, "of an array of draws")
    samples = [numbers(name, draws) for name, draws in (("near", near), ("far", far))]
    found, means, radius = [], [], 0.0
    for draws in samples:
        values = numbers("what the function returns", function(draws.copy()))
        if values.ndim != 1 or not len(values) or len(values) != (len(draws) if draws.ndim else 1):
            raise ValueError(f"the function must return one number per draw, got an array of shape {values.shape}")
        if not (values.min() >= low and values.max() <= high):
            raise ValueError(f"values must lie in [{low}, {high}], got [{values.min()}, {values.max()}]")
        found.append(values)
        means.append(float(values.mean()))
        radius += (high - low) * math.sqrt(math.log(4 / false_alarm) / (2 * len(values)))
    if samples[0].shape[1:] != samples[1].shape[1:]:
        raise ValueError(f"draws of one shape are needed, got {samples[0].shape[1:]} and {samples[1].shape[1:]}")
    _check_slope(np.concatenate([draws.reshape(len(draws), -1) for draws in samples]), np.concatenate(found))
    return max(abs(means[0] - means[1]) - radius - far_distance, 0.0)


def _check_slope(points: NDArray, values: NDArray) -> None:
    """Refuse values whose difference exceeds the distance of two points: neighbours in a coordinate, and the ends.

    For real points these pairs decide about all pairs. Differences up to rounding pass.

    Raises
    ------
    ValueError
        If a pair shows a slope above 1.
    """
    axes = range(min(points.shape[1], SLOPE_AXES))
    orders = [np.argsort(points[:, j]) for j in axes] + [np.array([np.argmin(values), np.argmax(values)])]
    x, y = (np.concatenate([order[side] for order in orders]) for side in (slice(None, -1), slice(1, None)))
    rise, run = np.abs(values[x] - values[y]), np.linalg.norm(points[x] - points[y], axis=-1)
    size = np.abs(values[x]) + np.abs(values[y]) + np.linalg.norm(points[x], axis=-1) + 1
    excess = rise - run - gamma(OPERATIONS + 16 * points.shape[1]) * size
    worst = int(np.argmax(excess))
    if excess[worst] > 0:
        a, b = x[worst], y[worst]
        raise ValueError(
            f"the function must be 1-Lipschitz: it takes the draws {points[a].tolist()} and {points[b].tolist()} to "
            f"{float(values[a])!r} and {float(values[b])!r}, which are {rise[worst]:.6g} apart, and the draws are "
            f"{run[worst]:.6g} apart"
        )


def rate_bracket(first: Bracket, second: Bracket) -> tuple[float, float]:
    """Bounds on the geometric rate between two n: (W(n2) / W(n1))^{1/(n2 - n1)}.

    Raises
    ------
    ValueError
        If the second bracket is not for a larger n, or the two are for different p.

    Examples
    --------
    >>> import contraction as ct
    >>> family = ct.families.QuadraticSGD(h=0.5)
    >>> first, second = (ct.laws.moment_bracket(family, n, 1.0) for n in (10, 40))
    >>> [round(rate, 2) for rate in ct.laws.rate_bracket(first, second)]  # between them is 1 - h = 0.5
    [0.5, 0.5]
    """
    gap = second.n - first.n
    if gap <= 0 or first.p != second.p:
        raise ValueError(
            f"the rate needs n1 < n2 and equal p, got n = {first.n}, {second.n} and p = {first.p}, {second.p}"
        )
    least = (float(second.lower) / float(first.upper)) ** (1 / gap) if first.upper else 0.0
    most = (float(second.upper) / float(first.lower)) ** (1 / gap) if first.lower else math.inf
    return least, most
