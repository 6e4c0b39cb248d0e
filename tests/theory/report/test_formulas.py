"""Formulas of the page: found in the text, valid MathML with nothing lost, shown without scripts or a network."""

from __future__ import annotations

import doctest
import html
import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contraction.plots import PLOTS
from contraction.report import formulas, mathml
from contraction.report.formulas import formulas_in, text_html
from contraction.report.html import compose, image_html, markdown_html, table_html
from contraction.statements import all_statements

#: Number of parts of an element of MathML; other elements hold what one likes.
PARTS = {"msub": 2, "msup": 2, "mover": 2, "msubsup": 3, "mi": 0, "mn": 0, "mo": 0, "mtext": 0}
KNOWN = {*PARTS, "math", "mrow", "msqrt"}
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵖᵀⁱᵗ₀₁₂₃₄₅₆₇₈₉₊₋ₙₚᵢⱼ", "0123456789+−npTit0123456789+−npij")
SIGNS = str.maketrans({"Σ": "∑", "Π": "∏", "-": "−", "'": "′", "\u0303": "~"})


def texts() -> list[str]:
    """Every text that the page shows with formulas."""
    found = [caption for _, _, caption in PLOTS.values()]
    for s in all_statements():
        found += [s.claim, s.hypotheses]
        found += [text for row in s.rows for text in (row.quote, row.beyond, row.correct, row.why) if text]
    return sorted(set(found))


def plain(text: str) -> str:
    """The characters of a text without those that MathML turns into structure."""
    bare = re.sub(r"[\s\u00a0_^{}()]", "", text.translate(RAISED).translate(SIGNS))
    return "".join(sorted(bare.replace("√", "")))  # sub before sup, whatever the text has first


def check(element: ElementTree.Element) -> None:
    for one in element.iter():
        assert one.tag in KNOWN, one.tag
        if one.tag in PARTS:
            assert len(one) == PARTS[one.tag], ElementTree.tostring(one, encoding="unicode")


@pytest.mark.parametrize("module", [formulas, mathml])
def test_examples_of_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_every_formula_of_the_page_is_valid_and_whole():
    count = 0
    for text in texts():
        parts = formulas_in(text)
        assert "".join(part for part, _ in parts) == text
        for part, is_formula in parts:
            if is_formula:
                root = ElementTree.fromstring(mathml.mathml(part))
                check(root)
                assert plain("".join(root.itertext())) == plain(part), part
                count += 1
        assert plain(
            "".join(ElementTree.fromstring(f"<p>{text_html(text).replace('<wbr>', '')}</p>").itertext())
        ) == plain(text)
    assert count > 500


def test_no_script_sign_is_left_in_the_prose():
    """What is not typeset has neither subscripts nor superscripts nor Greek letters, but for a few words."""
    left = {
        word
        for text in texts()
        for part, is_formula in formulas_in(text)
        if not is_formula
        for word in part.split()
        if re.search(r"[_^α-ω∇Σ²³ⁿ]", word)
    }
    assert left <= {"Perm_c"}, left


@settings(max_examples=400)
@given(st.text(alphabet="aAhknTθΣ_^{}()[]|'*√²ₙ√≤=+−·,. -/1290\u0303∞<>&\"", max_size=40))
@example("0<\u0303 1")
@example("a & \u0303b < c_{d")
def test_any_text_becomes_valid_xml(text):
    parts = formulas_in(text)
    assert "".join(part for part, _ in parts) == text
    root = ElementTree.fromstring(f"<p>{text_html(text).replace('<wbr>', '')}</p>")
    for formula in root.iter("math"):
        check(formula)


