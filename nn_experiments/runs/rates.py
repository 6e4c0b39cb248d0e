"""How long one step and one evaluation take on this machine, measured before a run."""

from __future__ import annotations

import time

from nn_experiments.engine import measure
from nn_experiments.engine.ensemble.wavefront import Ensemble
from nn_experiments.engine.gpu import limit_share
from nn_experiments.engine.kernels.choose import KERNELS
from nn_experiments.engine.purity import probe
from nn_experiments.paper import curve_names
from nn_experiments.runs.autotune import rehearse, rehearse_evaluation
from nn_experiments.runs.job import one_thread
from nn_experiments.runs.problem import Setup
from nn_experiments.training.metrics import Evaluation
from nn_experiments.training.step import TrainingStep

__all__ = ["measure_rates"]

#: A kernel is timed for about so many seconds.
LONG_ENOUGH = 0.05


def measure_rates(
    setup: Setup, device: str, ensemble: Ensemble, *, engine: str, chains: int, last: int
) -> tuple[float, float]:
    """Probe determinism and return the seconds of one map and of one evaluation, measured on this machine.

    On a GPU the map is that of one chain of an ensemble, which gets its chunk and its convolutions here. Only B_1,
    B_2 and batches up to B_last are asked for: a cut data folder holds no others.

    Parameters
    ----------
    setup
        Step, batches, θ_0 and metrics of one seed.
    device
        A torch device, such as ``cpu``.
    ensemble
        How chains are batched; settings that are not given are chosen here, on a GPU.
    engine
        As in `nn_experiments.iterates`.
    chains
        How many chains there will be.
    last
        The largest index of a batch that may be asked for.
    """
    limit_share(device)
    with one_thread(device):
        slow = probe(setup.step, setup.batches, setup.state0)
        measurement = setup.measurement
        if device != "cpu" and engine in ("auto", "ensemble") and isinstance(setup.step, TrainingStep):
            evaluation = (
                rehearse_evaluation(measurement, setup.batches, setup.state0, ensemble)
                if isinstance(measurement, Evaluation)
                else _seconds(setup)
            )
            return rehearse(setup.step, setup.batches, setup.state0, ensemble, chains=chains), evaluation
        evaluation = _seconds(setup)
        if engine == "step" or device != "cpu":
            return slow, evaluation
        kernel = setup.kernel(curve_names.parse("forward"), engine if engine in KERNELS else "auto")

        def seconds_of(count: int) -> float:
            begin = time.perf_counter()
            kernel.apply(setup.state0, range(count, 0, -1), 0)
            return time.perf_counter() - begin

        count, spent = 2, 0.0
        seconds_of(count)  # compiles
        while spent < LONG_ENOUGH and count < min(1000, last):
            count = min(4 * count, last)
            seconds_of(count)  # draws batches, which later steps find in memory
            spent = seconds_of(count)
        return (spent / count if spent else slow), evaluation


def _seconds(setup: Setup) -> float:
    """Return the seconds of one evaluation: the fastest of several, since the first times libraries load and plan."""
    times: list[float] = []
    while len(times) < 2 or (sum(times) < LONG_ENOUGH and len(times) < 10):
        begin = time.perf_counter()
        measure(setup.measurement, setup.state0, 1, 1, setup.batches)
        times.append(time.perf_counter() - begin)
    return min(times)
