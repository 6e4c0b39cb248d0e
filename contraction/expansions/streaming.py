"""Corollary C.4: the approximate backward iterate, in a stream, with what it truly costs.

The paper says the correction needs "one additional variable C_n of the same size as the parameters" and can cost less
than iterating from the initial point at every step. The counts say otherwise. For iterates 1 … N, in evaluations
of one field (V) or one Jacobian-vector product (JVP) in dimension d:

    exact backward iterates      N(N+1)/2 V                         O(d) memory
    variant "dense"              2N − 1 V, (N−1)d + (N−1) JVP       g_n (d) and H_n (d²)
    variant "replay"             N(N+1)/2 + … see below             O(d) memory and every batch kept
    one final N, two passes      2N V and N JVP                     O(d) memory

Exact streaming must store H_n: H_n v for arbitrary next v determines d(d+1)/2 numbers. Replaying all past batches needs
N(N−1)/2 + N − 1 JVP. So streaming is cheaper than exact backward iterates only from about N ≳ 2d on, and a single
final correction is dearer than the single exact backward iterate (N evaluations).
"""
