"""Restoring the Python attributes of modules and optimizers after the user's code has run."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["kept_attributes"]

#: Attributes that hold tensors; they are restored separately.
_TENSORS = ("_parameters", "_buffers", "_modules", "state", "param_groups")


@contextlib.contextmanager
def kept_attributes(objects: Iterable[Any]) -> Iterator[None]:
    """Restore attributes of objects, and entries of lists, dictionaries and sets among them, after the body.

    Parameters
    ----------
    objects
        Modules and optimizers; their parameters, buffers, submodules and the optimizer's state are left alone.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(2, 1)
    >>> with kept_attributes([model]):
    ...     model.calls = 1
    >>> hasattr(model, "calls")
    False
    """
    kept = [(one, _shallow(one)) for one in objects]
    try:
        yield
    finally:
        for one, attributes in kept:
            _put_back(one.__dict__, attributes)


def _shallow(one: object) -> dict[str, tuple[Any, Any]]:
    return {
        key: (value, copy.copy(value) if type(value) in (list, dict, set) else None)
        for key, value in one.__dict__.items()
        if key not in _TENSORS
    }


def _put_back(own: dict[str, Any], kept: dict[str, tuple[Any, Any]]) -> None:
    for key in own.keys() - kept.keys() - set(_TENSORS):
        del own[key]
    for key, (value, content) in kept.items():
        if own.get(key, kept) is not value:
            own[key] = value
        if content is not None:
            value.clear()
            value.extend(content) if isinstance(value, list) else value.update(content)
