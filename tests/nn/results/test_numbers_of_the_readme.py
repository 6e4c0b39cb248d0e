"""The numbers of results/README.md and README.md are those of plain NumPy on the arrays of record, rounded once."""

from __future__ import annotations

from functools import cache

import pytest

from tests.nn.results.numbers_of_figures import (
    convergence,
    convergence_in_outputs,
    costs,
    passages,
    table_of_figures,
    two_records,
    windows_of_figures,
)
from tests.nn.results.numbers_of_increments import increments_in_law, kinks
from tests.nn.results.numbers_of_studies import (
    atlas,
    baselines,
    choices,
    conjectures,
    front_page,
    influence,
    one_law,
    optimizers,
    order_averaging,
    order_averaging_table,
)
from tests.nn.results.stated_numbers import fixed, shown, states, text_of

SECTIONS = (
    table_of_figures,
    two_records,
    windows_of_figures,
    passages,
    costs,
    convergence,
    convergence_in_outputs,
    increments_in_law,
    kinks,
    one_law,
    atlas,
    conjectures,
    influence,
    optimizers,
    baselines,
    choices,
    order_averaging_table,
    order_averaging,
    front_page,
)
statements = cache(lambda section: section())


@pytest.mark.parametrize("section", SECTIONS, ids=[section.__name__ for section in SECTIONS])
def test_the_pages_state_what_the_arrays_say(section):
    lacking = [
        row.sentence.format(*row.numbers)
        for row in statements(section)
        if not states(text_of(row.page), row.sentence, row.numbers)
    ]
    assert lacking == []


def altered(number: str) -> list[str]:
    """Return a number with one more and one less in its last digit."""
    place = max(k for k, sign in enumerate(number.split("e")[0]) if sign.isdigit())
    return [f"{number[:place]}{(int(number[place]) + step) % 10}{number[place + 1 :]}" for step in (1, -1)]


@pytest.mark.control
@pytest.mark.parametrize("section", SECTIONS, ids=[section.__name__ for section in SECTIONS])
def test_a_number_that_is_off_by_one_in_its_last_digit_is_not_stated(section):
    unnoticed = [
        (row.sentence, wrong)
        for row in statements(section)
        for k, number in enumerate(row.numbers)
        if number != "diverged"
        for wrong in altered(number)
        if states(text_of(row.page), row.sentence, (*row.numbers[:k], wrong, *row.numbers[k + 1 :]))
    ]
    assert unnoticed == []


def test_numbers_are_written_as_the_pages_write_them():
    assert [shown(value) for value in (11.156, 0.9986, 0.06569, 0.0103, 2.225e-4, 0.99961)] == [
        *("11", "1.0", ".066", ".010", "2.2e-4", "1.0")
    ]
    assert [fixed(-0.1077), fixed(0.0084, 3)] == ["−.11", ".008"]
    assert states("from 4.7 to 14.7 times", "from {} to {}", ("4.7", "14.7"))
    assert not states("from 14.7 to 4.75 times", "{} to {}", ("4.7", "4.7"))
