"""How docstrings, comments and messages are written: plain words, and one sign for the parameters."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Words that only this project's authors would understand, and what is written in their place.
PRIVATE = {
    r"\bat hand\b": "name what there is",
    r"\bon record\b": "recorded",
    r"\bwhat it has\b": "name it",
    r"\bunless given\b": "(default: …)",
    r"(?<![Tt]here )\b(is|are|was|were) no (?!longer\b|more\b|less\b|matter\b)": "is not a …",
    r"\b(default: (?:None, )?the \w+'s own)\b": "those of …",
    r"\b(once|steps|maps|batches|applications|gradients|draws|MB) an? (seed|step|map|epoch|batch|path)\b": "per",
    "(?<![\"'`])θ\u0303?0": "θ_0; only the recorded name of a run is in quotes",
}


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of strings and comments of a module, with their numbers; examples of docstrings are left out."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)):
            for k, line in enumerate(token.string.split("\n")):
                if not line.lstrip().startswith((">>>", "...")):
                    yield token.start[0] + k, line


def faults(source: str) -> list[str]:
    """Return the lines with private words."""
    return [
        f"{number}: {line.strip()} (write: {better})"
        for number, line in texts(source)
        for pattern, better in PRIVATE.items()
        if re.search(pattern, line)
    ]


def spelled_out(source: str) -> list[str]:
    """Return the lines of docstrings in which theta stands outside of backticks, examples and heads of parameters."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            continue
        example = False
        for k, line in enumerate((ast.get_docstring(node, clean=False) or "").split("\n")):
            example = bool(line.strip()) and (example or line.strip().startswith(">>>"))
            head = k and re.fullmatch(r"\s*\**\w+(, \**\w+)*( : .*)?", line)
            prose = "" if example or head else re.sub(r"``.*?``|`[^`]*`", "", line)
            if re.search(r"\b[Tt]heta(\d|\b|_(?=\w\b|[{(]))", prose):
                found.append(line.strip())
    return found


FILES = sorted(path for folder in ("contraction", "nn_experiments") for path in (ROOT / folder).rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(ROOT).as_posix() for path in FILES])
def test_modules(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert faults(source) == []
    assert spelled_out(source) == []


@pytest.mark.parametrize("path", PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])
def test_pages(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    assert [line for line in lines for pattern in PRIVATE if re.search(pattern, line)] == []


@pytest.mark.control
@pytest.mark.parametrize(
    "text",
    [
        "the records at hand",
        "the studies on record",
        "keeps what it has",
        "one per core unless given",
        "this is no map",
        "steps (default: the figure's own)",
        "two gradients a step",
        "T_1 … T_n(θ0)",
        "another start θ\u03030",
    ],
)
def test_private_words_are_seen(text: str) -> None:
    assert faults(f'"""{text}"""\n') != []
    assert faults(f'x = f"{text} {{1}}"\n') != []
    assert faults(f"x = 1  # {text}\n") != []


def test_plain_words_pass() -> None:
    for text in (
        "there is no file",
        "it is no longer used",
        "two gradients per step",
        "a map of your own",
        "from θ_0 to θ_10",
        "the run ``θ0``",
    ):
        assert faults(f'"""{text}"""\n') == []


@pytest.mark.control
@pytest.mark.parametrize("text", ["T(theta) = 0", "from theta0 on", "theta_n converges", "theta*", "near Theta"])
def test_a_spelled_letter_is_seen(text: str) -> None:
    assert spelled_out(f'"""First line.\n\n{text}\n"""\n') != []


@pytest.mark.parametrize("text", ["``theta0`` is the start", "theta0 : float", ">>> f(theta0)", "T(θ) and ``theta``"])
def test_names_may_be_spelled(text: str) -> None:
    assert spelled_out(f'"""First line.\n\n{text}\n"""\n') == []
