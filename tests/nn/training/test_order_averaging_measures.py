"""What is recorded of appendix D: against the theory's own functions, exact quadratics, and controls."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from contraction.expansions.regularisers import (  # noqa: E402
    alignment,
    alignment_gradient,
    large_batch_step,
    mean_over_orders,
)
from nn_experiments.paper import cost, curve_names  # noqa: E402
from nn_experiments.training.models.mlp import MLP  # noqa: E402
from nn_experiments.training.order_averaging_measures import (  # noqa: E402
    SPLIT_METRICS,
    _cosine,
    order_averaging_measures,
)
from nn_experiments.training.vector_fields import Layout, loss_fields, module_loss, split_batch  # noqa: E402

H = 0.1


def problem(c: int):
    rng = np.random.default_rng(c)
    module = MLP((3, 6, 4), activation="tanh")
    values = {name: torch.from_numpy(rng.standard_normal(p.shape)) for name, p in module.named_parameters()}
    batch = torch.from_numpy(rng.standard_normal((4 * c, 3))), torch.from_numpy(rng.integers(4, size=4 * c))
    loss = module_loss(module, torch.nn.functional.cross_entropy)
    layout = Layout.of(values)
    return loss, values, batch, loss_fields(loss, split_batch(batch, c), layout), layout.flatten(values)


@pytest.mark.parametrize("c", [2, 3, 4])
def test_measures_are_those_of_the_theory(c: int) -> None:
    loss, values, batch, fields, theta = problem(c)
    found = order_averaging_measures(loss, values, batch, c=c, h=H)
    assert tuple(found) == SPLIT_METRICS
    orders = mean_over_orders(fields, theta, H) - large_batch_step(fields, theta, H)
    term, parts = alignment_gradient(fields, theta), torch.stack([field(theta) for field in fields])
    mean = parts.mean(0)
    remainder = orders - (H / c) ** 2 / 2 * term
    right = {
        "alignment": alignment(fields, theta),
        "batch_gradient_norm": mean.norm(),
        "part_gradient_norm": (parts.square().sum() / c).sqrt(),
        "alignment_gradient_norm": term.norm(),
        "alignment_gradient_cosine": term @ mean / term.norm() / mean.norm(),
        "orders_norm": orders.norm(),
        "orders_cosine": orders @ mean / orders.norm() / mean.norm(),
        "orders_alignment_cosine": orders @ term / orders.norm() / term.norm(),
        "orders_remainder": remainder.norm(),
    }
    for name, value in right.items():
        assert found[name] == pytest.approx(float(value), rel=1e-7, abs=1e-12), name
    for lam in (0.0, (H / c) ** 2 / 2, H * H):  # the distance of a regularised step, as the docstring says
        direct = float((orders - lam * term).norm())
        square = (
            found["orders_norm"] ** 2
            - 2 * lam * found["orders_alignment_cosine"] * found["orders_norm"] * found["alignment_gradient_norm"]
            + lam**2 * found["alignment_gradient_norm"] ** 2
        )
        assert square**0.5 == pytest.approx(direct, rel=1e-4)


def test_the_remainder_is_of_third_order() -> None:
    """Halving h divides P by about 4 and the remainder by about 8; without the factor ½ it is of second order."""
    loss, values, batch, fields, theta = problem(3)
    one, half = (order_averaging_measures(loss, values, batch, c=3, h=h) for h in (0.02, 0.01))
    assert one["orders_norm"] / half["orders_norm"] == pytest.approx(4, rel=0.1)
    assert one["orders_remainder"] / half["orders_remainder"] == pytest.approx(8, rel=0.1)
    assert half["orders_remainder"] < 0.1 * half["orders_norm"]
    wrong = [
        mean_over_orders(fields, theta, h)
        - large_batch_step(fields, theta, h)
        - (h / 3) ** 2 * alignment_gradient(fields, theta)
        for h in (0.02, 0.01)
    ]
    assert float(wrong[0].norm() / wrong[1].norm()) == pytest.approx(4, rel=0.1)


def test_prices_of_steps_and_measures() -> None:
    """Multiply-adds of 784-5×500-10: three products a layer (two for the first) and six (two for the first)."""
    first, others = 784 * 500, 4 * 500 * 500 + 500 * 10
    plain, products = 2 * first + 3 * others, 2 * first + 6 * others
    price = curve_names.parse("regularised-4").price
    assert price == pytest.approx((plain + products) / plain, abs=0.01)
    assert [curve_names.parse(name).price for name in ("large", "small", "forward")] == [1, 1, 1]
    assert [cost._split_measures(c) / 2 + 1 - price for c in (2, 3, 4)] == pytest.approx([4 / 2, 15 / 3, 64 / 4])


def test_a_cosine_with_nothing_is_zero() -> None:
    """The angle is undefined where all gradients vanish; elsewhere it depends on the directions alone."""
    one, zero = torch.tensor([3.0, -4.0], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for first, second in ((zero, one), (one, zero), (zero, zero)):
        assert float(_cosine(first, second)) == 0.0
    assert float(_cosine(one, one)) == float(_cosine(one / 8, 2 * one)) == 1.0
    assert float(_cosine(one, -one)) == -1.0
    assert float(_cosine(one, torch.tensor([4.0, 3.0], dtype=torch.float64))) == 0.0
    at_rest = {"w": torch.ones(1, dtype=torch.float64)}
    found = order_averaging_measures(
        lambda p, b: ((p["w"] - b[1]) ** 2).mean(), at_rest, (torch.ones(6), torch.ones(6)), c=3, h=H
    )
    assert list(found.values()) == [0.0] * len(SPLIT_METRICS)
