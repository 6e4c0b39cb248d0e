"""State that a step keeps in a cached value, in the environment, or in a module that it imports when it is called."""

from __future__ import annotations

import functools
import os
import sys
import types

import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from nn_experiments.training.hidden_state import changed, hidden_state  # noqa: E402
from nn_experiments.training.reachable import reachable  # noqa: E402

MSE = torch.nn.functional.mse_loss
ELSEWHERE = types.ModuleType("elsewhere_for_steps")
ELSEWHERE.count = 0


@functools.lru_cache(maxsize=4)
def limited(name: str) -> list[int]:
    return [0]


@functools.cache
def unlimited() -> list[int]:
    return [0]


@functools.cache
def squared(number: int) -> int:
    return number**2


def in_a_table_with_a_limit(outputs, targets):
    limited("count")[0] += 1
    return MSE(outputs, targets) / limited("count")[0]


def in_a_table_without_a_limit(outputs, targets):
    unlimited()[0] += 1
    return MSE(outputs, targets) / unlimited()[0]


def in_the_environment(outputs, targets):
    os.environ["STEPS_TAKEN"] = str(int(os.environ.get("STEPS_TAKEN", "0")) + 1)
    return MSE(outputs, targets) / int(os.environ["STEPS_TAKEN"])


def in_an_imported_module(outputs, targets):
    import elsewhere_for_steps

    elsewhere_for_steps.count += 1
    return MSE(outputs, targets) / elsewhere_for_steps.count


def in_a_name_of_an_imported_module(outputs, targets):
    from elsewhere_for_steps import kept

    kept.append(1)
    return MSE(outputs, targets) / len(kept)


def nowhere(outputs, targets):
    """A pure function with a table, which grows with each new argument."""
    return MSE(outputs, targets) * squared(1 + int(1000 * float(targets.sum()))) ** 0


PLACES = {
    in_a_table_with_a_limit: r"the loss \(global variable limited\) cached\['count'\]\[0\]",
    in_a_table_without_a_limit: r"the loss \(global variable unlimited\) cached\[.*\]\[0\]",
    in_the_environment: r"os\.environ\['STEPS_TAKEN'\]",
    in_an_imported_module: r"the loss \(imported module elsewhere_for_steps\)\.count",
    in_a_name_of_an_imported_module: r"the loss \(imported module elsewhere_for_steps\)\.kept",
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "elsewhere_for_steps", ELSEWHERE)
    monkeypatch.setenv("STEPS_TAKEN", "0")
    ELSEWHERE.count, ELSEWHERE.kept = 0, []
    for table in (limited, unlimited, squared):
        table.cache_clear()
    limited("count"), unlimited()


def iterated(loss) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    batches = nne.ArrayBatches(torch.rand(12, 2), torch.rand(12, 1), batch_size=3, seed=0)
    step, state = nne.from_torch(model, loss, torch.optim.SGD(model.parameters(), lr=0.1))
    step.self_check(step, batches, state)


@pytest.mark.parametrize(("loss", "place"), PLACES.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_what_a_step_changes_is_named(loss, place: str) -> None:
    with pytest.raises(nne.CannotReplay, match=rf"{place} is not part of the state"):
        iterated(loss)


@pytest.mark.control
def test_a_table_that_only_grows_is_no_state() -> None:
    iterated(nowhere)
    assert squared.cache_info().currsize >= 2


def test_values_of_tables_have_their_arguments_as_names() -> None:
    limited("other")
    squared(3), squared(4)
    paths = {path: part for path, part in reachable(limited, "f") if "cached" in path}
    assert paths["f cached['count']"] is limited("count")
    assert paths["f cached['other']"] is limited("other")
    assert {path: part for path, part in reachable(squared, "g") if "cached" in path} == {
        "g cached[3]": 9,
        "g cached[4]": 16,
    }


def test_a_value_that_a_table_gets_or_loses_is_no_change_and_one_that_is_changed_is() -> None:
    def noted():
        return hidden_state(torch.nn.Linear(1, 1), {"f": limited}, None)

    before = noted()
    limited("other")
    assert changed(before, noted()) == {}
    limited("other")[0] = 5
    again = noted()
    limited("other")[0] = 6
    assert changed(again, noted()) == {"f cached['other'][0]": "5 became 6"}
