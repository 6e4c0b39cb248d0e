"""Restoring the Python attributes of modules and optimizers after the user's code has run."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator

__all__ = ["kept_attributes", "kept_entries"]

#: Attributes that hold tensors; they are restored separately.
_TENSORS = ("_parameters", "_buffers", "_modules", "state", "param_groups")


@contextlib.contextmanager
def kept_attributes(objects: Iterable[object]) -> Iterator[None]:
    """Restore the attributes of objects, and the entries of lists, dictionaries and sets among them, after the body.

    Parameters
    ----------
    objects
        Modules and optimizers; their parameters, buffers, submodules and the optimizer's state are not restored.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(2, 1)
    >>> with kept_attributes([model]):
    ...     model.calls = 1
    >>> hasattr(model, "calls")
    False
    """
    before = [(owner.__dict__, _shallow(owner)) for owner in objects]
    try:
        yield
    finally:
        for attributes, saved in before:
            _restore(attributes, saved)


def _shallow(owner: object) -> dict[str, tuple[object, object]]:
    """Return attribute -> (value, a copy of its entries if it is a list, dictionary or set)."""
    return {
        key: (value, copy.copy(value) if type(value) in (list, dict, set) else None)
        for key, value in owner.__dict__.items()
        if key not in _TENSORS
    }


def _restore(attributes: dict[str, object], saved: dict[str, tuple[object, object]]) -> None:
    for key in attributes.keys() - saved.keys() - set(_TENSORS):
        del attributes[key]
    for key, (value, entries) in saved.items():
        if attributes.get(key, saved) is not value:
            attributes[key] = value
        if isinstance(value, list) and isinstance(entries, list):
            value[:] = entries
        elif isinstance(value, dict | set) and isinstance(entries, dict | set):
            value.clear()
            value.update(entries)  # type: ignore[arg-type]  # a copy of the same class


@contextlib.contextmanager
def kept_entries(containers: Iterable[list[object] | dict[object, object] | set[object]]) -> Iterator[None]:
    """Restore the entries of lists, dictionaries and sets after the body, where they are other objects than before.

    Examples
    --------
    >>> cache = {}
    >>> with kept_entries([cache]):
    ...     cache["key"] = 1
    >>> cache
    {}
    """
    before = [(container, copy.copy(container)) for container in containers]
    try:
        yield
    finally:
        for container, entries in before:
            if _ids(container) == _ids(entries):
                continue
            container.clear()
            if isinstance(container, list):
                container.extend(entries)
            else:
                container.update(entries)  # type: ignore[arg-type]  # a copy of the same class


def _ids(container: Iterable[object]) -> list[tuple[int, int]]:
    """Return the identities of the entries of a container, and of the keys of a dictionary."""
    if isinstance(container, dict):
        return [(id(key), id(value)) for key, value in container.items()]
    return [(id(value), 0) for value in container]
