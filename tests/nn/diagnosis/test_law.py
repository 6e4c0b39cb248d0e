"""What a diagnosis refuses, by name, and what of the same kind it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import nn_experiments as nne
from nn_experiments.diagnosis.law import Law, law_of

X = torch.arange(60.0)[:, None]
Y = 2 * X


def model() -> tuple[Any, Any, Any]:
    """Return a linear model, its loss and its optimizer."""
    torch.manual_seed(0)
    net = torch.nn.Linear(1, 1)
    return net, torch.nn.functional.mse_loss, torch.optim.SGD(net.parameters(), lr=1e-4)


def batches(sampling: str = "iid", size: int = 2) -> nne.ArrayBatches:
    return nne.ArrayBatches(X, Y, batch_size=size, seed=0, sampling=sampling)


@pytest.mark.parametrize(
    ("sampling", "words"), [("reshuffle", "reshuffled in every epoch"), ("shuffle_once", "one shuffle, repeated")]
)
def test_shuffled_data_beyond_an_epoch(sampling: str, words: str) -> None:
    """30 batches per epoch: 50 + 25 are needed."""
    with pytest.raises(nne.NotDiagnosable, match=f"{words}.*75 batches are needed where an epoch has 30.*row 77"):
        nne.diagnose(*model(), batches(sampling), steps=50, replicates=2)


def test_shuffled_data_within_an_epoch() -> None:
    assert str(law_of(batches("reshuffle", 1), 60, sampling=None, constant=True)) == (
        "shuffled batches within one epoch"
    )
    with pytest.raises(nne.NotDiagnosable):
        law_of(batches("reshuffle", 1), 61, sampling=None, constant=True)


def test_a_schedule_by_the_index_of_the_batch() -> None:
    for index in ("batch", "position"):
        schedule = nne.Schedule(kind="cosine", horizon=50, index=index)
        found = lambda: nne.diagnose(*model(), batches(), steps=50, replicates=2, schedule=schedule, progress=False)  # noqa: B023, E731
        if index == "batch":
            with pytest.raises(nne.NotDiagnosable, match="'cosine' gives each batch the learning rate of its index"):
                found()
        else:
            assert found().settings["law"] == "independent batches, learning rate by position in the run"


def test_a_cyclic_order_is_seen_whatever_is_vouched_for() -> None:
    with pytest.raises(nne.NotDiagnosable, match=r"cyclic order.*repeat after 7"):
        nne.diagnose(*model(), lambda i: (X[i % 7 : i % 7 + 1], Y[i % 7 : i % 7 + 1]), steps=50, sampling="iid")
    with pytest.raises(nne.NotDiagnosable, match="every batch is the same"):
        nne.diagnose(*model(), lambda i: (X, Y), steps=50, sampling="iid")


def drawn(i: int) -> tuple:
    """Return batches that are independent draws, as a plain function."""
    rows = np.random.default_rng([5, i]).integers(60, size=2)
    return X[rows], Y[rows]


def test_a_function_needs_a_word_on_its_law() -> None:
    with pytest.raises(nne.NotDiagnosable, match=r"batches of a function .* cannot be seen.*sampling='iid'"):
        nne.diagnose(*model(), drawn, steps=50)
    assert nne.diagnose(*model(), drawn, steps=50, replicates=2, sampling="iid", progress=False).verdict == "undecided"


def test_words_that_contradict_the_batches() -> None:
    with pytest.raises(ValueError, match="'iid' contradicts these batches, which are drawn by 'reshuffle'"):
        nne.diagnose(*model(), batches("reshuffle", 1), steps=50, sampling="iid")
    with pytest.raises(ValueError, match="sampling must be 'iid'"):
        nne.diagnose(*model(), batches(), steps=50, sampling="cyclic")


def test_seeds_that_draw_nothing_else() -> None:
    class Deaf:
        def __call__(self, i: int) -> tuple:
            return drawn(i)

        def with_seed(self, seed: int) -> Deaf:
            return self

    with pytest.raises(nne.NotDiagnosable, match="two replicates have the same batches"):
        nne.diagnose(*model(), Deaf(), steps=50, sampling="iid")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"steps": 49}, "steps must be an integer of at least 50, got 49"),
        ({"replicates": 1}, "replicates must be an integer of at least 2, got 1"),
        ({"eps": 0.0}, "eps is a share .* between 0 and 1; got 0.0"),
        ({"budget": "soon"}, "budget must be a positive time .* got 'soon'"),
        ({"budget": "-3 s"}, "budget must be a positive time"),
    ],
)
def test_arguments(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        nne.diagnose(*model(), batches(), **({"steps": 50} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize("independent", [True, False])
@pytest.mark.parametrize("constant", [True, False])
def test_a_law_in_words(independent: bool, constant: bool) -> None:
    law = Law(independent, constant)
    words = "independent batches" if independent else "shuffled batches within one epoch"
    assert str(law) == (words if constant else f"{words}, learning rate by position in the run")
    assert law.homogeneous == (independent and constant)
