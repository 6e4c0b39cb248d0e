"""Vector fields with unknown components, compositions of steps, and coefficients of powers of h."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

__all__ = ["Field", "coefficient", "fields", "h", "jets", "word_image"]

h = sp.symbols("h", real=True)


class Field:
    """V: R^d -> R^d with undefined functions as components, its derivative on directions, evaluated at ``point``."""

    def __init__(self, name: str, point: Sequence[sp.Symbol], components: Sequence[sp.Expr] | None = None) -> None:
        self.point = tuple(point)
        unknown = [sp.Function(f"{name}_{j}")(*self.point) for j in range(len(self.point))]
        self.components = unknown if components is None else list(components)

    def __call__(self, x: Sequence[sp.Expr]) -> sp.Matrix:
        swap = dict(zip(self.point, x, strict=True))
        return sp.Matrix([c.subs(swap, simultaneous=True) for c in self.components])

    @property
    def value(self) -> sp.Matrix:
        """V(θ)."""
        return sp.Matrix(self.components)

    @property
    def jacobian(self) -> sp.Matrix:
        """V'(θ)."""
        return self.value.jacobian(self.point)

    def second(self, u: sp.Matrix, w: sp.Matrix) -> sp.Matrix:
        """V''(θ)(u, w)."""
        hessians = [sp.hessian(c, self.point) for c in self.components]
        return sp.Matrix([(u.T * H * w)[0] for H in hessians])


def fields(count: int, dim: int) -> tuple[tuple[sp.Symbol, ...], list[Field]]:
    """The point θ and ``count`` unknown fields of R^dim."""
    point = sp.symbols(f"x1:{dim + 1}", real=True)
    return point, [Field(f"V{i}", point) for i in range(1, count + 1)]


def jets(count: int, dim: int) -> tuple[tuple[sp.Symbol, ...], list[Field]]:
    """Fields given by all their derivatives up to the second at 0: general quadratics with symbols as coefficients.

    The coefficient of h³ at 0 depends on no further derivative, so an identity between such coefficients at 0 that
    holds for these holds for all C³ fields. (SymPy cannot substitute into mixed derivatives of unknown functions.)
    """
    point = sp.symbols(f"x1:{dim + 1}", real=True)
    monomials = [sp.Integer(1), *point, *(point[a] * point[b] for a in range(dim) for b in range(a, dim))]

    def component(i: int, j: int) -> sp.Expr:
        return sum((sp.Symbol(f"c{i}_{j}_{k}") * m for k, m in enumerate(monomials)), sp.Integer(0))

    return point, [Field(f"V{i}", point, [component(i, j) for j in range(dim)]) for i in range(1, count + 1)]


def coefficient(word: Sequence[Field], point: Sequence[sp.Symbol], power: int) -> sp.Matrix:
    """Coefficient of h^power in (1 + hV_{i_1}) ∘ … ∘ (1 + hV_{i_k}) (θ), leftmost applied last, by differentiation."""
    derivative = word_image(word, point)
    for _ in range(power):
        derivative = derivative.diff(h)
    return derivative.subs(h, 0).doit() / sp.factorial(power)


def word_image(word: Sequence[Field], point: Sequence[sp.Symbol]) -> sp.Matrix:
    """The image of θ under the word of steps x -> x + hV(x)."""
    x = sp.Matrix(point)
    for V in reversed(word):
        x = x + h * V(list(x))
    return x
