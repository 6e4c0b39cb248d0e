"""Which findings answer which sentence of the paper, and what a row says where there are few of them, or none."""

from __future__ import annotations

import pytest

from nn_experiments.analysis.finding import Finding
from nn_experiments.analysis.paper_claims import CLAIMS, claim_rows
from nn_experiments.analysis.study_findings import _FINDINGS
from nn_experiments.paper import catalogue

STEADY, FASTER, FIXED = "Variability along a path", "Converges faster", "Value at a fixed step"
PATH = (STEADY, FASTER, FIXED, "Best so far", "Settling times")
SETTLES = "Convergence to a point"
POINTS = (SETTLES, "Forgets a near start", "Forgets an independent start")
RESET = "Another point after the reset"
EVERY = (*PATH, *POINTS, RESET, "Baseline", "Order-averaging", "Larger λ", "Emulates")
#: Beginning of a sentence -> the kinds of findings that answer it.
ANSWERS = {
    "The main contributions of this paper": (STEADY, FASTER, SETTLES),
    "Note that backward optimization can": (),
    "Consequently, learning rate schedules": ("Baseline",),
    "We observe that the training loss for the backward trajectory": PATH,
    "Each time we observe the same phenomenon": (STEADY, FASTER),
    "Note that the increased stability": POINTS,
    "As a result we see": (RESET, SETTLES),
    "This is in line with": (),
    "In all cases, we can observe": (STEADY,),
    "For each seed, we observe": PATH,
    "Note that for each seed": PATH,
    "We observe that the training loss for the backward iterations": PATH,
    "Throughout training we continue": PATH,
    "The experiment shows that our method": ("Order-averaging",),
    "As you can see, the performance": ("Larger λ",),
    "Similar to the case where c = 2": ("Larger λ",),
    "Similar to the cases above": ("Larger λ",),
    "In a way, this new regularizer": ("Emulates",),
    "In particular the last examples": (),
    "We see that this approach leads": (RESET, STEADY),
    "We can imagine strategies": (),
    "Another possibility is to start": (STEADY, SETTLES),
    "We imagine that this approach": (),
    "Similarly, application of the backward": (),
    "Even though the approximation": (),
}


def row(topic: str, verdict: str = "agrees") -> Finding:
    return Finding(topic, "", "", "", verdict)


def answer(sentence: str, figures: dict, studies: dict | None = None) -> str:
    """The answer to the first claim whose sentence begins so."""
    return next(told for _, said, told in claim_rows(figures, studies) if said.startswith(sentence))


def test_every_sentence_has_its_kinds_of_findings() -> None:
    """All kinds of findings, on every figure: those that answer a sentence are there, in this order, and no others."""
    rows = [row(f"{topic}: more") for topic in EVERY]
    told = claim_rows({name: rows for claim in CLAIMS for name in claim.figures})
    assert {next(one for one in ANSWERS if said.startswith(one)) for _, said, _ in told} == set(ANSWERS)
    for claim, (place, said, text) in zip(CLAIMS, told, strict=True):
        assert (place, said) == (claim.place, claim.sentence)
        topics = next(topics for beginning, topics in ANSWERS.items() if said.startswith(beginning))
        kinds = "; ".join(f"{topic[0].lower()}{topic[1:]}: more: agrees" for topic in EVERY if topic in topics)
        parts = [f"{name.replace('fig', 'Figure ')}: {kinds}" for name in claim.figures if topics]
        parts += [f"study {name}: not run" for name in claim.studies]
        assert text == ". ".join([*parts, *([claim.note] if claim.note else [])])
        assert text


def test_claims_name_figures_and_studies_that_exist() -> None:
    for claim in CLAIMS:
        assert set(claim.figures) <= set(catalogue.FIGURES)
        assert set(claim.studies) <= set(_FINDINGS)
        assert claim.figures or claim.studies or claim.note
        assert bool(claim.figures) >= bool(claim.topics)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "not run"),
        ([row("Best so far")], "not measured"),  # nothing that answers the sentence
        ([row(f"{SETTLES}: a", "mixed: 1 of 5")], "convergence to a point: a: mixed: 1 of 5"),
        (
            [row(f"{SETTLES}: a", "not measured"), row(f"{SETTLES}: b"), row("Best so far", "not measured")],
            "convergence to a point: b: agrees; 1 not measured",
        ),
        ([row(f"{SETTLES}: a", "not measured"), row(f"{SETTLES}: b", "not measured")], "2 not measured"),
    ],
    ids=["none", "of another kind", "one", "one of two", "two that were not measured"],
)
def test_what_was_not_measured_is_counted(rows: list[Finding], text: str) -> None:
    assert answer("Note that the increased stability", {"fig13": rows}).endswith(
        f"Figure 13: {text}. study atlas: not run"
    )


def test_studies_answer_with_all_their_findings() -> None:
    rows = [row("A"), row("B", "disagrees")]
    sentence = "In particular the last examples"
    assert answer(sentence, {}, {"influence": rows}) == "study influence: A: agrees; B: disagrees"
    assert answer(sentence, {}, {"influence": []}) == "study influence: not run"
    assert answer(sentence, {}, {"atlas": rows}) == answer(sentence, {}) == "study influence: not run"
    both = answer("Note that backward optimization can", {}, {"optimizers": rows})
    assert both == "study quadratics: not run. study optimizers: A: agrees; B: disagrees"
