"""Findings of the recorded studies, compared with plain NumPy on their arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nn_experiments.analysis.conjectures import conjecture_table, influence_table
from nn_experiments.analysis.end_values import end_value_table
from nn_experiments.analysis.one_law import variance_share
from nn_experiments.analysis.quadratics import quadratic_table
from nn_experiments.analysis.settling_studies import rows, settling_table
from nn_experiments.analysis.study_findings import study_findings
from nn_experiments.results.studies import Study, load_study, study_path

RESULTS = Path(__file__).parents[3] / "results"
SETTLES, MOVES, TRAINS, UNDECIDED = "settles", "does not settle by N", "still training", "undecided"


def recorded(name: str) -> Study:
    return load_study(study_path(name, RESULTS))


def told(name: str) -> dict[str, tuple[str, str]]:
    """Return topic -> (measured, verdict)."""
    return {row.topic: (row.measured, row.verdict) for row in study_findings(recorded(name))}


def middle(values: np.ndarray, digits: int = 3) -> str:
    """Return median and range, as texts give them."""
    low, median, high = (f"{value:.{digits}g}" for value in (np.min(values), np.median(values), np.max(values)))
    return f"{median} ({low} to {high})"


# --- where training settles -----------------------------------------------------------------------------------------


def settled(increment: float, tail: float, scale: float) -> str:
    """The rule, as the report states it, where the scale is no rounding."""
    if increment >= 0.5 * scale:
        return MOVES
    if increment <= 0.1 * scale and tail <= 0.1 * scale:
        return SETTLES
    if tail > 2 * scale:
        return TRAINS
    return MOVES if tail >= 0.5 * scale else UNDECIDED


def by_hand(study: Study, space: str, k: int) -> dict[str, list]:
    """Return, for each replicate of a setting, what the second half of its run holds."""
    n, found = study["n"][k], {key: [] for key in ("one", "tail", "far", "step", "earlier", "backward", "forward")}
    for d in study[space][k]:  # (K, run): 1 ahead, half ahead, other start, independent, next, earlier half
        late = [d[i] for i in range(len(n)) if 2 * n[i] >= n[-1]]
        scale = np.median([row[3] for row in late])
        one, tail, step, earlier = (max(row[c] for row in late) for c in (0, 1, 4, 5))
        far = np.median([row[2] for row in late])
        for key, value in zip(found, (one, tail, far, step, earlier), strict=False):
            found[key].append(value / scale if scale else np.nan)
        exact = scale <= 1e-9 * d[0, 1]  # every run ends in one point: rounding of the way travelled
        for order, a, b in (("backward", one, tail), ("forward", step, earlier)):
            point = SETTLES if max(a, b) <= 1e-9 * d[0, 1] else UNDECIDED
            found[order].append(point if exact else settled(a, b, scale))
    return found


@pytest.mark.parametrize("name", ["atlas", "optimizers"])
@pytest.mark.parametrize("space", ["parameter", "function"])
def test_rows_of_settings_are_medians_over_replicates(name, space):
    study = recorded(name)
    for k, row in enumerate(rows(study, space)):
        found = by_hand(study, space, k)
        if not np.isnan(found["one"]).any():
            measured = (row.increment, row.tail, row.far, row.forward_increment, row.forward_tail)
            expected = [np.median(found[key]) for key in ("one", "tail", "far", "step", "earlier")]
            assert measured == pytest.approx(expected)
        for verdicts, which in ((row.backward, "backward"), (row.forward, "forward")):
            assert verdicts == {kind: found[which].count(kind) for kind in found[which]}
        assert row.last_increment == pytest.approx(np.median(study[space][k][:, -1, 0]), abs=0)
        assert row.error == pytest.approx(np.median(study["error"][k][:, -1]), nan_ok=True)
        certified = np.median(study["displacement"][k]) * study["factor"][k] ** int(study["n"][k][-1])
        assert row.bound == pytest.approx(certified if space == "parameter" else np.nan, nan_ok=True)


@pytest.mark.parametrize("name", ["atlas", "optimizers"])
def test_rates_are_slopes_over_the_stretch_above_rounding(name):
    """From halfway to the last iterate whose increment is no rounding, to it; for the exponent the same stretch."""
    study = recorded(name)
    for k, row in enumerate(rows(study)):
        n, one = study["n"][k], study["parameter"][k][..., 0]
        for stop in range(len(n) - 1, 0, -1):
            if np.median(one[:, stop]) > 1e-11 * (1 + np.median(study["norm"][k][:, stop])):
                break
        start = min(next(i for i in range(len(n)) if 2 * n[i] >= n[stop]), stop - 1)
        span = n[stop] - n[start]
        with np.errstate(divide="ignore"):
            rate = np.median([np.log(r[stop]) - np.log(r[start]) for r in one]) / span
        assert row.rate == pytest.approx(rate)
        foretold = np.median([q[stop] - q[start] for q in study["exponent"][k]]) / span
        assert row.exponent == pytest.approx(foretold, abs=0)


def test_what_is_said_of_the_atlas():
    study, found, every = recorded("atlas"), told("atlas"), rows(recorded("atlas"))
    known = np.flatnonzero(np.isfinite(study["factor"]))
    checked = above = 0
    worst = 0.0
    for k in known:
        for r, i in np.ndindex(study["parameter"][k].shape[:2]):
            bound = study["displacement"][k][r] * study["factor"][k] ** float(study["n"][k][i])
            size, rounding = study["parameter"][k][r, i, 0], 1e-11 * (1 + study["norm"][k][r, i])
            checked, above = checked + 1, above + (size > bound * (1 + 1e-9) + rounding)
            worst = max(worst, size / bound if size > rounding else 0)
    both = {k: by_hand(study, "parameter", k) for k in range(len(every))}
    still = [k for k in both if set(both[k]["backward"]) == {SETTLES}]
    measured, verdict = found["Where the theorem applies"]
    assert f"{len(known)} linear models with weight decay, {study.about['seeds']} replicates" in measured
    assert f"every one of {checked} backward increments is at most D kⁿ but for {above} " in measured
    assert f"(largest ratio {worst:.2g}, rounding apart)" in measured
    assert f"on every replicate in {len(set(still) & set(known))}: " in measured
    largest = max(np.median(both[k]["one"]) for k in known)
    assert f"; forward in 0. In the second half backward increments are at most {largest:.2g} of" in measured
    tails = [np.median(both[k]["tail"]) for k in known if k not in still]
    ends = f"iterates n and n + N/2 are {min(tails):.2g} to {max(tails):.2g} of it apart."
    assert measured.endswith(f"; where it does not settle, {ends}")
    assert verdict == f"{len(set(still) & set(known))} of {len(known)} settle by N"
    for space, where in (("parameter", "parameters"), ("function", "outputs")):
        here = [by_hand(study, space, k) for k in range(len(every))]
        backward, forward = (
            [k for k, one in enumerate(here) if set(one[which]) == {SETTLES}] for which in ("backward", "forward")
        )
        neither = [k for k, one in enumerate(here) if SETTLES not in one["backward"] + one["forward"]]
        measured, verdict = found[f"Where training settles: {where}"]
        counts = f"backward in {len(backward)} of {len(every)}, forward in {len(forward)}, neither in {len(neither)}"
        assert verdict == counts
        for k in backward:
            error = np.median(study["error"][k][:, -1])
            name = study.about["settings"][k]["name"]
            assert (name if np.isnan(error) else f"{name} (test error {error:.2g})") in measured
        groups = [study.about["settings"][k]["group"] for k in neither]
        text = ", ".join(f"{group} {groups.count(group)}" for group in dict.fromkeys(groups))
        assert f"Neither on any in {len(neither)} ({text})." in measured
    exponents, rates = (np.array([getattr(row, name) for row in every]) for name in ("exponent", "rate"))
    assert np.isfinite([exponents, rates]).all()
    ranks = [np.array([(v < x).sum() for x in v]) for v in (exponents, rates)]
    same = (np.sign(exponents) == np.sign(rates)).sum()
    measured, verdict = found["The exponent foretells settling"]
    assert f"has the sign of the measured rate in {same}; " in measured
    assert f"rank correlation {np.corrcoef(np.array(ranks))[0, 1]:.2f}." in measured
    of = {True: exponents[still], False: np.delete(exponents, still)}
    assert f"their exponents are {of[True].min():.2g} to {of[True].max():.2g} a step" in measured
    assert f"those of the others {of[False].min():.2g} to {of[False].max():.2g}." in measured
    flat = [study.about["settings"][k]["name"] for k in still if exponents[k] > -1e-3]
    assert f"Settled without a clearly negative one: {'; '.join(flat)}, where data leave" in measured
    growing = ((exponents < 0) & (rates > 0)).sum()
    expected = f"same sign in {same} of {len(every)}; a negative exponent and growing increments in {growing}"
    assert verdict == expected


@pytest.mark.parametrize("name", ["atlas", "optimizers"])
def test_the_table_of_settings_holds_their_rows(name):
    study = recorded(name)
    header, lines = settling_table(study)
    assert len(header) == len(lines[0]) == 14
    for line, a, b in zip(lines, rows(study), rows(study, "function"), strict=True):
        assert line[0] == a.name
        assert line[1] == ("–" if np.isnan(a.error) else f"{a.error:.2g}")
        numbers = (a.exponent, a.rate, a.increment, a.forward_increment, b.increment, b.forward_increment)
        assert [float(text) for text in line[2:8]] == pytest.approx(numbers, rel=0.06, nan_ok=True, abs=0)
        for text, verdicts in zip(line[8:12], (a.backward, b.backward, a.forward, b.forward), strict=True):
            kinds = [f"{kind} {count}" for kind, count in verdicts.items()]
            assert text == (", ".join(kinds) if len(kinds) > 1 else next(iter(verdicts)))
        assert float(line[12]) == pytest.approx(a.last_increment, rel=0.06, abs=0)
        assert line[13] == ("–" if np.isnan(a.bound) else f"{a.bound:.2g}")


# --- one law, two kinds of path -------------------------------------------------------------------------------------


def residuals(n: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values - np.polyval(np.polyfit(n, values, 1), n)


def test_what_is_said_of_two_kinds_of_path():
    """The last quarter of every path, seed by seed; the tests at fixed n are in `test_study_edges`."""
    study = recorded("one-law")
    few = {"values": study["values"][:12], "logits": study["logits"][:12]}  # a quick exact test
    found = {row.topic: row for row in study_findings(Study("one-law", dict(study.arrays) | few, study.about))}
    n = study["n"]
    late = n > 0.75 * n[-1]
    for topic, metric, log in (("log test loss", 1, True), ("test error", 2, False)):
        paths = study["values"][:12, :, :, metric][..., late]
        paths = np.log(paths) if log else paths
        deviation = np.array(
            [[np.sqrt((residuals(n[late], v) ** 2).sum() / (late.sum() - 2)) for v in both] for both in paths]
        )
        ratios = deviation[:, 0] / deviation[:, 1]
        quantiles = np.quantile(ratios, [0.05, 0.5, 0.95])
        row = found[f"Two kinds of path: {topic}"]
        lower = (ratios > 1).sum()
        assert f"{topic}, last 100 steps: backward is less variable on {lower} of 12 seeds" in row.measured
        assert f"forward over backward: {middle(quantiles, 2)}, 5 to 95 %)" in row.measured
        centred = paths - paths.mean((0, 1))
        share = [np.mean([v.var(ddof=1) for v in one]) / np.mean(one**2) for one in np.moveaxis(centred, 1, 0)]
        assert variance_share(paths) == pytest.approx(tuple(share))
        assert f"within a path: {share[0]:.0%} forward, {share[1]:.1%} backward" in row.measured
        assert row.verdict == ("agrees" if lower == 12 else f"backward steadier on {lower} of 12")


# --- the conclusion's conjectures -----------------------------------------------------------------------------------


def strategies(study: Study) -> dict[str, dict[str, np.ndarray]]:
    """Return strategy -> what its path ends with, seed by seed."""
    found = {}
    for name, paths in zip(study.about["strategies"], study["curves"], strict=True):  # (seed, point, 4)
        own = {key: np.empty(len(paths)) for key in ("loss", "error", "deviation", "stopped", "regret", "other half")}
        for s, path in enumerate(paths):
            path = path[np.isfinite(path[:, 0])]
            stop = min(range(len(path)), key=lambda i: path[i, 0])
            changes = np.diff(paths[s][-20:, 2])
            own["other half"][s], _, own["loss"][s], own["error"][s] = paths[s][-1]
            own["deviation"][s] = np.sqrt(np.nanmean((changes - np.nanmean(changes)) ** 2))
            own["stopped"][s] = path[stop, 2]
            own["regret"][s] = path[stop, 2] - min(path[:, 2])
        found[name] = own
    return found


def fewer(ours: np.ndarray, theirs: np.ndarray) -> str:
    return f"{sum(a < b for a, b in zip(ours, theirs, strict=True))} of {len(ours)}"


def test_what_is_said_of_the_conjectures():
    study, found = recorded("conjectures"), told("conjectures")
    own, seeds = strategies(study), study.about["seeds"]
    rivals = ("forward", "suffix mean", "decay to 0", "moving average", "average of snapshots")
    for name, topic in (
        ("windows", "Backward in windows"),
        ("reset if better", "A reset only if it is better"),
        ("late backward", "Backward only later"),
    ):
        measured, verdict = found[topic]
        ours = own[name]
        steps = int(study["steps"][list(own).index(name)])
        assert measured.startswith(
            f"digits: it comes {steps:,} steps far. Loss at the end on the half of the test images"
        )
        assert f"that no decision uses: {middle(ours['loss'])} against" in measured
        assert f"{middle(own['forward']['loss'])} forward and {middle(own['suffix mean']['loss'])} of" in measured
        lower = "; ".join(f"{rival} {fewer(ours['loss'], own[rival]['loss'])}" for rival in rivals)
        steady = "; ".join(f"{rival} {fewer(ours['deviation'], own[rival]['deviation'])}" for rival in rivals)
        assert f"Lower than on seeds: {lower}; on the other half lower than forward on" in measured
        assert f"on {fewer(ours['other half'], own['forward']['other half'])}. Steadier (deviation of" in measured
        assert f"the changes of the loss between the last 20 points) than: {steady}." in measured
        suffix, plain = (fewer(ours["loss"], own[rival]["loss"]) for rival in ("suffix mean", "forward"))
        assert verdict == f"lower test loss than the suffix mean on {suffix} seeds, than forward on {plain}"
    measured, verdict = found["Early stopping"]
    texts = [f"{name} {middle(own[name]['regret'])}" for name in ("forward", "late backward", "moving average")]
    assert f"{'; '.join(texts)}; suffix mean {middle(own['suffix mean']['regret'])}. Loss where stopped" in measured
    late = own["late backward"]
    stopped = [fewer(late["stopped"], own[name]["stopped"]) for name in ("forward", "moving average")]
    assert f"lower than forward on {stopped[0]}, than the moving average on {stopped[1]}." in measured
    regret = [fewer(late["regret"], own[name]["regret"]) for name in ("forward", "moving average")]
    assert verdict == f"less regret than forward on {regret[0]} seeds, than the moving average on {regret[1]}"
    header, lines = conjecture_table(study)
    assert len(set(header)) == len(lines[0])
    for k, (line, name) in enumerate(zip(lines, own, strict=True)):
        ends = [middle(own[name][key]) for key in ("loss", "error", "deviation", "regret")]
        assert line == (name, f"{int(study['gradients'][k]):,}", f"{int(study['steps'][k]):,}", *ends)
    assert found["Backward only later"][0].count(f"of {seeds}") == 11


def test_the_chance_to_rank_two_rates_wrongly():
    """All pairs of runs, one of each rate; the rate with the lower mean is the better one, and a tie is half a loss."""
    study, (measured, _) = recorded("conjectures"), told("conjectures")["Early judgement"]
    for c, what in enumerate(("loss", "error")):
        chances = []
        for way in range(3):
            one, other = study["judged"][way, :, :, c]
            good, bad = (one, other) if one.mean() < other.mean() else (other, one)
            points = [(b < g) + 0.5 * (b == g) for g in good for b in bad]
            chances.append(sum(points) / len(points))
        text = "forward {:.3f}, backward {:.3f}, moving average {:.3f}".format(*chances)
        assert f"by {what}: {text}" in measured
    assert f"learning rates {study.about['rates'][0]:g} and {study.about['rates'][1]:g} wrongly at" in measured
    assert f"at step {study.about['judged_at']}, by" in measured
    (error,) = [row.test for row in study_findings(study) if row.topic == "Early judgement"]
    assert error.startswith("200 runs a rate; the standard error of a chance of .2 is about 0.028 at most")


# --- influence ------------------------------------------------------------------------------------------------------


def test_what_is_said_of_influence():
    study, found = recorded("influence"), told("influence")
    j, settings = study["j"], study.about["settings"]
    header, lines = influence_table(study)
    checked = above = 0
    short, texts = 0, found["What the backward iterate depends on"][0]
    for k, (setting, line) in enumerate(zip(settings, lines, strict=True)):
        moved = np.array([np.median(study["parameter"][k][:, i] / study["independent"][k]) for i in range(len(j))])
        outputs = np.median(study["function"][k][:, 0] / study["independent_function"][k])
        late = [i for i in range(len(j)) if all(moved[i:] < 0.01)]
        if np.isfinite(study["factor"][k]):
            for r, i in np.ndindex(study["parameter"][k].shape):
                bound = study["step"][k][r, i] * study["factor"][k] ** float(j[i] - 1)
                checked, above = checked + 1, above + (study["parameter"][k][r, i] > bound * (1 + 1e-9) + 1e-12)
        short += bool(late)
        where = f"below 1 % from batch {j[late[0]]} on" if late else "never below 1 %"
        said = f"{setting['name']}: the outermost batch {moved[0]:.2g}, the innermost {moved[-1]:.2g} of two"
        assert said in texts
        assert f"distance, {where}" in texts.split(said)[1].split(";")[0]
        places = [next(i for i in range(len(j)) if j[i] >= wanted) for wanted in (1, 10, 100, j[-1])]
        ends = (f"{outputs:.2g}", str(j[late[0]]) if late else "none", f"{study['exponent'][k]:.2g}")
        certified = f"{study['factor'][k]:.5g}" if np.isfinite(study["factor"][k]) else "–"
        assert line == (setting["name"], *(f"{moved[i]:.2g}" for i in places), *ends, certified)
        assert [f"batch {j[i]} " in header[1 + c] for c, i in enumerate(places)] == [True] * 4
    verdict = found["What the backward iterate depends on"][1]
    assert verdict == f"only the outermost batches matter in {short} of {len(settings)} settings"
    measured, verdict = found["The influence bound"]
    assert f"{above} of {checked} measurements" in measured
    assert (above, verdict) == (0, "agrees")


# --- optimizers on quadratics, end values ---------------------------------------------------------------------------


def test_what_is_said_of_quadratics():
    study, found = recorded("quadratics"), told("quadratics")
    norm, radius, weighted = study["heavy_ball"]
    _, lines = quadratic_table(study)
    assert lines[0][1] == f"‖M‖ = {norm:.3g}, ρ(M) = {radius:.3g}, ‖M‖_P = {weighted:.4g}"
    assert [line[2] for line in lines[1:5]] == ["both forget their start"] * 2 + ["both orders diverge"] * 2
    assert [line[2] for line in lines[5:10]] == ["converges"] * 2 + ["oscillates"] * 3  # the threshold is 2.63e-5
    for line, eps, amplitude in zip(lines[5:10], study["eps"], study["amplitude"], strict=True):
        assert line[0].endswith(f"ε = {eps:.2g}")
        assert line[1] == f"amplitude {amplitude:.2g} (stable for ε > 2.63e-05)"
        assert (line[2] == "converges") == (eps > 2.63e-5)
    assert found["Heavy ball with additive noise"][1] == "agrees, in a weighted norm"
    measured, verdict = found["Heavy ball with curvature that depends on the batch"]
    assert "κ = 4: -0.448, κ = 8: -0.088, κ = 12: +0.057, κ = 25: +0.245" in measured
    assert f"largest radius {max(study['radius']):.3g}" in measured
    assert verdict.startswith("diverges in 2 of 4")
    wrong = dict(study.arrays) | {"heavy_ball": np.array([0.9, 0.8, 0.95])}  # no example of anything: ‖M‖ is below 1
    rows = {row.topic: row.verdict for row in study_findings(Study("quadratics", wrong, study.about))}
    assert rows["Heavy ball with additive noise"] == "rejected: a defect"


def test_what_is_said_of_end_values():
    study, found = recorded("baselines"), told("baselines")
    header, lines = end_value_table(study)
    ways = study.about["ways"]
    for f, name in enumerate(("fig4", "fig5", "fig6", "fig7")):
        ends, title = study[name], name.replace("fig", "Figure ")
        measured, verdict = found[f"One end value: {title}"]
        plain = ends[:, 0, 1]
        assert f"{len(ends)} seeds: the last forward iterate {middle(plain)};" in measured
        for k in (1, 2, 3):
            below = sum(a < b for a, b in zip(ends[:, k, 1], plain, strict=True))
            assert f"{ways[k]} {middle(ends[:, k, 1])}, lower than the last iterate on {below}" in measured
        assert measured.count("lower than the last iterate on") == 3
        best = min((1, 2, 3), key=lambda k: np.median(ends[:, k, 1]))
        wins = sum(a < b for a, b in zip(ends[:, best, 1], plain, strict=True))
        said = {5: "agrees", 0: "disagrees"}.get(wins, f"mixed: {wins} of 5")
        assert verdict == f"{ways[best]} lower than the last iterate: {said}"
        for k, line in enumerate(lines[4 * f : 4 * f + 4]):
            cells = [middle(ends[:, k, c]) if np.isfinite(ends[:, k, c]).all() else "–" for c in range(4)]
            assert line == (title, ways[k], *cells)
            assert len(line) == len(header)
