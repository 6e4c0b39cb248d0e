"""Docstrings are plain text with a few backticks: |x| and θ* are mathematics in them, and not markup of docutils."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

LITERAL = re.compile(r"(``.*?``|`[^`]+`)")


def escape(lines: list[str]) -> list[str]:
    """Return the lines with ``|`` and ``*`` escaped outside of literals and of blocks of examples."""
    out, example = [], False
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        parts = [line] if example else LITERAL.split(line)
        out.append(
            line
            if example
            else "".join(part if k % 2 else re.sub(r"([|*])", r"\\\1", part) for k, part in enumerate(parts))
        )
    return out


def process(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Escape one docstring in place."""
    lines[:] = escape(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Escape before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
