"""Batches that kernels and ensembles cannot stack, and rows that the loss leaves out: numbers of the plain loop."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402

X = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(12, 2).sin()
Y = torch.cos(3 * X)
LABELS = torch.arange(12) % 3
LAST = 6


def network(outputs: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, outputs)).double()


def some(samples: list) -> tuple[torch.Tensor, torch.Tensor]:
    """Collate the samples that begin with a positive number, or the first one alone."""
    kept = [one for one in samples if one[0][0] > 0] or samples[:1]
    return torch.utils.data.default_collate(kept)


def collated() -> nne.DatasetBatches:
    data = torch.utils.data.TensorDataset(X, Y)
    return nne.DatasetBatches(data, batch_size=4, seed=0, collate=some)


def cut(i: int) -> nne.Batch:
    rows = slice(i % 5, i % 5 + 1 + i % 3)
    return nne.Batch(X[rows], Y[rows], i)


def labelled() -> nne.ArrayBatches:
    """Batches of an epoch in which the loss leaves out two rows of B_4, and all of B_6."""
    plain = nne.ArrayBatches(X, LABELS, batch_size=2, seed=0, sampling="reshuffle")
    labels = LABELS.clone()
    for i, count in ((4, 1), (6, 2)):
        labels[torch.tensor(plain.sampler(i)[:count])] = -100
    return nne.ArrayBatches(X, labels, batch_size=2, seed=0, sampling="reshuffle")


def by_hand(make, loss, batches, n: int) -> np.ndarray:
    """Return the first weights of T_n … T_1 θ_0, of a loop of plain torch."""
    model = network(3 if loss is torch.nn.functional.cross_entropy else 2)
    optimizer = make(model.parameters())
    for i in range(1, n + 1):
        optimizer.zero_grad()
        loss(model(batches(i).inputs), batches(i).targets).backward()
        optimizer.step()
    return model[0].weight.detach().numpy()


#: The forward order as chains that all start at θ_0, so that an ensemble applies other maps to each at the same time.
APART = ct.CustomOrder(lambda n: list(range(n, 0, -1)))
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.3),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.03),
}


@pytest.mark.parametrize("method", OPTIMIZERS)
@pytest.mark.parametrize(
    ("what", "engine"),
    [(what, engine) for what in ("collated", "labelled") for engine in ("mlp", "ensemble")] + [("cut", "ensemble")],
)
def test_iterates_are_those_of_the_plain_loop(what: str, method: str, engine: str) -> None:
    batches = {"collated": collated, "cut": lambda: cut, "labelled": labelled}[what]()
    loss = torch.nn.functional.cross_entropy if what == "labelled" else torch.nn.functional.mse_loss
    model = network(3 if what == "labelled" else 2)
    step, state = nne.from_torch(model, loss, OPTIMIZERS[method](model.parameters()))
    weight = {"w": lambda s: s["parameters"]["0.weight"]}
    path = nne.iterates(step, batches, state, APART, range(LAST + 1), weight, engine=engine)
    for n in range(LAST + 1):
        expected = by_hand(OPTIMIZERS[method], loss, batches, n)
        assert path["w"][n] == pytest.approx(expected, rel=1e-9, abs=1e-12), n
    if what != "labelled" and engine == "ensemble":
        assert "differ in the shape or the type" in path.metadata["one chain at a time"]


def test_what_a_kernel_leaves_to_the_step_is_recorded() -> None:
    model = network(2)
    step, state = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.Adam(model.parameters(), lr=0.3))
    path = nne.iterates(step, collated(), state, ct.Backward(), [LAST], {})
    assert path.metadata["engine"] == "step"
    assert "rows, and batch 1 has" in str(path.metadata["not used"])
