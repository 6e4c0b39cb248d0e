"""Coupling from the past against the plain loop over all states, and boxes that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.families import ConstantMaps, FiniteFamily
from contraction.maps.errors import NotCertified
from contraction.maps.operators import drawn

WALK = ct.RandomOperator(lambda rng: rng.choice([-1, 1]), lambda x, u: (x + u).clip(0, 3))
STATES = [0, 1, 2, 3]


def plain(seed: int) -> tuple[int, int]:
    """The first n = 1, 2, 4, … at which T_1 … T_n sends all states to one, and that state."""
    n = 1
    while True:
        operators = drawn(WALK, n, seed)
        images = np.array(STATES)
        for i in range(n, 0, -1):
            images = np.clip(images + operators.draws[i - 1], 0, 3)
        if len(set(images.tolist())) == 1:
            return n, int(images[0])
        n *= 2


@pytest.mark.parametrize("seed", range(12))
def test_a_draw_is_where_all_states_meet(seed: int) -> None:
    n, state = plain(seed)
    found = ct.coupling_from_the_past(WALK, seed=seed, states=STATES)
    assert (found.maps, found.value.tolist()) == (n, [state])
    assert found.applications == 4 * n  # every map once to every state
    ends = ct.coupling_from_the_past(WALK, seed=seed, states=[0, 3], monotone=True)
    assert (ends.maps, ends.value.tolist()) == (n, [state])
    assert ends.applications == 2 * (2 * n - 1)  # the two ends anew for n = 1, 2, 4, …
    assert ct.coupling_from_the_past(WALK, seed=seed, states=STATES, max_maps=n).maps == n
    if n > 1:
        for monotone, states, remain in ((False, STATES, r"\d"), (True, [0, 3], "2")):
            with pytest.raises(ct.NotSettled, match=rf"by n = {n // 2} \(max_maps = {n - 1}\): {remain} states remain"):
                ct.coupling_from_the_past(WALK, seed=seed, states=states, max_maps=n - 1, monotone=monotone)


def test_several_draws_have_seeds_of_their_own_and_their_costs_are_added() -> None:
    found = ct.coupling_from_the_past(WALK, seed=5, states=STATES, size=6)
    assert found.value.shape == (6, 1)
    assert np.shape(found.maps) == (6,)
    assert found.applications == 4 * int(np.sum(found.maps))
    assert len({tuple(x) for x in found.value.tolist()}) > 1
    assert ct.coupling_from_the_past(ConstantMaps([[0.0], [1.0]]), states=[0.0, 1.0]).applications == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"states": [0, 1, 1]}, "states must be different from one another"),
        ({"states": []}, r"states have shape \(S, d\) with S >= 1"),
        ({"states": [[[0]]]}, r"states have shape \(S, d\)"),
        ({"states": [0, 1, 2, 3], "monotone": True}, "takes two states, the least and the greatest, got 4"),
        ({}, "defines no states: pass states="),
        ({"states": STATES, "size": 0}, "size must be an integer of at least 1"),
        ({"states": STATES, "max_maps": 0}, "max_maps must be an integer of at least 1"),
    ],
    ids=str,
)
def test_what_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ct.coupling_from_the_past(WALK, **given)
    with pytest.raises(ValueError, match=r"among the states|inside"):
        ct.coupling_from_the_past(WALK, states=[0, 1, 2])


@pytest.mark.parametrize(
    ("low", "high"),
    [([0.0], [0.0, 1.0]), ([[0.0]], [[1.0]]), ([0.0, 1.0], [1.0, 0.5]), ([1.0], [0.5])],
    ids=str,
)
def test_a_box_has_ends_of_one_shape_in_order(low: Any, high: Any) -> None:
    d = np.shape(low)[-1]
    family = FiniteFamily([(np.eye(d) / 2, np.zeros(d))])
    with pytest.raises(ValueError, match=r"a box has low <= high|coordinates"):
        ct.nested_boxes(family.sample(2), low, high)


def test_a_box_of_one_point_is_a_box() -> None:
    boxes = ct.nested_boxes(FiniteFamily([(0.5, 1.0)]).sample(2), [2.0], [2.0], maps="affine")
    assert boxes.low.tolist() == boxes.high.tolist() == [[2.0]] * 3
    with pytest.raises(NotCertified, match="region not invariant: T_1 sends the box"):
        ct.nested_boxes(FiniteFamily([(0.5, 1.0)]).sample(2), [1.0], [1.5], maps="affine")


def test_images_of_boxes_are_intersected() -> None:
    """x/2 and x/2 + 1/2 on [0, 1], by interval arithmetic: T_1 … T_n of the box has length 2^-n."""
    operators = FiniteFamily([(0.5, 0.0), (0.5, 0.5)]).sample(6, 3)
    boxes = ct.nested_boxes(operators, [0.0], [1.0], at=[0, 1, 3, 6], maps="affine")
    for n, low, high in zip([0, 1, 3, 6], boxes.low[:, 0], boxes.high[:, 0], strict=True):
        x = 0.0
        for i in range(n, 0, -1):
            x = x / 2 + (0.5 if operators.draws[i - 1] == 1 else 0.0)
        assert x - 1e-14 <= low <= x
        assert x + 2.0**-n <= high <= x + 2.0**-n + 1e-14
    turned = FiniteFamily([(-0.5, 0.5)]).sample(2)  # the ends change places
    found = ct.nested_boxes(turned, [0.0], [1.0], maps="affine")
    assert found.low[:, 0].tolist() == pytest.approx([0.0, 0.0, 0.25], abs=1e-14)
    assert found.high[:, 0].tolist() == pytest.approx([1.0, 0.5, 0.5], abs=1e-14)
