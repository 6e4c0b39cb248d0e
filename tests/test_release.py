"""Version, citation, changelog and the command `training-in-reverse` agree, and what is built is complete."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import contraction
import training_in_reverse
from tests.trust import packages

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_version_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert PROJECT["dynamic"] == ["version"]
    assert f"\nversion: {contraction.__version__}\n" in citation
    (released,) = re.findall(
        rf"^## {re.escape(contraction.__version__)}, (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )
    assert released == "27 November 2026"
    assert "\ndate-released: 2026-11-27\n" in citation


def test_the_citation_has_the_three_titles_of_the_paper():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    titles = re.findall(r"^ *(?:- )?title: \"?(.*?)\"?$", citation, re.M)
    assert titles == [
        "training-in-reverse",
        "Training in reverse: How iteration order influences convergence and stability in deep learning",
        "How iteration composition influences convergence and stability in deep learning",
        "How iteration order influences convergence and stability in deep learning",
    ]
    for identifier in ("arXiv:2502.01557v1", "openreview.net/forum?id=GZCBM2Yo3a", "arXiv:2502.01557v3"):
        assert identifier in citation


def test_the_command_reaches_both_packages(capsys):
    module, name = PROJECT["scripts"]["training-in-reverse"].split(":")
    assert getattr(sys.modules[module], name) is training_in_reverse.main
    assert training_in_reverse.main(["theory", "verify", "backward_contraction"]) == 0
    assert "backward_contraction" in capsys.readouterr().out
    assert training_in_reverse.main(["networks", "list", "fig4"]) == 0
    assert "Regression of x²" in capsys.readouterr().out
    assert training_in_reverse.main(["theory", "verify", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "status"), [([], 2), (["--help"], 0), (["thoery"], 2), (["--version"], 0)])
def test_the_command_explains_itself(words, status, capsys):
    assert training_in_reverse.main(words) == status
    said = capsys.readouterr()
    text = said.err if status else said.out
    assert contraction.__version__ in text if words == ["--version"] else "usage: training-in-reverse theory" in text
    assert ("'thoery'" in text) is (words == ["thoery"])


def test_the_theory_alone_imports_no_torch():
    code = "import sys, training_in_reverse as t; t.main(['theory', 'verify', 'backward_contraction']); "
    code += "assert 'torch' not in sys.modules and 'nn_experiments' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def _packed(place: Path, without: str = "", more: str = "") -> tuple[Path, Path]:
    """A wheel and an sdist with the names that `build` gives them for this checkout; the files are empty."""
    wheel, sdist = place / "one.whl", place / "one.tar.gz"
    metadata = "Metadata-Version: 2.4\nName: training-in-reverse\nSummary: x\nLicense-Expression: MIT\n"
    metadata += (
        f"Version: {contraction.__version__}\nRequires-Python: >=3.11\nDescription-Content-Type: text/markdown\n"
    )
    metadata += "".join(f"Classifier: Programming Language :: Python :: 3.{minor}\n" for minor in (11, 12, 13))
    sources = packages.sources()
    with zipfile.ZipFile(wheel, "w") as archive, tarfile.open(sdist, "w:gz") as packed:
        for name in sorted(sources | {"pyproject.toml", "LICENSE", "README.md"}):
            if name != without:
                packed.addfile(tarfile.TarInfo(f"one/{name}"))
                if name in sources:
                    archive.writestr(name, "")
        if more:
            archive.writestr(more, "")
        archive.writestr("one.dist-info/METADATA", f"{metadata}\nDescription")
        archive.writestr(
            "one.dist-info/entry_points.txt", "[console_scripts]\ntraining-in-reverse = training_in_reverse:main\n"
        )
    return wheel, sdist


def test_what_is_missing_or_too_much_in_a_package_is_said(tmp_path):
    assert packages.check(*_packed(tmp_path)) == []
    lacking = packages.check(*_packed(tmp_path, without="contraction/py.typed"))
    assert lacking == ["the wheel lacks contraction/py.typed", "the sdist lacks contraction/py.typed"]
    assert packages.check(*_packed(tmp_path, more="tests/conftest.py")) == ["the wheel has tests/conftest.py"]
