"""Requests and their pieces, counted by hand: grids, defaults, what is refused, and what pieces cost."""

from __future__ import annotations

import dataclasses

import pytest

from nn_experiments.paper import curve_names
from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES
from nn_experiments.runs.request import Grid, Piece, Prices, Request, cut, path_cost, total_cost

SMALL = EXPERIMENTS["regression-square"]


def request(**changes) -> Request:
    return Request(**({"experiment": SMALL, "seeds": (0,), "orders": ("forward",), "steps": 10} | changes))


def test_a_seed_that_shares_its_maps_with_another_one_is_refused() -> None:
    """Seeds are told apart up to 2^32 - 1."""
    assert request(seeds=(0, 2**32 - 1)).seeds == (0, 2**32 - 1)
    for seed in (2**32, 10**30):
        with pytest.raises(ValueError, match=f"the seed must be below 2.32 = 4294967296, .* got {seed}"):
            request(seeds=(0, seed))
    with pytest.raises(ValueError, match="the seed must be an integer of at least 0, got -1"):
        request(seeds=(-1,))


@pytest.mark.parametrize(
    ("every", "diagnostics", "at", "coarse"),
    [
        (1, 0, tuple(range(11)), ()),
        (4, 5, (0, 4, 8, 10), (0, 5)),  # the last iterate is one of the curves', and none of the diagnostics'
        (5, 3, (0, 5, 10), (0, 3, 6, 9)),
        (10, 10, (0, 10), (0,)),
        (11, 11, (0, 10), (0,)),
    ],
)
def test_a_grid_begins_at_zero_and_ends_with_the_last_step(every, diagnostics, at, coarse) -> None:
    grid = request(every=every, diagnostics_every=diagnostics).grid
    assert grid == Grid(seeds=(0,), orders=("forward",), at=at, diagnostics_at=coarse, last=10)
    assert (grid.wanted("curves"), grid.wanted("diagnostics")) == (at, coarse)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 0}, "steps must be an integer >= 1, got 0"),
        ({"every": 0}, "every must be an integer >= 1, got 0"),
        ({"diagnostics_every": -1}, "diagnostics_every must be an integer >= 0, got -1"),
        ({"seeds": ()}, "seeds is empty: a run needs at least one of them"),
        ({"orders": ()}, "orders is empty: a run needs at least one of them"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_number_has_a_least_value(change: dict, said: str) -> None:
    assert request(steps=1, every=1, diagnostics_every=0).grid.at == (0, 1)
    with pytest.raises(ValueError, match=said):
        request(**change)


def test_steps_of_parts_need_an_experiment_with_parts() -> None:
    with pytest.raises(ValueError, match="regularised-1 needs an experiment whose batches have parts"):
        request(orders=("forward", "regularised-1"))
    parts = EXPERIMENTS["mlp-fashion-split-2"]
    assert request(experiment=parts, orders=("regularised-1",)).orders == ("regularised-1",)


def test_a_figures_request_has_its_numbers_unless_others_are_given() -> None:
    """Zero is a number that is given; seeds and orders that are given twice count once, by their canonical names."""
    figure = dataclasses.replace(
        FIGURES["fig4"], steps=20, every=2, diagnostics_every=5, compared_at=(20,), seeds=(4, 3)
    )
    usual = Request.of(figure, SMALL)
    assert (usual.seeds, usual.orders) == ((4, 3), figure.all_orders)
    assert (usual.steps, usual.every, usual.diagnostics_every) == (20, 2, 5)
    other = Request.of(
        figure, SMALL, seeds=[1, 0, 1], orders=["ema-0.90", "forward", "ema-0.9"], steps=7, every=3, diagnostics_every=0
    )
    assert (other.seeds, other.orders) == ((1, 0), ("ema-0.9", "forward"))
    assert (other.steps, other.every, other.diagnostics_every) == (7, 3, 0)


def test_costs_of_pieces_are_those_of_their_paths() -> None:
    """Forward to 10 and on to 20: as pieces 10 and 20 maps, and 20 if the path is gone along once, for each seed."""
    pieces = [Piece(seed, "forward", "curves", at, at[-1], 1.0) for seed in (0, 1) for at in ((5, 10), (15, 20))]
    assert (total_cost(pieces), path_cost(pieces, 20)) == (60, 40)
    backward = [Piece(0, "backward", "curves", (k,), k, 1.0) for k in (3, 4)]
    assert (total_cost(backward), path_cost(backward, 20)) == (7, 7)
    assert (total_cost([]), path_cost([], 20)) == (0, 0)


def test_seconds_of_a_piece_are_maps_and_evaluations() -> None:
    """With 2 s a map and 1 s an evaluation, of which an iterate with diagnostics takes five.

    Backward iterates 2 and 4: 6 maps. With diagnostics 3 + 5 more, 6 from a second start, 4 of an independent forward
    run, and 9 to the last iterate.
    """
    whole = Prices(2.0, 1.0, 1e9)
    assert cut({(0, "backward", "curves"): [2, 4]}, 9, whole) == [
        Piece(0, "backward", "curves", (2, 4), 6, 2 * 6 + 2.0)
    ]
    maps = 6 + 3 + 5 + 6 + 4 + 9
    assert cut({(0, "backward", "diagnostics"): [2, 4]}, 9, whole) == [
        Piece(0, "backward", "diagnostics", (2, 4), maps, 2 * maps + 10.0)
    ]


def test_diagnostics_of_backward_iterates_count_three_maps_for_one() -> None:
    """Iterates n, n + 1 and n from the second start: 18 and 12 maps for 6 and 4, and five evaluations of 1 s each."""
    missing = {(0, "backward", "diagnostics"): [4, 6]}
    assert [p.at for p in cut(missing, 9, Prices(1.0, 1.0, 18 + 5 + 12 + 5))] == [(4, 6)]
    assert sorted(p.at for p in cut(missing, 9, Prices(1.0, 1.0, 18 + 5 + 12 + 4.9))) == [(4,), (6,)]
    forward = {(0, "forward", "diagnostics"): [4, 6]}  # where iterate n + 1 is one map more
    assert [p.at for p in cut(forward, 9, Prices(1.0, 1.0, 2 + 5 + 4 + 5))] == [(4, 6)]


@pytest.mark.parametrize("name", ["reset_if_better-loss-3", "regularised-1"])
def test_a_path_that_is_decided_or_expensive_is_one_piece(name: str) -> None:
    """Iterate 0 has no losses of batches, and is a piece of its own."""
    price = curve_names.parse(name).price
    pieces = {p.at: p for p in cut({(0, name, "curves"): [0, 1, 2, 6]}, 6, Prices(1.0, 0.5, 1.0))}
    assert set(pieces) == {(0,), (1, 2, 6)}
    assert pieces[0,].seconds == 0.5
    assert pieces[1, 2, 6].seconds == pieces[1, 2, 6].maps * price + 1.5
    (only,) = cut({(0, name, "curves"): [3, 6]}, 6, Prices(1.0, 0.5, 1.0))
    assert only.at == (3, 6)
