"""Which packages may import which, with no circle and no private module of another package."""

from __future__ import annotations

import ast
import builtins
import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: A package of nn_experiments -> the packages beside it that it may import. Only the command line, the
#: package's exports and ``studies`` import ``runs``.
ALLOWED = {
    "datasets": set(),
    "training": {"datasets"},
    "engine": {"training"},
    "diagnosis": {"training", "engine"},
    "paper": {"training"},
    "results": {"paper"},
    "orders": {"training"},
    "analysis": {"paper", "results", "diagnosis"},
    "report": {"analysis", "paper", "results"},
    "runs": {"datasets", "training", "engine", "diagnosis", "paper", "results"},
    "studies": {"datasets", "training", "engine", "results", "runs", "paper"},
}
#: The same for contraction; ``plots`` may use everything, and of ``plots`` others only its style.
THEORY_ALLOWED = {
    "maps": set(),
    "families": {"maps"},
    "certificates": {"maps"},
    "limits": {"maps", "certificates"},
    "exponents": {"maps", "families"},
    "laws": {"maps", "families"},
    "expansions": {"maps"},
    "statements": {"maps", "families", "certificates", "limits", "laws", "expansions", "exponents"},
    "plots": {"maps", "families", "certificates", "limits", "laws", "expansions", "exponents"},
    "report": {"statements", "plots", "maps", "families"},
}
#: What of the theory the networks' packages may use; the others only what is in `SHARED`.
THEORY = {
    "training": {"contraction.expansions"},
    "engine": {"contraction.maps.orders", "contraction.limits.settled", "contraction.plots.style"},
    "diagnosis": {"contraction.plots.style"},
    "paper": {"contraction.maps.orders"},
}
#: What every package of the networks may use of the theory: arguments, errors and files are treated in one way.
SHARED = {"contraction.arguments", "contraction.files", "contraction.maps.errors", "contraction.values"}


def modules(package: str, root: Path = ROOT) -> dict[str, Path]:
    """Return dotted name -> file of every module of a package."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> Iterator[str]:
    """Yield every module, or module and name, that a file imports, at any depth; those for type checkers alone too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(name: str) -> str:
    """Return the package directly below the top one that a module is in ("" for a module at the top)."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and (ROOT / parts[0] / parts[1]).is_dir() else ""


@lru_cache
def arrows(package: str, root: Path = ROOT) -> dict[str, set[str]]:
    """Return module -> modules of the same package that it imports."""
    own = modules(package, root)
    found: dict[str, set[str]] = {}
    for name, path in own.items():
        targets = set()
        for target in imports(path):
            while target and target not in own:
                target = target.rpartition(".")[0]
            targets.add(target)
        found[name] = targets - {"", name}
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle, or nothing. Parent packages do not count."""
    state: dict[str, int] = {}
    path: list[str] = []

    def visit(name: str) -> list[str]:
        state[name] = 1
        path.append(name)
        for target in sorted(graph.get(name, ())):
            if name.startswith(f"{target}.") or target.startswith(f"{name}."):
                continue
            if state.get(target) == 1:
                return path[path.index(target) :]
            if target not in state and (found := visit(target)):
                return found
        state[name] = 2
        path.pop()
        return []

    for name in sorted(graph):
        if name not in state and (found := visit(name)):
            return found
    return []


RULES = [("nn_experiments", *rule) for rule in ALLOWED.items()]
RULES += [("contraction", *rule) for rule in THEORY_ALLOWED.items()]


@pytest.mark.parametrize(("root", "package", "allowed"), RULES, ids=[f"{root}.{package}" for root, package, _ in RULES])
def test_a_package_imports_only_what_is_below_it(root: str, package: str, allowed: set[str]) -> None:
    for name, targets in arrows(root).items():
        if package_of(name) == package:
            others = {package_of(target) for target in targets if target != "contraction.plots.style"} - {package, ""}
            assert others <= allowed, f"{name} imports from {others - allowed}"


@pytest.mark.parametrize(("root", "table"), [("nn_experiments", ALLOWED), ("contraction", THEORY_ALLOWED)])
def test_the_packages_are_those_of_the_table(root: str, table: dict[str, set[str]]) -> None:
    folders = [path for path in (ROOT / root).iterdir() if (path / "__init__.py").exists()]
    assert {path.name for path in folders} == set(table)


def test_only_the_command_line_and_studies_import_runs() -> None:
    for name, targets in arrows("nn_experiments").items():
        if package_of(name) not in ("runs", "studies") and name != "nn_experiments.cli":
            assert not any(package_of(target) == "runs" for target in targets), name


