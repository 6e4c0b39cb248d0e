"""Figures and the page (matplotlib, no torch)."""
