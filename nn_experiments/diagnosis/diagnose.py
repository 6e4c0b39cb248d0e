"""``nn_experiments.diagnose``: whether the backward iterates of one's own training settle."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypedDict, Unpack

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_map

from contraction.arguments import check_finite, check_flag, check_integer, check_seed
from nn_experiments.diagnosis import coupled
from nn_experiments.diagnosis.advice import advice_on
from nn_experiments.diagnosis.budget import Cost, Plan, fitted, seconds_of
from nn_experiments.diagnosis.derivative import exponents, why_no_derivative
from nn_experiments.diagnosis.diagnosis import Diagnosis
from nn_experiments.diagnosis.law import COMPARED, NotDiagnosable, check_schedule, digest, law_of
from nn_experiments.diagnosis.measured import Measured
from nn_experiments.diagnosis.rules import LEAST, judge
from nn_experiments.diagnosis.subject import Outputs, Replicate, SeededReplicates, Subject
from nn_experiments.engine.checking import check_step, checked_kernel
from nn_experiments.engine.gpu import repeatable
from nn_experiments.engine.purity import probe
from nn_experiments.training.batches import Batches, BatchLike, check_batches
from nn_experiments.training.from_torch import from_torch
from nn_experiments.training.optimizers import Optimizer, Schedule
from nn_experiments.training.sampling import Sampler
from nn_experiments.training.scalar_loss import Criterion
from nn_experiments.training.states import State, check_state
from nn_experiments.training.step import initial_state
from nn_experiments.training.transforms import GradientTransform
from nn_experiments.training.trees import leaves, tensors_of

__all__ = ["check_plan", "diagnose", "diagnose_subject"]

#: Predictions are compared on so many inputs of the first batches, unless others are given.
INPUTS = 256
#: Batches of so many numbers in all are kept for the derivatives; others are drawn again.
KEPT = 2**27
Report = Callable[[str], object]


class FromTorchOptions(TypedDict, total=False):
    """Options of `from_torch` that `diagnose` passes on."""

    schedule: Schedule | Callable[[int], float] | None
    transform: GradientTransform | None
    randomness: str
    form: str
    check: bool


def diagnose(
    model: nn.Module,
    loss: Criterion,
    optimizer: torch.optim.Optimizer | Optimizer,
    batches: Batches,
    steps: int = 2000,
    budget: str | float = "5 min",
    *,
    replicates: int | None = None,
    eps: float = 0.05,
    start: nn.Module | State | None = None,
    inputs: object = None,
    seed: int = 0,
    sampling: str | None = None,
    name: str | None = None,
    progress: bool = True,
    **options: Unpack[FromTorchOptions],
) -> Diagnosis:
    """Say whether the backward iterates of a training settle, with one word, its evidence and advice.

    Where batches are independent, the distance of backward iterates n and n + k has the law of the distance of two
    *forward* runs under the same batches, one of them k steps ahead. So a few forward runs give that law at every n, at
    2N maps in place of N²/2, and independent draws of the batches give intervals. Beside it the top Lyapunov exponent
    is measured, by derivatives, and by pairs that see jumps.

    Row 77 of the audit proves this equality of laws, row 78 that it decides convergence, and row 79 where ReLU
    networks jump. Row 87 proves that no rule can always tell.

    Parameters
    ----------
    model, loss, optimizer
        As in `from_torch`. None of them is changed.
    batches
        i -> B_i. Replicates are drawn by ``batches.with_seed``, as of `ArrayBatches`; a function without it is taken in
        blocks of its one sequence.
    steps
        N, at least 50: how far the question reaches (default: 2000).
    budget
        The time that it may take: text such as ``"5 min"``, or seconds (default: ``"5 min"``). As many replicates are
        drawn as fit, up to 20; if 11 do not, fewer steps are taken. What was done is in ``settings``. Not used with
        ``replicates``.
    replicates
        The number of independent draws of the batches, at least 2; with it, nothing depends on the clock. (default:
        what fits)
    eps
        The distance that counts as settled, in units of the distance of two runs from the same start under independent
        batches (default: 0.05).
    start
        The module with other initial values, or another state: it is asked whether training forgets its start. This
        is reported apart and does not decide the verdict. (default: not asked)
    inputs
        What predictions are compared on, as the module takes it (default: the first 256 inputs of the batches).
    seed
        Replicate r has the seed ``seed`` + r, from 0 on again after 2^32 - 1 (default: 0).
    sampling
        ``"iid"``: you vouch that B_1, B_2, … are independent draws of one law. Needed for batches that do not say so
        themselves. (default: as the batches say)
    name
        What it is called in the report (default: the class of the module).
    progress
        Whether to say on standard error how far it is (default: yes).
    **options
        Further options of `from_torch`: ``schedule``, ``transform``, ``randomness``, ``form``, ``check``.

    Returns
    -------
    Diagnosis
        With ``verdict``, ``reason``, ``advice``, ``report()`` and ``plot(path)``.

    Raises
    ------
    NotDiagnosable
        If forward runs do not determine the law of backward iterates: batches reshuffled or repeated beyond an epoch,
        cyclic orders, a learning rate by the index of the batch, batches of unknown law.
    ValueError
        If an argument is out of its range, or `from_torch` refuses the training.
    TypeError
        If an argument is of another type, or unknown.
    CallFailed
        If the model fails on the inputs of predictions.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import ArrayBatches, diagnose
    >>> from torch import nn
    >>> x = torch.linspace(-1, 1, 100)[:, None]
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.4, weight_decay=0.1)
    >>> batches = ArrayBatches(x, 2 * x + torch.sign(x), batch_size=4, seed=0)
    >>> result = diagnose(model, nn.functional.mse_loss, optimizer, batches, steps=60, replicates=11, progress=False)
    >>> result.verdict
    'contracting'
    """
    check_integer("steps", steps, 50)
    lag = steps // 2
    check_seed(seed)
    check_flag("progress", progress)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be text, what the training is called in the report, got {name!r}")
    batches = check_batches(batches)
    known = list(FromTorchOptions.__annotations__)
    if unknown := [option for option in options if option not in known]:
        raise TypeError(
            f"diagnose() has no argument {unknown[0]!r}; those of from_torch that it takes are {', '.join(known)}"
        )
    step, state = from_torch(model, loss, optimizer, seed=seed, **options)
    constant = check_schedule(step.schedule)
    sampler = getattr(batches, "sampler", None)
    independent = not isinstance(sampler, Sampler) or sampler.sampling == "iid"
    used = coupled.batches_used(steps, lag, independent=independent)
    law = law_of(batches, used, sampling=sampling, constant=constant)
    other = _other_start(model, state, start)
    predict = Outputs(model, _first_inputs(batches) if inputs is None else inputs)
    predictions = predict(state)
    if inputs is not None and not torch.isfinite(predictions).all():
        raise ValueError("inputs must be some on which predictions are finite at the start, and they are not on these")
    subject = SeededReplicates(step, batches, state, other, law, seed, used + 1, predict)
    _check_draws(subject, law.independent)
    return diagnose_subject(
        subject,
        name or type(model).__name__,
        steps=steps,
        budget=budget,
        replicates=replicates,
        eps=eps,
        report=(lambda text: print(text, file=sys.stderr)) if progress else None,
        about={"seed": seed},
    )


def check_plan(steps: int, budget: str | float, replicates: int | None, eps: float) -> float:
    """Check the arguments that say how much is measured; return the budget in seconds.

    Raises
    ------
    ValueError
        If one is out of its range.
    TypeError
        If one is of another type.
    """
    check_integer("steps", steps, 50)
    if not 0 < check_finite("eps", eps) < 1:
        raise ValueError(f"eps is a share of the distance of independent runs, between 0 and 1; got {eps!r}")
    if replicates is not None:
        check_integer("replicates", replicates, 2)
    return seconds_of(budget)


@repeatable()
def diagnose_subject(
    subject: Subject,
    name: str,
    *,
    steps: int,
    budget: str | float = "5 min",
    replicates: int | None = None,
    eps: float = 0.05,
    report: Report | None = None,
    about: dict[str, object] | None = None,
) -> Diagnosis:
    """Diagnose replicates of one training; `diagnose` and the command line make these.

    Parameters
    ----------
    subject
        The replicates.
    name
        What it is called.
    steps, budget, replicates, eps
        As in `diagnose`.
    report
        Called with one line now and then.
    about
        More settings to record.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    limit = check_plan(steps, budget, replicates, eps)
    say: Report = report or (lambda text: None)
    begin = time.monotonic()
    first = subject.replicate(0)
    notes: dict[str, object] = dict(check_step(first.step, first.batches, first.state0))
    probe(first.step, first.batches, first.state0)
    kernel, more = checked_kernel(first.step, first.batches, first.state0, "auto")
    notes |= more | {"kernel": kernel.name}
    reason = why_no_derivative(first.step, first.state0, first.batches(1))
    double = all(value.dtype == torch.float64 for value in first.state0["parameters"].values())
    tiny = reason is not None and double and subject.law.homogeneous
    if not subject.law.homogeneous:
        reason = f"the law of the maps is not the same at every step: {subject.law}"
    if replicates is not None:
        plan, until = Plan(steps, replicates, "as asked for"), float("inf")
    else:
        cost = _cost(subject, first, kernel.name, derivative=reason is None, tiny=tiny)
        plan = fitted(steps, limit - (time.monotonic() - begin), cost)
        until = begin + limit - plan.replicates * plan.steps / 2 * cost.derivative  # derivatives come last
    say(f"{name}: {plan.replicates} replicates of {plan.steps:,} steps ({plan.note})")
    measured, note = _measured(subject, plan, kernel.name, eps, reason, tiny, until, say)
    judgement = judge(measured)
    settings = (about or {}) | {"law": str(subject.law), "plan": note or plan.note, "eps": eps} | notes
    return Diagnosis(
        name, judgement.verdict, judgement.reason, advice_on(judgement, plan.steps), judgement, measured, settings
    )


