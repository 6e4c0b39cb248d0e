"""Section 3.2, equation (3): the gradient near a minimum is the Hessian's linear map, up to a second-order remainder.

Problem
    L has a minimum θ*, x = θ − θ*, g = ∇L, and H is the Hessian at θ*.
Guarantee (Upper; the remainder of cubic losses exactly)
    |g(θ) − Hx| ≤ M|x|²/2, where M is a Lipschitz constant of the Hessian; the difference is 0 if L is quadratic. For a
    cubic L = x·Hx/2 + C[x, x, x]/6 the remainder is exactly C[x, x]/2, and M is the Frobenius norm |C|.
    Logistic losses of rows x_i, less their slope at θ* so that θ* is the minimum, have M = mean |x_i|³/(6√3). For one
    row of length 1, with θ* at log(2 − √3), where the curvature is steepest, M is attained as θ → θ*.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import special

from contraction import expansions as ex
from contraction.families import RidgeLogisticLoss
from contraction.maps.rounding import gamma
from contraction.statements.cases.exact_words import random_fraction
from contraction.statements.records import Row, Statement, Tier, Verdict, VerdictFields
from contraction.types import Numbers

NAME, ROWS = "taylor_of_gradient", (48,)
STEEPEST = math.log(2 - math.sqrt(3))  # where the curvature of log(1 + exp(-z)) changes fastest, by 1/(6√3)


def loss(H: Numbers, C: Numbers, x: Numbers) -> Fraction:
    """x·Hx/2 + C[x, x, x]/6 at x, exactly."""
    return (x @ H @ x) / 2 + (((C @ x) @ x) @ x) / 6


def gradient(H: NDArray, C: NDArray, x: NDArray) -> NDArray:
    """Return the gradient by the five-point formula on values of the loss, exact for polynomials up to degree four."""
    out = np.empty(len(x), dtype=object)
    for a in range(len(x)):
        e = np.array([Fraction(int(a == b)) for b in range(len(x))], dtype=object)
        near, far = (loss(H, C, x + s * e) - loss(H, C, x - s * e) for s in (1, 2))
        out[a] = (8 * near - far) / 12
    return out


def field_of(H: NDArray, C: NDArray) -> ex.VectorField:
    """Return the library's polynomial field -grad L of the cubic loss, from its coefficients in x."""
    d = len(H)
    table = []
    for a in range(d):
        row: dict[tuple[int, ...], Fraction] = {}
        for b in range(d):
            for c, value in [(None, H[a, b]), *((c, Fraction(C[a, b, c]) / 2) for c in range(d))]:
                e = tuple(int(k == b) + int(k == c) for k in range(d))
                row[e] = row.get(e, Fraction(0)) - value
        table.append(row)
    return ex.polynomial_field(table)


def third_derivative_bound(rows: NDArray) -> float:
    """Return the mean of |x_i|³ / (6√3), a Lipschitz constant of the Hessian of the mean logistic loss of the rows."""
    return float(np.mean(np.linalg.norm(rows, axis=1) ** 3)) / (6 * math.sqrt(3))


def check_logistic(rows: Numbers, labels: Numbers, theta_star: Numbers, theta: Numbers, sharp: bool = False) -> Verdict:
    """Compare the library's logistic gradient, less its value at θ* with the Hessian of the closed form and M.

    Rounding: gradients and H x commit at most gamma(4d + n + 40) relative to R (1 + R (|θ| + |θ*|)), R the
    largest row, each; three of them are compared. With ``sharp`` the bound must be attained up to the third-order term:
    the fourth derivative of the loss of one row of length 1 is at most 1/8, which gives |x|³/48.
    """
    rows, star, theta = (np.asarray(v, dtype=float) for v in (rows, theta_star, theta))
    loss, every, x = RidgeLogisticLoss(rows, labels), np.arange(len(rows)), theta - star
    s = special.expit(rows @ star)
    H = (rows * (s * (1 - s))[:, None]).T @ rows / len(rows)
    measured = float(np.linalg.norm(loss.gradient(theta, every) - loss.gradient(star, every) - H @ x))
    size, R = float(np.linalg.norm(x)), float(np.max(np.linalg.norm(rows, axis=1)))
    claimed = third_derivative_bound(rows) * size**2 / 2
    rounding = (
        3 * gamma(4 * len(star) + len(rows) + 40) * R * (1 + R * float(np.linalg.norm(theta) + np.abs(star).sum()))
    )
    extra: VerdictFields = {
        "hypotheses": "The losses are logistic.",
        "note": f"d={len(star)}, {len(rows)} rows, |x|={size:.3g}",
    }
    if sharp:
        return Verdict.tight(
            NAME, ROWS, measured, claimed, rounding=rounding + size**3 / 48, part="logistic, attained", **extra
        )
    return Verdict.upper(NAME, ROWS, measured, claimed, rounding=rounding, parts=["logistic"], **extra)


