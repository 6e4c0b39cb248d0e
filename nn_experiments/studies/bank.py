"""Many small networks trained at once: every replicate has its own maps, and its chains share them.

Each chain has its parameters in one vector, (R, S, P) for R replicates and S chains under the same maps. Gradients are
computed by explicit formulas, so that one step of all chains is a few batched products; the tests compare them with
autograd and the plain double loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nn_experiments.studies.problems import problem
from nn_experiments.studies.setting import Setting
from nn_experiments.training.initialisation import initialise
from nn_experiments.training.rng import generator
from nn_experiments.training.sampling import Sampler
from nn_experiments.training.trees import flatten

__all__ = ["Bank", "Chains"]

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass
class Chains:
    """States of R × S chains.

    Attributes
    ----------
    theta
        Parameters (R, S, P).
    slots
        The optimizer's memory, tensors of the same shape.
    t
        Steps taken so far, (S,).
    """

    theta: torch.Tensor
    slots: tuple[torch.Tensor, ...]
    t: torch.Tensor

    def first(self, count: int) -> Chains:
        """Return a view of the first chains of every replicate."""
        return Chains(self.theta[:, :count], tuple(slot[:, :count] for slot in self.slots), self.t[:count])

    def copy_of(self, chain: int) -> Chains:
        """Return a copy of one chain of every replicate, with the optimizer's memory and the steps taken so far."""
        one = slice(chain, chain + 1)
        return Chains(
            self.theta[:, one].clone(), tuple(slot[:, one].clone() for slot in self.slots), self.t[one].clone()
        )


def join(parts: Sequence[Chains]) -> Chains:
    """Return chains of the same replicates side by side (copies)."""
    slots = zip(*(part.slots for part in parts), strict=True)
    return Chains(
        torch.cat([part.theta for part in parts], 1),
        tuple(torch.cat(slot, 1) for slot in slots),
        torch.cat([part.t for part in parts]),
    )


