"""Findings, each a claim with what was measured and the verdict, and the rules that turn seeds into a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.values import Value
from nn_experiments.analysis.seeds import Comparison
from nn_experiments.analysis.settling import Evidence

__all__ = [
    "BETTER",
    "EMULATES",
    "FASTER",
    "FEWEST",
    "LARGER",
    "POINT",
    "Finding",
    "by_chance",
    "left_out",
    "spread",
    "verdict_of",
]

BETTER = (
    "Section 1",
    "The main contributions of this paper are to show theoretically (Theorem 2.2 and Theorem 2.6) and experimentally "
    "(Figure 2 and Appendix A) that backward optimization has better convergence and stability properties than the "
    "standard forward optimization.",
)
FASTER = (
    "Section 4",
    "We observe that the training loss for the backward trajectory is more stable, converges faster, and has less "
    "variability than the forward trajectory, and similarly for all the other learning curves.",
)
POINT = (
    "Section 4",
    "Note that the increased stability and point convergence is visible in each of the seeds, which are added to the "
    "Appendix B.",
)
EMULATES = (
    "Appendix D.2",
    "In a way, this new regularizer emulates a mixture of models, each of which is produced by a different ordering of "
    "the iterations in a window of c batches (rather than from a different random seed).",
)
#: c -> the sentence under the test curves of the order-averaging regulariser.
LARGER = {
    2: ("Figure 15", "As you can see, the performance improves as we increase the λ."),
    3: ("Figure 17", "Similar to the case where c = 2 above, the performance improves as we increase the λ."),
    4: (
        "Figure 19",
        "Similar to the cases above, the trend continues and is even more visible; Performance improves as we increase "
        "the λ.",
    ),
}
#: With fewer seeds a verdict is only a count: 4 of 4 seeds agree with probability 1/16 if the order has no effect.
FEWEST = 5


@dataclass(frozen=True, eq=False)
class Finding(Value):
    """A claim of the paper, what was measured, and the verdict.

    Attributes
    ----------
    topic
        Which reading of the claim.
    place, sentence
        Where the claim is in the paper, and its text, verbatim.
    measured
        The result, in words and numbers.
    verdict
        ``agrees``, ``disagrees``, ``mixed`` with counts, ``tied``, ``undecided``, ``not measured``, a count of seeds
        that are too few to tell, or ``equal in law (proved)``.
    test
        n, the test and its error rates.
    comparisons, evidence
        The numbers that the verdict rests on.
    compared
        The two orders that all comparisons compare: the reference and the other one.

    Examples
    --------
    >>> row = Finding("Best so far", "Section 1", "…", "lower on 3 of 3 seeds", "3 of 3 seeds: too few to tell")
    >>> row.to_dict()["verdict"]
    '3 of 3 seeds: too few to tell'
    """

    topic: str
    place: str
    sentence: str
    measured: str
    verdict: str
    test: str = ""
    comparisons: tuple[Comparison, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    compared: tuple[str, str] = ("", "")


def verdict_of(favourable: int, unfavourable: int, n: int, out: Sequence[str] = (), *, what: str = "seeds") -> str:
    """Return the verdict of n seeds, some of which support a claim, some contradict it, and the others tie.

    The verdict is ``agrees`` if there are at least `FEWEST` seeds, all of them support the claim and none is left out;
    ``disagrees`` if all contradict it.
    """
    tied = n - favourable - unfavourable
    ties = f", {tied} tied" if tied else ""
    if n == 0:
        return "undecided"
    if n < FEWEST:
        return f"{favourable} of {n} {what if n > 1 else what[:-1]}{ties}: too few to tell"
    if tied == n:
        return "tied"
    if favourable == n and not out:
        return "agrees"
    if unfavourable == n and not out:
        return "disagrees"
    return f"mixed: {favourable} of {n}{ties}"


def by_chance(favourable: int, n: int) -> str:
    """Return a text with the probability of at least this count if both orders were equally likely to come first."""
    if n == 0:
        return "no seed is left to count"
    chance = sum(np.prod([(n - j) / (j + 1) for j in range(k)]) for k in range(favourable, n + 1)) / 2.0**n
    return (
        f"{favourable} of {n} seeds; chance of at least so many if either order were as likely to come first: "
        f"{chance:.2g}"
    )


def left_out(*rows: Comparison) -> str:
    """Return a sentence about the seeds that one of the comparisons leaves out, or an empty string."""
    out = dict.fromkeys(text for row in rows for text in row.left_out)
    return f" Left out, and shown: {'; '.join(out)}." if out else ""


def spread(values: Sequence[float] | NDArray, digits: int = 3) -> str:
    """Return median and range, each rounded once to so many significant digits.

    Examples
    --------
    >>> spread([9.654, 3.927, 11.156]), spread([9.654, 3.927, 11.156], digits=2)
    ('9.65 (3.93 to 11.2)', '9.7 (3.9 to 11)')
    """
    if not len(values):
        return "not measured"
    low, middle, high = (f"{value:.{digits}g}" for value in (np.min(values), np.median(values), np.max(values)))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"
