"""Kernels, which apply a sequence of maps to one state, and the choice between them."""