class Bank:
    """One setting with R seeds: starts, batches, steps and outputs of all replicates.

    Parameters
    ----------
    setting
        What is trained.
    seeds
        One for each replicate. It determines the start and the batches, as in ``python -m nn_experiments run``.
    data_dir
        Folder of data files.
    dtype
        Type of parameters and inputs.
    """

    def __init__(
        self,
        setting: Setting,
        seeds: Sequence[int],
        *,
        data_dir: str | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.setting, self.seeds, self.dtype = setting, tuple(seeds), dtype
        data = problem(setting.data, data_dir)
        shift, scale = (data.inputs.mean(), data.inputs.std()) if setting.standardise else (0.0, 1.0)
        self.inputs, self.test_inputs = (
            torch.from_numpy((part - shift) / scale).to(dtype) for part in (data.inputs, data.test_inputs)
        )
        self.targets, self.test_targets = (
            torch.from_numpy(part) if part.dtype.kind == "i" else torch.from_numpy(part).to(dtype)
            for part in (data.targets, data.test_targets)
        )
        self.widths = (data.inputs.shape[1], *setting.hidden, data.outputs)
        self.size = sum((a + 1) * b for a, b in zip(self.widths[:-1], self.widths[1:], strict=True))

    # --- states -----------------------------------------------------------------------------------------------------

    def start(self, purpose: str = "initial") -> Chains:
        """Return one chain per replicate at its initial parameters (``"second start"``: at independent ones)."""
        pairs = zip(self.widths[:-1], self.widths[1:], strict=True)
        model = nn.Sequential(*(nn.Linear(a, b) for a, b in pairs))
        rows = []
        for seed in self.seeds:
            if self.setting.initialisation == "zero":
                rng = generator(seed, purpose)
                first = purpose == "initial"
                rows.append(torch.zeros(self.size) if first else torch.from_numpy(rng.standard_normal(self.size)))
                continue
            drawn = initialise(
                model, seed, initialisation=self.setting.initialisation, purpose=purpose, dtype=torch.float64
            )
            rows.append(flatten(drawn.values()))
        return self.at(torch.stack([row.to(self.dtype) for row in rows])[:, None])

    def at(self, theta: torch.Tensor) -> Chains:
        """Return chains at parameters (R, S, P) that have not taken a step yet."""
        count = {"sgd": 0, "sign": 0, "momentum": 1}.get(self.setting.method, 2)
        slots = tuple(torch.zeros_like(theta) for _ in range(count))
        return Chains(theta.clone(), slots, torch.zeros(theta.shape[1], dtype=torch.long))

    def layers(self, theta: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return weight (R, S, out, in) and bias (R, S, 1, out) of every layer, views of the parameters."""
        layers, offset = [], 0
        for a, b in zip(self.widths[:-1], self.widths[1:], strict=True):
            weight = theta[..., offset : offset + a * b].unflatten(-1, (b, a))
            bias = theta[..., offset + a * b : offset + (a + 1) * b].unsqueeze(-2)
            layers.append((weight, bias))
            offset += (a + 1) * b
        return layers

    # --- maps -------------------------------------------------------------------------------------------------------

    def batch(self, i: int, stream: str = "batch") -> Batch:
        """Return B_i of every replicate: inputs (R, 1, b, D), targets (R, b) or (R, 1, b, 1)."""
        size, population = self.setting.batch_size, len(self.inputs)
        rows = np.stack([Sampler("iid", size, population, seed, stream)(i) for seed in self.seeds])
        at = torch.from_numpy(rows)
        x, y = self.inputs[at][:, None], self.targets[at]
        if self.setting.loss == "mse":
            if y.dim() == 2:
                y = nn.functional.one_hot(y, self.widths[-1]).to(self.dtype)
            if self.setting.label_noise:
                drawn = [generator(seed, f"{stream} noise", i).standard_normal(y.shape[1:]) for seed in self.seeds]
                y = y + self.setting.label_noise * torch.from_numpy(np.stack(drawn)).to(self.dtype)
            y = y[:, None]
        return x, y

    def gradient(self, theta: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the gradient of the batch's mean loss (without weight decay), (R, S, P)."""
        layers = self.layers(theta)
        values, slopes = [batch[0].expand(-1, theta.shape[1], -1, -1)], []
        for weight, bias in layers[:-1]:
            value, slope = _activate(self.setting.activation, values[-1] @ weight.mT + bias)
            values.append(value)
            slopes.append(slope)
        out = values[-1] @ layers[-1][0].mT + layers[-1][1]
        error = self._slope(out, batch[1])
        pieces: list[torch.Tensor] = []
        for k in range(len(layers) - 1, -1, -1):
            pieces[:0] = [(error.mT @ values[k]).flatten(2), error.sum(2)]
            if k:
                error = (error @ layers[k][0]) * slopes[k - 1]
        return torch.cat(pieces, -1)

    def _slope(self, out: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        count = out.shape[2]
        if self.setting.loss == "mse":
            return 2 * (out - targets) / count
        p = torch.softmax(out, -1)
        at = targets[:, None, :, None].expand(-1, out.shape[1], -1, -1)
        return p.scatter_add(-1, at, torch.full_like(p[..., :1], -1.0)) / count

    def step(self, chains: Chains, batch: Batch) -> None:
        """Apply one map to all chains, in place."""
        setting, theta = self.setting, chains.theta
        h, mu = setting.learning_rate, setting.weight_decay
        g = self.gradient(theta, batch)
        if mu and setting.method != "adamw":
            g.add_(theta, alpha=mu)
        chains.t += 1
        match setting.method:
            case "sgd":
                theta.sub_(g, alpha=h)
            case "sign":
                theta.sub_(g.sign(), alpha=h)
            case "momentum":
                (velocity,) = chains.slots
                velocity.mul_(setting.momentum).add_(g)
                theta.sub_(velocity, alpha=h)
            case _:
                mean, square = chains.slots
                (b1, b2), t = setting.betas, chains.t[:, None].to(theta)
                mean.mul_(b1).add_(g, alpha=1 - b1)
                square.mul_(b2).addcmul_(g, g, value=1 - b2)
                if mu and setting.method == "adamw":
                    theta.mul_(1 - h * mu)
                root = (square / (1 - b2**t)).sqrt_().add_(setting.eps)
                theta.sub_(h * mean / (1 - b1**t) / root)

    # --- orders -----------------------------------------------------------------------------------------------------

    def forward(self, chains: Chains, at: Sequence[int], *, first: int = 1, stream: str = "batch") -> Iterator[int]:
        """Apply T_first, T_{first+1}, … to all chains in place; yield n after n maps, for n in ``at``, increasing."""
        wanted = sorted(set(at))
        if wanted[0] == 0:
            yield 0
        for n in range(1, wanted[-1] + 1):
            self.step(chains, self.batch(first + n - 1, stream))
            if n in wanted:
                yield n

    def backward(
        self, at: Sequence[int], *, stream: str = "batch", theta: torch.Tensor | None = None, offset: int = 0
    ) -> Chains:
        """Return the backward iterates n of ``at`` from the start, in this order along the chains.

        ``theta`` (R, P) replaces the replicates' own starts, and T_{offset + i} replaces T_i. All iterates are computed
        in one sweep: for i from the largest n down to 1, T_i is applied to every iterate with n >= i.
        """
        order = sorted(range(len(at)), key=lambda k: -at[k])
        begin = self.start().theta if theta is None else theta[:, None]
        chains = self.at(begin.expand(-1, len(at), -1))
        for i in range(max(at), 0, -1):
            live = sum(n >= i for n in at)
            self.step(chains.first(live), self.batch(offset + i, stream))
        back = torch.tensor(np.argsort(order))
        return Chains(chains.theta[:, back], tuple(slot[:, back] for slot in chains.slots), chains.t[back])

    # --- what is measured -------------------------------------------------------------------------------------------

    def outputs(self, theta: torch.Tensor, inputs: torch.Tensor | None = None) -> torch.Tensor:
        """Return the outputs (R, S, T, O) on inputs (T, D) (default: the test inputs)."""
        value = (self.test_inputs if inputs is None else inputs)[None, None]
        layers = self.layers(theta)
        for weight, bias in layers[:-1]:
            value = _activate(self.setting.activation, value @ weight.mT + bias)[0]
        return value @ layers[-1][0].mT + layers[-1][1]

    def judge(self, out: torch.Tensor, targets: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and accuracy (R, S) of outputs (default: the test set's); accuracy is NaN for regression."""
        y = self.test_targets if targets is None else targets
        if y.dim() == 2:
            return (out - y).square().sum(-1).mean(-1), torch.full(out.shape[:2], math.nan, dtype=out.dtype)
        loss = torch.logsumexp(out, -1) - out.gather(-1, y.expand(*out.shape[:2], -1)[..., None])[..., 0]
        if self.setting.loss == "mse":
            loss = (out - nn.functional.one_hot(y, out.shape[-1]).to(out)).square().sum(-1)
        return loss.mean(-1), (out.argmax(-1) == y).to(out).mean(-1)


def _activate(kind: str, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
    """Return activations and their slopes."""
    if kind == "relu":
        return z.clamp(min=0), (z > 0).to(z)
    if kind == "tanh":
        value = torch.tanh(z)
        return value, 1 - value * value
    if kind == "gelu":
        inner = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
        return z * inner, inner + z * torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return z, 1.0
