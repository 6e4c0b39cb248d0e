"""Lyapunov exponents of random maps, and backward convergence from forward runs (synchronisation)."""
