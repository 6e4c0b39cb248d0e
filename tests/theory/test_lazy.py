"""Packages whose names load on first use: what is listed can be loaded, and nothing is loaded before."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PACKAGES = ["contraction", "contraction.expansions", "contraction.plots", "nn_experiments"]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_listed_name_loads(name: str) -> None:
    if name == "nn_experiments":
        pytest.importorskip("torch")
    package = importlib.import_module(name)
    assert package.__all__ == sorted(set(package.__all__))
    for one in package.__all__:
        assert getattr(package, one) is getattr(package, one)
        assert one in dir(package)


@pytest.mark.parametrize("name", PACKAGES)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        getattr(importlib.import_module(name), "nothing")  # noqa: B009


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_a_package_loads_nothing_else(name: str) -> None:
    code = f"import sys, {name}; print(sorted(m for m in sys.modules if m.split('.')[0] in sys.argv[1:]))"
    heavy = ["numpy", "scipy", "sympy", "torch", "contraction", "nn_experiments"]
    run = subprocess.run([sys.executable, "-c", code, *heavy], check=True, capture_output=True, text=True)
    parents = {name.rpartition(".")[0] or name, name, "contraction", "contraction.lazy"}
    assert set(eval(run.stdout)) == parents


def test_both_packages_export_one_base_class_of_errors() -> None:
    contraction, networks = (importlib.import_module(name) for name in ("contraction", "nn_experiments"))
    assert networks.TrainingInReverseError is contraction.TrainingInReverseError
    assert networks.NotDeterministic is contraction.NotDeterministic
    for name in ("NotCertified", "NotSettled", "DeclarationRefuted", "MapRefused", "NotDeterministic"):
        assert issubclass(getattr(contraction, name), contraction.TrainingInReverseError)


def test_a_stub_may_hold_other_statements(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only ``from module import Name`` lists names: plain imports, relative ones and assignments list none."""
    package = tmp_path / "lazy_example"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from contraction.lazy import attach\n__getattr__, __dir__, __all__ = attach(__name__, __file__)\n"
    )
    (package / "__init__.pyi").write_text(
        "import math\nfrom . import other\nx = 1\nfrom lazy_example.part import one as one, two as two\n"
        "from lazy_example import folder as folder\nfrom lazy_example.group import member as member\n"
    )
    (package / "part.py").write_text("one, two = 1, 2\n")
    (package / "folder").mkdir()
    (package / "folder" / "__init__.py").write_text("inside = 3\n")
    (package / "group").mkdir()
    (package / "group" / "__init__.py").write_text("")
    (package / "group" / "member.py").write_text("inside = 4\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = importlib.import_module("lazy_example")
    try:
        assert made.__all__ == ["folder", "member", "one", "two"]
        assert "lazy_example.part" not in sys.modules
        assert (made.one, made.two, made.folder.inside, made.member.inside) == (1, 2, 3, 4)
        assert vars(made)["one"] == 1  # looked up once
        assert {"one", "folder", "__all__"} <= set(dir(made))
        assert dir(made) == sorted(dir(made))
        for name in ("math", "other", "x"):
            with pytest.raises(AttributeError, match=f"module 'lazy_example' has no attribute '{name}'"):
                getattr(made, name)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "lazy_example"]:
            del sys.modules[name]
