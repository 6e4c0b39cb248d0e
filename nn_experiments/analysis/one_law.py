"""Findings of the study of one law: exact tests at fixed n, their control, and the variance within paths (no torch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contraction.laws import sign_flip_test
from contraction.values import Value
from nn_experiments.analysis.finding import Finding, spread
from nn_experiments.results.studies import Study

__all__ = ["LawTests", "law_tests", "one_law_findings", "variance_share"]

LEVEL = 0.05
#: Steps at which the two orders are compared, as parts of the run; the control looks at backward 1.2 times as far.
QUARTERS = (1, 2, 3)
CONTROL = 1.2
#: The window of paths: this last part of the run.
WINDOW = 0.25


@dataclass(frozen=True, eq=False)
class LawTests(Value):
    """Sign-flip tests of forward against backward at the same n, and of the control.

    Attributes
    ----------
    n
        Steps compared.
    mean, spread
        (n, metric): p-values for the mean, and for the distance from the common median.
    energy
        (n,): p-values of the energy distance of the recorded logits, by swapping the pair of each seed.
    control
        (n, metric): p-values for the mean of forward iterate n against backward iterate 1.2 n.
    halfwidth
        (n, metric): half the width of the 95 % interval of the mean difference, divided by the law's deviation.
    level
        Level of each test, such that the probability of any false alarm among all but the control is at most 0.05.
    seeds
        Number of pairs.
    """

    n: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    energy: np.ndarray
    control: np.ndarray
    halfwidth: np.ndarray
    level: float
    seeds: int


def law_tests(study: Study) -> LawTests:
    """Return the tests of the study of one law.

    Raises
    ------
    ValueError
        If the iterates that the control needs were not recorded.
    """
    n, values = study["n"], study["values"]  # (seed, order, n, metric)
    at = [int(n[-1] * k / 4) for k in QUARTERS]
    later = [round(CONTROL * k) for k in at]
    missing = [k for k in (*at, *later) if k not in n]
    if missing:
        raise ValueError(f"the tests need iterates {', '.join(map(str, missing))}, which were not recorded")
    columns, after = np.searchsorted(n, at), np.searchsorted(n, later)
    forward, backward, control = values[:, 0, columns], values[:, 1, columns], values[:, 1, after]
    pooled = np.stack([forward, backward], 1)
    middle = np.median(pooled.reshape(-1, *pooled.shape[2:]), axis=0)
    shape = forward.shape[1:]
    tables = {
        "mean": forward - backward,
        "spread": np.abs(forward - middle) - np.abs(backward - middle),
        "control": forward - control,
    }
    p = {key: np.array([sign_flip_test(d[:, i, j]).pvalue for i, j in np.ndindex(shape)]) for key, d in tables.items()}
    energy = np.array([_energy_test(study["logits"][:, :, k - 1]) for k in QUARTERS])
    difference = forward - backward
    half = 1.96 * difference.std(0, ddof=1) / np.sqrt(len(values)) / pooled.reshape(-1, *shape).std(0, ddof=1)
    level = LEVEL / (2 * p["mean"].size + len(energy))
    mean, spread, control = (p[key].reshape(shape) for key in ("mean", "spread", "control"))
    return LawTests(np.array(at), mean, spread, energy, control, half, level, len(values))


def _energy_test(logits: np.ndarray, *, resamples: int = 99_999, seed: int = 0) -> float:
    """Return the p-value of the energy distance of both orders' logits (seed, order, …), by swapping pairs.

    With signs s = ±1 for the swaps, the distance is −sᵀKs/S² up to a constant, where K = D_FF − D_FB − D_BF + D_BB.
    """
    flat = logits.reshape(len(logits), 2, -1).astype(float)
    x, y = flat[:, 0], flat[:, 1]

    def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
        return np.sqrt(np.maximum(squares, 0))

    kernel = apart(x, x) - apart(x, y) - apart(y, x) + apart(y, y)
    rng = np.random.default_rng(seed)
    observed, count = -kernel.sum(), 0
    slack = 1e-9 * np.abs(kernel).sum()
    for first in range(0, resamples, 10_000):
        signs = rng.choice([-1.0, 1.0], size=(min(10_000, resamples - first), len(x)))
        count += int((-np.einsum("bi,bi->b", signs @ kernel, signs) >= observed - slack).sum())
    return (count + 1) / (resamples + 1)


def variance_share(values: np.ndarray) -> tuple[float, float]:
    """Return, for both orders, the part of the variance that lies within paths; ``values`` has shape (seed, order, n).

    The mean at each n over seeds and both orders, which estimates the mean of their common law, is subtracted first,
    and with it the trend of training. The variance within a path is that of the remainder about its own mean.
    """
    centred = values - values.mean((0, 1), keepdims=True)
    within = centred.var(axis=2, ddof=1).mean(0)
    total = np.array([np.mean(centred[:, k] ** 2) for k in (0, 1)])
    return float(within[0] / total[0]), float(within[1] / total[1])


def one_law_findings(study: Study) -> list[Finding]:
    """Return the findings: one law at a fixed n, and two kinds of path."""
    tests, metrics = law_tests(study), study.about["metrics"]
    pvalues = np.concatenate([tests.mean.ravel(), tests.spread.ravel(), tests.energy])
    rejected = int((pvalues <= tests.level).sum())
    control = int((tests.control <= tests.level).sum())
    steps = ", ".join(map(str, tests.n))
    sentence = (
        "Section 4",
        "This is in line with the theoretical prediction that backward trajectories SGD converge toward points "
        "distributed according to the distribution induced by forward trajectories (see Theorem 2.6).",
    )
    measured = (
        f"{tests.seeds} seeds, n = {steps}: {pvalues.size} exact sign-flip tests of "
        f"{', '.join(m.replace('_', ' ') for m in metrics)} (means and spreads) and of the logits (energy distance); "
        f"{rejected} reject, smallest p {pvalues.min():.2g}. The mean differences are known to "
        f"±{tests.halfwidth.min():.2g} to ±{tests.halfwidth.max():.2g} deviations of the law (95 %). Control, "
        f"backward at {CONTROL} n: {control} of {tests.control.size} tests of means reject."
    )
    verdict = "equal in law (proved); not contradicted" if not rejected else "rejected: a false alarm or a defect"
    test = (
        f"n = {tests.seeds} pairs, level 0.05/{pvalues.size} each, so that any false alarm has chance at most 0.05; "
        "smallest possible p 1e-5; the control shows what it can see"
    )
    rows = [Finding("One law at a fixed step", *sentence, measured, verdict, test)]
    for name in ("test_loss", "test_error"):
        rows.append(_paths(study, name, metrics.index(name)))
    return rows


def _paths(study: Study, name: str, metric: int) -> Finding:
    n, values = study["n"], study["values"][..., metric]
    kept = n > n[-1] * (1 - WINDOW)
    path = np.log(values[:, :, kept]) if name.endswith("_loss") else values[:, :, kept]
    x = n[kept] - n[kept].mean()
    centred = path - path.mean(-1, keepdims=True)
    residual = centred - (centred @ x / (x @ x))[..., None] * x
    deviation = np.sqrt((residual**2).sum(-1) / (len(x) - 2))
    steadier = int((deviation[:, 1] < deviation[:, 0]).sum())
    share = variance_share(path)
    what = f"{'log ' if name.endswith('_loss') else ''}{name.replace('_', ' ')}"
    ratios = deviation[:, 0] / np.maximum(deviation[:, 1], 1e-300)
    measured = (
        f"{what}, last {int(n[-1] * WINDOW)} steps: backward is less variable on {steadier} of {len(path)} seeds "
        f"(deviation about a line, forward over backward: {spread(np.quantile(ratios, [0.05, 0.5, 0.95]), digits=2)}, "
        f"5 to 95 %). Share of the variance that lies within a path: {share[0]:.0%} forward, {share[1]:.1%} "
        "backward; the rest lies between seeds."
    )
    verdict = "agrees" if steadier == len(path) else f"backward steadier on {steadier} of {len(path)}"
    return Finding(
        f"Two kinds of path: {what}",
        "Appendix A",
        "The backward trajectories are more stable individually along their own paths, but these paths can be very "
        "different from seed to seed (because of the convergence toward different points).",
        measured,
        verdict,
        f"{steadier} of {len(path)} seeds; no test is needed",
    )
