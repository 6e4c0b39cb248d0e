"""What is machine-checked of a statement and of its rows (`contraction.statements.proof_table` has the links)."""

from __future__ import annotations

from contraction.statements.proof_table import PROOFS, Proof
from contraction.statements.records import Statement

__all__ = ["proof_of", "proofs_of"]


def proof_of(statement: Statement, row: int | None = None) -> Proof | None:
    """Return what is machine-checked of a row of a statement (of a statement without rows, for None).

    Parameters
    ----------
    statement : Statement
        The statement.
    row : int, optional
        One of its rows.

    Returns
    -------
    Proof or None
        None if no theorem is linked to it.
    """
    if statement.name in PROOFS:
        return PROOFS[statement.name]
    return None if row is None else PROOFS.get(row)


def proofs_of(statement: Statement) -> dict[int | None, Proof]:
    """Return what is machine-checked of a statement, by row (None if it has no rows).

    Rows without a theorem are left out.
    """
    rows = [row.id for row in statement.rows] or [None]
    result = {row: proof_of(statement, row) for row in rows}
    return {row: proof for row, proof in result.items() if proof is not None}
