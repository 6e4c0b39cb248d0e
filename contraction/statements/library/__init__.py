"""The second section of ``verify``: each public function of certificates, limits, exponents and laws has an oracle.

A statement checks the paper; an `Oracle` of this package checks one function of the toolkit. It compares the function
with a computation that shares no code with it (closed forms, rationals, enumeration of all words, 60-digit arithmetic,
SciPy), and the same check must refuse a faulty version of the function. `public_functions` lists what must be covered.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

from contraction.statements.library.oracle import Oracle

__all__ = ["Oracle", "all_oracles", "find_oracles", "public_functions"]

#: Packages whose exported functions are covered, of those that ``contraction`` exports; and modules of functions.
PACKAGES = ("contraction.certificates", "contraction.limits", "contraction.exponents")
MODULES = ("contraction.laws", "contraction.certificates.bounds")


@cache
def all_oracles() -> tuple[Oracle, ...]:
    """Return every oracle, in the order of files and of places in them."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return tuple(oracle for module in modules for oracle in getattr(module, "ORACLES", ()))


def find_oracles(name: str) -> tuple[Oracle, ...]:
    """Return the oracles of a function by its name ("certify", "contraction.certify"), or all of them for "library"."""
    wanted = name.casefold().strip()
    return tuple(o for o in all_oracles() if wanted in ("library", o.function.casefold(), o.name.casefold()))


def public_functions() -> set[str]:
    """Return the full names of all functions that have to be covered."""
    top = importlib.import_module("contraction")
    result = set()
    for name in top.__all__:
        value = getattr(top, name)
        if inspect.isfunction(value) and value.__module__.startswith(PACKAGES):
            result.add(f"contraction.{name}")
    for module in map(importlib.import_module, MODULES):
        result |= {f"{module.__name__}.{n}" for n in module.__all__ if inspect.isfunction(getattr(module, n))}
    return result
