"""Entry point of ``python -m nn_experiments``."""

from __future__ import annotations

import sys

from nn_experiments.cli import main

if __name__ == "__main__":
    sys.exit(main())
