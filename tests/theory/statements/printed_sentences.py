r"""Hashes of the paper's sentences: ``python -m tests.theory.printed_sentences PAPER.md`` writes the data file.

The text of the paper is not part of this repository; ``printed_sentences.sha256`` beside this file holds the SHA-256
of each of its sentences, normalised, one a line and sorted. A quotation stands in the paper if, normalised in the same
way, it is a concatenation of whole sentences whose hashes are in that file (`is_printed`): a changed, missing or added
word, letter, sign or index changes the hash.

The text that was used is a Markdown transcript of arXiv 2502.01557v1 with its formulas in LaTeX. It is read so:

1. The list of references is left out, and so are images, page breaks, the rules above footnotes, HTML tags and the
   marks of emphasis and of lists outside formulas.
2. A heading, a figure's caption, a footnote and a bold lead ("Theorem 2.2. (…)") stand by themselves. All other
   paragraphs are one stream, because pages break inside sentences. A sentence ends at a full stop, question or
   exclamation mark (with a closing bracket or quotation mark after it) before a capital letter, a bracket or a
   formula, but not after "i.e.", "e.g.", "cf." or "vs."; and at a display that a paragraph with a capital letter
   follows.

A sentence, from there or from a quotation, is normalised so (`normalise`):

3. LaTeX becomes plain characters, so that a quotation can be read without being typeset: Greek letters and symbols by
   their Unicode signs (``\theta`` θ, ``\nabla`` ∇, ``\leq`` ≤, ``\cdots`` and ``\dots`` …); ``\frac{a}{b}`` is
   (a)/(b), ``\sqrt{a}`` √(a), ``\underbrace{a}_{b}`` a b, ``\tilde`` a tilde after the letter, ``\mathbb{R}`` ℝ;
   alignment, spacing, sizes of brackets and equation numbers go; braces round a single character go, brackets round
   a numerator or denominator of a single character, and the caret before a star or a prime.
4. Unicode is put into form NFKC after superscript digits and letters become ``^2``, dashes and minus signs become "-",
   quotation marks and apostrophes straight, the middle dot nothing (it is the sign of multiplication).
5. All white space is removed. Nothing else is: case, punctuation, signs and indices count.
"""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

DATA = Path(__file__).with_suffix(".sha256")

_SIGNS = {
    "theta": "θ",
    "epsilon": "ε",
    "varepsilon": "ε",
    "lambda": "λ",
    "mu": "μ",
    "delta": "δ",
    "sigma": "σ",
    "Omega": "Ω",
    "nabla": "∇",
    "infty": "∞",
    "leq": "≤",
    "geq": "≥",
    "neq": "≠",
    "simeq": "≃",
    "in": "∈",
    "subset": "⊂",
    "circ": "∘",
    "sum": "Σ",
    "langle": "⟨",
    "rangle": "⟩",
    "|": "‖",
    "cdots": "…",
    "dots": "…",
    "ldots": "…",
    "cdot": "",
    "to": "→",
    "rightarrow": "→",
    "longrightarrow": "→",
    "prime": "'",
    "times": "×",
    "mathcal{O}": "O",
    "max": "max",
    "lim": "lim",
    "cos": "cos",
    "S": "§",
    "square": "",
    "left": "",
    "right": "",
    "quad": "",
    "qquad": "",
    "nonumber": "",
    "dagger": "†",
    "{": "{",
    "}": "}",
    ",": "",
    ";": "",
    "!": "",
    " ": "",
}
_ABBREVIATION = re.compile(r"(?:\bi\.e|\be\.g|\bcf|\bvs|\bv\.s)\.$")
_END = re.compile(r"[.?!][)”\"’]*(?=\s+[A-Z(“$\\])")


