"""Statements of a user's own: one Python file per statement, in any folder."""

from __future__ import annotations

import hashlib
import importlib
import sys
import types
from pathlib import Path

from contraction.maps.errors import TrainingInReverseError
from contraction.statements.records import Statement

__all__ = ["statements_from"]


class _UnloadableError(TrainingInReverseError, ImportError, ValueError):
    """A file with an error of its own: commands refuse the folder, as they do if the file defines no statement."""


def statements_from(folder: str | Path) -> tuple[Statement, ...]:
    """Load the statements of a folder, for the same table and errata as the paper's.

    Every file ``NAME.py`` whose name does not begin with an underscore defines ``STATEMENT``, a
    `contraction.statements.Statement` called NAME. Files whose names begin with an underscore are helpers, which the
    others import with ``from . import _helpers``. Loading runs the files.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Returns
    -------
    tuple of Statement
        In the order of their first row, then of their names.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist, or does not contain a file with a statement.
    ImportError
        If a file cannot be loaded; the message names the file and the error. It is a `ValueError` too, as the folder is
        refused, unless a package that the file imports is missing.
    ValueError
        If a file defines no ``STATEMENT``, or one of another name or type, or if two statements share the number of a
        row.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> text = '''
    ... from contraction.statements import Row, Statement, Verdict
    ...
    ... def check(k=0.5, n=20):
    ...     return Verdict.tight("halves", (1,), sum(k**i for i in range(n)), (1 - k**n) / (1 - k), rounding=1e-14)
    ...
    ... STATEMENT = Statement(
    ...     name="halves", paper=("Lemma 1",), claim="1 + k + ... + k^(n-1) = (1 - k^n)/(1 - k)", hypotheses="k < 1",
    ...     rows=(Row(1, "Lemma 1", "OK"),), check=check, cases=lambda rng, tier: [{"n": 5}, {"n": 20}],
    ... )
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "halves.py").write_text(text)
    ...     (statement,) = statements_from(folder)
    >>> [verdict.holds for verdict in statement.run()]
    [True]
    """
    path = Path(folder).resolve()
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    files = sorted(file for file in path.glob("*.py") if not file.stem.startswith("_"))
    if not files:
        raise FileNotFoundError(f"{folder} has no file NAME.py that defines a statement")
    package = "_statements_" + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
    parent = types.ModuleType(package)
    parent.__path__ = [str(path)]
    sys.modules[package] = parent
    importlib.invalidate_caches()
    statements = [_statement(package, file) for file in files]
    rows: dict[int, str] = {}
    for statement in statements:
        for number in {row.id for row in statement.rows}:
            if number in rows:
                raise ValueError(f"row {number} belongs to two statements, {rows[number]} and {statement.name}")
            rows[number] = statement.name
    return tuple(sorted(statements, key=lambda s: (min((row.id for row in s.rows), default=10**6), s.name)))


def _statement(package: str, file: Path) -> Statement:
    """Load the statement of one file."""
    try:
        module = importlib.import_module(f"{package}.{file.stem}")
    except (Exception, SystemExit) as error:  # a script that ends itself would end the check, as if it had passed
        refused = not isinstance(error, ModuleNotFoundError | MemoryError)
        kind = _UnloadableError if refused else ImportError
        raise kind(f"{file.name} cannot be loaded: {type(error).__name__}: {error}") from error
    statement = getattr(module, "STATEMENT", None)
    if not isinstance(statement, Statement):
        raise ValueError(f"{file.name} must define STATEMENT, a contraction.statements.Statement")
    if statement.name != file.stem:
        raise ValueError(f"the statement of {file.name} must be called {file.stem!r}, not {statement.name!r}")
    return statement
