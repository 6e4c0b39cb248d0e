"""Deliberate mistakes, each of which a named test must notice: ``python -m tests.mistakes``."""
