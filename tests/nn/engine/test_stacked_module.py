"""Many chains side by side in the channels: the double loop's states, running statistics included, for every order."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call  # noqa: E402

from contraction.maps.orders import Backward  # noqa: E402
from nn_experiments.engine.chain import walk  # noqa: E402
from nn_experiments.engine.ensemble import sweep  # noqa: E402
from nn_experiments.engine.ensemble import wavefront as engine  # noqa: E402
from nn_experiments.engine.ensemble.convolutions import WAYS  # noqa: E402
from nn_experiments.engine.ensemble.memory import activation_bytes  # noqa: E402
from nn_experiments.engine.ensemble.stacked_module import CannotWiden, Wide  # noqa: E402
from nn_experiments.engine.ensemble.wavefront import Ensemble, wavefront  # noqa: E402
from nn_experiments.engine.kernels.convnet import ChannelsLastKernel  # noqa: E402
from nn_experiments.engine.kernels.mlp import StepKernel  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.training import models  # noqa: E402
from nn_experiments.training.dropout import FrozenDropout  # noqa: E402
from nn_experiments.training.initialisation import initialise  # noqa: E402
from nn_experiments.training.optimizers import Optimizer, Schedule  # noqa: E402
from nn_experiments.training.step import LOSSES, TrainingStep, initial_state  # noqa: E402
from tests.nn.conv_problems import KINDS, SLOW, conv_bound, conv_problem, whole  # noqa: E402
from tests.nn.problems import ORDERS, N  # noqa: E402

FEW = ("basic-batch", "plain-none")
OPTIMIZERS = {
    "momentum": Optimizer(method="momentum", learning_rate=0.002, momentum=0.8),
    "decayed weights": Optimizer(learning_rate=0.002, weight_decay=0.1),
    "adam": Optimizer(method="adam", learning_rate=0.001, eps=1e-1),
    "scheduled": Optimizer(learning_rate=0.005, schedule=Schedule(kind="inverse", horizon=4)),
}


@lru_cache(maxsize=64)
def oracle(kind: str, order: str):
    step, batches, state0 = conv_problem(kind, SLOW)
    return double_loop(step, batches, state0, ORDERS[order], range(N + 1))


def ratios(path, right, state0) -> dict[int, float]:
    """Return the distance in parameters and running statistics over the bound, per iterate; counts must be equal."""
    found = {}
    for n, state, run in path:
        depth = run.depth if run else 0
        difference = float((whole(state) - whole(right[n])).norm())
        found[n] = difference / conv_bound(depth, state0) if depth else difference
        for name, value in right[n]["buffers"].items():
            if name.endswith("num_batches_tracked"):
                assert int(state["buffers"][name]) == int(value) == depth
    return found


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chunk", [4, None])
@pytest.mark.parametrize("kind", KINDS)
def test_every_iterate_of_every_order(kind: str, chunk: int | None, order: str) -> None:
    step, batches, state0 = conv_problem(kind, SLOW)
    before = whole(state0).clone()
    own = Ensemble(chunk=chunk)
    found = ratios(
        wavefront(step, batches, ORDERS[order], range(N + 1), state0, ensemble=own), oracle(kind, order), state0
    )
    assert own.form == "wide"
    assert list(found) == list(range(N + 1))
    assert max(found.values()) <= 1, found
    assert torch.equal(before, whole(state0))


@pytest.mark.parametrize("kind", KINDS)
def test_all_engines_agree(kind: str) -> None:
    """The double loop, the step, the channels-last kernel, the wide form and ``vmap`` with buffers carried."""
    step, batches, state0 = conv_problem(kind, SLOW)
    at = [1, 5, N]
    paths = [walk(kernel(step, batches), Backward(), at, state0) for kernel in (StepKernel, ChannelsLastKernel)]
    paths += [wavefront(step, batches, Backward(), at, state0, ensemble=Ensemble(form=f)) for f in ("wide", "vmap")]
    for path in paths:
        assert max(ratios(path, oracle(kind, "backward"), state0).values()) <= 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("form", ["wide", "vmap"])
def test_other_optimizers(form: str, optimizer: str) -> None:
    step, batches, state0 = conv_problem("basic-batch", OPTIMIZERS[optimizer])
    for order in (ORDERS["backward"], ORDERS["shuffled"]):
        right = double_loop(step, batches, state0, order, [3, 7])
        path = list(wavefront(step, batches, order, [3, 7], state0, ensemble=Ensemble(form=form)))
        assert max(ratios(path, right, state0).values()) <= 1
        for n, state, _ in path:
            for key, value in right[n]["optimizer"].items():
                assert torch.allclose(state["optimizer"][key], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_convolve(way: str, monkeypatch) -> None:
    monkeypatch.setattr(engine, "choose_convolution", lambda *_: way)
    for kind in FEW:
        step, batches, state0 = conv_problem(kind, SLOW)
        path = wavefront(step, batches, Backward(), [2, 6, N], state0)
        assert max(ratios(path, oracle(kind, "backward"), state0).values()) <= 1


@pytest.mark.parametrize(
    "name",
    ["resnet18", "resnet18-7x7-group", "resnet18-none", "vgg19", "vgg19-group", "resnet50-7x7", "vgg19-4096-none"],
)
def test_the_models_of_the_paper(name: str) -> None:
    """In evaluation and training mode, two chains, against the modules themselves, to rounding in float64.

    Up to 54 layers that each sum at most 9 · 512 products (ResNet-50: 9 · 512, 2048 for 1 × 1) give relative errors
    below 54 · 4608 · 2⁻⁵³ < 3e-11 of the sum of absolute values, which the normalisations keep of the size of the sum.
    """
    if name in ("resnet50-7x7", "vgg19-4096-none"):  # large: only that they have a wide form, and its shapes
        model = models.build(name, (3, 32, 32), 10)
        assert (
            activation_bytes(TrainingStep(model, LOSSES["mse"], SLOW), Wide(model), initial_state(model), images()) > 0
        )
        return
    model = models.build(name, (3, 32, 32), 10).double()
    states = [initial_state(model, initialise(model, k, dtype=torch.float64)) for k in (0, 1)]
    x = images().double()
    for training in (False, True):
        model.train(training)
        stacked = {
            part: {key: torch.stack([state[part][key] for state in states]) for key in states[0][part]}
            for part in ("parameters", "buffers")
        }
        with torch.no_grad():
            found = Wide(model)(stacked["parameters"], stacked["buffers"], x, shared=True)
            for c, state in enumerate(states):
                own = {key: value.clone() for key, value in state["buffers"].items()}
                right = functional_call(model, (state["parameters"], own), (x,))
                assert torch.allclose(found[c], right, rtol=1e-9, atol=1e-11)
                for key, value in own.items():
                    assert torch.allclose(stacked["buffers"][key][c].double(), value.double(), rtol=1e-9, atol=1e-12)
    assert not torch.allclose(found[0], found[1])


def images():
    return torch.linspace(0, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32)


# ---- negative controls: what must be seen -------------------------------------------------------------------------


def wrong_path(monkeypatch, mistake: str):
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    right = sweep._wide
    if mistake == "statistics shared between chains":

        def wrong(step, x, y, state, now, wide):
            right(step, x, y, state, now, wide)
            for name, value in state["buffers"].items():
                if name.endswith("running_mean"):
                    value[: now.live] = value[: now.live].mean(0)

    elif mistake == "statistics not carried":

        def wrong(step, x, y, state, now, wide):
            kept = {name: value.clone() for name, value in state["buffers"].items()}
            right(step, x, y, state, now, wide)
            for name, value in kept.items():
                if not name.endswith("num_batches_tracked"):
                    state["buffers"][name].copy_(value)

    elif mistake == "one chain too few":

        def wrong(step, x, y, state, now, wide):
            less = max(1, now.live - 1)
            right(step, x, y, state, sweep.Sweep(now.indices[:less], now.positions[:less], now.rate), wide)

    elif mistake == "all chains from the beginning":

        def wrong(step, x, y, state, now, wide):
            count = len(next(iter(state["parameters"].values())))
            right(step, x, y, state, sweep.Sweep([now.indices[0]] * count, [now.positions[0]] * count, now.rate), wide)

    else:
        wrong = right
    monkeypatch.setattr(sweep, "_wide", wrong)
    return wavefront(step, batches, Backward(), [3, 7, N], state0), state0


@pytest.mark.parametrize(
    "mistake",
    [
        "none",
        "statistics shared between chains",
        "statistics not carried",
        "one chain too few",
        "all chains from the beginning",
    ],
)
def test_mistakes_are_seen(mistake: str, monkeypatch) -> None:
    path, state0 = wrong_path(monkeypatch, mistake)
    right = oracle("basic-batch", "backward")
    distances = [float((whole(state) - whole(right[n])).norm()) / conv_bound(N, state0) for n, state, _ in path]
    assert (max(distances) <= 1) == (mistake == "none")
    assert mistake == "none" or max(distances) > 1e3


# ---- what has no wide form ----------------------------------------------------------------------------------------


class Strange(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.head = nn.Linear(2, 3)
        if kind == "own":
            self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x):
        y = self.conv(x)
        if self.kind == "cat":
            y = torch.cat([y, x], 1)[:, :2]
        elif self.kind == "data" and y.sum() > 0:
            y = -y
        elif self.kind == "own":
            y = y * self.scale[None, :, None, None]
        elif self.kind == "channels":
            y = y - y.mean(1, keepdim=True)
        elif self.kind == "softmax":
            y = torch.softmax(y, 1)
        return self.head(y.mean((2, 3)))


REFUSED = {
    "cat": "calls cat",
    "data": "depends on the data",
    "own": "uses scale by itself",
    "channels": "not a mean over the images",
    "softmax": "calls softmax",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_wide_form_is_refused_with_the_reason(kind: str) -> None:
    with pytest.raises(CannotWiden, match=REFUSED[kind]):
        Wide(Strange(kind))
    Wide(Strange("none"))


def test_layers_that_are_refused() -> None:
    shared = nn.Linear(2, 2)
    cases = {
        "LayerNorm": nn.Sequential(nn.LayerNorm(2)),
        "drawn for one chain": nn.Sequential(FrozenDropout(0.5)),
        "does not start at axis 1": nn.Sequential(nn.Flatten(2)),
        "padding circular": nn.Sequential(nn.Conv2d(1, 1, 3, padding_mode="circular")),
        "cumulative": nn.Sequential(nn.BatchNorm2d(2, momentum=None)),
        "returns indices": nn.Sequential(nn.MaxPool2d(2, return_indices=True)),
        "shared with another": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
    }
    last = cases["shared with another"]
    last[1].weight = last[0].weight
    for reason, model in cases.items():
        with pytest.raises(CannotWiden, match=reason):
            Wide(model)
    hooked = nn.Sequential(shared)
    shared.register_forward_hook(lambda *_: None)
    with pytest.raises(CannotWiden, match="hook"):
        Wide(hooked)
    Wide(nn.Sequential(FrozenDropout(0.5), nn.Dropout(0.3)).eval())


@pytest.mark.parametrize("kind", ["own", "channels", "none"])
def test_what_has_no_wide_form_goes_by_vmap(kind: str) -> None:
    _, batches, _ = conv_problem("plain-none", SLOW)
    model = nn.Sequential(nn.BatchNorm2d(2), Strange(kind)).double()
    own = dict(model.named_parameters())
    rng = np.random.default_rng(0)
    state0 = initial_state(
        model, {key: torch.from_numpy(rng.uniform(-1, 1, tuple(value.shape))) for key, value in own.items()}
    )
    step = TrainingStep(model, LOSSES["cross_entropy"], SLOW)
    right = double_loop(step, batches, state0, Backward(), [2, 5])
    ensemble = Ensemble()
    path = list(wavefront(step, batches, Backward(), [2, 5], state0, ensemble=ensemble))
    assert ensemble.form == ("wide" if kind == "none" else "vmap")
    assert max(ratios(path, right, state0).values()) <= 1
    if kind != "none":
        assert "not in wide form" in ensemble.reason
        with pytest.raises(TypeError, match="not in wide form"):
            list(wavefront(step, batches, Backward(), [2], state0, ensemble=Ensemble(form="wide")))


def test_a_linear_layer_on_images_is_found_out_before_anything_is_computed() -> None:
    _, batches, _ = conv_problem("plain-none", SLOW)
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Linear(3, 2), nn.Flatten(1), nn.Linear(16, 3)).double()
    state0 = initial_state(model, initialise(model, 0, dtype=torch.float64))
    step = TrainingStep(model, LOSSES["cross_entropy"], SLOW)
    ensemble = Ensemble()
    path = list(wavefront(step, batches, Backward(), [1, 4], state0, ensemble=ensemble))
    assert (ensemble.form, "1 gets 4 axes" in ensemble.reason) == ("vmap", True)
    assert max(ratios(path, double_loop(step, batches, state0, Backward(), [1, 4]), state0).values()) <= 1
