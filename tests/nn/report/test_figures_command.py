"""`python -m nn_experiments plot`: the files that it writes, its choices and its refusals."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from nn_experiments.cli import main
from nn_experiments.paper import catalogue
from nn_experiments.report import figures, plotting
from tests.nn.synthetic_results import write_synthetic


def test_baselines_are_drawn_without_an_order_beside_them(tmp_path, capsys):
    write_synthetic(tmp_path, "fig4", steps=60, orders=("forward", "backward", "polyak"), seeds=(0,))
    command = ["plot", "fig4", "--out", str(tmp_path), "--pictures", str(tmp_path / "pictures")]
    assert main([*command, "--orders", "polyak"]) == 0
    names = [Path(written).name for written in capsys.readouterr().out.split()]
    assert names == ["fig4_polyak.png", "fig4_polyak.svg", "fig4_polyak-cost.png", "fig4_polyak-cost.svg"]


@pytest.mark.parametrize(("name", "orders"), [("fig4", ("ema-0.9", "ema-0.999")), ("digits", ("windowed-50",))])
def test_results_without_any_curve_of_a_figure_are_named(tmp_path, name, orders, capsys):
    """The figure's own curves were not run: a clear error where it is asked for, and no figure on the page."""
    write_synthetic(tmp_path, name, steps=60, orders=orders, seeds=(0,))
    assert main(["plot", name, "--out", str(tmp_path)]) == 2
    assert f"has none of the curves of {name}, but {', '.join(orders)}; choose some" in capsys.readouterr().err
    assert main(["plot", name, "--out", str(tmp_path), "--orders", *orders]) == 0
    page = ["--results", str(tmp_path), "--page", str(tmp_path / "page.html")]
    assert main(["report", "--no-theory", "--out", str(tmp_path), *page]) == 2
    assert "No results in" in capsys.readouterr().err


def test_plot_writes_png_and_svg_and_nothing_else(folder, tmp_path, capsys):
    assert main(["plot", "fig4", "--out", str(folder), "--pictures", str(tmp_path)]) == 0
    names = {"fig4", "fig4-cost", "fig4-settling"}
    assert {path.name for path in tmp_path.iterdir()} == {f"{n}.{end}" for n in names for end in ("png", "svg")}
    assert (tmp_path / "fig4.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "fig4.svg").read_text()
    assert len(capsys.readouterr().out.split()) == 6


def test_plot_draws_the_metrics_it_is_asked_for(folder, tmp_path, curves, capsys):
    drawn = dataclasses.replace(catalogue.find("fig4"), metrics=("newest_batch_loss",))
    assert figures.draw_figure(curves, drawn).axes[0].get_title() == "loss on the newest batch $B_n$"
    words = ["plot", "fig4", "--out", str(folder), "--pictures", str(tmp_path), "--metrics"]
    assert main([*words, "newest_batch_loss"]) == 0
    assert "newest batch" in (tmp_path / "fig4_newest-batch-loss.svg").read_text()
    assert main([*words, "speed"]) == 2
    assert "no metric 'speed' was recorded; there are" in capsys.readouterr().err


def test_plot_draws_the_orders_it_is_asked_for(folder, tmp_path, capsys):
    out = tmp_path / "runs"
    write_synthetic(out, "fig4", steps=60, seeds=(0,), orders=("forward", "backward", "windowed-20", "ema-0.9"))
    words = ["plot", "fig4", "--out", str(out), "--pictures", str(tmp_path), "--orders"]
    assert main([*words, "windowed:20", "backward", "ema-0.9"]) == 0
    text = (tmp_path / "fig4_windowed-20_backward_ema-0.9.svg").read_text()
    for label in ("backward in windows of 20", "moving average of forward (0.9)"):
        assert label in text
    looks = [figures.curve_style(name, ("windowed-20", "backward")) for name in ("windowed-20", "backward")]
    assert looks[0]["color"] != looks[1]["color"]
    capsys.readouterr()
    assert main([*words, "reset-20"]) == 2
    assert "no order 'reset-20'; recorded are forward, backward, windowed-20, ema-0.9" in capsys.readouterr().err
    assert main(["plot", "fig4", "--out", str(out), "--seeds", "7"]) == 2
    assert "no seed 7; recorded are 0" in capsys.readouterr().err


def test_another_choice_of_curves_leaves_the_figure_s_own_pictures_alone(folder, tmp_path, capsys, monkeypatch):
    words = ["plot", "fig4", "--out", str(folder), "--pictures", str(tmp_path)]
    written: list[str] = []
    monkeypatch.setattr(plotting, "save", lambda fig, into, name: written.append(name) or [into / f"{name}.png"])
    for choice, name in (
        ([], "fig4"),
        (["--orders", "backward", "forward"], "fig4_backward_forward"),
        (["--seeds", "0", "2"], "fig4_seeds-0-2"),
        (["--seeds", "2", "--scale", "log", "--orders", "backward"], "fig4_backward_seeds-2_log"),
        (["--metrics", "test_loss"], "fig4_test-loss"),
        (["--run-id", "synth"], "fig4_synth"),
        (["--seeds", "1", "--name", "mine"], "mine"),
        (["--orders", *catalogue.find("fig4").all_orders], "fig4"),  # the figure's own, spelt out
    ):
        written.clear()
        assert main([*words, *choice]) == 0
        assert written == [name, f"{name}-cost", f"{name}-settling"]
    for choice, message in (
        (["--name", "a/b"], "--name is a file name without a folder"),
        (["--seeds", *["0"] * 200], "give one with --name"),
    ):
        assert main([*words, *choice]) == 2
        assert message in capsys.readouterr().err
    assert main(["plot", "overview", "--out", str(folder), "--pictures", str(tmp_path), "--seeds", "0"]) == 2
    assert "it takes no --seeds" in capsys.readouterr().err


def test_plot_overview(folder, tmp_path):
    assert main(["plot", "overview", "--out", str(folder), "--pictures", str(tmp_path)]) == 0
    assert (tmp_path / "overview.png").exists()


def test_nothing_to_plot_is_an_error(tmp_path, capsys):
    assert main(["plot", "fig5", "--out", str(tmp_path)]) == 2
    assert main(["plot", "fig99", "--out", str(tmp_path)]) == 2
    assert main(["plot", "overview", "--out", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert "run fig5" in errors
    assert "no figure 'fig99'" in errors
