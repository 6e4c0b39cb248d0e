"""Replicates of a diagnosis share no randomness: neither seeds of batches and masks, nor batches of one sequence."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.diagnosis.diagnose import INPUTS, _first_inputs  # noqa: E402
from nn_experiments.diagnosis.law import Law  # noqa: E402
from nn_experiments.diagnosis.subject import SeededReplicates  # noqa: E402

MANY, USED = 50, 7
STATE0 = {"parameters": {}}


@dataclass(frozen=True)
class Seeded:
    """A step or a source of batches that knows nothing but its seed."""

    seed: int = -1

    def with_seed(self, seed: int) -> Seeded:
        return Seeded(seed)

    def __call__(self, *_):
        raise AssertionError("nothing is to run")


def replicates(law: Law, batches, seed: int = 3) -> list:
    subject = SeededReplicates(Seeded(), batches, STATE0, None, law, seed, USED, lambda state: state)
    return [subject.replicate(r) for r in range(MANY)]


@pytest.mark.parametrize("first", [3, 2**31 - 7, 2**32 - 7])
@pytest.mark.parametrize("independent", [True, False])
def test_no_two_runs_have_one_seed(independent, first):
    """Within a replicate, too, where the run that distances are compared with has batches and masks of its own.

    After the largest seed, 2^32 - 1, they begin again at 0.
    """
    found = replicates(Law(independent, True), Seeded(), first)
    expected = [(first + r) % 2**32 for r in range(MANY)]
    assert [(one.step.seed, one.batches.seed, one.seed) for one in found] == [(seed,) * 3 for seed in expected]
    if independent:
        assert all(one.others is None and one.other_step is None for one in found)
        return
    for seeds in (
        [one.batches.seed for one in found] + [one.others.seed for one in found],
        [one.step.seed for one in found] + [one.other_step.seed for one in found],
    ):
        assert len(set(seeds)) == 2 * MANY
        assert max(seeds) < 2**32


def test_no_two_replicates_have_a_batch_of_one_sequence():
    """Batches without a seed: a replicate has the next block of as many as it uses."""
    found = replicates(Law(True, True), lambda i: (i, i))
    taken = [one.batches(i)[0] for one in found for i in range(1, USED + 1)]
    assert taken == list(range(1, MANY * USED + 1))


@pytest.mark.parametrize(("size", "count"), [(1, INPUTS), (INPUTS // 2 - 1, 2), (INPUTS // 2 + 1, 1), (INPUTS + 1, 1)])
def test_predictions_are_compared_on_the_first_batches(size, count):
    """They join the first whole batches that fit, at least one. If they are not tensors, those of B_1 are returned."""
    inputs = _first_inputs(lambda i: (torch.full((size, 2), float(i)), i))
    assert inputs.shape == (size * count, 2)
    assert inputs[::size, 0].tolist() == list(range(1, count + 1))
    assert _first_inputs(lambda i: ([i], i)) == [1]
    assert _first_inputs(lambda i: (torch.tensor(i), i)) == torch.tensor(1)
