"""Recognises the steps that the hand-written kernels can run: linear layers with ReLU or tanh between them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from nn_experiments.training.batches import Batches, BatchLike, SampledBatches
from nn_experiments.training.models.mlp import MLP
from nn_experiments.training.own_loop_reasons import hook_of
from nn_experiments.training.step import LOSSES, Step, TrainingStep

__all__ = ["Layers", "autocast", "layers", "layers_of", "why_not_mlp_kernel"]


DTYPES = {torch.float32, torch.float64}


@dataclass(frozen=True)
class Layers:
    """What a hand-written kernel needs to know about a step.

    Attributes
    ----------
    names
        (weight, bias) of each layer, from the inputs to the outputs.
    relu
        Whether ReLU is between the layers, and not tanh.
    squares
        Whether the loss is the mean squared error, and not the cross entropy of labels.
    flattens
        Whether inputs may have more than two axes, which are then flattened.
    """

    names: tuple[tuple[str, str], ...]
    relu: bool
    squares: bool
    flattens: bool

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.names)


def why_not_mlp_kernel(step: Step, batches: Batches, *, plain: bool = True) -> str | None:
    """Return None if the hand-written kernels can run this step, else the reason why not.

    Parameters
    ----------
    step, batches
        As in `nn_experiments.iterates`.
    plain
        Whether the kernel can only run plain SGD.
    """
    known = layers_of(step, batches)
    if isinstance(known, str):
        return known
    assert isinstance(step, TrainingStep)  # otherwise layers_of returns a reason
    if plain and not step.optimizer.is_plain_sgd:
        return f"its optimizer is {step.optimizer.method}, not plain SGD"
    return None


def layers_of(step: Step, batches: Batches) -> Layers | str:
    """Return the layers that a step trains, or the reason why the hand-written kernels cannot.

    They know `MLP`, ``nn.Linear``, and ``nn.Sequential`` of ``nn.Linear`` with ``nn.ReLU`` or ``nn.Tanh`` between
    these, possibly after ``nn.Flatten``.
    """
    if not isinstance(step, TrainingStep) or type(step) is not TrainingStep:
        return "it is not a TrainingStep"
    if not isinstance(batches, SampledBatches):
        return "its batches are neither ArrayBatches nor DatasetBatches"
    assert isinstance(step, TrainingStep)  # for type checkers, which do not follow type(step)
    model = step.model
    known = layers(step)
    if known is None:
        return "it is not a module of linear layers with ReLU or tanh between them, with mse or cross_entropy as loss"
    if hook_of(model):
        return "its module has hooks"
    parameters = dict(model.named_parameters(remove_duplicate=False))
    expected = {name for pair in known.names for name in pair}
    if set(parameters) != expected or len({id(p) for p in parameters.values()}) < len(parameters):
        return "its module has layers without bias or with shared parameters"
    if not all(p.requires_grad for p in parameters.values()):
        return "its module has parameters that do not require gradients"
    if autocast(step):
        return "autocast is on, and it computes in the parameters' own type"
    dtypes = {p.dtype for p in parameters.values()}
    if len(dtypes) > 1 or not dtypes <= DTYPES:
        return f"its parameters are of the type {', '.join(sorted(map(str, dtypes)))}"
    return _why_not_batches(batches(1), len(parameters[known.names[-1][1]]), known) or known


def autocast(step: TrainingStep) -> bool:
    """Return whether `torch.autocast` is on where a step is computed: a kernel by hand would compute otherwise."""
    kind = next((p.device.type for p in step.model.parameters()), "cpu")
    return kind != "meta" and torch.is_autocast_enabled(kind)


def layers(step: TrainingStep) -> Layers | None:
    """Return the layers of a step's module, or None; `layers_of` also checks whether the kernels can run the step."""
    names, activations, flattens = _parts(step.model)
    squares = _squares(step.loss)
    return Layers(names, activations != {nn.Tanh}, squares, flattens) if names and squares is not None else None


def _parts(model: nn.Module) -> tuple[tuple[tuple[str, str], ...], set[type], bool]:
    """Return the names of (weight, bias), the kinds of activations, and whether inputs are flattened; () if unknown."""
    if type(model) is nn.Linear:
        return (("weight", "bias"),), set(), False
    if type(model) is MLP:
        if any(type(layer) is not nn.Linear for layer in model.layers) or model.activation not in ("relu", "tanh"):
            return (), set(), False
        names = tuple((f"layers.{k}.weight", f"layers.{k}.bias") for k in range(len(model.layers)))
        return names, {nn.ReLU if model.activation == "relu" else nn.Tanh}, True
    if type(model) is not nn.Sequential:
        return (), set(), False
    modules = list(model._modules.items())
    flattens = bool(modules) and type(modules[0][1]) is nn.Flatten
    if flattens:
        first = modules.pop(0)[1]
        if (first.start_dim, first.end_dim) != (1, -1):  # type: ignore[union-attr]
            return (), set(), False
    linear, between = modules[::2], modules[1::2]
    activations = {type(module) for _, module in between}
    fits = len(modules) % 2 == 1 and all(type(module) is nn.Linear for _, module in linear)
    if not fits or len(activations) > 1 or not activations <= {nn.ReLU, nn.Tanh}:
        return (), set(), False
    return tuple((f"{name}.weight", f"{name}.bias") for name, _ in linear), activations, flattens


def _squares(loss: object) -> bool | None:
    """Return whether a loss is the mean squared error (True) or the cross entropy of labels (False), or None."""
    if loss is LOSSES["mse"] or loss is nn.functional.mse_loss:
        return True
    if loss is LOSSES["cross_entropy"]:
        return False
    if not isinstance(loss, nn.Module) or hook_of(loss) or getattr(loss, "reduction", None) != "mean":
        return None
    if type(loss) is nn.MSELoss:
        return True
    if type(loss) is nn.CrossEntropyLoss:
        usual = loss.weight is None and loss.label_smoothing == 0 and loss.ignore_index == -100
        return False if usual else None
    return None


def _why_not_batches(batch: BatchLike, outputs: int, known: Layers) -> str | None:
    inputs, targets, squares = batch[0], batch[1], known.squares
    if not isinstance(inputs, torch.Tensor) or not isinstance(targets, torch.Tensor):
        return "its batches are not tensors"
    if inputs.dtype not in DTYPES or (inputs.ndim != 2 and not known.flattens):
        return f"its inputs are {inputs.dtype} of {inputs.ndim} axes"
    if squares and (targets.dtype != inputs.dtype or targets.shape != (len(inputs), outputs)):
        return f"its targets have the shape {tuple(targets.shape)}, and its outputs {(len(inputs), outputs)}"
    if not squares and (targets.dtype != torch.int64 or targets.ndim != 1):
        return f"its targets are {targets.dtype} of {targets.ndim} axes, and not one label per input"
    return None
