"""Certificates: bounds on the distance of backward iterates to their limit, under stated hypotheses (Theorem 2.2)."""
