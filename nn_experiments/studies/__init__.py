"""Experiments of our own: small networks by the hundred, in both orders (torch)."""
