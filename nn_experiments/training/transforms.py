"""Functions of the gradients between the backward pass and the optimizer's step, such as clipping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from contraction.arguments import check_positive
from nn_experiments.training.calls import transform_failed

__all__ = ["GradientTransform", "apply_transform", "check_transform", "clip_norm"]

#: Gradients by the names of parameters -> the gradients that the optimizer gets, by the same names.
GradientTransform = Callable[[dict[str, torch.Tensor]], Mapping[str, torch.Tensor]]


@dataclass(frozen=True)
class _ClipNorm:
    """The transform that `clip_norm` returns."""

    max_norm: float
    norm_type: float

    def __call__(self, gradients: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the scaled gradients."""
        total = torch.nn.utils.get_total_norm(list(gradients.values()), self.norm_type)
        factor = torch.clamp(self.max_norm / (total + 1e-6), max=1.0)
        return {name: slope * factor.to(slope.device) for name, slope in gradients.items()}


def clip_norm(max_norm: float, norm_type: float = 2.0) -> GradientTransform:
    """Return a transform that scales all gradients together, so that their norm is at most ``max_norm``.

    The numbers are those of ``torch.nn.utils.clip_grad_norm_``, which a training loop calls between ``backward()`` and
    ``step()``.

    Parameters
    ----------
    max_norm
        The largest norm of all gradients, taken as one vector; positive.
    norm_type
        The p of the p-norm, positive or infinite (default: 2).

    Returns
    -------
    callable
        Gradients by the names of parameters -> the scaled gradients, for ``from_torch(…, transform=…)``.

    Raises
    ------
    ValueError
        If ``max_norm`` or ``norm_type`` is not positive, or ``max_norm`` is not finite.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import clip_norm
    >>> clip_norm(1.0)({"weight": torch.tensor([3.0, 4.0])})["weight"].norm() <= 1
    tensor(True)
    >>> clip_norm(10.0)({"weight": torch.tensor([3.0, 4.0])})
    {'weight': tensor([3., 4.])}
    """
    return _ClipNorm(check_positive("max_norm", max_norm), check_positive("norm_type", norm_type, infinite=True))


def check_transform(transform: object) -> None:
    """Check that a transform is a function.

    Raises
    ------
    TypeError
        If it cannot be called.
    """
    if transform is not None and not callable(transform):
        raise TypeError(
            "the transform must be a function of the gradients, a dictionary {name: gradient}, that returns such a "
            f"dictionary, for example clip_norm(1.0); got {type(transform).__name__}"
        )


def apply_transform(transform: GradientTransform, parameters: Mapping[str, torch.Tensor]) -> None:
    """Replace the gradients of parameters by what a transform makes of them; parameters without one are left out.

    Parameters
    ----------
    transform
        The user's function.
    parameters
        Name -> parameter, whose ``grad`` is replaced.

    Raises
    ------
    CallFailed
        If the transform raises an error.
    TypeError
        If it returns something else than a dictionary of tensors.
    ValueError
        If the dictionary has other names, or a gradient has another shape, dtype or device.
    """
    gradients = {name: p.grad for name, p in parameters.items() if p.grad is not None}
    try:
        with torch.no_grad():
            changed = transform(dict(gradients))
    except Exception as error:  # whatever the user's code raises
        failure = transform_failed(error)
        raise failure from error
    rule = "the transform must return a dictionary with a gradient for each name that it is given"
    if not isinstance(changed, Mapping):
        raise TypeError(f"{rule}, got {type(changed).__name__}")
    if changed.keys() != gradients.keys():
        raise ValueError(f"{rule}; these names differ: {', '.join(sorted(changed.keys() ^ gradients.keys()))}")
    for name, before in gradients.items():
        after = changed[name]
        if not isinstance(after, torch.Tensor):
            raise TypeError(f"{rule}: a tensor; that of {name} is a {type(after).__name__}")
        if (after.shape, after.dtype, after.device) != (before.shape, before.dtype, before.device):
            raise ValueError(
                f"{rule}, of the same shape, dtype and device; that of {name} was {_kind(before)}, and is "
                f"{_kind(after)}"
            )
        parameters[name].grad = after


def _kind(value: torch.Tensor) -> str:
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')} on {value.device}"
