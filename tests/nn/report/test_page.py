"""The page: every claim with its sentence and verdict, every figure, nothing loaded from elsewhere."""

from __future__ import annotations

import contextlib
import html
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import contraction.report.html
from contraction.report.html import Section
from nn_experiments import load
from nn_experiments.analysis import Finding, Pairing, findings
from nn_experiments.analysis.paper_claims import CLAIMS, claim_rows
from nn_experiments.analysis.seeds import compare_times
from nn_experiments.cli import main
from nn_experiments.paper import catalogue
from nn_experiments.report import page as report
from nn_experiments.results import blocks
from nn_experiments.results.figure_results import find_results
from tests.nn.synthetic_results import write_synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    write_synthetic(out, "fig4", steps=120, seeds=(0, 2, 3), diverges_at={(3, "backward"): 60})
    write_synthetic(out, "digits", steps=60, seeds=(0, 1), identity="synthetic1")
    write_synthetic(out, "fig5", steps=60, orders=("forward",), identity="synthetic2")  # backward is still to be run
    return out


@pytest.fixture(scope="module")
def of_fig4(folder) -> tuple[Section, list[Finding]]:
    """Figure 4's section of the page and its findings."""
    return report.figure_section(load("fig4", out=folder), catalogue.find("fig4"))


THEORY = [Section("statements", "Every statement", "<p>theory</p>")]


@pytest.fixture(scope="module")
def written(folder, tmp_path_factory) -> tuple[str, str]:
    """The page that the command writes of the folder, with a theory of one sentence, and what it prints."""
    page = tmp_path_factory.mktemp("page") / "page.html"
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(contraction.report.html, "theory_sections", lambda seed=0: (THEORY, True))
        assert main(["report", "--out", str(folder), "--results", str(page.parent / "none"), "--page", str(page)]) == 0
    return page.read_text(), printed.getvalue()


def test_results_are_found_where_all_compared_orders_are(folder, tmp_path):
    assert [found.entry.name for found in find_results([tmp_path, folder])] == ["fig4", "digits"]
    assert find_results([tmp_path]) == []


def test_results_of_record_are_found(folder, tmp_path):
    load("regression-square", out=folder).save(tmp_path / "regression-square.npz")
    (found,) = find_results([tmp_path])
    assert found.entry.name == "fig4"
    assert found.curves.seeds == (0, 2, 3)


def test_variants_on_record_stand_beside_the_experiment(tmp_path, capsys):
    """The experiment's own record is what is loaded unless a tag is asked for; a page has them all."""
    runs, into = tmp_path / "runs", tmp_path / "results"
    for identity, seeds in (("aaa1", (0,)), ("bbb2", (3,))):
        write_synthetic(runs, "fig4", steps=40, seeds=seeds, identity=identity)
    record = ["record", "fig4", "--out", str(runs), "--results", str(into)]
    assert main([*record, "--run-id", "bbb", "--tag", "slow-1"]) == 0
    assert [found.curves.seeds for found in find_results([into])] == [(3,)]  # a tagged record alone
    assert main([*record, "--run-id", "aaa"]) == 0
    assert sorted(path.name for path in into.iterdir()) == ["regression-square--slow-1.npz", "regression-square.npz"]
    assert load("fig4", out=into).seeds == load("fig4", out=into, run_id="aaa1").seeds == (0,)
    assert load("fig4", out=into, tag="slow-1").seeds == load("fig4", out=into, run_id="b").seeds == (3,)
    assert [found.curves.seeds for found in find_results([into])] == [(0,), (3,)]
    with pytest.raises(ValueError, match=r"0 records of .* begins with c; there are aaa1 \(no tag\), bbb2 \(slow-1\)"):
        load("fig4", out=into, run_id="c")
    capsys.readouterr()
    for name in ("", "a--b", "a/b"):
        assert main([*record, "--run-id", "aaa", "--tag", name]) == 2
        assert "a tag consists of letters" in capsys.readouterr().err
    assert main(record) == 2  # which of the two runs?
    assert "several runs" in capsys.readouterr().err
    assert main(["plot", "fig4", "--out", str(into), "--tag", "slow-1", "--pictures", str(tmp_path)]) == 0
    assert (tmp_path / "fig4_slow-1.png").is_file()


