"""Distance of the law of iterate n to its limit: exact where there is a formula, between two bounds elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from contraction.families import BernoulliConvolution, QuadraticSGD
from contraction.laws import AffineMoments, affine_moments, exact_law
from contraction.plots.style import BACKWARD, CLAIM, FORWARD, MOMENT, OTHER, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["law_distance"]


def _uniform_distance(law: Iterable) -> float:
    """W_inf between a law of 2^n equal atoms and the uniform law on [0, 1]: the largest quantile gap, exactly."""
    atoms = sorted(law)
    m = len(atoms)
    values = [a[0] if isinstance(a, tuple) else a for a in atoms]
    return float(max(max(abs(x - Fraction(i, m)), abs(x - Fraction(i + 1, m))) for i, x in enumerate(values)))


def law_distance() -> Figure:
    """Left: Bernoulli convolution at h = 1/2, the coupling bound is exact. Right: Gaussian 3.1, it is not."""
    fig, (left, right) = figure(1, 2, height=3.1)
    n = np.arange(1, 13)
    family = BernoulliConvolution(Fraction(1, 2))
    for start, color, marker in ((Fraction(0), BACKWARD, "o"), (Fraction(1, 2), OTHER, "s")):
        exact = [_uniform_distance(exact_law(family, int(m), start)) for m in n]
        D = max(abs(start / 2 - start), abs(start / 2 + Fraction(1, 2) - start))
        left.semilogy(n, exact, marker, ms=4, color=color, label=f"exact $W_\\infty$, start {start}")
        left.semilogy(n, [float(D / Fraction(1, 2) / 2 ** int(m)) for m in n], "--", lw=0.9, color=CLAIM)
    left.plot([], [], "--", color=CLAIM, lw=0.9, label="coupling bound $Dk^n/(1-k)$")
    left.set(title="Bernoulli convolution, h = ½:\nthe bound is exact", xlabel="n", ylabel="distance to the limit law")
    left.legend()
    moments = affine_moments(QuadraticSGD(0.2), 0.0)
    assert isinstance(moments, AffineMoments)
    n = np.arange(0, 31)
    coupling = np.sqrt([moments.limit_distance(int(m)) for m in n])
    exact = [moments.gaussian_distance(int(m)) for m in n]
    right.semilogy(n, coupling, "-.", color=MOMENT, lw=1.2, label="coupling: $(E|\\theta_n-\\theta^*|^2)^{1/2}=sk^n$")
    right.semilogy(n, exact, "-", color=FORWARD, label="exact $W_2=s(1-\\sqrt{1-k^{2n}})$")
    right.set(title="Gaussian 3.1, h = 0.2, start at the mean:\nthe law is faster", xlabel="n")
    right.legend()
    return fig
