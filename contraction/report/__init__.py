"""The HTML report on the theory."""
