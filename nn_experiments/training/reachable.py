"""Objects that can be reached from a Python object: attributes, closures, containers and globals of functions."""

from __future__ import annotations

import contextlib
import dis
import functools
import gc
import importlib.util
import itertools
import random
import sys
import types
from collections import deque
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import torch
from torch import nn

__all__ = [
    "CACHED",
    "ITERATORS",
    "LIMIT",
    "OF_PARAMETERS",
    "attribute_names",
    "attributes",
    "global_names",
    "has_own_attributes",
    "imported_modules",
    "methods",
    "reachable",
    "reaches",
]

#: The largest number of objects that are visited from one object.
LIMIT = 20_000

_OWN = (
    "_parameters",
    "_buffers",
    "_modules",
    "_non_persistent_buffers_set",
    "training",
    "_is_full_backward_hook",
    "_compiled_call_impl",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_version",
    "_forward_pre_hooks_with_kwargs",
    "call_super_init",
    "param_groups",
    "defaults",
    "_zero_grad_profile_name",
    "_warned_capturable_if_run_uncaptured",
    "_opt_called",
    "_patch_step_function",
)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size, range, slice)
#: Iterators of Python, which have a place that each call of ``next`` changes and that cannot be read.
ITERATORS = (
    types.GeneratorType,
    *(kind for kind in vars(itertools).values() if isinstance(kind, type)),
    *(type(iter(one)) for one in ((), [], {}, {}.values(), {}.items(), set(), range(0), "")),
    *(enumerate, zip, map, filter, reversed),
)
#: Where a parameter keeps its hooks.
OF_PARAMETERS = ("_backward_hooks", "_post_accumulate_grad_hooks")
#: In a path, between a function with a cache and the argument of a cached value.
CACHED = " cached["
_GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


def attributes(owner: object) -> Iterator[tuple[str, object]]:
    """Yield (name, value) for the attributes of a module, an optimizer or another object that torch did not set itself.

    Attributes of the user's classes are included, since a training step may change those as well.
    """
    for key, value in list(getattr(owner, "__dict__", {}).items()):
        if key not in _OWN and not (key == "state" and isinstance(owner, torch.optim.Optimizer)):
            yield key, value
    for kind in _own_classes(type(owner)):
        for key in _slots(kind):
            if hasattr(owner, key):
                yield key, getattr(owner, key)
        yield from ((f"{kind.__name__}.{key}", value) for key, value in _of_class(kind))


def _slots(kind: type) -> list[str]:
    """Return the names of the attributes that a class keeps in slots, as they are on an object."""
    names = vars(kind).get("__slots__", ())
    names = [names] if isinstance(names, str) else [name for name in names if isinstance(name, str)]
    private = [name.startswith("__") and not name.endswith("__") for name in names]
    mangled = [f"_{kind.__name__.lstrip('_')}{name}" if own else name for name, own in zip(names, private, strict=True)]
    return [name for name in mangled if not name.startswith("__")]


def _of_class(kind: type) -> Iterator[tuple[str, object]]:
    """Yield (name, value) for the values that a class has as its own attributes."""
    for key, value in list(vars(kind).items()):
        if not key.startswith("__") and isinstance(value, (int, float, list, dict, torch.Tensor, *ITERATORS)):
            yield key, value


def _own_classes(kind: type) -> list[type]:
    """Return a class and its bases that are defined by the user or another library, not by torch or Python."""
    others = ("torch", "numpy", "builtins", "typing", "nn_experiments", "collections", "abc", "enum", "functools")
    return [base for base in kind.__mro__ if base.__module__.split(".")[0] not in others]


@functools.lru_cache(maxsize=4096)
def _is_own(module: types.ModuleType) -> bool:
    """Return whether a module is the user's: neither of Python, nor of this package, nor installed."""
    top = module.__name__.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("torch", "numpy", "nn_experiments", "contraction"):
        return False
    file = str(getattr(module, "__file__", None) or "")
    return "site-packages" not in file and "dist-packages" not in file


