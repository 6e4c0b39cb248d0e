"""The probe before any result: an ordinary mistake in a map is refused with its remedy, by every entry, or harmless."""

from __future__ import annotations

import doctest
import inspect
import itertools

import numpy as np
import pytest

import contraction as ct
from contraction.maps import probe as probe_module
from contraction.maps.probe import probe, probe_family
from tests.theory.maps.probe_examples import A2, ENTRIES, MISTAKES, REMEDY, family, minus


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_entry_refuses_every_mistake(mistake, entry):
    make, d, error, message = MISTAKES[mistake]
    if mistake == "a number" and entry == "search_violation":
        error = ValueError  # its own words for the same rule
    if mistake == "a coordinate lost" and entry == "search_violation":
        error = ValueError
    with pytest.raises(error, match=f"(?s){message}"):
        ENTRIES[entry](make(), d)


def test_the_starts_of_the_caller_are_left_alone():
    start = np.zeros(3)
    for entry in ("forward_iterates", "backward_iterates", "apply_backward"):
        with pytest.raises(ct.MapRefused, match="leave its argument"):
            getattr(ct, entry)(family(minus, 3).sample(30), start)
    with pytest.raises(ct.MapRefused, match="T_1 writes into theta"):
        family(minus, 3).sample(3)[0](start)
    np.testing.assert_array_equal(start, np.zeros(3))
    assert start.flags.writeable


def test_a_map_in_place_that_was_not_probed_is_refused_as_well():
    """Seven maps, of which the third and the fifth write into their argument: neither is first, middle or last."""
    maps = [(lambda t: 0.5 * t + 1) if i not in (2, 4) else (lambda t: np.multiply(t, 0.5, out=t)) for i in range(7)]
    start = np.ones(2)
    for call in (ct.forward_iterates, ct.backward_iterates, ct.apply_backward):
        with pytest.raises(ct.MapRefused, match=r"T_[35] writes into theta"):
            call(ct.Operators.from_maps(maps), start)
    np.testing.assert_array_equal(start, np.ones(2))


def test_a_map_in_place_far_away_only_is_refused():
    def clipped(theta, u):
        image = theta
        if np.max(np.abs(theta)) > 5:
            image *= 0.5
        return 0.5 * image + u

    with pytest.raises(ct.MapRefused, match="leave its argument"):
        ct.backward_iterates(family(clipped).sample(4), np.zeros(2))


@pytest.mark.parametrize("wrong", [1, 4, 7])
def test_the_first_a_middle_and_the_last_map_are_tried(wrong):
    maps = [(lambda t: A2 @ t) if i == wrong else (lambda t: t @ A2.T) for i in range(1, 8)]
    with pytest.raises(ct.MapRefused, match=f"T_{wrong} sends theta.*"):
        ct.backward_iterates(ct.Operators.from_maps(maps), np.zeros(2))


def test_an_apply_for_one_vector_is_refused_without_batched_false():
    """As many points as coordinates: two points of R^2 are mixed without an error."""
    with pytest.raises(ct.MapRefused, match=REMEDY):
        ct.apply_backward(family(lambda t, u: A2 @ t + u).sample(4), np.eye(2))


def test_one_vector_and_stacked_draws_exclude_each_other():
    with pytest.raises(ValueError, match="choose one"):
        family(lambda t, u: t, vectorized=True, batched=False)


@pytest.mark.parametrize(
    "metric",
    [
        lambda x, y: np.linalg.norm(x - y),
        lambda x, y: np.abs(x - y),
        lambda x, y: abs(x[0] - y[0]) + abs(x[1] - y[1]),
        lambda x, y: np.sqrt(np.dot(x - y, x - y)),
        lambda x, y: float(np.dot(x - y, x - y)) ** 0.5,
        lambda x, y: np.abs(x - y).max(-1) + np.abs(x - y).mean(),
    ],
    ids=["norm", "no norm", "coordinates", "dot", "float", "mean"],
)
def test_a_metric_for_one_pair_is_refused(metric):
    own = ct.RandomOperator(lambda rng: rng.uniform(-1, 1, 3), lambda t, u: 0.5 * t + u, space=metric)
    for call in (
        lambda: ct.certify(own.sample(3), np.zeros(3)),
        lambda: ct.backward_limit(own, np.zeros(3), 1e-3),
        lambda: ct.coupling_distance(own.sample(3), np.zeros(3), np.ones(3)),
    ):
        with pytest.raises(ct.MapRefused, match=r"distance\(x, y\) must .*Write axis=-1"):
            call()
    right = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, 3), lambda t, u: 0.5 * t + u, space=lambda x, y: np.abs(x - y).sum(-1)
    )
    assert ct.backward_limit(right, np.zeros(3), 1e-3).value.shape == (3,)


@pytest.mark.parametrize("replicas", [2, 3, 20])
def test_stacked_draws_are_tried_one_replica_at_a_time(replicas):
    """A number a replica, of shape (R,), against points (R, d): an error, or mixed where R = d."""
    number = family(lambda t, u: 0.5 * t + u, 2, lambda rng: rng.uniform(-1, 1), vectorized=True)
    with pytest.raises(ct.MapRefused, match=r"replicas|points of shape"):
        ct.backward_iterates(number.sample(5, replicas=replicas), np.zeros(2))
    right = family(lambda t, u: 0.5 * t + np.asarray(u)[..., None], 2, lambda rng: rng.uniform(-1, 1), vectorized=True)
    assert ct.backward_iterates(right.sample(5, replicas=replicas), np.zeros(2)).shape == (replicas, 6, 2)


