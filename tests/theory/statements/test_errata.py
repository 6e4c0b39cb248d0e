"""The errata: every quotation is whole sentences of the paper, the three kinds are kept apart, and the numbers run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contraction.report.formulas import text_html
from contraction.report.html import markdown_html
from contraction.statements import Row, Verdict, all_statements
from contraction.statements.records import Statement
from contraction.statements.render.errata import entries, errata_markdown, escaped, slips
from tests.theory.statements.printed_sentences import digest, is_printed, known, normalise, sentences

PAGE = Path(__file__).resolve().parents[3] / "proofs" / "ERRATA.md"
ROWS = [(s, row) for s in all_statements() for row in s.rows]
QUOTED = [row for _, row in ROWS if row.quote]
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def quotations(page: str) -> list[str]:
    return re.findall(r"^- Printed: “(.*)”$", re.sub(r"\\([\[_*])", r"\1", page), flags=re.M)


def same_run(written: str, found: str) -> bool:
    """Whether two lines have the same words, and numbers that agree to a unit or two of the fifth digit."""
    if NUMBER.sub("#", written) != NUMBER.sub("#", found):
        return False
    pairs = zip(NUMBER.findall(written), NUMBER.findall(found), strict=True)
    return all(abs(float(a) - float(b)) <= 2e-4 * max(abs(float(a)), abs(float(b))) for a, b in pairs)


@pytest.fixture(scope="module")
def refutations() -> dict[tuple[str, int], Verdict]:
    return {(s.name, row): v for s in all_statements() for row, v in s.refutations().items()}


@pytest.mark.parametrize("row", QUOTED, ids=lambda row: f"row {row.id}")
def test_a_quotation_is_whole_sentences_of_the_paper(row):
    assert is_printed(row.quote), row.quote


def test_the_page_quotes_nothing_else():
    found = quotations(PAGE.read_text(encoding="utf-8"))
    assert set(found) == {row.quote for row in QUOTED if row.section}
    assert "Printed:" not in "".join(
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if not line.startswith("- Printed: “")
    )
    assert all(map(is_printed, found))


def test_markdown_leaves_the_formulas_as_they_are():
    """No brackets that read as a link and no underscore that begins emphasis; the report shows each quotation whole."""
    page = errata_markdown(all_statements())
    assert not re.search(r"(?<!\\)\[[^\[\]]*\]\(|(?<![\\\w\u0303])_|(?<=_)\*", page)
    shown = markdown_html(page)
    assert all(text_html(f"“{row.quote}”") in shown for row in QUOTED if row.section)
    assert escaped("[V, W](θ), (T)_* and ‖A‖_p, θ_n, θ*") == r"\[V, W](θ), (T)\_\* and ‖A‖\_p, θ_n, θ*"


@pytest.mark.parametrize("row", QUOTED, ids=lambda row: f"row {row.id}")
@pytest.mark.control
def test_a_changed_quotation_is_caught(row):
    """Each word left out, a sentence added, a letter changed in the text or in a formula, and another case."""
    words = row.quote.split()
    shorter = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(words))]
    assert not any(is_printed(text) for text in shorter if normalise(text) != normalise(row.quote))
    assert not is_printed(row.quote + " Moreover, all of this is false.")
    assert not is_printed(row.quote.replace("e", "o", 1))
    assert not is_printed(row.quote.replace("θ", "η", 1)) or "θ" not in row.quote
    assert not is_printed(row.quote[0].swapcase() + row.quote[1:])


@pytest.mark.control
def test_what_the_errata_once_printed_is_caught():
    """Paraphrases and cut sentences of an earlier version of the page."""
    for text in (
        "the backward order is the only order in which the sequence of the last examples … remains consistent",
        "We see that this approach leads to convergence and increased stability in Figure 3",
        "By independence of the T_i, F_n(θ) = Π_j P((Y_n)_j ≤ θ^j)",
        "T(θ) = θ* + (1 − hH)(θ − θ*)",
        "for small enough h ∈ (0, 1)",
        "",
    ):
        assert not is_printed(text)


def test_sentences_are_read_as_the_docstring_says():
    text = (
        "# Title\n\n**Lemma 1.** *Let $\\theta \\in \\mathbb{R}$, i.e. $x^{*}$, and\n\n$$A \\leq \\frac{a}{b}, "
        "\\quad (1)$$\n\nwhere it holds.* Then\n\n$$B = \\sqrt{ab}$$\n\nNext, we see that $C\n= \\left. D \\right.$."
        "\n\nFigure 1: A picture.\n\n## References\n\n- [1] A. Name. Title.\n\n## A More\n\nThe end."
    )
    assert sentences(text) == [
        "Title",
        "Lemma1.",
        "Letθ∈R,i.e.x*,andA≤a/b,whereitholds.",
        "ThenB=√(ab)",
        "Figure1:Apicture.",
        "Next,weseethatC=D.",
        "AMore",
        "Theend.",
    ]
    assert is_printed("Let θ ∈ ℝ, i.e. x*, and A ≤ a/b, where it holds. Then B = √(ab)", map(digest, sentences(text)))
    assert not is_printed("Let θ ∈ ℝ, i.e. x*, and A ≤ a/b.", map(digest, sentences(text)))


def test_the_data_file_holds_hashes_and_no_text():
    assert len(known()) > 400
    assert all(re.fullmatch(r"[0-9a-f]{64}", line) for line in known())


def test_the_three_kinds_are_kept_apart():
    by_section = {name: {row.id for row, _ in entries(all_statements(), name)} for name in ("errata", "hypotheses")}
    assert not by_section["errata"] & by_section["hypotheses"]
    assert {row.printed for row, _ in entries(all_statements(), "errata")} <= {"TYPO", "WRONG", "LOOSE"}
    assert {row.printed for row, _ in entries(all_statements(), "hypotheses")} == {"HYP"}
    for _, row in ROWS:
        assert row.stands == (row.in_paper and row.section not in ("errata", "hypotheses"))
        assert row.severity != "changes a conclusion"


def test_verdicts_that_the_corrections_of_the_audit_name():
    """Sentences that are true with the words that an earlier version of this page had cut."""
    verdicts = {row.id: row.printed for _, row in ROWS if row.in_paper}
    for row in (6, 16, 22, 26, 30, 39, 53, 55, 59, 71, 73, 74, 76):
        assert verdicts[row] == "OK", row
    assert verdicts[61] == "LOOSE"
    assert {verdicts[row] for row in (8, 37, 50, 51, 63)} == {"HYP"}
    assert verdicts[38] == "WRONG"


def test_what_stands_counts_statements_of_the_paper_once():
    page = errata_markdown(all_statements())
    paper = {row.id for _, row in ROWS if row.in_paper}
    slipped = {row.id for row, _ in slips(all_statements())}
    assert f"We checked {len(paper)} statements and lines of the paper, and {len(paper - slipped)} of them" in page
    assert not paper & {18, 19, 20, 21, 40, 41}


def test_a_run_says_what_its_kind_allows(refutations):
    """What stands is not called refuted; what is in the errata with a run of its own is."""
    for s, row in ROWS:
        verdict = refutations.get((s.name, row.id))
        if verdict is None:
            continue
        assert verdict.holds, (s.name, row.id, verdict)
        if row.section in ("errata", "hypotheses"):
            assert verdict.kind in ("refuted", "loose")
        else:
            assert verdict.kind in ("loose", "beyond"), (s.name, row.id, verdict.kind)
        if verdict.kind == "loose":
            assert verdict.measured <= verdict.claimed
        assert verdict.note


def test_every_slip_is_run_or_one_of_notation(refutations):
    silent = {row.id for row, s in slips(all_statements()) if (s.name, row.id) not in refutations}
    assert silent == {60, 64}


def test_the_numbers_after_run_are_those_that_run(refutations):
    written = PAGE.read_text(encoding="utf-8").splitlines()
    found = errata_markdown(all_statements(), refutations).splitlines()
    assert len(written) == len(found)
    for a, b in zip(written, found, strict=True):
        assert a == b or (a.startswith("- Run: ") and same_run(a, b)), (a, b)


@pytest.mark.control
def test_another_number_is_caught(refutations):
    line = next(x for x in errata_markdown(all_statements(), refutations).splitlines() if "measured 13.95" in x)
    assert same_run(line, line)
    assert not same_run(line.replace("13.95", "999"), line)
    assert not same_run(line.replace("13.95", "13.96"), line)
    assert not same_run(line.replace("Run: measured", "Run: not measured"), line)


@pytest.mark.control
def test_an_entry_that_is_not_confirmed_says_so():
    row = Row(1, "here", "WRONG", quote="Quoted.", correct="Right.", severity="typo")
    s = Statement("s", (), "", "", (row,), lambda: Verdict("s", (1,), "exact", True), lambda rng, tier: ())
    page = errata_markdown((s,), {("s", 1): Verdict("s", (1,), "refuted", False, 1, 2, note="why")})
    assert "NOT CONFIRMED" in page
    loose = Row(1, "here", "LOOSE", quote="Quoted.", beyond="Sharper.")
    page = errata_markdown((_with(s, loose),), {("s", 1): Verdict("s", (1,), "loose", True, 1, 2, note="why")})
    assert "the printed bound holds: measured 1; the bound is 2" in page
    assert "fails" not in page


def _with(s: Statement, row: Row) -> Statement:
    return Statement(s.name, s.paper, s.claim, s.hypotheses, (row,), s.check, s.cases)


@pytest.mark.control
@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"printed": "OK", "severity": "typo", "quote": "Q.", "correct": "C."}, "a severity belongs to every slip"),
        ({"printed": "HYP", "quote": "Q.", "severity": "typo"}, "a correction belongs to every slip"),
        ({"printed": "TYPO", "correct": "C.", "severity": "typo"}, "a slip needs a quote"),
        ({"printed": "BEYOND"}, "a row beyond the paper needs"),
    ],
)
def test_rows_that_say_too_little_are_refused(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        Row(1, "here", **arguments)


def test_the_letter_says_what_was_read_and_what_was_not():
    page = PAGE.read_text(encoding="utf-8")
    assert page.index("Thank you") < page.index("## What stands") < page.index("## Errata\n")
    for words in ("arXiv 2502.01557v1", "arXiv v2 and v3", "TMLR 2025", "We have not compared"):
        assert words in page
