"""Convolutional networks, as users write them: what kernels must leave alone."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F

import nn_experiments as nne
from tests.nn.training.zoo.case import Setup, images, right, sgd


def trained(model: nn.Module, *, channels: int = 2, size: int = 4, **more) -> Setup:
    model = model.double()
    return Setup(model, sgd(model, 0.05, **more), *images(channels, size))


def around(layer: nn.Module, features: int) -> nn.Module:
    return nn.Sequential(layer, nn.ReLU(), nn.Flatten(1), nn.Linear(features, 4))


class Tutorial(nn.Module):
    """The CNN of the PyTorch tutorial, smaller."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.conv1, self.pool, self.conv2 = nn.Conv2d(3, 4, 3), nn.MaxPool2d(2, 2), nn.Conv2d(4, 5, 3)
        self.fc1, self.fc2, self.way = nn.Linear(20, 8), nn.Linear(8, 4), way

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 3, 14, 14) to (B, 4)."""
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        if self.way == "view":
            x = x.view(-1, 20)
        elif self.way == "size":
            x = x.view(x.size(0), -1)
        else:
            x = torch.flatten(x, 1)
        return self.fc2(F.relu(self.fc1(x)))


@right
def tutorial_with_view() -> Setup:
    return trained(Tutorial("view"), channels=3, size=14)


@right
def tutorial_with_size() -> Setup:
    return trained(Tutorial("size"), channels=3, size=14)


@right
def tutorial_with_flatten() -> Setup:
    return trained(Tutorial("flatten"), channels=3, size=14)


@right
def tutorial_with_adam() -> Setup:
    model = Tutorial("view").double()
    return Setup(model, torch.optim.Adam(model.parameters(), lr=0.001), *images(3, 14))


class Standardised(nn.Conv2d):
    """Weight standardisation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve with standardised weights."""
        w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        w = w / (w.pow(2).mean((1, 2, 3), keepdim=True) + 1e-3).sqrt()
        return F.conv2d(x, w, self.bias, self.stride, self.padding)


@right
def weight_standardised_pointwise() -> Setup:
    return trained(around(Standardised(2, 3, 1), 48))


@right
def weight_standardised_on_small_images() -> Setup:
    return trained(around(Standardised(2, 3, 3, padding=1), 12), size=2)


class Masked(nn.Conv2d):
    """A mask in a buffer."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.register_buffer("mask", (torch.arange(self.weight.numel()) % 2).reshape(self.weight.shape).double())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve with masked weights."""
        return F.conv2d(x, self.weight * self.mask, self.bias)


@right
def masked_pointwise() -> Setup:
    return trained(around(Masked(2, 3, 1), 48))


class LoRA(nn.Conv2d):
    """A frozen convolution with a trained low-rank part."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.weight.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(self.out_channels, 1))
        self.b = nn.Parameter(torch.randn(1, self.in_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve with the sum."""
        return F.conv2d(x, self.weight + (self.a @ self.b)[..., None, None], self.bias)


@right
def low_rank_adapter() -> Setup:
    return trained(around(LoRA(2, 3, 1), 48))


class Quantised(nn.Conv2d):
    """Straight-through rounding."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve with rounded weights."""
        rounded = self.weight + ((self.weight * 8).round() / 8 - self.weight).detach()
        return F.conv2d(x, rounded, self.bias)


@right
def fake_quantised() -> Setup:
    return trained(around(Quantised(2, 3, 1), 48))


@right
def same_convolution_at_two_places() -> Setup:
    layer = nn.Conv2d(2, 2, 1)
    return trained(nn.Sequential(layer, nn.Tanh(), layer, nn.Flatten(1), nn.Linear(32, 4)))


class CalledTwice(nn.Module):
    """One convolution, one place, two calls."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 2, 1), nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 2, 4, 4) to (B, 4)."""
        return self.head(self.conv(torch.tanh(self.conv(x))).flatten(1))


@right
def convolution_called_twice() -> Setup:
    return trained(CalledTwice())


@right
def two_convolutions_with_one_weight() -> Setup:
    one, two = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
    two.weight = one.weight
    return trained(nn.Sequential(one, nn.Tanh(), two, nn.Flatten(1), nn.Linear(32, 4)))


class Autoencoder(nn.Module):
    """The decoder uses the encoder's weights."""

    def __init__(self) -> None:
        super().__init__()
        self.e = nn.Conv2d(2, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images to images."""
        return F.conv_transpose2d(torch.tanh(self.e(x)), self.e.weight)


@right
def tied_autoencoder() -> Setup:
    model = Autoencoder().double()
    x, _ = images()
    return Setup(model, sgd(model), x, x, loss=F.mse_loss)


class Penalty(nn.Module):
    """Its forward pass returns a penalty too, which the loss adds."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = nn.Conv2d(2, 3, 1), nn.Linear(48, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs and penalty."""
        return self.head(torch.tanh(self.a(x)).flatten(1)), 0.1 * self.a.weight.pow(2).sum()


@right
def penalty_returned_by_forward() -> Setup:
    model = Penalty().double()
    return Setup(model, sgd(model), *images(), loss=lambda o, y: F.cross_entropy(o[0], y) + o[1])


class Pyramid(nn.Module):
    """One head on maps of two sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(2, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, 2, 2, 2) to (B, 4)."""
        return self.head(x).mean((2, 3)) + self.head(F.avg_pool2d(x, 2)).mean((2, 3))


@right
def shared_head_of_a_pyramid() -> Setup:
    return trained(Pyramid(), size=2)


@right
def batches_of_two_image_sizes() -> Setup:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(1)).double()
    setup = Setup(model, sgd(model), *images(size=2))
    whole = setup.source()

    def batches(i: int) -> nne.Batch:
        batch = whole(i)
        return nne.Batch(batch.inputs if i % 2 else batch.inputs[:, :, :1, :1], batch.targets, i)

    setup.batches = batches
    return setup


