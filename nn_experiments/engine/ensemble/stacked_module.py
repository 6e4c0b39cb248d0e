"""The "wide form" of a module: the forward pass of E copies with different weights, whose channels are concatenated.

Activations are (B, E·C, …); chain e has the channels e·C … (e + 1)·C − 1. Convolutions become grouped convolutions (or
another way of `convolutions`), batch norm becomes one batch norm over E·C channels (exact, with running statistics),
and linear layers become batched products. Operations on single entries or single images need no change.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

import torch
from torch import fx, nn
from torch.fx.node import map_arg
from torch.nn import functional as F

from contraction.maps.errors import TrainingInReverseError
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape
from nn_experiments.engine.ensemble.convolutions import convolve, laid_out
from nn_experiments.training.dropout import FrozenDropout
from nn_experiments.training.hidden_state import changeable
from nn_experiments.training.kept_attributes import kept_attributes, kept_entries
from nn_experiments.training.own_loop_reasons import hook_of

__all__ = ["CannotWiden", "Wide"]

Values = Mapping[str, torch.Tensor]

_ENTRYWISE = (
    nn.Identity,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Sigmoid,
    nn.Tanh,
    nn.Hardtanh,
    nn.Hardswish,
)
_POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_TWINS = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
_PLAIN = (*_ENTRYWISE, *_POOLING, nn.Flatten, nn.Dropout, FrozenDropout)
_FUNCTIONS = {
    operator.add,
    operator.iadd,
    operator.sub,
    operator.mul,
    operator.neg,
    torch.add,
    torch.sub,
    torch.mul,
    torch.relu,
    torch.relu_,
    torch.tanh,
    torch.sigmoid,
    F.relu,
    F.tanh,
    F.gelu,
    F.silu,
    F.elu,
    F.leaky_relu,
    F.softplus,
    F.sigmoid,
}
_METHODS = {"relu", "relu_", "tanh", "tanh_", "sigmoid", "add", "add_", "sub", "mul", "neg", "contiguous"}
_POOLS = {F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d}


class CannotWiden(TrainingInReverseError, TypeError):
    """A module has no wide form; the message names the layer or operation that prevents it."""


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (*_TWINS, *_PLAIN)) or super().is_leaf_module(m, module_qualified_name)


class Wide:
    """The forward pass of a module for E chains, with parameters and buffers stacked along a leading axis.

    Parameters
    ----------
    model
        Any module whose forward pass is made of layers and operations known here: convolutions, linear layers, batch
        and group norm, activations, pooling, ``flatten(1)``, ``mean((2, 3))`` and arithmetic. Training and evaluation
        mode are as they are now.
    way
        Shape -> the way to convolve (see `convolutions.WAYS`) (default: ``grouped``).

    Raises
    ------
    CannotWiden
        If the module does anything else; the message names the layer or operation.
    """

    def __init__(self, model: nn.Module, *, way: Callable[[ConvolutionShape, int], str] | None = None) -> None:
        self.way = way or (lambda shape, chains: "grouped")
        hook = hook_of(model)
        if hook:
            raise CannotWiden(hook)
        owners, containers = changeable(model, {}, None)  # where it may keep a placeholder as if it were a table
        try:
            with kept_entries(containers), kept_attributes(owners):
                self.graph = _Tracer().trace(model)
        except Exception as error:  # whatever the module's own code raises when it meets a placeholder
            raise CannotWiden(f"its forward pass depends on the data ({error})") from error
        self.modules = dict(model.named_modules())
        self.training = {name: module.training for name, module in self.modules.items()}
        known = {*(name for name, _ in model.named_parameters()), *(name for name, _ in model.named_buffers())}
        self.nodes = list(self.graph.nodes)
        if sum(node.op == "placeholder" for node in self.nodes) != 1:
            raise CannotWiden("its forward pass takes more than one argument")
        for node in self.nodes:
            reason = self._reason(node, known)
            if reason:
                raise CannotWiden(reason)
        used = {str(node.target) for node in self.nodes if node.op == "call_module"}
        self.unused = [name for name, _ in model.named_parameters() if name.rpartition(".")[0] not in used]
        self.last: dict[fx.Node, list[fx.Node]] = {}
        seen: set[fx.Node] = set()
        for node in reversed(self.nodes):
            self.last[node] = [one for one in node.all_input_nodes if one not in seen]
            seen.update(node.all_input_nodes)

    def _reason(self, node: fx.Node, known: set[str]) -> str | None:
        if node.op in ("placeholder", "output"):
            return None
        if node.op == "call_module":
            return self._module_reason(str(node.target), known)
        if node.op == "get_attr":
            return f"its forward pass uses {node.target} by itself"
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        if name == "flatten" and node.target in ("flatten", torch.flatten):
            axes = _arguments(node, ("start_dim", 0), ("end_dim", -1))
            return None if axes == [1, -1] else f"{node} is not flatten(1)"
        if name == "mean" and node.target in ("mean", torch.mean):
            good = _image_axes(_arguments(node, ("dim", None))[0])
            return None if good else f"{node} is not a mean over the images' axes"
        allowed = node.target in _METHODS if node.op == "call_method" else node.target in _FUNCTIONS | _POOLS
        return None if allowed else f"its forward pass calls {name}, of which no wide form is known"

    def _module_reason(self, name: str, known: set[str]) -> str | None:
        module = self.modules[name]
        kind = f"{name} is a {type(module).__name__}"
        if type(module) not in (*_TWINS, *_PLAIN):
            return f"{kind}, of which no wide form is known"
        if isinstance(module, nn.Dropout | FrozenDropout) and module.training and module.p > 0:
            return f"{kind}: its masks are drawn for one chain"
        if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) != (1, -1):
            return f"{kind} that does not start at axis 1"
        if isinstance(module, nn.MaxPool2d | nn.AdaptiveMaxPool2d) and module.return_indices:
            return f"{kind} that returns indices"
        if isinstance(module, nn.Conv2d) and (module.padding_mode != "zeros" or isinstance(module.padding, str)):
            return f"{kind} with padding {module.padding_mode}, {module.padding}"
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats and not module.momentum:
            return f"{kind} whose running statistics are cumulative means"
        tensors = [*module._parameters.items(), *module._buffers.items()]
        missing = [key for key, value in tensors if value is not None and f"{name}.{key}" not in known]
        return f"{name}.{missing[0]} is shared with another layer" if missing else None

    def __call__(self, parameters: Values, buffers: Values, inputs: torch.Tensor, *, shared: bool) -> torch.Tensor:
        """Return the outputs of all chains, (E, B, …).

        Parameters
        ----------
        parameters, buffers
            Stacked, (E, …), contiguous; running statistics in training mode are changed in place.
        inputs
            (B, C, …) if ``shared``, else (E, B, C, …).
        shared
            Whether all chains have the same inputs.

        Raises
        ------
        CannotWiden
            If the module does not return one tensor.
        """
        chains = len(next(iter(parameters.values())))
        values: Values = {**buffers, **parameters}
        computed: dict[fx.Node, tuple[torch.Tensor, bool]] = {}
        for node in self.nodes:
            if node.op == "placeholder":
                # (E, B, C, …) -> (B, E·C, …)
                computed[node] = laid_out(inputs if shared else inputs.transpose(0, 1).flatten(1, 2)), shared
            elif node.op == "output":
                result, same = computed[node.all_input_nodes[0]]
                if node.args[0] is not node.all_input_nodes[0]:
                    raise CannotWiden("the module returns something else than one tensor")
                if same:
                    return result.expand(chains, *result.shape)
                return result.unflatten(1, (chains, -1)).transpose(0, 1)
            elif node.op == "call_module":
                name = str(node.target)
                computed[node] = self._layer(name, *computed[node.all_input_nodes[0]], values, chains)
            else:
                computed[node] = _operation(node, computed, chains)
            for unused in self.last[node]:
                del computed[unused]
        raise CannotWiden("the module returns nothing")

    def _layer(self, name: str, x: torch.Tensor, same: bool, values: Values, chains: int) -> tuple[torch.Tensor, bool]:
        module = self.modules[name]
        if not isinstance(module, _TWINS):
            active = self.training[name] or not isinstance(module, nn.Dropout | FrozenDropout)
            return (module(x) if active else x), same
        weight, bias = values.get(f"{name}.weight"), values.get(f"{name}.bias")
        if isinstance(module, nn.Conv2d):
            assert weight is not None
            assert not isinstance(module.padding, str)
            if x.dim() != 4:
                raise CannotWiden(f"{name} gets {x.dim()} axes in place of (B, C, H, W)")
            size = (int(x.shape[2]), int(x.shape[3]))
            rest = (size, module.kernel_size, module.stride, module.padding, module.dilation, module.groups, same)
            shape = ConvolutionShape(len(x), module.in_channels, module.out_channels, *rest)  # type: ignore[arg-type]
            return convolve(self.way(shape, chains), x, weight, bias, shape), False
        if isinstance(module, nn.Linear):
            assert weight is not None
            if x.dim() != 2:
                raise CannotWiden(f"{name} gets {x.dim()} axes in place of (B, features)")
            if same:  # one product for all chains
                return F.linear(x, weight.flatten(0, 1), None if bias is None else bias.flatten()), False
            x = x.unflatten(1, (chains, -1)).transpose(0, 1)
            if bias is None:
                return torch.bmm(x, weight.transpose(1, 2)).transpose(0, 1).flatten(1), False
            return torch.baddbmm(bias[:, None], x, weight.transpose(1, 2)).transpose(0, 1).flatten(1), False
        x = _widened(x, same, chains)
        scale, shift = (None if value is None else value.flatten() for value in (weight, bias))
        if isinstance(module, nn.GroupNorm):
            return F.group_norm(x, chains * module.num_groups, scale, shift, module.eps), False
        assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
        training = self.training[name]
        mean, var = (values.get(f"{name}.{key}") for key in ("running_mean", "running_var"))
        mean, var = (None if value is None else value.view(-1) for value in (mean, var))  # views: changed in place
        count = values.get(f"{name}.num_batches_tracked")
        if training and count is not None:
            count.add_(1)
        fresh = training or mean is None
        return F.batch_norm(x, mean, var, scale, shift, fresh, module.momentum or 0.0, module.eps), False


def _widened(x: torch.Tensor, same: bool, chains: int) -> torch.Tensor:
    return x.repeat(1, chains, *[1] * (x.dim() - 2)) if same else x


def _operation(
    node: fx.Node, computed: Mapping[fx.Node, tuple[torch.Tensor, bool]], chains: int
) -> tuple[torch.Tensor, bool]:
    """Apply an operation that works on wide tensors unchanged; either all of its tensors are wide, or none is."""
    same = all(computed[source][1] for source in node.all_input_nodes)
    wide: dict[fx.Node, torch.Tensor] = {}
    for source in node.all_input_nodes:
        value, same_value = computed[source]
        wide[source] = value if same else _widened(value, same_value, chains)
    tensors = list(wide.values())
    if any(x.dim() < 2 or x.dim() != tensors[0].dim() or x.shape[:2] != tensors[0].shape[:2] for x in tensors):
        raise CannotWiden(f"{node} joins tensors of shapes {', '.join(str(tuple(x.shape)) for x in tensors)}")
    if node.target in ("mean", torch.mean) and tensors[0].dim() != 4:
        raise CannotWiden(f"{node} is a mean of {tensors[0].dim()} axes, not of images")
    arguments = map_arg(node.args, wide.__getitem__)
    options = map_arg(node.kwargs, wide.__getitem__)
    if node.op == "call_method":
        return getattr(arguments[0], str(node.target))(*arguments[1:], **options), same
    assert callable(node.target)
    return node.target(*arguments, **options), same


def _arguments(node: fx.Node, *names: tuple[str, object]) -> list[object]:
    """Return the arguments of an operation after its tensor, by position or name, with their defaults."""
    return [
        node.args[k] if k < len(node.args) else node.kwargs.get(name, usual) for k, (name, usual) in enumerate(names, 1)
    ]


def _image_axes(axes: object) -> bool:
    axes = [axes] if isinstance(axes, int) else axes
    return isinstance(axes, list | tuple) and len(axes) > 0 and all(axis in (2, 3, -1, -2) for axis in axes)