def _measured(
    subject: Subject,
    plan: Plan,
    kernel: str,
    eps: float,
    no_derivative: str | None,
    tiny: bool,
    until: float,
    say: Report,
) -> tuple[Measured, str]:
    """Return what was measured, and a note if the time ran out before all replicates were done."""
    n, lag = coupled.grid(plan.steps), plan.steps // 2
    done: list[coupled.Coupled] = []
    halves: list[tuple[Replicate, State]] = []
    note, begin = "", time.monotonic()
    for r in range(plan.replicates):
        replicate = subject.replicate(r)
        outcome = coupled.run_coupled(
            replicate,
            subject.outputs,
            n,
            lag,
            eps=eps,
            kernel=kernel,
            independent=subject.law.independent,
            tiny=tiny,
        )
        done.append(outcome)
        if outcome.half is not None and no_derivative is None:
            many = plan.replicates * coupled.kept_numbers(replicate.batches, 2 * plan.steps) > KEPT
            halves.append((subject.replicate(r) if many else replicate, outcome.half))
        outcome.half = None
        each = (time.monotonic() - begin) / len(done)
        if len(done) >= LEAST and time.monotonic() + each > until and len(done) < plan.replicates:
            note = f"{len(done)} replicates of {plan.steps:,} steps: the time was up before {plan.replicates}"
            break
        say(f"  replicate {len(done)} of {plan.replicates}, {time.monotonic() - begin:.0f} s")
    derivative, by = np.empty(0), no_derivative or ""
    finite = all(one.diverged < 0 for one in done)
    if no_derivative is None and finite:
        try:
            derivative = _exponents(halves, plan.steps)
            by = "derivatives"
        except (RuntimeError, ValueError, TypeError) as error:  # a module that torch.func cannot take
            by = f"the step has no derivative here: {str(error).splitlines()[0]}"
    elif tiny and finite:
        derivative, by = np.array([one.tiny for one in done]), f"pairs held {coupled.TINY:g}(1 + ‖θ‖) apart"
    measured = Measured(
        plan.steps,
        lag,
        eps,
        n,
        np.stack([one.parameter for one in done]),
        np.stack([one.function for one in done]),
        np.array([one.diverged for one in done]),
        derivative if np.isfinite(derivative).all() else np.empty(0),
        by,
        np.array([one.pairs for one in done]),
        np.stack([one.jumps for one in done]),
        subject.law.homogeneous,
    )
    return measured, note


