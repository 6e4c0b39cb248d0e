"""Transforms of gradients and schedules that are functions: against torch's own, in checks, runs and diagnoses."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.training.optimizers import FunctionSchedule, Optimizer, Schedule, as_schedule  # noqa: E402
from tests.nn.runs.small_network import AT, MSE, Small, X, Y  # noqa: E402

SLOW = pytest.mark.filterwarnings("ignore:(?s).*a slower path")


@pytest.mark.parametrize("kind", [2.0, 1.0, 3.0, float("inf")])
@pytest.mark.parametrize("most", [0.1, 3.0, 100.0])
def test_clip_norm_is_that_of_torch_to_the_last_bit(most: float, kind: float) -> None:
    draw = torch.Generator().manual_seed(0)
    slopes = {name: torch.randn(shape, generator=draw) for name, shape in (("a", (3, 2)), ("b", (4,)), ("c", ()))}
    parameters = [nn.Parameter(torch.zeros_like(slope)) for slope in slopes.values()]
    for p, slope in zip(parameters, slopes.values(), strict=True):
        p.grad = slope.clone()
    nn.utils.clip_grad_norm_(parameters, most, kind)
    clipped = nne.clip_norm(most, kind)({name: slope.clone() for name, slope in slopes.items()})
    assert list(clipped) == list(slopes)
    for p, value in zip(parameters, clipped.values(), strict=True):
        assert torch.equal(p.grad, value)
    clips = not all(torch.equal(clipped[name], slope) for name, slope in slopes.items())
    assert clips or most > 1
    assert not clips or most < 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.0,), "max_norm must be a finite number > 0, got 0.0"),
        ((float("inf"),), "max_norm must be a finite number > 0, got inf"),
        ((float("nan"),), "max_norm must be a finite number > 0, got nan"),
        ((1.0, 0.0), "norm_type must be a number > 0, got 0.0"),
        ((1.0, float("nan")), "norm_type must be a number > 0, got nan"),
    ],
)
def test_norms_that_are_refused(arguments: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        nne.clip_norm(*arguments)


def test_a_step_without_the_transform_is_told_apart() -> None:
    """The self-check compares with the loop that transforms: a step that leaves it out differs."""
    own = Small()
    optimizer = torch.optim.SGD(own.model.parameters(), lr=0.1)
    with pytest.warns(UserWarning, match="the gradients are transformed: a slower path"):
        step, state = nne.from_torch(own.model, MSE, optimizer, transform=nne.clip_norm(0.01))
    own.step.self_check = step.self_check
    with pytest.raises(nne.CannotReplay, match="differs from your own training loop"):
        nne.iterates(own.step, own.batches, state, ct.Forward(), [2], own.measure)
    assert nne.iterates(step, own.batches, state, ct.Forward(), [2], own.measure).metadata["engine"] == "own_loop"


@SLOW
def test_a_transform_that_fails_is_named() -> None:
    own = Small()
    step, state = nne.from_torch(own.model, MSE, torch.optim.SGD(own.model.parameters()), transform=lambda g: g["x"])
    with pytest.raises(nne.CallFailed, match=r"the transform fails: KeyError: 'x'. It is a function of the gradients"):
        nne.iterates(step, own.batches, state, ct.Forward(), [2], own.measure)


def scheduled(factor: object, *, transform: object = None) -> tuple[object, dict]:
    torch.manual_seed(0)
    model = copy.deepcopy(Small().model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return nne.from_torch(model, MSE, optimizer, schedule=factor, transform=transform)  # type: ignore[arg-type]


def halving(by: float):
    return lambda t: by ** (t - 1)


@SLOW
def test_schedules_and_transforms_are_part_of_the_identity_of_a_run(tmp_path: Path) -> None:
    """The same function again is the same run; another constant in a closure is another one."""
    own, curves = Small(), [ct.Forward()]

    def run(factor: object, transform: object = None) -> str:
        step, state = scheduled(factor, transform=transform)
        before = {path.parent.name for path in tmp_path.glob("*/experiment.json")}
        own.run(tmp_path, curves, step=step, state=state)
        (new,) = {path.parent.name for path in tmp_path.glob("*/experiment.json")} - before or {""}
        return new

    given = [
        (None,),
        (halving(0.5),),
        (halving(0.25),),
        (nne.Schedule(kind="inverse", horizon=3),),
        (None, nne.clip_norm(0.1)),
        (None, nne.clip_norm(0.2)),
        (halving(0.5), nne.clip_norm(0.1)),
        (halving(0.25), nne.clip_norm(0.1)),
    ]
    roots = [run(*one) for one in given]
    assert all(roots)
    assert len(set(roots)) == len(given)
    assert run(halving(0.5)) == ""  # the same code and the same constant: nothing new
    assert run(halving(0.25), nne.clip_norm(0.1)) == ""
    recorded = json.loads((tmp_path / roots[1] / "experiment.json").read_text())
    assert recorded["experiment"]["optimizer"]["schedule"]["function"].startswith("halving")
    assert not recorded["unknown"]


def test_a_schedule_that_a_hash_cannot_identify_is_not_continued(tmp_path: Path) -> None:
    file = tmp_path / "rates.txt"
    file.write_text("1.0")
    own = Small()
    with file.open() as opened:

        def factor(t: int) -> float:
            opened.seek(0)
            return float(opened.read())

        step, state = scheduled(factor)
        own.run(tmp_path / "out", [ct.Forward()], step=step, state=state)
        with pytest.raises(ValueError, match=r"cannot be seen of step.*closure variable opened"):
            own.run(tmp_path / "out", [ct.Forward(), ct.Backward()], step=step, state=state)


def test_a_function_and_the_schedule_of_the_same_factors_give_the_same_numbers() -> None:
    own, kind = Small(), Schedule(kind="cosine", horizon=9)
    paths = []
    for schedule in (kind, kind.factor, None):
        step, state = scheduled(schedule)
        paths.append(nne.iterates(step, own.batches, state, ct.Backward(), AT, own.measure)["test_loss"])
    assert (paths[0] == paths[1]).all()
    assert (paths[0] != paths[2]).any()


def test_schedules_as_values() -> None:
    assert as_schedule(None) == Schedule()
    assert Optimizer(learning_rate=0.1, schedule=halving(0.5)).rate(3, 7) == 0.1 * 0.25  # type: ignore[arg-type]
    one = as_schedule(halving(0.5))
    assert isinstance(one, FunctionSchedule)
    assert not one.constant
    assert json.dumps(Optimizer(learning_rate=0.1, schedule=one).to_json())
    with pytest.raises(ValueError, match="t counts from 1, got 0"):
        one.factor(0)
    with pytest.raises(TypeError, match=r"must be a nn_experiments\.Schedule, or a function.*got float"):
        Optimizer(learning_rate=0.1, schedule=0.5)  # type: ignore[arg-type]


def test_a_schedule_by_the_index_of_the_batch_in_the_users_own_loop() -> None:
    """Backwards, the index and the position differ; the loop without kernels follows the index as the step does."""
    own, schedule = Small(), Schedule(kind="inverse", horizon=1.0, index="batch")
    ends = []
    for form in ("auto", "loop"):
        model = copy.deepcopy(own.model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        step, state = nne.from_torch(model, MSE, optimizer, schedule=schedule, form=form)
        ends.append(nne.state_at(step, own.batches, state, ct.Backward(), 4)["parameters"])
        with pytest.raises(TypeError, match="index='batch' needs batches that carry their index"):
            step(state, (X, Y), 1)
    by_position, state = scheduled(Schedule(kind="inverse", horizon=1.0))
    other = nne.state_at(by_position, own.batches, state, ct.Backward(), 4)["parameters"]
    for name, value in ends[0].items():
        assert torch.allclose(value, ends[1][name], rtol=1e-12, atol=1e-14)
        assert not torch.allclose(value, other[name], rtol=1e-3)


@SLOW
def test_a_transform_and_a_schedule_in_a_diagnosis() -> None:
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    batches = nne.ArrayBatches(x, x.sum(1, keepdim=True), batch_size=4, seed=0)
    arguments = {"steps": 60, "replicates": 2, "progress": False}
    laws, ends = [], []
    for options in ({}, {"transform": nne.clip_norm(0.1)}, {"schedule": halving(0.9)}):
        torch.manual_seed(0)
        model = nn.Linear(3, 1).double()
        double = nne.ArrayBatches(x.double(), x.double().sum(1, keepdim=True), batch_size=4, seed=0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
        found = nne.diagnose(model, F.mse_loss, optimizer, double, **arguments, **options)
        laws.append(found.settings["law"])
        ends.append(found.measured.parameter[0, -1].tolist())
    assert laws == ["independent batches"] * 2 + ["independent batches, learning rate by position in the run"]
    assert ends[0] != ends[1] != ends[2]
    model = nn.Linear(3, 1)
    optimizer, by_batch = torch.optim.RMSprop(model.parameters()), Schedule(kind="inverse", horizon=5.0, index="batch")
    with pytest.raises(nne.NotDiagnosable, match="the learning rate of its index"):
        nne.diagnose(model, F.mse_loss, optimizer, batches, **arguments, schedule=by_batch)
