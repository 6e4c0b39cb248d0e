"""One self-contained page: the sections of the theory, then a section per figure with pictures, verdicts and numbers.

``python -m nn_experiments report --out out --results results`` uses every figure whose results are in one of the
folders. Each claim of the paper is printed beside the measurement and the verdict, whether they agree or not.
"""

from __future__ import annotations

import argparse
import html
import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from contraction.command_line import DONE, FAILED, REFUSED
from contraction.files import check_writable_folder, write_text
from contraction.report.html import Section, compose, figure_html, table_html
from nn_experiments.analysis import Circumstances, Finding, Pairing, findings
from nn_experiments.analysis.baselines import baseline_costs, weak
from nn_experiments.analysis.pairing import label_of
from nn_experiments.analysis.paper_claims import claim_rows
from nn_experiments.analysis.paths import TooShort
from nn_experiments.analysis.run_summary import circumstances
from nn_experiments.analysis.seeds import Comparison
from nn_experiments.analysis.settling import Evidence
from nn_experiments.analysis.study_findings import study_findings
from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import Figure
from nn_experiments.report import figures
from nn_experiments.report.order_averaging import draw_order_averaging, ends_table, has_order_averaging
from nn_experiments.report.own import own_results, own_section
from nn_experiments.report.studies import STUDY_TITLES, draw_study, study_table
from nn_experiments.results.curves import DEFAULT_OUT, Curves
from nn_experiments.results.figure_results import FigureResults, find_results
from nn_experiments.results.run_folders import unreadable_runs
from nn_experiments.results.studies import Study, find_studies

__all__ = ["figure_section", "main", "network_sections", "unreadable_section", "verdict_rows"]

#: The folder of records unless another is named.
RECORDS = Path("results")
VERDICTS = ("Figure", "Claim", "The paper's sentence", "Measured", "Verdict", "Test and error rates")
_HOW = """
<p>Each claim about a figure is read as several questions, because the answers differ.</p>
<ul>
<li><strong>Variability along a path</strong> is a property of one path, and does differ between orders. Losses are
judged by the deviation of their logarithm about a straight line over the last window, so that neither a path that
still trains nor one on a higher level counts as more variable; the change of a step, which needs no line, other
windows, and the deviation within a path over that between seeds stand beside it.</li>
<li><strong>Converges faster</strong> has two readings that favour opposite orders: the first time that a curve is
below a value, which a path that moves more reaches sooner, and the time from which it stays below, which a steadier
one does. Both are given.</li>
<li>The <strong>value at a fixed step</strong> does not differ: with i.i.d. batches the iterates n of both orders have
one law, for every network. That is proved; no run can add to it.</li>
<li><strong>Convergence to a point</strong> is three questions: whether the path settles from its start, whether the
maps forget a near start, and whether they forget an independent one. All are asked in parameters and in predictions,
in units of the distance of two independent runs from the same start.</li>
<li><strong>Baselines</strong> answer what is asked: an end value, which costs n gradients in every order, or a path,
which costs n²/2 of them backward.</li>
</ul>
<p>The paper speaks of every seed: <em>agrees</em> means that all of at least five seeds bear the sentence out,
<em>disagrees</em> that all contradict it, <em>mixed</em> anything between; with fewer seeds the verdict is a count.
Five seeds of five agree by chance alone once in 32 times. The sign-flip p-values of the tables below are exact for
values at a fixed step; for numbers of a whole path they do not test the order. A value that is not finite is shown
and never averaged away: its seed is left out of the tests by name, and keeps a claim from being called
<em>agrees</em>.</p>
<p>The “training loss at each update” is read in two ways: on a fixed set of training images, and on the newest batch,
which forward has not seen yet and backward has applied first.</p>
"""
#: Figures of the paper that show some seeds of another one: their pictures are shown, and their seeds counted once.
PART_OF = {"fig2": "fig12", "fig3": "fig13"}


