"""Tables that a module keeps after its first call are made anew after the self-check, which uses float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402

MSE = torch.nn.functional.mse_loss
ROWS = torch.rand(12, 4, generator=torch.Generator().manual_seed(1))
TABLES: dict[int, torch.Tensor] = {}
LISTED: list[torch.Tensor] = []


def angles(x: torch.Tensor) -> torch.Tensor:
    """Return 1/7, 2/7, … in the precision of x: not the same number in float32 and in float64."""
    return torch.arange(1, x.shape[1] + 1).to(x) / 7


class Holder:
    """An object that is no module."""

    table = None


def kept_in_an_attribute(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    if model.table is None:
        model.table = angles(x)
    return model.table


def kept_in_an_object(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    if model.holder.table is None:
        model.holder.table = angles(x)
    return model.holder.table


def kept_by_length(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    if x.shape[1] not in TABLES:
        TABLES[x.shape[1]] = angles(x)
    return TABLES[x.shape[1]]


def kept_in_a_list(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    if not LISTED:
        LISTED.append(angles(x))
    return LISTED[0]


def made_anew(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    return angles(x)


class Turned(torch.nn.Module):
    """A linear layer of inputs that are multiplied by a table."""

    def __init__(self, table_of: Callable) -> None:
        super().__init__()
        self.layer, self.table_of = torch.nn.Linear(4, 1), table_of
        self.table, self.holder = None, Holder()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x * self.table_of(self, x))


def trained(table_of: Callable, form: str, engine: str = "auto") -> tuple[torch.nn.Module, dict]:
    torch.manual_seed(0)
    model = Turned(table_of)
    batches = nne.ArrayBatches(ROWS, ROWS.sum(1, keepdim=True), batch_size=4, seed=0)
    step, state = nne.from_torch(model, MSE, torch.optim.SGD(model.parameters(), lr=0.1), form=form)
    weight = {"w": lambda state: state["parameters"]["layer.weight"]}
    found = nne.iterates(step, batches, state, ct.Backward(), [3], weight, engine=engine)
    assert found.metadata["self-check"] == "passed in float64"
    return model, found["w"]


@pytest.mark.parametrize(("form", "engine"), [("auto", "auto"), ("loop", "auto"), ("auto", "ensemble")])
@pytest.mark.parametrize("table_of", [kept_in_an_attribute, kept_in_an_object, kept_by_length, kept_in_a_list])
def test_a_table_kept_at_the_first_call(table_of: Callable, form: str, engine: str) -> None:
    TABLES.clear()
    LISTED.clear()
    model, weight = trained(table_of, form, engine)
    _, expected = trained(made_anew, form, engine)
    assert weight.tolist() == expected.tolist()
    assert model(ROWS).dtype is torch.float32  # the user's own module goes on in float32


@pytest.mark.control
def test_a_table_in_float64_would_not_do() -> None:
    """It is another one than that in float32, and the module cannot use it."""
    single, double = angles(ROWS), angles(ROWS.double())
    assert not torch.equal(single.double(), double)
    model = Turned(kept_in_an_attribute)
    model.table = double
    with pytest.raises(RuntimeError, match="dtype"):
        model(ROWS)
