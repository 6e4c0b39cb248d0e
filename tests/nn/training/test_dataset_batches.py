"""Batches of data sets: functions of seed and index, whatever the data set draws, and whatever is asked first."""

from __future__ import annotations

import copy
import pickle
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import Dataset, TensorDataset  # noqa: E402

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.runs.fingerprint import fingerprint  # noqa: E402
from tests.nn.runs.small_network import Small, X, Y  # noqa: E402

DATA = TensorDataset(X, Y)


def jitter(sample, rng: np.random.Generator):
    """Add a number that is drawn for the sample."""
    return sample[0] + rng.normal(), sample[1]


class Random(Dataset):
    """A data set that draws from the three global generators."""

    def __len__(self) -> int:
        """Return 24."""
        return 24

    def __getitem__(self, k: int):
        """Return three draws and the index."""
        return torch.rand(1).double() + np.random.rand() + random.random(), torch.tensor(k)  # noqa: NPY002 - as users do


def same(one: nne.Batch, other: nne.Batch) -> bool:
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)


@pytest.mark.parametrize("sampling", ["iid", "reshuffle", "shuffle_once"])
def test_without_a_transform_they_are_those_of_the_arrays(sampling: str) -> None:
    ours = nne.DatasetBatches(DATA, batch_size=5, seed=3, sampling=sampling)
    arrays = nne.ArrayBatches(X, Y, batch_size=5, seed=3, sampling=sampling)
    assert all(same(ours(i), arrays(i)) and ours(i).index == i for i in (1, 2, 9))
    assert not same(ours(1), ours.with_seed(4)(1))
    assert same(ours.with_seed(4)(1), nne.ArrayBatches(X, Y, batch_size=5, seed=4, sampling=sampling)(1))
    own = Small()
    paths = [nne.iterates(own.step, b, own.state, ct.Backward(), [3, 9], own.measure) for b in (ours, arrays)]
    assert paths[0].metadata["engine"] == paths[1].metadata["engine"] != "step"
    assert np.array_equal(paths[0]["test_loss"], paths[1]["test_loss"])


@pytest.mark.parametrize("batches", [(DATA, jitter), (Random(), None), (Random(), jitter)])
def test_a_batch_is_a_function_of_seed_and_index(batches) -> None:
    data, transform = batches

    def made(seed: int = 3) -> nne.DatasetBatches:
        return nne.DatasetBatches(data, batch_size=5, seed=seed, transform=transform)

    forward, backward = made(), made()
    first = [forward(i) for i in (1, 2, 3)]
    torch.manual_seed(99), np.random.seed(99), random.seed(99)  # noqa: NPY002 - must not matter
    last = [backward(i) for i in (3, 2, 1)][::-1]
    assert all(same(one, other) for one, other in zip(first, last, strict=True))
    assert same(pickle.loads(pickle.dumps(forward))(2), first[1])
    assert not same(made(4)(1), first[0])
    assert same(made(4)(1), forward.with_seed(4)(1))


def test_a_sample_is_drawn_anew_at_every_place_of_every_batch() -> None:
    batches = nne.DatasetBatches([(torch.zeros(1), torch.zeros(1))], batch_size=4, seed=0, transform=jitter)
    draws = torch.cat([batches(i).inputs for i in range(1, 6)])
    assert len(draws.unique()) == 20
    by_hand = nne.DatasetBatches([(torch.zeros(1), torch.zeros(1))], batch_size=2, seed=0, transform=jitter)
    assert torch.equal(by_hand(1).inputs, batches(1).inputs[:2])  # (seed, index, place), not the size of the batch


def test_global_generators_stay_as_they_are() -> None:
    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002 - as users do
    nne.DatasetBatches(Random(), batch_size=5, seed=3)(2)
    drawn = float(torch.rand(())), np.random.rand(), random.random()  # noqa: NPY002
    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    assert drawn == (float(torch.rand(())), np.random.rand(), random.random())  # noqa: NPY002


