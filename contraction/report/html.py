"""One self-contained HTML page: sections of text, tables and pictures, opened without a network.

The theory's sections are made here; the network experiments put theirs behind them with the same two types.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contraction.files import check_writable_folder, write_text
from contraction.report.formulas import text_html
from contraction.report.play import play_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from contraction.statements import Statement, Verdict

__all__ = [
    "Section",
    "compose",
    "figure_html",
    "folder_sections",
    "image_html",
    "markdown_html",
    "table_html",
    "theory_report",
    "theory_sections",
]

_CSS = """
:root { color-scheme: light; }
body { font: 16px/1.5 Georgia, 'Times New Roman', serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
h1, h2, h3 { font-family: Helvetica, Arial, sans-serif; line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 2px solid #0072B2; padding-bottom: .2rem; }
nav ul { columns: 2; } nav a, a { color: #005a8e; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font: 13px/1.35 Helvetica, Arial, sans-serif; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid #ddd; }
th { background: #f3f6f8; } td.pass { color: #00664b; font-weight: bold; }
td.FAIL, td.fail { color: #b00020; font-weight: bold; }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; height: auto; }
figcaption { font-size: 14px; color: #444; } code { font-size: .9em; background: #f3f3f3; padding: 0 .2em; }
math { font-size: 1.06em; } td.refuted { color: #005a8e; }
"""


@dataclass(frozen=True)
class Section:
    """One section of the page: an anchor, a title and HTML."""

    anchor: str
    title: str
    body: str


def image_html(data: bytes, caption: str, alt: str) -> str:
    """Return a PNG inside the page with its caption, whose formulas are MathML."""
    source = base64.b64encode(data).decode("ascii")
    return (
        f'<figure><img alt="{html.escape(alt, quote=True)}" src="data:image/png;base64,{source}">'
        f"<figcaption>{text_html(caption)}</figcaption></figure>"
    )


def figure_html(fig: Figure, caption: str, alt: str = "") -> str:
    """Return a matplotlib figure inside the page with its caption."""
    from contraction.plots.style import style

    buffer = io.BytesIO()
    with style():
        fig.savefig(buffer, format="png")
    return image_html(buffer.getvalue(), caption, alt or caption)


def table_html(header: Sequence[str], rows: Iterable[Sequence[object]], typeset: Collection[str] = ()) -> str:
    """Return a table; cells that read "pass", "FAIL" or "refuted, as expected" are coloured.

    Parameters
    ----------
    header
        Names of the columns.
    rows
        Their cells, which are turned into text.
    typeset
        Names of the columns whose formulas become MathML.
    """

    def cell(name: str, value: object) -> str:
        text = text_html(str(value)) if name in typeset else html.escape(str(value))
        if text in ("pass", "FAIL", "fail"):
            return f'<td class="{text}">{text}</td>'
        return f'<td class="refuted">{text}</td>' if text == "refuted, as expected" else f"<td>{text}</td>"

    head = "".join(f"<th>{html.escape(h)}</th>" for h in header)
    body = "".join(f"<tr>{''.join(map(cell, header, row))}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def markdown_html(text: str) -> str:
    """Return a subset of Markdown (headings, paragraphs, lists, bold, code) as HTML; headings go one level down.

    Formulas outside of code become MathML.
    """
    out, in_list = [], False
    for line in text.splitlines():
        if in_list and not line.startswith("- "):
            out.append("</ul>")
            in_list = False
        if line.startswith("- "):
            if not in_list:
                out.append("<ul>")
                in_list = True
            out.append(f"<li>{_inline(line[2:])}</li>")
        elif match := re.match(r"(#+) (.*)", line):
            level = min(len(match[1]) + 1, 6)
            out.append(f"<h{level}>{_inline(match[2])}</h{level}>")
        elif line.strip():
            out.append(f"<p>{_inline(line)}</p>")
    return "\n".join([*out, "</ul>"] if in_list else out)


def _inline(line: str) -> str:
    """One line of Markdown as HTML."""
    pieces = []
    for part in re.split(r"(`[^`]*`|\*\*[^*]*\*\*)", line):
        if part.startswith("`") and len(part) > 1:
            pieces.append(f"<code>{html.escape(part[1:-1])}</code>")
        elif part.startswith("**") and len(part) > 3:
            pieces.append(f"<strong>{_unescaped(part[2:-2])}</strong>")
        else:
            pieces.append(_unescaped(part))
    return "".join(pieces)


def _unescaped(part: str) -> str:
    """Text whose backslashes kept its formulas from being read as Markdown, as HTML with these formulas as MathML."""
    return text_html(re.sub(r"\\([\[_*])", r"\1", part))


def compose(sections: Sequence[Section], title: str = "Training in reverse, checked") -> str:
    """One HTML page of the sections, with a table of contents and nothing loaded from elsewhere."""
    contents = "".join(f'<li><a href="#{s.anchor}">{html.escape(s.title)}</a></li>' for s in sections)
    body = "".join(f'<section id="{s.anchor}"><h2>{html.escape(s.title)}</h2>{s.body}</section>' for s in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_CSS}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<nav><ul>{contents}</ul></nav>{body}</body></html>\n"
    )


def _about(statement: Statement, verdict: Verdict) -> str:
    """Return what a verdict is about: the claim, or the printed sentences, or what goes beyond them."""
    if verdict.kind not in ("refuted", "loose", "beyond"):
        return statement.claim
    rows = [row for row in statement.rows if row.id in verdict.rows]
    quotes = list(dict.fromkeys(row.quote for row in rows if row.quote))
    if verdict.kind == "beyond":
        return "beyond: " + " | ".join(row.beyond for row in rows if row.beyond) if rows else statement.claim
    return "printed: " + " | ".join(quotes) if quotes else statement.claim


def _table(statements: Sequence[Statement], seed: int) -> tuple[Section, bool]:
    """Return the section with one row for each verdict, and whether every statement holds."""
    from contraction.statements.render.table import ratio_text, verdict_text

    results = {s.name: list(s.run(seed)) for s in statements}
    rows = [
        (
            ", ".join(s.paper),
            _about(s, v),
            v.kind,
            v.cases,
            ratio_text(v),
            verdict_text(v),
            v.hypotheses or s.hypotheses,
        )
        for s in statements
        for v in results[s.name]
    ]
    header = ("paper", "statement", "kind", "checks", "worst ratio", "verdict", "hypotheses")
    table = table_html(header, rows, typeset=("statement", "hypotheses"))
    return Section("statements", "Every statement", table), all(
        v.holds for verdicts in results.values() for v in verdicts
    )


def _refutations(statements: Sequence[Statement], seed: int) -> dict[tuple[str, int], Verdict]:
    return {(s.name, row): v for s in statements for row, v in s.refutations(seed).items()}


def _errata(text: str) -> Section:
    """Return the errata, whose title is that of the section."""
    return Section("errata", "Errata", markdown_html(text.split("\n", 1)[1]))


def theory_sections(seed: int = 0) -> tuple[list[Section], bool]:
    """Return the theory's sections (table, plots, the page to play with, errata), and whether every statement holds."""
    from contraction.plots import PLOTS, draw
    from contraction.statements import all_statements
    from contraction.statements.render.errata import errata_markdown

    statements = all_statements()
    table, holds = _table(statements, seed)
    pictures = "".join(figure_html(draw(name), caption, alt=name) for name, (_, _, caption) in PLOTS.items())
    return [
        Section("how", "How to read this page", _ORDERS + _KINDS),
        table,
        Section("plots", "Forward iterates wander, backward iterates settle, and where they do not", pictures),
        Section("play", "A page to play with", play_html()),
        _errata(errata_markdown(statements, _refutations(statements, seed))),
    ], holds


def folder_sections(folder: str, seed: int = 0) -> tuple[list[Section], bool]:
    """Return the sections for the statements of a user's folder (table, errata), and whether every one holds.

    A wrong claim of ``controls=`` that its check does not detect counts as a failure, as in ``verify``.
    """
    from contraction.statements import statements_from
    from contraction.statements.render.errata import errata_of

    statements = statements_from(folder)
    table, holds = _table(statements, seed)
    undetected = [f"{s.name}: {wrong}" for s in statements for wrong in s.undetected(seed)]
    notes = [f"<p>The check holds with the wrong claim “{html.escape(wrong)}”.</p>" for wrong in undetected]
    table = Section(table.anchor, table.title, "".join([*notes, table.body]))
    failed = [v for s in statements for v in s.run(seed) if not v.holds]
    errata = _errata(errata_of(statements, _refutations(statements, seed), folder, failed))
    how = "<p>Each row of the table below is one statement, checked on cases drawn from a seed.</p>"
    return [Section("how", "How to read this page", how + _KINDS), table, errata], holds and not undetected


def theory_report(path: str | Path, seed: int = 0, folder: str | None = None) -> tuple[Path, bool]:
    """Write the theory's page, or that of a folder of statements; return its path and whether every statement holds."""
    check_writable_folder(Path(path).parent)
    if folder is None:
        sections, holds = theory_sections(seed)
        return write_text(path, compose(sections)), holds
    sections, holds = folder_sections(folder, seed)
    return write_text(path, compose(sections, f"The statements of {folder}, checked")), holds


_ORDERS = """
<p>The paper applies the random maps of a stochastic optimizer in two orders: the usual <em>forward</em> one,
T<sub>n</sub>…T<sub>1</sub>θ, and the <em>backward</em> one, T<sub>1</sub>…T<sub>n</sub>θ. Each row of the table below
is one statement, checked on randomly generated cases.</p>
"""
_KINDS = """
<ul><li><strong>exact</strong>: two exact objects are equal (rational arithmetic).</li>
<li><strong>tight</strong>: measured and claimed numbers agree from both sides within a derived rounding bound.</li>
<li><strong>upper</strong>: the measured number is at most the claimed one; the worst ratio is shown.</li>
<li><strong>statistical</strong>: a test with stated sample size and error rates.</li>
<li><strong>refuted</strong>: the printed form was run and fails, as expected; its correction, or the hypothesis to
add, is in the errata.</li>
<li><strong>loose</strong>: the printed bound holds but is not attained.</li>
<li><strong>beyond</strong>: the printed text holds; the check shows something that it does not state.</li></ul>
"""