BUILT_IN = {
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
}


@pytest.mark.parametrize("root", ["contraction", "nn_experiments"])
def test_every_error_has_the_one_base_class(root: str) -> None:
    """A class that inherits from one of Python's errors inherits from `TrainingInReverseError` too."""
    seen = 0
    for name, path in modules(root).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                if bases & BUILT_IN and node.name != "TrainingInReverseError":
                    seen += 1
                    assert "TrainingInReverseError" in bases, f"{name}.{node.name}"
    assert seen > 4


@pytest.mark.parametrize("root", ["contraction", "nn_experiments"])
def test_one_module_checks_integers(root: str) -> None:
    """The message about integers is written once, in `contraction.arguments`."""
    written = {name for name, path in modules(root).items() if "an integer of at least {" in path.read_text("utf-8")}
    assert written == ({"contraction.arguments"} if root == "contraction" else set())


def test_one_function_checks_choices() -> None:
    """The message about one of a few names is written once, in `contraction.arguments.check_choice`."""
    files = {**modules("contraction"), **modules("nn_experiments")}
    written = {name for name, path in files.items() if " must be one of {" in path.read_text("utf-8")}
    assert written == {"contraction.arguments"}


def test_one_module_knows_the_unit_of_rounding() -> None:
    """2^-52 and 2^-53 are written in `contraction.maps.rounding` alone (but for the checks, which test at them)."""
    written = {
        name
        for name, path in modules("contraction").items()
        if re.search(r"2(\.0)? ?\*\* ?-5[23]\b|2\.2204|1\.1102", path.read_text("utf-8"))
        and not name.startswith("contraction.statements")
    }
    assert written == {"contraction.maps.rounding"}


def test_one_module_replaces_files() -> None:
    """A file is written under another name and then renamed by `contraction.files` alone."""
    files = {**modules("contraction"), **modules("nn_experiments")}
    rename = re.compile(r"mkstemp|os\.replace|os\.rename")
    written = {name for name, path in files.items() if rename.search(path.read_text("utf-8"))}
    assert written == {"contraction.files"}


def test_what_the_networks_use_of_the_theory() -> None:
    for name, path in modules("nn_experiments").items():
        package = package_of(name)
        if package in ("datasets", "training", "engine", "diagnosis", "paper", "results"):
            allowed = THEORY.get(package, set()) | SHARED
            used = {target for target in imports(path) if target.split(".")[0] == "contraction"}
            wrong = {one for one in used if not any(one.startswith(module) for module in allowed)}
            assert not wrong, f"{name} uses {wrong}"


def test_the_theory_imports_neither_networks_nor_torch() -> None:
    for name, path in modules("contraction").items():
        assert not {target.split(".")[0] for target in imports(path)} & {"torch", "nn_experiments"}, name


@pytest.mark.parametrize("root", ["contraction", "nn_experiments"])
def test_modules_import_in_no_circle(root: str) -> None:
    assert circle(arrows(root)) == []


@pytest.mark.parametrize("package", ["nn_experiments", "benchmarks"])
def test_no_private_module_of_another_package(package: str) -> None:
    for name, path in modules(package).items():
        for target in imports(path):
            parts = target.split(".")
            private = any(part.startswith("_") and not part.startswith("__") for part in parts[:-1])
            assert not (private and parts[0] == "contraction"), f"{name} imports {target}"


def test_mistakes_are_seen(tmp_path: Path) -> None:
    """An import inside a function closes a circle as well."""
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text("from some.two import b\n")
    (folder / "two.py").write_text("def late():\n    from some import one\n    return one\n")
    assert circle(arrows("some", tmp_path)) == ["some.one", "some.two"]
    arrows.cache_clear()
    (folder / "two.py").write_text("b = 1\n")
    assert circle(arrows("some", tmp_path)) == []


def test_the_formatter_decides_everywhere() -> None:
    """No part of the code is kept from it."""
    for folder in ("contraction", "nn_experiments", "tests", "benchmarks", "proofs"):
        for path in (ROOT / folder).rglob("*.py"):
            if path != Path(__file__):
                assert "# fmt:" not in path.read_text(encoding="utf-8"), path


def test_an_editable_install_is_a_path_that_type_checkers_follow() -> None:
    """setuptools then writes a ``.pth`` file; its other way is an import hook, which no type checker runs."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["setuptools"]["package-dir"] == {"": "."}
