"""Expansions of compositions T_{i_1} … T_{i_n}, T_i = 1 + hV_i, in powers of h (Appendices C and D), to any order.

Symbolic and exact: `formal_coefficient`, `word_coefficients` with `polynomial_field` or `symbolic_field`.
Numeric, on callables: `word_series` with `VectorField`, `numpy_field`, `descent_field`.
Differences of orders: `difference_coefficients`, `ApproximateBackward`. Small batches: `alignment_gradient`,
`regularised_step`. Error bounds: `remainder_bound`, `correction_reach`. Names are loaded on first use.
"""

from contraction.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