def verdict_rows(name: str, rows: Sequence[Finding]) -> list[tuple[str, ...]]:
    """Return one row of the table of verdicts for each finding."""
    return [
        (name, row.topic, f"“{row.sentence}” ({row.place})", row.measured, row.verdict, row.test or "–") for row in rows
    ]


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "not measured"
    if unit == "steps" and math.isfinite(value):
        return f"{value:,.10g}"
    return ("∞" if value > 0 else "−∞") if math.isinf(value) else "NaN" if math.isnan(value) else f"{value:.3g}"


def _comparisons(rows: Sequence[Finding]) -> str:
    header = (
        "quantity",
        "unit",
        "first order, a seed",
        "second order, a seed",
        "median over seeds",
        "Cohen's d",
        "p",
        "smallest p",
    )
    lines = []
    for row in rows:
        for c in row.comparisons:
            numbers = [
                f"{o}: {', '.join(_number(x, c.unit) for x in v)}"
                for o, v in zip(row.compared, (c.reference, c.other), strict=True)
            ]
            lines.append(
                (
                    _what(c),
                    c.unit,
                    *numbers,
                    _effect(c, *row.compared),
                    _number(c.standardised),
                    _number(c.pvalue),
                    _number(c.smallest_pvalue),
                )
            )
    note = (
        "<p>Each row compares the first order named with the second, seed by seed. Cohen's d, for pairs, is of the "
        "differences, of the logarithms of ratios, and of the signs of differences in steps; ∞ steps: never.</p>"
    )
    return note + table_html(header, lines) if lines else ""


def _what(c: Comparison) -> str:
    return f"{c.what} (left out: {'; '.join(c.left_out)})" if c.left_out else c.what


def _effect(c: Comparison, first: str, second: str) -> str:
    """Return the effect as an equation: ``forward / backward = 30.8``, or ``forward − backward = 0.003 loss``."""
    if c.kind == "ratio":
        return f"{first} / {second} = {_number(c.effect)}"
    return f"{first} − {second} = {_number(c.effect, c.unit)} {c.unit}"


def _paths(pair: Pairing) -> str:
    """Return a table with the numbers of every path."""
    header = (
        "curve",
        "order",
        "seed",
        "deviation",
        "detrended",
        "range",
        "detrended",
        "of the logarithm",
        "change of a step",
        "largest jump",
        "tail diameter",
        "decay a step",
        "best",
        "at n",
        "last",
    )
    lines = []
    for metric in pair.metrics:
        for seed, summaries in zip(pair.curves.seeds, pair.summaries(metric), strict=True):
            for order, s in zip((pair.reference, pair.other), summaries, strict=True):
                spreads = (s.sd, s.sd_detrended, s.range, s.range_detrended, s.sd_log, s.rms_change)
                numbers = (*spreads, s.largest_jump, s.tail_diameter)
                rate = "NaN" if math.isnan(s.decay_rate) else f"{s.decay_rate:.5f}"
                row = (*map(_number, numbers), rate, _number(s.best), s.best_at, _number(s.last))
                lines.append((label_of(metric), order, seed, *row))
    return table_html(header, lines)


def _evidence(rows: Sequence[Finding], seeds: Sequence[int], orders: Sequence[str]) -> str:
    header = (
        "space",
        "order",
        "seed",
        "largest increment",
        "mean increment",
        "tail",
        "beyond drift",
        "near starts",
        "independent starts",
        "at iterate 0",
        "independent runs",
        "settles?",
        "forgets near?",
        "forgets independent?",
    )
    lines = []
    for row in rows:
        paths = [(order, seed) for order in orders for seed in seeds]
        for (order, seed), e in zip(paths, row.evidence, strict=False):
            verdicts = (e.verdict, e.near_verdict, e.far_verdict)
            lines.append((e.space, order, seed, *_distances(e), *verdicts))
    return table_html(header, lines) if lines else ""


def _distances(e: Evidence) -> tuple[str, ...]:
    numbers = (e.increment, e.increment_mean, e.tail, e.moved, e.near, e.coupling, e.coupling_start, e.scale)
    return tuple(map(_number, numbers))


