"""Appendix D: small batches, the mean over all orders, and their implicit regulariser.

With V_i = −∇L_i on c batches of equal size and h' = h/c:

    T_small = (1+h'V_c) … (1+h'V_1) = T_large + h'² Σ_{i>j} V_i'V_j + O(h³)     (the paper prints i < j)
    T_perm  = mean over all c! orders = T_large + ½h'² Σ_{i≠j} V_i'V_j + O(h³)

Σ_{i≠j} V_i'V_j = Σ_i H_i(G − g_i) = +∇R with R = Σ_{i<j} ⟨g_i, g_j⟩ = ½(‖G‖² − Σ‖g_i‖²), G = Σ g_i: added to θ with
λ > 0 it is a step of gradient *ascent* on the alignment of the batch gradients; the effective loss is hL_B − λR. The
sum for one fixed order is not a gradient: its Jacobian minus the transpose is Σ_{i>j} [H_i, H_j].

The functions take tensors as well as arrays; they use only ``+``, ``-``, ``*`` and ``@`` of vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from math import factorial
from typing import Literal

from contraction.arguments import check_choice, check_flag, check_integer
from contraction.expansions.composition import compose
from contraction.expansions.fields import (
    VectorField,
    check_fields,
    check_not_negative,
    check_not_text,
    check_theta,
    check_vectors,
    check_word,
)
from contraction.types import Scalar, Vector

__all__ = [
    "RATES",
    "alignment",
    "alignment_gradient",
    "fixed_order_curl",
    "fixed_order_term",
    "large_batch_step",
    "mean_over_orders",
    "regularisation_strength",
    "regularised_step",
    "small_batch_modified_loss",
    "small_batch_steps",
]

#: How T_large and λ read the learning rate h of the paper: as h itself, as h' = h/c, or λ as derived, h'²/2.
RATES = ("h", "h/c")
UNITS = (*RATES, "derived")


def small_batch_steps(fields: Sequence[VectorField], theta: Vector, h: Scalar) -> Vector:
    """Return T_small(θ) = (1+h'V_c) … (1+h'V_1)(θ), h' = h/c: V_1 is applied first.

    This is T_small of Appendix D.1 (row 62).

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import large_batch_step, quadratic_field, small_batch_steps
    >>> fields = [quadratic_field(np.eye(2), np.array(minimum)) for minimum in ([1.0, 0.0], [0.0, 1.0])]
    >>> small_batch_steps(fields, np.zeros(2), 0.1).round(6), large_batch_step(fields, np.zeros(2), 0.1).round(6)
    (array([0.0475, 0.05  ]), array([0.05, 0.05]))
    """
    return compose(fields, range(_count(fields), 0, -1), theta, h / len(fields))


def large_batch_step(
    fields: Sequence[VectorField], theta: Vector, h: Scalar, *, sizes: Sequence[int] | None = None
) -> Vector:
    """Return T_large(θ) = θ + hV_B(θ), V_B the mean of the V_i, weighted by batch sizes where these differ.

    hV_B = h' Σ V_i (the identity of D.1) holds for equal sizes, mean losses, and no layer that couples the examples of
    a batch (batch normalisation).

    This is T_large of Appendix D.1 (row 63).

    Raises
    ------
    ValueError
        If ``sizes`` are not one positive number for each field.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import large_batch_step, quadratic_field
    >>> fields = [quadratic_field(np.eye(2), np.array(minimum)) for minimum in ([1.0, 0.0], [0.0, 1.0])]
    >>> large_batch_step(fields, np.zeros(2), 0.1), large_batch_step(fields, np.zeros(2), 0.1, sizes=[3, 1])
    (array([0.05, 0.05]), array([0.075, 0.025]))
    """
    c, theta = _count(fields), check_theta(theta)
    check_not_text("the learning rate h", h)
    if sizes is not None and (len(sizes) != c or any(not size > 0 for size in sizes)):
        raise ValueError(f"{c} batches need {c} positive sizes, got {sizes!r}")
    weights = [1] * c if sizes is None else list(sizes)
    total = theta * 0
    for weight, field in zip(weights, fields, strict=True):
        total = total + weight * field(theta)
    return theta + h * total / sum(weights)


def mean_over_orders(fields: Sequence[VectorField], theta: Vector, h: Scalar) -> Vector:
    """Return T_perm(θ), the mean of T_word(θ) over all c! orders with h' = h/c (eq. 9), by enumeration.

    This is T_perm of Appendix D.2 (rows 64 and 65).

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import mean_over_orders, quadratic_field, small_batch_steps
    >>> fields = [quadratic_field(np.diag([1.0, 2.0]), np.ones(2)), quadratic_field(np.ones((2, 2)), np.zeros(2))]
    >>> theta, h = np.array([1.0, 0.0]), 0.1
    >>> both = [small_batch_steps(order, theta, h) for order in (fields, fields[::-1])]
    >>> mean_over_orders(fields, theta, h).round(6).tolist(), np.mean(both, axis=0).round(6).tolist()
    ([0.95, 0.00125], [0.95, 0.00125])
    """
    c, theta = _count(fields), check_theta(theta)
    check_not_text("the learning rate h", h)
    total = theta * 0
    for word in permutations(range(1, c + 1)):
        total = total + compose(fields, word, theta, h / c)
    return total / factorial(c)


def alignment(fields: Iterable[VectorField], theta: Vector) -> Vector:
    """Return R = Σ_{i<j} ⟨V_i, V_j⟩ = ½(‖ΣV_i‖² − Σ‖V_i‖²), a scalar (the same for g_i = −V_i).

    Its gradient is the regulariser of Appendix D.2 (row 66).

    Raises
    ------
    ValueError
        If the sequence of vector fields is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import alignment, quadratic_field
    >>> fields = [quadratic_field(np.eye(2), np.array(minimum)) for minimum in ([1.0, 0.0], [0.0, 1.0])]
    >>> float(alignment(fields, np.array([0.5, 0.5])))  # at the minimum of the mean loss the gradients are opposed
    -0.5
    >>> float(alignment(fields, np.zeros(2)))  # here they are at a right angle
    0.0
    """
    listed = list(fields) if isinstance(fields, Iterable) and not isinstance(fields, str | bytes) else fields
    theta = check_theta(theta)
    total: Vector = None
    squares: Vector = 0
    for field in check_fields(listed):  # pyright: ignore[reportArgumentType]
        value = field(theta)
        squares = squares + value @ value
        total = value if total is None else total + value
    if total is None:
        raise ValueError("the alignment needs at least one field")
    return (total @ total - squares) / 2


def alignment_gradient(fields: Sequence[VectorField], theta: Vector, *, hold: bool = False) -> Vector:
    """Return Σ_{i≠j} V_i'V_j = Σ_i V_i'(ΣV − V_i) at θ with c Jacobian-vector products, shape (d,).

    For gradient fields this is +∇R (see `alignment`). Two passes: the sum of the V_i, then one product for each batch.

    It is the second order of T_perm in Appendix D.2, equation (9) (row 65).

    Parameters
    ----------
    fields
        One field per batch.
    theta
        The point, shape (d,).
    hold
        If false, each V_i is evaluated again in the second pass, with O(d) memory. If true, the linearisations of the
        first pass are stored (for tensors, with their graphs) and reused.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import alignment_gradient, quadratic_field
    >>> fields = [quadratic_field(np.eye(2), np.array(minimum)) for minimum in ([1.0, 0.0], [0.0, 1.0])]
    >>> alignment_gradient(fields, np.zeros(2)).tolist()  # away from the minimum [0.5, 0.5] of the mean loss
    [-1.0, -1.0]
    """
    return _drift_and_alignment(fields, check_theta(theta), hold)[1]


def regularised_step(
    fields: Sequence[VectorField],
    theta: Vector,
    h: Scalar,
    lam: Scalar,
    *,
    rate: Literal["h", "h/c"] = "h",
    hold: bool = False,
) -> Vector:
    """Return θ + rate·V_B(θ) + λ Σ_{i≠j} V_i'V_j(θ), the regularised step of D.2.1.

    Row 68 of the audit says what the printed text leaves open.

    Parameters
    ----------
    fields
        The c batches' fields, of equal batch size.
    theta, h
        The point (d,), the learning rate.
    lam
        λ ≥ 0, the value and not a multiple (see `regularisation_strength`). The derived value is h'²/2 = h²/(2c²).
    rate
        The paper's settings are ambiguous: "h" is the literal reading (T_large plus the term); "h/c" takes h' in the
        large-batch step, as the paper's large-batch baseline does.
    hold
        As in `alignment_gradient`.

    Raises
    ------
    ValueError
        If λ is negative, the rate is unknown, or there is no field.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import mean_over_orders, quadratic_field, regularisation_strength, regularised_step
    >>> fields = [quadratic_field(np.eye(2), np.array(minimum)) for minimum in ([1.0, 0.0], [0.0, 1.0])]
    >>> lam = regularisation_strength(1.0, 0.1, 2, unit="derived")  # h²/(2c²)
    >>> regularised_step(fields, np.zeros(2), 0.1, lam).round(5)
    array([0.04875, 0.04875])
    >>> mean_over_orders(fields, np.zeros(2), 0.1).round(5)  # what the step stands for, up to O(h³)
    array([0.04875, 0.04875])
    """
    check_not_negative("λ (which is added: λ > 0 rewards alignment)", lam)
    check_not_text("the learning rate h", h)
    check_choice("the rate", rate, RATES)
    c = _count(fields)
    theta = check_theta(theta)
    total, term = _drift_and_alignment(fields, theta, hold)
    return theta + (h if rate == "h" else h / c) / c * total + lam * term


def regularisation_strength(
    multiple: Scalar, h: Scalar, c: int, *, unit: Literal["h", "h/c", "derived"] = "h"
) -> Scalar:
    """Return λ = multiple × unit²: the two readings of the paper's λ ∈ {0.5, 1, 2, 4}h², and the derived one.

    The two readings are those of Appendix D.2.1 (row 68).

    Parameters
    ----------
    multiple, h, c
        The factor, the learning rate, the number of small batches.
    unit
        "h": λ = multiple·h² (literal; c = 4 makes it 16 to 128 times the derived value). "h/c": λ = multiple·h'²
        (1 to 8 times). "derived": λ = multiple·h'²/2, so that multiple = 1 is the λ of T_perm.

    Raises
    ------
    ValueError
        If the unit is unknown, c is below 1, or the multiple or h is not a number.

    Examples
    --------
    >>> from contraction import expansions as ex
    >>> ex.regularisation_strength(2.0, 0.5, 4), ex.regularisation_strength(2.0, 0.5, 4, unit="h/c")
    (0.5, 0.03125)
    """
    check_choice("the unit", unit, UNITS)
    check_integer("the number of small batches", c, 1)
    check_not_text("multiple", multiple)
    check_not_text("the learning rate h", h)
    if unit == "h":
        return multiple * h * h
    return multiple * (h / c) * (h / c) / (1 if unit == "h/c" else 2)


def fixed_order_term(fields: Sequence[VectorField], theta: Vector, word: Sequence[int] | None = None) -> Vector:
    """Return Σ_{u<v} V'_{w_u}V_{w_v} for one word w, leftmost outermost, with c − 1 products, shape (d,).

    The default word is (c, …, 1), the order of T_small, with the term Σ_{i>j} V_i'V_j. The term is not a gradient
    unless the Hessians commute (`fixed_order_curl`), so it is not a regulariser in the strict sense.

    It is the term of second order in Appendix D.1, where i < j is printed for i > j (row 62).

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import alignment_gradient, fixed_order_term, quadratic_field
    >>> fields = [quadratic_field(np.diag([1.0, 2.0]), np.ones(2)), quadratic_field(np.ones((2, 2)), np.zeros(2))]
    >>> theta = np.array([1.0, 0.0])
    >>> one, other = (fixed_order_term(fields, theta, word) for word in ((2, 1), (1, 2)))
    >>> one.tolist(), other.tolist(), alignment_gradient(fields, theta).tolist()  # the last is the sum of the two
    ([-1.0, -1.0], [1.0, 2.0], [0.0, 1.0])
    """
    word = check_word(range(_count(fields), 0, -1) if word is None else word, len(fields))
    theta = check_theta(theta)
    if len(word) < 2:
        return theta * 0
    innermost, *middle, outermost = [fields[index - 1] for index in reversed(word)]
    inner = innermost(theta)
    total = theta * 0
    for field in middle:
        value, product = field.linearized(theta)
        total = total + product(inner)
        inner = inner + value
    return total + outermost.differential(theta, (inner,))


def fixed_order_curl(hessians: Sequence[Vector]) -> Vector:
    """Return Σ_{i>j} (H_iH_j − H_jH_i) from the batch Hessians, (d, d): J − Jᵀ of the term of T_small's order.

    It vanishes for all θ exactly when that term is locally a gradient.

    Where it is not zero, the term of one order in Appendix D.1 is not a gradient (row 67).

    Raises
    ------
    ValueError
        If there is no Hessian.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import fixed_order_curl
    >>> fixed_order_curl([np.diag([1.0, 2.0]), np.array([[0.0, 1.0], [1.0, 0.0]])])
    array([[ 0.,  1.],
           [-1.,  0.]])
    >>> fixed_order_curl([np.diag([1.0, 2.0]), np.eye(2)])  # Hessians that commute
    array([[0., 0.],
           [0., 0.]])
    """
    hessians = check_vectors("the Hessians", hessians, 2)
    if len(hessians) == 0:
        raise ValueError("at least one Hessian is needed, got none")
    total = hessians[0] @ hessians[0] * 0
    inner = hessians[0]
    for matrix in hessians[1:]:
        total = total + matrix @ inner - inner @ matrix
        inner = inner + matrix
    return total


def small_batch_modified_loss(gradients: Sequence[Vector], h: Scalar) -> Vector:
    """Return −(ch'/4)‖ḡ‖² + (h'/4c) Σ‖g_i‖², h' = h/c: what λ = h'²/2 adds to the loss, per unit step h.

    This is the implicit regulariser of small batches minus that of the large batch (Smith, Dherin, Barrett and De,
    2021), and equals −λR/h.

    Raises
    ------
    ValueError
        If ``gradients`` is empty or ``h`` is not a number.

    References
    ----------
    Smith, S. L., Dherin, B., Barrett, D. G. T., and De, S. (2021). On the origin of implicit regularization in
    stochastic gradient descent. International Conference on Learning Representations.

    Examples
    --------
    >>> import numpy as np
    >>> from contraction.expansions import small_batch_modified_loss
    >>> one = np.array([1.0, 0.0])  # a gradient; first opposed to the other batch's, then equal to it
    >>> [float(small_batch_modified_loss([one, -one], 0.1)), float(small_batch_modified_loss([one, one], 0.1))]
    [0.0125, -0.0125]
    """
    gradients = check_vectors("the gradients", gradients, 1)
    if len(gradients) == 0:
        raise ValueError("at least one gradient is needed, got none")
    check_not_text("the learning rate h", h)
    c = len(gradients)
    mean: Vector = sum(gradients[1:], gradients[0]) / c
    return -h / 4 * (mean @ mean) + h / c / (4 * c) * sum((g @ g for g in gradients[1:]), gradients[0] @ gradients[0])


def _count(fields: Sequence[VectorField]) -> int:
    if len(check_fields(fields)) == 0:
        raise ValueError("at least one batch is needed")
    return len(fields)


def _drift_and_alignment(fields: Sequence[VectorField], theta: Vector, hold: bool) -> tuple[Vector, Vector]:
    """ΣV_i and Σ_i V_i'(ΣV − V_i)."""
    _count(fields)
    check_flag("hold", hold)
    held = [field.linearized(theta) for field in fields] if hold else None
    total = theta * 0
    for i, field in enumerate(fields):
        total = total + (held[i][0] if held is not None else field(theta))
    term = theta * 0
    for i, field in enumerate(fields):
        value, product = held[i] if held is not None else field.linearized(theta)
        term = term + product(total - value)
    return total, term