def _group(text: str, start: int) -> tuple[str, int]:
    """The braced group that begins at ``start``, without its braces, and where the text goes on."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[start + 1 : i], i + 1
    raise ValueError(f"no closing brace in {text[start : start + 60]!r}")


def _replace_groups(text: str, command: str, count: int, form: str) -> str:
    """``command{a}{b}`` becomes ``form`` with the groups filled in."""
    while (at := text.find(command + "{")) >= 0:
        end, groups = at + len(command), []
        for _ in range(count):
            while text[end] in " _":
                end += 1
            group, end = _group(text, end)
            groups.append(group)
        text = text[:at] + form.format(*groups) + text[end:]
    return text


def normalise(sentence: str) -> str:
    """Steps 3 to 5 of the module's docstring."""
    text = re.sub(r"\\begin\{\w+\*?\}|\\end\{\w+\*?\}|\\\\|(?<!\\)&|\$", " ", sentence)
    text = re.sub(r"\\tag\{\d\}|\\quad\s*\(\d\)", " ", text)
    for command, count, form in (
        (r"\underbrace", 2, "{0} {1}"),
        (r"\frac", 2, "({0})/({1})"),
        (r"\sqrt", 1, "√({0})"),
        (r"\tilde", 1, "{0}~"),
        (r"\text", 1, "{0}"),
        (r"\textit", 1, "{0}"),
        (r"\mathrm", 1, "{0}"),
        (r"\mathbb", 1, "{0}"),
    ):
        text = _replace_groups(text, command, count, form)
    text = text.replace(r"\mathcal{O}", "O")
    text = re.sub(r"\\([A-Za-z]+|.)", lambda m: f" {_SIGNS[m[1]]} ", text)
    text = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ⁻⁺]+)", lambda m: "^{" + unicodedata.normalize("NFKC", m[1]) + "}", text)
    text = text.replace("ℝ", "R").replace("θ̃", "θ~").replace("D̃", "D~").replace("ℙ", "P")
    text = unicodedata.normalize("NFKC", text.replace("…", "\0")).replace("\0", "…").replace("...", "…")
    text = re.sub("[‐‑‒–—−]", "-", text)
    text = re.sub("[“”]", '"', text)
    text = re.sub("[‘’′]", "'", text)
    text = re.sub(r"[·⋅]", "", text)
    text = text.replace("⋯", "…").replace("∑", "Σ").replace("ϵ", "ε")
    text = re.sub(r"\s+", "", text).replace("||", "‖")
    text = re.sub(r"\{([^{}])\}", r"\1", text)
    text = re.sub(r"(?<![\w)])\((\w)\)/", r"\1/", text)
    text = re.sub(r"/\((\w)\)", r"/\1", text)
    return re.sub(r"\^(?=[*'])", "", text)


def _cut(stream: str) -> Iterator[str]:
    start = 0
    for match in _END.finditer(stream):
        if not _ABBREVIATION.search(stream[start : match.end()]):
            yield stream[start : match.end()]
            start = match.end()
    yield stream[start:]


def sentences(text: str) -> list[str]:
    """The normalised sentences of a transcript (steps 1 to 5)."""
    text = re.sub(r"^#+ References$.*?(?=^#+ A )", "", text, flags=re.M | re.S)
    text = re.sub(r"</?\w+[^>]*>|\\\*|\\(?:right|left)\.|^---$", " ", text, flags=re.M)
    found, stream = [], ""
    display_before = False
    for block in re.split(r"\n\s*\n", text):
        block = block.strip()
        if not block or block.startswith("!["):
            continue
        if footnote := re.match(r"(\$\\S\$|§)\s*", block):
            found.extend(_cut("".join(_without_emphasis(block[footnote.end() :]))))
            continue
        if block.startswith("#") or re.match(r"Figure \d+:", block):
            if block.startswith("#"):
                found.extend(_cut(stream))
                stream, display_before = "", False
            found.extend(_cut(block.lstrip("# ").replace("*", "")))
            continue
        lead = re.match(r"\*\*[^*]+\*\*", block)
        plain = re.sub(r"^- ", "", "".join(_without_emphasis(block)), flags=re.M)
        if lead or (display_before and re.match(r"[A-Z]", plain)):
            found.extend(_cut(stream))
            stream = ""
        if lead:
            found.append(lead[0].strip("*"))
            plain = plain[len(lead[0]) - 4 :]
        stream += " " + plain
        display_before = block.endswith("$$")
    found.extend(_cut(stream))
    return [n for n in map(normalise, found) if n]


def _without_emphasis(block: str) -> Iterator[str]:
    for i, part in enumerate(re.split(r"(\$\$.*?\$\$|\$.*?\$)", block, flags=re.S)):
        if i % 2:  # a formula; a full stop that ends a display ends the sentence
            yield re.sub(r"(?<=[.])\s*(\\end\{\w+\})?\s*\$\$$", " ", part) if part.startswith("$$") else part
        else:
            yield part.replace("*", "")


def digest(normalised: str) -> str:
    """SHA-256 of a normalised sentence."""
    return hashlib.sha256(normalised.encode()).hexdigest()


@cache
def known() -> frozenset[str]:
    """The hashes of the data file."""
    lines = DATA.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def is_printed(quotation: str, hashes: Iterable[str] | None = None) -> bool:
    """Whether a quotation is a concatenation of whole printed sentences."""
    hashes = known() if hashes is None else frozenset(hashes)
    text = normalise(quotation)
    starts = [i for i in range(1, len(text)) if not text[i].islower()]
    reached = {0}
    for end in [*starts, len(text)]:
        if any(digest(text[start:end]) in hashes for start in reached):
            reached.add(end)
    return bool(text) and len(text) in reached


def main(argv: list[str]) -> int:
    """Write the data file from a transcript."""
    (path,) = argv
    text = Path(path).read_text(encoding="utf-8")
    hashes = sorted(set(map(digest, sentences(text))))
    head = [
        "# SHA-256 of each sentence of arXiv 2502.01557v1, normalised as printed_sentences.py says, and made by it",
        f"# from a transcript with SHA-256 {hashlib.sha256(text.encode()).hexdigest()}",
    ]
    DATA.write_text("\n".join([*head, *hashes]) + "\n", encoding="utf-8")
    print(f"{len(hashes)} sentences: {DATA}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
