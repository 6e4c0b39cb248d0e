"""Certificates against enumeration of all words, eigenvalues, projections, and 60-digit arithmetic."""

from __future__ import annotations

import itertools
from fractions import Fraction
from types import SimpleNamespace

import mpmath
import numpy as np
from scipy import linalg

from contraction.families import FiniteFamily, GradientSteps, LeastSquares, OwnLossSteps, RidgeLoss, Uniform
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import DeclarationRefuted
from contraction.maps.operators import RandomOperator
from contraction.maps.orders import Backward
from contraction.maps.spaces import Space, WeightedEuclidean
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import affine_map, all_words, rows
from contraction.statements.library import pepit
from contraction.statements.library.oracle import Function, Oracle
from contraction.statements.records import Verdict
from contraction.types import Numbers, Scalar, Vector

NON_NORMAL = np.array([[0.5, 10.0], [0.0, 0.5]])
SHEARS = [np.array([[0.5, 0.4], [0.0, 0.5]]), np.array([[0.5, 0.0], [0.4, 0.5]])]


def certify(f: Function, seed: int) -> Verdict:
    """Check bounds for x -> a_i x + b_i over all words of 7 maps, in rationals; a single map attains its bound.

    Six such families are drawn; the distance to the limit is at least that to iterate 7. Where PEPit is installed, the
    factor of gradient steps is its worst case over all losses of curvature 1 to 10, which quadratic ones attain.
    """
    rng = np.random.default_rng([seed, 0])
    words, measured, claimed = all_words(2, 7), [], []
    for _ in range(6):
        pairs = [(Fraction(int(a), 10), Fraction(int(b), 3)) for a, b in rng.integers([-9, -9], 10, (2, 2))]
        theta0 = Fraction(int(rng.integers(-9, 9)), 4)
        path = rows([affine_map(*pair) for pair in pairs], words, [theta0], Backward())[:, :, 0]
        bound = f(FiniteFamily(pairs), np.array([float(theta0)])).bound
        measured += [float(np.max(np.abs(path[:, n] - path[:, 7]))) for n in range(8)]
        claimed += [float(bound(n)) for n in range(8)]
    k, D = Fraction(3, 4), Fraction(2)
    bound = f(FiniteFamily([(k, D)]), np.array([0.0])).bound
    exact = [float(D * k**n / (1 - k)) for n in range(20)]
    single = [float(bound(n)) for n in range(20)]
    slack = 1e-11  # what the certificate may round up by, of its own few operations
    measured += exact + single
    claimed += single + [x * (1 + slack) for x in exact]
    if pepit.installed():
        for h in (0.05, 0.15, 0.19):
            factor = f(_gradient_steps(h), np.zeros(2)).k
            worst = pepit.worst_factor(1.0, 10.0, h)
            measured += [factor, worst]
            claimed += [worst * (1 + pepit.SOLVER_ERROR), factor * (1 + pepit.SOLVER_ERROR)]
    return Verdict.upper("certify", (), measured, claimed)


def _gradient_steps(h: float) -> GradientSteps:
    """Return steps on one batch of two rows whose mean loss has the curvatures 1 and 10."""
    return GradientSteps(RidgeLoss(np.diag([3 * 2**0.5, 0.0]), [1.0, -2.0], 1.0), h, 2)


def estimate(f: Function, seed: int) -> Verdict:
    """Compare the measured k and D of affine maps of the line with the true ones, to rounding."""
    family = FiniteFamily([(0.8, 1.0), (-0.3, 2.0), (0.5, -4.0)])
    result = f(family, np.array([1.0]), seed=seed)
    k, D = max(0.8, 0.3, 0.5), max(abs((0.8 - 1) + 1), abs(-0.3 - 1 + 2), abs(0.5 - 1 - 4))
    return Verdict.tight(
        "estimate", (), [result.k, result.D, float(result.certified)], [k, D, 0.0], rounding=[1e-9, 1e-12, 0]
    )


def search_violation(f: Function, seed: int) -> Verdict:
    """Check that false declarations of sin(3x)/2 + u are refuted and true ones are not.

    The factor 1.4 and a displacement below sup |u| are false; the factor 1.5 is true.
    """

    def refuted(k: float, D: float) -> int:
        family = RandomOperator(
            lambda rng: rng.uniform(-1, 1, 1),
            lambda x, u: np.sin(3 * x) / 2 + u,
            contraction=k,
            displacement=D,
        )
        try:
            f(family, np.zeros(1), seed)
        except DeclarationRefuted:
            return 1
        return 0

    return comparisons.equal(
        "search_violation", (), [refuted(1.4, 1.0), refuted(1.5, 1.0), refuted(1.5, 0.1)], [1, 0, 1]
    )


