"""Compile the Coq proofs, compare their axioms with a list, and run the negative controls.

``python proofs/check_axioms.py`` does, in this order:

1. scans every ``.v`` file for what would leave a proof open (``Admitted``, ``admit``, ``Abort``,
   ``Axiom``, ``Parameter``, ...) or switch off a check of Coq's kernel;
2. compiles the default files (those of ``coq/_CoqProject``) and, where MathComp-Analysis 0.6 is installed,
   the optional ones (``coq/mathcomp``), which need none of them: all together, two jobs at a time. Without
   it they are skipped with a message, or the check fails under ``--require-mathcomp``;
3. compares ``coq/INDEX.tsv`` with the theorems in the files, both ways;
4. prints the axioms of each theorem (``Print Assumptions``) and compares them with ``ALLOWED``:
   an axiom outside the list fails, and so does a list entry that nothing needs (with ``--by-file``
   once per file, on all its theorems together: the same check, in a fifth of the time);
5. compiles each file of ``coq/negative_controls``: it must fail, and must compile once the
   hypothesis between its markers ``(*-`` and ``-*)`` is put back. That shows that the proof needs
   the hypothesis; that the statement is false without it is a theorem, which the file names.

Exit status: 0 everything holds, 1 something does not, 2 there is no ``coqc``.
Python's standard library alone is used.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import csv
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COQ = Path(__file__).resolve().parent / "coq"
LOGICAL = "TrainingInReverse"
OPTIONAL = "mathcomp"
INSTALL_MATHCOMP = (
    "the theorems on general random operators need MathComp-Analysis 0.6; install it, for instance with: "
    "apt-get install libcoq-mathcomp-analysis"
)
INSTALL = "coqc was not found; install Coq 8.16 or later, for instance with: apt-get install coq"

# The axioms of Coq's classical real numbers, and nothing else. Each entry must be needed.
ALLOWED = {
    "ClassicalDedekindReals.sig_forall_dec": "a decidable property of naturals holds for all of them, or fails",
    "ClassicalDedekindReals.sig_not_dec": "a negated proposition holds, or does not",
    "FunctionalExtensionality.functional_extensionality_dep": "functions with equal values are equal",
}

# What MathComp-Analysis assumes instead (its module boolp).
ALLOWED_MATHCOMP = {
    "boolp.functional_extensionality_dep": "functions with equal values are equal",
    "boolp.propositional_extensionality": "equivalent propositions are equal",
    "boolp.constructive_indefinite_description": "from what exists one can be chosen",
}

FORBIDDEN = (
    "Admitted",
    "admit",
    "give_up",
    "Abort",
    "Axiom",
    "Axioms",
    "Parameter",
    "Parameters",
    "Conjecture",
    "Conjectures",
    "Unset",
    "bypass_check",
    "Guard",
    "Declare",
    "Load",
    "Primitive",
)
ALLOWED_PHRASES = ("Declare Scope", "Unset Strict Implicit", "Unset Printing Implicit Defensive")


class ProofError(Exception):
    """A check failed; the message says which, where, and what was expected."""


def strip_comments(source: str) -> str:
    """Return Coq source with nested comments and strings blanked, line numbers kept."""
    out: list[str] = []
    depth, i, in_string = 0, 0, False
    while i < len(source):
        pair = source[i : i + 2]
        if in_string:
            in_string = source[i] != '"'
            out.append("\n" if source[i] == "\n" else " ")
            i += 1
        elif pair == "(*":
            depth += 1
            i += 2
        elif pair == "*)" and depth:
            depth -= 1
            i += 2
        elif source[i] == '"':
            in_string = True
            out.append(" ")
            i += 1
        else:
            out.append(source[i] if depth == 0 or source[i] == "\n" else " ")
            i += 1
    return "".join(out)


def forbidden_words(path: Path) -> list[str]:
    """Return ``file:line: word`` for each word that would leave a proof open."""
    text = strip_comments(path.read_text(encoding="utf-8"))
    for phrase in ALLOWED_PHRASES:
        text = text.replace(phrase, " " * len(phrase))
    pattern = re.compile(r"(?<![\w'.])(" + "|".join(FORBIDDEN) + r")(?![\w'])")
    return [
        f"{path.name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group(1)}" for match in pattern.finditer(text)
    ]


def default_files() -> list[Path]:
    """Return the files of ``_CoqProject``; every ``.v`` beside it must be listed."""
    listed = [line for line in (COQ / "_CoqProject").read_text().split() if line.endswith(".v")]
    present = {path.name for path in COQ.glob("*.v")}
    if set(listed) != present:
        raise ProofError(f"_CoqProject and the folder differ: {sorted(set(listed) ^ present)}")
    return [COQ / name for name in listed]


def read_index() -> list[dict[str, str]]:
    """Return the rows of ``INDEX.tsv``: file, coq_name, paper, mathematics."""
    with (COQ / "INDEX.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    columns = ["file", "coq_name", "paper", "mathematics"]
    for number, row in enumerate(rows, start=2):
        if list(row) != columns or not all(row.values()):
            raise ProofError(f"INDEX.tsv:{number}: expected the columns {columns}, got {row}")
    return rows


def theorems(path: Path) -> list[str]:
    """Return the names of the theorems and corollaries that a file states."""
    text = strip_comments(path.read_text(encoding="utf-8"))
    return re.findall(r"^\s*(?:Theorem|Corollary)\s+([\w']+)", text, flags=re.MULTILINE)


def compare_index(files: list[Path], rows: list[dict[str, str]]) -> None:
    """Every theorem has a row of the index and every row a theorem."""
    stated = {(path.relative_to(COQ).as_posix(), name) for path in files for name in theorems(path)}
    indexed = [(row["file"], row["coq_name"]) for row in rows]
    if len(set(indexed)) != len(indexed):
        raise ProofError("INDEX.tsv names a theorem twice")
    if stated != set(indexed):
        raise ProofError(
            f"INDEX.tsv and the files differ: not in the index {sorted(stated - set(indexed))}, "
            f"not in the files {sorted(set(indexed) - stated)}"
        )


def coqc(source: str, name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Compile ``source`` under ``name`` in ``folder``, against the compiled default files."""
    path = folder / f"{name}.v"
    path.write_text(source, encoding="utf-8")
    return subprocess.run(
        ["coqc", "-q", "-w", "none", "-Q", str(COQ), LOGICAL, str(path)], capture_output=True, text=True, check=False
    )


