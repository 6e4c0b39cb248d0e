"""Dropout and noise: frozen by the batch's index, or refused."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import nn_experiments as nne
from tests.nn.training.zoo.case import Setup, classes, images, mlp, refused, right, sgd

FROZEN = {"randomness": "frozen", "seed": 5}


def trained(model: nn.Module, *shape: int, options: dict | None = None) -> Setup:
    model = model.double()
    return Setup(model, sgd(model), *classes(*(shape or (3,))), options=options or {})


class Own(nn.Module):
    """A network whose forward pass does something random between its layers."""

    def __init__(self, between) -> None:
        super().__init__()
        self.one, self.two, self.between = nn.Linear(3, 6), nn.Linear(6, 4), between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 4)."""
        return self.two(self.between(torch.tanh(self.one(x)), self.training))


def functional_dropout(h: torch.Tensor, training: bool) -> torch.Tensor:
    return F.dropout(h, 0.3, training)


def drop_path(h: torch.Tensor, training: bool) -> torch.Tensor:
    return h * (torch.rand(len(h), 1, dtype=h.dtype) > 0.3) if training else h


def noise(h: torch.Tensor, training: bool) -> torch.Tensor:
    return h + 0.1 * torch.randn_like(h) if training else h


def layer_drop(h: torch.Tensor, training: bool) -> torch.Tensor:
    """Seldom: only the generator's state tells."""
    return h if torch.rand(()) > 1e-6 else 2 * h


@right
def dropout() -> Setup:
    return trained(mlp(nn.Dropout(0.5)))


@right
def dropout_twice_the_same() -> Setup:
    one = nn.Dropout(0.3)
    return trained(nn.Sequential(nn.Linear(3, 6), one, nn.Tanh(), one, nn.Linear(6, 4)))


@right
def dropout_in_evaluation_mode() -> Setup:
    return trained(mlp(nn.Dropout(0.5)).eval())


@right
def one_dropout_in_evaluation_mode() -> Setup:
    model = mlp(nn.Dropout(0.5), nn.Linear(6, 6), nn.Dropout(0.2))
    model[2].eval()
    return trained(model)


@right
def frozen_dropout_of_the_package() -> Setup:
    return trained(mlp(nne.FrozenDropout(0.4)))


@right
def dropout_in_place() -> Setup:
    return trained(mlp(nn.Dropout(0.5, inplace=True)))


@right
def dropout_with_a_hook() -> Setup:
    model = mlp(nn.Dropout(0.5))
    model[0].register_forward_hook(lambda a, b, out: 2 * out)
    return trained(model)


@right
def dropout_with_rmsprop() -> Setup:
    model = mlp(nn.Dropout(0.5))
    return Setup(model, torch.optim.RMSprop(model.parameters()), *classes(3), options={"seed": 9})


@refused("F.dropout|randomness='frozen'")
def dropout_as_a_function() -> Setup:
    return trained(Own(functional_dropout))


@right
def dropout_as_a_function_frozen() -> Setup:
    return trained(Own(functional_dropout), options=FROZEN)


@refused("randomness='frozen'")
def stochastic_depth() -> Setup:
    return trained(Own(drop_path))


@right
def stochastic_depth_frozen() -> Setup:
    return trained(Own(drop_path), options=FROZEN)


@refused("randomness='frozen'")
def noise_layer() -> Setup:
    return trained(Own(noise))


@right
def noise_layer_frozen() -> Setup:
    return trained(Own(noise), options=FROZEN)


@refused("draws from torch's generator")
def layer_drop_that_seldom_matters() -> Setup:
    return trained(Own(layer_drop))


@right
def layer_drop_frozen() -> Setup:
    return trained(Own(layer_drop), options=FROZEN)


@refused("Dropout2d")
def dropout_of_channels() -> Setup:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Dropout2d(0.5), nn.Flatten(1), nn.Linear(16, 4)).double()
    return Setup(model, sgd(model), *images())


