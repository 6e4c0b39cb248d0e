"""The registry of statements: one file per statement, in a package per place in the paper.

``section_1`` to ``appendix_e`` contain the statements and ``cases`` their test cases; ``render`` writes the table, the
JSON and the errata; ``records`` defines the classes of statements and verdicts.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from contraction.statements.folder import statements_from
from contraction.statements.records import Control, Row, Statement, Verdict, combine

__all__ = ["Control", "Row", "Statement", "Verdict", "all_statements", "combine", "find", "statements_from"]


@cache
def all_statements() -> tuple[Statement, ...]:
    """Every statement, ordered by its first row in the audit."""
    packages = [
        m.name for m in pkgutil.iter_modules(__path__) if m.ispkg and m.name not in ("cases", "library", "render")
    ]
    folders = [(name, importlib.import_module(f"{__name__}.{name}").__path__) for name in packages]
    names = [f"{__name__}.{package}.{m.name}" for package, path in folders for m in pkgutil.iter_modules(path)]
    result = [importlib.import_module(name).STATEMENT for name in names]
    return tuple(sorted(result, key=lambda s: (min((r.id for r in s.rows), default=10**6), s.name)))


def find(name: str, statements: Sequence[Statement] | None = None) -> tuple[Statement, ...]:
    """Statements by name or by the paper's number ("backward_contraction", "Theorem 2.2", "row 14", "14").

    Parameters
    ----------
    name : str
        What is looked for.
    statements : sequence of Statement or None
        Where to look (default: all statements of the paper).

    Raises
    ------
    KeyError
        If no statement has that name; the message says which names there are.
    """
    wanted = name.casefold().strip()
    known: dict[str, list[Statement]] = {}
    statements = all_statements() if statements is None else statements
    for s in statements:
        for label in (s.name, *s.paper, *(f"row {r.id}" for r in s.rows), *(str(r.id) for r in s.rows)):
            known.setdefault(label.casefold(), []).append(s)
    if wanted in known:
        return tuple(known[wanted])
    names, places = [s.name for s in statements], sorted({p for s in statements for p in s.paper})
    numbers = sorted({r.id for s in statements for r in s.rows})
    close = difflib.get_close_matches(name, [*places, *names], n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    shown = ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:3])}, …; docs/audit.md lists all {len(names)}"
    rows = f", or by row ({numbers[0]} to {numbers[-1]})" if numbers else ""
    raise KeyError(f"no statement is called {name!r}; {hint}statements go by name ({shown}), by place{rows}")
