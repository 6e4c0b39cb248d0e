"""The formulas in a text of plain characters: where they begin and end, and the text as HTML with them as MathML."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from contraction.report.mathml import NAMES, RELATIONS, is_greek, mathml

__all__ = ["formulas_in", "text_html"]

_RELATIONS = "=≤≥<>≠∈→⇒⇔↦≻≃+−·|/"
_SIGNS = frozenset(_RELATIONS + "_^‖∇…⋯∞√ΣΠΩ⟨⟩{}½¼∂∅ℝℚℙℓ*⌈⌉²³⁴⁰⁺⁻ⁿᵖ₂\u0303")
_BRACKETS = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "⌈": "⌉"}
_NUMBERED = frozenset(["appendix", "appendices", "section", "sections", "figure", "example"])
_FUNCTION = re.compile(r"[\[(“]*([A-Za-z]|" + "|".join(sorted(NAMES)) + r")\(")
_LONG = 30  # characters of a formula that stays on one line
_AHEAD = 4  # words that a group in braces may contain


def text_html(text: str) -> str:
    """Return text as HTML in which every formula is MathML.

    Examples
    --------
    >>> text_html("T is k-Lipschitz & 0 < h")
    '<math><mi>T</mi></math> is <math><mi>k</mi></math>-Lipschitz &amp; <math><mn>0</mn><mo>&lt;</mo><mi>h</mi></math>'
    """
    return "".join(_set(part) if formula else html.escape(part) for part, formula in formulas_in(text))


def _set(formula: str) -> str:
    """Return a formula as MathML; a long one as several elements, between which browsers break lines."""
    if len(formula) <= _LONG:
        return mathml(formula)
    places = [i for i, c in enumerate(formula) if c in RELATIONS and i and not _open(formula[:i])]
    ends = zip([0, *places], [*places, len(formula)], strict=True)
    return "<wbr>".join(mathml(formula[begin:end]) for begin, end in ends)


def formulas_in(text: str) -> list[tuple[str, bool]]:
    """Divide a text into parts, each with True for a formula and False for prose; joined, they are the text.

    A word belongs to a formula if it contains a mathematical sign and no run of four or more letters that is not a name
    (`contraction.report.mathml.NAMES`), or if it is a single letter. Numbers, names, products of letters such as hH,
    and the words a, A and I do so next to a relation, or inside the brackets of a formula.
    """
    words = [span for word in re.finditer(r"\S+", text) for span in _pieces(word[0], word.start())]
    kinds = _kinds(text, words)
    parts: list[tuple[str, bool]] = []
    done = i = 0
    while i < len(words):
        if kinds[i] != "math":
            i += 1
            continue
        last = _last(text, words, kinds, i)
        begin, end = words[i][0], words[last][1]
        if (cut := _cut(text[begin:end])) and begin + cut in (starts := {word[0]: j for j, word in enumerate(words)}):
            last, end = starts[begin + cut] - 1, begin + cut  # (L quadratic) behind H is a remark, no argument of it
        begin, end = _trimmed(text, begin, end)
        if any(c.isalnum() or c in "½¼∞∅" for c in text[begin:end]):
            parts += [(text[done:begin], False), (text[begin:end], True)]
            done = end
        i = last + 1
    parts.append((text[done:], False))
    return [part for part in parts if part[0]]


def _pieces(word: str, at: int) -> list[tuple[int, int]]:
    """Return a word as (begin, end), without the prose behind its formula: k-Lipschitz, T_i's."""
    if match := re.match(r"[(“]*[A-Za-z](?=-(th|[A-Za-z]{3}))", word) or re.match(r".*[\w})](?='s[.,;:)]*$)", word):
        return [(at, at + match.end()), (at + match.end(), at + len(word))]
    return [(at, at + len(word))]


def _kinds(text: str, words: Sequence[tuple[int, int]]) -> list[str]:
    """Return the words as "math" and "prose"."""
    raw = [text[begin:end] for begin, end in words]
    kinds = [_alone(word) for word in raw]
    for i, word in enumerate(raw):
        before = raw[i - 1 : i] + (raw[i - 3 : i - 2] if raw[i - 1 : i] == ["and"] else [])
        if len(_core(word)) == 1 and any(one.lower() in _NUMBERED for one in before):
            kinds[i] = "prose"
    for i, word in enumerate(raw[:-1]):
        if kinds[i] == "neutral" and kinds[i + 1] != "prose" and _is_pair(word, raw[i + 1]):  # (0, ∞) and [0, 1]
            kinds[i] = kinds[i + 1] = "math"
    resolved = list(kinds)
    for i, kind in enumerate(kinds):
        if kind in ("neutral", "name"):
            left = raw[i - 1] if i and kinds[i - 1] != "prose" else ""
            right = raw[i + 1] if i + 1 < len(raw) and kinds[i + 1] != "prose" and raw[i][-1] not in ",.;:" else ""
            beside = any(one and one in _RELATIONS for one in (left[-1:], right[:1]))
            resolved[i] = "math" if beside or (kind == "name" and right) else kind
    return resolved