@right
def residual_block() -> Setup:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.Conv2d(2, 2, 3, padding=1, bias=False)
            self.na, self.nb = nn.BatchNorm2d(2), nn.BatchNorm2d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(x + self.nb(self.b(F.relu(self.na(self.a(x))))))

    return trained(nn.Sequential(Block(), Block(), nn.Flatten(1), nn.Linear(32, 4)))


@right
def depthwise_separable() -> Setup:
    return trained(
        nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.ReLU6(), nn.Conv2d(4, 3, 1), nn.Flatten(1), nn.Linear(12, 4))
    )


@right
def squeeze_and_excitation() -> Setup:
    class Squeeze(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.down, self.up = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.conv(x)
            return h * torch.sigmoid(self.up(F.relu(self.down(h.mean((2, 3), keepdim=True)))))

    return trained(nn.Sequential(Squeeze(), nn.Flatten(1), nn.Linear(64, 4)))


@right
def small_images() -> Setup:
    return trained(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 2), nn.Flatten(1)), size=2)


@right
def frozen_first_convolution() -> Setup:
    model = around(nn.Conv2d(2, 3, 1), 48)
    model[0].requires_grad_(False)
    return trained(model)


@right
def transposed_convolution() -> Setup:
    model = nn.Sequential(nn.Conv2d(2, 3, 2, 2), nn.ReLU(), nn.ConvTranspose2d(3, 2, 2, 2)).double()
    x, _ = images()
    return Setup(model, sgd(model), x, x, loss=F.mse_loss)


@right
def one_dimensional_convolution() -> Setup:
    model = nn.Sequential(nn.Flatten(2), nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(1), nn.Linear(42, 4))
    return trained(model)


@right
def buffer_by_assignment_in_a_convolutional_network() -> Setup:
    class Ema(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(2, 3, 1), nn.Linear(48, 4)
            self.register_buffer("ema", torch.zeros(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.conv(x)
            self.ema = 0.9 * self.ema + 0.1 * h.mean((0, 2, 3)).detach()
            return self.head((h - self.ema[:, None, None]).flatten(1))

    return trained(Ema())


@right
def convolution_that_reads_a_copy() -> Setup:
    """A deep copy of a layer is a layer of its own."""
    layer = nn.Conv2d(2, 2, 1)
    return trained(nn.Sequential(layer, nn.Tanh(), copy.deepcopy(layer), nn.Flatten(1), nn.Linear(32, 4)))


@right
def circular_padding() -> Setup:
    return trained(around(nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), 48))


@right
def same_padding() -> Setup:
    return trained(around(nn.Conv2d(2, 3, 3, padding="same"), 48))


@right
def group_norm() -> Setup:
    return trained(nn.Sequential(nn.Conv2d(2, 4, 1), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(1), nn.Linear(64, 4)))


@right
def images_and_numbers() -> Setup:
    """A convolutional network that takes a tuple."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(2, 3, 1), nn.Linear(49, 4)

        def forward(self, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            return self.head(torch.cat([self.conv(pair[0]).flatten(1), pair[1]], 1))

    setup = trained(Both())
    whole = setup.source()

    def batches(i: int) -> nne.Batch:
        batch = whole(i)
        return nne.Batch((batch.inputs, batch.inputs[:, 0, 0, :1]), batch.targets, i)  # type: ignore[arg-type]

    setup.batches = batches
    return setup


@right
def u_net() -> Setup:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(7, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.relu(self.a(x))
            low = F.interpolate(torch.relu(self.b(F.max_pool2d(h, 2))), scale_factor=2)
            return self.c(torch.cat([h, low], 1))

    model = Net().double()
    x, _ = images()
    return Setup(model, sgd(model), x, x, loss=F.mse_loss)


@right
def conv_with_lazy_memory_format() -> Setup:
    """The user asks for channels last himself."""
    model = around(nn.Conv2d(2, 3, 3, padding=1), 48).to(memory_format=torch.channels_last)
    return trained(model)


@right
def penalty_on_a_pointwise_convolution_in_the_loss() -> Setup:
    model = around(nn.Conv2d(2, 3, 1), 48).double()
    return Setup(
        model, sgd(model), *images(), loss=lambda o, y: F.cross_entropy(o, y) + 0.1 * model[0].weight.pow(2).sum()
    )
