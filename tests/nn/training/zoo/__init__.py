"""Ordinary set-ups of a torch user, each declared right or refused, and what the tests of them share."""
