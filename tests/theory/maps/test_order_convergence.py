"""Which orders converge: decided for those of the package, by declaration for others, else unknown."""

from __future__ import annotations

import numpy as np
import pytest

from contraction.maps.errors import DeclarationRefuted
from contraction.maps.iterates import iterates
from contraction.maps.operators import Operators
from contraction.maps.order_convergence import order_convergence
from contraction.maps.orders import (
    Backward,
    CustomOrder,
    Epochs,
    Forward,
    Late,
    PairedReversal,
    Repeated,
    Reset,
    Windowed,
)
from contraction.statements.section_4_5.other_convergent_orders import ORDERS as ORDERS_OF_THE_STATEMENT

VERDICTS = {
    Backward(): "converges",
    Forward(): "does not converge",
    Windowed(3): "does not converge",
    Reset([4, 9]): "converges",
    Late(5): "converges",
    PairedReversal(): "converges",
    Repeated(2): "converges",
    Epochs(1): "converges",
    Epochs(4): "does not converge",
    Epochs(4, forth_and_back=True): "does not converge",
}


@pytest.mark.parametrize("order", VERDICTS, ids=repr)
def test_the_orders_of_the_package_are_decided_rightly(order):
    """Constant maps 0, 1, 0, 1, … settle exactly under the orders that converge; x/2 + b attains the bound's rate."""
    found = order_convergence(order, 40)
    assert found.verdict == VERDICTS[order]
    maps = Operators.from_maps([lambda x, b=i % 2: 0 * x + b for i in range(40)])
    rows = iterates(maps, np.array([7.0]), order)[20:, 0]
    assert (len(set(rows.tolist())) == 1) == (found.verdict == "converges")
    halves = Operators.from_maps([lambda x, b=i % 3: x / 2 + b for i in range(40)])
    path = iterates(halves, np.array([0.0]), order)[:, 0]
    for n in range(41):
        assert np.abs(path[n:] - path[n]).max() <= found.bound(n, 0.5, 2.0) + 1e-12


def test_declared_orders():
    """The orders of Section 5's statement, each with the iterate from which its outermost maps stay."""
    settles = {
        "T_2 T_1 T_3 … T_n": lambda p: max(p, 2),
        "new map in the middle": lambda p: 2 * p,
        "new map under √n others": lambda p: p * p,
        "backward": lambda p: p,
    }
    for name, declared in settles.items():
        order = ORDERS_OF_THE_STATEMENT[name]()
        assert order_convergence(CustomOrder(order.word), 50).verdict == "unknown"
        assert order_convergence(CustomOrder(order.word, settles=declared), 50).verdict == "converges"
    late = CustomOrder(Backward().word, settles=lambda p: 1000 + p)
    assert order_convergence(late, 50).verdict == "unknown"
    assert "beyond the words" in order_convergence(late, 50).reason


@pytest.mark.control
def test_false_declarations_are_refuted():
    for order, wrong in (
        (ORDERS_OF_THE_STATEMENT["T_2 T_1 T_3 … T_n"](), lambda p: p),
        (ORDERS_OF_THE_STATEMENT["new map in the middle"](), lambda p: 2 * p - 2),
        (Windowed(5), lambda p: p),
    ):
        with pytest.raises(
            DeclarationRefuted, match=r"declares that the (\d+ outermost maps are|outermost map is) the same"
        ):
            order_convergence(CustomOrder(order.word, order.anchor, settles=wrong), 30)


def test_none_one_and_several_outermost_maps():
    assert "iterate 2 shares no outermost map with all later ones up to 4" in str(order_convergence(Forward(), 4))
    assert "iterate 1 shares its outermost map with all" in str(order_convergence(Backward(), 3))
    assert "iterate 2 shares its 2 outermost maps with all" in str(order_convergence(Backward(), 4))
    changing = CustomOrder(Forward().word, Forward().anchor, settles=lambda p: p)
    with pytest.raises(
        DeclarationRefuted, match=r"that the outermost map is the same from iterate 1 on, but it is \[1\]"
    ):
        order_convergence(changing, 8)
    once = CustomOrder(Backward().word, settles=lambda p: 1 if p == 1 else 1000)
    assert order_convergence(once, 8).reason.endswith("as declared and as seen for the outermost one")


def test_questions_without_meaning():
    found = order_convergence(Backward(), 5)
    for call, rule in (
        (lambda: order_convergence(Backward(), 0), "horizon must be an integer of at least 1"),
        (lambda: found.bound(6, 0.5, 1.0), "at most the horizon 5"),
        (lambda: found.bound(1, 1.0, 1.0), "0 <= k < 1"),
        (lambda: order_convergence(CustomOrder(lambda n: [0])), "names map 0"),
        (lambda: Epochs(0), "must be an integer of at least 1"),
        (lambda: Repeated(0), "must be an integer of at least 1"),
    ):
        with pytest.raises(ValueError, match=rule):
            call()


@pytest.mark.parametrize("bad", [2, 4, 5])
def test_a_declaration_that_fails_at_any_iterate_up_to_the_horizon_is_refused(bad: int) -> None:
    order = CustomOrder(lambda n: [2, *range(1, n)] if n == bad else range(1, n + 1), settles=lambda p: p)
    with pytest.raises(
        DeclarationRefuted, match=rf"outermost map is .* but it is \[1\] at iterate 1 and \[2\] at iterate {bad}"
    ):
        order_convergence(order, 5)
    with pytest.raises(DeclarationRefuted, match=rf"at iterate {bad}"):
        order_convergence(order, 9)
    assert order_convergence(order, bad - 1).verdict == "converges"
