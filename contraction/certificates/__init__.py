"""Certificates: how far backward iterates are from their limit, under stated hypotheses (Theorem 2.2)."""
