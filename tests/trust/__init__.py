"""How far the toolkit can be trusted, in figures: rigour of bounds, calibration of tests, faults, scaling.

Each module is a command (``python -m tests.trust.rigour --help``) that writes one record under results/benchmarks/.
`docs/trust.md` shows the records; small versions of all of them run among the tests.
"""