def _details(title: str, body: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary>{body}</details>" if body else ""


def _provenance(curves: Curves, about: Circumstances) -> str:
    experiment = curves.experiment.get("experiment", {})
    notes = cast(Mapping[str, str], experiment.get("notes", {}))
    rows = [(name, value, notes.get(name, "")) for name, value in experiment.items() if name != "notes"]
    makers = [(", ".join(f"{key}: {value}" for key, value in maker.items()),) for maker in curves.provenance]
    out = table_html(("setting", "value", "note"), rows) + table_html(("made by",), makers)
    if about.diverged:
        out += table_html(("seed", "order", "first iterate that is not finite"), about.diverged)
    return out


def _origin(result: FigureResults) -> str:
    """Return a sentence that names the folder of the results, and other folders that have no more of them."""
    verb = "has" if len(result.others) == 1 else "have"
    others = f"; {', '.join(map(str, result.others))} {verb} no more of it" if result.others else ""
    return f"From the folder {result.folder}{others}."


def figure_section(
    curves: Curves, entry: Figure, origin: str = "", *, part_of: str = ""
) -> tuple[Section, list[Finding]]:
    """Return a figure's section of the page and its findings (none if its curves are too short for verdicts).

    ``origin`` is a sentence about the source of the results, or empty. If ``part_of`` names another figure, the
    verdicts on these seeds are in the section of that figure, and this one has none.
    """
    about = circumstances(curves, entry)
    number = entry.name.replace("fig", "Figure ")
    body = f"<p>{html.escape(f'{about.label()}. {origin}'.rstrip())}</p>"
    if about.diverged:
        text = "; ".join(f"seed {seed}, {order}, from n = {n}" for seed, order, n in about.diverged)
        body += f"<p><strong>Diverged:</strong> {html.escape(text)}.</p>"
    body += figure_html(figures.draw_figure(curves, entry), f"{number}, the paper's layout, one row per seed.")
    section = Section(entry.name, f"{number}: {entry.title}", body)
    if part_of:
        text = f"Some seeds of {part_of.replace('fig', 'Figure ')}, where they are judged: nothing is counted twice."
        return replace(section, body=f"{body}<p>{text}</p>"), []
    try:
        rows = findings(curves, entry)
    except TooShort as error:
        return replace(section, body=f"{body}<p>Too short for verdicts: {error}.</p>"), []
    ours = " (asked of an experiment that is not the paper's)" if entry.section == "-" else ""
    header = [f"{head}{ours}" if head == "The paper's sentence" else head for head in VERDICTS[1:]]
    body += table_html(header, [row[1:] for row in verdict_rows(number, rows)])
    if not curve_names.compares_steps(entry.orders):
        body += _pictures_and_numbers(curves, entry, rows)
    else:
        heads, lines = ends_table(curves, entry)
        body += "<p>Where curves end: means over seeds ± standard deviations.</p>" + table_html(heads, lines)
    if has_order_averaging(curves, entry):
        caption = f"{number}: what the regulariser does along training."
        body += figure_html(draw_order_averaging(curves, entry), caption)
    body += _details("Numbers behind the comparisons", _comparisons(rows))
    body += _details("Settings, and what made these numbers", _provenance(curves, about))
    return replace(section, body=body), rows


def _pictures_and_numbers(curves: Curves, entry: Figure, rows: Sequence[Finding]) -> str:
    """Return the other pictures of a figure that compares orders, the table of costs, and the numbers of all paths."""
    number = entry.name.replace("fig", "Figure ")
    pair = Pairing(curves, entry, *entry.orders[:2])
    body = ""
    if figures.coincide(curves, entry):
        caption = f"{number}, the last steps: every curve less the mean of both orders."
        body += figure_html(figures.draw_residuals(curves, entry), caption)
    if figures.has_distances(curves, entry):
        caption = f"{number}: what settling is judged by, in parameters and in predictions."
        body += figure_html(figures.draw_settling(curves, entry), caption)
    caption = f"{number} at its cost: every order and baseline against the gradients spent on its path."
    body += figure_html(figures.draw_cost(curves, entry), caption)
    costs = [(o, f"{a:,}", f"{p:,}", _number(m), _number(s), weak(o) or "–") for o, a, p, m, s in baseline_costs(pair)]
    header = (
        "order",
        "gradients of the last iterate",
        "of the recorded path",
        f"{label_of(entry.metrics[0])}, mean of last window",
        "deviation, detrended",
        "note",
    )
    body += f"<p>At n = {pair.last}, medians over seeds:</p>" + table_html(header, costs)
    body += _details(f"Numbers of every path, last {pair.window} steps", _paths(pair))
    return body + _details("Evidence on settling, a seed", _evidence(rows, curves.seeds, (pair.reference, pair.other)))


def study_section(study: Study, rows: Sequence[Finding]) -> Section:
    """Return a study's section of the page: its findings, pictures and table, and how it was computed."""
    title = f"Study: {STUDY_TITLES[study.name]}"
    body = table_html(VERDICTS[1:], [row[1:] for row in verdict_rows(study.name, rows)])
    body += "".join(figure_html(fig, caption) for fig, caption in draw_study(study))
    header, lines = study_table(study)
    body += table_html(header, lines) if lines else ""
    made = [(key, value) for key, value in study.about.items() if key != "settings"]
    return Section(f"study-{study.name}", title, body + _details("What made these numbers", table_html(("", ""), made)))


def _readable(study: Study, unreadable: dict[str, str]) -> tuple[Section, list[Finding]] | None:
    """Return the section and the findings of a study, or None, with the reason in ``unreadable``."""
    try:
        rows = study_findings(study)
        return study_section(study, rows), rows
    except KeyError as error:
        unreadable[f"the study {study.name}"] = f"it lacks {error.args[0]!r}"
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        unreadable[f"the study {study.name}"] = str(error)
    return None


def unreadable_section(unreadable: Mapping[str, str]) -> Section:
    """Return the section that names the files and studies that could not be read, with the reasons."""
    body = "<p>The rest of this page is without them.</p>"
    body += table_html(("what", "why it could not be read"), unreadable.items())
    return Section("unreadable", "What could not be read", body)


def network_sections(
    results: Sequence[FigureResults], studies: Sequence[Study] = (), unreadable: dict[str, str] | None = None
) -> list[Section]:
    """Return the sections of the experiments: all claims and verdicts, then one section per figure and study.

    Studies that cannot be shown are added to ``unreadable``, what -> why; everything there has a section of its own.
    """
    unreadable = {} if unreadable is None else unreadable
    sections: list[Section] = []
    table: list[tuple[str, str, str, str]] = []
    counted: dict[tuple[str, str], set[int]] = {}
    judged: dict[str, list[Finding]] = {}
    whole = {(result.entry.name, result.curves.experiment["identity"]): result.curves.seeds for result in results}
    for result in results:
        curves, entry, identity = result.curves, result.entry, result.curves.experiment["identity"]
        larger = PART_OF.get(entry.name, "")
        part_of = larger if set(curves.seeds) <= set(whole.get((larger, identity), ())) else ""
        section, rows = figure_section(curves, entry, _origin(result), part_of=part_of)
        name = entry.name.replace("fig", "Figure ")
        if section.anchor in {other.anchor for other in sections}:  # the same figure with other settings
            name = f"{name}, tag {result.tag}"
            section = Section(f"{section.anchor}-{result.tag}", f"{section.title}, tag {result.tag}", section.body)
        known = counted.setdefault((entry.name, identity), set())
        if set(curves.seeds) <= known:  # the same runs on another grid
            text = "<p>These seeds are judged above, on another grid of iterates: not counted again.</p>"
            sections.append(replace(section, body=text + section.body))
            continue
        known.update(curves.seeds)
        sections.append(section)
        table += [(name, circumstances(curves, entry).brief(), row.topic, row.verdict) for row in rows]
        judged.setdefault(entry.name, rows)
    of_studies: dict[str, list[Finding]] = {}
    for study in studies:
        if shown := _readable(study, unreadable):
            section, of_studies[study.name] = shown
            sections.append(section)
            rows = of_studies[study.name]
            table += [(f"study {study.name}", "see its section", row.topic, row.verdict) for row in rows]
    missing = [unreadable_section(unreadable)] if unreadable else []
    if not sections:
        return missing
    claims = claim_rows(judged, of_studies)
    summary = _HOW + "<h3>Every claim of the paper about its experiments</h3>"
    summary += table_html(("Place", "The paper's sentence", "What was found"), claims)
    summary += "<h3>Every verdict</h3>" + table_html(("Figure", "What was run", "Claim", "Verdict"), table)
    return [Section("networks", "Networks: the paper's claims and what was measured", summary), *missing, *sections]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nn_experiments report", description="Write one HTML page with all results."
    )
    parser.add_argument("--out", type=Path, help=f"folder of runs (default: {DEFAULT_OUT})")
    parser.add_argument("--results", type=Path, help=f"folder of records (default: {RECORDS})")
    parser.add_argument("--page", type=Path, help="file to write (default: OUT/report.html)")
    parser.add_argument("--no-theory", action="store_true", help="leave the theory's sections out (they take a minute)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the theory's random cases (default: 0)")
    return parser


