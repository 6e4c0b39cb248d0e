"""Which chains are reversible: detailed balance up to rounding for floats, exactly for Fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from contraction.exponents.law_of_maps import is_reversible_chain
from contraction.families import MarkovModulated


@pytest.mark.parametrize("seed", range(20))
def test_detailed_balance_is_up_to_rounding(seed):
    """Flows p_a P_ab of a chain made from symmetric weights are equal both ways but for a rounding or two; a flow of
    1e-9 around a circle of three letters is seen."""
    rng = np.random.default_rng(seed)
    W = rng.random((4, 4))
    W = W + W.T
    total = W.sum(axis=1)
    P, p = W / total[:, None], total / total.sum()
    law = MarkovModulated(P.tolist(), p.tolist())
    assert is_reversible_chain(law)
    flow = 1e-9 * np.array([[0, 1, -1, 0], [-1, 0, 1, 0], [1, -1, 0, 0], [0, 0, 0, 0]])
    assert not is_reversible_chain(MarkovModulated((P + flow / p[:, None]).tolist(), p.tolist()))


def test_fractions_have_no_rounding():
    tiny, half = Fraction(1, 10**30), Fraction(1, 2)
    even = [Fraction(1, 3)] * 3
    third = [[Fraction(0), half, half], [half, Fraction(0), half], [half, half, Fraction(0)]]
    assert is_reversible_chain(MarkovModulated(third, even))
    turned = [[Fraction(0), half + tiny, half - tiny], [half - tiny, Fraction(0), half + tiny]]
    turned.append([half + tiny, half - tiny, Fraction(0)])
    assert not is_reversible_chain(MarkovModulated(turned, even))
