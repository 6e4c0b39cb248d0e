"""Every single edit of a source text that mutation testing may make."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}
OPERATORS = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Pow: ("**", "*"),
}
_PAIRS = (("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("floor", "ceil"), ("any", "all"))
NAMES = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
#: Functions whose first two arguments may be exchanged.
SYMMETRIC = {"min", "max", "minimum", "maximum", "hypot", "gcd", "lcm", "isclose", "allclose", "array_equal", "union1d"}
#: How often a kind of edit is drawn, against the others.
WEIGHTS = {"comparison": 3, "operator": 3, "constant": 2, "removed term": 2, "name": 2, "not": 1, "swap": 1}


@dataclass(frozen=True)
class Mutant:
    """One edit of one file.

    Attributes
    ----------
    file : str
        Path of the file, relative to the project.
    kind : str
        A key of `WEIGHTS`.
    line : int
        The line where the edit starts, counted from 1.
    lines : tuple of int
        First and last line of the innermost statement around the edit (of its header, if it has a body).
    in_function : bool
        Whether the edited code runs when a function is called, and not when the module is imported.
    start, end : int
        The edited characters of the text.
    old, new : str
        What is there, and what is put there.
    before, after : str
        The edited lines before and after, with single spaces.
    """

    file: str
    kind: str
    line: int
    lines: tuple[int, int]
    in_function: bool
    start: int
    end: int
    old: str
    new: str
    before: str
    after: str

    def apply(self, source: str) -> str:
        """Return the text with the edit, which must fit."""
        if source[self.start : self.end] != self.old:
            raise ValueError(f"{self.file}:{self.line} reads {source[self.start : self.end]!r}, not {self.old!r}")
        return source[: self.start] + self.new + source[self.end :]


class _Source:
    """A source text with its tree and its tokens, all positions in characters from the start."""

    def __init__(self, text: str):
        self.text = text
        self._lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self.tokens = [
            (self._starts[token.start[0] - 1] + token.start[1], token.string)
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type in (tokenize.OP, tokenize.NAME)
        ]

    def at(self, line: int, column: int) -> int:
        """Return the position of a line (from 1) and a column in bytes of UTF-8, as `ast` counts them."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def line_of(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1

    def token(self, string: str, start: int, end: int) -> int:
        """Return the position of the one token with this text from start to end."""
        (found,) = [position for position, text in self.tokens if start <= position < end and text == string]
        return found


def _constant(value: object) -> str | None:
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int):
        return str(value + 1)
    if isinstance(value, float):
        return repr(2 * value) if value else "1.0"
    return None


def _edits(node: ast.AST, source: _Source) -> Iterator[tuple[str, int, int, str]]:
    """Yield (kind, start, end, new text) of every edit of a node itself, its children left out."""
    text = source.text
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            if type(op) in COMPARISONS:
                old, new = COMPARISONS[type(op)]
                at = source.token(old, source.span(left)[1], source.span(right)[0])
                yield "comparison", at, at + len(old), new
        case ast.BinOp(left=left, op=op, right=right):
            (start, left_end), (right_start, end) = source.span(left), source.span(right)
            if type(op) in OPERATORS and not isinstance(left, ast.Constant | ast.JoinedStr):
                old, new = OPERATORS[type(op)]
                at = source.token(old, left_end, right_start)
                yield "operator", at, at + len(old), new
            elif isinstance(op, ast.MatMult):
                yield "swap", start, end, text[right_start:end] + text[left_end:right_start] + text[start:left_end]
            if isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow):
                at = next(
                    position for position, _ in source.tokens if position >= left_end and text[position] not in ")"
                )
                yield "removed term", len(text[:at].rstrip()), source.span(node)[1], ""
        case ast.AugAssign(target=target, op=op, value=value):
            if type(op) in OPERATORS:
                old, new = OPERATORS[type(op)]
                at = source.token(old + "=", source.span(target)[1], source.span(value)[0])  # type: ignore[arg-type]
                yield "operator", at, at + len(old), new
        case ast.UnaryOp(op=ast.USub()):
            start = source.span(node)[0]
            yield "operator", start, start + 1, ""
        case ast.UnaryOp(op=ast.Not()):
            start = source.span(node)[0]
            yield "not", start, start + len("not"), ""
        case ast.BoolOp(op=op, values=[first, second, *_]):
            old, new = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
            at = source.token(old, source.span(first)[1], source.span(second)[0])
            yield "not", at, at + len(old), new
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            if isinstance(test, ast.Name | ast.Call | ast.Attribute):
                start, end = source.span(test)
                yield "not", start, end, f"not {text[start:end]}"
        case ast.Constant(value=value):
            start, end = source.span(node)
            if (new := _constant(value)) is not None:
                yield "constant", start, end, new
        case ast.Call(func=func, args=[first, second, *_]) if not any(isinstance(a, ast.Starred) for a in node.args):
            (start, first_end), (second_start, end) = source.span(first), source.span(second)
            if ast.dump(first) != ast.dump(second) and _called(func) not in SYMMETRIC:
                swapped = text[second_start:end] + text[first_end:second_start] + text[start:first_end]
                yield "swap", start, end, swapped
            yield from _name(func, source)
        case ast.Call(func=func):
            yield from _name(func, source)


def _called(func: ast.expr) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def _name(func: ast.expr, source: _Source) -> Iterator[tuple[str, int, int, str]]:
    called = _called(func)
    if called in NAMES:
        end = source.span(func)[1]
        yield "name", end - len(called), end, NAMES[called]


def _header(statement: ast.stmt) -> tuple[int, int]:
    body = getattr(statement, "body", None)
    last = statement.end_lineno or statement.lineno
    if isinstance(body, list) and body:
        last = max(statement.lineno, min(last, body[0].lineno - 1))
    return statement.lineno, last


def _walk(node: ast.AST, lines: tuple[int, int], in_function: bool) -> Iterator[tuple[ast.AST, tuple[int, int], bool]]:
    """Yield every node whose value matters, with its statement's lines and whether it runs inside a call.

    Left out: annotations, f-strings (the texts of messages), the arguments of what is raised, tests for type checkers.
    """
    if isinstance(node, ast.JoinedStr | ast.Raise | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return
    if isinstance(node, ast.stmt):
        lines = _header(node)
    yield node, lines, in_function
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "keywords" if isinstance(node, ast.ClassDef) else ""):
            continue
        inside = in_function or (field == "body" and isinstance(node, ast.FunctionDef | ast.Lambda))
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child, lines, inside)


def mutants(text: str, file: str = "") -> list[Mutant]:
    """Return every edit of a source text, in the order of the text; a few are no programs: `is_program` tells."""
    source, found = _Source(text), []
    for node, lines, in_function in _walk(ast.parse(text), (1, 1), False):
        for kind, start, end, new in _edits(node, source):
            first = text.rfind("\n", 0, start) + 1
            after_end = text.find("\n", end)
            last = len(text) if after_end < 0 else after_end
            before, after = text[first:last], text[first:start] + new + text[end:last]
            found.append(
                Mutant(
                    file,
                    kind,
                    source.line_of(start),
                    lines,
                    in_function,
                    start,
                    end,
                    text[start:end],
                    new,
                    " ".join(before.split()),
                    " ".join(after.split()),
                )
            )
    return sorted(found, key=lambda m: (m.start, m.end, m.new))


def is_program(mutant: Mutant, text: str) -> bool:
    """Return whether the edited text is a program, and another one."""
    try:
        return ast.dump(ast.parse(mutant.apply(text))) != ast.dump(ast.parse(text))
    except SyntaxError:
        return False
