"""The paper as data: its experiments, its figures, the names of its curves, and their cost (no torch)."""
