"""Sparse buffers are refused by name, with a remedy that works."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402

MSE = torch.nn.functional.mse_loss
ROWS = torch.rand(4, 2, generator=torch.Generator().manual_seed(1))


class Graph(torch.nn.Module):
    """A linear layer of the neighbours' rows, each row with itself and the next one."""

    def __init__(self, kind: str, keep: Callable[[torch.nn.Module, torch.Tensor], None]) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        dense = torch.eye(4) + torch.eye(4).roll(1, 0)
        keep(self, {"coo": dense.to_sparse, "csr": dense.to_sparse_csr, "dense": dense.clone}[kind]())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.graph @ self.layer(x)


def as_buffer(model: torch.nn.Module, matrix: torch.Tensor) -> None:
    model.register_buffer("graph", matrix)


def as_attribute(model: torch.nn.Module, matrix: torch.Tensor) -> None:
    model.graph = matrix


def made(model: torch.nn.Module, form: str) -> tuple:
    """Return step, batches and state of `from_torch` or, for 'from_loop', of that function."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = ROWS, ROWS.sum(1, keepdim=True)
    if form != "from_loop":
        step, state = nne.from_torch(model, MSE, optimizer, form=form)
        return step, lambda i: nne.Batch(*batch, i), state

    def train(model, optimizer, batch) -> None:
        optimizer.zero_grad()
        MSE(model(batch[0]), batch[1]).backward()
        optimizer.step()

    return nne.from_loop(model, optimizer, [batch], train_step=train, steps=3)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
@pytest.mark.filterwarnings(
    "ignore:the module cannot be copied"
)  # torch copies no CSR tensors: the slower path says so
@pytest.mark.parametrize("form", ["auto", "loop", "from_loop"])
@pytest.mark.parametrize("kind", ["coo", "csr"])
def test_a_sparse_buffer_is_refused_and_a_sparse_attribute_trains(kind: str, form: str) -> None:
    with pytest.raises(ValueError, match=rf"^graph is a sparse tensor \(sparse_{kind}\).* make it a plain attribute"):
        made(Graph(kind, as_buffer), form)
    torch.manual_seed(0)
    step, batches, state = made(Graph(kind, as_attribute), form)
    torch.manual_seed(0)
    dense, _, same = made(Graph("dense", as_buffer), form)
    end = nne.state_at(step, batches, state, ct.Backward(), 1)["parameters"]["layer.weight"]
    expected = dense(same, batches(1), 1)["parameters"]["layer.weight"]
    assert torch.allclose(end, expected, rtol=1e-5)  # sums of 4 products, in another order
    assert not torch.equal(end, state["parameters"]["layer.weight"])
