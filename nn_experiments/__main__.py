"""``python -m nn_experiments``: list, run, plot, report, merge, data."""

from __future__ import annotations

import sys

from nn_experiments.cli import main

if __name__ == "__main__":
    sys.exit(main())
