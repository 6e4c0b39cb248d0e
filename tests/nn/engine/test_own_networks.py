"""Hand-written kernels on a user's own modules: equal to the step with every optimizer, or the reason why not used."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.engine.kernels.choose import make_kernel  # noqa: E402
from nn_experiments.engine.kernels.layers import Layers, layers_of  # noqa: E402

RNG = np.random.default_rng(3)
X = torch.from_numpy(RNG.standard_normal((30, 4)))
LABELS = torch.from_numpy(RNG.integers(3, size=30))
NUMBERS = torch.from_numpy(RNG.standard_normal((30, 2)))
MSE, CROSS = nn.functional.mse_loss, nn.functional.cross_entropy

OPTIMIZERS: dict[str, Callable] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
}
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)),
    "tanh": lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)),
    "linear": lambda: nn.Linear(4, 2),
}


def problem(network: nn.Module, loss: Callable, make: Callable, targets: torch.Tensor, **more) -> tuple:
    torch.manual_seed(0)
    network = network.double()
    step, state = nne.from_torch(network, loss, make(list(network.parameters())), **more)
    return step, nne.ArrayBatches(X, targets, batch_size=5, seed=0), state


def distance(one: dict, other: dict, part: str) -> float:
    assert one[part].keys() == other[part].keys()
    return max((float((value - other[part][name]).abs().max()) for name, value in one[part].items()), default=0.0)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_kernels_are_the_step_with_every_optimizer(network: str, optimizer: str) -> None:
    """Also from the middle of a chain; in float64 to 30 steps of rounding, magnified by at most 1e3."""
    loss, targets = (CROSS, LABELS) if network == "relu" else (nn.MSELoss(), NUMBERS)
    step, batches, state = problem(NETWORKS[network](), loss, OPTIMIZERS[optimizer], targets)
    kernel, plain = make_kernel(step, batches), make_kernel(step, batches, "step")
    assert kernel.name == ("compiled" if optimizer == "sgd" else "mlp")
    right = plain.apply(state, range(30, 0, -1), 0)
    for end in (
        kernel.apply(state, range(30, 0, -1), 0),
        kernel.apply(kernel.apply(state, range(30, 12, -1), 0), range(12, 0, -1), 18),
    ):
        assert distance(end, right, "parameters") < 1e-11
        assert distance(end, right, "optimizer") < 1e-11
    other = plain.apply(state, range(30, 0, -1), 1 if optimizer in ("adam", "adamw") else 0)
    if optimizer in ("adam", "adamw"):  # a position that is one off is seen
        assert distance(other, right, "parameters") > 1e-6


def test_the_chosen_kernel_passes_the_self_check() -> None:
    step, batches, state = problem(NETWORKS["relu"](), CROSS, OPTIMIZERS["adam"], LABELS)
    norm = {"norm": lambda state: state["parameters"]["0.weight"].norm()}
    path = nne.iterates(step, batches, state, ct.Backward(), [0, 9], norm)
    assert path.metadata["engine"] == "mlp"
    assert "not used" not in path.metadata
    assert np.allclose(
        path["norm"], nne.iterates(step, batches, state, ct.Backward(), [0, 9], norm, engine="loop")["norm"], rtol=1e-11
    )


@pytest.mark.control
@pytest.mark.parametrize(
    ("network", "loss", "targets", "reason"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.GELU(), nn.Linear(3, 3)), CROSS, LABELS, "not a module of linear layers"),
        (nn.Sequential(nn.Linear(4, 3), nn.ReLU()), CROSS, LABELS, "not a module of linear layers"),
        (
            nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)),
            CROSS,
            LABELS,
            "not a module of linear layers",
        ),
        (nn.Sequential(nn.Linear(4, 3, bias=False)), CROSS, LABELS, "layers without bias"),
        (nn.Linear(4, 3), nn.CrossEntropyLoss(label_smoothing=0.1), LABELS, "not a module of linear layers"),
        (nn.Linear(4, 2), nn.functional.l1_loss, NUMBERS, "not a module of linear layers"),
        (nn.Linear(4, 3), CROSS, nn.functional.one_hot(LABELS, 3).double(), "not one label per input"),
    ],
    ids=["gelu", "ends in relu", "two kinds", "no bias", "smoothing", "l1", "soft labels"],
)
def test_what_the_kernels_do_not_know_is_left_to_the_step(network, loss, targets, reason: str) -> None:
    step, batches, _ = problem(network, loss, OPTIMIZERS["sgd"], targets)
    found = layers_of(step, batches)
    assert isinstance(found, str)
    assert reason in found
    assert make_kernel(step, batches).name == "step"
    with pytest.raises(TypeError, match="cannot run this step"):
        make_kernel(step, batches, "mlp")


def test_labels_that_are_no_outputs_are_refused() -> None:
    """A kernel would write beside its arrays; torch refuses such labels too."""
    step, batches, state = problem(nn.Linear(4, 3), CROSS, OPTIMIZERS["sgd"], LABELS + 1)
    with pytest.raises(ValueError, match="labels must be 0 … 2, got 3"):
        make_kernel(step, batches, "mlp").apply(state, range(9, 0, -1), 0)


@pytest.mark.parametrize("kernel", ["mlp", "compiled"])
def test_rows_that_the_loss_leaves_out_are_left_to_the_step(kernel: str) -> None:
    """Torch's cross entropy leaves out rows with the label −100; the first batches have none, later ones have."""
    if kernel == "compiled":
        pytest.importorskip("numba")
    drawn = nne.ArrayBatches(X, torch.arange(30), batch_size=5, seed=0)  # the rows of each batch
    first, row = next(
        (i, r) for i in range(4, 99) for r in drawn(i)[1].tolist() if all(r not in drawn(j)[1] for j in range(1, i))
    )
    labels = LABELS.clone()
    labels[row] = -100
    step, batches, state = problem(nn.Linear(4, 3), CROSS, OPTIMIZERS["sgd"], labels)
    used, plain = make_kernel(step, batches, kernel), make_kernel(step, batches, "step")
    before = used.apply(state, range(first - 1, 0, -1), 0)
    assert used.refused is None
    assert distance(before, plain.apply(state, range(first - 1, 0, -1), 0), "parameters") < 1e-12
    end, right = (one.apply(before, [first, 1], first - 1) for one in (used, plain))
    assert used.refused is not None
    assert "a label is -100" in used.refused
    assert all(torch.equal(end["parameters"][name], value) for name, value in right["parameters"].items())
    weight = {"weight": lambda s: s["parameters"]["weight"]}
    path = nne.iterates(step, batches, state, ct.Forward(), [first], weight, engine=kernel)
    assert "a label is -100" in path.metadata["not used"]


