"""The theory on one page."""