def check(
    H: Numbers = None,
    C: Numbers = None,
    theta_star: Numbers = (),
    theta: Numbers = (),
    *,
    rows: Numbers = None,
    labels: Numbers = None,
    sharp: bool = False,
) -> Verdict:
    """Compare |g(θ) - H (θ - θ*)|² with |C|² |θ - θ*|⁴ / 4, in rationals.

    g is the library's polynomial field; it must equal the five-point formula on values of the loss, its derivative at
    θ* must be H, and the remainder must be C[x, x]/2 itself. With ``rows`` the loss is logistic.
    """
    if rows is not None:
        return check_logistic(rows, labels, theta_star, theta, sharp)
    H, C = np.array(H, dtype=object), np.array(C, dtype=object)
    x = ex.rational_vector((np.array(theta, dtype=object) - np.array(theta_star, dtype=object)).tolist())
    field = field_of(H, C)
    result = -field(x)
    remainder = result - H @ x
    right = {
        "gradient": np.all(result == gradient(H, C, x)),
        "Hessian at θ*": np.all(-field.differential(ex.rational_vector([0] * len(x)), (x,)) == H @ x),
        "remainder": np.all(2 * remainder == (C @ x) @ x),
    }
    measured = remainder @ remainder
    claimed = Fraction(np.sum(C * C)) * (x @ x) ** 2 / 4
    wrong = [name for name, holds in right.items() if not holds]
    return Verdict(
        NAME,
        ROWS,
        "upper",
        measured <= claimed and not wrong,
        float(measured) ** 0.5,
        float(claimed) ** 0.5,
        part=wrong[0] if wrong else "bound",
        hypotheses="The Hessian is M-Lipschitz near θ*; there is equality if L is quadratic.",
        note=f"d={len(x)}",
    )


def symmetric(rng: np.random.Generator, d: int, order: int) -> NDArray:
    """Return a random symmetric tensor with integer entries."""
    out = np.zeros((d,) * order, dtype=object)
    for index in np.ndindex(*out.shape):
        if list(index) == sorted(index):
            value = Fraction(int(rng.integers(-4, 5)))
            for permuted in {tuple(np.array(index)[list(p)]) for p in _permutations(order)}:
                out[permuted] = value
    return out


def _permutations(order: int) -> list[tuple[int, ...]]:
    return [(0, 1), (1, 0)] if order == 2 else [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def cases(rng: np.random.Generator, tier: Tier) -> Iterator[dict]:
    """Yield cases: dimensions 1 to 4; quadratic losses (remainder 0), cubic and logistic ones.

    d = 1, where bounds are attained.
    """
    for k in range(12 if tier == "standard" else 100):
        d = int(rng.integers(1, 5))
        C = symmetric(rng, d, 3) * (k % 3 > 0)
        points = [[random_fraction(rng, -3, 3) for _ in range(d)] for _ in range(2)]
        yield {"H": symmetric(rng, d, 2), "C": C, "theta_star": points[0], "theta": points[1]}
        rows = rng.standard_normal((int(rng.integers(1, 6)), d))
        star = rng.uniform(-2, 2, d)
        yield {
            "rows": rows,
            "labels": rng.choice([-1.0, 1.0], len(rows)),
            "theta_star": star,
            "theta": star + rng.standard_normal(d) * 10.0 ** rng.uniform(-3, 1),
        }
    for step in (0.01, -0.03):
        yield {"rows": [[1.0]], "labels": [1.0], "theta_star": [STEEPEST], "theta": [STEEPEST + step], "sharp": True}


STATEMENT = Statement(
    name=NAME,
    paper=("Section 3.2",),
    claim="|g(θ) − H(θ−θ*)| ≤ M|θ−θ*|²/2",
    hypotheses="g(θ*) = 0, and the Hessian is M-Lipschitz near θ*.",
    rows=(Row(48, "Section 3.2, equation (3)", "OK"),),
    check=check,
    cases=cases,
    test="tests/theory/statements/section_3/test_taylor_of_gradient.py",
)
