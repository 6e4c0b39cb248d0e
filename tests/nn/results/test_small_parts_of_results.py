"""Small parts of results on disk: what is close, what is joined, what is lost, how it is said, and at which number."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn_experiments.paper.catalogue import EXPERIMENTS
from nn_experiments.results import blocks, increments, merge, records, run_folders, studies
from nn_experiments.results.blocks import Behaviour, Block, different_behaviour
from nn_experiments.results.curves import Curves
from nn_experiments.results.increments import Increments, ratios, summary, tag_of
from nn_experiments.results.load import load
from nn_experiments.results.merge import Merged
from nn_experiments.results.settings import different_settings, flat_settings
from nn_experiments.results.studies import Study, check_keeps_seeds, find_studies, resumed, seeds_of, study_path

NAN, INF = np.nan, np.inf


# --- blocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "close"),
    [
        (100.0, 99.0, True),  # exactly one in a hundred of the larger
        (99.0, 100.0, True),
        (100.0, 98.99, False),
        (100.0, 101.02, False),
        (-100.0, -99.0, True),
        (100.0, -100.0, False),
        (9e-7, -9e-7, True),  # both are nothing
        (1e-6, 0.0, False),
        (0.0, 1.5e-6, False),
        (1.5e-6, 0.9e-6, False),
        (-9e-7, -1.5e-6, False),
        (0.0, 0.0, True),
        (NAN, NAN, True),
        (NAN, 1.0, False),
        (1.0, NAN, False),
        (INF, INF, True),
        (-INF, INF, False),
        (INF, 1.0, False),
        (NAN, INF, False),
    ],
)
def test_numbers_are_close_within_one_in_a_hundred_of_the_larger(one: float, other: float, close: bool) -> None:
    assert blocks._close(one, other) is close
    assert blocks._close(other, one) is close


def behaviour(seed: int = 0, moved: dict | None = None, measured: dict | None = None) -> Behaviour:
    return {
        "seed": seed,
        "moved": {"v": 1.0, "w": 2.0} if moved is None else moved,
        "measured": {"loss": 0.5} if measured is None else measured,
    }


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (behaviour(), ""),
        (behaviour(seed=1, moved={}), ""),
        (behaviour(moved={"v": 1.0}), "w is only there"),
        (behaviour(moved={"v": 1.0, "w": 2.0, "x": 3.0}), "x is only here"),
        (behaviour(moved={"v": 1.0, "w": 3.0}), "after T_1 T_2, w moves by 3, and 2 there"),
        (behaviour(moved={"v": 3.0, "w": 2.0}), "after T_1 T_2, v moves by 3, and 1 there"),
        (behaviour(measured={"loss": 0.25}), "after T_1 T_2, loss is 0.25, and 0.5 there"),
        (behaviour(measured={}), "loss is only there"),
        (behaviour(measured={"loss": 0.5, "more": 1.0}), "more is only here"),
    ],
)
def test_two_runs_are_compared_tensor_by_tensor_and_metric_by_metric(other: Behaviour, said: str) -> None:
    assert different_behaviour(behaviour(), other) == said


def test_the_settings_are_readable_json_with_sorted_keys(tmp_path: Path) -> None:
    settings: Any = {"identity": "b", "decides": {"z": 1, "a": [1, 2]}, "experiment": {}}
    blocks.write_settings(tmp_path / "run", settings)
    text = (tmp_path / "run" / "experiment.json").read_text()
    assert text == json.dumps(settings, indent=1, sort_keys=True) + "\n"
    assert text.index('"a"') < text.index('"z"')
    blocks.write_settings(tmp_path / "run", settings | {"identity": "other"})  # the same decides: kept as it was
    assert (tmp_path / "run" / "experiment.json").read_text() == text
    with pytest.raises(ValueError, match=r"experiment\.json describes another experiment; give another output folder"):
        blocks.write_settings(tmp_path / "run", settings | {"decides": {"z": 2, "a": [1, 2]}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "has no settings under 'decides'"),
        ('{"experiment": {}}', "has no settings under 'decides'"),
        ('{"decides": []}', "has no settings under 'decides'"),
        ('{"decides": {}, "experiment": "x"}', "has no settings under 'experiment'"),
        ('{"decides": {}, "experiment": []}', "has no settings under 'experiment'"),
        ('{"decides"', "is not whole JSON: "),
        ("[" * 100_000, "is not whole JSON: "),
        ('{"decides": {}}', None),
    ],
    ids=["a list", "no decides", "a list in it", "a text", "a list for an experiment", "half", "deep", "good"],
)
def test_settings_are_dictionaries(tmp_path: Path, text: str, message: str | None) -> None:
    (tmp_path / "experiment.json").write_text(text)
    if message is None:
        assert blocks.read_settings(tmp_path) == {"decides": {}}
        return
    with pytest.raises(ValueError, match=rf"experiment\.json {message}.*; delete this file, and the command"):
        blocks.read_settings(tmp_path)


def test_a_folder_without_settings_holds_no_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"^{tmp_path} holds no run: there is no experiment.json$"):
        blocks.read_settings(tmp_path)


@pytest.mark.parametrize(
    ("iterate", "good"),
    [([0], True), ([5], True), ([0, 1], True), ([], False), ([-1, 0], False), ([3, 3], False), ([2, 1], False)],
    ids=str,
)
def test_iterates_of_a_block_increase_from_zero_on(iterate: list[int], good: bool) -> None:
    values = {"a": np.ones(len(iterate), np.float32)}
    if good:
        one = Block(np.array(iterate, np.int32), values, {})
        assert (one.iterate.dtype, one.values["a"].dtype) == (np.int64, np.float64)
        return
    with pytest.raises(ValueError, match="a block needs increasing iterates of at least 0"):
        Block(np.array(iterate, int), values, {})


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()], ids=str)
def test_values_of_a_block_have_a_number_for_each_iterate(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"metric 'b' has shape {re.escape(str(shape))}, the iterates \(3,\)"):
        Block(np.arange(3), {"a": np.ones(3), "b": np.ones(shape)}, {})
    with pytest.raises(ValueError, match="a block needs increasing iterates"):
        Block(np.arange(4).reshape(2, 2), {}, {})


@pytest.mark.parametrize(
    ("metas", "joined"),
    [
        ([{"d": 1}], {"d": 1}),
        ([{"d": 1}, {"d": 1}], {"d": 1}),
        ([{"d": 1, "seconds": 0.12341}, {"d": 1, "seconds": 2.0}], {"d": 1, "seconds": 2.123}),
        ([{"d": 1, "seconds": 0.5}, {"d": 2}], {"d": 2, "seconds": 0.5, "joined": [{"d": 1}]}),
        ([{"d": 1}, {"d": 2}, {"d": 1}], {"d": 1, "joined": [{"d": 2}]}),
        (
            [{"d": 3, "joined": [{"d": 1}, {"d": 2}]}, {"d": 4, "joined": [{"d": 2}]}],
            {"d": 4, "joined": [{"d": 1}, {"d": 3}, {"d": 2}]},
        ),
        ([{"d": 1, "e": 2}, {"e": 2, "d": 1}], {"d": 1, "e": 2}),
    ],
)
def test_the_newest_maker_is_named_and_the_others_beside_it(metas: list[dict], joined: dict) -> None:
    """Seconds are added up and rounded to milliseconds; nobody says seconds where no block did."""
    assert blocks._join(metas) == joined


def test_blocks_stand_by_their_first_iterate_and_the_shorter_one_first(tmp_path: Path) -> None:
    for at in ([10, 11], [2, 9, 12], [2, 3], [2, 5, 6, 7]):
        blocks.write_block(tmp_path, 3, "forward", Block(np.array(at), {"a": np.array(at, float)}, {}))
    found = [block.iterate.tolist() for block in blocks.blocks(tmp_path, 3, "forward")]
    assert found == [[2, 3], [2, 9, 12], [2, 5, 6, 7], [10, 11]]
    assert blocks.blocks(tmp_path, 3, "backward") == blocks.blocks(tmp_path, 4, "forward") == []
    assert blocks.recorded(tmp_path, 3, "forward", "curves") == {"a": {2, 3, 5, 6, 7, 9, 10, 11, 12}}
    with pytest.raises(ValueError, match="unknown kind of block 'curve'; the known ones are curves, diagnostics"):
        blocks.block_path(tmp_path, 0, "forward", "curve", 0, 1)
    path = blocks.block_path(tmp_path, 7, "late-2", "diagnostics", 4, 9)
    assert path == tmp_path / "7" / "late-2" / "diagnostics" / "4-9.npz"


# --- increments ------------------------------------------------------------------------------------------------------


def measured(starts: tuple[str, ...] = ("θ0", "10 ahead", "2 ahead", increments.INDEPENDENT)) -> Increments:
    """Return increments of three draws at steps 0, 5 and 8, all numbers different."""
    shape = (3, 3, len(starts))
    names = ("parameter", "function", "norm", "loss", "accuracy")
    rng = np.random.default_rng(0)
    arrays = {name: rng.uniform(1, 2, shape) for name in names}
    about = {"experiment": {"name": "e", "model": "m"}}
    return Increments(np.array([0, 1, 2]), np.array([0, 5, 8]), starts, metadata=about, **arrays)


@pytest.mark.parametrize("space", ["parameter", "function"])
def test_ratios_are_to_the_distance_of_two_independent_runs(space: str) -> None:
    one = measured()
    found = ratios(one, space, "10 ahead")
    assert found.shape == (3, 2)  # no distance is stored for step 0
    values = getattr(one, space)
    for draw in range(3):
        for k in (1, 2):
            assert found[draw, k - 1] == values[draw, k, 1] / values[draw, k, 3]


def test_a_summary_is_of_the_last_step_and_of_the_start_that_is_least_ahead() -> None:
    """2 and not 10, which comes first and is the lesser as text."""
    one = measured()
    lines = summary(one, "t")
    assert summary(one) == [line.replace(", tag t", "") for line in lines]
    for line, space, name in zip(lines, ("parameter", "function"), ("parameters", "outputs"), strict=True):
        values = getattr(one, space)[:, 2]
        low, middle, high = np.sort(values[:, 2] / values[:, 3])
        assert line == (
            f"e, m, tag t, {name}: backward iterates 8 and 10 are {middle:.3g} of two independent runs' distance apart "
            f"({low:.3g} to {high:.3g} over 3 draws)"
        )
    assert (one.experiment, one.model) == ("e", "m")


@pytest.mark.parametrize(
    ("name", "tag"),
    [("increments-e.npz", None), ("increments-e--t.npz", "t"), ("increments-e--t--u.npz", "t--u"), ("e--.npz", "")],
)
def test_the_tag_of_a_file_follows_two_dashes(name: str, tag: str | None) -> None:
    assert tag_of(Path("folder") / name) == tag


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"draws": np.array([0, 1])}, "another shape"),
        ({"at": np.array([0, 5])}, "another shape"),
        ({"accuracy": np.ones((3, 3, 3))}, "another shape"),
        ({"parameter": np.ones((3, 3, 4, 1))}, "another shape"),
        ({"loss": np.ones((3, 4, 3))}, "another shape"),
        ({"starts": ("θ0", "10 ahead", "2 ahead", "nudged")}, "the starts are θ0, 10 ahead, 2 ahead, nudged"),
        ({"starts": ("θ0", "10 before", "nudged", increments.INDEPENDENT)}, "the starts are"),
        ({"starts": ("θ0", "10 before", "2 ahead", increments.INDEPENDENT)}, None),
    ],
    ids=[
        "good",
        "draws",
        "steps",
        "the last array",
        "an axis",
        "exchanged",
        "no independent",
        "none ahead",
        "one ahead",
    ],
)
def test_increments_have_all_that_every_measurement_has(change: dict, message: str | None, tmp_path: Path) -> None:
    path = tmp_path / "one.npz"
    dataclasses.replace(measured(), **change).save(path)
    if message is None:
        assert increments.load_increments(path).starts == change.get("starts", measured().starts)
        return
    with pytest.raises(increments.UnreadableIncrements, match=message):
        increments.load_increments(path)


@pytest.mark.parametrize("axis", [0, 1])
def test_increments_of_no_draw_or_no_step_are_none(axis: int, tmp_path: Path) -> None:
    one = measured()
    empty = [slice(None), slice(None)]
    empty[axis] = slice(0, 0)
    arrays = {name: getattr(one, name)[tuple(empty)] for name in ("parameter", "function", "norm", "loss", "accuracy")}
    named = {"draws": one.draws[:0]} if axis == 0 else {"at": one.at[:0]}
    dataclasses.replace(one, **arrays, **named).save(tmp_path / "one.npz")
    with pytest.raises(increments.UnreadableIncrements, match="or there are none"):
        increments.load_increments(tmp_path / "one.npz")


# --- records ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["a", "A.b_9", "stem-7x7", "a-b-c", "."])
def test_tags_are_words_with_single_dashes(tag: str) -> None:
    assert records.record_path("e", Path("r"), tag) == Path("r") / f"e--{tag}.npz"
    assert records.record_path("e", Path("r")) == Path("r/e.npz")


@pytest.mark.parametrize("tag", ["", "-", "a-", "-a", "a--b", "a b", "a/b", "ä", "a\n"])
def test_other_tags_are_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="a tag consists of letters, digits"):
        records.record_path("e", Path("r"), tag)


def test_records_of_an_experiment_are_found_by_their_tags(tmp_path: Path) -> None:
    for name in ("e.npz", "e--b.npz", "e--a-c.npz", "e-2.npz", "f.npz", "e--a.txt"):
        (tmp_path / name).touch()
    found = records.records_of("e", tmp_path)
    assert list(found.items()) == [
        (None, tmp_path / "e.npz"),
        ("a-c", tmp_path / "e--a-c.npz"),
        ("b", tmp_path / "e--b.npz"),
    ]
    (tmp_path / "e.npz").unlink()
    assert list(records.records_of("e", tmp_path)) == ["a-c", "b"]
    assert records.records_of("g", tmp_path) == {}


def curves(
    at: tuple[int, ...] = (0, 1, 5), orders: tuple[str, ...] = ("forward",), seeds: tuple[int, ...] = (0,), **about: Any
) -> Curves:
    shape = (len(seeds), len(orders), len(at))
    values = np.arange(float(np.prod(shape))).reshape(shape)
    experiment: Any = {"identity": "i", "experiment": {"name": "e"}, "decides": {}} | about
    return Curves(seeds, orders, np.array(at), {"loss": values}, {"loss": np.ones(shape, bool)}, experiment, [{"p": 1}])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_three_curves_that_lose_iterates_are_named_and_the_others_counted(count: int) -> None:
    seeds = tuple(range(count))
    there, new = curves((0, 1000, 2500), seeds=seeds), curves((0,), seeds=seeds)
    named = [f"2 iterates of loss, seed {seed}, forward (1,000 to 2,500)" for seed in seeds[:3]]
    more = [f"iterates of {count - 3} more curves"] if count > 3 else []
    assert records.missing_after(there, new) == named + more
    assert records.missing_after(new, there) == []
    one = curves((0, 1000), seeds=seeds)
    assert records.missing_after(there, one)[0] == "1 iterate of loss, seed 0, forward (2,500)"


def test_seeds_orders_and_metrics_that_are_gone_come_first() -> None:
    there = curves(orders=("forward", "backward"), seeds=(0, 1, 2))
    new = curves((0, 5), orders=("backward",), seeds=(1,))
    assert records.missing_after(there, new) == [
        "seeds 0, 2",
        "orders forward",
        "1 iterate of loss, seed 1, backward (1)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [({}, {}, True), ({"to_last": 5}, {}, True), ({}, {"to_last": 5}, True), ({"to_last": 5}, {"to_last": 5}, True)],
)
def test_joined_results_say_what_their_last_iterate_is(old: dict, new: dict, same: bool) -> None:
    """From whichever of both has distances to it."""
    whole, differing = records.joined(curves(**old), curves(**new, note=1))
    assert differing == 0
    assert whole.experiment.get("to_last") == ({**old, **new}.get("to_last"))
    assert ("note" in whole.experiment) is ("to_last" not in old)


def test_joined_results_have_every_cell_of_both_and_the_first_ones_numbers() -> None:
    """Seeds are sorted, orders keep their order, iterates are united; what neither has is not recorded."""
    there = curves((0, 5), ("polyak", "forward"), (4, 1))
    there = dataclasses.replace(there, seeds=(1, 4))
    new = curves((1, 5), ("forward", "late-3"), (2, 4))
    new = dataclasses.replace(new, provenance=[{"p": 1}, {"p": 2}])
    whole, differing = records.joined(there, new)
    assert (whole.seeds, whole.orders, whole.iterates.tolist()) == (
        (1, 2, 4),
        ("polyak", "forward", "late-3"),
        [0, 1, 5],
    )
    assert whole.provenance == [{"p": 1}, {"p": 2}]
    for s, seed in enumerate(whole.seeds):
        for o, order in enumerate(whole.orders):
            for k, n in enumerate(whole.iterates.tolist()):
                cells = [
                    part["loss"][part.seeds.index(seed), part.orders.index(order), part.iterates.tolist().index(n)]
                    for part in (there, new)
                    if seed in part.seeds and order in part.orders and n in part.iterates
                ]
                assert whole.recorded["loss"][s, o, k] == bool(cells)
                assert np.array_equal(whole["loss"][s, o, k], cells[0] if cells else NAN, equal_nan=True)
    assert differing == 1  # seed 4, forward, iterate 5


# --- studies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "count"),
    [
        ({}, 0),
        ({"seeds": 7}, 7),
        ({"seeds": 0, "settings": [{"replicates": 3}]}, 0),
        ({"settings": [{"replicates": 3}, {"replicates": 9}, {}]}, 9),
        ({"settings": [{}]}, 0),
        ({"settings": []}, 0),
    ],
)
def test_a_study_has_the_seeds_that_it_says(about: dict, count: int) -> None:
    assert seeds_of(about) == count


@pytest.mark.parametrize(("asked", "kept"), [(5, True), (6, True), (4, False), (0, False)])
def test_as_many_seeds_may_replace_a_study_and_fewer_may_not(asked: int, kept: bool, tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    check_keeps_seeds(path, 0)  # the file does not exist yet
    Study("s", {"x": np.zeros(2)}, {"seeds": 5}).save(path)
    if kept:
        check_keeps_seeds(path, asked)
        return
    with pytest.raises(ValueError, match=rf"s\.npz has 5 seeds, and {asked} would be left of them"):
        check_keeps_seeds(path, asked)


@pytest.mark.parametrize(
    ("held", "asked", "refused"),
    [
        ({"a": 1, "seeds": 5}, {"a": 1, "seeds": 4}, True),
        ({"a": 1, "seeds": 5}, {"a": 1, "seeds": 6}, False),
        ({"a": 1, "seeds": [0, 1, 2]}, {"a": 1, "seeds": [0, 1]}, True),
        ({"a": 1, "seeds": [0, 1]}, {"a": 1, "seeds": [0, 2]}, False),
        ({"a": 1, "count": 5}, {"a": 1, "count": 4}, True),
        ({"a": 1, "seeds": 5}, {"a": 2, "seeds": 4}, False),
        ({"a": 1, "seeds": 5, "count": 2}, {"a": 1, "seeds": 4, "count": 1}, False),
        ({"a": 1, "seeds": "5"}, {"a": 1, "seeds": 4}, False),
        ({"a": 1, "seeds": 5}, {"a": 1, "seeds": "4"}, False),
    ],
    ids=str,
)
def test_a_part_with_more_seeds_and_else_the_same_settings_is_not_replaced(
    held: dict, asked: dict, refused: bool, tmp_path: Path
) -> None:
    path = tmp_path / "part.npz"
    resumed(path, held, lambda: {"x": np.zeros(3)})
    if refused:
        with pytest.raises(ValueError, match="would be left of them"):
            resumed(path, asked, lambda: {"x": np.ones(3)})
        assert studies.load_study(path)["x"].tolist() == [0, 0, 0]
        return
    assert resumed(path, asked, lambda: {"x": np.ones(3)})["x"].tolist() == [1, 1, 1]
    assert studies.load_study(path).about == asked


def test_a_part_is_named_after_its_file_and_read_where_it_fits(tmp_path: Path) -> None:
    path, made = tmp_path / "part.npz", []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"x": np.arange(2)}

    for settings in ({"a": (1, 2)}, {"a": [1, 2]}):  # as JSON these are the same
        part = resumed(path, settings, make)
        assert (part.name, part["x"].tolist(), part.about) == ("part", [0, 1], {"a": [1, 2]})
    assert len(made) == 1
    path.write_bytes(b"half")
    resumed(path, {"a": [1, 2]}, make)
    assert len(made) == 2
    assert studies.load_study(path)["x"].tolist() == [0, 1]


def test_of_a_study_in_several_folders_the_first_counts(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    for k, (folder, names) in enumerate(zip(folders, (["b"], ["a", "b"], ["c"]), strict=True)):
        for name in names:
            Study(name, {"x": np.array(k)}, {}).save(study_path(name, folder))
    found = find_studies([*folders, folders[0]])
    assert [(study.name, int(study["x"])) for study in found] == [("a", 1), ("b", 0), ("c", 2)]
    Study("d", {}, {}).save(study_path("e", folders[1]))
    with pytest.raises(ValueError, match="holds the results of the study 'd', after which it is not named"):
        find_studies(folders)
    reasons: dict[Path, Exception] = {}
    assert [study.name for study in find_studies(folders, reasons)] == ["a", "b", "c"]
    assert list(reasons) == [study_path("e", folders[1])]


# --- merging ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "relative"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, NAN], [1.0, NAN], 0.0),
        ([1.0, INF], [1.0, INF], 0.0),
        ([1.0, INF], [1.0, 2.0], INF),
        ([1.0, 2.0], [1.0, NAN], INF),
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ([1.0, 4.0], [1.0, 2.0], 1.0),
        ([-3.0, 2.0], [-4.0, 2.0], 0.25),
        ([1.0, 2.5], [8.0, 2.0], 0.875),
        ([8.0, 2.5], [8.0, 2.0], 0.0625),  # in units of the largest number of the target, also where both agree
        ([3.0, 0.0], [0.0, 0.0], 1.0),  # of the source, if those of the target are 0
        ([INF, 3.0], [INF, 4.0], 0.25),  # of the finite ones
    ],
)
def test_differences_are_relative_to_the_largest_number_of_the_target(
    source: list[float], target: list[float], relative: float
) -> None:
    assert merge._relative(np.array(source), np.array(target)) == relative


def test_the_difference_of_a_block_is_the_largest_of_its_metrics() -> None:
    """On the iterates that both have; None where they share none."""
    block = Block(np.array([2, 4, 6]), {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([1.0, 5.0, 9.0])}, {})
    assert merge._difference(block, {}) is None
    assert merge._difference(block, {"c": {2: 9.0}, "a": {3: 9.0}}) is None
    assert merge._difference(block, {"a": {2: 1.0, 9: 100.0}}) == 0.0
    assert merge._difference(block, {"a": {2: 1.0, 6: 4.0}, "b": {4: 5.0}}) == 0.25
    assert merge._difference(block, {"a": {6: 4.0}, "b": {2: 1.0, 4: 10.0}}) == 0.5
    assert merge._difference(block, {"a": {6: 6.0}, "b": {2: 1.0, 4: 4.0}}) == 0.5


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ({"copied": 2}, "2 blocks copied into t"),
        ({"there": 3}, "0 blocks copied into t; 3 already there"),
        ({"copied": 1, "there": 3, "partly": 1}, "1 blocks copied into t; 3 already there (1 in part)"),
        (
            {"there": 3, "differing": 1, "difference": 0.01234},
            "0 blocks copied into t; 3 already there, 1 of them differ by up to 0.01 (the target's values were kept)",
        ),
        (
            {"there": 3, "differing": 1, "difference": INF},
            "0 blocks copied into t; 3 already there, 1 of them differ in which values are finite (the target's values "
            "were kept)",
        ),
    ],
)
def test_what_was_merged_is_said_in_one_line(outcome: dict, text: str) -> None:
    assert str(Merged(Path("t"), **outcome)) == text


@pytest.mark.parametrize(
    ("names", "shown"),
    [(["a"], "a.npz"), (["c", "a", "b"], "a.npz, b.npz, c.npz"), (["d", "c", "b", "a"], "a.npz, b.npz, c.npz, …")],
)
def test_three_records_that_cannot_be_merged_are_named(names: list[str], shown: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / f"{name}.npz").touch()
    with pytest.raises(ValueError, match=rf"holds results of record \({shown}\) and no runs"):
        merge._checked(tmp_path)


@pytest.mark.parametrize(("name", "what"), [("a.npz", "a file of record"), ("a.txt", "a file")])
def test_a_file_is_no_folder_of_runs(name: str, what: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=rf"{name} is {what}, and only folders of runs can be merged"):
        merge._checked(tmp_path / name)


def test_unfinished_and_foreign_files_are_not_merged(tmp_path: Path) -> None:
    """Names that begin with a dot are being written; folders whose names are no numbers are no seeds."""
    root = tmp_path / "run"
    for seed, curve, kind in ((3, "forward", "curves"), (3, "forward", "diagnostics"), (12, "backward", "curves")):
        blocks.write_block(root, seed, curve, Block(np.array([1, 4]), {"a": np.ones(2)}, {}), kind=kind)
    (root / "3" / "forward" / ".1-9.npz").touch()
    (root / "notes" / "forward").mkdir(parents=True)
    (root / "notes" / "forward" / "1-2.npz").touch()
    (root / "3" / "text").touch()
    found = [(seed, curve, kind, str(path.relative_to(root))) for seed, curve, kind, path in merge._files(root)]
    assert found == [
        (12, "backward", "curves", "12/backward/1-4.npz"),
        (3, "forward", "curves", "3/forward/1-4.npz"),
        (3, "forward", "diagnostics", "3/forward/diagnostics/1-4.npz"),
    ]


# --- settings, and loading -------------------------------------------------------------------------------------------


def test_settings_are_named_with_their_place_and_notes_are_left_out_everywhere() -> None:
    one = {"a": {"b": {"c": [1, 2]}, "notes": {"x": 1}, "d": None}, "notes": {"y": 2}, "e": "text"}
    assert flat_settings(one) == {"a.b.c": "[1, 2]", "a.d": "null", "e": '"text"'}
    assert different_settings(one, {**one, "e": "other", "f": 1, "notes": {}}) == ['e is "text" there and "other" here']


def record(folder: Path, tag: str | None, identity: str) -> None:
    path = records.record_path("regression-square", folder, tag)
    one = curves(orders=("forward", "backward"))
    dataclasses.replace(one, experiment={**one.experiment, "identity": identity}).save(path)  # type: ignore[typeddict-item]


def test_records_are_chosen_by_tag_or_by_the_beginning_of_an_id(tmp_path: Path) -> None:
    record(tmp_path, "x", "abc1")
    record(tmp_path, "y", "abd2")

    def chosen(**words: Any) -> str:
        return load("regression-square", out=tmp_path, **words).experiment["identity"]

    assert [chosen(tag="x"), chosen(tag="y")] == ["abc1", "abd2"]
    assert [chosen(run_id="abc"), chosen(run_id="abd2"), chosen(tag="x", run_id="ab")] == ["abc1", "abd2", "abc1"]
    for words, said in (
        ({}, r"has 2 records of 'regression-square'; there are abc1 \(x\), abd2 \(y\)"),
        ({"run_id": "ab"}, r"has 2 records of 'regression-square' with an ID that begins with ab; there are"),
        ({"run_id": "b"}, r"has 0 records of 'regression-square' with an ID that begins with b"),
        ({"tag": "x", "run_id": "abd"}, r"has 0 records .* with an ID that begins with abd; there are abc1 \(x\)$"),
        ({"tag": "z"}, r"has no record of 'regression-square' with the tag 'z'; the tags there are: x, y$"),
    ):
        with pytest.raises(ValueError, match=said):
            chosen(**words)
    record(tmp_path, None, "usual")
    assert [chosen(), chosen(run_id="abc"), chosen(run_id="u")] == ["usual", "abc1", "usual"]
    with pytest.raises(ValueError, match=r"the tags there are: none$"):
        load("regression-cube", out=tmp_path, tag="x")


def test_a_figure_has_those_of_its_curves_that_were_recorded(tmp_path: Path) -> None:
    record(tmp_path, None, "a")
    assert load("fig4", out=tmp_path).orders == ("forward", "backward")
    assert load("4", out=str(tmp_path), orders=["backward"]).orders == ("backward",)
    assert load("regression-square", out=tmp_path, seeds=[0]).seeds == (0,)
    path = records.record_path("regression-square", tmp_path)
    load(path).select(orders=["forward"]).save(path)
    one = dataclasses.replace(load(path), orders=("late-3",))
    one.save(path)
    with pytest.raises(
        ValueError, match=r"has none of the curves of fig4, but late-3; choose some of these by orders="
    ):
        load("fig4", out=tmp_path)
    with pytest.raises(TypeError, match="source must be a name, such as 'fig4', or a folder or file of results, got 4"):
        load(4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("orders", "tag"), [(("forward",), None), (("forward", "late-3"), "x")], ids=["one curve", "two curves"]
)
def test_records_have_a_number_of_everything_or_cannot_be_read(
    orders: tuple[str, ...], tag: str | None, tmp_path: Path
) -> None:
    path = records.record_path("e", tmp_path, tag)
    one = curves(orders=orders, seeds=(2, 3))
    one.save(path)
    assert load(path) == one
    for change in ({"seeds": (2,)}, {"orders": (*orders, "more")}, {"iterates": np.array([0, 1])}):
        dataclasses.replace(one, **change).save(path)
        with pytest.raises(ValueError, match="a metric has another shape than its seeds, orders and iterates"):
            load(path)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.npz"):
        load(tmp_path / "none.npz")


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "names", "end"),
    [
        ({"a", "b"}, {"a": "a", "b": "b"}, None),
        (
            {"parameter_to_9", "function_to_9", "parameter_to_10", "function_to_10", "a"},
            {"a": "a", "parameter_to_10": "parameter_to_last", "function_to_10": "function_to_last"},
            10,
        ),
        ({"parameter_to_9", "a"}, {"a": "a", "parameter_to_9": "parameter_to_last"}, 9),
        ({"parameter_to_100", "function_to_1100"}, {"parameter_to_100": "parameter_to_last"}, 100),
    ],
)
def test_distances_to_the_largest_last_iterate_are_kept(stored: set, names: dict, end: int | None) -> None:
    assert run_folders._metrics(stored) == (names, end)


@pytest.mark.parametrize(
    ("change", "varied"),
    [
        ({}, False),
        ({"notes": {}}, False),
        ({"later": 1}, False),
        ({"batch_size": 2}, True),
        ({"optimizer": {}}, True),
        ({"name": "own"}, True),
    ],
)
def test_settings_are_varied_where_a_field_is_not_the_catalogues(change: dict, varied: bool) -> None:
    about = json.loads(json.dumps(EXPERIMENTS["regression-square"].to_json())) | change
    assert run_folders._varied(about) is varied
    del about["dtype"]  # a field that a run does not say is not the catalogue's
    assert run_folders._varied(about) is True


def test_choices_of_two_folders_are_readable_json_with_sorted_keys(tmp_path: Path) -> None:
    for name, pins in (("one", {"z": {"chunk": 1}, "b": {"chunk": 2}}), ("two", {"m": {"chunk": 3}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / blocks.TUNING_FILE).write_text(json.dumps(pins))
    merge._merge_pins(tmp_path / "one", tmp_path / "two")
    whole = {"b": {"chunk": 2}, "m": {"chunk": 3}, "z": {"chunk": 1}}
    assert (tmp_path / "two" / blocks.TUNING_FILE).read_text() == json.dumps(whole, indent=1) + "\n"


@pytest.mark.parametrize(
    "read", [studies.load_study, records.load_record, increments.load_increments, blocks.read_block]
)
def test_no_file_of_results_is_a_pickle(read: Any, tmp_path: Path) -> None:
    """An array of objects is one: it is refused, whatever else the file has."""
    path, hidden = tmp_path / "s.npz", np.array([{"a": 1}], dtype=object)
    whole = measured()
    whole.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays |= {"iterate": np.array([1]), "meta": np.array("{}"), "seeds": np.array([0]), "iterates": np.array([0])}
    about = json.loads(str(arrays["about"])) | {"study": "s", "orders": [], "experiment": {}, "provenance": []}
    arrays["about"] = np.array(json.dumps(about))
    np.savez(path, **arrays)
    read(path)
    names = {"load_study": "x", "load_record": "seeds", "load_increments": "loss", "read_block": "iterate"}
    np.savez(path, **arrays | {names[read.__name__]: hidden})  # type: ignore[arg-type]  # no array is called "allow_pickle"
    with pytest.raises(ValueError, match=r"s\.npz (does not hold|is not)"):
        read(path)


def test_a_warning_points_at_the_line_that_loads(tmp_path: Path) -> None:
    usual = EXPERIMENTS["regression-square"].to_json()
    for name, about in (("a", {"batch_size": 4}), ("b", {})):
        root, settings = tmp_path / name, usual | about
        blocks.write_settings(root, {"identity": name, "experiment": settings, "decides": {"of": name}})
        blocks.write_block(root, 0, "forward", Block(np.arange(2), {"test_loss": np.ones(2)}, {}))
    with pytest.warns(UserWarning, match="the one with the catalogue's settings is used") as seen:
        load("regression-square", out=tmp_path)
    assert [Path(one.filename).name for one in seen] == [Path(__file__).name]
