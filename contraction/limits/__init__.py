"""Limits of backward iterates, certified or estimated, and samples from the stationary law."""
