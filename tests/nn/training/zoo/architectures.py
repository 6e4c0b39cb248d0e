"""Modules of other shapes: precision, several inputs, recurrences, attention, spectra, graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

import nn_experiments as nne
from tests.nn.training.zoo.case import Setup, classes, mlp, refused, right, sgd, trained


@right
def autocast_in_the_forward_pass() -> Setup:
    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(3, 6), nn.Linear(6, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                h = torch.tanh(self.one(x))
            return self.two(h.to(x.dtype))

    return trained(Cast())


@right
def half_precision() -> Setup:
    model = mlp().bfloat16()
    x, y = classes(3)
    return Setup(model, sgd(model, momentum=0.9), x.bfloat16(), y)


@right
def single_precision_in_the_own_loop() -> Setup:
    model = mlp().float()
    x, y = classes(3)
    return Setup(model, torch.optim.NAdam(model.parameters()), x.float(), y)


@right
def module_list_and_dict() -> Setup:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(3))
            self.heads = nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.Linear(3, 4)})
            self.scales = nn.ParameterList(nn.Parameter(torch.ones(3)) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer, scale in zip(self.layers, self.scales, strict=True):
                x = torch.tanh(layer(x)) * scale
            return self.heads["a"](x) + self.heads["b"](x)

    return trained(Listed())


@right
def layer_norm_and_prelu() -> Setup:
    return trained(mlp(nn.LayerNorm(6), nn.PReLU()))


@right
def instance_norm() -> Setup:
    model = nn.Sequential(nn.Conv1d(2, 3, 2), nn.InstanceNorm1d(3, affine=True), nn.Flatten(1), nn.Linear(9, 4))
    return trained(model, sgd, 2, 4)


@right
def parameter_of_no_layer() -> Setup:
    class Free(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.scale = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.tensor(1.5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scale * (x @ self.w.T)

    return trained(Free())


@right
def one_tuple_of_two_inputs() -> Setup:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(2, 4)

        def forward(self, pair: Any) -> torch.Tensor:
            return self.a(pair[0]) + self.b(pair[1])

    setup = trained(Pair())
    whole = setup.source()

    def batches(i: int) -> nne.Batch:
        batch = whole(i)
        return nne.Batch((batch.inputs, batch.inputs[:, :2]), batch.targets, i)  # type: ignore[arg-type]

    setup.batches = batches
    return setup


@refused("takes more than one argument")
def two_arguments() -> Setup:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
            return self.a(x + z)

    return trained(Two())


@refused("has no shape yet")
def lazy_layer() -> Setup:
    model = nn.Sequential(nn.LazyLinear(4))
    return Setup(model, torch.optim.SGD(model.parameters(), lr=0.1), *classes(3))


@right
def mixture_of_experts() -> Setup:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.experts = nn.Linear(3, 2), nn.ModuleList(nn.Linear(3, 4) for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            which = self.gate(x).argmax(1)
            out = x.new_zeros(len(x), 4)
            for k, expert in enumerate(self.experts):
                rows = (which == k).nonzero()[:, 0]
                out = out.index_add(0, rows, expert(x[rows]))
            return out

    return trained(Experts())


@right
def own_autograd_function() -> Setup:
    class Straight(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.sign()

        @staticmethod
        def backward(ctx: Any, slope: torch.Tensor) -> torch.Tensor:
            return slope

    class Binary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(3, 6), nn.Linear(6, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.two(Straight.apply(self.one(x)))

    return trained(Binary())


@right
def forward_replaced_on_the_object() -> Setup:
    model = mlp()
    model.forward = lambda x: model[2](torch.sin(model[0](x)))  # type: ignore[method-assign]
    return trained(model)


@right
def scan_over_time() -> Setup:
    class Scan(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.GRUCell(3, 5), nn.Linear(5, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = x.new_zeros(len(x), 5)
            for t in range(x.shape[1]):
                h = self.cell(x[:, t], h)
            return self.head(h)

    return trained(Scan(), sgd, 4, 3)


@right
def two_heads_one_frozen_by_detach() -> Setup:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(5, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.tanh(self.body(x))
            return self.a(h) + self.b(h.detach())

    return trained(Heads())


@right
def momentum_target_network() -> Setup:
    """BYOL: a target network without gradients, moved in the forward pass."""

    class Byol(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.online, self.target = nn.Linear(3, 4), nn.Linear(3, 4).requires_grad_(False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                for a, b in zip(self.target.parameters(), self.online.parameters(), strict=True):
                    a.lerp_(b, 0.1)
            return self.online(x) + F.normalize(self.target(x), dim=1)

    return trained(Byol(), lambda m: torch.optim.SGD(m.online.parameters(), lr=0.1))


@right
def complex_parameter() -> Setup:
    class Fourier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(3, 4, dtype=torch.complex128))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x.to(torch.complex128) @ self.w).abs()

    model = Fourier()
    return Setup(model, torch.optim.Adam(model.parameters(), lr=0.01), *classes(3))


@right
def spectral_convolution() -> Setup:
    class Filter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.head = nn.Parameter(torch.randn(5)), nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.fft.irfft(torch.fft.rfft(x) * self.w, n=8))

    return trained(Filter(), sgd, 8)


@right
def bilinear_and_gating() -> Setup:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Bilinear(3, 3, 5), nn.Linear(5, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.glu(self.b(torch.tanh(self.a(x, x))))

    return trained(Gated())


@right
def attention_by_hand() -> Setup:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.head = nn.Linear(3, 12), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.qkv(x).chunk(3, -1)
            return self.head(F.scaled_dot_product_attention(q, k, v).mean(1))

    return trained(Attention(), lambda m: torch.optim.AdamW(m.parameters(), lr=0.01), 5, 3)


@right
def causal_mask_in_a_buffer() -> Setup:
    class Causal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 4)
            self.register_buffer("mask", torch.triu(torch.ones(5, 5, dtype=torch.bool), 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.mix(x, x, x, attn_mask=self.mask, need_weights=False)[0].mean(1))

    return trained(Causal(), sgd, 5, 4)


@right
def graph_with_a_fixed_adjacency() -> Setup:
    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 4)
            self.adjacency = torch.eye(5).double()[[1, 2, 3, 4, 0]]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(torch.relu(self.adjacency @ self.a(x))).mean(1)

    return trained(Graph(), sgd, 5, 3)


@right
def implicit_layer_by_iteration() -> Setup:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.outer = nn.Linear(3, 3), nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z = torch.zeros_like(x)
            with torch.no_grad():
                while float((new := torch.tanh(0.3 * self.inner(z) + x) - z).abs().max()) > 1e-14:
                    z = z + new
            return self.outer(torch.tanh(0.3 * self.inner(z) + x))

    return trained(Fixed())
