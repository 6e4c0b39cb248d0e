"""No module guesses what a family or a space is from its attributes; the base class answers "unknown"."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import contraction as ct

PACKAGE = Path(ct.__file__).parent


# (file, first argument) of every getattr and hasattr of the package; none is on a family or a space.
# (file, first argument) of every getattr and hasattr of the package; none is on a family or a space.
ALLOWED = {
    ("lazy.py", "module"),
    ("lazy.py", "sys.modules[package]"),
    ("expansions/series.py", "mpmath"),
    ("expansions/series.py", "args[0]"),
    ("laws/_words.py", "x"),  # rationals of other packages
    ("laws/calibrated.py", "self"),
    ("maps/intervals.py", "arb(v)"),  # a function by its name
    ("maps/intervals.py", "mpmath"),
    ("maps/intervals.py", "ufunc"),
    *(("maps/stated.py", name) for name in ("thing", "part", "c", "cls")),  # what a user's class overrides
    ("maps/taylor.py", "ufunc"),
    ("maps/taylor.py", "entrywise"),
    ("maps/taylor.py", "except AttributeError"),  # of a method that NumPy looks for in a symbol
    ("statements/folder.py", "module"),
    ("plots/gallery.py", "importlib.import_module(module)"),
    ("values.py", "self"),
    ("values.py", "other"),
    ("statements/library/__init__.py", "module"),
    ("statements/library/__init__.py", "top"),
    ("statements/library/limits.py", "result"),  # a field of a result
    ("statements/library/oracle.py", "importlib.import_module(module)"),
    ("statements/records.py", "self"),
}
GUESSES = {"getattr", "hasattr", "vars", "dir"}


def is_definition(path: str) -> bool:
    """Whether a file defines operators, spaces or families."""
    return path in ("maps/operators.py", "maps/answers.py", "maps/spaces.py") or path.startswith("families/")


def guesses(source: str) -> list[tuple[str, int]]:
    """(first argument, line) of every call that reads attributes by name, ``x.__dict__`` and caught AttributeError."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in GUESSES and node.args:
            found.append((ast.unparse(node.args[0]), node.lineno))
        elif isinstance(node, ast.Attribute) and node.attr in ("__dict__", "__getattribute__"):
            found.append((ast.unparse(node), node.lineno))
        elif (
            isinstance(node, ast.ExceptHandler) and node.type is not None and "AttributeError" in ast.unparse(node.type)
        ):
            found.append(("except AttributeError", node.lineno))
    return found


def test_no_module_guesses_attributes_of_a_family_or_a_space():
    wrong = [
        f"{path}:{line}: {subject}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if not is_definition(path := file.relative_to(PACKAGE).as_posix())
        for subject, line in guesses(file.read_text(encoding="utf-8"))
        if (path, subject) not in ALLOWED
    ]
    assert wrong == []


def test_families_read_no_attributes_by_name_either():
    for file in sorted((PACKAGE / "families").glob("*.py")):
        assert guesses(file.read_text(encoding="utf-8")) == [], file.name


@pytest.mark.control
def test_the_contract_sees_a_guess():
    for line in (
        "k = getattr(family, 'linear_part', None)",
        "if hasattr(T.space, 'root'): pass",
        "family.__dict__['h']",
        "try:\n    family.h\nexcept AttributeError:\n    pass",
    ):
        assert guesses(line)


def test_the_base_class_answers_unknown():
    """None, or the careful answer, for everything that a family may state."""
    family = ct.RandomOperator(lambda rng: 0.0, lambda x, u: x / 2)
    theta = np.zeros(1)
    unknown = (
        family.contraction,
        family.contraction_on_ball(theta, 1.0),
        family.displacement(theta),
        family.displacement_moment(theta, 2.0),
        family.lipschitz(0.0),
        family.affine(0.0),
        family.linear_part,
        family.offset_mean,
        family.offset_covariance,
        family.finite_support(),
        family.linear_support(),
        family.affine_enclosures(),
        family.constant_bounds(theta),
        family.factor_moment(2.0),
        family.log_mean,
        family.leaf_basis,
        family.step_span,
        family.states,
        family.why_not_contracting(ct.Constant(1.0, "declared", "")),
    )
    assert all(answer is None for answer in unknown)
    assert (family.is_affine, family.is_constant, family.is_iid) == (False, False, True)