def _is_pair(first: str, second: str) -> bool:
    """Whether two words are an interval or a pair of numbers."""
    return re.fullmatch(r"[(\[][^\s,()\[\]]+, [^\s,()\[\]]+[)\]][,.;:]?", f"{first} {second}") is not None


def _core(word: str) -> str:
    return word.strip('“”"()[],.;:!?')


def _alone(word: str) -> str:
    """Return what a word is by itself: "math", "prose", or what depends on its neighbours, "name" or "neutral"."""
    core = _core(word)
    if core in NAMES:
        return "name"
    if core in ("a", "A", "I") or re.fullmatch(r"\d[\d.]*(e[-−+]?\d+)?", core):
        return "neutral"
    if re.fullmatch(r"\d*[b-df-hj-np-tv-xzB-DF-HJ-NP-TV-XZ]{2,3}", core):
        return "neutral"  # a product such as hH or 2hm; words of English have vowels
    if re.fullmatch(r"[A-Za-z]{2,}/[A-Za-z]{2,}", core):
        return "prose"
    sign = any(c in _SIGNS or is_greek(c) for c in word) or re.match(_FUNCTION, word)
    sign = sign or re.fullmatch(r"\d*[A-Za-z]('[A-Za-z]?)?", core)
    long = [run for run in re.findall(r"[A-Za-z]+", re.sub(r"\{[^{}]*\}?|_\w+", "", word)) if len(run) > 3]
    if sign and all(run in NAMES for run in long):
        return "math"
    return "math" if len(core) == 1 and core.isalpha() else "prose"


def _last(text: str, words: Sequence[tuple[int, int]], kinds: Sequence[str], i: int) -> int:
    """Return the last word of the formula that begins with word i."""
    last = i
    while last + 1 < len(words):
        open_ = _open(text[words[i][0] : words[last][1]])
        if open_ and open_[-1][0] == "{" and (closed := _closed(text, words, i, last)) is not None:
            last = closed
        elif _ends(text, words, kinds, last, bool(open_)):
            break
        else:
            last += 1
    return last


def _ends(text: str, words: Sequence[tuple[int, int]], kinds: Sequence[str], last: int, inside: bool) -> bool:
    """Whether a formula ends with the word ``last``; ``inside`` is true while a bracket is open."""
    glued = words[last][1] == words[last + 1][0]  # two pieces of one word
    apart = not inside and (kinds[last + 1] != "math" or text[words[last][1] - 1] in ",.;:")
    return kinds[last + 1] == "prose" or apart or glued


def _cut(part: str) -> int:
    """Return the place of the first parenthesis that is not closed; 0 if there is none."""
    return next((place for c, place in _open(part) if c in "(["), 0)


def _closed(text: str, words: Sequence[tuple[int, int]], i: int, last: int) -> int | None:
    """Return the word, a few words on, at which the open brace is closed."""
    depth = len(_open(text[words[i][0] : words[last][1]]))
    for j in range(last + 1, min(last + 1 + _AHEAD, len(words))):
        if len(_open(text[words[i][0] : words[j][1]])) < depth:
            return j
    return None


def _open(part: str) -> list[tuple[str, int]]:
    """Return the brackets that are opened and not closed, with their places."""
    brackets: list[tuple[str, int]] = []
    for place, c in enumerate(part):
        if c in _BRACKETS:
            brackets.append((c, place))
        elif brackets and c == _BRACKETS[brackets[-1][0]]:
            brackets.pop()
    return brackets


def _unopened(part: str) -> bool:
    """Whether the last character closes a bracket that was not opened."""
    return part[-1:] in _BRACKETS.values() and len(_open(part)) == len(_open(part[:-1]))


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    """Return a formula without quotes, punctuation, and brackets of the sentence around it."""
    while begin < end:
        part = text[begin:end]
        if part[-1] in ',.;:!?“”"' or part[-1].isspace() or _unopened(part):
            end -= 1
        elif (
            (part[0] in '“”",.;:' and not part[1:2].isdigit())
            or part[0].isspace()
            or (part[0] in _BRACKETS and (part[0], 0) in _open(part))
        ):
            begin += 1
        else:
            break
    return begin, end
