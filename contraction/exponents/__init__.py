"""Lyapunov exponents of random maps, and backward convergence read off forward runs (synchronisation)."""
