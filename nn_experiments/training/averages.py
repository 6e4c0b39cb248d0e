"""Averages of the forward iterates, which `nn_experiments.run` takes beside orders (no torch).

Each average has the form m_n = m_{n-1} + w_n (θ_n − m_{n-1}) with m_0 = θ_0; the classes define the weights w_n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from contraction.arguments import check_integer, check_probability

__all__ = ["EMA", "SWA", "Average", "Polyak", "SuffixMean"]


class Average(Protocol):
    """A running average of the forward iterates."""

    @property
    def name(self) -> str:
        """The name of its curve."""
        ...

    def weight(self, n: int) -> float:
        """Return w_n, the weight of iterate n: 1 replaces the average by the iterate, 0 leaves the iterate out."""
        ...


@dataclass(frozen=True)
class EMA:
    """The exponential moving average m_n = beta m_{n-1} + (1 − beta) θ_n, with m_0 = θ_0.

    Parameters
    ----------
    beta
        The weight of the past, in (0, 1).

    Examples
    --------
    >>> from nn_experiments import EMA
    >>> EMA(0.99).name
    'ema-0.99'
    >>> EMA(0.75).weight(5)  # of the newest iterate
    0.25
    """

    beta: float

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_probability("beta", self.beta)
        if float(f"{self.beta:g}") != self.beta:
            raise ValueError(f"beta may have six digits, since it is in the curve's name; got {self.beta!r}")

    @property
    def name(self) -> str:
        """The name of its curve."""
        return f"ema-{self.beta:g}"

    def weight(self, n: int) -> float:
        """Return 1 − beta."""
        return 1 - self.beta


@dataclass(frozen=True)
class Polyak:
    """The mean of iterates 1 … n (Polyak and Ruppert).

    References
    ----------
    Polyak, B. T., and Juditsky, A. B. (1992). Acceleration of stochastic approximation by averaging. SIAM Journal
    on Control and Optimization 30, 838-855.

    Examples
    --------
    >>> from nn_experiments import Polyak
    >>> Polyak().weight(4)
    0.25
    """

    @property
    def name(self) -> str:
        """The name of its curve."""
        return "polyak"

    def weight(self, n: int) -> float:
        """Return 1/n."""
        return 1 / n


@dataclass(frozen=True)
class SuffixMean:
    """The mean of iterates start + 1 … n; iterate n itself up to ``start``.

    Parameters
    ----------
    start
        The last iterate that is left out, at least 0.

    Examples
    --------
    >>> from nn_experiments import SuffixMean
    >>> [SuffixMean(2).weight(n) for n in (1, 2, 3, 4)]
    [1.0, 1.0, 1.0, 0.5]
    """

    start: int

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_integer("start", self.start)

    @property
    def name(self) -> str:
        """The name of its curve."""
        return f"suffix_mean-{self.start}"

    def weight(self, n: int) -> float:
        """Return 1/(n − start), or 1 up to the start."""
        return 1 / max(n - self.start, 1)


@dataclass(frozen=True)
class SWA:
    """Stochastic weight averaging: the mean of iterates start, start + every, … up to n; iterate n itself before.

    Batch-norm statistics belong to the weights that they were collected with. At every recorded iterate from ``start``
    on they are recomputed for the averaged weights, on the batches B_1 … B_refresh, as
    ``torch.optim.swa_utils.update_bn`` does. Before ``start`` they are those of the forward path. Each collection costs
    ``refresh`` forward passes.

    Parameters
    ----------
    start
        The first iterate that is averaged, at least 0.
    every
        The number of steps between averaged iterates, at least 1 (default: 1).
    refresh
        Number of batches that the statistics are collected on (default: 100). A model without batch norm needs none.

    References
    ----------
    Izmailov, P., Podoprikhin, D., Garipov, T., Vetrov, D., and Wilson, A. G. (2018). Averaging weights leads to
    wider optima and better generalization. Uncertainty in Artificial Intelligence.

    Examples
    --------
    >>> from nn_experiments import SWA
    >>> [SWA(2, every=2).weight(n) for n in (1, 2, 3, 4, 6)]
    [1.0, 1.0, 0.0, 0.5, 0.3333333333333333]
    >>> [SWA(2, every=2).refreshes(n) for n in (1, 2, 3)]
    [False, True, True]
    """

    start: int
    every: int = 1
    refresh: int = 100

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_integer("start", self.start)
        check_integer("every", self.every, 1)
        check_integer("refresh", self.refresh, 1)

    @property
    def name(self) -> str:
        """The name of its curve."""
        return f"swa-{self.start}-{self.every}-{self.refresh}"

    def weight(self, n: int) -> float:
        """Return 1/k at the k-th averaged iterate, 0 between averaged iterates, and 1 before the first one."""
        if n <= self.start:
            return 1.0
        count, between = divmod(n - self.start, self.every)
        return 0.0 if between else 1 / (count + 1)

    def refreshes(self, n: int) -> bool:
        """Return whether batch-norm statistics are recomputed for iterate n."""
        return n >= max(self.start, 1)