@pytest.mark.control
def test_other_labels_below_0_are_refused_beside_ignored_ones() -> None:
    labels = LABELS.clone()
    labels[::2], labels[1::2] = -100, -1
    step, batches, state = problem(nn.Linear(4, 3), CROSS, OPTIMIZERS["sgd"], labels)
    with pytest.raises(ValueError, match="labels must be 0 … 2, got -100"):
        make_kernel(step, batches, "mlp").apply(state, range(9, 0, -1), 0)


def test_no_kernel_is_chosen_where_autocast_is_on() -> None:
    """Autocast rounds products to bfloat16; a kernel by hand would not."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3))
    x, y = torch.randn(12, 4), torch.arange(12) % 3
    step, state = nne.from_torch(model, CROSS, torch.optim.SGD(model.parameters(), lr=0.1))
    batches = nne.ArrayBatches(x, y, batch_size=3, seed=0)
    weight = {"norm": lambda state: state["parameters"]["0.weight"].double().norm()}
    exact = nne.iterates(step, batches, state, ct.Forward(), [8], weight)
    assert exact.metadata["engine"] in ("mlp", "compiled")
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        rounded = nne.iterates(step, batches, state, ct.Forward(), [8], weight)
        for kernel in ("mlp", "compiled"):
            with pytest.raises((TypeError, ValueError), match="autocast is on"):
                nne.iterates(step, batches, state, ct.Forward(), [8], weight, engine=kernel)
        for i in range(1, 9):
            state = step(state, batches(i), i)
    assert rounded.metadata["engine"] == "step"
    assert rounded["norm"][0] == float(weight["norm"](state))  # the same operations
    assert rounded["norm"][0] != exact["norm"][0]


def test_layers_say_what_they_are() -> None:
    step, batches, _ = problem(NETWORKS["tanh"](), MSE, OPTIMIZERS["sgd"], NUMBERS)
    found = layers_of(step, batches)
    assert found == Layers((("1.weight", "1.bias"), ("3.weight", "3.bias")), relu=False, squares=True, flattens=True)


def test_the_users_own_loop_is_entered_once_a_chain() -> None:
    """RMSprop is no pure function: the kernel is the step to the last bit."""
    with pytest.warns(UserWarning, match="RMSprop"):
        step, batches, state = problem(NETWORKS["relu"](), CROSS, lambda p: torch.optim.RMSprop(p, lr=0.01), LABELS)
    kernel = make_kernel(step, batches)
    assert kernel.name == "own_loop"
    right = make_kernel(step, batches, "step").apply(state, range(9, 0, -1), 0)
    end = kernel.apply(kernel.apply(state, range(9, 4, -1), 0), range(4, 0, -1), 5)
    assert distance(end, right, "parameters") == distance(end, right, "optimizer") == 0
    assert torch.equal(step.model[0].weight, state["parameters"]["0.weight"])  # the user's module is as it was
