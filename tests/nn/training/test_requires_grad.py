"""A step that freezes or unfreezes a parameter is refused by name, at whichever step it does so."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402

MSE = torch.nn.functional.mse_loss
#: The step that changes requires_grad: after the three of the self-check.
LATE = 5


class Changes(torch.nn.Module):
    """Two layers, the first of which is frozen or unfrozen as a counter in a buffer reaches a number."""

    def __init__(self, *, trained: bool, at: int) -> None:
        super().__init__()
        self.first, self.last = torch.nn.Linear(2, 3).requires_grad_(trained), torch.nn.Linear(3, 1)
        self.register_buffer("count", torch.tensor(0))
        self.trained, self.at = trained, at

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        if self.count >= self.at:
            self.first.requires_grad_(not self.trained)
        return self.last(torch.tanh(self.first(x)))


def iterated(model: torch.nn.Module, form: str, n: int) -> object:
    rows = torch.rand(12, 2, generator=torch.Generator().manual_seed(1))
    batches = nne.ArrayBatches(rows, rows.sum(1, keepdim=True), batch_size=4, seed=0)
    step, state = nne.from_torch(model, MSE, torch.optim.SGD(model.parameters(), lr=0.1), form=form)
    metric = {"w": lambda state: state["parameters"]["last.weight"].sum()}
    return nne.iterates(step, batches, state, ct.Forward(), [n], metric, engine="auto")


@pytest.mark.parametrize("form", ["auto", "loop"])
@pytest.mark.parametrize("trained", [False, True], ids=["unfrozen", "frozen"])
def test_a_layer_that_changes_at_a_late_step(form: str, trained: bool) -> None:
    model = Changes(trained=trained, at=LATE)
    message = f"requires_grad of first.weight was {trained} before a training step and is {not trained} after it"
    with pytest.raises(nne.CannotReplay, match=message):
        iterated(model, form, LATE)
    assert [p.requires_grad for p in model.parameters()] == [trained, trained, True, True]


@pytest.mark.control
@pytest.mark.parametrize("form", ["auto", "loop"])
@pytest.mark.parametrize("trained", [False, True], ids=["unfrozen", "frozen"])
def test_a_step_before_the_change_is_no_matter(form: str, trained: bool) -> None:
    iterated(Changes(trained=trained, at=LATE), form, LATE - 1)


@pytest.mark.control
def test_a_buffer_updated_in_place_with_a_graph_is_not_taken_for_unfrozen() -> None:
    class Average(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)
            self.register_buffer("mean", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.layer(x)
            self.mean.lerp_(out.mean(0), 0.1)
            return out

    rows = torch.rand(12, 2, generator=torch.Generator().manual_seed(1))
    model = Average()
    step, state = nne.from_torch(model, MSE, torch.optim.SGD(model.parameters(), lr=0.1))
    assert step(state, (rows, rows.sum(1, keepdim=True)), 1)["buffers"]["mean"] != 0


@pytest.mark.parametrize("freezes", [True, False], ids=["freezes", "does not"])
def test_a_training_loop_that_freezes_a_layer_on_some_batch(freezes: bool) -> None:
    """The fourth batch alone has the sum that freezes the layer; without it every iterate is right."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = [(torch.full((4, 2), 1.0 if i != 3 else 2.0), torch.ones(4, 1)) for i in range(6)]

    def train(model, optimizer, batch) -> None:
        inputs, targets = batch
        optimizer.zero_grad()
        MSE(model(inputs), targets).backward()
        optimizer.step()
        if freezes and inputs.sum() > 10:
            model[0].weight.requires_grad_(False)

    step, batches, state = nne.from_loop(model, optimizer, loader, train_step=train, steps=6)
    if freezes:
        with pytest.raises(nne.CannotReplay, match=r"requires_grad of 0\.weight was True before .* and is False after"):
            nne.state_at(step, batches, state, ct.Backward(), 4)
        assert model[0].weight.requires_grad
    else:
        end = nne.state_at(step, batches, state, ct.Backward(), 4)
        for batch in reversed(loader[:4]):
            train(model, optimizer, batch)
        assert torch.equal(end["parameters"]["0.weight"], model[0].weight)
