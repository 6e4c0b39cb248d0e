"""Sweeps that are recorded and replayed: when they are, and that nothing changes. What records is a stand-in here.

On a GPU itself: `tests/nn/engine/test_gpu.py`.
"""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from contraction.maps.orders import Backward, Forward  # noqa: E402
from nn_experiments.engine.ensemble import graphs  # noqa: E402
from nn_experiments.engine.ensemble.wavefront import Ensemble, wavefront  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from tests.nn.conv_problems import SLOW, conv_bound, conv_problem, whole  # noqa: E402
from tests.nn.engine.test_stacked_module import OPTIMIZERS  # noqa: E402


class Recorder:
    """Stands in for CUDA's: a recorded call is done again, on the tensors it was recorded with, when it is replayed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.recorded, self.replayed = error, 0, 0

    def __call__(self, call, device, *, pool):
        if self.error:
            raise self.error
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            call()

        return replay


@pytest.fixture
def recorder(monkeypatch):
    def install(error: Exception | None = None) -> Recorder:
        made = Recorder(error)
        monkeypatch.setattr(graphs, "recorded", made)
        monkeypatch.setattr(graphs, "EAGER", 2)
        monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
        own = graphs.Sweeper._reason
        monkeypatch.setattr(
            graphs.Sweeper, "_reason", lambda self: None if (found := own(self)) == "not on a GPU" else found
        )
        return made

    return install


@pytest.mark.parametrize("form", ["wide", "mlp"])
@pytest.mark.parametrize("order", [Backward(), Forward()], ids=["backward", "forward"])
def test_replayed_sweeps_give_the_double_loops_iterates(order, form: str, recorder) -> None:
    made = recorder()
    if form == "wide":
        step, batches, state0 = conv_problem("basic-batch", SLOW)
        allowed = conv_bound(12, state0)
    else:
        from tests.nn.problems import SGD, bound, problem

        step, batches, state0 = problem("classification", SGD)
        allowed = bound(12, state0)
    own, at = Ensemble(pad=4), range(0, 13, 4)
    right = double_loop(step, batches, state0, order, at)
    for n, state, _ in wavefront(step, batches, order, at, state0, ensemble=own):
        assert float((whole(state) - whole(right[n])).norm()) <= allowed
    # 12 sweeps of one size in either order: two as they come, one recorded, ten replayed
    assert (made.recorded, made.replayed, own.graphs) == (1, 10, 1)


def test_every_size_has_a_graph_of_its_own(recorder) -> None:
    made = recorder()
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    own = Ensemble()
    list(wavefront(step, batches, Backward(), range(0, 13, 4), state0, ensemble=own))  # 1, 2 and 3 chains live
    assert (made.recorded, made.replayed) == (3, 3 * 2)


def test_what_cannot_be_recorded_goes_on_as_it_comes(recorder) -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    recorder(RuntimeError("operation not permitted when stream is capturing\nmore"))
    own = Ensemble()
    path = list(wavefront(step, batches, Backward(), [4, 12], state0, ensemble=own))
    assert own.graphs == "RuntimeError: operation not permitted when stream is capturing"
    right = double_loop(step, batches, state0, Backward(), [12])[12]
    assert float((whole(path[-1][1]) - whole(right)).norm()) <= conv_bound(12, state0)


def test_without_memory_for_a_graph_sweeps_go_on_as_they_come(recorder) -> None:
    """The sweep itself has fitted: the chunk stays as it is."""
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    recorder(torch.OutOfMemoryError("injected"))
    own = Ensemble(chunk=2)
    path = list(wavefront(step, batches, Backward(), [4, 12], state0, ensemble=own))
    assert (own.graphs, own.halved, own.chunk) == ("no memory for a graph", [], 2)
    right = double_loop(step, batches, state0, Backward(), [12])[12]
    assert float((whole(path[-1][1]) - whole(right)).norm()) <= conv_bound(12, state0)


@pytest.mark.parametrize("optimizer", ["adam", "scheduled"])
def test_what_is_never_recorded(optimizer: str, recorder) -> None:
    """An optimizer with a memory or a place in the run, and a rate that is another one at every step."""
    made = recorder()
    step, batches, state0 = conv_problem("basic-batch", OPTIMIZERS[optimizer])
    own = Ensemble()
    list(wavefront(step, batches, Backward(), [4, 12], state0, ensemble=own))
    assert made.recorded == 0
    assert own.graphs == ("not plain SGD" if optimizer == "adam" else 0)


def test_nothing_is_recorded_on_a_cpu() -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    own = Ensemble()
    list(wavefront(step, batches, Backward(), [4, 12], state0, ensemble=own))
    assert own.graphs == "not on a GPU"
