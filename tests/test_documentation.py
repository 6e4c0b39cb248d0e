"""Every page of the documentation runs as printed: blocks of Python, commands, and what they print.

A ``python`` block followed at once by a ``text`` block prints exactly that text. Commands (``sh`` blocks) run in the
page's folder if they begin with ``python -m`` and stand on a page of `PAGES`; other blocks are only shown.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import types
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
#: Pages that make their pictures, which stand beside them (``make gallery``).
GALLERY = [
    f"gallery/{name}.md"
    for name in (
        "fractals",
        "time-series",
        "queues",
        "exact-sampling",
        "dynamic-programming",
        "stochastic-optimisation",
    )
]
#: Page -> whether it needs torch.
PAGES = {
    "tutorials/theory.md": False,
    "tutorials/figure.md": True,
    "how-to/own-family.md": False,
    "how-to/own-metric.md": False,
    "how-to/own-order.md": False,
    "how-to/own-experiment.md": True,
    "how-to/own-theorem.md": False,
    "explanations/equality-of-laws.md": False,
    "explanations/synchronisation.md": False,
    **dict.fromkeys(GALLERY, False),
}
BLOCK = re.compile(r"^```(python|sh|text)\n(.*?)^```$", re.S | re.M)


def blocks(text: str) -> list[tuple[str, str, str | None]]:
    """The blocks of a page: language, code, and what it is said to print."""
    found = list(BLOCK.finditer(text))
    out: list[tuple[str, str, str | None]] = []
    for k, match in enumerate(found):
        if match[1] == "text":
            continue
        follows = k + 1 < len(found) and found[k + 1][1] == "text"
        shown = found[k + 1][2] if follows and not text[match.end() : found[k + 1].start()].strip() else None
        out.append((match[1], match[2], shown))
    return out


def printed_by(words: list[str], folder: Path) -> str:
    """Return what `python -m PACKAGE …` prints. It runs in this process, which has imported torch already."""
    printed, errors = io.StringIO(), io.StringIO()
    main = importlib.import_module(f"{words[0]}.__main__").main
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        status = main(words[1:])
    assert status == 0, errors.getvalue()
    return printed.getvalue()


def run_page(text: str, name: str, folder: Path) -> None:
    """Run the blocks of a page in turn and compare what they print."""
    names: dict = {"__name__": "page", "FOLDER": (DOCS / name).parent}
    for language, code, shown in blocks(text):
        if language == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, name, "exec"), names)
            output = printed.getvalue()
        else:
            output = ""
            for line in code.replace("\\\n", " ").splitlines():
                command = shlex.split(line, comments=True)
                assert command[:2] == ["python", "-m"], f"{name}: {line!r} is not run"
                output += printed_by(command[2:], folder)
        if shown is not None:
            assert [line.rstrip() for line in output.splitlines()] == [line.rstrip() for line in shown.splitlines()]


@pytest.mark.parametrize("page", PAGES)
def test_page_runs_and_prints_what_it_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if PAGES[page]:
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_page((DOCS / page).read_text(encoding="utf-8"), page, tmp_path)


def test_every_picture_of_the_gallery_is_made_by_its_page_and_shown_there() -> None:
    shown: set[str] = set()
    for page in GALLERY:
        text = (DOCS / page).read_text(encoding="utf-8")
        made = re.findall(r'^finish\(fig, "(.+)"\)$', text, re.M)
        assert made
        assert made == re.findall(r"^!\[[^\]]+\]\((.+)\)$", text, re.M)
        shown.update(made)
    assert {path.name for path in (DOCS / "gallery").glob("*.png")} == shown
    index = (DOCS / "gallery" / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"\*\*\[[^\]]+\]\((.+)\)\*\*", index) == [page.removeprefix("gallery/") for page in GALLERY]


def distance_at(iterate: int, page: str = "gallery/dynamic-programming.md") -> float:
    """Return the ℓ1 distance of this backward iterate of PageRank's page to iterate 90, for seed 0."""
    import numpy as np

    import contraction as ct

    links = (np.random.default_rng(6).random((30, 30)) < 0.1).astype(float)
    pages = ct.families.PageRank(links)
    assert "links = (np.random.default_rng(6).random((30, 30)) < 0.1)" in (DOCS / page).read_text(encoding="utf-8")
    rows = ct.backward_iterates(pages.sample(90, 0), np.full(30, 1 / 30), at=[iterate, 90])
    return float(np.abs(rows[0] - rows[1]).sum())


def test_the_rate_of_pagerank_is_measured_before_the_path_stands_still() -> None:
    """Once all pages lead to one, distances are rounding errors (30 numbers below 1, 1.2e-16 each) and show no rate."""
    text = (DOCS / "gallery" / "dynamic-programming.md").read_text(encoding="utf-8")
    ((_, last),) = re.findall(r"measured_rate\(pages, start, (\d+), (\d+)\)", text)
    assert distance_at(int(last)) > 30 * 1.2e-16 * 1e6


@pytest.mark.control
def test_a_path_of_pagerank_that_stands_still_is_seen() -> None:
    assert distance_at(30) < 30 * 1.2e-16


@pytest.mark.control
def test_a_page_that_prints_something_else_fails(tmp_path: Path) -> None:
    page = "```python\nprint(1 + 1)\n```\n\n```text\n{}\n```\n"
    run_page(page.format(2), "right", tmp_path)
    with pytest.raises(AssertionError):
        run_page(page.format(3), "wrong", tmp_path)


@pytest.mark.control
def test_a_command_on_a_page_that_is_refused_or_prints_something_else_fails(tmp_path: Path) -> None:
    page = "```sh\npython -m contraction {}\n```\n\n```text\n{}\n```\n"
    with pytest.raises(AssertionError, match="no statement is called 'nonsense'"):
        run_page(page.format("verify nonsense", ""), "refused", tmp_path)
    with pytest.raises(AssertionError):
        run_page(page.format("errata geometric_sum", "something else"), "wrong", tmp_path)


def test_every_exported_name_is_on_a_page_of_the_reference() -> None:
    import contraction
    import nn_experiments

    for package in (contraction, contraction.families, contraction.laws, contraction.expansions, nn_experiments):
        page = DOCS / "reference" / f"{package.__name__.partition('.')[2] or package.__name__}.md"
        listed = set(re.findall(r"^   (\w+)$", page.read_text(encoding="utf-8"), re.M))
        root = package.__name__.partition(".")[0]
        homes = {name: getattr(getattr(package, name), "__module__", root) for name in package.__all__}
        modules = {name for name in homes if isinstance(getattr(package, name), types.ModuleType)}
        own = {
            name for name, home in homes.items() if home.partition(".")[0] in (root, "builtins", "types", "typing")
        } - modules
        assert listed == own, f"{page}: {listed ^ own}"


def test_formulas_in_docstrings_are_not_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    from plain_docstrings import escape

    lines = ["|x| ≤ θ* and ``a | b``", ">>> 2 * 3", "6", "", "a * b"]
    assert escape(lines) == [r"\|x\| ≤ θ\* and ``a | b``", ">>> 2 * 3", "6", "", r"a \* b"]


def test_every_statement_with_a_picture_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import registry

    from contraction.plots import PLOTS
    from contraction.statements import find

    for name, plots in registry.PLOTS.items():
        (statement,) = find(name)
        entry = "\n".join(registry._entry(statement))
        assert re.findall(r"^!\[[^\]]+\]\(plots/(.+)\.png\)$", entry, re.M) == list(plots)
        assert set(plots) <= set(PLOTS)
    (plain,) = find("geometric_sum")
    assert "![" not in "\n".join(registry._entry(plain))
