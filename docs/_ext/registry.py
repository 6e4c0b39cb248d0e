"""Pages that a build writes first: the statements, from the registry, the pages of ``proofs/``, and the findings."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from contraction.plots import gallery
from contraction.plots.style import style
from contraction.statements import all_statements
from contraction.statements.machine_checked import proofs_of
from contraction.statements.records import Statement

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SECTIONS = {
    "section_1": "Introduction",
    "section_2": "Section 2: random contractions",
    "section_3": "Section 3: stochastic gradient descent",
    "section_4_5": "Sections 4 and 5: experiments and conclusion",
    "appendix_c": "Appendix C: expansions",
    "appendix_d": "Appendix D: regularisation",
    "appendix_e": "Appendix E: convergence",
}
#: Pages outside of ``docs/`` and what the site calls them.
COPIES = {"proofs/ERRATA.md": "errata.md", "proofs/README.md": "proofs.md", "results/README.md": "results.md"}
#: The folder of the pictures on the page, which a build draws if it is not there.
PICTURES = "plots"
#: Statement -> the plots of ``python -m contraction rates`` that show it.
PLOTS = {
    "backward_contraction": ("convergence_rates",),
    "constant_maps": ("sample_paths",),
    "quadratic_sgd": ("sample_paths", "increments", "law_distance"),
    "linearized_sgd": ("plane_paths",),
    "log_moment": ("contraction_on_average",),
    "approximate_backward": ("correction_reach", "correction_growth"),
}
HEAD = """# Every statement

Each entry is one statement of the paper, or one that we add. `python -m contraction verify NAME` runs its checks. A
verdict on the printed text is explained under [the audit](audit.md).
"""


def _plain(text: str) -> str:
    """Return the text with Markdown's special characters escaped."""
    return "".join(f"\\{c}" if c in "\\*_<>[]`|#$" else c for c in text)


def _entry(statement: Statement) -> list[str]:
    """Return the entry of one statement as Markdown."""
    names = dict.fromkeys(theorem for proof in proofs_of(statement).values() for theorem in proof.theorems)
    proofs = ", ".join(
        f"[`{theorem}`](../proofs/coq/{file})" for file, _, theorem in (name.partition(":") for name in names)
    )
    source = Path(inspect.getfile(statement.check)).name
    section = statement.check.__module__.split(".")[-2]
    lines = [
        f"### {statement.name}",
        "",
        f"Claim\n: `{statement.claim}`\n",
        f"Holds if\n: {_plain(statement.hypotheses) or 'no further hypothesis'}\n",
        f"Paper\n: {', '.join(statement.paper) or 'beyond the paper'}\n",
    ]
    if statement.rows:
        rows = "; ".join(f"row {row.id} ({_plain(row.place)}): {row.printed}" for row in statement.rows)
        lines += [f"Printed text\n: {rows}\n"]
    lines += [f"Machine-checked\n: {proofs or 'no theorem'}\n"]
    if statement.derivation:
        file = statement.derivation.partition(":")[0]
        lines += [f"Symbolic derivation\n: [`{Path(file).name}`](../{file})\n"]
    lines += [
        f"Code and test\n: [`{source}`](../contraction/statements/{section}/{source}), "
        f"[`{Path(statement.test).name}`](../{statement.test})\n"
    ]
    for name in PLOTS.get(statement.name, ()):
        lines += [
            f"![{name.replace('_', ' ').capitalize()}]({PICTURES}/{name}.png)\n",
            f"{_plain(gallery.PLOTS[name][2])} Drawn by `python -m contraction rates {name}`.\n",
        ]
    return lines


def draw_pictures(app: Sphinx) -> None:
    """Draw the pictures of the statements that are not there yet."""
    folder = Path(app.srcdir) / PICTURES
    names = dict.fromkeys(name for plots in PLOTS.values() for name in plots)
    folder.mkdir(parents=True, exist_ok=True)
    with style():
        for name in names:
            if not (folder / f"{name}.png").exists():
                gallery.draw(name).savefig(folder / f"{name}.png")


def _write(page: Path, text: str) -> None:
    """Write a page unless it says so already, so that Sphinx reads only what has changed."""
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def copy_pages(app: Sphinx) -> None:
    """Copy pages whose links start from another folder into the site."""
    docs = Path(app.srcdir)
    for name, page in COPIES.items():
        folder = name.partition("/")[0]
        text = (docs.parent / name).read_text(encoding="utf-8")
        for inner in ("coq", "figures"):
            text = text.replace(f"]({inner}/", f"](../{folder}/{inner}/")
        for other, target in COPIES.items():
            if other.startswith(f"{folder}/"):
                text = text.replace(f"]({other.removeprefix(f'{folder}/')})", f"]({target})")
        _write(docs / page, text)


def point_to_copies(app: Sphinx, name: str, source: list[str]) -> None:
    """In a page that is read, links to these pages lead to their copies."""
    for other, target in COPIES.items():
        source[0] = source[0].replace(f"](../{other})", f"]({target})")


def write_statements(app: Sphinx) -> None:
    """Write ``statements.md`` into the sources."""
    sections: dict[str, list[str]] = {title: [] for title in SECTIONS.values()}
    for statement in all_statements():
        sections[SECTIONS[statement.check.__module__.split(".")[-2]]] += _entry(statement)
    parts = [HEAD, *(line for title, lines in sections.items() for line in (f"## {title}", "", *lines))]
    _write(Path(app.srcdir) / "statements.md", "\n".join(parts) + "\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages when a build begins."""
    app.connect("builder-inited", draw_pictures)
    app.connect("builder-inited", write_statements)
    app.connect("builder-inited", copy_pages)
    app.connect("source-read", point_to_copies)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