def test_the_identity_is_that_of_data_transform_and_collate() -> None:
    def scaled(by: float):
        return lambda sample, rng: (by * sample[0], sample[1])

    def made(data=DATA, **options) -> str:
        given = {"batch_size": 5, "seed": 3} | options
        return fingerprint(nne.DatasetBatches(data, **given), "batches")

    assert made() == made(TensorDataset(X.clone(), Y.clone())) == made(seed=4)
    others = [
        made(),
        made(TensorDataset(-X, Y)),
        made(batch_size=4),
        made(sampling="reshuffle"),
        made(transform=scaled(2.0)),
        made(transform=scaled(3.0)),
        made(collate=lambda samples: torch.utils.data.default_collate(samples)),
    ]
    assert len(set(others)) == len(others)


def test_a_diagnosis_and_an_audit_take_them() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    batches = nne.DatasetBatches(DATA, batch_size=4, seed=0, transform=jitter)
    found = nne.diagnose(
        model, torch.nn.functional.mse_loss, optimizer, batches, steps=60, replicates=2, progress=False
    )
    assert found.settings["law"] == "independent batches"
    assert nne.audit_order(nne.DatasetBatches(DATA, batch_size=2, seed=0, sampling="reshuffle")).verdict == "reshuffled"


class Two(torch.nn.Module):
    """A module of two inputs with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = torch.nn.Linear(1, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(1, 3)

    def forward(self, x, z):
        """Map (B, 1) and (B, 1) to (B, 3)."""
        return self.norm(self.a(x)) + self.b(z)


@pytest.mark.parametrize("form", [tuple, dict])
def test_two_inputs_everywhere(form: type, tmp_path) -> None:
    """Averages with batch-norm statistics, measures in slices, runs and diagnoses of a module of two inputs."""
    torch.manual_seed(0)
    model, y = Two().double(), torch.arange(24) % 3
    inputs = (X, X.flip(0)) if form is tuple else {"z": X.flip(0), "x": X}
    loss = torch.nn.functional.cross_entropy
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    step, state = nne.from_torch(model, loss, optimizer)
    batches = nne.ArrayBatches(inputs, y, batch_size=4, seed=0)
    measure = nne.measures(model, loss, test=(inputs, y), accuracy=True, rows=5)
    whole = nne.measures(model, loss, test=(inputs, y), accuracy=True)
    still = copy.deepcopy(model).eval()
    outputs = still(X, X.flip(0)).detach()
    for one in (measure, whole):
        assert float(one["test_loss"](state)) == pytest.approx(float(loss(outputs, y)), rel=1e-12)
        assert float(one["test_accuracy"](state)) == pytest.approx(float((outputs.argmax(1) == y).double().mean()))
    curves = [ct.Forward(), ct.Backward(), nne.SWA(start=2, every=2)]
    found = nne.run(
        step, batches, state, curves, at=range(0, 7, 3), measure=measure, out=tmp_path, workers=0, progress=False
    )
    assert np.isfinite(found["test_loss"]).all()
    result = nne.diagnose(model, loss, optimizer, batches, steps=60, replicates=2, progress=False)
    assert result.measured.derivative_by == "derivatives"
    with pytest.raises(ValueError, match="as many inputs as targets and at least one, got 24, 23"):
        nne.measures(model, loss, test=(inputs, y[1:]))
    with pytest.raises(TypeError, match="must be two tensors or arrays"):
        nne.measures(model, loss, test=(("a", X), y))


def test_replicates_with_the_same_tuples_are_refused() -> None:
    """Targets that are all None do not hide it, and inputs that differ are enough."""
    model = torch.nn.Linear(1, 1).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    class Fixed:
        def __init__(self, seed: int = 0, *, moves: bool) -> None:
            self.seed, self.moves = seed, moves

        def __call__(self, i: int):
            return ({"input": X[:4] + (self.seed if self.moves else 0) + i}, None)

        def with_seed(self, seed: int) -> Fixed:
            return Fixed(seed, moves=self.moves)

    class Named(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = model

        def forward(self, batch):
            return self.one(batch["input"])

    def run(*, moves: bool) -> object:
        return nne.diagnose(
            Named(),
            lambda outputs, targets: outputs.square().mean(),
            torch.optim.SGD(model.parameters(), lr=0.01),
            Fixed(moves=moves),
            steps=50,
            replicates=2,
            sampling="iid",
            progress=False,
        )

    with pytest.raises(nne.NotDiagnosable, match="two replicates have the same batches"):
        run(moves=False)
    assert run(moves=True)
    del optimizer
