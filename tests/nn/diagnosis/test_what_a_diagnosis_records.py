"""What a diagnosis records of itself: settings, lines of its report, and what stands in for the derivative."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import nn_experiments as nne  # noqa: E402
from nn_experiments.diagnosis.diagnose import diagnose_subject  # noqa: E402
from nn_experiments.diagnosis.law import Law  # noqa: E402
from tests.nn.diagnosis.subjects import Maps  # noqa: E402


class Under(Maps):
    """Maps θ ← θ/2 + u under a law, in a number type."""

    under: Law = Law(independent=True, constant=True)
    dtype: Any = torch.float64

    @property
    def law(self) -> Law:
        return self.under

    def replicate(self, r: int) -> Any:
        one = super().replicate(r)
        state = {"parameters": {"w": one.state0["parameters"]["w"].to(self.dtype)}}

        def step(state: dict, batch: Any, t: int) -> dict:
            return {"parameters": {"w": 0.5 * state["parameters"]["w"] + batch[0].to(self.dtype)}}

        others = super().replicate(r + 1000).batches
        return dataclasses.replace(one, step=step, state0=state, others=others)


def subject(law: Law | None = None, dtype: Any = torch.float64) -> Under:
    made = Under(lambda w, u: w, lambda rng: rng.standard_normal(2), [1.0, 2.0])
    made.under, made.dtype = law or Law(independent=True, constant=True), dtype
    return made


NOT_OURS = "the step is not one of SGD, momentum, Adam or AdamW on a module, and is not differentiated"
CHANGING = Law(independent=True, constant=False)
SHUFFLED = Law(independent=False, constant=True)


@pytest.mark.parametrize(
    ("law", "text"),
    [
        (None, "independent batches"),
        (CHANGING, "independent batches, learning rate by position in the run"),
        (SHUFFLED, "shuffled batches within one epoch"),
        (Law(False, False), "shuffled batches within one epoch, learning rate by position in the run"),
    ],
    ids=["one law", "a schedule", "shuffled", "both"],
)
def test_settings_say_what_was_asked_and_under_which_law(law: Law | None, text: str) -> None:
    said: list[str] = []
    about: dict[str, Any] = {"seed": 3, "device": "cpu"}
    found = diagnose_subject(subject(law), "halves", steps=50, replicates=3, eps=0.25, report=said.append, about=about)
    kept = {key: found.settings[key] for key in ("seed", "device", "law", "plan", "eps", "kernel")}
    assert kept == about | {"law": text, "plan": "as asked for", "eps": 0.25, "kernel": "step"}
    assert said[0] == "halves: 3 replicates of 50 steps (as asked for)"
    assert [line.partition(",")[0] for line in said[1:]] == [f"  replicate {r} of 3" for r in (1, 2, 3)]
    assert (found.name, found.measured.steps, found.measured.lag, found.measured.eps) == ("halves", 50, 25, 0.25)
    assert found.measured.replicates == 3
    assert found.measured.homogeneous == (law is None)


@pytest.mark.parametrize(
    ("law", "dtype", "by"),
    [
        (None, torch.float64, "pairs held 1e-08(1 + ‖θ‖) apart"),
        (None, torch.float32, NOT_OURS),
        (CHANGING, torch.float64, f"the law of the maps is not the same at every step: {CHANGING}"),
        (SHUFFLED, torch.float64, f"the law of the maps is not the same at every step: {SHUFFLED}"),
    ],
    ids=["double", "single", "a schedule", "shuffled"],
)
def test_near_pairs_stand_in_for_derivatives_in_double_precision_under_one_law(law: Any, dtype: Any, by: str) -> None:
    """Distances halve at every map: the exponent is -log 2, to the rounding of a distance of 1e-8, 1e-7 of it or so."""
    found = diagnose_subject(subject(law, dtype), "halves", steps=50, replicates=2).measured
    assert found.derivative_by == by
    if by.startswith("pairs"):
        assert found.derivative == pytest.approx(np.full(2, -np.log(2)), abs=1e-6)
    else:
        assert found.derivative.size == 0
    wide = found.pairs
    assert wide == pytest.approx(np.full(2, -np.log(2)), abs=1e-6 if dtype == torch.float64 else 1e-4)


def test_a_step_on_a_module_is_differentiated_unless_its_law_changes(capsys) -> None:
    """w ← (1 - 2 · 0.05 x²) w + …, with x = 1 or 2 at random: the derivative is 0.9 or 0.6."""
    model = nn.Linear(1, 1, bias=False).double()
    sgd = torch.optim.SGD(model.parameters(), lr=0.05)

    def batches(i: int) -> Any:
        x = 1.0 + np.random.default_rng([2, i]).integers(2)
        return torch.full((1, 1), x, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)

    def run(**options: Any) -> Any:
        return nne.diagnose(
            *(model, nn.functional.mse_loss, sgd, batches, 50),
            **{"replicates": 2, "sampling": "iid", "progress": False, **options},
        ).measured

    found = run(progress=True)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "Linear: 2 replicates of 50 steps (as asked for)"
    assert len(said) == 3
    assert found.derivative_by == "derivatives"
    used = 2 * 50 + 1  # blocks of the one sequence: N maps, those of the independent run, and one more
    for r, exponent in enumerate(found.derivative):  # from N/2 on, less the first quarter
        factors = [1 - 0.1 * float(batches(r * used + i)[0]) ** 2 for i in range(25 + 7 + 1, 51)]
        assert exponent == pytest.approx(np.mean(np.log(factors)), rel=1e-9)
    assert run(schedule=lambda t: 1 / t).derivative_by.startswith("the law of the maps is not the same at every step")
    assert capsys.readouterr().err == ""
