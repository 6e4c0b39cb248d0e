"""A hash of what decides the numbers of a user's run, and a list of what cannot be told apart from something else."""

from __future__ import annotations

import functools
import hashlib
import sys
import sysconfig
import types
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nn_experiments.training.structure import own_attributes, structure

__all__ = ["Fingerprint", "fingerprint"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, torch.dtype, torch.device, torch.Size)
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS = ("nn_experiments", "contraction")


class Fingerprint:
    """A hash of a thing and of all that can be reached from it.

    Functions count by their compiled code, with their default values, closures and the globals that they read; modules
    of torch by their class, parameters, buffers and attributes; what comes from a library by its name. An object with a
    method ``describe()`` counts as its class and what that returns.

    Parameters
    ----------
    outlined
        Modules that count by their structure alone, since the values of their tensors come from a state.

    Attributes
    ----------
    unknown
        What could not be told apart from something else, such as an open file, in words.
    """

    def __init__(self, outlined: Iterable[nn.Module] = ()) -> None:
        self.unknown: list[str] = []
        self._outlined = {id(module): module for module in outlined}
        self._hash = hashlib.sha256()
        self._seen: dict[int, tuple[int, Any]] = {}

    @property
    def digest(self) -> str:
        """The hash so far, 16 hexadecimal digits."""
        return self._hash.hexdigest()[:16]

    def add(self, thing: object, path: str) -> Fingerprint:
        """Add a thing, which messages call ``path``; return self."""
        if isinstance(thing, Enum):
            self._put("enum", type(thing).__qualname__, thing.name)
        elif isinstance(thing, _PLAIN):
            self._put("value", type(thing).__name__, repr(thing))
        elif isinstance(thing, np.generic):
            self._put("scalar", str(thing.dtype), repr(thing.item()))
        elif id(thing) in self._seen:
            self._put("again", str(self._seen[id(thing)][0]))
        else:
            self._seen[id(thing)] = len(self._seen), thing  # kept, so that no other thing gets its id
            self._add_new(thing, path)
        return self

    def _put(self, *words: str | bytes) -> None:
        for word in words:
            data = word.encode() if isinstance(word, str) else word
            self._hash.update(len(data).to_bytes(8, "little") + data)

    def _add_new(self, thing: object, path: str) -> None:
        if isinstance(thing, nn.Module) and id(thing) in self._outlined:
            self._put("outline")
            self.add(structure(thing), path)
            return
        describe = getattr(thing, "describe", None) if not isinstance(thing, type) else None
        if callable(describe):
            self._put("described", _name(type(thing)))
            self.add(describe(), path)
            return
        for kinds, add in _KINDS:
            if isinstance(thing, kinds):
                add(self, thing, path)
                return
        if hasattr(thing, "__dict__") and not isinstance(thing, _ONE_WAY):
            self._object(thing, path)
        else:
            self.unknown.append(f"{path} (a {_name(type(thing))})")

    def _array(self, thing: np.ndarray, path: str) -> None:
        self._put("array", str(thing.dtype), str(thing.shape))
        if thing.dtype == object:
            self.add(thing.tolist(), path)
        else:
            self._put(np.ascontiguousarray(thing).tobytes())

    def _mapping(self, thing: Mapping, path: str) -> None:
        self._put("mapping", str(len(thing)))
        for key, value in sorted(thing.items(), key=lambda item: str(item[0])):
            self.add(key, path).add(value, f"{path}[{key!r}]")

    def _sequence(self, thing: Sequence, path: str) -> None:
        self._put("sequence", str(len(thing)))
        for k, value in enumerate(thing):
            self.add(value, f"{path}[{k}]")

    def _set(self, thing: set | frozenset, path: str) -> None:
        self._put("set", *sorted(Fingerprint().add(value, path).digest for value in thing))

    def _path(self, thing: Path, path: str) -> None:
        self._put("path", str(thing))

    def _module(self, thing: types.ModuleType, path: str) -> None:
        self._put("module", thing.__name__)

    def _partial(self, thing: functools.partial, path: str) -> None:
        self._put("partial")
        self.add(thing.func, path).add(thing.args, path).add(thing.keywords, path)

    def _method(self, thing: types.MethodType, path: str) -> None:
        self._put("method")
        self.add(thing.__self__, path).add(thing.__func__, path)

    def _builtin(self, thing: types.BuiltinFunctionType, path: str) -> None:
        self._put("builtin", str(getattr(thing, "__module__", "")), thing.__qualname__)

    def _optimizer(self, thing: torch.optim.Optimizer, path: str) -> None:
        self._put("optimizer")
        groups = [{k: v for k, v in group.items() if k != "params"} for group in thing.param_groups]
        sizes = [len(group["params"]) for group in thing.param_groups]
        self.add(type(thing), path).add(groups, f"{path}.param_groups").add(sizes, path)
        self.add(own_attributes(thing), path)

    def _tensor(self, thing: torch.Tensor, path: str) -> None:
        if thing.layout is not torch.strided or thing.is_meta or thing.is_quantized:
            self.unknown.append(f"{path} (a tensor of layout {thing.layout})")
            return
        value = thing.detach().cpu().contiguous()
        self._put("tensor", str(value.dtype), str(tuple(value.shape)))
        self._put(value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")

    def _function(self, function: types.FunctionType, path: str) -> None:
        if _of_library(function.__module__):
            self._put("function", function.__module__, function.__qualname__)
            return
        self._put("function")
        self.add(function.__code__, path).add(function.__defaults__, path).add(function.__kwdefaults__, path)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            where = f"{path} (closure variable {name})"
            try:
                self.add(cell.cell_contents, where)
            except ValueError:  # not assigned yet
                self.unknown.append(where)
        for name in sorted(_names(function.__code__)):
            if name in function.__globals__:
                self._put(name)
                self.add(function.__globals__[name], f"{path} (global variable {name})")

    def _code(self, code: types.CodeType, path: str) -> None:
        self._put("code", code.co_code, *code.co_names, *code.co_varnames, *code.co_freevars)
        for constant in code.co_consts:
            self.add(constant, path)

    def _class(self, kind: type, path: str) -> None:
        self._put("class", _name(kind))
        if not _of_library(kind.__module__):
            for base in kind.__bases__:
                self.add(base, path)
            for name, value in sorted(vars(kind).items()):
                inner = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
                parts = (inner.fget, inner.fset, inner.fdel) if isinstance(inner, property) else (inner,)
                if name not in _OF_CLASSES:
                    self._put(name)
                    for part in parts:
                        self.add(part, f"{path} ({kind.__name__}.{name})")

    def _object(self, thing: object, path: str) -> None:
        self._put("object")
        self.add(type(thing), path)
        if isinstance(thing, nn.Module):
            self._put("training" if thing.training else "evaluation")
            for parts in (thing._parameters, thing._buffers, thing._modules):
                for name, part in parts.items():
                    self._put(name)
                    self.add(part, f"{path}.{name}")
        for name, value in own_attributes(thing).items():
            self._put(name)
            self.add(value, f"{path}.{name}")


#: What has attributes but is not what they are: it goes on from where it was.
_ONE_WAY = (torch.utils.data.DataLoader, types.GeneratorType, np.random.Generator, np.random.RandomState)
_OF_CLASSES = ("__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__")


#: How things of a kind are added; the first kind that matches counts.
_KINDS: tuple[tuple[Any, Callable[[Fingerprint, Any, str], None]], ...] = (
    (torch.Tensor, Fingerprint._tensor),
    (np.ndarray, Fingerprint._array),
    (Mapping, Fingerprint._mapping),
    ((list, tuple, deque), Fingerprint._sequence),
    ((set, frozenset), Fingerprint._set),
    (Path, Fingerprint._path),
    (types.ModuleType, Fingerprint._module),
    (functools.partial, Fingerprint._partial),
    (types.MethodType, Fingerprint._method),
    (
        (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType),
        Fingerprint._builtin,
    ),
    (types.FunctionType, Fingerprint._function),
    (types.CodeType, Fingerprint._code),
    (type, Fingerprint._class),
    (torch.optim.Optimizer, Fingerprint._optimizer),
)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _names(code: types.CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


@functools.cache
def _of_library(module: str | None) -> bool:
    """Whether a module belongs to Python, to an installed package or to this one, and so counts by its names."""
    top = (module or "").partition(".")[0]
    if top in _OURS or top in sys.stdlib_module_names:
        return top != "__main__"
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return file is not None and any(Path(file).is_relative_to(folder) for folder in _LIBRARIES)


def fingerprint(
    thing: object,
    path: str,
    *,
    unknown: Callable[[str], object] = lambda text: None,
    outlined: Iterable[nn.Module] = (),
) -> str:
    """Return the hash of a thing; report what cannot be told apart to ``unknown``.

    Modules in ``outlined`` count by their structure, without the values of their tensors.

    Examples
    --------
    >>> fingerprint([1, 2.0], "it") == fingerprint([1, 2.0], "it") != fingerprint([1, 2], "it")
    True
    """
    found = Fingerprint(outlined).add(thing, path)
    for text in found.unknown:
        unknown(text)
    return found.digest