def assumptions(targets: dict[str, list[str]], folder: Path, part: int) -> dict[str, list[str]]:
    """Return the axioms each target rests on, as Coq prints them; a target is a list of theorems."""
    modules = sorted({theorem.rpartition(".")[0] for names in targets.values() for theorem in names})
    lines = [f"Require {' '.join(modules)}."]
    for number, names in enumerate(targets.values()):
        lines += [
            f"Definition target_{number} := ({', '.join(f'@{name}' for name in names)}).",
            f'Goal True. idtac "@@ {number}". Abort.',
            f"Print Assumptions target_{number}.",
        ]
    result = coqc("\n".join(lines), f"print_assumptions_{part}", folder)
    if result.returncode:
        raise ProofError(f"Print Assumptions failed:\n{result.stdout[-1000:]}{result.stderr}")
    blocks = result.stdout.split("@@ ")[1:]
    if len(blocks) != len(targets):
        raise ProofError(f"{len(targets)} questions asked, {len(blocks)} answered")
    found: dict[str, list[str]] = {}
    for target, block in zip(targets, blocks, strict=True):
        body = block.partition("\n")[2]
        closed = "Closed under the global context" in body
        names = re.findall(r"^([\w'.]+)(?=\s*(?::|$))", body.replace("Axioms:", ""), flags=re.MULTILINE)
        if closed == bool(names):
            raise ProofError(f"cannot read the assumptions of {target}:\n{body}")
        found[target] = names
    return found


