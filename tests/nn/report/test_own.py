"""Pictures and the report of runs of a user's own network, and of results with few curves."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from nn_experiments.cli import main  # noqa: E402
from tests.nn.runs.small_network import Small  # noqa: E402


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    curves = [ct.Forward(), ct.Backward(), nne.SuffixMean(3), nne.ResetIfBetter("test_loss", every=3)]
    Small().run(folder, curves, seeds=(0, 1), name="mine")
    return folder


def test_one_row_per_seed_and_every_curve_by_name(out: Path) -> None:
    found = nne.load("mine", out=out)
    drawn = nne.plot(found)
    assert [axis.get_title() for axis in drawn.axes[:1]] == ["test loss"]
    assert [axis.get_ylabel() for axis in drawn.axes] == ["seed 0", "seed 1"]
    (legend,) = drawn.legends
    assert {text.get_text() for text in legend.get_texts()} == {
        "forward",
        "backward",
        "mean of the forward iterates after 3",
        "backward, reset where better (test_loss of every 3rd iterate)",
    }
    for axis, seed in zip(drawn.axes, (0, 1), strict=True):
        (line,) = (line for line in axis.lines if line.get_label() == "backward")
        n, values = found.path("test_loss", seed=seed, order="backward")
        assert line.get_xdata().tolist() == n.tolist()
        assert line.get_ydata().tolist() == values.tolist()
    with pytest.raises(ValueError, match="nothing to draw"):
        nne.plot(found.select(metrics=[]))


def test_the_commands_know_runs_of_ones_own(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "mine", "--out", str(out), "--pictures", str(tmp_path)]) == 0
    assert (tmp_path / "mine.png").exists()
    page = tmp_path / "report.html"
    assert main(["report", "--out", str(out), "--results", str(tmp_path), "--page", str(page), "--no-theory"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "mine: every curve, one row per seed" in text
    assert "backward, reset where better" in text
    assert "run folder" not in capsys.readouterr().err
    assert main(["plot", "yours", "--out", str(out)]) == 2
    assert "yours" in capsys.readouterr().err


def test_results_of_averages_or_a_window_alone_are_drawn_or_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["run", "fig4", "--seeds", "0", "--steps", "12", "--every", "3", "--set", "model=mlp-1x3"]
    run += ["--diagnostics-every", "6"]
    for folder, orders in (("averages", ["ema-0.9", "ema-0.8"]), ("window", ["windowed-5"])):
        out = ["--out", str(tmp_path / folder)]
        assert main([*run, *out, "--orders", *orders]) == 0
        capsys.readouterr()
        assert main(["plot", "fig4", *out, "--orders", *orders]) == 0
        assert "fig4" in capsys.readouterr().out
    assert main(["plot", "fig4", "--out", str(tmp_path / "averages")]) == 2
    assert (
        "has none of the curves of fig4, but ema-0.8, ema-0.9; choose some of these by orders="
        in capsys.readouterr().err
    )
    main(["plot", "fig4", "--out", str(tmp_path / "window")])  # iterates up to 5 are backward's
    assert "Traceback" not in capsys.readouterr().err
