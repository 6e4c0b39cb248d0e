"""A hash of everything that the numbers of a user's run depend on, and a list of what a hash cannot identify."""

from __future__ import annotations

import functools
import hashlib
import io
import logging
import random
import sys
import sysconfig
import types
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any  # Any: each function takes things of its kind

import numpy as np
import torch
from torch import nn

from nn_experiments.training.reachable import attribute_names, global_names, imported_modules
from nn_experiments.training.structure import kept_on, own_attributes, structure
from nn_experiments.training.trees import bytes_of

__all__ = ["Fingerprint", "fingerprint"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, torch.dtype, torch.device, torch.Size)
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS = ("nn_experiments", "contraction")


class Fingerprint:
    """A hash of an object and of everything that can be reached from it.

    Functions are hashed by their compiled code, with their default values, closures and the globals that they read; of
    a module of the user they read what their code names. Modules of torch are hashed by their class, parameters,
    buffers, hooks and attributes; objects of libraries by their names. An object with a method ``describe()`` is hashed
    by its class and what the method returns.

    Parameters
    ----------
    outlined
        Modules that count by their structure alone, since the values of their tensors come from a state.

    Attributes
    ----------
    unknown
        Descriptions of objects that a hash cannot identify, such as open files.
    """

    def __init__(self, outlined: Iterable[nn.Module] = ()) -> None:
        self.unknown: list[str] = []
        self._outlined = {id(module): module for module in outlined}
        self._hash = hashlib.sha256()
        self._seen: dict[int, tuple[int, object]] = {}

    @property
    def digest(self) -> str:
        """The hash so far, 16 hexadecimal digits."""
        return self._hash.hexdigest()[:16]

    def add(self, obj: object, path: str) -> Fingerprint:
        """Add an object, which is called ``path`` in messages; return self."""
        if isinstance(obj, Enum):
            self._put("enum", type(obj).__qualname__, obj.name)
            self.add(obj.value, f"{path}.value")
        elif isinstance(obj, _PLAIN):
            self._put("value", type(obj).__name__, repr(obj))
            self._of_user(obj, path)
        elif isinstance(obj, np.generic):
            self._put("scalar", str(obj.dtype), repr(obj.item()))
        elif id(obj) in self._seen:
            self._put("again", str(self._seen[id(obj)][0]))
        else:
            self._seen[id(obj)] = len(self._seen), obj  # kept alive, so that no other object gets its id
            self._add_new(obj, path)
        return self

    def _put(self, *words: str | bytes) -> None:
        for word in words:
            data = word.encode() if isinstance(word, str) else word
            self._hash.update(len(data).to_bytes(8, "little") + data)

    def _add_new(self, obj: object, path: str) -> None:
        if isinstance(obj, nn.Module) and id(obj) in self._outlined:
            self._put("outline")
            self.add(structure(obj), path)
            return
        describe = getattr(obj, "describe", None) if not isinstance(obj, type) else None
        if callable(describe):
            self._put("described", _name(type(obj)))
            self.add(describe(), path)
            return
        for kinds, add in _KINDS:
            if isinstance(obj, kinds):
                add(self, obj, path)
                if kinds in _CONTAINERS:
                    self._of_user(obj, path)
                return
        if hasattr(obj, "__dict__") and not isinstance(obj, _ONE_WAY):
            self._object(obj, path)
        else:
            self.unknown.append(f"{path} (a {_name(type(obj))})")

    def _of_user(self, obj: object, path: str) -> None:
        """Add what an object of a user's own kind of number, text or container has besides its value."""
        kind = type(obj)
        if _of_library(kind.__module__):
            return
        self._put("own kind")
        self.add(kind, path)
        for name, value in own_attributes(obj).items():
            self._put(name)
            self.add(value, f"{path}.{name}")

    def _array(self, obj: np.ndarray, path: str) -> None:
        self._put("array", str(obj.dtype), str(obj.shape))
        if obj.dtype == object:
            self.add(obj.tolist(), path)
        else:
            self._put(np.ascontiguousarray(obj).tobytes())

    def _mapping(self, obj: Mapping, path: str) -> None:
        self._put("mapping", str(len(obj)))
        if isinstance(obj, defaultdict) and obj.default_factory is not None:
            self._put("default")
            self.add(obj.default_factory, f"{path}.default_factory")
        for key, value in sorted(obj.items(), key=lambda item: str(item[0])):
            self.add(key, path).add(value, f"{path}[{key!r}]")

    def _sequence(self, obj: Sequence, path: str) -> None:
        self._put("sequence", str(len(obj)))
        if isinstance(obj, deque) and obj.maxlen is not None:
            self._put("at most", str(obj.maxlen))
        for k, value in enumerate(obj):
            self.add(value, f"{path}[{k}]")

    def _set(self, obj: set | frozenset, path: str) -> None:
        self._put("set", *sorted(Fingerprint().add(value, path).digest for value in obj))

    def _path(self, obj: Path, path: str) -> None:
        self._put("path", str(obj))

    def _logger(self, obj: logging.Logger, path: str) -> None:
        self._put("logger", obj.name)

    def _module(self, obj: types.ModuleType, path: str) -> None:
        self._put("module", obj.__name__)
        if not _of_library(obj.__name__):  # kept in an attribute, say: no code says what is read of it
            names = [name for name in sorted(vars(obj)) if not name.startswith("__")]
            self._put(*names)
            for name in names:
                if not isinstance(value := vars(obj)[name], types.ModuleType):
                    self.add(value, f"{path}.{name}")

    def _variable(self, value: object, code: types.CodeType, path: str) -> None:
        """Add a variable that a function's code reads: of a module of the user, what the code names in it."""
        if not isinstance(value, types.ModuleType) or _of_library(value.__name__):
            self.add(value, path)
            return
        self._put("module", value.__name__)
        for name in sorted(attribute_names(code) & vars(value).keys()):
            if not name.startswith("__"):
                self._put(name)
                self._variable(vars(value)[name], code, f"{path}.{name}")

    def _partial(self, obj: functools.partial, path: str) -> None:
        self._put("partial")
        self.add(obj.func, path).add(obj.args, path).add(obj.keywords, path)

    def _method(self, obj: types.MethodType, path: str) -> None:
        self._put("method")
        self.add(obj.__self__, path).add(obj.__func__, path)

    def _builtin(self, obj: types.BuiltinFunctionType, path: str) -> None:
        self._put("builtin", str(getattr(obj, "__module__", "")), obj.__qualname__)
        owner = getattr(obj, "__self__", None)
        if not isinstance(owner, types.ModuleType | type | None):  # a method of an object, such as array.dot
            self.add(owner, path)

    def _optimizer(self, obj: torch.optim.Optimizer, path: str) -> None:
        self._put("optimizer")
        groups = [{k: v for k, v in group.items() if k != "params"} for group in obj.param_groups]
        sizes = [len(group["params"]) for group in obj.param_groups]
        self.add(type(obj), path).add(groups, f"{path}.param_groups").add(sizes, path)
        self.add(own_attributes(obj), path)

    def _tensor(self, obj: torch.Tensor, path: str) -> None:
        if obj.layout is not torch.strided or obj.is_meta or obj.is_quantized:
            self.unknown.append(f"{path} (a tensor of layout {obj.layout})")
            return
        self._put("tensor", str(obj.dtype), str(tuple(obj.shape)), bytes_of(obj))
        if kept := kept_on(obj):
            self.add(kept, path)

    def _function(self, function: types.FunctionType, path: str) -> None:
        if _of_library(function.__module__):
            self._put("function", function.__module__, function.__qualname__)
            return
        self._put("function")
        self.add(function.__code__, path).add(function.__defaults__, path).add(function.__kwdefaults__, path)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            where = f"{path} (closure variable {name})"
            try:
                self._variable(cell.cell_contents, function.__code__, where)
            except ValueError:  # not assigned yet
                self.unknown.append(where)
        for name in sorted(global_names(function.__code__)):
            if name in function.__globals__:
                self._put(name)
                self._variable(function.__globals__[name], function.__code__, f"{path} (global variable {name})")
        for module in imported_modules(function):
            if not _of_library(module.__name__):
                self._variable(module, function.__code__, f"{path} (imported module {module.__name__})")

    def _code(self, code: types.CodeType, path: str) -> None:
        self._put("code", code.co_code, *code.co_names, *code.co_varnames, *code.co_freevars)
        kinds = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self._put(*map(str, kinds), code.co_exceptiontable)
        for constant in code.co_consts:
            self.add(constant, path)

    def _class(self, kind: type, path: str) -> None:
        self._put("class", _name(kind))
        if not _of_library(kind.__module__):
            if not _of_library(type(kind).__module__):
                self.add(type(kind), f"{path} (the class of {kind.__name__})")
            for base in kind.__bases__:
                self.add(base, path)
            for name, value in sorted(vars(kind).items()):
                inner = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
                parts = (inner.fget, inner.fset, inner.fdel) if isinstance(inner, property) else (inner,)
                if name not in _OF_CLASSES:
                    self._put(name)
                    for part in parts:
                        self.add(part, f"{path} ({kind.__name__}.{name})")

    def _object(self, obj: object, path: str) -> None:
        if hidden := _hides(type(obj)):
            self.unknown.append(f"{path} (a {_name(type(obj))}, which is a {hidden.__name__})")
        self._put("object")
        self.add(type(obj), path)
        if isinstance(obj, nn.Module):
            self._put("training" if obj.training else "evaluation")
            for parts in (obj._parameters, obj._buffers, obj._modules):
                for name, part in parts.items():
                    self._put(name)
                    self.add(part, f"{path}.{name}")
        for name, value in own_attributes(obj).items():
            self._put(name)
            self.add(value, f"{path}.{name}")


