"""`nn_experiments.from_loop`: two shapes of existing training code, replayed to the last bit or refused by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.training.schedulers import remedy, schedulers_of  # noqa: E402

MSE = torch.nn.functional.mse_loss


def network(*, dropout: bool = False) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    layers = [torch.nn.Linear(2, 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), torch.nn.Linear(8, 1)]
    if dropout:
        layers.insert(3, torch.nn.Dropout(0.5))
    model = torch.nn.Sequential(*layers)
    return model, torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=0.1)


def loader(*, keys: bool = False) -> torch.utils.data.DataLoader:
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(20, 2, generator=draw)
    data = [{"x": one, "y": one.sum()[None]} if keys else (one, one.sum()[None]) for one in x]
    return torch.utils.data.DataLoader(data, batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(2))


def train(model, optimizer, batches) -> None:
    for inputs, targets in batches:
        optimizer.zero_grad()
        loss = MSE(model(inputs), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()


def train_step(model, optimizer, batch) -> float:
    optimizer.zero_grad()
    loss = MSE(model(batch["x"]), batch["y"])
    loss.backward()
    optimizer.step()
    return loss.item()


def same(state: dict, model: torch.nn.Module) -> bool:
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    values = state["parameters"] | state["buffers"]
    return own.keys() == values.keys() and all(torch.equal(value, own[name]) for name, value in values.items())


def test_forward_iterates_are_the_users_own_training_to_the_last_bit() -> None:
    """Two epochs of a shuffled loader: iterate n is where the loop itself is after n batches."""
    model, optimizer = network()
    step, batches, state = nne.from_loop(model, optimizer, loader(), loop=train, steps=10)
    assert same(state, model)  # nothing of the user's has been changed
    ends = [nne.state_at(step, batches, state, ct.Forward(), n) for n in (5, 10)]
    one = loader()
    train(model, optimizer, one)
    assert same(ends[0], model)
    train(model, optimizer, one)
    assert same(ends[1], model)


def test_a_function_of_one_batch_of_any_form() -> None:
    model, optimizer = network()
    step, batches, state = nne.from_loop(model, optimizer, loader(keys=True), train_step=train_step, steps=5)
    backward = nne.state_at(step, batches, state, ct.Backward(), 5)
    recorded = list(loader(keys=True))
    assert torch.equal(batches(3).inputs["x"], recorded[2]["x"])
    for batch in reversed(recorded):
        train_step(model, optimizer, batch)
    assert same(backward, model)


def test_a_recorded_loop_is_a_run(tmp_path: Path) -> None:
    model, optimizer = network()
    step, batches, state = nne.from_loop(model, optimizer, loader(), loop=train, steps=6)
    weight = {"weight": lambda state: state["parameters"]["0.weight"].sum()}
    curves = [ct.Forward(), ct.Backward()]
    for _ in range(2):
        found = nne.run(step, batches, state, curves, at=range(7), measure=weight, out=tmp_path, progress=False)
    train(model, optimizer, [[batches(i).inputs, batches(i).targets] for i in range(1, 7)])
    assert found["weight"][0, 0, 6] == pytest.approx(float(model[0].weight.detach().sum()), rel=1e-12)
    assert len(list(tmp_path.iterdir())) == 1


def without_zero_grad(model, optimizer, batch) -> None:
    MSE(model(batch[0]), batch[1]).backward()
    optimizer.step()


def zero_grad_last(model, optimizer, batches) -> None:
    for inputs, targets in batches:
        MSE(model(inputs), targets).backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("to_none", [True, False])
def test_a_loop_that_zeroes_gradients_after_its_step_is_replayed(to_none: bool) -> None:
    def function(model, optimizer, batches) -> None:
        for inputs, targets in batches:
            MSE(model(inputs), targets).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=to_none)

    model, optimizer = network()
    step, batches, state = nne.from_loop(model, optimizer, loader(), loop=function, steps=5)
    end = nne.state_at(step, batches, state, ct.Forward(), 5)
    function(model, optimizer, loader())
    assert same(end, model)


@pytest.mark.control
def test_a_gradient_left_from_before_the_first_step_is_refused() -> None:
    """The loop would add it to that of the first batch; one that zeroes gradients first does not."""
    model, optimizer = network()
    model(torch.ones(4, 2)).sum().backward()
    nne.from_loop(model, optimizer, loader(), loop=train, steps=5)
    with pytest.raises(ValueError, match=r"has a gradient now, .*: call optimizer.zero_grad\(\) before from_loop"):
        nne.from_loop(model, optimizer, loader(), loop=zero_grad_last, steps=5)


@pytest.mark.parametrize(
    ("curve", "at", "needed"),
    [
        (ct.Forward(), [40], 40),
        (ct.Backward(), [7, 12], 12),
        (nne.Polyak(), [9], 9),
        (nne.SWA(2, refresh=30), [9], 30),
        (nne.SWA(9, refresh=30), [8], 8),
        (nne.StopWhenSettled(1e-3), [9], 8 + 33),
    ],
    ids=["forward", "backward", "average", "refreshed", "not refreshed", "settled"],
)
def test_the_number_of_batches_that_are_needed_is_said_at_once(
    curve, at: list[int], needed: int, tmp_path: Path
) -> None:
    model, optimizer = network()
    weight = {"weight": lambda state: state["parameters"]["0.weight"].sum()}
    more = {"out": tmp_path, "progress": False, "workers": 0, "measure": weight}
    step, batches, state = nne.from_loop(model, optimizer, loader(), loop=train, steps=needed)
    nne.run(step, batches, state, [curve], at=at, **more)
    kept = list(tmp_path.rglob("*"))
    step, batches, state = nne.from_loop(model, optimizer, loader(), loop=train, steps=needed - 1)
    message = f"{needed} batches are needed, and {needed - 1} were recorded: pass steps={needed} to from_loop"
    with pytest.raises(ValueError, match=message):
        nne.run(step, batches, state, [curve], at=at, **more)
    assert list(tmp_path.rglob("*")) == kept
    with pytest.raises(ValueError, match=message):
        nne.state_at(step, batches, state, curve, max(at))
    if isinstance(curve, ct.Forward | ct.Backward):
        with pytest.raises(ValueError, match=message):
            nne.iterates(step, batches, state, curve, at, weight)


def twice(model, optimizer, batches) -> None:
    for _ in range(2):
        train(model, optimizer, batches)


def first_only(model, optimizer, batches) -> None:
    for k, batch in enumerate(batches):
        if k == 0:
            train(model, optimizer, [batch])


def of_length(model, optimizer, batches) -> None:
    assert len(batches.dataset)


def decayed_at_the_end(model, optimizer, batches) -> None:
    train(model, optimizer, batches)
    optimizer.param_groups[0]["lr"] *= 0.5


def decayed_by_a_count(model, optimizer, batches) -> None:
    for i, batch in enumerate(batches):
        optimizer.param_groups[0]["lr"] = 0.01 / (i + 1)
        train(model, optimizer, [batch])


def decayed_after_four(model, optimizer, batches) -> None:
    for i, batch in enumerate(batches):
        train(model, optimizer, [batch])
        if i % 4 == 3:
            optimizer.param_groups[0]["lr"] *= 0.1


def counted() -> object:
    seen = []

    def function(model, optimizer, batch) -> None:
        seen.append(len(seen))
        for group in optimizer.param_groups:
            group["lr"] = 0.01 / (1 + len(seen))
        train(model, optimizer, [batch])

    return function


def accumulated() -> object:
    count = [0]

    def function(model, optimizer, batch) -> None:
        (MSE(model(batch[0]), batch[1]) / 2).backward()
        count[0] += 1
        if count[0] % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()

    return function


def another() -> object:
    model, optimizer = network()
    return lambda _, __, batch: train(model, optimizer, [batch])


def statistics_at_the_end(model, optimizer, batches) -> None:
    """Train, and set a running mean, which training does not read, to what the whole loop has seen."""
    seen = [inputs.mean() for inputs, _ in batches]
    train(model, optimizer, batches)
    model[1].running_mean.fill_(sum(seen))


def noisy(model, optimizer, batch) -> None:
    train(model, optimizer, [[batch[0] + torch.randn_like(batch[0]), batch[1]]])


@pytest.mark.control
@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (without_zero_grad, "train_step", r"call optimizer.zero_grad\(\) before backward"),
        (twice, "loop", "goes over its loader several times"),
        (first_only, "loop", "does something else on 3 batches than on these one by one"),
        (decayed_at_the_end, "loop", "does something else on 3 batches .* or something happens at the end of an epoch"),
        (statistics_at_the_end, "loop", "does something else on 3 batches .*: 1.running_mean differs"),
        (decayed_by_a_count, "loop", "does something else on 3 batches .* or counts its batches"),
        (decayed_after_four, "loop", "does something else on 5 batches .* or counts its batches"),
        (of_length, "loop", "cannot run on a list of one batch in place of the loader: AttributeError"),
        (counted(), "train_step", r"the training function \(closure variable seen\).* is not part of the state"),
        (accumulated(), "train_step", r"does not call optimizer.step\(\) for every batch"),
        (another(), "train_step", "trains another model or optimizer"),
        (noisy, "train_step", "draws from torch.*Pass randomness='frozen' to from_loop"),
    ],
    ids=[
        "no zero_grad",
        "twice",
        "first only",
        "end of the epoch",
        "statistics at the end",
        "count",
        "later count",
        "length",
        "counter",
        "accumulated",
        "another model",
        "noise",
    ],
)
def test_what_cannot_be_replayed_is_refused_with_the_reason(function, kind: str, message: str) -> None:
    model, optimizer = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        nne.from_loop(model, optimizer, loader(), steps=5, **{kind: function})
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


LRScheduler, ReduceLROnPlateau = torch.optim.lr_scheduler.LRScheduler, torch.optim.lr_scheduler.ReduceLROnPlateau
SCHEDULERS = {
    "StepLR": lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 2),
    "StepLR beyond the batches": lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 1000),
    "ReduceLROnPlateau": lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0),
    "OneCycleLR": lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=100, cycle_momentum=False
    ),
}


@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
@pytest.mark.parametrize("where", ["stepped in the loop", "beside the loop", "made in the loop"])
def test_a_scheduler_is_refused_by_name(make, where: str) -> None:
    """The iterates would be those of a constant rate, also where the scheduler has not changed it yet."""
    model, optimizer = network()
    outer = None if where == "made in the loop" else make(optimizer)

    def function(model, optimizer, batches) -> None:
        scheduler = make(optimizer) if outer is None else outer
        for batch in batches:
            train(model, optimizer, [batch])
            if where != "beside the loop":
                scheduler.step(*([1.0] if "Plateau" in type(scheduler).__name__ else []))

    said = rf"learning rate scheduler \({type(make(network()[1])).__name__}\).*schedule=Schedule"
    with pytest.raises(ValueError, match=said):
        nne.from_loop(model, optimizer, loader(), loop=function, steps=5)


@pytest.mark.parametrize("names", [["StepLR"], ["ReduceLROnPlateau"]])
def test_the_function_of_t_that_is_advised_has_the_rates_of_the_scheduler_beside_it(names: list[str]) -> None:
    """Step t = 1, 2, … of training takes the rate before the t-th call of the scheduler."""
    (text,) = re.findall(r"schedule=(lambda t: .*), which is StepLR\(optimizer, 300\)", remedy(names))
    factor = eval(text)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = torch.optim.lr_scheduler.StepLR(optimizer, 300), []
    for _ in range(1000):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert [factor(t) for t in range(1, 1001)] == pytest.approx(rates, rel=1e-12)
    assert ("No order of fixed maps" in remedy(names)) == (names == ["ReduceLROnPlateau"])


def test_a_scheduler_of_another_optimizer_or_one_that_is_gone_is_none() -> None:
    model, optimizer = network()
    make = SCHEDULERS["ReduceLROnPlateau"]
    another = network()[1]
    other = make(another)
    assert schedulers_of(optimizer) == []
    held = make(optimizer)
    assert schedulers_of(optimizer) == ["ReduceLROnPlateau"]
    del held

    def function(model, optimizer, batches) -> None:
        make(another)
        train(model, optimizer, batches)

    begins = [kind.__init__ for kind in (LRScheduler, ReduceLROnPlateau)]
    step, _, _ = nne.from_loop(model, optimizer, loader(), loop=function, steps=5)
    assert step.compared >= 3
    assert [kind.__init__ for kind in (LRScheduler, ReduceLROnPlateau)] == begins
    del other


def test_noise_and_dropout_frozen_by_the_batch() -> None:
    model, optimizer = network(dropout=True)
    with pytest.raises(ValueError, match="draws from torch"):
        nne.from_loop(model, optimizer, loader(), train_step=noisy, steps=5)
    step, batches, state = nne.from_loop(
        model, optimizer, loader(), train_step=noisy, steps=5, randomness="frozen", seed=3
    )
    ends = [step(state, batches(i), 1)["parameters"]["0.weight"] for i in (1, 1, 2)]
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


@pytest.mark.control
@pytest.mark.parametrize("function", [twice, decayed_at_the_end, decayed_by_a_count, decayed_after_four])
def test_a_loop_with_frozen_randomness_is_compared_as_well(function) -> None:
    model, optimizer = network()
    with pytest.raises(ValueError, match="batches than on these one by one"):
        nne.from_loop(model, optimizer, loader(), loop=function, steps=5, randomness="frozen")


def noisy_loop(model, optimizer, batches) -> None:
    for inputs, targets in batches:
        train(model, optimizer, [(inputs + torch.randn_like(inputs), targets)])


def noisy_before_the_loop(model, optimizer, batches) -> None:
    shift = torch.randn(2)
    train(model, optimizer, [(inputs + shift, targets) for inputs, targets in batches])


@pytest.mark.parametrize("dropout", [False, True], ids=["noise", "noise and dropout"])
def test_each_batch_has_its_own_frozen_randomness_in_one_loop_over_all(dropout: bool) -> None:
    """The loop over several batches draws for each of them what the loop over it alone draws."""
    model, optimizer = network(dropout=dropout)
    step, batches, state = nne.from_loop(
        model, optimizer, loader(), loop=noisy_loop, steps=5, randomness="frozen", seed=3
    )
    assert step.compared == 5
    first, again, second = (step(state, batches(i), 1)["parameters"]["0.weight"] for i in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@pytest.mark.control
def test_noise_that_is_drawn_once_for_all_batches_is_refused() -> None:
    model, optimizer = network()
    with pytest.raises(ValueError, match="batches than on these one by one"):
        nne.from_loop(model, optimizer, loader(), loop=noisy_before_the_loop, steps=5, randomness="frozen")


def test_a_loop_over_a_network_with_dropout() -> None:
    """Its masks are those of the batches, without any option."""
    model, optimizer = network(dropout=True)
    step, batches, state = nne.from_loop(model, optimizer, loader(), loop=train, steps=5)
    ends = [step(state, batches(i), 1)["parameters"]["0.weight"] for i in (1, 1, 2)]
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


@dataclass(frozen=True)
class Record:
    """A batch of a class of one's own."""

    inputs: torch.Tensor
    targets: torch.Tensor


