"""Every limit of an argument at exact equality: the last number that is accepted, and the next one, which is not.

One line for each limit: a call with one free number, numbers that it takes, and numbers that it refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from nn_experiments.analysis import paths, seeds, settling  # noqa: E402
from nn_experiments.datasets.dataset import from_images  # noqa: E402
from nn_experiments.diagnosis.budget import seconds_of  # noqa: E402
from nn_experiments.engine.plan import check_iterates  # noqa: E402
from nn_experiments.orders.recording import record  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.results.blocks import Block  # noqa: E402
from nn_experiments.runs.data_subset import needed_rows  # noqa: E402
from nn_experiments.runs.increments import measure_increments  # noqa: E402
from nn_experiments.runs.request import Request  # noqa: E402
from nn_experiments.runs.run import Options  # noqa: E402
from nn_experiments.studies import coupled, quadratics  # noqa: E402
from nn_experiments.studies.setting import Setting  # noqa: E402
from nn_experiments.training.dropout import FrozenDropout  # noqa: E402
from nn_experiments.training.optimizers import FunctionSchedule, Optimizer, Schedule  # noqa: E402
from nn_experiments.training.order_averaging import regularised  # noqa: E402
from nn_experiments.training.order_averaging_measures import order_averaging_measures  # noqa: E402
from nn_experiments.training.sampling import Sampler  # noqa: E402
from tests.nn.diagnosis.subjects import Maps  # noqa: E402

TINY = 5e-324
BELOW_1, ABOVE_1 = math.nextafter(1.0, 0.0), math.nextafter(1.0, 2.0)
INF, NAN = math.inf, math.nan
DIGITS = EXPERIMENTS["mlp-digits"]
PIXELS = np.zeros((2, 3, 3), np.uint8)
HALVING = Maps(lambda theta, draw: theta / 2 + draw, lambda rng: rng.standard_normal(1), [1.0])
#: Two epochs of four indices, shuffled.
AUDIT = nne.audit_order([[2, 0, 1, 3], [1, 3, 0, 2]])


def optimizer(**changes) -> Optimizer:
    return Optimizer(**({"learning_rate": 0.1} | changes))


def setting(**changes) -> Setting:
    return Setting(**({"name": "s", "data": "digits", "loss": "mse"} | changes))


def request(**changes) -> Request:
    return Request(**({"experiment": DIGITS, "seeds": (0,), "orders": ("forward",), "steps": 4} | changes))


def number(x: float) -> dict:
    return {"parameters": {"x": torch.tensor(float(x), dtype=torch.float64)}}


def limit(**changes):
    options = {"eps": 1.0, "max_maps": 1, "engine": "step"} | changes
    return nne.limit(lambda s, batch, t: number(s["parameters"]["x"] / 2), lambda i: i, number(1), number(2), **options)


def measured_c(c: int) -> None:
    """Squares of one number and its targets, in c parts."""
    one = torch.ones(6, dtype=torch.float64)
    order_averaging_measures(lambda p, b: ((p["w"] - b[1]) ** 2).mean(), {"w": one[:1]}, (one, one), c=c, h=0.1)


def increments(**changes) -> None:
    measure_increments(DIGITS, **({"seeds": (0,), "steps": 1, "every": 1, "ahead": (1,), "images": 1} | changes))


def labels(last: int):
    return from_images("x", (PIXELS, np.array([0, last])), (PIXELS, np.array([0, 1])), classes=3)


Row = tuple[Callable, tuple, tuple]
LIMITS: dict[str, Row] = {
    # optimizers and schedules
    "warmup": (lambda n: Schedule(warmup=n), (0, 1), (-1,)),
    "a horizon": (lambda x: Schedule(kind="linear", horizon=x), (TINY, 1e308), (0.0, -TINY, INF, NAN)),
    "a position": (Schedule(kind="inverse", horizon=2).factor, (1, 10**9), (0, -1)),
    "a position of a function": (FunctionSchedule(function=lambda t: 1.0).factor, (1, 10**9), (0, -1)),
    "what a schedule returns": (lambda x: FunctionSchedule(function=lambda t: x), (0, TINY, 1e308), (-TINY, INF, NAN)),
    "a learning rate": (lambda x: optimizer(learning_rate=x), (TINY, 1e308), (0.0, -TINY, INF, NAN)),
    "momentum": (lambda x: optimizer(method="momentum", momentum=x), (TINY, BELOW_1), (0.0, 1.0, -TINY)),
    "momentum of SGD": (lambda x: optimizer(momentum=x), (0.0,), (TINY,)),
    "the first beta": (lambda x: optimizer(method="adam", betas=(x, 0.5)), (0.0, BELOW_1), (1.0, -TINY)),
    "the second beta": (lambda x: optimizer(method="adam", betas=(0.5, x)), (0.0, BELOW_1), (1.0, -TINY)),
    "the number of betas": (lambda n: optimizer(method="adam", betas=(0.5,) * n), (2,), (1, 3)),
    "weight decay": (lambda x: optimizer(weight_decay=x), (0.0, TINY), (-TINY,)),
    "Adam's eps": (lambda x: optimizer(method="adam", eps=x), (0.0, TINY), (-TINY,)),
    # averages, policies, dropout, batches
    "a moving average": (nne.EMA, (1e-300, 0.999999), (0.0, 1.0, -0.1, 1.5, 0.1234567)),
    "the start of a suffix": (nne.SuffixMean, (0, 1), (-1, 0.5)),
    "the start of SWA": (nne.SWA, (0, 1), (-1, 0.5)),
    "the steps of SWA": (lambda n: nne.SWA(2, every=n), (1, 2), (0, -1)),
    "the batches of SWA": (lambda n: nne.SWA(2, refresh=n), (1, 2), (0, -1)),
    "looks of a policy": (lambda n: nne.ResetIfBetter("loss", n), (1, 2), (0, -1)),
    "eps of a policy": (nne.StopWhenSettled, (1e-300, 1e300), (0.0, -1e-300, INF, NAN)),
    "dropout": (FrozenDropout, (0.0, TINY, BELOW_1), (1.0, -TINY, NAN)),
    "images of a batch": (lambda n: Sampler("iid", n, 3, 0), (1, 3, 4), (0, -1)),
    "images of a shuffled batch": (lambda n: Sampler("reshuffle", n, 3, 0), (1, 3), (4, 0)),
    "images to draw from": (lambda n: Sampler("iid", 2, n, 0), (1, 2), (0, -1)),
    "the number of a batch": (Sampler("iid", 2, 3, 0), (1, 2), (0, -1, 1.0)),
    # the order-averaging regulariser
    "h of a regularised step": (lambda h: regularised(lambda p, b: b, h=h, c=2, lam=1.0), (TINY, 1.0), (0.0, -1.0)),
    "c of a regularised step": (lambda c: regularised(lambda p, b: b, h=1.0, c=c, lam=1.0), (2, 3), (1, 0)),
    "λ of a regularised step": (lambda x: regularised(lambda p, b: b, h=1.0, c=2, lam=x), (0.0, TINY), (-TINY, NAN)),
    "c of its measures": (measured_c, (2, 3), (1, 4)),  # 4 does not divide the six examples
    # engines
    "an iterate": (lambda n: check_iterates([n]), (0, 1), (-1, 0.5)),
    "eps of a limit": (lambda x: limit(eps=x), (TINY, 1.0), (0.0, -1.0, NAN)),
    "horizons of a limit": (lambda n: limit(max_maps=n), (1, 2), (0, -1)),
    # experiments and runs
    "images of an experiment's batch": (lambda n: DIGITS.override({"batch_size": str(n)}), (1, 8), (0, -1)),
    "parts of a batch": (lambda c: DIGITS.override({"batch_size": "6", "parts": str(c)}), (2, 3, 6), (1, 0, 4)),
    "images of a training loss": (lambda n: DIGITS.override({"train_evaluation": str(n)}), (1, 2), (0, -1)),
    "images of a test loss": (lambda n: DIGITS.override({"test_evaluation": str(n)}), (1, 2), (0, -1)),
    "steps of a run": (lambda n: request(steps=n), (1, 2), (0, -1)),
    "every how many steps": (lambda n: request(every=n), (1, 2), (0, -1)),
    "every how many steps of diagnostics": (lambda n: request(diagnostics_every=n), (0, 1), (-1,)),
    "seeds of a run": (lambda n: request(seeds=(0,) * n), (1,), (0,)),
    "curves of a run": (lambda n: request(orders=("forward",) * n), (1,), (0,)),
    "workers": (lambda n: Options(out=Path("x"), workers=n), (0, 1), (-1,)),
    "chains together": (lambda n: Options(out=Path("x"), chunk=n), (1, 2), (0, -1)),
    "a time limit": (lambda x: Options(out=Path("x"), time_limit=x), (0, 1), (-1e-9,)),
    "seconds of a block": (lambda x: Options(out=Path("x"), block_seconds=x), (TINY, INF), (0.0, -1.0, NAN)),
    "steps of needed images": (
        lambda n: needed_rows(DIGITS, (0,), n, diagnostics=False, sizes=(20, 10)),
        (1, 2),
        (0, -1),
    ),
    "steps of increments": (lambda n: increments(steps=n), (1,), (0, -1)),
    "steps between increments": (lambda n: increments(every=n), (1,), (0, -1)),
    "steps ahead": (lambda n: increments(ahead=(1, n)), (1, 2), (0, -1)),
    "runs ahead": (lambda n: increments(ahead=(1,) * n), (1,), (0,)),
    "draws of increments": (lambda n: increments(seeds=(0,) * n), (1,), (0,)),
    "images of increments": (lambda n: increments(images=n), (1,), (0, -1)),
    # data and results
    "labels": (labels, (0, 2), (3, -1)),
    "iterates of a block": (lambda n: Block(np.array([0, n]), {}, {}), (1, 2), (0, -1)),
    "the first iterate of a block": (lambda n: Block(np.array([n, 5]), {}, {}), (0, 4), (-1, 5)),
    # studies
    "a study's learning rate": (lambda x: setting(learning_rate=x), (TINY, 1.0), (0.0, -TINY, NAN)),
    "a study's batch": (lambda n: setting(batch_size=n), (1, 2), (0, -1)),
    "a study's weight decay": (lambda x: setting(weight_decay=x), (0.0, TINY), (-TINY,)),
    "a study's label noise": (lambda x: setting(label_noise=x), (0.0, TINY), (-TINY,)),
    "label noise of classes": (lambda x: setting(loss="cross_entropy", label_noise=x), (0.0,), (TINY,)),
    "a study's momentum": (lambda x: setting(momentum=x), (0.0, BELOW_1), (1.0, -TINY)),
    "steps of the atlas": (coupled.grid, (48, 50), (47, 46, 49, 0)),
    "k of a weighted norm": (
        lambda k: quadratics.weighted_norm(np.diag([0.5, -0.25]), k),
        (0.5 + 1e-12, 1.0),
        (0.5, 0.25),
    ),
    # analysis and diagnosis
    "tests of one level": (seeds.divided_level, (1, 2), (0, -1)),
    "a tolerance": (lambda x: paths.settling_time([0, 1], [0.0, 1.0], x), (0.0, TINY), (-TINY, NAN)),
    "iterates in a window": (lambda n: paths.window_of([1, 2, 3, 4], n), (3, 4), (2, 0)),
    "an increment": (lambda x: settling.judge(x, 1.0, 1.0), (0.0, TINY), (-TINY,)),
    "a tail": (lambda x: settling.judge(1.0, x, 1.0), (0.0, TINY), (-TINY,)),
    "a scale": (lambda x: settling.judge(1.0, 1.0, x), (0.0, TINY), (-TINY,)),
    "a distance of starts": (lambda x: settling.judge_start(x, 1.0, began=1.0), (0.0, TINY), (-TINY,)),
    "a first distance of starts": (lambda x: settling.judge_start(1.0, 1.0, began=x), (0.0, TINY), (-TINY,)),
    "a time": (seconds_of, (TINY, 1e308, 1), (0.0, 0, -1, INF, NAN, True)),
    "a time in words": (seconds_of, ("1 s", "0.5 min", "2h"), ("0 s", "1..2 s", "s", "1 day", "")),
    "steps of a diagnosis": (lambda n: HALVING.diagnose(steps=n, replicates=2), (50,), (49, 0, 50.0)),
    "replicates of a diagnosis": (lambda n: HALVING.diagnose(steps=50, replicates=n), (2, 3), (1, 0)),
    "eps of a diagnosis": (lambda x: HALVING.diagnose(steps=50, replicates=2, eps=x), (1e-9, BELOW_1), (0.0, 1.0, NAN)),
    # orders
    "epochs to record": (lambda n: recorded(epochs=n), (1, 2), (0, -1)),
    "a population": (lambda n: recorded(population=n), (3, 4), (2, 0)),  # the largest index is 2
    "indices of an epoch": (lambda n: recorded(epoch_length=n), (1, 2), (0, -1)),
    "a level": (lambda x: nne.audit_order([[0, 1]], level=x), (TINY, BELOW_1), (0.0, 1.0)),
    "n of equal laws": (lambda n: AUDIT.same_law(n, 2), (0, 1), (-1, 0.5)),
    "batches of equal laws": (lambda n: AUDIT.same_law(1, n), (1, 2), (0, -1)),
}


def recorded(**changes):
    options = {"epochs": 2, "before_epoch": None, "population": None, "epoch_length": None, "rows": "epochs"} | changes
    return record([[0, 2, 1], [1, 0, 2]], **options)


@pytest.mark.parametrize("what", LIMITS)
def test_the_last_number_is_accepted_and_the_next_one_is_not(what: str) -> None:
    call, good, bad = LIMITS[what]
    for value in good:
        call(value)
    for value in bad:
        with pytest.raises((ValueError, TypeError)):
            call(value)


@pytest.mark.parametrize(
    ("kind", "factors"),
    [
        ("inverse", [1, 4 / 5, 4 / 6, 4 / 7, 1 / 2, 4 / 9]),
        ("linear", [1, 3 / 4, 1 / 2, 1 / 4, 0, 0]),
        ("cosine", [1, (1 + math.sqrt(0.5)) / 2, 1 / 2, (1 - math.sqrt(0.5)) / 2, 0, 0]),
    ],
)
def test_schedules_are_their_formulas_up_to_and_beyond_the_horizon(kind: str, factors: list[float]) -> None:
    """A horizon of four steps; a warmup of three multiplies the first two factors by 1/3 and 2/3."""
    plain, warm = (Schedule(kind=kind, horizon=4, warmup=n) for n in (0, 3))
    assert [plain.factor(t) for t in range(1, 7)] == pytest.approx(factors, abs=1e-15)
    shares = [1 / 3, 2 / 3, 1, 1, 1, 1]
    assert [warm.factor(t) for t in range(1, 7)] == pytest.approx(np.multiply(factors, shares), abs=1e-15)
    assert not plain.constant
    assert Schedule().constant
    assert not Schedule(warmup=1).constant
    assert [Schedule(warmup=2).factor(t) for t in (1, 2, 3)] == [0.5, 1.0, 1.0]


def test_a_rate_depends_on_the_position_or_on_the_batch() -> None:
    """At position 1 with batch 3, and the other way round, of a linear schedule over four steps."""
    place, batch = (optimizer(schedule=Schedule(kind="linear", horizon=4, index=i)) for i in ("position", "batch"))
    assert (place.rate(1, 3), place.rate(3, 1)) == (0.1, 0.05)
    assert (batch.rate(1, 3), batch.rate(3, 1)) == (0.05, 0.1)
    assert optimizer().decayed(2.0).rate(3, 9) == 0.1 / 2
    kept = {name: optimizer(method=name, momentum=0.5 * (name == "momentum")).slots for name in ("sgd", "momentum")}
    assert kept == {"sgd": (), "momentum": ("velocity",)}
    assert optimizer(method="adam").slots == optimizer(method="adamw").slots == ("first", "second")
    plain = [optimizer(), optimizer(weight_decay=0.1), optimizer(method="adam")]
    assert [one.is_plain_sgd for one in plain] == [True, False, False]
