"""Networks as vector fields on flat vectors, the form that `contraction.expansions` takes.

A `Layout` turns a (nested) dictionary of parameters into one vector and back. A loss on parameters becomes the field
V = −∇L with Jacobian-vector products, a linearisation that is evaluated once, and Taylor series to any order (nested
forward mode over the gradient: order q costs about 2^q gradients). Vectors are one-dimensional tensors of one dtype
and device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias  # Any: a nested dictionary of tensors has no type that torch's functions accept

import torch
from torch import Tensor, nn

from contraction.arguments import check_integer
from contraction.expansions.fields import VectorField
from nn_experiments.training.batches import BatchLike
from nn_experiments.training.scalar_loss import Criterion
from nn_experiments.training.trees import flatten, leaves

__all__ = [
    "Layout",
    "batch_coupled_layers",
    "loss_field",
    "loss_fields",
    "module_loss",
    "split_batch",
    "tensor_field",
]

#: A dictionary of tensors, possibly nested.
Parameters: TypeAlias = Mapping[str, Any]
#: A batch: a tensor, or a tuple, list or dictionary of batches.
Examples: TypeAlias = Any
LossOfParameters = Callable[[Parameters, Examples], Tensor]


@dataclass(frozen=True)
class Layout:
    """Names, order and shapes of the tensors in a nested dictionary, to convert it to a vector and back.

    Attributes
    ----------
    paths
        Keys from the outside in, one tuple per tensor, in the dictionary's order.
    shapes
        Shape of each tensor.
    """

    paths: tuple[tuple[str, ...], ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, parameters: Parameters | nn.Module) -> Layout:
        """Return the layout of a dictionary of tensors, or of a module's parameters.

        Raises
        ------
        ValueError
            If there is no tensor.
        TypeError
            If a value in the dictionary is not a floating point tensor.
        """
        if isinstance(parameters, nn.Module):
            parameters = dict(parameters.named_parameters())
        tensors = list(_floating(parameters))
        if not tensors:
            raise ValueError("there are no parameters to lay out")
        return cls(tuple(path for path, _ in tensors), tuple(tuple(value.shape) for _, value in tensors))

    @property
    def sizes(self) -> list[int]:
        """Number of entries of each tensor."""
        return [math.prod(shape) for shape in self.shapes]

    @property
    def dimension(self) -> int:
        """d, the number of parameters."""
        return sum(self.sizes)

    def flatten(self, parameters: Parameters) -> Tensor:
        """Return the dictionary's tensors as one vector (d,), a copy.

        Raises
        ------
        ValueError
            If the dictionary has other keys or shapes than the layout.
        """
        tensors = dict(_floating(parameters))
        if set(tensors) != set(self.paths) or any(
            tuple(tensors[path].shape) != shape for path, shape in zip(self.paths, self.shapes, strict=True)
        ):
            raise ValueError("the parameters have other names or shapes than this layout")
        return flatten(tensors[path] for path in self.paths)

    def unflatten(self, vector: Tensor) -> dict[str, Any]:
        """Return the (nested) dictionary for a vector (d,). Its tensors are views, through which gradients flow.

        Raises
        ------
        ValueError
            If the vector has another size.
        """
        if vector.ndim != 1 or vector.shape[0] != self.dimension:
            raise ValueError(f"the vector must have shape ({self.dimension},), got {tuple(vector.shape)}")
        result: dict[str, Any] = {}
        parts = vector.split(self.sizes)
        for path, shape, part in zip(self.paths, self.shapes, parts, strict=True):
            inner = result
            for key in path[:-1]:
                inner = inner.setdefault(key, {})
            inner[path[-1]] = part.view(shape)
        return result


def _floating(tree: Parameters) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Yield (path, tensor) of a nested dictionary of floating point tensors."""
    for path, value in leaves(tree, sequences=False):
        if not (isinstance(value, Tensor) and value.is_floating_point()):
            raise TypeError(f"parameters must be floating tensors, {'.'.join(path)} is {type(value).__name__}")
        yield path, value


def module_loss(module: nn.Module, criterion: Criterion) -> LossOfParameters:
    """Return (parameters, (inputs, targets)) ↦ criterion(module(inputs), targets), a function of the parameters alone.

    The module's buffers are used with their current values and are not updated.

    Parameters
    ----------
    module
        Any module; its own parameters are not used and not changed.
    criterion
        (outputs, targets) ↦ mean loss, a scalar tensor.
    """

    def loss(parameters: Parameters, batch: BatchLike) -> Tensor:
        inputs, targets = batch
        return criterion(torch.func.functional_call(module, dict(parameters), (inputs,)), targets)

    return loss


