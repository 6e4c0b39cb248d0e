"""Three questions about a path: does it settle, do its maps forget a near start, and an independent one?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from contraction.families import Gaussian, QuadraticSGD
from contraction.maps.iterates import paired_iterates
from nn_experiments.analysis.settling import Evidence, evidence, judge, judge_start
from nn_experiments.results.curves import Curves

SPACES = ("parameter", "function")


@pytest.mark.parametrize(
    ("increment", "tail", "scale", "moved", "verdict"),
    [
        (0.01, 0.05, 1.0, 0.05, "settles"),
        (0.01, 0.05, 1.0, None, "settles"),
        (0.01, 0.9, 1.0, 0.9, "does not settle by N"),  # it wanders in small steps
        (0.01, 5.0, 1.0, 0.05, "still training"),  # all but a tenth of the scale is drift
        (0.01, 5.0, 1.0, 0.2, "undecided"),
        (0.01, 5.0, 1.0, None, "undecided"),
        (0.9, 0.05, 1.0, 0.0, "does not settle by N"),
        (0.2, 0.2, 1.0, 0.2, "undecided"),
        (0.01, 0.05, None, 0.0, "not measured"),
        (0.01, None, 1.0, None, "not measured"),  # increments alone prove nothing
        (0.9, None, 1.0, None, "does not settle by N"),
        (None, None, 1.0, None, "not measured"),
        (None, 0.05, 1.0, None, "not measured"),  # a tail alone proves nothing
        (None, 0.9, 1.0, None, "not measured"),
        (None, 0.9, 1.0, 0.9, "does not settle by N"),  # but movement beyond the drift does
        (None, 0.9, 1.0, 0.05, "not measured"),
        (None, 0.9, 0.0, 0.9, "not measured"),
        (0.01, math.nan, 1.0, 0.0, "diverged"),
        (math.inf, 0.05, 1.0, 0.0, "diverged"),
        (0.0, 0.0, 0.0, 0.0, "not measured"),
        (5.0, 0.5, 10.0, 0.5, "does not settle by N"),  # half of the scale is movement
        (0.5, 6.0, 10.0, 5.0, "does not settle by N"),
        (1.0, 1.0, 10.0, 1.0, "settles"),  # a tenth of it is not
        (1.0, 6.0, 10.0, 1.0, "still training"),
        (1.0, 6.0, 10.0, 1.1, "undecided"),
        (1.1, 6.0, 10.0, 1.0, "undecided"),
    ],
)
def test_verdicts_by_hand(increment, tail, scale, moved, verdict):
    assert judge(increment, tail, scale, moved=moved) == verdict


def test_where_every_run_ends_in_one_point_the_way_travelled_is_the_unit():
    assert judge(1e-15, 1e-15, 0.0, travelled=2.0) == "settles"
    assert judge(1e-15, 1e-15, 1e-12, travelled=2.0) == "settles"
    assert judge(1e-15, 1e-3, 1e-12, travelled=2.0) == "still training"  # on its way there
    assert judge(1e-15, None, 0.0, travelled=2.0) == "not measured"
    assert judge(5e-8, 5e-8, 5e-8, travelled=100.0) == "settles"  # a billionth of the way, however long it is
    assert judge(5e-10, 5e-10, 5e-10, travelled=0.01) == "does not settle by N"
    assert judge(1e-7, 1e-7, 1e-7, travelled=100.0) == "settles"
    assert judge(2e-9, None, 1e-9, travelled=1.0) == judge(None, 2e-9, 1e-9, travelled=1.0) == "not measured"


@pytest.mark.parametrize(
    ("apart", "scale", "began", "verdict"),
    [
        (1e-15, 0.12, 1.2, "forgets"),
        (0.05, 1.0, 0.1, "undecided"),  # near, but only half as far as they began
        (0.05, 1.0, 0.04, "does not forget by N"),  # no nearer than they began, however near
        (0.3, 1.0, 0.3, "does not forget by N"),  # just as near as they began
        (0.3, 1.0, 0.31, "undecided"),
        (0.1, 1.0, 5.0, "forgets"),  # a tenth of the scale itself, and of what they began with
        (0.1, 5.0, 1.0, "forgets"),
        (0.6, 1.0, 5.0, "does not forget by N"),
        (0.3, 1.0, 5.0, "undecided"),
        (5.9, 0.12, 6.0, "does not forget by N"),
        (0.01, 0.0, 6.0, "forgets"),
        (5.9, 0.0, 6.0, "does not forget by N"),
        (None, 1.0, 1.0, "not measured"),
        (0.1, None, 1.0, "not measured"),
        (0.0, 0.0, None, "not measured"),
        (math.nan, 1.0, 1.0, "diverged"),
    ],
)
def test_starts_by_hand(apart, scale, began, verdict):
    assert judge_start(apart, scale, began=began) == verdict


def test_negative_distances_are_refused():
    with pytest.raises(ValueError, match="at least 0"):
        judge(-1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="at least 0"):
        judge_start(0.1, -1.0)


def distances(paths: dict[str, np.ndarray], twin: np.ndarray, independent: np.ndarray, every: int = 20) -> Curves:
    """Curves of one seed, with what settling is judged by, from paths (N+1, d) of each order."""
    last = len(independent) - 1
    at = np.arange(0, last, every)
    metrics: dict[str, np.ndarray] = {}

    def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.linalg.norm((a - b).reshape(len(a), -1), axis=1)

    for name, make in {
        "increment": lambda path: apart(path[at + 1], path[at]),
        "to_last": lambda path: apart(path[at], path[[last] * len(at)]),
        "coupling": lambda path: apart(twin[at], path[at]),
        "independent": lambda path: apart(independent[at], path[at]),
    }.items():
        for space in SPACES:
            metrics[f"{space}_{name}"] = np.stack([make(path) for path in paths.values()])[None]
    recorded = {name: np.ones(value.shape, bool) for name, value in metrics.items()}
    return Curves((0,), tuple(paths), at, metrics, recorded, {"to_last": last})


def judged(path: np.ndarray, twin: np.ndarray, independent: np.ndarray, order: str = "forward") -> Evidence:
    curves = distances({order: path}, twin, independent)
    return evidence(curves, "parameter", seed=0, order=order, last=len(path) - 1)


@pytest.mark.parametrize("h", [0.02, 0.1, 0.5])
def test_ar1_backward_settles_and_forward_does_not(h):
    """From 2 and −2. Backward: everything is below k^(N/2) times a unit factor. Forward: 25 distances of a stationary
    path to its end, all below a tenth of a scale only if the end is typical for all of them: never seen in 50 seeds."""
    family = QuadraticSGD(h=h, noise=Gaussian())
    operators, others = family.sample(1000, 1, replicas=50), family.sample(1000, 2, replicas=50)
    both, twins = paired_iterates(operators, 2.0), paired_iterates(operators, -2.0)
    independent = paired_iterates(others, 2.0)[0]
    for seed in range(50):
        first, second = (
            judged(both[k][seed, :, 0], twins[k][seed, :, 0], independent[seed, :, 0], order)
            for k, order in enumerate(("forward", "backward"))
        )
        assert first.verdict != "settles"
        assert second.verdict == "settles"
        assert (first.far_verdict, second.far_verdict) == ("forgets", "forgets")
        assert (first.near_verdict, second.near_verdict) == ("not measured", "forgets")


def test_a_slow_random_walk_moves():
    """Steps of a thousandth of the scale: one walk goes nowhere by N, one thirty times as long does."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(1e-3 * rng.standard_normal(1001))
    near = judged(walk, walk + 1.0, walk + 1.0)
    assert near.far_verdict == "does not forget by N"
    assert judged(30 * walk, 30 * walk, 30 * walk + 0.2).verdict == "does not settle by N"