def has_own_attributes(part: object) -> bool:
    """Return whether an object is neither a class nor a function, and of a class that the user or a library defines.

    Examples
    --------
    >>> has_own_attributes(nn.Linear(1, 1)), has_own_attributes(len)
    (False, False)
    """
    if isinstance(part, (torch.Tensor, type, types.FunctionType, types.ModuleType)):
        return False
    return isinstance(getattr(part, "__dict__", None), dict) and bool(_own_classes(type(part)))


def _has_slots(value: object) -> bool:
    """Return whether an object has slots of a class of the user; those of Python's own, such as paths, are caches."""
    kinds = (kind for kind in _own_classes(type(value)) if kind.__module__.split(".")[0] not in sys.stdlib_module_names)
    return any(_slots(kind) for kind in kinds)


def methods(owner: object) -> Iterator[tuple[str, types.FunctionType]]:
    """Yield (name, function) for the methods that the user's classes of a module or optimizer define."""
    for kind in _own_classes(type(owner)):
        for key, value in list(vars(kind).items()):
            function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
            if isinstance(function, types.FunctionType) and key != "__init__":
                yield key, function


def reachable(
    root: object, path: str, *, stop: Collection[int] = (), seen: dict[int, object] | None = None
) -> Iterator[tuple[str, object]]:
    """Yield (path, object) for everything that can be reached from an object, breadth first, each object once.

    Parameters
    ----------
    root
        Where to begin.
    path
        The name of the root in the paths.
    stop
        ``id`` of objects that are yielded but whose parts are not visited.
    seen
        ``id`` -> object, for objects that earlier calls have yielded and that are left out (default: none). The objects
        of this call are added. They are kept alive, so that no new object gets the ``id`` of one of them.
    """
    todo: deque[tuple[str, object]] = deque([(path, root)])
    seen = {} if seen is None else seen
    most = len(seen) + LIMIT
    while todo and len(seen) < most:
        where, value = todo.popleft()
        if isinstance(value, _PLAIN):
            yield where, value
            continue
        if id(value) in seen:
            continue
        seen[id(value)] = value
        yield where, value
        if id(value) not in stop:
            todo.extend(_parts(where, value))