def test_replicas_that_mix_are_refused():
    centred = family(lambda t, u: 0.5 * t + u - np.mean(u, axis=0), 2, vectorized=True)
    with pytest.raises(ct.MapRefused, match=r"replicas must not mix.*omit vectorized=True"):
        ct.backward_iterates(centred.sample(5, replicas=4), np.zeros(2))


def given_draws(R, apply):
    """Five maps with draws that are given for R replicas, and no seed."""
    draws = list(np.random.default_rng(0).standard_normal((5, R, 2)))
    return ct.Operators(family(apply, 2, vectorized=True), draws, replicas=R)


@pytest.mark.parametrize("replicas", [4, 1000])
def test_replicas_of_given_draws_that_mix_are_refused(replicas):
    with pytest.raises(ct.MapRefused, match=r"replicas must not mix.*omit vectorized=True"):
        ct.backward_iterates(given_draws(replicas, lambda t, u: 0.5 * t + u - np.mean(u, axis=0)), np.zeros(2))


def test_many_replicas_of_given_draws_are_tried_at_the_start_and_three_of_them_elsewhere():
    """T_1, T_3 and T_5 at all 1000 starts, twice; what else is tried (stacks of up to six points) has three replicas.

    Where a draw does not have one entry a replica, every replica is tried everywhere, and the error is the usual one.
    """
    sizes = []

    def counted(t, u):
        sizes.append(t.size // 2)
        return 0.5 * t + u

    probe(given_draws(1000, counted), np.zeros((1000, 2)))
    assert sizes.count(1000) == 6
    assert max(size for size in sizes if size != 1000) == 3 * 6
    short = given_draws(999, counted)
    short.replicas = 1000
    with pytest.raises(ct.MapRefused, match=r"T_1 cannot be applied to points of shape \(1000, 2\)"):
        probe(short, np.zeros((1000, 2)))


def sine(**known):
    return family(lambda t, u: 0.5 * np.sin(t) + u, 2, **known)


@pytest.mark.parametrize(
    "known",
    [{"lipschitz": lambda u: 0.1}, {"contraction": 0.1}, {"contraction": 0.5, "displacement": 0.01}],
    ids=["lipschitz", "contraction", "displacement"],
)
def test_declared_constants_of_drawn_operators_are_searched(known):
    with pytest.raises(ct.DeclarationRefuted, match="violated"):
        ct.certify(sine(**known).sample(10), np.zeros(2))
    assert ct.certify(sine(lipschitz=lambda u: 0.5).sample(10), np.zeros(2)).k == pytest.approx(0.5)


def test_declared_constants_are_searched_wherever_they_are_used():
    wrong = sine(lipschitz=lambda u: 0.1, contraction=0.5, displacement=2.0)
    for call in (
        lambda: ct.average_contraction(wrong, np.zeros(2)),
        lambda: ct.certify(wrong, np.zeros(2)),
        lambda: ct.backward_limit(wrong, np.zeros(2), 1e-6),
        lambda: ct.unbiased_expectation(wrong, lambda x: x[..., 0], np.zeros(2)),
    ):
        with pytest.raises(ct.DeclarationRefuted, match=r"lipschitz\(draw\) = 0.1 is violated"):
            call()


def counting():
    calls = itertools.count()
    counted = family(lambda t, u: (next(calls), 0.5 * t + u)[1])
    return counted, lambda: next(calls)


def test_a_probe_takes_at_most_ten_applications_a_map_and_the_second_none():
    counted, calls = counting()
    operators = counted.sample(100)
    probe(operators, np.zeros(2))
    first = calls()
    assert first <= 3 * 10
    probe(operators, np.ones(2))
    assert calls() == first + 1
    probe_family(counted, np.zeros(2))
    used = calls()
    probe_family(counted, np.zeros(2), seed=5)
    assert calls() == used + 1


def test_what_passed_is_forgotten_with_the_object():
    before = len(probe_module._passed)
    for seed in range(5):
        probe(sine().sample(3, seed), np.zeros(2))
    assert len(probe_module._passed) == before


def test_another_shape_or_type_of_point_is_tried_again():
    shrink = family(lambda t, u: t / 2 if t.dtype == np.float32 else t / max(1.0, float(np.linalg.norm(t))))
    operators = shrink.sample(3)
    ct.backward_iterates(operators, np.zeros(2, dtype=np.float32))
    with pytest.raises(ct.MapRefused, match="every point independently"):
        ct.backward_iterates(operators, np.zeros(2))


@pytest.mark.parametrize(
    "module", [probe_module, ct.RandomOperator, ct.apply_backward], ids=["probe", "operators", "limits"]
)
def test_the_examples_of_the_docstrings_run(module):
    shown = inspect.getmodule(module)
    assert shown is not None
    result = doctest.testmod(shown)
    assert result.attempted >= 3
    assert result.failed == 0


def test_large_points_are_tried_in_batches_as_well():
    """5,000 numbers: a map that adds a mean over the batch is refused, and one that keeps its points apart is not."""
    start = np.zeros(5000)

    def maps(apply):
        return ct.RandomOperator(lambda rng: rng.uniform(-1, 1), apply).sample(2)

    assert ct.backward_iterates(maps(lambda theta, u: 0.5 * theta + u), start).shape == (3, 5000)
    with pytest.raises(ct.MapRefused, match="T_1"):
        ct.backward_iterates(maps(lambda theta, u: 0.5 * theta + u + 0.1 * np.mean(theta)), start)
