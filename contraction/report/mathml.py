"""Formulas in plain characters, such as T_1…T_n θ ≤ D k^n/(1−k), as MathML that browsers show without a script.

The notation is that of the registry's texts: ``_`` and ``^`` begin a script (one letter, a number, ``*``, or a group in
braces or parentheses), raised and lowered Unicode digits are scripts, ``*`` and ``'`` after a letter are superscripts,
``√`` takes a number, a letter or a group in parentheses. Everything else is a letter, a number, a name or an operator.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

__all__ = ["NAMES", "RELATIONS", "is_greek", "mathml"]

#: Names of more than one letter, set upright; other letters are variables, each one by itself.
NAMES = frozenset(
    {
        *("arg", "cos", "cosh", "Cov", "cov", "const", "det", "diag", "dim", "exp", "inf", "law", "lim", "Lip", "log"),
        *("max", "min", "mod", "op", "rank", "relu", "sd", "sin", "sinh", "sup", "tanh", "tr", "Var", "var"),
    }
)
#: Signs before which a long formula may be divided.
RELATIONS = "=≤≥<>≠→⇒⇔≃"
_NUMBER = re.compile(r"\.?\d+(\.\d+)*(e[-−]\d+)?")
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵖᵀⁱᵗ", "0123456789+−npTit", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙₚᵢⱼ", "0123456789+−npij", strict=True))
_CLOSING = {"{": "}", "(": ")"}
_SIGNS = {"Σ": "∑", "Π": "∏", "-": "−", "'": "′", "∇": "∇"}
_LETTERS = "ℝℚℙℓ∞∅½¼∂"


@dataclass
class _Atom:
    """One symbol with its scripts, all as MathML."""

    base: str
    sub: str = ""
    sup: str = ""

    def xml(self) -> str:
        if self.sub and self.sup:
            return f"<msubsup>{self.base}{self.sub}{self.sup}</msubsup>"
        if self.sub:
            return f"<msub>{self.base}{self.sub}</msub>"
        return f"<msup>{self.base}{self.sup}</msup>" if self.sup else self.base


def mathml(formula: str) -> str:
    """Return a formula in plain characters as one ``<math>`` element.

    Examples
    --------
    >>> mathml("k^n")
    '<math><msup><mi>k</mi><mi>n</mi></msup></math>'
    """
    return f"<math>{''.join(atom.xml() for atom in _atoms(formula))}</math>"


def _row(text: str) -> str:
    """Return the MathML of a part that has to be one element."""
    atoms = _atoms(text)
    return atoms[0].xml() if len(atoms) == 1 else f"<mrow>{''.join(atom.xml() for atom in atoms)}</mrow>"


def _atoms(text: str) -> list[_Atom]:
    atoms: list[_Atom] = []
    i = 0
    while i < len(text):
        c = text[i]
        if c in "_^" and atoms and i + 1 < len(text):
            script, i = _script(text, i + 1)
            _attach(atoms[-1], script, raised=c == "^")
        elif c in _RAISED or c in _LOWERED:
            j, table = i, _RAISED if c in _RAISED else _LOWERED
            while j < len(text) and text[j] in table:
                j += 1
            script = _row("".join(table[one] for one in text[i:j]))
            _attach(atoms[-1] if atoms else _new(atoms), script, raised=c in _RAISED)
            i = j
        elif c in "*'" and atoms and not text[i - 1].isspace():
            _attach(atoms[-1], f"<mo>{_SIGNS.get(c, c)}</mo>", raised=True)
            i += 1
        elif c == "√" and i + 1 < len(text):
            part, i = _script(text, i + 1)
            atoms.append(_Atom(f"<msqrt>{part}</msqrt>"))
        else:
            i = _symbol(text, i, atoms)
    return atoms


def _new(atoms: list[_Atom]) -> _Atom:
    atoms.append(_Atom("<mrow></mrow>"))
    return atoms[-1]


def _attach(atom: _Atom, script: str, raised: bool) -> None:
    before = atom.sup if raised else atom.sub
    both = f"<mrow>{before}{script}</mrow>" if before else script
    if raised:
        atom.sup = both
    else:
        atom.sub = both


def _script(text: str, i: int) -> tuple[str, int]:
    """Return the MathML of what a sign such as ``_`` at i − 1 applies to, and the index behind it."""
    c = text[i]
    if c in _CLOSING:
        j, depth = i + 1, 1
        while j < len(text) and depth:
            depth += (text[j] == c) - (text[j] == _CLOSING[c])
            j += 1
        inner = text[i + 1 : j - (depth == 0)]
        bare = c == "{" or text[i - 1] == "√"
        return _row(inner if bare else f"({inner})"), j
    j = i + 1
    if c.isdigit():
        while j < len(text) and text[j].isdigit():
            j += 1
    elif c.isascii() and c.isalpha():  # T_small, but V_iV_j
        while j < len(text) and text[j].isascii() and text[j].isalpha():
            j += 1
        if j - i < 3 or text[j : j + 1] in ("_", "^"):
            j = i + 1
    elif is_greek(c):  # its digits and tilde belong to the script
        while j < len(text) and (text[j].isdigit() or text[j] == "\u0303"):
            j += 1
    return _row(text[i:j]) if c != "*" else "<mo>*</mo>", j


def is_greek(c: str) -> bool:
    """Whether a character is a small Greek letter."""
    return "α" <= c <= "ω"


def _symbol(text: str, i: int, atoms: list[_Atom]) -> int:
    """Append the letter, number, name or operator at i; return the index behind it."""
    c = text[i]
    if c.isspace():
        return i + 1
    j = i + 1
    if number := _NUMBER.match(text, i):
        j = number.end()
        if atoms and is_greek(text[i - 1]) and not atoms[-1].sub:  # its digits are an index
            atoms[-1].sub = f"<mn>{text[i:j]}</mn>"
        else:
            atoms.append(_Atom(f"<mn>{text[i:j]}</mn>"))
    elif c.isascii() and c.isalpha():
        while j < len(text) and text[j].isascii() and text[j].isalpha():
            j += 1
        return _letters(text, i, j, atoms)
    elif text[j : j + 1] == "\u0303":
        atoms.append(_Atom(f'<mover accent="true"><mi>{html.escape(c)}</mi><mo>~</mo></mover>'))
        j += 1
    elif c in _LETTERS or (c.isalpha() and c not in _SIGNS):
        atoms.append(_Atom(f"<mi>{c}</mi>"))
    else:
        atoms.append(_Atom(f"<mo{_form(text, i, not atoms)}>{html.escape(_SIGNS.get(c, c))}</mo>"))
    return j


def _form(text: str, i: int, first: bool) -> str:
    """Return the attributes of the operator at i, which browsers would space or stretch otherwise."""
    c = text[i]
    if c in "()[]{}⟨⟩⌈⌉":
        return ' stretchy="false"'
    divides = c == "|" and text[max(0, i - 1) : i + 2] == " | "
    if c in "|‖" and not divides:
        return ' stretchy="false" lspace="0" rspace="0"'
    if c == "/":
        return ' lspace="0" rspace="0"'
    return ' form="infix"' if first and c in RELATIONS else ""


def _letters(text: str, i: int, j: int, atoms: list[_Atom]) -> int:
    """Return a run of ASCII letters: a name, a word inside a script, or variables side by side."""
    run = text[i:j]
    if run in NAMES:
        atoms.append(_Atom(f'<mo lspace="0.17em" rspace="0.17em">{run}</mo>'))
    elif len(run) > 3 or run in ("not", "and", "all") or (i == 0 and j == len(text) and len(run) == 3):
        atoms.append(_Atom(f"<mtext>&#160;{run}&#160;</mtext>"))
    else:
        atoms.extend(_Atom(f"<mi>{one}</mi>") for one in run)
    return j