def test_variants_of_one_experiment_share_the_page(tmp_path):
    """Varied settings in the same folder, and a run that has only begun, are no hindrance to a report."""
    for rate in ("0.05", "0.01"):
        root = write_synthetic(tmp_path, "fig4", steps=40, seeds=(0,), identity=f"synthetic{rate}")
        settings = blocks.read_settings(root)
        settings["experiment"]["optimizer"]["learning_rate"] = float(rate)
        (root / "experiment.json").write_text(json.dumps(settings))
    begun = tmp_path / "begun"
    blocks.write_settings(begun, {**settings, "identity": "begun"})
    found = find_results([tmp_path])
    assert [result.curves.experiment["identity"] for result in found] == ["synthetic0.05", "synthetic0.01"]
    page = tmp_path / "page.html"
    assert main(["report", "--no-theory", "--out", str(tmp_path), "--results", str(tmp_path), "--page", str(page)]) == 0
    anchors = re.findall(r'<section id="([^"]*)"', page.read_text())
    assert anchors == ["networks", "fig4", "fig4-syntheti"]
    with pytest.warns(UserWarning, match=r"several runs .*--run-id") as caught:
        curves = load("fig4", out=tmp_path)
    assert curves.experiment["identity"] == "synthetic0.05"
    lines = str(caught[0].message).splitlines()[1:]
    assert all(re.search(r" \(last written \d{4}-\d\d-\d\d \d\d:\d\d\):", one) for one in lines)
    assert [re.sub(r" \(last written .*?\)", "", one) for one in lines] == [
        "  synthetic0.05: the catalogue's settings, learning_rate = 0.05",
        "  begun: learning_rate = 0.01, no finished block yet",
        "  synthetic0.01: learning_rate = 0.01",
    ]
    assert main(["plot", "overview", "--out", str(tmp_path), "--pictures", str(tmp_path)]) == 0


def test_a_run_too_short_for_verdicts_is_shown_without(tmp_path, folder):
    """It stands beside the others and keeps none of them from the page."""
    write_synthetic(tmp_path, "fig4", steps=3, seeds=(0,))
    write_synthetic(tmp_path, "digits", steps=60, seeds=(0,), identity="synthetic1")
    page = tmp_path / "page.html"
    assert main(["report", "--no-theory", "--out", str(tmp_path), "--results", str(tmp_path), "--page", str(page)]) == 0
    text = page.read_text()
    assert re.findall(r'<section id="([^"]*)"', text) == ["networks", "fig4", "digits"]
    assert "Too short for verdicts: the last 1 iterates hold 1 recorded ones; three are needed" in text
    section, rows = report.figure_section(load("fig4", out=tmp_path), catalogue.find("fig4"))
    assert rows == []
    assert len(re.findall("<img", section.body)) == 1


def test_a_section_gives_sentence_measurement_and_verdict(folder, of_fig4):
    curves, entry = load("fig4", out=folder), catalogue.find("fig4")
    section, rows = of_fig4
    text = html.unescape(section.body)
    assert [(r.topic, r.verdict) for r in rows] == [(r.topic, r.verdict) for r in findings(curves, entry)]
    assert "2 of 2 seeds: too few to tell" in {row.verdict for row in rows}
    for row in rows:
        for part in (row.sentence, row.measured, row.verdict, row.test):
            assert part in text
    assert entry.claim in text
    assert "REDUCED: 120 of 1,400 steps" in text
    assert "seed 3, backward, from n = 60" in text
    pair = Pairing(curves, entry, "forward", "backward")
    for seed, both in zip(curves.seeds, pair.summaries("test_loss"), strict=True):
        for order, path in zip(("forward", "backward"), both, strict=True):
            row = f"<td>test loss</td><td>{order}</td><td>{seed}</td><td>{path.sd:.3g}</td>".replace("nan", "NaN")
            assert row in text
            assert f"{path.decay_rate:.5f}".replace("nan", "NaN") in text
    assert "7,260" in text  # gradients of the backward path, 120·121/2
    assert len(re.findall("<img", section.body)) == 4  # with residuals: the orders lie on each other beside baselines


def test_the_evidence_on_settling_has_a_row_a_path(folder, of_fig4):
    """Both spaces, both orders, every seed; none where nothing was asked."""
    curves = load("fig4", out=folder)
    section, rows = of_fig4
    table = html.unescape(section.body.split("Evidence on settling, a seed")[1].split("</table>")[0])
    lines = [re.findall("<td>(.*?)</td>", line) for line in table.split("<tr>")[2:]]
    places = [(s, o, str(n)) for s in ("parameter", "function") for o in ("forward", "backward") for n in curves.seeds]
    assert [tuple(line[:3]) for line in lines] == places
    evidence = [e for row in rows for e in row.evidence]
    assert [line[11] for line in lines] == [e.verdict for e in evidence]
    assert all(report._number(e.tail) == line[5] for e, line in zip(evidence, lines, strict=True))
    assert report._evidence([row for row in rows if not row.evidence], curves.seeds, ("forward", "backward")) == ""