@pytest.mark.parametrize("own_class", [False, True], ids=["pairs", "objects"])
@pytest.mark.parametrize("factor", [1.0, 0.5], ids=["as they are", "halved in place"])
def test_the_function_may_change_its_copy_of_a_batch(factor: float, own_class: bool) -> None:
    """The iterates are those of a loop that gets each batch afresh; half the inputs give other ones than the whole."""

    def function(model, optimizer, batches) -> None:
        for batch in batches:
            inputs, targets = (batch.inputs, batch.targets) if own_class else batch
            inputs.mul_(factor)
            train(model, optimizer, [(inputs, targets)])

    model, optimizer = network()
    yielded = [Record(*batch) for batch in loader()] if own_class else loader()
    step, batches, state = nne.from_loop(model, optimizer, yielded, loop=function, steps=5)
    end = nne.state_at(step, batches, state, ct.Backward(), 5)
    train(model, optimizer, [(factor * inputs, targets) for inputs, targets in reversed(list(loader()))])
    assert same(end, model)


class Pair(NamedTuple):
    image: torch.Tensor
    label: torch.Tensor | None


def on_itself(model, optimizer, batch) -> None:
    inputs, nothing = batch
    assert nothing is None
    assert isinstance(batch, tuple)
    train(model, optimizer, [(inputs, inputs.sum(1, keepdim=True))])