def compare_axioms(found: dict[str, list[str]], allowed: dict[str, str]) -> None:
    """Fail on an axiom outside ``allowed`` and on an entry of it that nothing needs."""
    new = {(target, axiom) for target, axioms in found.items() for axiom in axioms if axiom not in allowed}
    if new:
        raise ProofError("axioms outside the list: " + "; ".join(f"{t} uses {a}" for t, a in sorted(new)))
    unused = set(allowed) - {axiom for axioms in found.values() for axiom in axioms}
    if unused:
        raise ProofError(f"listed axioms that no theorem needs: {sorted(unused)}")


def counterexample(path: Path, rows: list[dict[str, str]]) -> str:
    """Return the theorem that refutes the statement of a control; it must be in the index."""
    named = re.findall(r"\(\*\* Counterexample: ([\w/]+\.v:\w+) \*\)", path.read_text(encoding="utf-8"))
    if len(named) != 1 or named[0] not in {f"{row['file']}:{row['coq_name']}" for row in rows}:
        raise ProofError(f"{path.name}: expected one counterexample that is in INDEX.tsv, found {named}")
    return named[0]


def negative_control(path: Path, rows: list[dict[str, str]]) -> str:
    """Check one control: fails as it stands, compiles with its hypothesis back; return a line for it."""
    refuted_by = counterexample(path, rows)
    source = path.read_text(encoding="utf-8")
    removed = re.findall(r"\(\*-(.*?)-\*\)", source, flags=re.DOTALL)
    if len(removed) != 1:
        raise ProofError(f"{path.name}: expected one hypothesis between (*- and -*), found {len(removed)}")
    with tempfile.TemporaryDirectory() as scratch:
        broken = coqc(source, "broken", Path(scratch))
        whole = coqc(source.replace("(*-", "").replace("-*)", ""), "whole", Path(scratch))
    hypothesis = removed[0].strip()
    if broken.returncode == 0:
        raise ProofError(f"{path.name} compiles without the hypothesis '{hypothesis}': it must fail")
    if whole.returncode:
        raise ProofError(f"{path.name} does not compile with '{hypothesis}' restored:\n{whole.stderr}")
    error = re.search(r"Error:\s*(.*)", broken.stderr)
    said = error.group(1) if error else "error"
    return f"{path.name}: without '{hypothesis}' refused ({said}), and false by {refuted_by}; restored, compiles"


def make(targets: list[str], jobs: int) -> float:
    """Run targets of the Makefile together; return the seconds, raise ProofError with the output if one fails."""
    start = time.perf_counter()
    made = subprocess.run(["make", "-C", str(COQ), f"-j{jobs}", *targets], capture_output=True, text=True, check=False)
    if made.returncode:
        raise ProofError(f"compilation failed:\n{made.stdout[-2000:]}{made.stderr[-4000:]}")
    return time.perf_counter() - start


def has_mathcomp() -> bool:
    """Whether this Coq finds MathComp-Analysis 0.6 (``salgebraType`` has another name in later versions)."""
    probe = "From mathcomp.analysis Require Import measure lebesgue_integral. Check salgebraType."
    with tempfile.TemporaryDirectory() as scratch:
        return coqc(probe, "probe", Path(scratch)).returncode == 0


Pool = concurrent.futures.ThreadPoolExecutor


def ask_axioms(
    rows: list[dict[str, str]], parts: int, by_file: bool, pool: Pool, scratch: Path
) -> tuple[dict[str, list[str]], list[concurrent.futures.Future[dict[str, list[str]]]]]:
    """Have the axioms of these rows' theorems printed, in parts; return the targets and the answers to come."""
    targets: dict[str, list[str]] = {}
    for row in rows:
        module = row["file"].removesuffix(".v").replace("/", ".")
        target = module if by_file else f"{module}.{row['coq_name']}"
        targets.setdefault(target, []).append(f"{LOGICAL}.{module}.{row['coq_name']}")
    parts = min(parts, len(targets))
    shares = [dict(list(targets.items())[part::parts]) for part in range(parts)]
    scratch.mkdir()
    return targets, [pool.submit(assumptions, share, scratch, part) for part, share in enumerate(shares)]