def _factor(A: np.ndarray, P: np.ndarray) -> float:
    """Return the operator norm of A in sqrt(x^T P x), from the generalised eigenvalues of A^T P A and P."""
    return float(np.sqrt(linalg.eigh(A.T @ P @ A, P, eigvals_only=True)[-1]))


def _matrix(space: Space, d: int) -> np.ndarray:
    return space.P if isinstance(space, WeightedEuclidean) else np.eye(d)


def common_norm(f: Function, seed: int) -> Verdict:
    """Compare the factor with those of both shears in the stated norm, by eigenvalues; it must be below 1."""
    space, factor, _ = f(SHEARS)
    each = max(_factor(A, _matrix(space, 2)) for A in SHEARS)
    return Verdict.upper("common_norm", (), [each, factor], [factor + 1e-12, 1 - 2.0**-53])


def lyapunov_norm(f: Function, seed: int) -> Verdict:
    """Check that the norm for k = 0.75 gives [[½, 10], [0, ½]] a factor below 0.75 (10.02 in the Euclidean norm)."""
    return Verdict.upper("lyapunov_norm", (), _factor(NON_NORMAL, f(NON_NORMAL, 0.75).P), 0.75)


def mean_square_norm(f: Function, seed: int) -> Verdict:
    """Compare the factor with the top generalised eigenvalue of E A^T P A, and with the rate of E A⊗A.

    That rate is read off 400 powers of P -> E A^T P A applied to the identity, not off eigenvalues. Eight copies of
    them on a diagonal have 24 dimensions, where P is found by iteration, and the same rate.
    """
    matrices = np.random.default_rng([seed, 4]).uniform(-0.5, 0.5, (2, 3, 3))
    weights = np.array([0.25, 0.75])
    space, factor = f(matrices, weights)
    image = np.einsum("m,mki,kl,mlj->ij", weights, matrices, space.P, matrices)
    top = float(linalg.eigh(image, space.P, eigvals_only=True)[-1])
    P, log = np.eye(3), 0.0
    for step in range(800):
        P = np.einsum("m,mki,kl,mlj->ij", weights, matrices, P, matrices)
        size = float(np.trace(P))
        P, log = P / size, log + (np.log(size) if step >= 400 else 0.0)
    rate = float(np.exp(log / 400))
    copies = np.stack([np.kron(np.eye(8), A) for A in matrices])
    large, iterated = f(copies, weights)
    image = np.einsum("m,mki,kl,mlj->ij", weights, copies, large.P, copies)
    again = float(linalg.eigh(image, large.P, eigvals_only=True)[-1])
    return Verdict.upper(
        "mean_square_norm",
        (),
        [top, rate, factor, again, rate, iterated],
        [factor, factor, rate + 0.0101 * (1 - rate), iterated, iterated, rate + 0.1 * (1 - rate)],
    )


def leaf_basis(f: Function, seed: int) -> Verdict:
    """Compare the projection on the leaf of least squares with that on the rows, X^+ X."""
    X = np.random.default_rng([seed, 1]).standard_normal((2, 5))
    Q = f(LeastSquares(X, np.ones(2), 0.1, label_noise=Uniform(-1, 1)), np.zeros(5), True)
    return Verdict.tight("leaf_basis", (), Q @ Q.T, np.linalg.pinv(X) @ X, rounding=1e-12)


def _smaller(box: RotatedBox) -> RotatedBox:
    return RotatedBox(box.center, 0.99 * box.radii, box.basis)


def find_region(f: Function, seed: int) -> Verdict:
    """Return the smallest box of H = [[1, ±s], [±s, 3]], g = ±(1, -2) solves r_1 - s r_2 = 1, 3 r_2 - s r_1 = 2."""
    s, slack = float(np.random.default_rng([seed, 3]).uniform(0.2, 0.8)), 0.01

    def loss(t: Vector, sign: Scalar) -> Scalar:
        return t[0] ** 2 / 2 + 3 * t[1] ** 2 / 2 + sign * (s * t[0] * t[1] + t[0] - 2 * t[1])

    family = OwnLossSteps(loss, ([1.0, -1.0],), 2, h=0.1, batches=[[0], [1]])
    region = f(family, np.array([0.3, -0.2]), slack=slack)
    radii = np.abs(region.basis) @ region.radii / (1 + slack)
    return Verdict.tight("find_region", (), radii, np.linalg.solve([[1, -s], [-s, 3]], [1, 2]), rounding=1e-6)