def _parts(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield (path, part) for the direct parts of an object."""
    if isinstance(value, (torch.Tensor, np.ndarray, types.ModuleType, *_GENERATORS, *ITERATORS)):
        return
    if isinstance(value, Mapping):
        for key, part in list(value.items()):
            yield f"{path}[{key!r}]" if isinstance(key, _PLAIN) else f"{path}[…]", part
    elif isinstance(value, list | tuple | set | frozenset | deque):
        yield from ((f"{path}[{k}]", part) for k, part in enumerate(list(value)))
    elif isinstance(value, functools.partial):
        yield from ((path, value.func), (f"{path}.args", value.args), (f"{path}.keywords", value.keywords))
    elif isinstance(value, types.MethodType):
        yield from ((path, value.__self__), (path, value.__func__))
    elif isinstance(value, types.FunctionType):
        yield from _of_function(path, value)
    elif isinstance(value, functools._lru_cache_wrapper):
        yield path, value.__wrapped__
        yield from ((f"{path}{CACHED}{key}]", part) for key, part in _cached(value))
    elif hasattr(value, "__dict__") or _has_slots(value):
        yield from _of_object(path, value)


def _cached(table: functools._lru_cache_wrapper[object]) -> Iterator[tuple[str, object]]:
    """Yield (argument, value) for what `functools.lru_cache` and `functools.cache` keep.

    Python has no access to it but the garbage collector's: a table without a limit is a dictionary, and one with a
    limit refers to each key, the value that belongs to it and their common class in turn.
    """
    parts = gc.get_referents(table)
    limit = table.cache_parameters()["maxsize"]
    pairs = [(key, part) for one in parts if type(one) is dict and one is not vars(table) for key, part in one.items()]
    if limit is not None:
        pairs = [
            (key, part)
            for key, part, kind in zip(parts, parts[1:], parts[2:], strict=False)
            if isinstance(kind, type) and kind.__name__ == "_lru_list_elem"
        ]
    for key, part in pairs:
        yield repr(key) if isinstance(key, _PLAIN) or key == () else "…", part


def _of_object(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, type):
        for kind in _own_classes(value):
            yield from ((f"{path}.{key}", part) for key, part in _of_class(kind))
        return
    if isinstance(value, nn.Module):
        for parts in (value._parameters, value._buffers, value._modules):
            yield from ((f"{path}.{name}", part) for name, part in parts.items() if part is not None)
    elif isinstance(value, torch.optim.Optimizer):
        yield from ((f"{path}.state", dict(value.state)), (f"{path}.param_groups", value.param_groups))
    yield from ((f"{path}.{key}", part) for key, part in attributes(value))


def _of_function(path: str, function: types.FunctionType) -> Iterator[tuple[str, object]]:
    if (function.__module__ or "").split(".")[0] in ("torch", "numpy", "nn_experiments"):
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            part = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        yield from _named(f"{path} (closure variable {name})", part, function.__code__)
    yield from ((f"{path} (default value {k})", part) for k, part in enumerate(function.__defaults__ or ()))
    yield from ((f"{path} (default value {k})", part) for k, part in (function.__kwdefaults__ or {}).items())
    yield from ((f"{path}.{key}", part) for key, part in vars(function).items())
    for name in sorted(global_names(function.__code__)):
        part = function.__globals__.get(name)
        if part is not None:
            yield from _named(f"{path} (global variable {name})", part, function.__code__)
    for part in imported_modules(function):
        yield from _named(f"{path} (imported module {part.__name__})", part, function.__code__)


def imported_modules(function: types.FunctionType) -> Iterator[types.ModuleType]:
    """Yield the modules that a function, or a function in it, imports when it is called, as far as they are loaded.

    Examples
    --------
    >>> def power(x):
    ...     import math
    ...     return math.exp(x)
    >>> [module.__name__ for module in imported_modules(power)]
    ['math']
    """
    package = function.__globals__.get("__package__") or ""
    for level, name in sorted(_imports(function.__code__)):
        with contextlib.suppress(ImportError, ValueError):
            full = importlib.util.resolve_name("." * level + name, package)
            for module in dict.fromkeys((full.partition(".")[0], full)):
                if (part := sys.modules.get(module)) is not None:
                    yield part


def _named(path: str, value: object, code: types.CodeType, depth: int = 3) -> Iterator[tuple[str, object]]:
    """Yield a variable of a function; of a module, the attributes whose names occur in the function's code."""
    if not isinstance(value, types.ModuleType):
        yield path, value
    elif depth and _is_own(value):
        for key in sorted(attribute_names(code) & vars(value).keys()):
            yield from _named(f"{path}.{key}", vars(value)[key], code, depth - 1)


@functools.lru_cache(maxsize=4096)
def attribute_names(code: types.CodeType) -> frozenset[str]:
    """Return the names of all attributes and global variables in a function's code, and that of functions in it."""
    inner = (attribute_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return frozenset(code.co_names).union(*inner)


@functools.lru_cache(maxsize=4096)
def global_names(code: types.CodeType) -> frozenset[str]:
    """Return the names of the global variables that a function's code, and that of functions in it, reads.

    Examples
    --------
    >>> sorted(global_names((lambda self, x: self.layer(x) + offset).__code__))  # layer is an attribute
    ['offset']
    """
    reads = ("LOAD_GLOBAL", "LOAD_NAME")
    names = {str(one.argval) for one in dis.get_instructions(code) if one.opname in reads}
    inner = (global_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return frozenset(names).union(*inner)


@functools.lru_cache(maxsize=4096)
def _imports(code: types.CodeType) -> frozenset[tuple[int, str]]:
    """Return (number of dots, name) for the modules that a function's code, and that of functions in it, imports."""
    lines = list(dis.get_instructions(code))
    found = {
        (lines[k - 2].argval if k > 1 and isinstance(lines[k - 2].argval, int) else 0, str(one.argval))
        for k, one in enumerate(lines)
        if one.opname == "IMPORT_NAME"
    }
    inner = (_imports(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return frozenset(found).union(*inner)


def reaches(root: object, path: str, targets: Collection[int]) -> str | None:
    """Return the path from an object to the first of some objects, given by their ``id``, or None."""
    return next((where for where, part in reachable(root, path) if id(part) in targets), None)
