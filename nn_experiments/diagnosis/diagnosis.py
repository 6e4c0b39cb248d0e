"""The result of a diagnosis."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from contraction.values import Value
from nn_experiments.diagnosis.intervals import Interval, median_interval
from nn_experiments.diagnosis.measured import Measured
from nn_experiments.diagnosis.rules import CONFIDENCE, RULES, Finding, Judgement

__all__ = ["Diagnosis"]


@dataclass(frozen=True, eq=False)
class Diagnosis(Value):
    """Whether backward iterates of a training settle, with the evidence.

    Attributes
    ----------
    name
        What was trained.
    verdict
        One word, by the rules of docs/diagnosis.md: ``contracting``, ``too early``, ``settled up to symmetry or flat
        directions``, ``expanding``, ``discontinuous``, ``diverged`` or ``undecided``.
    reason
        One sentence with the numbers that decided.
    advice
        What to do, in sentences.
    judgement
        The tests behind the verdict (`nn_experiments.diagnosis.rules.Judgement`).
    measured
        The distances behind the tests, as arrays (`nn_experiments.diagnosis.measured.Measured`).
    settings
        Steps, replicates, how they came about, seed, law of the batches, kernel. They do not count in comparisons.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> import nn_experiments as nne
    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Linear(1, 1)
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.4, weight_decay=0.1)
    >>> batches = nne.ArrayBatches(x, 2 * x + torch.sign(x), batch_size=4, seed=0)
    >>> loss = torch.nn.functional.mse_loss
    >>> diagnosis = nne.diagnose(model, loss, sgd, batches, steps=50, replicates=11, progress=False)
    >>> diagnosis.verdict
    'contracting'
    >>> diagnosis.rule.partition(":")[0]  # the first words of the rule behind the verdict
    'In the parameters, at n = N, for both lags (1 and N/2)'
    >>> diagnosis.report().splitlines()[0]
    'Linear: contracting (11 replicates of 50 steps)'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(diagnosis.plot(Path(folder) / "diagnosis.png").name)
    diagnosis.png
    """

    name: str
    verdict: str
    reason: str
    advice: tuple[str, ...]
    judgement: Judgement
    measured: Measured
    settings: Mapping[str, object] = field(default_factory=dict, compare=False)

    @property
    def rule(self) -> str:
        """The written rule of the verdict."""
        return RULES[self.verdict]

    def __repr__(self) -> str:
        """Return a few lines: the verdict, the distances in units, and the exponents."""
        measured = self.measured
        lines = [
            f"{self.name}: {self.verdict} ({measured.replicates} replicates of {measured.steps:,} steps)",
            *textwrap.wrap(self.reason, 112, initial_indent="  ", subsequent_indent="  "),
        ]
        findings = self.judgement.findings
        for space in ("parameters", "predictions"):
            of_space = {name.partition(", ")[2]: one for name, one in findings.items() if name.startswith(space)}
            if of_space:
                lines.append(
                    f"  {space:<11}  " + ";  ".join(f"{name}: {_shown(one)}" for name, one in of_space.items())
                )
        if findings and not all(math.isfinite(end) for one in findings.values() for end in one.median[1:]):
            lines.append(_few(measured.replicates))
        return "\n".join([*lines, *self._exponents()])

    def _exponents(self) -> list[str]:
        lines, judgement = [], self.judgement
        shown = [("derivative", judgement.derivative), ("pairs", judgement.pairs)]
        if any(value is not None for _, value in shown):
            texts = [f"{name} {_exponent(value)}" for name, value in shown if value is not None]
            lines.append(f"  exponents    {';  '.join(texts)} a step")
        if judgement.jumps[0]:
            examined, hit, largest = judgement.jumps
            more = f", the largest {largest:.2g} of the pair's distance" if hit else ""
            lines.append(f"  jumps        in {hit} of {examined} maps between the two states of a pair{more}")
        return lines

    def report(self) -> str:
        """Return the whole report as plain text: verdict, evidence, rule, advice, settings."""
        measured = self.measured
        parts = [
            repr(self),
            "",
            f"Distances are of backward iterates n and n + lag at n = {measured.steps:,}, medians over replicates with "
            f"{CONFIDENCE:.0%} intervals, in units of the distance of two runs from the same start under independent "
            "batches.",
            f"Rule of {self.verdict!r}: {self.rule}",
            "What to do:",
            *[f"- {text}" for text in self.advice],
            "Settings: " + "; ".join(f"{key}: {value}" for key, value in self.settings.items()),
        ]
        wrapped = [textwrap.wrap(text, 112, subsequent_indent="  ") or [""] for text in parts[1:]]
        return "\n".join([parts[0], *(line for lines in wrapped for line in lines)])

    def plot(self, path: str | Path) -> Path:
        """Draw one page into a file (PNG, SVG or PDF, by its ending); return its path.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from nn_experiments.diagnosis.picture import draw

        changes = self.settings.get("changes")
        title = f"{self.name}, {changes}" if changes else self.name
        return draw(title, self.judgement, self.advice, self.measured, Path(path))


def _few(replicates: int) -> str:
    """Return why medians have no intervals."""
    least = next(r for r in itertools.count(1) if math.isfinite(median_interval(np.zeros(r), CONFIDENCE)[1]))
    if replicates >= least:
        return "  (an interval ends at inf where a distance is not finite)"
    return f"  ({replicates} replicates are too few for {CONFIDENCE:.0%} intervals of medians, which need {least})"


def _shown(one: Finding) -> str:
    if one.median[1:] == (-math.inf, math.inf):
        return f"{one.median[0]:.3g}"
    return f"{one.median[0]:.3g} [{one.median[1]:.3g}, {one.median[2]:.3g}]"


def _exponent(interval: Interval) -> str:
    return f"{interval[0]:+.3g} [{interval[1]:+.3g}, {interval[2]:+.3g}]"