def average_contraction(f: Function, seed: int) -> Verdict:
    """Compare with (1/3) Σ w log ‖A_i A_j A_k‖ over 8 words of unequal weights, with norms to 60 digits."""
    rng = np.random.default_rng([seed, 2])
    matrices, weights = rng.standard_normal((2, 2, 2)), [Fraction(1, 3), Fraction(2, 3)]
    with mpmath.workdps(60):
        total = mpmath.mpf(0)
        for word in itertools.product(range(2), repeat=3):
            product, weight = mpmath.eye(2), Fraction(1)
            for i in word:
                product, weight = product * mpmath.matrix(matrices[i].tolist()), weight * weights[i]
            gram = product.T * product
            trace, det = gram[0, 0] + gram[1, 1], mpmath.det(gram)
            top = (trace + mpmath.sqrt(trace**2 - 4 * det)) / 2
            total += mpmath.mpf(weight.numerator) / weight.denominator * mpmath.log(top) / 2
        claimed = float(total / 3)
    result = f(FiniteFamily([(A, np.zeros(2)) for A in matrices], weights), np.zeros(2), 3)
    return Verdict.tight("average_contraction", (), [result.exponent, result.upper], claimed, rounding=1e-12)


def _later(f: Function) -> Function:
    def bent(*arguments: object, **named: object) -> object:
        certificate = f(*arguments, **named)
        return SimpleNamespace(bound=lambda n: certificate.bound(n + 1), k=certificate.k)

    return bent


def _smaller_factor(f: Function) -> Function:
    def bent(matrices: Numbers) -> object:
        space, factor, tried = f(matrices)
        return space, 0.9 * factor, tried

    return bent


def _scaled(f: Function) -> Function:
    def bent(*arguments: object, **named: object) -> object:
        result = f(*arguments, **named)
        return SimpleNamespace(k=0.99 * result.k, D=result.D, certified=result.certified)

    return bent


def _other_length(f: Function) -> Function:
    def bent(family: RandomOperator, theta0: Numbers, q: int) -> object:
        result = f(family, theta0, q)
        return SimpleNamespace(exponent=result.exponent * q / (q + 1), upper=result.upper * q / (q + 1))

    return bent


ORACLES = [
    Oracle(
        "contraction.certify",
        "all words of six rational families; the map kx + D that attains its bound; PEPit, if installed",
        certify,
        "k^(n+1) for k^n",
        _later,
    ),
    Oracle("contraction.estimate", "the constants of affine maps of the line", estimate, "k one percent low", _scaled),
    Oracle(
        "contraction.search_violation",
        "sup |cos| and sup |u| of sin(3x)/2 + u",
        search_violation,
        "nothing is ever refuted",
        lambda f: lambda *arguments: None,
    ),
    Oracle(
        "contraction.common_norm",
        "generalised eigenvalues of two shears",
        common_norm,
        "the factor ten percent low",
        _smaller_factor,
    ),
    Oracle(
        "contraction.lyapunov_norm",
        "generalised eigenvalues of one non-normal matrix",
        lyapunov_norm,
        "the Euclidean norm",
        lambda f: lambda A, k=None: WeightedEuclidean(np.eye(len(A))),
    ),
    Oracle(
        "contraction.mean_square_norm",
        "generalised eigenvalues, and the growth of 800 powers, in 3 and in 24 dimensions",
        mean_square_norm,
        "the factor's root in place of its square",
        lambda f: lambda matrices, weights: (f(matrices, weights)[0], f(matrices, weights)[1] ** 0.5),
    ),
    Oracle(
        "contraction.leaf_basis",
        "the projection on the row space by the pseudo-inverse",
        leaf_basis,
        "a direction left out",
        lambda f: lambda *arguments: f(*arguments)[:, :-1],
    ),
    Oracle(
        "contraction.find_region",
        "two linear equations for the smallest box of two quadratic losses",
        find_region,
        "the radii one percent smaller",
        lambda f: lambda *arguments, **named: _smaller(f(*arguments, **named)),
    ),
    Oracle(
        "contraction.average_contraction",
        "all words of length 3, norms to 60 digits",
        average_contraction,
        "divided by q + 1",
        _other_length,
    ),
]