def batch_coupled_layers(module: nn.Module) -> list[str]:
    """Return the names of layers that couple the examples of a batch (batch normalisation in training mode).

    With one of them the large batch's gradient is not the mean of its parts' gradients (row 63 of the audit).
    """
    kinds = nn.modules.batchnorm._BatchNorm
    return [
        name or type(layer).__name__
        for name, layer in module.named_modules()
        if isinstance(layer, kinds) and (layer.training or not layer.track_running_stats)
    ]


def split_batch(batch: Examples, c: int) -> list[Examples]:
    """Return c parts of equal size of a batch: a tensor, or a tuple, list or dictionary of tensors of one length.

    Raises
    ------
    ValueError
        If the number of examples is not a multiple of c (the paper takes 2049 instead of 2048 for c = 3).
    """
    check_integer("the number of parts", c, 1)
    if isinstance(batch, Tensor):
        if batch.ndim == 0 or batch.shape[0] % c or not batch.shape[0]:
            raise ValueError(f"a batch of shape {tuple(batch.shape)} cannot be split into {c} equal parts")
        return list(batch.split(batch.shape[0] // c))
    if isinstance(batch, Mapping):
        parts = {key: split_batch(value, c) for key, value in batch.items()}
        return [{key: value[i] for key, value in parts.items()} for i in range(c)]
    if isinstance(batch, (tuple, list)):
        columns = [split_batch(value, c) for value in batch]
        return [tuple(column[i] for column in columns) for i in range(c)]
    raise ValueError(f"a batch must be a tensor or a tuple, list or dictionary of tensors, got {type(batch).__name__}")


def loss_field(loss: Callable[[Tensor], Tensor]) -> VectorField:
    """Return V = −∇L for a scalar loss of a flat vector, so that 1 + hV is a step of SGD.

    ``jvp`` is forward over reverse mode, V'(θ)v = −∇²L(θ)v. ``linearize`` evaluates the gradient once and
    differentiates its graph for each product, which is the same since ∇²L is symmetric; the graph is kept as long as
    the product function. ``series`` and ``derivative`` are nested forward mode.

    Parameters
    ----------
    loss
        Vector (d,) ↦ scalar tensor, made of torch operations.
    """

    def value(theta: Tensor) -> Tensor:
        leaf = theta.detach().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(loss(leaf), leaf)
        return -gradient

    def linearize(theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        leaf = theta.detach().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)

        def product(v: Tensor) -> Tensor:
            if not gradient.requires_grad:  # a linear loss
                return torch.zeros_like(theta)
            (hv,) = torch.autograd.grad(gradient, leaf, v, retain_graph=True, materialize_grads=True)
            return -hv

        return -gradient.detach(), product

    functional = tensor_field(lambda theta: -torch.func.grad(loss)(theta))
    return VectorField(
        value=value,
        jvp=functional.jvp,
        derivative=functional.derivative,
        series=functional.series,
        linearize=linearize,
    )


def tensor_field(function: Callable[[Tensor], Tensor]) -> VectorField:
    """Return the field of a differentiable function of flat tensors, which need not be a gradient.

    Parameters
    ----------
    function
        Vector (d,) ↦ vector (d,), made of torch operations.
    """

    def jvp(theta: Tensor, v: Tensor) -> Tensor:
        return torch.func.jvp(function, (theta,), (v,))[1].detach()

    def derivative(theta: Tensor, vectors: Sequence[Tensor]) -> Tensor:
        directional: Callable[[Tensor], Tensor] = function
        for v in vectors:
            directional = _push(directional, v)
        return directional(theta).detach()

    def series(coefficients: Tensor) -> Tensor:
        def along(t: Tensor) -> Tensor:
            point = coefficients[-1]
            for k in range(len(coefficients) - 2, -1, -1):
                point = coefficients[k] + t * point
            return function(point)

        zero = coefficients.new_zeros(())
        rows, curve = [], along
        for k in range(len(coefficients)):
            rows.append(curve(zero).detach() / math.factorial(k))
            curve = _push(curve, torch.ones_like(zero))
        return torch.stack(rows)

    def linearize(theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        return function(theta).detach(), lambda v: jvp(theta, v)

    return VectorField(
        value=lambda theta: function(theta).detach(),
        jvp=jvp,
        derivative=derivative,
        series=series,
        linearize=linearize,
    )


def _push(function: Callable[[Tensor], Tensor], v: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.func.jvp(function, (x,), (v,))[1]


def loss_fields(loss: LossOfParameters, batches: Sequence[Examples], layout: Layout) -> list[VectorField]:
    """Return V_i = −∇L_{B_i} on flat vectors, one field per batch; field 0 is the paper's V_1.

    Parameters
    ----------
    loss
        (parameters, batch) ↦ scalar tensor: see `module_loss`.
    batches
        B_1, …, B_N.
    layout
        The layout of the parameters.
    """

    def on_vector(batch: Examples) -> Callable[[Tensor], Tensor]:
        return lambda vector: loss(layout.unflatten(vector), batch)

    return [loss_field(on_vector(batch)) for batch in batches]
