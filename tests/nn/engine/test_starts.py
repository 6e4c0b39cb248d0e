"""Many starts under the same maps are forward runs, each by itself; and what that says of the backward order."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from contraction.maps.orders import Backward, CustomOrder, Forward  # noqa: E402
from nn_experiments.cli import main  # noqa: E402
from nn_experiments.engine.ensemble.starts import Draw, under_the_same_maps  # noqa: E402
from nn_experiments.engine.ensemble.wavefront import Ensemble, split  # noqa: E402
from nn_experiments.engine.loop import double_loop  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.report.increments import draw_increments  # noqa: E402
from nn_experiments.results.increments import INDEPENDENT, NUDGE, joined, load_increments, ratios, summary  # noqa: E402
from nn_experiments.runs import increments  # noqa: E402
from nn_experiments.runs.increments import measure_increments  # noqa: E402
from nn_experiments.training.metrics import parameter_distance  # noqa: E402
from nn_experiments.training.optimizers import Optimizer  # noqa: E402
from tests.nn.conv_problems import SLOW, conv_bound, conv_problem, whole  # noqa: E402
from tests.nn.problems import (  # noqa: E402
    SGD,
    bound,
    flat,
    problem,
)

DIGITS = EXPERIMENTS["mlp-digits"].override({"dtype": "float64", "model": "mlp-1x8"})


def other(state, seed: int):
    """Return a state beside another."""
    generator = torch.Generator().manual_seed(seed)
    moved = {k: v + 0.1 * torch.randn(v.shape, generator=generator).double() for k, v in state["parameters"].items()}
    return {**state, "parameters": moved}


@pytest.mark.parametrize("form", ["wide", "vmap"])
def test_every_start_of_every_draw_is_a_forward_run_by_itself(form: str) -> None:
    step, batches, state0 = conv_problem("basic-batch", SLOW)
    again = lambda i: batches(i + 100)  # noqa: E731 - another draw
    draws = [Draw(batches, [state0, other(state0, 1)]), Draw(again, [state0, other(state0, 2), other(state0, 3)])]
    at = [0, 2, 5]
    found = {
        n: split(state, 5) for n, state in under_the_same_maps(step, draws, at, ensemble=Ensemble(chunk=5, form=form))
    }
    assert list(found) == at
    members = [(draw, start) for draw in draws for start in draw.starts]
    for c, (draw, start) in enumerate(members):
        right = double_loop(step, draw.batches, start, Forward(), at)
        for n in at:
            assert float((whole(found[n][c]) - whole(right[n])).norm()) <= conv_bound(n, state0)
    # a run of the other draw, or of another start, is far away
    wrong = double_loop(step, again, state0, Forward(), [5])[5]
    assert float((whole(found[5][0]) - whole(wrong)).norm()) > 1e6 * conv_bound(5, state0)


def test_what_cannot_be_trained_is_refused() -> None:
    step, batches, state0 = problem("regression", SGD)
    one, none = Draw(batches, [state0]), Draw(batches, [])
    for draws in ([], [none], [one, none], [none, one]):
        with pytest.raises(ValueError, match="every draw needs a start"):
            next(under_the_same_maps(step, draws, [1]))
    with pytest.raises(ValueError, match="at least 0, got"):
        next(under_the_same_maps(step, [Draw(batches, [state0])], [-1]))


def test_the_pair_is_two_backward_iterates_of_the_renamed_maps() -> None:
    """(T_n … T_1 θ_0, T_n … T_1 T_{n+1} … T_m θ_0) are backward iterates n and m of S_i = T_{n+1-i} (T_i beyond n)."""
    step, batches, state0 = problem("classification", SGD)
    n, m = 4, 7
    ahead = double_loop(step, batches, state0, CustomOrder(lambda _: list(range(n + 1, m + 1))), [m])[m]
    pair = next(split(state, 2) for _, state in under_the_same_maps(step, [Draw(batches, [state0, ahead])], [n]))
    renamed = lambda i: batches(n + 1 - i if i <= n else i)  # noqa: E731
    backward = double_loop(step, renamed, state0, Backward(), [n, m])
    for found, right in zip(pair, (backward[n], backward[m]), strict=True):
        assert float((flat(found["parameters"]) - flat(right["parameters"])).norm()) <= bound(m, state0)
    not_renamed = double_loop(step, batches, state0, Backward(), [n])[n]
    assert parameter_distance(pair[0], not_renamed) > 1e6 * bound(m, state0)


@pytest.mark.parametrize("independent", [True, False])
def test_the_law_of_the_increment_by_enumeration(independent: bool) -> None:
    """Every word of two batches: the distances of backward iterates 2 and 3 and of the forward pair are the same set.

    Drawn without replacement from three batches, where the start that is ahead must come from the *next* map and not
    from an independent one, the sets differ (row 77's counterexample).
    """
    step, batches, state0 = problem("classification", SGD)
    letters = 2 if independent else 3
    words = [w for w in itertools.product(range(1, letters + 1), repeat=3) if independent or len(set(w)) == 3]
    extra = [(w, x) for w in words for x in range(1, letters + 1)]  # an independent map for the start
    backward, forward = [], []
    for word, x in extra:
        draw = lambda i, word=word: batches(word[i - 1])  # noqa: E731
        iterates = double_loop(step, draw, state0, Backward(), [2, 3])
        backward.append(parameter_distance(iterates[2], iterates[3]))
        ahead = step(state0, batches(x), 1)
        _, state = next(under_the_same_maps(step, [Draw(draw, [state0, ahead])], [2]))
        forward.append(parameter_distance(*split(state, 2)))
    same = np.allclose(sorted(backward), sorted(forward), rtol=1e-9, atol=0)
    assert same == independent


def test_measured_increments(tmp_path: Path) -> None:
    found = measure_increments(DIGITS, [3, 5], steps=9, every=4, ahead=(1, 2), images=7)
    assert found.starts == ("θ0", "1 ahead", "2 ahead", "other start", "nudged", INDEPENDENT)
    assert found.at.tolist() == [0, 4, 8, 9]
    assert found.parameter.shape == found.function.shape == found.loss.shape == (2, 4, 6)
    assert (found.parameter[..., 0] == 0).all()
    assert (found.parameter[:, 0, -1] == 0).all()  # the independent run starts at θ_0
    assert np.allclose(found.parameter[:, 0, 4], NUDGE * found.norm[:, 0, 0], rtol=1e-6)
    # by hand: draw 5, one step ahead, n = 4
    from nn_experiments.runs.setup import prepare

    place = prepare(DIGITS, 5)
    ahead = place.step(place.state0, place.other_batches(1), 1)
    runs = {
        "θ0": double_loop(place.step, place.batches, place.state0, Forward(), [4])[4],
        "1 ahead": double_loop(place.step, place.batches, ahead, Forward(), [4])[4],
        INDEPENDENT: double_loop(place.step, place.other_batches, place.state0, Forward(), [4])[4],
    }
    inputs, targets = (one[:7] for one in place.evaluation.sets["test"])
    outputs = {name: place.evaluation.predict(state, inputs) for name, state in runs.items()}
    for name in ("1 ahead", INDEPENDENT):
        c = found.starts.index(name)
        assert found.parameter[1, 1, c] == pytest.approx(parameter_distance(runs[name], runs["θ0"]), rel=1e-9)
        far = (outputs[name] - outputs["θ0"]).square().sum(-1).mean().sqrt()
        assert found.function[1, 1, c] == pytest.approx(float(far), rel=1e-9)
        assert found.loss[1, 1, c] == pytest.approx(float(place.evaluation.loss(outputs[name], targets)), rel=1e-9)
        assert found.accuracy[1, 1, c] == float((outputs[name].argmax(-1) == targets).double().mean())
    assert not np.allclose(found.parameter[0], found.parameter[1])
    found.save(tmp_path / "kept.npz")
    again = load_increments(tmp_path / "kept.npz")
    assert again.starts == found.starts
    assert again.metadata["experiment"]["name"] == "mlp-digits"
    assert np.array_equal(again.function, found.function)
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"broken.npz does not hold increments"):
        load_increments(tmp_path / "broken.npz")
    assert np.allclose(ratios(found, "parameter", INDEPENDENT), 1)
    fig = draw_increments([found])
    assert len(fig.axes) == 2
    assert "backward iterates 9 and 10" in summary(found)[0]


def test_where_the_identity_is_not_proved_nothing_is_measured() -> None:
    more = {"steps": 2, "every": 1}
    with pytest.raises(ValueError, match="sampling must be iid, got 'reshuffle'"):
        measure_increments(DIGITS.override({"sampling": "reshuffle"}), [0], **more)
    for changes in ({"optimizer.method": "adam"}, {"schedule.kind": "inverse", "schedule.horizon": "4"}):
        with pytest.raises(ValueError, match="SGD with a constant rate"):
            measure_increments(DIGITS.override(changes), [0], **more)
    with pytest.raises(ValueError, match="ahead"):
        measure_increments(DIGITS, [0], ahead=(), **more)
    assert Optimizer(learning_rate=0.1).schedule.constant


def test_frozen_masks_are_refused(monkeypatch) -> None:
    """They belong to the map: an independent run with the same masks would not be independent."""
    own = increments.prepare

    def with_masks(*arguments, **more):
        place = own(*arguments, **more)
        monkeypatch.setattr(place.step.gradients, "random", True)
        return place

    with_masks.cache_clear = own.cache_clear
    monkeypatch.setattr(increments, "prepare", with_masks)
    with pytest.raises(ValueError, match="random masks are part of a map"):
        measure_increments(DIGITS, [0], steps=2, every=1)


def test_from_the_command_line(tmp_path: Path, capsys) -> None:
    words = [
        "increments",
        "digits",
        "--draws",
        "2",
        "--steps",
        "4",
        "--every",
        "2",
        "--ahead",
        "1",
        "--out",
        str(tmp_path),
    ]
    assert main([*words, "--set", "model=mlp-1x8", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "mlp-digits, mlp-1x8, parameters: backward iterates 4 and 5 are" in said
    path = tmp_path / "increments-mlp-digits.npz"
    words = [word if word != "1" else "3" for word in words] + ["--tag", "three"]
    assert main([*words, "--set", "model=mlp-1x8", "--device", "cpu"]) == 0
    assert "backward iterates 4 and 7 are" in capsys.readouterr().out  # the least k there is
    assert main(["plot", "increments", str(path), "--pictures", str(tmp_path)]) == 0
    assert (tmp_path / "increments.png").stat().st_size > 5000


def test_all_increments_of_a_folder_are_drawn(tmp_path: Path, capsys) -> None:
    """Without files all in the folder are drawn; lines say the model and the tag; an empty folder is refused."""
    words = ["increments", "digits", "--draws", "1", "--steps", "2", "--every", "2", "--ahead", "1", "--device", "cpu"]
    words += ["--out", str(tmp_path), "--set"]
    assert main([*words, "model=mlp-1x8"]) == 0
    assert main([*words, "model=mlp-2x8", "--tag", "deeper"]) == 0
    assert "mlp-digits, mlp-2x8, tag deeper, outputs: backward iterates 2 and 3" in capsys.readouterr().out
    assert main(["plot", "increments", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    begin = ["mlp-digits, mlp-2x8, tag deeper, parameters:", "mlp-digits, mlp-1x8, parameters:"]
    assert [line.split(" backward iterates")[0] for line in (said[1], said[4])] == begin
    assert (tmp_path / "figures" / "increments.png").stat().st_size > 5000
    assert main(["plot", "increments", "--out", str(tmp_path / "figures")]) == 2
    assert "figures has no increments-*.npz" in capsys.readouterr().err


def test_increments_of_other_settings_are_kept(tmp_path: Path, capsys) -> None:
    words = ["increments", "digits", "--draws", "1", "--steps", "2", "--every", "1", "--ahead", "1", "--device", "cpu"]
    words += ["--out", str(tmp_path), "--set", "model=mlp-1x8"]
    assert main(words) == 0
    path = tmp_path / "increments-mlp-digits.npz"
    before = path.read_bytes()
    capsys.readouterr()
    for change, said in (
        ("model=mlp-1x4", 'model is "mlp-1x8" there and "mlp-1x4" here'),
        ("learning_rate=0.5", "optimizer.learning_rate is 0.05 there and 0.5 here"),
    ):
        assert main([*words, "--set", change]) != 0
        message = capsys.readouterr().err
        assert f"{path} holds increments of other settings: {said}. " in message
        assert "--tag" in message
        assert path.read_bytes() == before
    assert main(words) == 0  # the same settings may be measured anew
    assert main([*words, "--set", "model=mlp-1x4", "--tag", "narrow"]) == 0
    other = load_increments(tmp_path / "increments-mlp-digits--narrow.npz")
    titles = [axis.get_title() for axis in draw_increments([load_increments(path), other]).axes]
    assert titles[:2] == ["mlp-1x8, digits, 1 draw", "mlp-1x4, digits, 1 draw"]
    assert main([*words, "--tag", "no tag"]) != 0
    assert "a tag consists of letters" in capsys.readouterr().err


def test_a_stopped_measurement_goes_on_from_its_last_draw(tmp_path: Path, capsys, monkeypatch) -> None:
    own, begun = increments.measure_increments, []

    def counted(experiment, seeds, **more):
        begun.append(list(seeds))
        if len(begun) == 2:
            raise KeyboardInterrupt
        return own(experiment, seeds, **more)

    monkeypatch.setattr(increments, "measure_increments", counted)
    words = ["increments", "digits", "--draws", "2", "--steps", "3", "--every", "2", "--ahead", "1", "--device", "cpu"]
    words += ["--set", "model=mlp-1x8", "--out"]
    assert main([*words, str(tmp_path / "stopped")]) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert not (tmp_path / "stopped" / "increments-mlp-digits.npz").exists()
    assert main([*words, str(tmp_path / "stopped")]) == 0
    assert begun == [[0], [1], [1]]
    assert capsys.readouterr().err.splitlines() == [
        "draw 0: measured before",
        *(f"draw 1: n = {n} of 3" for n in (0, 2, 3)),
    ]
    assert main([*words, str(tmp_path / "whole")]) == 0
    stopped, whole = (load_increments(tmp_path / name / "increments-mlp-digits.npz") for name in ("stopped", "whole"))
    assert stopped.draws.tolist() == whole.draws.tolist() == [0, 1]
    assert np.array_equal(stopped.function, whole.function)
    assert not np.allclose(whole.parameter[0], whole.parameter[1])
    assert whole.metadata["chains"] == 2 * len(whole.starts)
    # draws of other settings, or files that cannot be read, are measured again
    parts = tmp_path / "whole" / "increments-mlp-digits.parts"
    (parts / "draw-0.npz").write_bytes(b"no archive")
    del begun[:]
    begun += [[], []]
    assert main([*words, str(tmp_path / "whole")]) == 0
    assert begun[2:] == [[0]]
    for change in (["--every", "1"], ["--ahead", "1", "2"], ["--ahead", "1", "2", "--steps", "4"]):
        del begun[2:]
        assert main([*words, str(tmp_path / "whole"), "--every", "1", *change]) == 0
        assert begun[2:] == [[0], [1]]


def test_measured_draws_are_not_replaced_by_less(tmp_path: Path, capsys, monkeypatch) -> None:
    """Neither those of the file, nor those of a measurement that was stopped."""
    own = increments.measure_increments

    def stopped(experiment, seeds, **more):
        if seeds == [2]:
            raise KeyboardInterrupt
        return own(experiment, seeds, **more)

    monkeypatch.setattr(increments, "measure_increments", stopped)
    words = ["increments", "digits", "--ahead", "1", "--device", "cpu", "--set", "model=mlp-1x8"]
    words += ["--out", str(tmp_path), "--draws"]
    assert main([*words, "3", "--steps", "4", "--every", "2"]) == 130
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.npz")}
    assert {path.name for path in kept} == {"draw-0.npz", "draw-1.npz"}
    capsys.readouterr()
    assert main([*words, "1", "--steps", "2", "--every", "2"]) == 2
    assert "draw-0.npz would lose what was measured: 1 steps (4). Nothing was written" in capsys.readouterr().err
    assert main([*words, "2", "--steps", "4", "--every", "2"]) == 0
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.npz")}
    assert main([*words, "1", "--steps", "4", "--every", "2"]) == 2
    assert "increments-mlp-digits.npz would lose what was measured: 1 draws (1)" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.npz")} == kept


def test_increments_that_cannot_be_written_are_not_computed(tmp_path: Path, capsys, monkeypatch) -> None:
    def measured(*settings: object, **more: object) -> None:
        raise AssertionError("it was computed")

    monkeypatch.setattr(increments, "measure_increments", measured)
    (tmp_path / "file").write_text("not a folder")
    words = ["increments", "digits", "--draws", "1", "--steps", "2", "--every", "1", "--device", "cpu", "--out"]
    assert main([*words, str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    with pytest.raises(AssertionError, match="it was computed"):
        main([*words, str(tmp_path / "folder")])


def test_only_draws_of_the_same_settings_are_joined() -> None:
    more = {"steps": 2, "every": 1, "ahead": (1,), "images": 5}
    first, second = (measure_increments(DIGITS, [seed], **more) for seed in (3, 5))
    both = joined([first, second])
    assert np.array_equal(both.parameter, np.concatenate([first.parameter, second.parameter]))
    assert both.at.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"a draw can be joined once, got the draws \[3, 3\]"):
        joined([first, first])
    for change, named in (({"steps": 1}, "iterates"), ({"ahead": (2,)}, "starts"), ({"images": 4}, "images")):
        with pytest.raises(ValueError, match=f"these differ: {named}$"):
            joined([first, measure_increments(DIGITS, [5], **{**more, **change})])


def test_draws_of_another_experiment_are_not_replaced_either(tmp_path: Path, capsys, monkeypatch) -> None:
    own, begun = increments.measure_increments, []

    def stopped(experiment, seeds, **more):
        begun.append(list(seeds))
        if seeds == [1]:
            raise KeyboardInterrupt
        return own(experiment, seeds, **more)

    monkeypatch.setattr(increments, "measure_increments", stopped)
    words = ["increments", "digits", "--draws", "2", "--steps", "2", "--every", "1", "--ahead", "1", "--device", "cpu"]
    words += ["--out", str(tmp_path), "--set"]
    assert main([*words, "model=mlp-1x8"]) == 130
    kept = tmp_path / "increments-mlp-digits.parts" / "draw-0.npz"
    before = kept.read_bytes()
    capsys.readouterr()
    assert main([*words, "model=mlp-1x4"]) == 2
    assert f"{kept} holds increments of other settings: model is" in capsys.readouterr().err
    assert kept.read_bytes() == before
    assert begun == [[0], [1]]
    for wrong in (["--draws", "0"], ["--every", "0"], ["--steps", "0"]):
        assert main([*words, "model=mlp-1x8", *wrong]) == 2
        assert "all numbers at least 1; got seeds=" in capsys.readouterr().err
    with pytest.raises(ValueError, match="there must be increments to join, got none"):
        joined([])
    with pytest.raises(ValueError, match="is a folder: give a file of increments"):
        load_increments(tmp_path)
