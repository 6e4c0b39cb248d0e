"""Mutation testing: how many small wrong edits of the code do the tests notice?

``python -m tests.mutation`` (``make mutants``) draws single-token edits with a seed, the same number in each of eight
groups of modules, applies each of them to a copy of the project, and runs the tests that execute the edited line.

Why not mutmut, cosmic-ray or mutatest: we need per-test line coverage to choose the tests, seeded samples of a fixed
size per group, kernels compiled by numba, and runs that can be stopped and resumed, in minutes on two cores. mutmut has
no seeded samples and puts trampolines around functions, which numba cannot compile; cosmic-ray runs one command for all
mutants, so the whole suite for each; mutatest knows which lines are covered, but not by which test, and is no longer
maintained.
"""
