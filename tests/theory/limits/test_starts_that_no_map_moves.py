"""A start that no map moves is its own backward limit; from there another start cannot be tested, and that is said."""

from __future__ import annotations

import pytest

import contraction as ct


def scaled(**stated: object) -> ct.RandomOperator:
    """x -> u x with u in [1/2, 1]: every map leaves 0 in place."""
    return ct.RandomOperator(lambda rng: rng.uniform(0.5, 1.0), lambda x, u: u * x, **stated)


@pytest.mark.parametrize("moment", [None, 1, 2])
def test_the_start_is_the_limit_also_in_mean(moment: float | None) -> None:
    """Without a factor below 1: a distance of 0 is 0 in every mean."""
    limit = ct.backward_limit(scaled(displacement=0.0), 0.0, eps=1e-9, moment=moment)
    assert limit.certified
    assert (limit.value.tolist(), limit.error, limit.maps) == ([0.0], 0.0, 0)


@pytest.mark.control
def test_a_mean_is_refused_where_maps_move_the_start() -> None:
    with pytest.raises(ct.NotCertified, match="k unknown"):
        ct.backward_limit(scaled(displacement=1.0), 0.0, eps=1e-9, moment=2)


def test_the_advice_is_not_what_was_already_declared() -> None:
    with pytest.raises(ct.NotSettled, match=r"undecided: no map moves theta0 \(displacement=\)") as refused:
        ct.backward_limit(scaled(displacement=0.0), 0.0, eps=1e-6, start=5.0, max_maps=64)
    assert "declare displacement" not in str(refused.value)
    assert "exchange theta0 and start" in str(refused.value)
    found = ct.backward_limit(scaled(displacement=lambda x: abs(x).max()), 5.0, eps=1e-6, start=0.0)  # as advised
    assert abs(found.value[0]) <= 1e-6
    assert found.far <= 1e-6


def test_without_a_declaration_it_is_advised() -> None:
    with pytest.raises(ct.NotSettled, match=r"If every map fixes theta0, declare displacement=0\.0"):
        ct.backward_limit(scaled(), 0.0, eps=1e-6, max_maps=64)
