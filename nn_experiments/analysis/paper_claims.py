"""All claims of the paper about its experiments, with the answer that the results give to each (no torch).

A claim is answered by the findings of its figures or by a study; if there is neither, its row says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nn_experiments.analysis.finding import BETTER, EMULATES, FASTER, LARGER, POINT, Finding

__all__ = ["CLAIMS", "Claim", "claim_rows"]


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper.

    Attributes
    ----------
    place, sentence
        Where the sentence is in the paper, and its text, verbatim.
    topics
        Beginnings of the topics of findings that answer the claim.
    figures
        Names of the figures that the claim is about.
    studies
        Names of the studies that answer the claim.
    note
        In place of an answer, or in addition: what is known without results.
    """

    place: str
    sentence: str
    topics: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    note: str = ""


_PATH = ("Variability along a path", "Converges faster", "Value at a fixed step", "Best so far", "Settling times")
_POINTS = ("Convergence to a point", "Forgets a near start", "Forgets an independent start")
_TRAINED = ("fig12", "fig4", "fig5", "fig6", "fig7", "fig8", "fig9")
_AGAIN = (
    "Note that for each seed, we observe that the training loss for the backward iterations is again more stable, "
    "converges faster, and has less variability than the forward iterations."
)
_OURS = (
    "The experiment shows that our method can outperform vanilla training both for large and small batches with "
    "minimal tuning of λ for this specific experiment."
)

CLAIMS: tuple[Claim, ...] = (
    Claim(*BETTER, _PATH[:2] + _POINTS[:1], _TRAINED),
    Claim(
        "Section 1",
        "Note that backward optimization can theoretically be applied to any gradient-based optimizer (not only to "
        "SGD) to improve stability and convergence, since our theoretical statements hold at the level of the T_i’s, "
        "no matter what their actual forms are.",
        studies=("quadratics", "optimizers"),
    ),
    Claim(
        "Section 1",
        "Consequently, learning rate schedules have become essential as an attempt to encourage proper convergence of "
        "the loss during training.",
        ("Baseline",),
        ("fig4", "fig5", "fig6", "fig7"),
        ("baselines",),
    ),
    Claim(*FASTER, _PATH, ("fig12",)),
    Claim(
        "Section 4",
        "Each time we observe the same phenomenon for all 5 seeds.",
        _PATH[:2],
        ("fig4", "fig5", "fig6", "fig7", "fig8", "fig9"),
    ),
    Claim(*POINT, _POINTS, (*_TRAINED, "fig13"), ("atlas",)),
    Claim(
        "Section 4",
        "As a result we see that the backward trajectory from that reset point seems to converge again, but to a "
        "different point (with different test accuracy), while forward SGD seems to oscillate between these two "
        "points.",
        ("Another point after the reset", "Convergence to a point"),
        ("fig13",),
    ),
    Claim(
        "Section 4",
        "This is in line with the theoretical prediction that backward trajectories SGD converge toward points "
        "distributed according to the distribution induced by forward trajectories (see Theorem 2.6).",
        studies=("one-law",),
        note="one law at every step is proved for i.i.d. batches; convergence is another question",
    ),
    Claim(
        "Appendix A.1",
        "In all cases, we can observe a much higher stability for backward SGD over the forward version.",
        _PATH[:1],
        ("fig4", "fig5", "fig6"),
        ("choices",),
    ),
    Claim(
        "Appendix A.2",
        "For each seed, we observe that the training loss for the backward iterations is more stable and converges "
        "faster with less variability when compared to the forward iterations.",
        _PATH,
        ("fig7",),
    ),
    Claim("Appendix A.3", _AGAIN, _PATH, ("fig8",)),
    Claim("Appendix A.4", _AGAIN, _PATH, ("fig9",)),
    Claim(
        "Appendix A.5",
        "We observe that the training loss for the backward iterations has again more stable convergence once backward "
        "iterations are switched on after step 1000 than the forward iterations.",
        _PATH,
        ("fig10",),
    ),
    Claim(
        "Appendix A.6",
        "Throughout training we continue to notice that the training loss (as well as all the other learning curves) "
        "for the backward iterations is again more stable, converges faster, and has less variability than the "
        "forward iterations.",
        _PATH,
        ("fig11",),
    ),
    *(Claim(f"Appendix D.2.1, Figure {k}", _OURS, ("Order-averaging",), (f"fig{k}",)) for k in range(14, 20)),
    Claim("Appendix D.2.1", _OURS, studies=("order-averaging", "order-stability")),
    *(Claim(*LARGER[c], ("Larger λ",), (f"fig{10 + 2 * c}", f"fig{11 + 2 * c}")) for c in (2, 3, 4)),
    Claim(*EMULATES, ("Emulates",), ("fig14", "fig16", "fig18")),
    Claim(
        "Section 5",
        "In particular the last examples used to produce a parameter iterate seem to have great importance.",
        studies=("influence",),
    ),
    Claim(
        "Section 5",
        "We see that this approach leads to convergence and increased stability in Figure 3; however the backward "
        "trajectory may change and converge to a different point at each reset.",
        ("Another point after the reset", "Variability along a path"),
        ("fig13",),
        ("conjectures",),
    ),
    Claim(
        "Section 5",
        "We can imagine strategies to initiate this reset only when the performance of the new backward trajectory "
        "increases, leading to stable convergence to higher test performance points.",
        studies=("conjectures",),
    ),
    Claim(
        "Section 5",
        "Another possibility is to start the backward order only later in training to force convergence toward a "
        "single solution after the forward trajectory has done enough exploration of the space as demonstrated in "
        "Figure 10 in Appendix A.",
        ("Variability along a path", "Convergence to a point"),
        ("fig10",),
        ("conjectures",),
    ),
    Claim(
        "Section 5",
        "We imagine that this approach may possibly lead toward more reliable early-stopping criteria.",
        studies=("conjectures",),
    ),
    Claim(
        "Section 5",
        "Similarly, application of the backward order at the very beginning of training may give an accurate idea of "
        "whether a specific hyper-parameter setting is promising or needs to be aborted by creating stabler "
        "trajectories whose learning curves are easier to interpret early on.",
        studies=("conjectures",),
        note="at a fixed step the probability to rank two settings rightly by a score of the iterate is the same in "
        "both orders (proved); smoother curves are not more accurate ones",
    ),
    Claim(
        "Section 5",
        "Even though the approximation we provide is not immediately useful because the higher order terms seem to "
        "matter, it probably will be useful if higher order corrections are included.",
        note="the paper has no experiment on it; the expansion to every order is in the theory's part",
    ),
)