def on_names(model, optimizer, batch) -> None:
    train(model, optimizer, [(batch.image, batch.label)])


def on_a_list(model, optimizer, batch) -> None:
    assert type(batch) is list
    train(model, optimizer, [batch])


@pytest.mark.parametrize("whole", [False, True], ids=["one batch", "loop"])
@pytest.mark.parametrize("size", [2, 4], ids=["two rows", "four rows"])
@pytest.mark.parametrize(
    ("form", "function"),
    [
        (lambda inputs, targets: (inputs, None), on_itself),
        (lambda inputs, targets: Pair(inputs, targets), on_names),
        (lambda inputs, targets: [inputs, targets], on_a_list),
    ],
    ids=["no targets", "named", "list"],
)
def test_the_function_gets_each_batch_in_the_form_in_which_the_loader_yields_it(
    form, function, size: int, whole: bool
) -> None:
    """Two rows without targets would unpack like a pair."""
    x = torch.rand(10 * size, 2, generator=torch.Generator().manual_seed(1))
    yielded = [form(rows, rows.sum(1, keepdim=True)) for rows in x.split(size)[:4]]

    def loop(model, optimizer, batches) -> None:
        for batch in batches:
            function(model, optimizer, batch)

    model, optimizer = network()
    given = {"loop": loop} if whole else {"train_step": function}
    step, batches, state = nne.from_loop(model, optimizer, yielded, steps=4, **given)
    end = nne.state_at(step, batches, state, ct.Backward(), 4)
    for batch in reversed(yielded):
        function(model, optimizer, batch)
    assert same(end, model)


def test_what_has_no_meaning_is_refused() -> None:
    model, optimizer = network()
    with pytest.raises(TypeError, match="pass either loop="):
        nne.from_loop(model, optimizer, loader(), steps=5)
    with pytest.raises(ValueError, match="steps must be an integer of at least 1"):
        nne.from_loop(model, optimizer, loader(), loop=train, steps=0)
    with pytest.raises(ValueError, match="the loader yields 5 batches, and steps=9"):
        nne.from_loop(model, optimizer, iter(loader()), loop=train, steps=9)
    _, batches, _ = nne.from_loop(model, optimizer, loader(), loop=train, steps=5)
    with pytest.raises(IndexError, match="batch 6 was not recorded: pass steps=6"):
        batches(6)