def test_every_comparison_names_what_is_compared_and_its_unit(of_fig4):
    entry = catalogue.find("fig4")
    section, rows = of_fig4
    table = html.unescape(section.body.split("Numbers behind the comparisons")[1].split("</table>")[0])
    lines = [re.findall("<td>(.*?)</td>", line) for line in table.split("<tr>")[2:]]
    count = sum(len(row.comparisons) for row in rows)
    assert len(lines) == count > 20
    assert {line[1] for line in lines} == {"log loss", "loss", "steps"}
    for what, unit, first, second, effect, *_ in lines:
        one, other = first.split(": ")[0], second.split(": ")[0]
        assert (one in ("forward", *entry.baselines), other) == (True, "backward")
        if what.startswith(("deviation", "root-mean", "range", "largest change", "tail")):
            assert re.fullmatch(rf"{one} / {other} = [\d.e+-]+", effect)
        else:
            assert re.fullmatch(rf"{one} − {other} = (−?∞|NaN|[\d.e+-]+) {unit}", effect)
        assert (unit == "steps") == (" ≤ " in what or what.startswith("settling time"))
        assert (unit == "log loss") == what.startswith("deviation of the logarithm")
    assert {line[2].split(":")[0] for line in lines} == {"forward", *entry.baselines}
    assert "(left out: seed 3: not finite)" in lines[0][0]
    (deviation,) = (c for row in rows for c in row.comparisons[:1] if row.topic.endswith("path: test loss"))
    assert any(line[2] == f"forward: {', '.join(f'{v:.3g}' for v in deviation.reference)}" for line in lines)
    late = report._effect(compare_times("a", (0,), [11_999.0], [9000.0]), "forward", "backward")
    assert late == "forward − backward = 2,999 steps"
    assert report._effect(compare_times("a", (0,), [3.0], [math.inf]), "forward", "backward").endswith("= −∞ steps")


def test_accuracies_are_compared_as_error_rates(folder):
    rows = findings(load("digits", out=folder), catalogue.find("digits"))
    units = {c.what.removesuffix(" by n = 60"): c.unit for row in rows for c in row.comparisons}
    assert units["best test error"] == units["range about a line, test error"] == "error rate"
    assert units["best test loss"] == "loss"


def test_the_page_is_self_contained_and_has_the_theory_first(written):
    text, printed = written
    places = [text.index(f'<section id="{name}"') for name in ("statements", "networks", "fig4", "digits")]
    assert places == sorted(places)
    assert 'id="fig5"' not in text
    assert re.findall(r'(?:src|href)="(?!data:|#)', text) == []
    assert "fig4: N = 120" in printed


def test_a_statement_that_fails_makes_the_command_fail(tmp_path, monkeypatch):
    write_synthetic(tmp_path, "fig4", steps=3, seeds=(0,), orders=("forward", "backward"))
    words = ["report", "--out", str(tmp_path), "--results", str(tmp_path), "--page", str(tmp_path / "page.html")]
    for holds, status in ((True, 0), (False, 1)):
        monkeypatch.setattr(contraction.report.html, "theory_sections", lambda seed=0, holds=holds: (THEORY, holds))
        assert main(words) == status


