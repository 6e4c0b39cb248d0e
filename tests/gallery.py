"""Remake the pictures of the gallery: ``python -m tests.gallery`` runs its pages in their folder."""

from __future__ import annotations

import os
from pathlib import Path

from tests.test_documentation import DOCS, GALLERY, run_page


def main() -> None:
    os.environ["MPLBACKEND"] = "agg"
    os.chdir(DOCS / "gallery")
    for page in GALLERY:
        run_page((DOCS / page).read_text(encoding="utf-8"), page, Path.cwd())
        print(page)


if __name__ == "__main__":
    main()
