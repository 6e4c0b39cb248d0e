"""The index of proofs cannot drift: what registry and Coq index name exists, and the generated pages are current."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contraction.statements import all_statements
from proofs import index

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("statement", all_statements(), ids=lambda s: s.name)
def test_what_a_statement_names_exists(statement):
    assert (ROOT / statement.test).is_file()
    if statement.proof:
        file, _, name = statement.proof.partition(":")
        assert name, f"{statement.name}: a proof is named file:theorem, got {statement.proof!r}"
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(Theorem|Lemma|Corollary|Proposition) {re.escape(name)}\b", text, re.M), statement.proof
        assert any(t.name == name for t in index.theorems()), f"{name} is not in the Coq index"
    if statement.derivation:
        file, _, name = statement.derivation.partition(":")
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        assert getattr(module, name)().holds()


def test_every_indexed_theorem_is_in_its_file():
    for theorem in index.theorems():
        text = (ROOT / "proofs" / "coq" / theorem.file).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(Theorem|Lemma|Corollary|Proposition) {re.escape(theorem.name)}\b", text, re.M), theorem
        assert theorem.mathematics


def test_generated_pages_are_current():
    """`python -m proofs.index` rewrites them; test_errata.py compares the numbers of the errata as well."""

    def steady(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith("- Run:")]

    written = ROOT / "proofs"
    assert (written / "README.md").read_text(encoding="utf-8") == index.readme()
    assert steady((written / "ERRATA.md").read_text(encoding="utf-8")) == steady(index.errata())
    assert (ROOT / "docs" / "audit.md").read_text(encoding="utf-8") == index.audit()


def test_every_row_of_the_registry_is_in_the_audit_with_its_verdict():
    page = index.audit()
    for statement in all_statements():
        for row in statement.rows:
            assert f"| {row.id} | {row.place} | {row.printed} |" in page.replace("\\|", "|"), row
            assert f"- **{row.printed}**" in page


def test_nothing_in_contraction_imports_proofs():
    for path in (ROOT / "contraction").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) (proofs|tests|nn_experiments|torch)\b", path.read_text("utf-8"), re.M)


@pytest.mark.skipif(shutil.which("coqc") is None, reason="coqc is not installed; apt-get install coq (8.16 or later)")
def test_machine_checked_proofs():
    """Compile, compare axioms, run the negative controls; `make proofs` reports axioms a theorem at a time."""
    command = [sys.executable, "proofs/check_axioms.py", "--by-file"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
