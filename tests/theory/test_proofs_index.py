"""The index of proofs cannot drift: what registry and Coq index name exists, and the generated pages are current."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contraction.statements import Statement, Verdict, all_statements
from contraction.statements.machine_checked import proof_of, proofs_of
from contraction.statements.proof_table import PROOFS, Proof
from contraction.statements.render.items import items
from proofs import index

ROOT = Path(__file__).resolve().parents[2]
BAR = "\\|"


def _verdict(statement: Statement) -> Verdict:
    rows = tuple(row.id for row in statement.rows)
    return Verdict(statement.name, rows, "exact", True)


@pytest.mark.parametrize("statement", all_statements(), ids=lambda s: s.name)
def test_what_a_statement_names_exists(statement):
    assert (ROOT / statement.test).is_file()
    if statement.derivation:
        file, _, name = statement.derivation.partition(":")
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        assert getattr(module, name)().holds()


def test_every_indexed_theorem_is_in_its_file():
    for theorem in index.theorems():
        text = (ROOT / "proofs" / "coq" / theorem.file).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(Theorem|Lemma|Corollary|Proposition) {re.escape(theorem.name)}\b", text, re.M), theorem
        assert theorem.mathematics


def test_every_theorem_is_linked_and_every_link_is_a_theorem():
    """The registry marks each theorem whole or part, row by row; rows from 77 on may wait for their statements."""
    linked = {theorem for proof in PROOFS.values() for theorem in proof.theorems}
    assert linked == {theorem.key for theorem in index.theorems()}
    known = {row.id for s in all_statements() for row in s.rows} | {s.name for s in all_statements()}
    assert {key for key in PROOFS if key not in known} <= set(range(77, 88))


#: Rows whose theorems are known to prove less than the row; one becomes whole with a new theorem, not with a new mark.
KNOWN_PARTS = (26, 35, 47, 51, 56, 61)


@pytest.mark.parametrize("row", KNOWN_PARTS)
def test_what_is_less_than_the_row_is_marked_a_part(row):
    assert PROOFS[row].covers == "part"


@pytest.mark.parametrize("statement", all_statements(), ids=lambda s: s.name)
def test_a_part_is_marked_wherever_it_is_shown(statement):
    """In the index of proofs, the audit and the JSON, each from the registry."""
    found = proofs_of(statement)
    line = next(x for x in index.readme().splitlines() if f"| {statement.claim.replace('|', BAR)} |" in x)
    for row, proof in found.items():
        for theorem in proof.theorems:
            file, _, name = theorem.partition(":")
            mark = f"[`{name}`](coq/{file})"
            parts = [p for p in found.values() if theorem in p.theorems and p.covers == "part"]
            assert (f"{mark} (part)" in line) == bool(parts), theorem
            assert mark in line
        assert not proof.leaves or f"row {row}: {proof.leaves}".replace("|", BAR).removeprefix("row None: ") in line
    for item in items(statement, [_verdict(statement)]):
        proof = found.get(item["id"])
        assert item["proof"] == ([f"proofs/coq/{t}" for t in proof.theorems] if proof else [])
        assert (item["proof_covers"], item["proof_leaves"]) == ((proof.covers, proof.leaves) if proof else (None, ""))


def test_the_audit_says_what_the_theorems_of_a_row_leave():
    page = index.audit().replace(BAR, "|")
    for statement in all_statements():
        for row in statement.rows:
            line = next(x for x in page.splitlines() if x.startswith(f"| {row.id} | {row.place} |"))
            proof = proof_of(statement, row.id)
            assert ("(part): " in line) == (proof is not None and proof.covers == "part")
            assert proof is None or f"{proof.leaves} |" in line


@pytest.mark.control
def test_a_proof_without_theorems_or_with_half_a_sentence_is_refused():
    with pytest.raises(ValueError, match="at least one theorem"):
        Proof(())
    with pytest.raises(ValueError, match="one sentence"):
        Proof(("a.v:b",), "the rest")


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    """The pages as they are generated: the numbers on them are computed anew."""
    return index.pages()


def test_generated_pages_are_current(pages):
    """`python -m proofs.index` rewrites them; test_errata.py compares the numbers of the errata as well."""

    def steady(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith("- Run:")]

    assert len(pages) == 3
    for path, text in pages.items():
        assert steady(path.read_text(encoding="utf-8")) == steady(text), path


@pytest.mark.control
def test_brackets_of_vector_fields_are_no_links(pages):
    assert "[V_i, V_j](θ)" in index.readme()
    assert not any(re.search(r"(?<!\\)\[[^\[\]]*\]\(θ", text) for text in pages.values())


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
