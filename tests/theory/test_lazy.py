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