def main(words: Sequence[str]) -> int:
    """Write the page of the ``report`` command.

    Parameters
    ----------
    words : sequence of str
        The command line after ``report``.

    Returns
    -------
    int
        The exit status: 0; 1 if a statement of the theory fails, or something could not be read; 2 if there are no
        results of networks, or none in the folder that ``--out`` names while ``--results`` is not given. Without
        results nothing is written.
    """
    args = _arguments().parse_args(words)
    out, records = args.out or DEFAULT_OUT, args.results or RECORDS
    if args.out is not None and args.results is None and not _holds_results(out):
        note = " (diagnoses are not part of the report)" if any(out.glob("diagnosis-*.json")) else ""
        print(
            f"No run was found in {out}{note}. To compute one: "
            f"python -m nn_experiments run fig4 --out {out}; for a page of records, name their folder with --results",
            file=sys.stderr,
        )
        return REFUSED
    broken: dict[Path, Exception] = {}
    results = find_results([out, records], broken)
    own_runs = [(curves, out) for curves in own_results(out, unreadable=broken)]
    for folder in dict.fromkeys([out, records]):
        broken |= unreadable_runs(folder)
    studies = find_studies([out, records], broken)
    unreadable = {str(path): str(reason) for path, reason in broken.items()}
    for path, reason in unreadable.items():
        warnings.warn(f"{path} is left out: {reason}", stacklevel=2)
    if not results and not own_runs and not studies:
        print(
            f"No results in {out} or {records}. To compute some: python -m nn_experiments run fig4; "
            "for a page with the theory alone: python -m contraction report",
            file=sys.stderr,
        )
        return FAILED if unreadable else REFUSED
    page = args.page or out / "report.html"
    check_writable_folder(page.parent)
    sections, holds = [], True
    if not args.no_theory:
        from contraction.report.html import theory_sections

        sections, holds = theory_sections(args.seed)
    networks = [*network_sections(results, studies, unreadable), *(own_section(*run) for run in own_runs)]
    for what in list(unreadable)[len(broken) :]:
        warnings.warn(f"{what} is left out: {unreadable[what]}", stacklevel=2)
    print(write_text(page, compose([*sections, *networks])))
    for curves, folder in own_runs:
        print(f"{curves!r}, from the folder {folder}")
    for result in results:
        print(f"{result.entry.name}: {circumstances(result.curves, result.entry).label()}. {_origin(result)}")
    return DONE if holds and not unreadable else FAILED


def _holds_results(folder: Path) -> bool:
    """Return whether a folder has a run, a record or a study."""
    return any(any(folder.glob(pattern)) for pattern in ("*/experiment.json", "*.npz", "studies/*.npz"))
