"""The wide form of small modules against the modules themselves, chain by chain; and which axes and layers it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from nn_experiments.engine.ensemble.stacked_module import CannotWiden, Wide, _image_axes  # noqa: E402
from nn_experiments.training.dropout import FrozenDropout  # noqa: E402

CHAINS = 3


class Of(nn.Module):
    """A forward pass that is a function of some layers and the inputs."""

    def __init__(self, rule: Callable[..., Any], **layers: nn.Module) -> None:
        super().__init__()
        self.rule = rule
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> Any:
        return self.rule(self, x)


def linear(bias: bool = True) -> nn.Linear:
    return nn.Linear(4, 4, bias=bias)


#: Name -> (a module, the shape of one input).
ROWS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Sequential(linear()), (4,)),
    "linear without bias": (lambda: nn.Sequential(linear(bias=False)), (4,)),
    "two layers without bias": (lambda: nn.Sequential(linear(bias=False), nn.Tanh(), linear(bias=False)), (4,)),
    "a way around": (lambda: Of(lambda s, x: x + s.a(x), a=linear()), (4,)),
    "a way around from the other side": (lambda: Of(lambda s, x: s.a(x) - F.relu(x), a=linear()), (4,)),
    "products of two layers": (lambda: Of(lambda s, x: torch.mul(s.a(x), s.b(x.tanh())), a=linear(), b=linear()), (4,)),
    "options by name": (lambda: Of(lambda s, x: torch.add(s.a(x), x, alpha=2), a=linear()), (4,)),
    "numbers": (lambda: Of(lambda s, x: 3 * s.a(x) - 1.5, a=linear()), (4,)),
    "the inputs and a number": (lambda: Of(lambda s, x: s.a(2 * x + 1) + x, a=linear()), (4,)),
    "used twice": (lambda: Of(lambda s, x: s.a(s.a(x)), a=linear()), (4,)),
    "batch norm": (lambda: nn.Sequential(linear(), nn.BatchNorm1d(4), linear()), (4,)),
    "batch norm first": (lambda: nn.Sequential(nn.BatchNorm1d(4), linear()), (4,)),
    "batch norm without parameters": (lambda: nn.Sequential(linear(), nn.BatchNorm1d(4, affine=False)), (4,)),
    "batch norm without statistics": (
        lambda: nn.Sequential(linear(), nn.BatchNorm1d(4, track_running_stats=False)),
        (4,),
    ),
    "group norm": (lambda: nn.Sequential(linear(), nn.GroupNorm(2, 4)), (4,)),
    "group norm first": (lambda: nn.Sequential(nn.GroupNorm(2, 4, eps=0.5), linear()), (4,)),
    "convolution": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Flatten(), nn.Linear(48, 2)), (2, 4, 3)),
    "groups": (lambda: nn.Sequential(nn.Conv2d(2, 4, (3, 2), (1, 2), (1, 0), groups=2)), (2, 4, 3)),
    "pooling": (
        lambda: Of(lambda s, x: s.b(F.max_pool2d(s.a(x), 2).flatten(1)), a=nn.Conv2d(2, 4, 1), b=nn.Linear(8, 2)),
        (2, 4, 3),
    ),
    "means over images": (lambda: Of(lambda s, x: s.a(x).mean((2, 3)), a=nn.Conv2d(2, 4, 1)), (2, 4, 3)),
    "means by other names": (
        lambda: Of(lambda s, x: torch.mean(s.a(x), dim=[-1, -2]), a=nn.Conv2d(2, 4, 1)),
        (2, 4, 3),
    ),
    "means that keep axes": (
        lambda: Of(lambda s, x: s.a(x) - s.a(x).mean((3, 2), keepdim=True), a=nn.Conv2d(2, 4, 1)),
        (2, 4, 3),
    ),
    "images in evaluation": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4, momentum=0.25), nn.Dropout(0.5)).eval(),
        (2, 4, 3),
    ),
    "frozen dropout outside of a step": (lambda: nn.Sequential(linear(), FrozenDropout(0.5)).eval(), (4,)),
}


@pytest.mark.parametrize("shared", [True, False], ids=["shared inputs", "inputs of each chain"])
@pytest.mark.parametrize("name", ROWS)
def test_every_chain_is_the_module_with_its_own_tensors(name: str, shared: bool) -> None:
    """Outputs, and running statistics after a forward pass, of three chains at different parameters, to a
    few units in the last place of sums of at most 48 products of numbers below 5: less than 1e-12."""
    draw = torch.Generator().manual_seed(0)
    make, shape = ROWS[name]
    model = make().double()
    x = torch.rand((5, *shape) if shared else (CHAINS, 5, *shape), generator=draw, dtype=torch.float64) + 0.5

    def drawn(value: torch.Tensor) -> torch.Tensor:
        if not value.is_floating_point():
            return torch.stack([value + c for c in range(CHAINS)])
        return torch.rand((CHAINS, *value.shape), generator=draw, dtype=torch.float64) + 0.25

    parameters = {key: drawn(value) for key, value in model.named_parameters()}
    buffers = {key: drawn(value) for key, value in model.named_buffers()}
    own = [{key: value[c].clone() for key, value in buffers.items()} for c in range(CHAINS)]
    with torch.no_grad():
        found = Wide(model)(parameters, buffers, x, shared=shared)
        right = [
            functional_call(
                model,
                {key: value[c] for key, value in parameters.items()} | own[c],
                (x if shared else x[c],),
            )
            for c in range(CHAINS)
        ]
    assert found.shape == (CHAINS, *right[0].shape)
    for c in range(CHAINS):
        assert torch.allclose(found[c], right[c], rtol=1e-12, atol=1e-12)
        for key, value in own[c].items():
            assert torch.allclose(buffers[key][c], value, rtol=1e-12, atol=1e-12), key
    assert not torch.allclose(found[0], found[1], rtol=1e-3)


def test_a_module_without_parameters_in_its_path_gives_each_chain_the_same() -> None:
    model = Of(lambda s, x: F.relu(x - 1), a=linear())
    x = torch.arange(8.0).reshape(2, 4)
    wide = Wide(model)
    found = wide({key: torch.ones(CHAINS, *value.shape) for key, value in model.named_parameters()}, {}, x, shared=True)
    assert found.tolist() == [F.relu(x - 1).tolist()] * CHAINS
    assert wide.unused == ["a.weight", "a.bias"]
    assert Wide(nn.Sequential(linear())).unused == []


@pytest.mark.parametrize(
    ("axes", "good"),
    [
        ((2, 3), True),
        ([3, 2], True),
        ((-1, -2), True),
        ((2,), True),
        (3, True),
        (-1, True),
        ((1, 2), False),
        ((0, 2), False),
        ((2, -3), False),
        ((2, 4), False),
        (1, False),
        (0, False),
        ((), False),
        ([], False),
        (None, False),
        ("23", False),
    ],
    ids=repr,
)
def test_axes_of_images_are_the_last_two_of_four(axes: object, good: bool) -> None:
    assert _image_axes(axes) == good


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda s, x: s.a(x).flatten(), "is not flatten"),
        (lambda s, x: s.a(x).flatten(2), "is not flatten"),
        (lambda s, x: torch.flatten(s.a(x), 1, 2), "is not flatten"),
        (lambda s, x: s.a(x).mean(), "is not a mean over the images' axes"),
        (lambda s, x: s.a(x).mean(1), "is not a mean over the images' axes"),
        (lambda s, x: s.a(x).sum((2, 3)), "calls sum, of which no wide form is known"),
        (lambda s, x: s.a(x).transpose(2, 3), "calls transpose, of which no wide form is known"),
        (lambda s, x: s.a(x) * s.a.bias[:, None, None], "uses a.bias by itself"),
        (lambda s, x: -s.a(x) if x.sum() > 0 else s.a(x), "its forward pass depends on the data"),
    ],
    ids=["flatten", "flatten(2)", "flatten(1, 2)", "mean", "mean(1)", "sum", "transpose", "parameter", "data"],
)
def test_operations_that_mix_chains_are_refused(rule: Callable[..., Any], words: str) -> None:
    with pytest.raises(CannotWiden, match=words):
        Wide(Of(rule, a=nn.Conv2d(2, 4, 1)))


@pytest.mark.parametrize(
    ("rule", "shape", "words"),
    [
        (lambda s, x: (s.a(x), s.a(x)), (4,), "the module returns something else than one tensor"),
        (lambda s, x: {"y": s.a(x)}, (4,), "the module returns something else than one tensor"),
        (lambda s, x: s.a(x).mean(-1), (4,), "is a mean of 2 axes, not of images"),
        (lambda s, x: s.a(x) + s.b(x), (4,), r"joins tensors of shapes \(5, 12\), \(5, 6\)"),
        (lambda s, x: s.a(x), (2, 4), r"a gets 3 axes in place of \(B, features\)"),
    ],
    ids=["tuple", "dict", "mean of numbers", "broadcast", "sequence"],
)
def test_what_is_only_seen_when_it_is_called(rule: Callable[..., Any], shape: tuple[int, ...], words: str) -> None:
    model = Of(rule, a=linear(), b=nn.Linear(4, 2))
    parameters = {key: torch.ones(CHAINS, *value.shape) for key, value in model.named_parameters()}
    wide = Wide(model)
    with pytest.raises(CannotWiden, match=words):
        wide(parameters, {}, torch.ones(5, *shape), shared=True)


def test_two_arguments_are_one_too_many() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    with pytest.raises(CannotWiden, match="its forward pass takes more than one argument"):
        Wide(Two())
