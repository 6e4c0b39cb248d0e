"""Parts of runs and training on their own: what is compared, shown and looked at."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.results.blocks import _close  # noqa: E402
from nn_experiments.results.increments import Increments, ratios  # noqa: E402
from nn_experiments.training.hidden_state import _frozen, changed  # noqa: E402
from nn_experiments.training.policies import ResetIfBetter, StopWhenSettled  # noqa: E402
from tests.nn.runs.test_network import Small  # noqa: E402


@pytest.mark.parametrize(
    ("one", "other", "close"),
    [
        (1.0, 1.0, True),
        (1.0, 1.01005, True),  # a hundredth of the larger of the two
        (1.01005, 1.0, True),
        (1.0, 1.0102, False),
        (-1.0, -1.01005, True),
        (1.0, -1.0, False),
        (0.0, 9e-7, True),  # nothing to compare
        (99.0, 100.0, True),  # a hundredth, exactly
        (0.0, 1e-6, False),  # from a millionth on there is something to compare
        (0.0, 2e-6, False),
        (1e-9, -9e-7, True),
        (np.inf, np.inf, True),
        (np.inf, 1.0, False),
        (np.nan, np.nan, True),
        (np.nan, 1.0, False),
        (1.0, np.nan, False),
    ],
)
def test_two_steps_are_close_to_a_hundredth(one, other, close):
    assert _close(one, other) == close


def test_how_far_two_steps_move_each_tensor(tmp_path):
    """As the run's folder has it: T_1 T_2 of θ_0, tensor by tensor, and the metric there."""
    own = Small()
    own.run(tmp_path, [ct.Forward()], seeds=(0,))
    (path,) = tmp_path.glob("*/experiment.json")
    behaviour = json.loads(path.read_text())["behaviour"]
    end = own.step(own.step(own.state, own.batches(2), 1), own.batches(1), 2)
    before = own.state["parameters"]
    assert behaviour["moved"].keys() == before.keys()
    for name, moved in behaviour["moved"].items():
        assert moved == pytest.approx(float((end["parameters"][name] - before[name]).norm()), rel=1e-9)
    assert behaviour["measured"]["test_loss"] == pytest.approx(float(own.measure["test_loss"](end)), rel=1e-9)


def test_policies_look_up_to_the_last_iterate():
    policy = ResetIfBetter("test_loss", 3)
    assert [policy.looks_at(last) for last in (2, 3, 11, 12)] == [[], [3], [3, 6, 9], [3, 6, 9, 12]]
    rule = StopWhenSettled(0.1)
    assert [rule.looks_at(last) for last in (1, 2, 3, 4, 9)] == [[1], [1, 2], [1, 2], [1, 2, 4], [1, 2, 4, 8]]
    assert policy.improves(1.0, 2.0)
    assert not policy.improves(2.0, 2.0)
    assert not policy.improves(np.nan, 2.0)
    assert policy.improves(2.0, np.nan)
    assert not policy.improves(np.nan, np.nan)
    higher = ResetIfBetter("test_accuracy", 3, better="higher")
    assert higher.improves(2.0, 1.0)
    assert not higher.improves(2.0, 2.0)


def test_what_changed_is_said_in_words():
    parts = {
        "a number": (1, 2),
        "a word": ("x", "y"),
        "an array": (np.zeros(2), np.ones(2)),
        "a list": ([1], [1, 2]),
        "a tensor": (torch.zeros(2), torch.ones(2)),
        "a generator": (random.Random(0), random.Random(1)),
        "nothing": (None, 3),
        "the same": (1.5, 1.5),
    }
    before, after = ({name: _frozen(pair[k]) for name, pair in parts.items()} for k in (0, 1))
    before["gone"], after["new"] = ("none",), ("entries", 2)
    assert changed(before, after) == {
        "a number": "1 became 2",
        "a word": "'x' became 'y'",
        "an array": "an array became an array",
        "a list": "1 entries became 2 entries",
        "a tensor": "a tensor became a tensor",
        "a generator": "a generator's state became a generator's state",
        "nothing": "None became 3",
        "gone": "None became nothing",
        "new": "nothing became 2 entries",
    }


def test_ratios_are_over_the_distance_of_independent_runs_and_leave_iterate_zero_out():
    far = np.array([[[0.0, 1.0, 9.0], [0.0, 2.0, 4.0], [0.0, 6.0, 8.0]]])
    arrays = dict.fromkeys(("parameter", "norm", "loss", "accuracy"), far) | {"function": 2 * far**2}
    found = Increments(np.array([5]), np.array([0, 4, 8]), ("θ0", "nudged", "independent"), **arrays, metadata={})
    assert np.array_equal(ratios(found, "parameter", "nudged"), [[0.5, 0.75]])
    assert np.array_equal(ratios(found, "function", "nudged"), [[0.25, 0.5625]])


def test_averages_of_policies_and_orders_have_the_names_of_their_curves():
    assert ResetIfBetter("test_loss", 3).name == "reset_if_better-test_loss-3"
    assert ResetIfBetter("test_accuracy", 3, better="higher").name == "reset_if_better-test_accuracy-3-higher"
    assert (ResetIfBetter("a", 1).records, StopWhenSettled(0.1).records) == ("reset_at", "stopped_at")
    for policy in (ResetIfBetter("test_loss", 3), StopWhenSettled(0.1)):
        assert nne.paper.curve_names.parse(policy.name).policy == policy
