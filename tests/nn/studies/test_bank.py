"""The bank of small networks against autograd, torch's optimizers, and the plain double loop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from nn_experiments.paper import catalogue
from nn_experiments.runs.setup import prepare
from nn_experiments.studies.bank import Bank, Chains, join
from nn_experiments.studies.setting import Setting

DIGITS = Setting(name="digits", data="digits", hidden=(7, 5), learning_rate=0.05)


def loss_of(bank: Bank, theta: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the loss of one chain's parameters by torch's own layers."""
    value, layers = x, bank.layers(theta[None, None])
    act = {"relu": torch.relu, "tanh": torch.tanh, "gelu": torch.nn.functional.gelu, "identity": lambda z: z}
    for k, (weight, bias) in enumerate(layers):
        value = torch.nn.functional.linear(value, weight[0, 0], bias[0, 0, 0])
        if k + 1 < len(layers):
            value = act[bank.setting.activation](value)
    if bank.setting.loss == "mse":
        return ((value - y) ** 2).sum(-1).mean()
    return torch.nn.functional.cross_entropy(value, y)


SETTINGS = [
    *(dataclasses.replace(DIGITS, activation=kind) for kind in ("relu", "tanh", "gelu", "identity")),
    dataclasses.replace(DIGITS, hidden=(), loss="mse"),
    Setting(name="ls", data="least-squares-10x4", loss="mse", batch_size=1, label_noise=0.5),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: f"{s.data}-{s.activation}-{s.loss}-{len(s.hidden)}")
def test_gradients_are_those_of_autograd(setting):
    bank = Bank(setting, (0, 3))
    chains = join([bank.start(), bank.start("second start")])
    x, y = bank.batch(2)
    found = bank.gradient(chains.theta, (x, y))
    for r in range(2):
        for s in range(2):
            theta = chains.theta[r, s].clone().requires_grad_()
            target = y[r, 0] if setting.loss == "mse" else y[r]
            (expected,) = torch.autograd.grad(loss_of(bank, theta, x[r, 0], target), theta)
            torch.testing.assert_close(found[r, s], expected, rtol=1e-10, atol=1e-12)


OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "momentum": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


@pytest.mark.parametrize("method", OPTIMIZERS)
def test_steps_are_those_of_torch(method):
    more = {"momentum": 0.9} if method == "momentum" else {}
    setting = dataclasses.replace(DIGITS, method=method, learning_rate=0.01, weight_decay=0.1, **more)
    bank = Bank(setting, (1,))
    chains = bank.start()
    theta = chains.theta[0, 0].clone().requires_grad_()
    ours = {"momentum": 0.9} if more else {} if method == "sgd" else {"betas": (0.9, 0.999), "eps": 1e-8}
    optimizer = OPTIMIZERS[method]([theta], lr=0.01, weight_decay=0.1, **ours)
    for i in range(1, 6):
        x, y = bank.batch(i)
        bank.step(chains, (x, y))
        optimizer.zero_grad()
        loss_of(bank, theta, x[0, 0], y[0]).backward()
        optimizer.step()
    torch.testing.assert_close(chains.theta[0, 0], theta.detach(), rtol=1e-9, atol=1e-11)


def one_by_one(bank: Bank, word: list[int]) -> torch.Tensor:
    """Return one chain a replicate after the maps of a word, innermost first."""
    chains = bank.start()
    for i in word:
        bank.step(chains, bank.batch(i))
    return chains.theta[:, 0]


@pytest.mark.parametrize("method", ["sgd", "momentum", "adam", "sign"])
def test_both_orders_are_the_plain_double_loop(method):
    setting = dataclasses.replace(DIGITS, method=method, momentum=0.9 if method == "momentum" else 0.0)
    bank = Bank(setting, (0, 1))
    backward = bank.backward([3, 0, 6]).theta
    chains = bank.start()
    forward = {n: chains.theta[:, 0].clone() for n in bank.forward(chains, [0, 3, 6])}
    for k, n in enumerate((3, 0, 6)):
        # products of one chain and of several are summed in another order: rounding, not more (sign amplifies none)
        torch.testing.assert_close(backward[:, k], one_by_one(bank, list(range(n, 0, -1))), rtol=1e-11, atol=1e-13)
        torch.testing.assert_close(forward[n], one_by_one(bank, list(range(1, n + 1))), rtol=1e-11, atol=1e-13)


@pytest.mark.control
def test_the_two_orders_differ():
    bank = Bank(DIGITS, (0,))
    assert (one_by_one(bank, [1, 2, 3]) - one_by_one(bank, [3, 2, 1])).norm() > 1e-4


def test_starts_and_batches_are_those_of_the_catalogue():
    setting = Setting(name="mlp-digits", data="digits", hidden=(100, 100), learning_rate=0.05)
    bank = Bank(setting, (0, 4), dtype=torch.float32)
    place = prepare(catalogue.EXPERIMENTS["mlp-digits"], 4)
    state, chains = place.state0, bank.start()
    for i in range(1, 4):
        state = place.step(state, place.batches(i), i)
        bank.step(chains, bank.batch(i))
    flat = torch.cat([value.flatten() for value in state["parameters"].values()])
    torch.testing.assert_close(chains.theta[1, 0], flat, rtol=1e-5, atol=1e-6)
    out = bank.outputs(chains.theta[1:, :])
    loss, accuracy = bank.judge(out)
    logits = place.evaluation.predictions(state)[: out.shape[2]]
    torch.testing.assert_close(out[0, 0], logits, rtol=1e-4, atol=1e-5)
    targets = place.evaluation.sets["test"][1][: out.shape[2]]
    assert float(loss) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, targets)), rel=1e-5)
    assert float(accuracy) == pytest.approx(float((logits.argmax(-1) == targets).float().mean()))


def test_label_noise_is_part_of_the_map():
    setting = SETTINGS[-1]
    bank = Bank(setting, (0, 1))
    (x, y), (again, same), (_, other) = bank.batch(5), bank.batch(5), bank.batch(5, "other batch")
    assert torch.equal(x, again)
    assert torch.equal(y, same)
    assert not torch.equal(y, other)
    rows = {tuple(row): float(t) for row, t in zip(bank.inputs.tolist(), bank.targets, strict=True)}
    noise = [float(y[r, 0, 0, 0]) - rows[tuple(x[r, 0, 0].tolist())] for r in range(2)]
    assert all(value != 0 for value in noise)


def test_settings_that_make_no_sense_are_refused():
    for changes, message in (
        ({"activation": "sine"}, "activation must be one of"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"label_noise": 0.1}, "label_noise is added to the targets of mse"),
        ({"momentum": 1.0}, "momentum in"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(DIGITS, **changes)
    with pytest.raises(ValueError, match="unknown problem"):
        Bank(dataclasses.replace(DIGITS, data="mnist"), (0,))


def test_views_of_chains_share_their_memory():
    bank = Bank(dataclasses.replace(DIGITS, method="adam"), (0,))
    chains = join([bank.start(), bank.start()])
    bank.step(chains.first(1), bank.batch(1))
    assert isinstance(chains, Chains)
    assert chains.t.tolist() == [1, 0]
    assert np.count_nonzero((chains.theta[0, 0] - chains.theta[0, 1]).numpy()) > 0
