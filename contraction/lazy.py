"""Packages that load their names on first use (standard library only).

A package lists its exports in a stub file ``__init__.pyi`` in the folder of its ``__init__.py``, as imports of the form
``from package.module import Name as Name``. Type checkers and editors read the stub; `attach` reads it when the package
is imported, and imports a module on the first access to one of its names.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["attach"]


def attach(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package that loads its names on first use.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    file : str
        ``__file__`` of the package; ``__init__.pyi`` is in the same folder.

    Returns
    -------
    tuple of function, function and list of str
        The three objects, which the package's ``__init__.py`` assigns.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    home = {
        alias.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }

    def get(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if home[name] == package:  # a subpackage: importing it sets the attribute
            return importlib.import_module(f"{package}.{name}")
        module = importlib.import_module(home[name])
        if (value := vars(module).get(name)) is None:
            value = importlib.import_module(f"{home[name]}.{name}")
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return get, names, sorted(home)
