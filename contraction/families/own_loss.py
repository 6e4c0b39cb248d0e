"""Gradient steps on a smooth loss of one's own, written for one row of data, with enclosures over a box."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_integer, check_positive
from contraction.families._checks import check_batches, finite_array, law_of
from contraction.families.index_laws import Cyclic, IndexLaw, Reshuffled, ShuffledOnce, check_independence, one_letter
from contraction.maps.arrays import numbers
from contraction.maps.domains import RotatedBox
from contraction.maps.draws import ReplicaBlock
from contraction.maps.errors import MapRefused
from contraction.maps.operators import RandomOperator
from contraction.maps.spaces import Euclidean
from contraction.maps.step_enclosures import StepEnclosure, enclose_step
from contraction.maps.taylor import Tape, as_floats, differentiate
from contraction.types import Draw, Number, RowLoss, override

__all__ = ["OwnLossSteps"]


class OwnLossSteps(RandomOperator):
    """T_B(θ) = θ - h grad L_B(θ), L_B the mean of a loss over the rows of a batch B plus weight decay.

    Its enclosures over a box are what row 85, the local form of Theorem 2.2, asks for.

    Parameters
    ----------
    loss
        ``loss(theta, *row)`` -> number, written for one row of data with NumPy's smooth functions: +, -, *, /, @,
        integer powers, exp, log, log1p, tanh, expit, sqrt, sin, cos and logaddexp. It must not branch on θ.
        The log of a sum of exponentials, 1 + e^z or Σ e^z_i, is enclosed as one function and does not overflow.
    data
        Arrays with one entry per row of data along the first axis; ``loss`` gets one entry of each.
    dim
        The number of parameters d: ``loss`` gets θ of shape (d,). A parameter that it does not use is moved by weight
        decay alone, and without decay by nothing, so that no map contracts.
    h
        Learning rate > 0.
    batches
        The batches, row numbers of shape (count, b).
    ridge
        Weight decay rho >= 0: rho |θ|²/2 is added to the loss of every batch.
    law
        Law of the batch numbers (default: independent and uniform). A class stands for its law with as many letters as
        there are batches; with ``law=Reshuffled`` every epoch goes once through all batches in a fresh order.

    Raises
    ------
    ValueError
        If data or batches have the wrong shape, a number is out of its range, or the loss cannot be computed with
        ``dim`` parameters.
    MapRefused
        If the loss uses a function that is not listed, branches, or does not give one number for one row.

    Examples
    --------
    A neuron with a logistic loss:

    >>> import numpy as np
    >>> from contraction.families import OwnLossSteps
    >>> def loss(theta, x, y):
    ...     return np.log1p(np.exp(-y * theta[2] * np.tanh(x @ theta[:2])))
    >>> x = np.array([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0], [2.0, 2.0]])
    >>> family = OwnLossSteps(loss, (x, [1.0, -1.0, 1.0, -1.0]), 3, h=0.1, batches=[[0, 1], [2, 3]], ridge=0.1)
    >>> family.apply(np.zeros(3), np.array([0, 1])).tolist()
    [0.0, 0.0, 0.0]
    >>> family.gradient(np.ones(3), np.array([0, 1])).round(4).tolist()
    [0.1001, 0.0978, 0.3309]
    """

    vectorized = False
    dim: int

    def __init__(
        self,
        loss: RowLoss,
        data: Iterable[ArrayLike],
        dim: int,
        *,
        h: float,
        batches: Iterable[ArrayLike],
        ridge: float = 0.0,
        law: IndexLaw | type[IndexLaw] | None = None,
    ) -> None:
        if not callable(loss):
            raise TypeError(f"loss must be a function of theta and one row of data, got {loss!r}")
        if not isinstance(data, Iterable) or isinstance(data, str | bytes):
            raise TypeError(f"data must be a list of arrays with one row per example, such as (x, y), got {data!r}")
        arrays = [numbers("each array of data", one) for one in data]
        if not arrays or any(one.ndim == 0 or len(one) != len(arrays[0]) or len(one) == 0 for one in arrays):
            shapes = [one.shape for one in arrays]
            raise ValueError(f"data must be arrays with the same number of rows along the first axis, got {shapes}")
        self.data = tuple(finite_array("data", one, (None,) * one.ndim) for one in arrays)
        self.loss, self.dim = loss, check_integer("the number of parameters dim", dim, 1)
        self.h, self.ridge = check_positive("the learning rate h", h), check_positive("the ridge rho", ridge, zero=True)
        self.batches = check_batches(batches, len(self.data[0]))
        made = law_of(law, len(self.batches)) if isinstance(law, type) else law
        self.law: IndexLaw | None = None
        if law is not None:
            if not isinstance(made, IndexLaw) or made.size != len(self.batches):
                raise ValueError(f"law= must be an index law of the {len(self.batches)} batches, got {law!r}")
            check_independence(made)
            self.law = made
        self.space, self.name = Euclidean(), "OwnLossSteps"
        self._check_rows()

    def __repr__(self) -> str:
        count, size = self.batches.shape
        order = "" if self.law is None else f", law={self.law!r}"
        return f"OwnLossSteps(dim={self.dim}, h={self.h:g}, {count} batches of {size}, ridge={self.ridge:g}{order})"

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> Draw:
        """Rows of the batch, integers, shape (b,), or a list of them for replicas."""
        return super().draw_block(rng, replicas) if replicas else self._draw(rng)

    def draws(self, n: int, seed: int, replicas: int | None) -> Sequence[Draw]:
        """Return the batches, drawn one by one if independent, otherwise from one word of batch numbers."""
        if self.law is None:
            return super().draws(n, seed, replicas)
        rows = self.batches[self.law.letters(n, seed, replicas)]
        return rows if replicas is None else [ReplicaBlock(list(one)) for one in rows]  # pyright: ignore[reportReturnType]

    def _draw(self, rng: np.random.Generator) -> NDArray:
        if self.law is not None:
            return self.batches[one_letter(self.law, rng, None)]
        return self.batches[rng.integers(len(self.batches))]

    def _check_rows(self) -> None:
        """Compare the gradient of a batch with the mean of its rows', which differ if rows are mixed in the loss."""
        rows = self.batches[0]
        theta = np.linspace(-0.5, 0.7, self.dim)
        self._check_dim(theta)
        with np.errstate(all="ignore"):
            single = np.stack([self.gradient(theta, rows[i : i + 1]) for i in range(min(len(rows), 4))])
            whole, parts = self.gradient(theta, rows[:4]), np.mean(single, axis=0)
        if np.max(np.abs(whole - parts)) > 1e-8 * np.max(np.abs(single)):  # false if one is NaN
            raise MapRefused(
                "a loss must be written for one row of data, where a number is not an array: a batch's gradient is not "
                f"the mean of its rows' gradients, but {whole} in place of {parts} at theta = {theta}"
            )

    def _check_dim(self, theta: NDArray) -> None:
        """Refuse by name a number of parameters with which the loss cannot be computed.

        The loss is computed in plain numbers only where it cannot be computed with symbols. If it fails there too, with
        an error that says that shapes or indices do not fit, symbols are not the reason.

        Raises
        ------
        ValueError
            If it does.
        """
        try:
            with np.errstate(all="ignore"):
                self.gradient(theta, self.batches[0][:1])
        except MapRefused:
            row = [one[self.batches[0][0]] for one in self.data]
            try:
                with np.errstate(all="ignore"):
                    self.loss(theta, *row)
            except (ValueError, IndexError) as error:
                shapes = ", ".join(str(np.shape(one)) for one in row)
                raise ValueError(
                    f"the loss cannot be computed with dim={self.dim} parameters: with theta of shape {theta.shape} "
                    f"and a row of data of shapes {shapes} it raises {type(error).__name__}: {error}"
                ) from error
            except Exception:
                pass  # the first error is the one to show
            raise

    def gradient(self, theta: NDArray, rows: NDArray) -> NDArray:
        """Gradient of the mean loss of a batch, with weight decay: θ (..., d), rows (b,) -> (..., d)."""
        theta = np.asarray(theta, dtype=float)
        if theta.shape[-1] != self.dim:
            raise ValueError(f"theta must have {self.dim} coordinates, got shape {theta.shape}")
        points = theta.reshape(-1, self.dim)
        tape = Tape([points[:, m, None] for m in range(self.dim)], 1)
        terms = differentiate(self.loss, tape, tuple(one[rows] for one in self.data))
        out = self.ridge * points
        for place, row in enumerate(tape.rows):
            slope = np.broadcast_to(as_floats(terms.get((place,), 0.0)), (len(points), len(rows)))
            for m, coefficient in row.items():
                out[:, m] += np.mean(slope * coefficient, axis=-1)
        return out.reshape(theta.shape)

    def _of_points(self, theta: NDArray, draw: NDArray) -> NDArray:
        return theta - self.h * self.gradient(theta, draw)

    @property
    @override
    def is_iid(self) -> bool:
        return self.law is None or self.law.is_iid

    @property
    @override
    def index_law(self) -> IndexLaw | None:
        return self.law

    @property
    def epoch(self) -> int | None:
        """The number of batches, if the law goes through all of them in every epoch."""
        return len(self.batches) if isinstance(self.law, Reshuffled | ShuffledOnce | Cyclic) else None

    def finite_support(self) -> list[tuple[Number | None, NDArray]]:
        """(probability, rows) of every batch; probabilities are None if they depend on the position."""
        marginal = (Fraction(1, len(self.batches)),) * len(self.batches) if self.law is None else self.law.marginal
        return list(zip([None] * len(self.batches) if marginal is None else marginal, self.batches, strict=True))

    def step_enclosures(self, region: RotatedBox) -> list[StepEnclosure]:
        """Every batch's step, enclosed on a box in the coordinates of the box; see `RandomOperator.step_enclosures`."""
        return [
            enclose_step(self.loss, tuple(one[rows] for one in self.data), region, self.h, self.ridge)
            for rows in self.batches
        ]