#: Objects whose attributes do not identify them, because they have a position that changes with every use.
_ONE_WAY = (
    io.IOBase,
    random.Random,
    torch.utils.data.DataLoader,
    types.GeneratorType,
    np.random.Generator,
    np.random.RandomState,
)
#: Kinds of `_KINDS` that may have attributes besides their entries.
_CONTAINERS = (Mapping, (list, tuple, deque), (set, frozenset), np.ndarray, torch.Tensor)
#: Classes in C whose objects keep all that they have in attributes.
_OPEN = (object, types.SimpleNamespace, functools._lru_cache_wrapper, staticmethod, classmethod, property)
_OF_CLASSES = ("__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__")


#: (types, the method that adds objects of these types); the first match is used.
_KINDS: tuple[tuple[type | tuple[type, ...], Callable[[Fingerprint, Any, str], None]], ...] = (
    (torch.Tensor, Fingerprint._tensor),
    (np.ndarray, Fingerprint._array),
    (Mapping, Fingerprint._mapping),
    ((list, tuple, deque), Fingerprint._sequence),
    ((set, frozenset), Fingerprint._set),
    (Path, Fingerprint._path),
    (logging.Logger, Fingerprint._logger),
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


def _hides(kind: type) -> type | None:
    """Return the class in C, such as bytearray, whose objects have more than attributes, of which a class is made."""
    in_c = (base for base in kind.__mro__ if not base.__flags__ & 1 << 9)  # Py_TPFLAGS_HEAPTYPE
    return next((base for base in in_c if base not in _OPEN), None)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@functools.cache
def _of_library(module: str | None) -> bool:
    """Whether a module belongs to Python, to an installed package or to this one, and is hashed by its names."""
    top = (module or "").partition(".")[0]
    if top in _OURS or top in sys.stdlib_module_names:
        return top != "__main__"
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return file is not None and any(Path(file).is_relative_to(folder) for folder in _LIBRARIES)


def fingerprint(
    obj: object,
    path: str,
    *,
    unknown: Callable[[str], object] = lambda text: None,
    outlined: Iterable[nn.Module] = (),
) -> str:
    """Return the hash of an object; ``unknown`` is called with a description of each part that it cannot identify.

    Modules in ``outlined`` count by their structure, without the values of their tensors.

    Examples
    --------
    >>> fingerprint([1, 2.0], "it") == fingerprint([1, 2.0], "it") != fingerprint([1, 2], "it")
    True
    """
    result = Fingerprint(outlined).add(obj, path)
    for text in result.unknown:
        unknown(text)
    return result.digest