@right
def dropout_of_channels_frozen() -> Setup:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Dropout2d(0.5), nn.Flatten(1), nn.Linear(16, 4)).double()
    return Setup(model, sgd(model), *images(), options=FROZEN)


@right
def dropout_of_channels_in_evaluation_mode() -> Setup:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Dropout2d(0.5), nn.Flatten(1), nn.Linear(16, 4)).double().eval()
    return Setup(model, sgd(model), *images())


@refused("AlphaDropout")
def alpha_dropout() -> Setup:
    return trained(mlp(nn.AlphaDropout(0.2)))


@right
def alpha_dropout_frozen() -> Setup:
    return trained(mlp(nn.AlphaDropout(0.2)), options=FROZEN)


@refused("RReLU")
def randomized_relu() -> Setup:
    return trained(mlp(nn.RReLU()))


@right
def randomized_relu_frozen() -> Setup:
    return trained(mlp(nn.RReLU()), options=FROZEN)


class Transformer(nn.Module):
    """Torch's own encoder layer, with its default dropout."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=dropout, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, T, 3) to (B, 4)."""
        return self.head(self.encoder(self.embed(x)).mean(1))


@refused("MultiheadAttention")
def transformer_with_its_default_dropout() -> Setup:
    return trained(Transformer(), 5, 3)


@right
def transformer_frozen() -> Setup:
    return trained(Transformer(), 5, 3, options=FROZEN)


@right
def transformer_without_dropout() -> Setup:
    return trained(Transformer(0.0), 5, 3)


class Recurrent(nn.Module):
    """A recurrent network."""

    def __init__(self, kind: type[nn.Module], dropout: float = 0.0) -> None:
        super().__init__()
        self.cells = kind(3, 5, num_layers=2, batch_first=True, dropout=dropout)
        self.head = nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, T, 3) to (B, 4)."""
        return self.head(self.cells(x)[0][:, -1])


@right
def lstm() -> Setup:
    return trained(Recurrent(nn.LSTM), 5, 3)


@right
def gru() -> Setup:
    return trained(Recurrent(nn.GRU), 5, 3)


@right
def rnn_with_adam() -> Setup:
    model = Recurrent(nn.RNN).double()
    return Setup(model, torch.optim.Adam(model.parameters(), lr=0.01), *classes(5, 3))


@refused(r"cells \(LSTM\)")
def lstm_with_dropout() -> Setup:
    return trained(Recurrent(nn.LSTM, 0.3), 5, 3)


@right
def lstm_with_dropout_frozen() -> Setup:
    return trained(Recurrent(nn.LSTM, 0.3), 5, 3, options=FROZEN)


@refused("NumPy's global generator")
def draws_from_numpy() -> Setup:
    return trained(Own(lambda h, training: h * float(np.random.rand() > 1e-9)))  # noqa: NPY002


@refused("Python's random module")
def draws_from_python() -> Setup:
    return trained(Own(lambda h, training: h if random.random() > 1e-9 else 2 * h))


@refused("is not part of the state")
def draws_from_a_generator_of_its_own() -> Setup:
    own = torch.Generator().manual_seed(0)
    return trained(Own(lambda h, training: h + 0.1 * torch.randn(h.shape, dtype=h.dtype, generator=own)))


class Vae(nn.Module):
    """A variational autoencoder: its reparametrisation draws."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(3, 4), nn.Linear(2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) to (B, 3)."""
        mean, log = self.encode(x).chunk(2, 1)
        return self.decode(mean + torch.randn_like(mean) * (log / 2).exp())


@refused("randomness='frozen'")
def variational_autoencoder() -> Setup:
    model = Vae().double()
    x, _ = classes(3)
    return Setup(model, sgd(model), x, x, loss=F.mse_loss)


@right
def variational_autoencoder_frozen() -> Setup:
    model = Vae().double()
    x, _ = classes(3)
    return Setup(model, sgd(model), x, x, loss=F.mse_loss, options=FROZEN)