def tell_axioms(
    targets: dict[str, list[str]],
    answers: list[concurrent.futures.Future[dict[str, list[str]]]],
    allowed: dict[str, str],
    by_file: bool,
) -> None:
    """Print what each target rests on and compare it with ``allowed``."""
    axioms_of = {target: axioms for answer in answers for target, axioms in answer.result().items()}
    for target, names in targets.items():
        used = ", ".join(sorted(axiom.rpartition(".")[2] for axiom in axioms_of[target])) or "no axiom"
        print(f"  {target}{f' (theorems: {len(names)})' if by_file else ''}: {used}")
    compare_axioms(axioms_of, allowed)
    count = sum(len(names) for names in targets.values())
    print(f"{count} theorems rest on nothing but: {', '.join(sorted(allowed))}")


def run(jobs: int, by_file: bool, require_mathcomp: bool) -> None:
    """Run every check, printing what it finds; raise ProofError at the first that fails."""
    files = default_files()
    optional = sorted((COQ / OPTIONAL).glob("*.v"))
    controls = sorted((COQ / "negative_controls").glob("*.v"))
    words = [word for path in [*files, *optional, *controls] for word in forbidden_words(path)]
    if words:
        raise ProofError("words that would leave a proof open: " + "; ".join(words))
    rows = read_index()
    compare_index([*files, *optional], rows)

    if len(controls) < 3:
        raise ProofError(f"expected at least three negative controls, found {len(controls)}")
    whole = has_mathcomp()
    if require_mathcomp and not whole:
        raise ProofError(INSTALL_MATHCOMP)

    seconds = make(["all", OPTIONAL] if whole else ["all"], jobs)
    print(f"compiled {len(files)} files{f' and {len(optional)} optional ones' if whole else ''} in {seconds:.1f} s")
    default_rows = [row for row in rows if not row["file"].startswith(f"{OPTIONAL}/")]
    optional_rows = [row for row in rows if row not in default_rows] if whole else []
    with tempfile.TemporaryDirectory() as folder, Pool(jobs) as pool:
        asked = [
            (*ask_axioms(part, jobs, by_file, pool, Path(folder) / name), allowed)
            for name, part, allowed in (
                (OPTIONAL, optional_rows, ALLOWED_MATHCOMP),  # the longest first
                ("default", default_rows, ALLOWED),
            )
            if part
        ]
        refused = [pool.submit(negative_control, path, rows) for path in controls]
        for targets, answers, allowed in asked:
            tell_axioms(targets, answers, allowed, by_file)
        for control in refused:
            print(f"  {control.result()}")
    if not whole:
        print(f"skipped {OPTIONAL}: {INSTALL_MATHCOMP}")
    print(f"{len(controls)} negative controls refused")


def main(argv: list[str] | None = None) -> int:
    """Run the checks from the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Compile the Coq proofs and check what they rest on.")
    parser.add_argument("--jobs", type=int, default=2, help="compilations at a time (default 2)")
    parser.add_argument(
        "--by-file", action="store_true", help="print the axioms of each file, not of each theorem: faster"
    )
    parser.add_argument("--require-mathcomp", action="store_true", help="fail where MathComp-Analysis is not installed")
    arguments = parser.parse_args(argv)
    if arguments.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {arguments.jobs}")
    if shutil.which("coqc") is None or shutil.which("coq_makefile") is None or shutil.which("make") is None:
        print(INSTALL, file=sys.stderr)
        return 2
    try:
        run(arguments.jobs, arguments.by_file, arguments.require_mathcomp)
    except ProofError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
