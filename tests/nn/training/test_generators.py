"""Global generators: their states are compared, restored and seeded by the batch, and who draws from them is named."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training.torch_randomness import (  # noqa: E402
    GENERATORS,
    changed_generators,
    first_to_draw,
    generator_states,
    restored_generators,
    seeded,
)

DRAWS = {
    GENERATORS[0]: lambda: torch.rand(1),
    GENERATORS[2]: lambda: np.random.rand(),  # noqa: NPY002
    GENERATORS[3]: lambda: random.random(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_generator_that_was_drawn_from_is_named_and_put_back(name: str) -> None:
    before = generator_states()
    assert changed_generators(before, generator_states()) == []
    with restored_generators():
        first = float(DRAWS[name]())
        assert changed_generators(before, generator_states()) == [name]
    assert changed_generators(before, generator_states()) == []
    with contextlib.suppress(KeyError), restored_generators():
        assert float(DRAWS[name]()) == first
        raise KeyError
    assert changed_generators(before, generator_states()) == []


def test_all_that_were_drawn_from_are_named_in_their_order() -> None:
    with restored_generators():
        before = generator_states()
        for draw in reversed(DRAWS.values()):
            draw()
        assert changed_generators(before, generator_states()) == list(DRAWS)


def test_draws_are_functions_of_seed_and_batch() -> None:
    """And torch goes on afterwards as if nothing had been drawn, also after an error."""
    before = generator_states()
    found = {}
    for seed, index in ((0, 1), (0, 2), (1, 1), (0, 1)):
        with seeded(seed, index):
            found.setdefault((seed, index), []).append(torch.rand(3).tolist())
    assert found[0, 1][0] == found[0, 1][1]
    assert len({str(draws[0]) for draws in found.values()}) == 3
    with contextlib.suppress(KeyError), seeded(0, 1):
        torch.rand(1)
        raise KeyError
    assert changed_generators(before, generator_states()) == []


@pytest.mark.parametrize(
    ("seed", "index", "number"),
    [
        (0, 1, 3695831303202639443),
        (3, 7, 1026961458697658859),
        (0, 2, 5352552367530053748),
        (1, 2, 6551988317658939501),
        (2, 2, 7341873387630128700),
    ],
)
def test_the_seeds_of_torchs_generator_are_those_of_recorded_runs(seed: int, index: int, number: int) -> None:
    """With another rule no run whose randomness is frozen could be repeated."""
    with seeded(seed, index):
        assert torch.initial_seed() == number


class Noisy(nn.Module):
    """Draws before its inner module is called, after it, both or not at all."""

    def __init__(self, inner: nn.Module, *, before: bool = False, after: bool = False) -> None:
        super().__init__()
        self.inner, self.before, self.after = inner, before, after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.before:
            torch.rand(1)
        x = self.inner(x)
        if self.after:
            torch.rand(1)
        return x


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.Sequential(nn.Identity(), nn.Dropout(0.5)), ["1 (Dropout)"]),
        (nn.Sequential(nn.Dropout(0.5), nn.Identity(), nn.Dropout(0.5)), ["0 (Dropout)", "2 (Dropout)"]),
        (nn.Sequential(Noisy(nn.Identity(), before=True)), ["0 (Noisy)"]),
        (nn.Sequential(Noisy(nn.Identity(), after=True)), ["0 (Noisy)"]),
        (Noisy(nn.Identity(), after=True), ["the module itself (Noisy)"]),
        (nn.Sequential(Noisy(nn.Dropout(0.5), before=True)), ["0.inner (Dropout)"]),  # the innermost one alone
        (nn.Sequential(Noisy(Noisy(nn.Dropout(0.5)))), ["0.inner.inner (Dropout)"]),
        (nn.Sequential(Noisy(nn.Identity())), []),
    ],
    ids=["one", "two", "before", "after", "itself", "inner", "innermost", "none"],
)
def test_the_innermost_modules_that_draw_are_named(model: nn.Module, named: list[str]) -> None:
    with restored_generators():
        with first_to_draw(model) as found:
            model(torch.ones(2))
        assert found == named
        model(torch.ones(2))
        assert found == named  # the hooks are gone


def test_a_module_that_fails_is_left_behind() -> None:
    """Its opening has no end; the module around it that goes on all the same is still told apart."""

    class Catches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fails, self.draws = nn.Linear(1, 1), nn.Dropout(0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            try:
                self.fails(x)
            except RuntimeError:
                return self.draws(x)
            return x

    with restored_generators():
        with first_to_draw(model := nn.Sequential(Catches())) as found:
            model(torch.ones(2))
        assert found == ["0.draws (Dropout)"]
