"""Commands about orders refuse the figures that compare steps, before any data is read, and name the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nn_experiments.cli import main
from nn_experiments.paper.catalogue import COMPARE_ORDERS, EXPERIMENTS, FIGURES, check_compares_orders, in_words

STEPS = [name for name in FIGURES if name not in COMPARE_ORDERS]


def test_which_figures_compare_orders() -> None:
    """Figures 14 to 19 are those of the paper's appendix D."""
    assert [f"fig{n}" for n in range(14, 20)] == STEPS
    assert list(COMPARE_ORDERS) == [*(f"fig{n}" for n in range(2, 14)), "digits"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (COMPARE_ORDERS, "fig2 … fig13, or digits"),
        (FIGURES, "fig2 … fig19, or digits"),
        (["fig2"], "fig2"),
        (["fig2", "fig4"], "fig2, or fig4"),
        (["fig2", "fig3", "digits", "fig9"], "fig2, fig3, digits, or fig9"),
        (["digits", "fig7", "fig8", "fig9"], "digits, or fig7 … fig9"),
    ],
    ids=["orders", "all", "one", "gap", "pair", "last"],
)
def test_names_in_words(names: list[str], words: str) -> None:
    assert in_words(names) == words


@pytest.mark.parametrize("name", FIGURES)
def test_experiments_with_split_batches_are_refused(name: str) -> None:
    experiment = EXPERIMENTS[FIGURES[name].experiment]
    check_compares_orders(experiment.override({"parts": "none"}))
    if name in COMPARE_ORDERS:
        check_compares_orders(experiment)
        return
    with pytest.raises(ValueError, match=rf"split in {experiment.parts}, .* are fig2 … fig13, or digits\. For plain"):
        check_compares_orders(experiment)


@pytest.mark.parametrize("command", ["diagnose", "increments"])
def test_commands_refuse_them_before_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The folder has no data: a command that looks for data fails with status 2 too, and with another message."""
    pytest.importorskip("torch")
    words = ["--data-dir", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([command, "fig14", *words]) == 2
    said = capsys.readouterr().err
    assert "figures that compare orders are fig2 … fig13, or digits" in said
    assert str(tmp_path) not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [["--replicates", "1"], ["--budget", "soon"], ["--steps", "3"]],
    ids=["replicates", "budget", "steps"],
)
def test_amounts_are_refused_before_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    pytest.importorskip("torch")
    assert main(["diagnose", "fig7", "--data-dir", str(tmp_path), "--out", str(tmp_path), *wrong]) == 2
    assert re.search(rf"\b{wrong[0][2:]} must be .*{wrong[1]}", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("diagnose", "fig2 … fig13, or digits"),
        ("increments", "fig2 … fig13, or digits"),
        ("list", "fig2 … fig19, or digits"),
        ("run", "fig2 … fig19, or digits"),
        ("record", "fig2 … fig19, or digits"),
        ("plot", "fig2 … fig19, or digits"),
    ],
)
def test_helps_name_the_figures(capsys: pytest.CaptureFixture[str], command: str, words: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert words in " ".join(capsys.readouterr().out.split())
