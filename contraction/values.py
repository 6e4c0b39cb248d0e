"""Results as values: frozen, compared by content, hashable, picklable, and convertible to JSON.

A result is a dataclass that inherits from `Value` and is declared with ``@dataclass(frozen=True, eq=False)``, because
the default comparison of dataclasses fails for fields that are arrays.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import ClassVar, NoReturn, TypeVar

import numpy as np

__all__ = ["ReadOnlyDict", "Value", "plain"]

V = TypeVar("V")

HASHED_ENTRIES = 16  # the hash of an array uses this number of entries


class ReadOnlyDict(dict):
    """A dictionary that cannot be changed; ``dict(mapping)`` is a copy that can.

    Being a dictionary it can be pickled and copied, and ``dataclasses.asdict`` takes results that contain one.

    Examples
    --------
    >>> constants = ReadOnlyDict(k=0.5)
    >>> constants["k"] = 0.1
    Traceback (most recent call last):
        ...
    TypeError: the entries of a result cannot be changed; dict(...) makes a copy that can be
    """

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the entries of a result cannot be changed; dict(...) makes a copy that can be")

    __setitem__ = __delitem__ = __ior__ = _refuse  # pyright: ignore[reportAssignmentType]
    clear = pop = popitem = setdefault = update = _refuse  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy by the entries."""
        return type(self), (dict(self),)


class Value:
    """Base class of frozen dataclasses whose fields may be arrays and mappings.

    The constructor replaces arrays by read-only copies and mappings by read-only copies. Two objects are equal if they
    have the same class and all fields are equal; arrays are compared by shape and entries, and NaN equals NaN.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[object]]]

    def __post_init__(self) -> None:
        """Make arrays and mappings read-only; call this from the ``__post_init__`` of a subclass."""
        for name in _fields(self):
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                frozen = value.copy()
                frozen.flags.writeable = False
                object.__setattr__(self, name, frozen)
            elif isinstance(value, dict):
                object.__setattr__(self, name, ReadOnlyDict(value))

    def __eq__(self, other: object) -> bool:
        """Whether ``other`` is of the same class with equal fields."""
        if type(other) is not type(self):
            return NotImplemented
        return all(_equal(getattr(self, name), getattr(other, name)) for name in _fields(self, compared=True))

    def __hash__(self) -> int:
        """Hash of the class and the fields; for an array, of its shape and first entries."""
        return hash((type(self), *(_hashable(getattr(self, name)) for name in _fields(self, compared=True))))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle and copy by the arguments of the constructor, so that a copy is as read-only as the original."""
        arguments = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        return _rebuild, (type(self), {name: _thawed(value) for name, value in arguments.items()})

    def to_dict(self) -> dict[str, object]:
        """Return the fields as data that ``json.dumps(…, allow_nan=False)`` accepts.

        Returns
        -------
        dict
            ``"type"``, the name of the class, and one item per field. Arrays become nested lists, Fractions become
            strings such as "1/3", non-finite numbers become the strings "inf", "-inf" and "nan" (which ``float``
            reads), and objects without fields become their repr.
        """
        shown = {f.name for f in dataclasses.fields(self) if f.repr}
        return {"type": type(self).__name__} | {
            name: plain(getattr(self, name)) for name in _fields(self) if name in shown
        }


def plain(value: object) -> object:
    """Convert a value to JSON-ready data; see `Value.to_dict`."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Value):
        return value.to_dict()
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return repr(value)


def _fields(value: Value, compared: bool = False) -> list[str]:
    return [f.name for f in dataclasses.fields(value) if f.compare or not compared]


def _rebuild(cls: type[V], arguments: dict[str, object]) -> V:
    return cls(**arguments)


def _thawed(value: object) -> object:
    return dict(value) if isinstance(value, ReadOnlyDict) else value


def _equal(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.shape != b.shape:
            return False
        if a.dtype.kind in "fiub" and b.dtype.kind in "fiub":
            return np.array_equal(a, b, equal_nan=True)
        return all(map(_equal, a.ravel().tolist(), b.ravel().tolist()))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return bool(a == b)


def _hashable(value: object) -> Hashable:
    if isinstance(value, np.ndarray):
        return value.shape, _hashable(value.ravel()[:HASHED_ENTRIES].tolist())
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(item)) for key, item in value.items())
    if isinstance(value, tuple | list):
        return tuple(map(_hashable, value))
    return "nan" if isinstance(value, float) and math.isnan(value) else value
