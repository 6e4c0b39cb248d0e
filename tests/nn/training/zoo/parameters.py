"""Parameters that are unused, used at times, shared, held in lists, or recomputed."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import nn_experiments as nne
from tests.nn.training.zoo.case import Setup, classes, refused, right, sgd, trained


class Unused(nn.Module):
    """A layer that no forward pass uses."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Linear(3, 4), nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 4)."""
        return self.used(x)


@right
def unused_with_decay() -> Setup:
    return trained(Unused(), lambda m: sgd(m, weight_decay=0.5))


@right
def unused_with_adamw() -> Setup:
    return trained(Unused(), lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, weight_decay=0.5))


@right
def unused_with_rmsprop() -> Setup:
    return trained(Unused(), lambda m: torch.optim.RMSprop(m.parameters(), lr=0.01, weight_decay=0.5))


class Sometimes(Unused):
    """The second layer is used on some batches only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 4)."""
        return self.used(x) + (self.idle(x) if float(x[0, 0]) > 0 else 0)


def on_some(make: Any) -> Setup:
    setup = trained(Sometimes(), make)
    whole = setup.source()

    def batches(i: int) -> nne.Batch:
        batch = whole(i)
        inputs = batch.inputs.clone()
        inputs[0, 0] = 1.0 if i % 2 else -1.0
        return nne.Batch(inputs, batch.targets, i)

    setup.batches = batches
    return setup


@right
def sometimes_used_with_momentum() -> Setup:
    return on_some(lambda m: sgd(m, momentum=0.9, weight_decay=0.1))


@right
def sometimes_used_with_adam() -> Setup:
    return on_some(lambda m: torch.optim.Adam(m.parameters(), lr=0.05))


@right
def sometimes_used_with_adamw() -> Setup:
    return on_some(lambda m: torch.optim.AdamW(m.parameters(), lr=0.05, weight_decay=0.3))


@right
def sometimes_used_with_rmsprop() -> Setup:
    return on_some(lambda m: torch.optim.RMSprop(m.parameters(), lr=0.05))


class Checkpointed(nn.Module):
    """Activations are computed again in the backward pass."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.one, self.two, self.reentrant = nn.Linear(3, 6), nn.Linear(6, 4), reentrant

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 4)."""
        x = x.requires_grad_() if self.reentrant else x
        return self.two(checkpoint(lambda z: torch.tanh(self.one(z)), x, use_reentrant=self.reentrant))


@right
def activation_checkpoint() -> Setup:
    return trained(Checkpointed(False))


@right
def activation_checkpoint_with_adam() -> Setup:
    return trained(Checkpointed(False), lambda m: torch.optim.Adam(m.parameters(), lr=0.01))


@refused("form='loop'")
def reentrant_checkpoint() -> Setup:
    return trained(Checkpointed(True))


@right
def reentrant_checkpoint_in_the_own_loop() -> Setup:
    setup = trained(Checkpointed(True))
    setup.options["form"] = "loop"
    return setup


class InAList(nn.Module):
    """Keeps a parameter in a list as well, and uses it from there."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 6), nn.Linear(6, 4)
        self.weights = [self.one.weight]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 4)."""
        return self.two(torch.tanh(x @ self.weights[0].T + self.one.bias))


@right
def parameter_in_a_list() -> Setup:
    return trained(InAList())


class LayersInAList(nn.Module):
    """Keeps registered layers in a plain list as well."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 6), nn.Linear(6, 4)
        self.layers = [self.one, self.two]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 4)."""
        for layer in self.layers:
            x = torch.sin(layer(x))
        return x


@right
def layers_in_a_list() -> Setup:
    return trained(LayersInAList())


@right
def layer_under_two_names() -> Setup:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = self.right = nn.Linear(3, 3)
            self.head = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.tanh(self.right(torch.tanh(self.left(x)))))

    return trained(Twice())


class Tied(nn.Module):
    """Embedding and output layer share their weights."""

    def __init__(self, frozen: bool = False) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(4, 6), nn.Linear(6, 4, bias=False)
        self.out.weight = self.embed.weight
        self.mix = nn.Linear(6, 6)
        if frozen:
            self.embed.weight.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B,) to (B, 4)."""
        return self.out(torch.tanh(self.mix(self.embed(x))))


def of_words(model: nn.Module, make: Any) -> Setup:
    model = model.double()
    _, y = classes(3)
    return Setup(model, make(model), y, (y + 1) % 4)


@right
def tied_weights() -> Setup:
    return of_words(Tied(), sgd)


@right
def tied_weights_with_adam() -> Setup:
    return of_words(Tied(), lambda m: torch.optim.Adam(m.parameters(), lr=0.01))


@right
def frozen_tied_weights() -> Setup:
    return of_words(Tied(frozen=True), lambda m: sgd(m.mix))


@right
def embedding_with_a_padding_word() -> Setup:
    return of_words(nn.Sequential(nn.Embedding(4, 6, padding_idx=0), nn.Linear(6, 4)), sgd)


@right
def sparse_embedding_with_sgd() -> Setup:
    return of_words(nn.Sequential(nn.Embedding(4, 6, sparse=True), nn.Linear(6, 4)), sgd)


@right
def renormalised_embedding() -> Setup:
    return of_words(nn.Sequential(nn.Embedding(4, 6, max_norm=1.0), nn.Linear(6, 4)), sgd)
