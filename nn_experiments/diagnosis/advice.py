"""What to do about a verdict, in plain words."""

from __future__ import annotations

from nn_experiments.diagnosis.rules import Judgement

__all__ = ["advice_on"]


def advice_on(judgement: Judgement, steps: int) -> tuple[str, ...]:
    """Return a few sentences on what to do.

    Parameters
    ----------
    judgement
        The verdict with its numbers.
    steps
        N.
    """
    average = (
        f"The path of backward iterates up to N = {steps:,} costs {steps * (steps + 1) // 2:,} maps; an average of the "
        f"forward iterates, such as nne.EMA(0.99), costs {steps:,} and steadies training without settling."
    )
    smaller = "A smaller learning rate makes the differences between runs smaller, and training slower."
    decay = "Weight decay pulls runs together: see in a second diagnosis how much of it is enough."
    kinks = any(name.startswith("parameters") for name in judgement.findings) and judgement.jumps[1] > 0
    match judgement.verdict:
        case "contracting":
            lags = [one for name, one in judgement.findings.items() if name.startswith("parameters, lag")]
            late = lags[-1].settles[0]
            advice = [
                f"One backward iterate near n = {late:,.0f} (n maps from the start) is the limit for its sequence of "
                "batches, as far as eps goes; longer training in this order changes nothing.",
                "Which point it is depends on the batches that come first in the sequence: repeat it with other seeds.",
            ]
        case "settled up to symmetry or flat directions":
            advice = [
                "Compare and average predictions, not weights: they are what has settled.",
                "Weight decay removes flat directions; symmetric copies of a network stay what they are.",
            ]
        case "too early":
            assert judgement.predicted is not None
            advice = [
                f"Train to n = {judgement.predicted[2]:,.0f}, and ask again: the prediction assumes that the distance "
                "goes on falling at the same rate.",
                "A larger learning rate, where training stays stable, or weight decay makes it fall faster.",
                average,
            ]
        case "expanding":
            advice = [
                "If differences go on growing as in this run, more steps will not make backward iterates settle. "
                "Repeat with three times the steps: an exponent that falls like 1/N is that of a transient.",
                average,
                decay,
                smaller,
            ]
        case "discontinuous":
            advice = [
                "Jumps at kinks throw runs apart again that have come close. A jump is proportional to the learning "
                "rate: a smaller one makes it smaller.",
                "Replace what has the kink: ReLU by GELU, softplus or tanh, the sign of a gradient by the gradient.",
                average,
            ]
        case "diverged":
            advice = [
                "Take a smaller learning rate, or clip gradients; nothing can be said about settling before that."
            ]
        case _:
            advice = [
                "Take more replicates (“contracting” needs at least 11) or more steps: the reason says which test is "
                "open.",
                average,
            ]
    if kinks and judgement.verdict in ("expanding", "too early", "undecided"):
        advice.append("Maps jump at kinks as well; a smooth activation in place of ReLU removes these jumps.")
    return tuple(advice)
