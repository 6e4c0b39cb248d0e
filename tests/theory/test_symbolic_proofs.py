"""Every symbolic derivation proves its identity and does not prove its wrong neighbours."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import proofs.symbolic
from proofs.symbolic._identity import Identity

DERIVATIONS = [
    pytest.param(function, id=f"{module.name}:{name}")
    for module in pkgutil.iter_modules(proofs.symbolic.__path__)
    if not module.name.startswith("_")
    for name, function in inspect.getmembers(
        importlib.import_module(f"proofs.symbolic.{module.name}"), inspect.isfunction
    )
    if function.__annotations__.get("return") == "Identity" and not name.startswith("_")
]


@pytest.mark.parametrize("derivation", DERIVATIONS)
def test_proves_its_identity_and_no_wrong_neighbour(derivation):
    identity = derivation()
    assert isinstance(identity, Identity)
    assert identity.pairs
    assert identity.wrong, "a derivation without a wrong neighbour cannot be seen to fail"
    assert identity.holds(), identity.name
    assert not identity.proves_wrong(), f"a wrong neighbour of “{identity.name}” was proved"