def claim_rows(
    findings: Mapping[str, Sequence[Finding]], studies: Mapping[str, Sequence[Finding]] | None = None
) -> list[tuple[str, str, str]]:
    """Return (place, sentence, answer) for every claim.

    Parameters
    ----------
    findings
        Name of a figure -> its findings, for the figures that were run.
    studies
        The same for studies (default: None, no study was run).
    """
    rows = []
    for claim in CLAIMS:
        answers = [f"{_number(name)}: {_of_figure(claim, findings.get(name))}" for name in claim.figures]
        for name in claim.studies:
            results = (studies or {}).get(name)
            answer = "; ".join(f"{row.topic}: {row.verdict}" for row in results) if results else "not run"
            answers.append(f"study {name}: {answer}")
        if claim.note:
            answers.append(claim.note)
        rows.append((claim.place, claim.sentence, ". ".join(answers)))
    return rows


def _number(name: str) -> str:
    return name.replace("fig", "Figure ")


def _of_figure(claim: Claim, findings: Sequence[Finding] | None) -> str:
    if not findings:
        return "not run"
    rows = [row for row in findings if row.topic.startswith(claim.topics)]
    texts = [f"{row.topic[:1].lower()}{row.topic[1:]}: {row.verdict}" for row in rows if row.verdict != "not measured"]
    lacking = len(rows) - len(texts)
    texts += [f"{lacking} not measured"] if lacking else []
    return "; ".join(texts) or "not measured"