@pytest.mark.parametrize(
    ("text", "structure"),
    [
        ("k^n", "<msup><mi>k</mi><mi>n</mi></msup>"),
        ("θ_n", "<msub><mi>θ</mi><mi>n</mi></msub>"),
        ("θ_n^B", "<msubsup><mi>θ</mi><mi>n</mi><mi>B</mi></msubsup>"),
        ("θ^B_n", "<msubsup><mi>θ</mi><mi>n</mi><mi>B</mi></msubsup>"),
        ("θ0", "<msub><mi>θ</mi><mn>0</mn></msub>"),
        ("θ*", "<msup><mi>θ</mi><mo>*</mo></msup>"),
        ("k²ⁿ", "<msup><mi>k</mi><mrow><mn>2</mn><mi>n</mi></mrow></msup>"),
        ("√{2}", "<msqrt><mn>2</mn></msqrt>"),
        ("θ̃_n", '<msub><mover accent="true"><mi>θ</mi><mo>~</mo></mover><mi>n</mi></msub>'),
        ("V_i'", "<msubsup><mi>V</mi><mi>i</mi><mo>′</mo></msubsup>"),
        ("hH", "<mi>h</mi><mi>H</mi>"),
        ("T_{n+1}", "<msub><mi>T</mi><mrow><mi>n</mi><mo>+</mo><mn>1</mn></mrow></msub>"),
        ("δ_θ0", "<msub><mi>δ</mi><msub><mi>θ</mi><mn>0</mn></msub></msub>"),
        ("T_small", "<msub><mi>T</mi><mtext>&#160;small&#160;</mtext></msub>"),
        ("V_iV_j", "<msub><mi>V</mi><mi>i</mi></msub><msub><mi>V</mi><mi>j</mi></msub>"),
    ],
)
def test_structure(text, structure):
    assert mathml.mathml(text) == f"<math>{structure}</math>"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("T_i is k-Lipschitz with k < 1.", ["T_i", "k", "k < 1"]),
        ("a map and A ≤ k^n (D + D · k), where a sum", ["A ≤ k^n (D + D · k)"]),
        ("x ∈ {x + a mod m} uniform", ["x ∈ {x + a mod m}"]),
        ("Section 3.1 and Appendix C, 2000 replicas", []),
        ("on (0, ∞), the j-th of 2N", ["(0, ∞)", "j", "2N"]),
        ("symmetric H (L quadratic)", ["H", "L"]),
        ("T_i's are", ["T_i"]),
        ("E log K < 0 and log d", ["E log K < 0", "log d"]),
        ("I think; I − hH", ["I − hH"]),
        ("“f(x) = x²”", ["f(x) = x²"]),
        ("either/or, (see [32])", []),
    ],
)
def test_where_formulas_begin_and_end(text, found):
    assert [part for part, is_formula in formulas_in(text) if is_formula] == found


def test_long_formulas_may_be_broken_before_relations():
    text = "A ≤ k^n (D + D · k + ⋯ + D · k^{m−n+1}) ≤ D · k^n/(1 − k)"
    pieces = text_html(text).split("<wbr>")
    assert len(pieces) == 3
    assert all(piece.startswith('<math><mo form="infix">≤</mo>') for piece in pieces[1:])
    for piece in pieces:
        check(ElementTree.fromstring(piece))


def test_tables_typeset_only_the_columns_that_are_named():
    page = table_html(("name", "claim"), [("k^n", "k^n"), ("a & b", "pass")], typeset=("claim",))
    assert "<td>k^n</td><td><math>" in page
    assert '<td>a &amp; b</td><td class="pass">pass</td>' in page
    assert '<td class="refuted">refuted, as expected</td>' in table_html(("verdict",), [("refuted, as expected",)])


def test_markdown_keeps_code_and_takes_away_backslashes():
    page = markdown_html("# On T_n\n\n- **Section 2** at \\_{n} `T_1 < 2` and \\[V, W](θ) & d(x, y) < 1\n\nE f")
    assert "<h2>On <math>" in page
    assert "<strong>Section 2</strong>" in page
    assert "<code>T_1 &lt; 2</code>" in page
    assert "\\" not in page
    assert "&amp;" in page
    ElementTree.fromstring(f"<div>{page.replace('<wbr>', '')}</div>")


def test_the_page_needs_neither_scripts_nor_a_network():
    page = compose([]) + image_html(b"", "θ_n ≤ D k^n", "a < b")
    assert "<math>" in page
    assert html.escape("a < b") in page
    assert "<script" not in page
    assert "http" not in page


@pytest.mark.control
def test_lost_characters_and_wrong_numbers_of_parts_are_seen():
    assert plain("k^n+1") != plain("k^n")
    with pytest.raises(AssertionError):
        check(ElementTree.fromstring("<math><msup><mi>k</mi></msup></math>"))
    with pytest.raises(AssertionError):
        check(ElementTree.fromstring("<math><frac/></math>"))
