"""What is in the built packages: ``python -m tests.trust.packages dist`` checks a wheel and an sdist.

The metadata must be readable by other tools: version, summary, description as Markdown, licence, Python versions. Every
module of the sources must be in both, and nothing of tests, data or results may be in the wheel.
"""

from __future__ import annotations

import email
import sys
import tarfile
import zipfile
from pathlib import Path

__all__ = ["check", "main"]

ROOT = Path(__file__).parents[2]
TOP = ("contraction", "nn_experiments", "training_in_reverse.py")


def sources() -> set[str]:
    """The files that a wheel must hold."""
    kinds = ("*.py", "*.pyi", "py.typed")
    found = {
        path.relative_to(ROOT).as_posix() for top in TOP[:2] for kind in kinds for path in (ROOT / top).rglob(kind)
    }
    return found | {TOP[2]}


def check(wheel: Path, sdist: Path) -> list[str]:
    """Return what is wrong with a wheel and an sdist, a line each."""
    wrong = []
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(info))
        scripts = archive.read(info.replace("METADATA", "entry_points.txt")).decode()
    folder = info.split("/")[0]
    wrong += [f"the wheel lacks {name}" for name in sorted(sources() - names)]
    wrong += [f"the wheel has {name}" for name in sorted(names) if not name.startswith((*TOP, folder))]
    with tarfile.open(sdist) as archive:
        packed = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wrong += [
        f"the sdist lacks {name}" for name in sorted((sources() | {"pyproject.toml", "LICENSE", "README.md"}) - packed)
    ]
    if "training-in-reverse = training_in_reverse:main" not in scripts:
        wrong.append("the wheel has no command training-in-reverse")
    for key, value in (
        ("Version", _version()),
        ("Description-Content-Type", "text/markdown"),
        ("License-Expression", "MIT"),
        ("Requires-Python", ">=3.11"),
    ):
        if metadata[key] != value:
            wrong.append(f"{key} is {metadata[key]!r}, not {value!r}")
    if not metadata["Summary"] or not (metadata.get_payload() or metadata["Description"]):
        wrong.append("the metadata has no summary or no description")
    known = metadata.get_all("Classifier", [])
    wrong += [
        f"no classifier for Python {v}" for v in ("3.11", "3.12", "3.13") if not any(c.endswith(v) for c in known)
    ]
    return wrong


def _version() -> str:
    from contraction import __version__

    return __version__


def main(arguments: list[str] | None = None) -> int:
    """Check the newest wheel and sdist of a folder; print what is wrong and return 1, or 0."""
    folder = Path((sys.argv[1:] if arguments is None else arguments)[0])
    version = _version()
    wheel, sdist = (next(folder.glob(pattern)) for pattern in (f"*-{version}-*.whl", f"*-{version}.tar.gz"))
    wrong = check(wheel, sdist)
    print("\n".join(wrong) or f"{wheel.name} and {sdist.name} are complete")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