def test_without_results_no_page_is_written(tmp_path, folder, monkeypatch, capsys):
    """The command says what is missing, and which command writes a page with the theory alone."""
    page = tmp_path / "new" / "page.html"
    words = ["report", "--out", str(tmp_path / "nowhere"), "--results", str(tmp_path / "neither"), "--page", str(page)]
    monkeypatch.setattr(
        contraction.report.html, "theory_sections", lambda seed=0: ([Section("a", "A", "<p>b</p>")], True)
    )
    for more in ([], ["--no-theory"]):
        assert main([*words, *more]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert f"No results in {tmp_path / 'nowhere'} or {tmp_path / 'neither'}" in err
        assert "the theory alone: python -m contraction report" in err
        assert list(tmp_path.iterdir()) == []


def test_the_more_complete_folder_is_taken_and_named(tmp_path, capsys):
    """A small trial run does not stand for a record of all seeds, in whichever folder it is."""
    whole, trial = tmp_path / "whole", tmp_path / "trial"
    write_synthetic(whole, "fig4", steps=40, seeds=(0, 1))
    write_synthetic(trial, "fig4", steps=60, seeds=(0,))  # further, but fewer values: 2·61 against 2·2·41
    for folders in ((trial, whole), (whole, trial)):
        (found,) = find_results(folders)
        assert (found.folder, found.others, found.curves.seeds) == (whole, (trial,), (0, 1))
    page = tmp_path / "page.html"
    assert main(["report", "--no-theory", "--out", str(trial), "--results", str(whole), "--page", str(page)]) == 0
    sentence = f"2 seeds. REDUCED: 40 of 1,400 steps; 2 of 5 seeds. From the folder {whole}; {trial} has no more of it."
    assert f"{sentence}</p>" in page.read_text()
    assert f"{sentence}\n" in capsys.readouterr().out
    write_synthetic(trial, "fig4", steps=60, seeds=(0, 1), identity="synthetic1")  # complete now: 2·2·61
    assert {found.folder for found in find_results([whole, trial])} == {trial}


@pytest.mark.parametrize("baselines", [(), ("polyak", "ema-0.99")])
def test_only_values_of_compared_orders_count(tmp_path, baselines):
    """Many baselines make a folder no more complete; of two equal folders the first is taken."""
    first, second = tmp_path / "first", tmp_path / "second"
    write_synthetic(first, "fig4", steps=40, seeds=(0, 1), orders=("forward", "backward"))
    write_synthetic(second, "fig4", steps=40, seeds=(0, 1), orders=("forward", "backward", *baselines))
    assert [found.folder for found in find_results([first, second])] == [first]


def test_a_figure_is_not_judged_from_curves_that_end_too_early(tmp_path):
    """Figure 11 shares Figure 2's experiment, but needs the steps that its entry names."""
    least = catalogue.FIGURES["fig11"].at_least
    orders = ("forward", "backward")
    for steps, names in ((least - 100, {"fig2", "fig12"}), (least, {"fig2", "fig11", "fig12"})):
        _write_sparse(tmp_path / str(steps), "fig11", orders, dict.fromkeys(orders, steps))
        assert {found.entry.name for found in find_results([tmp_path / str(steps)])} == names
    _write_sparse(tmp_path / "half", "fig11", orders, {"forward": least, "backward": least - 100})  # still on its way
    assert {found.entry.name for found in find_results([tmp_path / "half"])} == {"fig2", "fig12"}
    words = ["report", "--no-theory", "--out", str(tmp_path / str(least - 100)), "--results", str(tmp_path / "none")]
    assert main([*words, "--page", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text()
    assert "Figure 12" in text
    assert "Figure 11: not run" in text  # its claim has a row, and no verdict
    assert 'id="fig11"' not in text


def test_seeds_are_counted_once(tmp_path):
    """Figure 2 is one seed of Figure 12: its picture is shown, and its seed judged there alone."""
    write_synthetic(tmp_path, "fig12", steps=60, seeds=(0, 1))
    sections = {section.anchor: section for section in report.network_sections(find_results([tmp_path]))}
    assert "Some seeds of Figure 12, where they are judged" in sections["fig2"].body
    assert "Variability" not in sections["fig2"].body
    assert "Variability along a path: train loss" in sections["fig12"].body
    table = sections["networks"].body.split("Every verdict")[1]
    assert "<td>Figure 12</td>" in table
    assert "<td>Figure 2</td>" not in table


def test_the_same_runs_on_another_grid_are_not_counted_again(tmp_path):
    runs, into = tmp_path / "runs", tmp_path / "results"
    write_synthetic(runs, "fig4", steps=60, seeds=(0, 1))
    load("regression-square", out=runs).save(into / "regression-square.npz")
    load("regression-square", out=runs, seeds=(0,)).save(into / "regression-square--every.npz")
    sections = {section.anchor: section for section in report.network_sections(find_results([into]))}
    assert "judged above, on another grid of iterates" in sections["fig4-every"].body
    table = sections["networks"].body.split("Every verdict")[1]
    assert table.count("Variability along a path: train loss") == 1


def test_every_claim_has_a_row(folder, written):
    """What was not run says so; what was has its verdict."""
    body = html.unescape(written[0].split('<section id="networks"')[1].split("<section")[0])
    for claim in CLAIMS:
        assert claim.sentence in body
    rows = claim_rows({"fig4": findings(load("fig4", out=folder), catalogue.find("fig4"))})
    answers = {place: answer for place, _, answer in rows}
    assert "Figure 4: variability along a path: train loss: 2 of 2 seeds: too few to tell" in answers["Appendix A.1"]
    assert "Figure 5: not run" in answers["Appendix A.1"]
    assert answers["Appendix A.6"] == "Figure 11: not run"
    for number in range(14, 20):
        assert answers[f"Appendix D.2.1, Figure {number}"] == f"Figure {number}: not run"
    shown = {name for claim in CLAIMS for name in claim.figures}
    assert shown == {name for name in catalogue.FIGURES if name not in ("fig2", "fig3", "digits")}


def _write_sparse(out: Path, figure: str, orders: tuple[str, ...], last: dict[str, int]) -> None:
    """Write constant curves of seed 0 at every 100th iterate up to each order's last."""
    entry = catalogue.FIGURES[figure]
    about = {"identity": "sparse", "experiment": catalogue.EXPERIMENTS[entry.experiment].to_json(), "data": {}}
    blocks.write_settings(out / "sparse", {**about, "decides": {}})
    for order in orders:
        at = np.arange(0, last[order] + 1, 100)
        block = blocks.Block(at, {name: np.full(len(at), 0.5) for name in entry.metrics}, {"device": "synthetic"})
        blocks.write_block(out / "sparse", 0, order, block, kind="curves")
