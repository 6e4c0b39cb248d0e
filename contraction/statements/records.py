"""Statements of the paper and verdicts on them: the records that table, tests, errata and proofs share.

A statement is one file of this package, named by content, with

- ``check(...) -> Verdict``, which compares one measured number with one claimed number for the given arguments;
- ``cases(rng, tier)``: a seeded generator of keyword arguments for ``check`` (tier "standard" or "thorough");
- ``check_printed(...) -> Verdict``, which checks the printed text. Its kind is "refuted" if the printed form of a row
  is wrong or lacks a hypothesis (the verdict holds if the printed form fails), "loose" if a printed bound holds but is
  not sharp, and "beyond" if the text holds and the check shows more. ``printed_cases(rng, tier)`` generates its
  arguments, if it has any;
- ``STATEMENT``: the record below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from typing import Literal, TypedDict, Unpack

import numpy as np

from contraction.maps.errors import TrainingInReverseError
from contraction.types import Numbers
from contraction.values import Value

__all__ = [
    "Control",
    "Kind",
    "Printed",
    "Row",
    "Section",
    "Severity",
    "Statement",
    "Tier",
    "Verdict",
    "combine",
    "ratio_of",
]

Kind = Literal["exact", "tight", "upper", "statistical", "refuted", "loose", "beyond"]
Printed = Literal["OK", "TYPO", "WRONG", "HYP", "LOOSE", "BEYOND"]
Section = Literal["errata", "hypotheses", "beyond"]
Severity = Literal["typo", "repairable", "changes a conclusion"]
Tier = Literal["standard", "thorough"]
Cases = Callable[[np.random.Generator, Tier], Iterable[dict[str, object]]]

#: Kinds of verdicts on the printed text, in the order of `Statement.run`.
_OF_THE_TEXT: tuple[Kind, ...] = ("refuted", "loose", "beyond")


def ratio_of(measured: float | None, claimed: float | None) -> float | None:
    """Return measured / claimed, with 0/0 = 1; None if no two numbers are compared."""
    if measured is None or claimed is None:
        return None
    if claimed == 0:
        return 1.0 if measured == 0 else math.inf
    return float(measured) / float(claimed)


class _UnfitError(TrainingInReverseError, ValueError):
    """A verdict that could say nothing: it is refused, also where a check makes it."""


class VerdictFields(TypedDict, total=False):
    """What a check may add to its verdict; `Verdict` describes the fields."""

    cases: int
    seed: int | None
    hypotheses: str
    error_rates: tuple[float, float] | None
    note: str
    paths: int


@dataclass(frozen=True, eq=False)
class Verdict(Value):
    """The result of a check of a statement.

    Attributes
    ----------
    statement : str
        Name of the statement (its file).
    rows : tuple of int
        Rows of the audit that the check covers.
    kind : {"exact", "tight", "upper", "statistical", "refuted", "loose", "beyond"}
        exact: two exact objects are equal; tight: equal within derived rounding, asserted from both sides;
        upper: measured <= claimed within derived rounding; statistical: a test with stated error rates;
        refuted: the printed form fails; loose: the printed bound holds but is not attained; beyond: the text holds,
        and the check shows something that it does not state.
    holds : bool
        Whether the check passed (for "refuted": whether the printed form failed).
    measured, claimed : float or None
        The two numbers compared.
    ratio : float or None
        measured / claimed, with 0/0 = 1 (default: computed from the two numbers).
    cases : int
        Number of checks.
    paths : int
        Number of simulated paths behind the checks (0 without simulation); they do not count as checks.
    seed : int or None
        The seed that replays the checks.
    hypotheses : str
        The hypotheses, in one line.
    error_rates : tuple of float or None
        (false alarm, miss) of a statistical check.
    note : str
        The formula with both sides, for a failure report.
    part : str
        If one check compares several inequalities: the name of the worst one.
    failed : int
        Number of checks that failed: 0 if the verdict holds, else at least 1. A call of ``check`` that makes several
        checks (``cases`` above 1) and fails counts once, unless it combines their verdicts with `combine`.
    case : str
        The call that failed, as in "case 3: check(k=0.5, n=4)", counted from 1 in the order of the cases; `Statement`
        fills it in. Of several that failed it is that of the numbers shown. "" if the verdict holds.
    """

    statement: str
    rows: tuple[int, ...]
    kind: Kind
    holds: bool
    measured: float | None = None
    claimed: float | None = None
    ratio: float | None = None
    cases: int = 1
    seed: int | None = None
    hypotheses: str = ""
    error_rates: tuple[float, float] | None = None
    note: str = ""
    paths: int = 0
    part: str = ""
    failed: int = 0
    case: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "holds", bool(self.holds))
        object.__setattr__(self, "failed", 0 if self.holds else max(self.failed, 1))
        for name in ("measured", "claimed"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, float(value))
        if self.ratio is None:
            object.__setattr__(self, "ratio", ratio_of(self.measured, self.claimed))

    def __bool__(self) -> bool:
        return self.holds

    @classmethod
    def upper(
        cls,
        statement: str,
        rows: tuple[int, ...],
        measured: Numbers,
        claimed: Numbers,
        *,
        rounding: Numbers = 0.0,
        parts: Sequence[str] | None = None,
        **extra: Unpack[VerdictFields],
    ) -> Verdict:
        """Return the verdict on measured <= claimed + rounding, entrywise; it holds the worst pair.

        ``parts`` names the entries; the verdict holds the name of the worst one.
        """
        m, c, r = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (measured, claimed, _allowed(rounding))))
        holds = bool(np.all(m <= c + r))
        excess = np.where(np.isnan(m), np.inf, m - c - r)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(c + r > 0, m / (c + r), np.where(m == 0, 1.0, np.inf))
        worst = int(np.argmax(ratios if holds else excess))
        part = "" if parts is None else name_of(parts, worst, m.size)
        return cls(statement, rows, "upper", holds, m.flat[worst], c.flat[worst], part=part, **extra)

    @property
    def failure(self) -> str:
        """The text of a failure report: the name of the worst part, both numbers, the formula and the call."""
        part, note = f" ({self.part})" if self.part else "", f"; {self.note}" if self.note else ""
        case = f"; {self.case}" if self.case else ""
        return f"{self.statement}{part}: measured {self.measured}, claimed {self.claimed}{note}{case}"

    @classmethod
    def tight(
        cls,
        statement: str,
        rows: tuple[int, ...],
        measured: Numbers,
        claimed: Numbers,
        *,
        rounding: Numbers,
        part: str = "",
        **extra: Unpack[VerdictFields],
    ) -> Verdict:
        """Return the verdict on |measured - claimed| <= rounding, entrywise; it holds the worst pair."""
        m, c, r = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (measured, claimed, _allowed(rounding))))
        gap = np.where(np.isnan(m - c), np.inf, np.abs(m - c))
        worst = int(np.argmax(gap - r))
        holds = bool(np.all(gap <= r))
        return cls(statement, rows, "tight", holds, m.flat[worst], c.flat[worst], part=part, **extra)


def _allowed(rounding: Numbers) -> Numbers:
    """Return the allowance of a comparison; ValueError if it is infinite, so that every number would pass."""
    if np.any(np.isposinf(np.asarray(rounding, dtype=float))):
        raise _UnfitError(f"the rounding of a verdict must be finite, got {rounding!r}: every number would pass")
    return rounding


def name_of(parts: Sequence[str], worst: int, count: int) -> str:
    """Return the name of one of ``count`` entries; every entry must have a name."""
    if len(parts) != count:
        raise _UnfitError(f"{count} pairs of numbers are compared, but {len(parts)} are named")
    return parts[worst]


def combine(verdicts: Iterable[Verdict], *, seed: int | None = None) -> Verdict:
    """Combine verdicts of one statement: the result holds if all of them hold, and has the worst ratio."""
    verdicts = list(verdicts)
    if not verdicts:
        raise ValueError("there must be at least one verdict to combine")

    def against(v: Verdict) -> tuple[bool, float]:
        if v.ratio is None:
            return (not v.holds, 0.0)
        if v.kind in ("upper", "statistical"):  # a statistic over its threshold, or a number over its bound
            return (not v.holds, v.ratio)
        return (not v.holds, -abs(v.ratio - 1) if v.kind in _OF_THE_TEXT else abs(v.ratio - 1))

    worst = max(verdicts, key=against)
    rows = tuple(sorted({r for v in verdicts for r in v.rows}))
    return replace(
        worst,
        rows=rows,
        holds=all(v.holds for v in verdicts),
        cases=sum(v.cases for v in verdicts),
        paths=sum(v.paths for v in verdicts),
        failed=sum(v.failed for v in verdicts),
        seed=worst.seed if seed is None else seed,
    )


@dataclass(frozen=True)
class Control:
    """A wrong claim that the check of a statement must refuse.

    Attributes
    ----------
    wrong : str
        The wrong claim, in a few words.
    check : callable
        ``check(seed)``: the check of the statement, with the wrong claim in place of the right one.
    part : str
        The part of the check that must fail; "" for any part.
    """

    wrong: str
    check: Callable[[int], Verdict]
    part: str = ""

    def detected(self, seed: int = 0) -> bool:
        """Whether the check fails, by the part named."""
        verdict = self.check(seed)
        return not verdict.holds and verdict.part.startswith(self.part)


@dataclass(frozen=True)
class Row:
    """One row of the audit: a place in the printed text and the verdict on it.

    Attributes
    ----------
    id : int
        Number of the row.
    place : str
        The place in the text.
    printed : {"OK", "TYPO", "WRONG", "HYP", "LOOSE", "BEYOND"}
        Verdict on the printed text. "LOOSE" with a severity means that the text needs another wording; without a
        severity the text is true but not sharp or not explicit. "BEYOND" is not a statement of the paper.
    quote : str
        The printed text: whole sentences, verbatim, with formulas in plain characters (a test finds each of them in the
        paper); "" if nothing is quoted.
    why, correct : str
        The reason why the printed text does not hold, and the correction or the hypothesis to add.
    severity : {"typo", "repairable", "changes a conclusion"} or None
        Set for every row of the errata and of the hypotheses to add, and None for all other rows; the last value means
        that a conclusion of the paper changes.
    beyond : str
        A result that goes beyond the printed text.
    """

    id: int
    place: str
    printed: Printed
    quote: str = ""
    why: str = ""
    correct: str = ""
    severity: Severity | None = None
    beyond: str = ""

    def __post_init__(self) -> None:
        if self.printed != "LOOSE" and (self.printed in ("OK", "BEYOND")) != (self.severity is None):
            raise ValueError(f"row {self.id}: a severity belongs to every slip and to nothing else")
        if (self.severity is None) != (not self.correct):
            raise ValueError(f"row {self.id}: a correction belongs to every slip and to nothing else")
        if self.severity is not None and not self.quote:
            raise ValueError(f"row {self.id}: a slip needs a quote")
        if self.printed in ("LOOSE", "BEYOND") and self.severity is None and not self.beyond:
            raise ValueError(f"row {self.id}: a row beyond the paper needs the text ``beyond``")

    @property
    def section(self) -> Section | None:
        """The section that lists the row: errata, hypotheses to add, beyond the paper, or None."""
        if self.severity is not None:
            return "hypotheses" if self.printed == "HYP" else "errata"
        return "beyond" if self.beyond else None

    @property
    def in_paper(self) -> bool:
        """Whether the row is a statement of the paper; other rows are not counted."""
        return self.printed != "BEYOND"

    @property
    def stands(self) -> bool:
        """Whether a statement of the paper holds as printed."""
        return self.in_paper and self.severity is None


@dataclass(frozen=True)
class Statement:
    """The record of one statement.

    Attributes
    ----------
    name : str
        Name of its file, by content.
    paper : tuple of str
        The paper's names for it, such as "Theorem 2.2"; the command line takes these or ``name``.
    claim : str
        One line of mathematics.
    hypotheses : str
        The hypotheses of the check.
    rows : tuple of Row
        The rows of the audit that the statement covers.
    check, cases, check_printed, printed_cases : callables
        The functions of the module docstring.
    controls : tuple of Control
        Wrong claims that the check must detect, close to the smallest detectable error; ``verify`` also runs them.
    derivation, test : str
        Where its symbolic derivation and its test stand; "" if there is none. Its machine-checked proofs are linked in
        ``proof_table``.
    """

    name: str
    paper: tuple[str, ...]
    claim: str
    hypotheses: str
    rows: tuple[Row, ...]
    check: Callable[..., Verdict]
    cases: Cases
    check_printed: Callable[..., Verdict] | None = None
    printed_cases: Cases | None = None
    controls: tuple[Control, ...] = ()
    derivation: str = ""
    test: str = ""

    def run(self, seed: int = 0, tier: Tier = "standard") -> Iterator[Verdict]:
        """Yield the combined verdict of the checks, then one for each kind of verdict on the printed text."""
        yield self._combined(*self._verdicts(self.check, self.cases, 0, seed, tier))
        result, replay = self._of_the_text(seed, tier)
        for kind in _OF_THE_TEXT:
            if about := [v for v in result if v.kind == kind]:
                yield self._combined(about, replay)

    def refute(self, seed: int = 0, tier: Tier = "standard") -> Verdict | None:
        """Run the printed forms that fail; the verdict holds if they fail. None if there are none."""
        verdicts, replay = self._of_the_text(seed, tier)
        result = [v for v in verdicts if v.kind == "refuted"]
        return self._combined(result, replay) if result else None

    def refutations(self, seed: int = 0, tier: Tier = "standard") -> dict[int, Verdict]:
        """For each row with a printed form to run: the combination of the verdicts that cover the fewest other rows."""
        result, replay = self._of_the_text(seed, tier)
        by_row = {}
        for row in self.rows:
            about = [v for v in result if row.id in v.rows]
            if about:
                fewest = min(len(v.rows) for v in about)
                by_row[row.id] = _combined((v for v in about if len(v.rows) == fewest), replay)
        return by_row

    def undetected(self, seed: int = 0) -> list[str]:
        """Return the wrong claims of ``controls`` that the check does not detect."""
        return [
            control.wrong
            for control in self.controls
            if not replace(control, check=lambda seed, c=control: self._of_control(c, seed)).detected(seed)
        ]

    def _of_control(self, control: Control, seed: int) -> Verdict:
        """Return the verdict on a wrong claim."""
        with self._named(f"the wrong claim “{control.wrong}”"):
            found = control.check(seed)
        return self._verdict(found)

    @contextmanager
    def _named(self, what: str, case: Callable[[], str] = str) -> Iterator[None]:
        """Turn an error of the statement's own code into one that says where it was raised.

        Raises
        ------
        RuntimeError
            If the code within raises; its cause is that error.
        MemoryError
            If the code within does.
        _UnfitError
            If it makes a verdict that could say nothing, which is refused.
        """
        try:
            yield
        except (MemoryError, _UnfitError):
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}".removesuffix(": ")
            at = f" in {text}" if (text := case()) else ""
            raise RuntimeError(f"{what} of the statement {self.name!r} raised {said}{at}") from error

    def _cases(
        self, cases: Cases | None, given: dict[str, object], rng: np.random.Generator, tier: Tier
    ) -> Iterator[dict[str, object]]:
        """Yield the arguments of every call, each drawn only when the one before has been used."""
        if cases is None:
            yield given
            return
        what = "the cases" if cases is self.cases else "the printed cases"
        with self._named(what):
            listed = iter(cases(rng, tier))
        while True:
            with self._named(what):
                try:
                    arguments = given | next(listed)
                except StopIteration:
                    return
            yield arguments

    def _verdict(self, found: object) -> Verdict:
        """Return what a check returned, if it is a verdict on this statement.

        Raises
        ------
        ValueError
            If it is not a `Verdict`, or its first argument is not the name of the statement.
        """
        if not isinstance(found, Verdict):
            raise ValueError(f"a check of the statement {self.name!r} must return a Verdict, got {found!r}")
        if found.statement != self.name:
            raise ValueError(
                f"a check of the statement {self.name!r} must give its verdict this name, as in "
                f"Verdict.upper({self.name!r}, …), got {found.statement!r}"
            )
        return found

    def _of_the_text(self, seed: int, tier: Tier) -> tuple[list[Verdict], int | None]:
        if self.check_printed is None:
            return [], None
        return self._verdicts(self.check_printed, self.printed_cases, 1, seed, tier)

    def _combined(self, verdicts: Iterable[Verdict], seed: int | None) -> Verdict:
        result = _combined(verdicts, seed)
        return replace(result, hypotheses=result.hypotheses or self.hypotheses)

    def _verdicts(
        self, check: Callable[..., Verdict], cases: Cases | None, salt: int, seed: int, tier: Tier
    ) -> tuple[list[Verdict], int | None]:
        """Return the verdicts, and the seed that replays them, or None if they draw nothing.

        Every check gets the seed: through the generator of its cases, or as its argument ``seed`` if the cases do not
        set it.

        Raises
        ------
        ValueError
            If a statement has no cases, or a check returns something else than a verdict on it.
        RuntimeError
            If a check or the cases raise an error; the message names the statement and the call.
        """
        rng = np.random.default_rng([seed, salt, *self.name.encode()])
        before = rng.bit_generator.state
        given: dict[str, object] = {"seed": seed} if "seed" in signature(check).parameters else {}
        called = "check" if check is self.check else "check_printed"
        result: list[Verdict] = []
        for number, arguments in enumerate(self._cases(cases, given, rng, tier), 1):
            case = partial(_text_of, called, number, arguments)
            with self._named("the check", case):
                found = check(**arguments)
            verdict = self._verdict(found)
            result.append(verdict if verdict.holds else replace(verdict, case=case()))
        if not result and cases is self.cases:
            raise ValueError(f"the statement {self.name!r} checks nothing: its cases(rng, {tier!r}) are empty")
        drawn = bool(given) or rng.bit_generator.state != before
        return result, seed if drawn else None


def _text_of(called: str, number: int, arguments: dict[str, object], longest: int = 300) -> str:
    """Return a call in one line; an argument with a text of more than ``longest`` characters is cut."""
    texts = {name: " ".join(repr(value).split()) for name, value in arguments.items()}
    listed = (f"{name}={text if len(text) <= longest else text[:longest] + '…'}" for name, text in texts.items())
    return f"case {number}: {called}({', '.join(listed)})"


def _combined(verdicts: Iterable[Verdict], seed: int | None) -> Verdict:
    """`combine` with this seed, even if it is none."""
    return replace(combine(verdicts), seed=seed)
