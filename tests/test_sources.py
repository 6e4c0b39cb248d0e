"""Where a result is used, the docstring says which: a theorem of the paper, a row of the audit, or a work.

The rule is about the functions of the reference pages that answer a question of the theory: those of certificates,
limits, exponents, laws and expansions. What such a function rests on is named in its docstring, outside the examples:

- "Theorem 2.2", "Lemma C.1", "Corollary C.4", "Definition C.3", "Example 2.1", "Section 3.1" or "Appendix D.2";
- "row 39", a numbered place of the audit, which must have this row;
- a work with its year, "Hoeffding, 1963" or "Massart's constant (1990)", or a result by its author or as classical.

A function that only makes, converts, draws or displays an object rests on no theorem and is listed below.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_examples import exported

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("contraction", "contraction.laws", "contraction.expansions")
THEORY = re.compile(
    r"contraction\.(certificates|limits|exponents|laws|expansions)\b|contraction\.maps\.order_convergence$"
)
PLACE = re.compile(r"\b(Theorem|Lemma|Corollary|Definition|Example|Section|Appendix) ([A-F]|\d)(\.\d)*")
ROWS = re.compile(r"\b[Rr]ows? (\d+)(?: and (\d+))?")
YEAR = r"(?:1[89]\d\d|20[0-2]\d)"
WORK = re.compile(
    rf"[A-Z]\w+,? {YEAR}\b|\({YEAR}\)|\b[A-Z]\w+'s (?:inequality|combination|equation|theorem)"
    r"|\ba classical theorem of \w+ \w+"
)


#: Functions that define, convert, enumerate or display; the reason stands beside each group.
NO_THEOREM = {
    # the definition of an object, computed as it stands
    *("apply_backward", "compare_laws", "merged_law", "push_forward", "word_law", "golden_law", "golden_value"),
    *("bernoulli_law", "cantor_cdf"),
    *("rate_bracket", "wasserstein_to_uniform", "compose", "order_of", "tree_text", "observed_orders"),
    # vector fields and numbers made from what the user gives
    *("descent_field", "numpy_field", "polynomial_field", "quadratic_field", "symbolic_field", "rational_vector"),
    *("tanh_network_dimension", "tanh_network_field"),
    # evaluation and pictures of what other functions return
    *("evaluate_formal", "evaluate_series", "plot_correction_reach"),
}


def rows_of_the_audit() -> set[int]:
    """The numbers of the rows of docs/audit.md."""
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    return {int(number) for number in re.findall(r"^\| (\d+) \|", text, re.M)}


def sources(doc: str) -> list[str]:
    """What a docstring names outside its examples."""
    text = doc.split("\nExamples\n")[0]
    text = re.split(r"\n *Examples\n *-+\n", text)[0]
    found = [match.group(0) for pattern in (PLACE, WORK) for match in pattern.finditer(text)]
    numbers = [int(number) for match in ROWS.finditer(text) for number in match.groups() if number]
    return found + [f"row {number}" for number in numbers if number in rows_of_the_audit()]


def functions(package: str) -> dict[str, str]:
    """The docstrings of the exported functions that the rule is about."""
    return {
        name: value.__doc__ or ""
        for name, value in exported(package).items()
        if not isinstance(value, type) and THEORY.match(value.__module__)
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_function_of_the_theory_names_its_source(package: str) -> None:
    docs = functions(package)
    assert len(docs) >= 10
    assert [name for name, doc in docs.items() if name not in NO_THEOREM and not sources(doc)] == []


def test_the_list_of_exceptions_has_no_function_that_is_gone_or_names_a_source() -> None:
    docs = {name: doc for package in PACKAGES for name, doc in functions(package).items()}
    assert sorted(NO_THEOREM - set(docs)) == []
    assert [name for name in sorted(NO_THEOREM) if sources(docs[name])] == []


@pytest.mark.control
@pytest.mark.parametrize(
    ("doc", "found"),
    [
        ("The bound of Theorem 2.2.", ["Theorem 2.2"]),
        ("By Lemma C.1 (row 56).", ["Lemma C.1", "row 56"]),
        ("Rates of rows 64 and 65.", ["row 64", "row 65"]),
        ("A bound (Hoeffding, 1963).", ["Hoeffding, 1963"]),
        ("Propp, J. G., and Wilson, D. B. (1996). Exact sampling.", ["(1996)"]),
        ("By Fisher's combination.", ["Fisher's combination"]),
        ("Return the limit, with a bound on its error.", []),
        ("The theorem that applies, row 0 of the array, and row 9999 of the audit.", []),
        ("Return a limit.\n\n    Examples\n    --------\n    >>> 1  # Theorem 2.2\n    1\n", []),
    ],
    ids=[
        "theorem",
        "lemma and row",
        "two rows",
        "work",
        "reference",
        "author",
        "nothing",
        "no such row",
        "only in an example",
    ],
)
def test_what_counts_as_a_source(doc: str, found: list[str]) -> None:
    assert sources(doc) == found
