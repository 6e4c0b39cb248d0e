"""The numbers on the studies and on the front page, by plain NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn_experiments.results.studies import Study
from tests.nn.results.stated_numbers import (
    FASHION,
    REGRESSIONS,
    Said,
    between,
    deviation,
    fixed,
    names_of,
    paths,
    recorded,
    said,
    shown,
    spread,
    steadier,
)

# --- studies --------------------------------------------------------------------------------------------------------


def one_law() -> list[Said]:
    study = recorded("one-law")
    n, metrics = study["n"], study.about["metrics"]
    columns = np.searchsorted(n, (100, 200, 300))
    forward, backward = (study["values"][:, k, columns] for k in (0, 1))
    pooled = np.concatenate([forward, backward])
    half = 1.96 * (forward - backward).std(0, ddof=1) / np.sqrt(len(forward)) / pooled.std(0, ddof=1)
    kept = n > 300
    ratios, within = {}, {}
    for metric in ("test_loss", "test_error"):
        values = study["values"][..., kept, metrics.index(metric)]
        values = np.log(values) if metric == "test_loss" else values
        both = deviation(n[kept], values)
        ratios[metric] = both[:, 0] / both[:, 1]
        centred = values - values.mean((0, 1))
        within[metric] = 100 * centred.var(-1, ddof=1).mean(0) / (centred**2).mean((0, 2))
    assert all((values > 1).all() for values in ratios.values())
    medians = [shown(np.median(values)) for values in ratios.values()]
    return [
        said("known to ±{} to ±{} standard deviations of the law", fixed(half.min()), fixed(half.max())),
        said("on 200 of {} seeds: {} times in log test loss and {} times in test", len(forward), *medians),
        said("lies {} % of it (log test loss) and {} %", *(shown(values[0]) for values in within.values())),
        said("and within a backward path {} % and {} %.", *(shown(values[1]) for values in within.values())),
    ]


def halves(study: Study, space: str) -> dict[str, np.ndarray]:
    """Return the largest increment and tail of the second half over the scale, backward and forward, (setting, R)."""
    runs = study.about["runs"]
    found: dict[str, list[np.ndarray]] = {key: [] for key in ("increment", "tail", "settles", "forward")}
    for n, distances in zip(study["n"], study[space], strict=True):
        late = distances[:, 2 * n >= n[-1]]
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = np.median(late[..., runs.index("independent")], axis=1)
            largest = {run: late[..., runs.index(run)].max(1) for run in runs if run != "other start"}
            rounding = scale <= 1e-9 * distances[:, 0, runs.index("half ahead")]
            ratio = {run: values / scale for run, values in largest.items()}
        travelled = distances[:, 0, runs.index("half ahead")]
        for key, pair in (("settles", ("1 ahead", "half ahead")), ("forward", ("next", "earlier half"))):
            far = np.maximum(*(largest[run] for run in pair))
            found[key].append(np.where(rounding, far <= 1e-9 * travelled, far <= 0.1 * scale).all())
        found["increment"].append(ratio["1 ahead"])
        found["tail"].append(ratio["half ahead"])
    return {key: np.array(values) for key, values in found.items()}


def rates(study: Study, k: int) -> tuple[float, float]:
    """Return the foretold and the measured rate of the increments, from half of the last n above rounding."""
    n, increment, exponent = study["n"][k], study["parameter"][k][..., 0], study["exponent"][k]
    floor = 1e-11 * (1 + np.median(study["norm"][k], axis=0))
    stop = np.flatnonzero((np.median(increment, axis=0) > floor) & (n > 0))[-1]
    start = min(np.flatnonzero(n >= n[stop] / 2)[0], stop - 1)
    with np.errstate(divide="ignore"):
        measured = np.median(np.log(increment[:, stop] / increment[:, start]))
    foretold = np.median(exponent[:, stop] - exponent[:, start])
    return foretold / (n[stop] - n[start]), measured / (n[stop] - n[start])


def atlas() -> list[Said]:
    study = recorded("atlas")
    names, few = names_of(study), "least squares, 10 data in 50 dimensions"
    groups = np.array([setting["group"] for setting in study.about["settings"]])
    known, network = groups == "certified", ~np.isin(groups, ("certified", "convex", "least squares"))
    increments = study["parameter"][known][..., 0]
    steps = study["n"][known][:, None].astype(float)
    excess = increments - study["displacement"][known][..., None] * study["factor"][known][:, None, None] ** steps
    parameter, function = halves(study, "parameter"), halves(study, "function")
    assert not parameter["forward"][known].any()
    settled = [[names[k] for k in np.flatnonzero(space["settles"] & network)] for space in (parameter, function)]
    assert settled == [["MLP, μ = 0.2"], ["linear network, μ = 0.1", "MLP, μ = 0.1", "MLP, μ = 0.2"]]
    convex = groups == "convex"
    assert convex.sum() == 2
    assert not any((space[key] & convex).any() for space in (parameter, function) for key in ("settles", "forward"))
    assert parameter["settles"][groups == "least squares"].all()
    assert [names[k] for k in np.flatnonzero(parameter["forward"])] == [few]
    moving = np.sort(np.median(parameter["tail"], axis=1)[known & ~parameter["settles"]])
    fallen = np.log10(np.median(increments[..., 0], axis=1) / np.median(increments[..., -1], axis=1))
    pairs = np.array([rates(study, k) for k in range(len(groups))])
    certified = pairs[known, 1] / np.log(study["factor"][known])
    shrinking = pairs[pairs[:, 0] < -0.001]
    same = np.sign(pairs[:, 0]) == np.sign(pairs[:, 1])
    assert sorted(np.flatnonzero(np.abs(pairs[:, 0]) < 1e-11)) == [k for k, name in enumerate(names) if few in name]
    assert (same & (np.abs(pairs[:, 0]) < 1e-11)).sum() == 2  # "In two of these 39 it is 0 up to rounding"
    errors = dict(zip(names, np.median(study["error"][..., -1], axis=1), strict=True))
    return [
        said("**Certified settings** ({} settings)", known.sum()),
        said("{} of {} backward increments exceed", (excess > 1e-15).sum(), excess.size),
        said("by more than rounding ({} do by less than 1e-15)", (excess > 0).sum()),
        said("They fall at {} to {} times the certified rate", *between(certified)),
        said("by {} to {} orders of magnitude in all", *between(fallen)),
        said("at most {} of two runs' distance", shown(np.median(parameter["increment"], axis=1)[known].max())),
        said("are still {}, {}, {} and {} of it apart", *(shown(value) for value in moving)),
        said("**Linear networks and MLPs** ({} settings)", network.sum()),
        said("which leaves a test error of {}.", shown(errors["MLP, μ = 0.2"])),
        said("(a linear network, test error {},", shown(errors["linear network, μ = 0.1"])),
        said("that has collapsed, test error {})", shown(errors["MLP, μ = 0.1"])),
        said("increments in {} of {} settings. In two of these {} it", same.sum(), len(pairs), same.sum()),
        said("increments fall at {} to {} times that rate", *between(shrinking[:, 1] / shrinking[:, 0])),
    ]


def misjudged(values: np.ndarray) -> float:
    """Return the chance that a run of the rate with the higher mean is lower than one of the other; (rate, run)."""
    worse, better = sorted(values, key=lambda runs: -runs.mean())
    return float(np.mean((worse[:, None] < better) + 0.5 * (worse[:, None] == better)))


def conjectures() -> list[Said]:
    study = recorded("conjectures")
    curves = dict(zip(study.about["strategies"], study["curves"].astype(float), strict=True))
    steps = dict(zip(study.about["strategies"], study["steps"].tolist(), strict=True))
    first, second = ({name: path[:, -1, k] for name, path in curves.items()} for k in (0, 2))

    def both(name: str) -> tuple[str, str]:
        return shown(np.median(second[name])), shown(np.median(first[name]))

    with np.errstate(invalid="ignore"):
        moved = {name: np.nanstd(np.diff(path[:, -20:, 2], axis=1), axis=1) for name, path in curves.items()}
    late, forward = curves["late backward"], curves["forward"]
    points = np.arange(20)
    straight = [deviation(points, np.log(path[:, -20:, 2])) for path in (late, forward)]
    stopped, regret = {}, {}
    for name in ("late backward", "forward", "moving average"):
        chosen = np.argmin(curves[name][..., 0], axis=1)
        stopped[name] = curves[name][np.arange(20), chosen, 2]
        regret[name] = stopped[name] - curves[name][..., 2].min(1)
    for rival in ("forward", "windows", "reset if better", "backward", "late backward"):
        assert (moved["suffix mean"] < moved[rival]).all()  # "steadier than all of these on 20 of 20"
    less = [[int((v["late backward"] < v[r]).sum()) for r in ("forward", "moving average")] for v in (regret, stopped)]
    counts = [int((end["late backward"] < end["forward"]).sum()) for end in (second, first)]
    judged = study["judged"]  # (forward, backward and moving average; rate; run; loss and error)
    wrong = np.array([[misjudged(way[..., metric]) for way in judged] for metric in (0, 1)])
    return [
        said("| forward | {} | {} [{}] |", steps["forward"], *both("forward")),
        said("of the same forward run | {} | {} [{}] |", steps["suffix mean"], *both("suffix mean")),
        said("then 62 backward | {} | {} [{}] |", steps["late backward"], *both("late backward")),
        said("the one before | {} | {} [{}] |", steps["windows"], *both("windows")),
        said("first half's loss is lower | {} | {} [{}] |", steps["reset if better"], *both("reset if better")),
        said("full backward comes {} steps far", steps["backward"]),
        said("lower than forward on {} of 20 seeds (on the first half of the images: {})", *counts),
        said("steadier than forward on {} of 20 seeds", (moved["late backward"] < moved["forward"]).sum()),
        said("(on {} by the deviation of the log loss about a line)", (straight[0] < straight[1]).sum()),
        said("less regret than forward on {} of 20 seeds, and than the moving average on {}", *less[0]),
        said("is lower than theirs on {} and on {} seeds", *less[1]),
        said("with a chance of {} forward and {} backward by loss", *(fixed(chance, 3) for chance in wrong[0, :2])),
        said("of {} and {} by error", *(fixed(chance, 3) for chance in wrong[1, :2])),
        said("iterates it is {} by loss and {} by error", *(fixed(chance, 3) for chance in wrong[:, 2])),
    ]


def influence() -> list[Said]:
    study = recorded("influence")
    j, names = study["j"], names_of(study)
    moved = np.median(study["parameter"] / study["independent"][..., None], axis=1)
    outputs = np.median(study["function"] / study["independent_function"][..., None], axis=1)
    reach = {}
    for name, row in zip(names, moved, strict=True):
        beyond = np.flatnonzero(row >= 0.01)[-1] + 1
        reach[name] = int(j[beyond]) if beyond < len(j) else None
    known = np.isfinite(study["factor"])
    bound = study["step"][known] * study["factor"][known][:, None, None] ** (j - 1.0)
    above = study["parameter"][known] > bound * (1 + 1e-9) + 1e-12
    mlps = [k for k, name in enumerate(names) if name.startswith("MLP")]
    squares = names.index("least squares, 10 data in 50 dimensions, label noise")
    assert all(row.argmax() == len(j) - 1 for row in moved[mlps])  # the batch applied first moves the most
    assert [int(j[outputs[k].argmax()]) for k in mlps] == [3, 1, 1]
    first = [outputs[k, 0] for k in mlps]
    return [
        said("(no contraction there, exponent {} to rounding)", str(round(float(study["exponent"][squares]), 11) or 0)),
        said("from batch {} (least squares)", reach[names[squares]] or "none"),
        said("to batch {} (ridge softmax) on", max(value for value in reach.values() if value)),
        said("does in its own step ({} of {} cases)", above.sum(), above.size),
        said("the one of least effect by {} to {} %", *between(100 * moved[mlps].min(1))),
        said(
            "applied last: by {} to {}, and the outermost by {} to {}.",
            *between(moved[mlps, -1]),
            *(fixed(f(moved[mlps, 0])) for f in (min, max)),
        ),
        said("the outermost in two MLPs ({} and {})", *(shown(value) for value in sorted(first)[1:])),
        said("without weight decay ({}; the outermost there {})", shown(outputs[mlps[0]].max()), shown(first[0])),
    ]


def optimizers() -> list[Said]:
    balls = recorded("quadratics")
    study = recorded("optimizers")
    norm, _, weighted = balls["heavy_ball"]
    largest = np.median(halves(study, "parameter")["increment"], axis=1)
    ends = np.median(study["parameter"][:, :, -1, 0] / study["parameter"][:, :, -1, 3], axis=1)
    adam, sgd = (
        [
            k
            for k, name in enumerate(names_of(study))
            if ", MLP" in name and name.split(",")[0] in methods and "ε" not in name
        ]
        for methods in (("Adam", "AdamW"), ("SGD", "momentum 0.9"))
    )
    assert (len(adam), len(sgd)) == (4, 4)
    exponents = (f"{value:+.3f}".replace("0.", ".").replace("-", "−") for value in balls["exponent"])
    in_half = (*between(largest[adam]), *between(largest[sgd]))
    at_end = (*between(ends[adam]), *between(ends[sgd]))
    return [
        said("not a Euclidean contraction (the matrix M of its step has ‖M‖ = {})", shown(norm, 3)),
        said("it is one in a weighted norm ({})", shown(weighted, 3)),
        said("exponents are {}, {}, {}, {} at κ = 4, 8, 12, 25", *exponents),
        said("h(1 − β₁)/(2(1 + β₁)) = {} at h = .001", shown(0.001 * (1 - 0.9) / (2 * (1 + 0.9)), 3)),
        said("is {} to {} of two runs' distance with Adam and AdamW, and {} to {} with SGD and momentum", *in_half),
        said("The increment at the last n is {} to {} and {} to {} of it.", *at_end),
    ]


def baselines() -> list[Said]:
    rows, study = [], recorded("baselines")
    for figure in (4, 5, 6, 7):
        ends = study[f"fig{figure}"][..., 1]
        below = [int((ends[:, k] < ends[:, 0]).sum()) for k in (1, 2, 3)]
        write: Callable[[float], str] = {5: lambda v: shown(v, 3), 7: fixed}.get(figure, shown)
        plain, average = ([write(f(ends[:, k])) for f in (np.median, np.min, np.max)] for k in (0, 1))
        rest = [part for k in (2, 3) for part in (write(np.median(ends[:, k])), str(below[k - 1]))]
        columns = "{} ({} to {}) | {} ({} to {}), lower on {} | {}, lower on {} | {}, lower on {}"
        rows.append(said(f"| Figure {figure} | {columns} |", *plain, *average, below[0], *rest))
    return rows


def choices() -> list[Said]:
    study = recorded("choices")
    names = names_of(study)
    n, values = study["n"], study["paths"]

    def ratios(name: str, metric: int = 1) -> np.ndarray:
        k = names.index(name)
        forward, backward = deviation(n[k], np.log(values[k, ..., metric]))
        return forward / backward

    diverging = [k for k, name in enumerate(names) if "he_normal" in name and "regression" in name]
    trained = [np.median(ratios(name)) for k, name in enumerate(names) if k not in diverging]
    ends = values[diverging][..., 1]
    assert not np.isfinite(ends).all(-1).any()  # every path is not finite somewhere in the window
    he = "mlp-fashion, initialisation=he_normal, scaling=standard"
    forward = np.median(values[names.index(he), 0, :, -1, 1])
    at, losses = paths(FASHION, "test_loss")
    same = np.isin(at, n[names.index(he)])
    both = deviation(at[same], np.log(losses[..., same]))
    digits = "mlp-digits, model=convnet"
    return [
        said("The medians are {} to {}.", *between(trained)),
        said("{} of {} paths, forward and backward", (~np.isfinite(ends[..., -1])).sum(), ends[..., -1].size),
        said("forward test loss at step 2000 is {},", fixed(forward)),
        said("where Figure 7 has {}.", fixed(np.median(losses[:, 0, -1]))),
        said("Backward is {} times as steady ({} to {})", *spread(ratios(he))),
        said("By the same measure Figure 7 has {} ({} to {}), but", *spread(both[:, 0] / both[:, 1])),
        said("for every iterate the ratio is {} ({} to {})", *spread(ratios(digits, 3))),
        said("running statistics of the state it is {} ({} to {})", *spread(ratios(digits))),
        said("keeps no statistics, it is {} ({} to {})", *spread(ratios(f"{digits}-group"))),
    ]


def written(values: np.ndarray, decimals: int) -> list[str]:
    """Return median, least and largest value, ``diverged`` where it is not finite."""
    numbers = (np.median(values), np.min(values), np.max(values))
    return [fixed(value, decimals) if np.isfinite(value) else "diverged" for value in numbers]


def order_averaging_table() -> list[Said]:
    study = recorded("order-averaging")
    ends = np.where(np.isfinite(study["ends"][0]), study["ends"][0], np.inf)[..., 1]  # (rate, curve, seed, budget)
    rows = []
    for name, title, decimals, rate in (
        ("regularised-1-derived", "λ = (h/c)²/2, the derived one", (3, 3), (".2", ".2")),
        ("single_order-1-derived", "term of one order", (3, 3), (".2", ".2")),
        ("regularised-0.5", "λ = .5h²", (3, 2), (".05", ".05")),
        ("regularised-1", "λ = h²", (2, 2), (".025", ".025")),
        ("regularised-2", "λ = 2h²", (2, 2), (".0125", ".025")),
        ("regularised-4", "λ = 4h²", (2, 2), (".0031", ".0125")),
        ("forward", "SGD, large batch", (3, 3), (".4", ".4")),
        ("small", "SGD, small batches", (3, 3), (".8", ".8")),
    ):
        k = study.about["curves"].index(name)
        best = [int(np.median(ends[:, k, :, budget], axis=1).argmin()) for budget in (0, 1)]
        assert [fixed(study.about["rates"][b], len(r) - 1) for b, r in zip(best, rate, strict=True)] == list(rate)
        steps, cost = (written(ends[best[b], k, :, b], decimals[b]) for b in (0, 1))
        same = name in ("forward", "small")
        columns = f"{{}} ({{}} to {{}}) at {rate[0]} | " + ("the same" if same else f"{{}} ({{}} to {{}}) at {rate[1]}")
        rows.append(said(f"| {title} | {columns} |", *steps, *([] if same else cost)))
    return rows


def order_averaging() -> list[Said]:
    study = recorded("order-averaging")
    rate, curves = np.array(study.about["rates"]), list(study.about["curves"])
    ends = np.where(np.isfinite(study["ends"][0]), study["ends"][0], np.inf)[..., 0, :]  # (rate, curve, seed, metric)
    fails = ends[..., 0] > np.log(10)
    top = study["eigenvalue"][0]  # (rate, seed, start or end)
    reach, at_start = rate[:, None] * np.nanmax(top, axis=-1), rate[:, None] * top[..., 0]
    multiples = {"regularised-1-derived": 1 / 8} | {f"regularised-{m:g}": m for m in (0.5, 1, 2, 4, 16)}

    def told(hl: np.ndarray, multiple: float) -> np.ndarray:
        return np.abs(1 - hl + multiple * 2 * hl**2) > 1  # c = 2

    verdicts = {
        key: np.array([[told(hl, m), fails[:, curves.index(name)]] for name, m in multiples.items()])
        for key, hl in (("both", reach), ("start", at_start))
    }
    (both, failed), (start, _) = verdicts["both"].swapaxes(0, 1), verdicts["start"].swapaxes(0, 1)
    plain = curves.index("forward")
    assert not fails[:, plain].any()
    printed = [curves.index(f"regularised-{m:g}") for m in (0.5, 1, 2, 4)]
    best = [rate.tolist().index(h) for h in (0.4, 0.8)]
    assert fails[best][:, printed].all()
    with np.errstate(invalid="ignore"):
        falls = (np.diff(ends[:, printed], axis=1) < 0).all(1).sum(1)  # (rate, metric)
    assert (falls[2:, :2] == 0).all()
    at = rate.tolist().index(0.2)
    derived = np.median(ends[at, curves.index("regularised-1-derived"), :, 1])
    relu, tanh = (study["expansion"][study.about["activations"].index(name), ..., 0] for name in ("relu", "tanh"))
    assert tanh.min() > 0.99
    assert (relu[-1] > 0.995).sum() == 5  # "1.00 on five of six seeds"
    return [
        said("(at .2: {}, SGD {})", fixed(derived, 3), fixed(np.median(ends[at, plain, :, 1]), 3)),
        said("right for {} of {} regularised paths", (both == failed).sum(), both.size),
        said("{} of the {} paths have λ = 16h²", both[0].size, both.size),
        said("({} failures missed, {} false alarms)", (failed & ~both).sum(), (both & ~failed).sum()),
        said("which could foretell, it is right for {} ({} missed)", (start == failed).sum(), (failed & ~start).sum()),
        said("condemns {} of plain SGD's {} paths", told(reach, 0).sum(), reach.size),
        said("hΛ is {} to {} and {} to {}, and every", *between(reach[best[0]]), *between(reach[best[1]])),
        said("on {} of 6 seeds (training loss: {}), at .0125 on {} ({})", *falls[0, [1, 0]], *falls[1, [1, 0]]),
        said("For ReLU it is {}, {}, {} and {} (medians)", *(fixed(np.median(row)) for row in relu[:4])),
        said("1e-5 it is {} on five of six seeds and {} on", fixed(np.median(relu[4])), fixed(relu[4].min())),
    ]


def front_page() -> list[Said]:
    medians = [np.median(steadier(name)) for name in REGRESSIONS]
    fashion = [shown(np.median(steadier(FASHION, window=window))) for window in (200, 700)]
    return [
        said("{} to {} times in the log loss of the regressions", *between(medians), page="README.md"),
        said("{} in that of Fashion-MNIST (last 200 steps; {} on the last 700)", *fashion, page="README.md"),
    ]