def _exponents(halves: list[tuple[Replicate, State]], steps: int) -> np.ndarray:
    first = halves[0][0].step
    states = [state for _, state in halves]
    batches = [one.batches for one, _ in halves]
    return exponents(first, states, batches, [one.seed for one, _ in halves], steps // 2, steps)  # type: ignore[arg-type]


def _cost(subject: Subject, first: Replicate, kernel: str, *, derivative: bool, tiny: bool) -> Cost:
    """Measure how long maps, batches, predictions and derivatives take, on few of them."""
    few = coupled.make_kernel(first.step, first.batches, kernel)
    state = few.apply(first.state0, range(1, 9), 0)  # compiles
    count, took = 8, 0.0
    while took < 0.1 and count < 512:
        count *= 2
        begin = time.monotonic()
        state = few.apply(first.state0, range(1, count + 1), 0)
        took = time.monotonic() - begin
    begin = time.monotonic()
    few.apply(first.state0, range(1, count + 1), 0)
    again = (time.monotonic() - begin) / count
    drawn = max(0.0, took / (count / 2) - 2 * again)  # half of the batches were new
    begin = time.monotonic()
    subject.outputs(state)
    outputs = time.monotonic() - begin
    runs = coupled.maps_applied(2, 1, start=first.start is not None, tiny=tiny) / 2
    slope = 0.0
    if derivative:
        begin = time.monotonic()
        try:
            exponents(first.step, [state], [first.batches], [0], 0, 4)  # type: ignore[arg-type]
            slope = (time.monotonic() - begin) / 4
        except (RuntimeError, ValueError, TypeError):
            slope = 0.0
    points = len(coupled.grid(2000))
    return Cost(runs * again + 2 * drawn, points * 6 * outputs, slope / 4)


def _other_start(model: nn.Module, state: State, start: nn.Module | State | None) -> State | None:
    """Return the other start as a state of the same tensors."""
    if start is None:
        return None
    if isinstance(start, nn.Module):
        if type(start) is not type(model):
            raise TypeError(f"start must be another {type(model).__name__}, got {type(start).__name__}")
        other = initial_state(start)
        frozen = {name for name in state["buffers"] if name in other["parameters"]}
        other["buffers"] |= {name: other["parameters"].pop(name) for name in frozen}
    else:
        other = check_state("start", start)
    for part in ("parameters", "buffers"):
        shapes, wanted = ({k: tuple(v.shape) for k, v in one.get(part, {}).items()} for one in (other, state))
        if shapes != wanted:
            raise ValueError(f"start has other {part} than the model: {sorted(shapes.items() ^ wanted.items())[:3]}")
    if all(torch.equal(value, other["parameters"][name]) for name, value in state["parameters"].items()):
        raise ValueError("start equals the model: two starts that agree from the beginning say nothing")
    return other


def _first_inputs(batches: Batches) -> object:
    """Return the inputs of the first batches, joined if they are tensors, or tuples and dictionaries of tensors."""
    first = batches(1)[0]
    parts = list(tensors_of(first).values())
    rows = {len(part) if part.ndim else -1 for part in parts}
    if len(rows) != 1 or -1 in rows or len(parts) < len(list(leaves(first))):
        return first
    count = max(1, min(INPUTS // max(len(parts[0]), 1), INPUTS))
    several = [batches(i)[0] for i in range(1, count + 1)]
    shapes = {tuple(value.shape[1:] for value in tensors_of(one).values()) for one in several}
    return first if len(shapes) > 1 else tree_map(lambda *some: torch.cat(some), *several)


def _check_draws(subject: Subject, independent: bool) -> None:
    """Refuse replicates whose first batches are all the same; few of them may be by chance, in small data."""
    one, two = subject.replicate(0), subject.replicate(1)
    for replicate in (one, two):
        if not callable(replicate.batches):
            raise TypeError(
                "with_seed(seed) of the batches must return batches, a function i -> B_i (i = 1, 2, …); it returned "
                f"{type(replicate.batches).__name__}"
            )
    if all(_equal(one.batches(i), two.batches(i)) for i in range(1, COMPARED + 1)):
        raise NotDiagnosable(
            "two replicates have the same batches: with_seed(seed) of the batches must draw others for another seed"
        )
    del independent


def _equal(one: BatchLike, two: BatchLike) -> bool:
    return digest(one[:2]) == digest(two[:2])
