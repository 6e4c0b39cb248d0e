"""Orders that use a batch several times, and more iterates than batches: the plan and both engines know them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from contraction.maps.orders import CustomOrder, Epochs, PairedReversal, Repeated, map_applications  # noqa: E402
from nn_experiments.engine import iterates  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.engine.plan import plan  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from tests.nn.problems import (  # noqa: E402
    SGD,
    bound,
    flat,
    problem,
)

SCHEDULED = Optimizer(learning_rate=0.05, schedule=Schedule(kind="inverse", horizon=4))
ORDERS = {
    "paired reversal": (PairedReversal(), [0, 1, 4, 7]),
    "repeated": (Repeated(2), [0, 2, 5]),
    "forth and back": (Epochs(4, forth_and_back=True), [0, 3, 8, 19]),
    "NumPy integers": (CustomOrder(lambda n: np.random.default_rng(n).integers(1, 6, n + 2)), [1, 5, 9]),
}


@pytest.mark.parametrize("optimizer", [SGD, SCHEDULED], ids=["constant", "scheduled"])
@pytest.mark.parametrize("name", ORDERS)
def test_both_engines_equal_the_double_loop(name, optimizer):
    order, at = ORDERS[name]
    step, batches, state0 = problem("regression", optimizer)
    oracle = double_loop(step, batches, state0, order, at)
    right = np.stack([flat(oracle[n]["parameters"]).numpy() for n in at])
    allowed = [bound(map_applications(order, [n]), state0) if n else 0 for n in at]
    metrics = {"parameters": lambda state: flat(state["parameters"])}
    for engine in ("step", "ensemble"):
        path = iterates(step, batches, state0, order, at, metrics, engine=engine)
        assert path.gradients.tolist() == [map_applications(order, [n]) for n in at]
        assert np.all(np.linalg.norm(path["parameters"] - right, axis=1) <= allowed)


def test_segments_are_plain_integers_in_the_order_of_their_maps():
    order, at = ORDERS["NumPy integers"]
    for run in plan(order, at):
        assert list(run.indices) == [int(i) for i in order.word(run.n)][::-1]
        assert all(type(i) is int for i in (*run.indices, run.outermost))
    assert [run.indices for run in plan(PairedReversal(), [3])] == [[1, 2, 3, 3, 2, 1]]
    assert [(run.n, run.anchor, list(run.indices)) for run in plan(Epochs(3), [2, 7])] == [
        (2, 0, [1, 2]),
        (7, 2, [3, 1, 2, 3, 1]),
    ]


@pytest.mark.control
def test_a_word_from_the_wrong_end_is_seen():
    step, batches, state0 = problem("regression", SGD)
    words = [(1, 2, 3, 3, 2, 1), (3, 2, 1, 1, 2, 3)]
    ends = [double_loop(step, batches, state0, CustomOrder(lambda n, w=w: w), [1])[1]["parameters"] for w in words]
    assert float((flat(ends[0]) - flat(ends[1])).norm()) > 1e-6