def test_maps_whose_noise_comes_late_are_not_settled():
    """Section 2.2's example, T_i = x/2 up to the middle and x/2 + 1 after it, forward: still until it jumps."""
    path = np.r_[np.zeros(501), 2 * (1 - 0.5 ** np.arange(1, 501))]
    assert judged(path, path, path + 1.0).verdict == "does not settle by N"


def test_least_squares_with_label_noise_is_cauchy_and_forgets_only_near_starts():
    """Ten data in fifty dimensions: off their span no map moves anything, on it every map contracts on average.

    The second half begins at n = 1500, where the slowest direction has shrunk by 1e-20 or more on this draw.
    """
    rng = np.random.default_rng(0)
    x, last = rng.standard_normal((10, 50)), 3000
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    truth = rng.standard_normal(50)

    def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
        noise = np.random.default_rng(seed)
        return noise.integers(10, size=last + 1), 0.3 * noise.standard_normal(last + 1)

    def run(start: np.ndarray, batches: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        path = [start]
        for i, e in zip(*batches, strict=True):
            path.append(path[-1] - 0.9 * (x[i] @ path[-1] - x[i] @ truth - e) * x[i])
        return np.stack(path[:-1])

    def backward(start: np.ndarray, batches: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Affine maps, innermost last: iterate n + 1 = iterate n + (I − a_1) … (I − a_n)(T_{n+1}start − start)."""
        product, path = np.eye(50), [start]
        for i, e in zip(*batches, strict=True):
            path.append(path[-1] - product @ (0.9 * (x[i] @ start - x[i] @ truth - e) * x[i]))
            product = product @ (np.eye(50) - 0.9 * np.outer(x[i], x[i]))
        return np.stack(path[:-1])

    one, other = draw(1), draw(2)
    start, second = rng.standard_normal(50), rng.standard_normal(50)
    curves = distances(
        {"forward": run(start, one), "backward": backward(start, one)}, backward(second, one), run(start, other), 50
    )
    found = evidence(curves, "parameter", seed=0, order="backward", last=last, other="forward")
    assert (found.verdict, found.near_verdict, found.far_verdict) == ("settles", "forgets", "does not forget by N")
    assert found.tail is not None
    assert found.tail < 1e-9
    assert found.coupling is not None
    assert found.coupling > 5
    forward = evidence(curves, "parameter", seed=0, order="forward", last=last, other="backward")
    assert forward.verdict == "does not settle by N"
    assert forward.near == found.near  # near starts are one question for both orders


def test_drift_is_taken_out():
    """A path that moves steadily and one that moves and scatters: the scatter is told from the drift."""
    n = np.arange(2001)
    drift = np.outer(n / 2000, np.ones(400) / 20)  # speed 1 over the run
    rng = np.random.default_rng(3)
    width = 0.05 / math.sqrt(2)  # two independent runs are 0.05 apart in mean square
    scatter, independent = (width * rng.standard_normal((2001, 400)) / 20 for _ in range(2))
    still = judged(drift, drift, drift + independent + scatter)
    assert still.verdict == "still training"
    assert still.ratio("moved") == pytest.approx(0, abs=1e-3)
    assert still.scale is not None
    assert still.tail == pytest.approx(0.5)
    scattered = judged(drift + scatter, drift, drift + independent)
    assert scattered.verdict == "does not settle by N"
    assert scattered.ratio("moved") == pytest.approx(1, abs=0.1)


@pytest.mark.control
def test_without_the_drift_taken_out_training_would_be_movement():
    n = np.arange(2001)
    drift = np.outer(n / 2000, np.ones(4) / 2)
    found = judged(drift, drift, drift + 0.05)
    assert judge(found.increment, found.tail, found.scale, moved=found.tail) == "does not settle by N"
    assert found.verdict == "still training"
