"""Random Bellman operators of a finite Markov decision process: contractions in the sup norm."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.arguments import check_finite, check_flag
from contraction.families._checks import finite_array
from contraction.families.noise import Noise, at_exponent
from contraction.families.own_noise import as_noise
from contraction.maps.constants import Constant
from contraction.maps.operators import RandomOperator
from contraction.maps.rounding import EPS
from contraction.maps.spaces import SupNorm
from contraction.types import override

__all__ = ["BellmanOperators"]


class BellmanOperators(RandomOperator):
    """(TV)(s) = max_a [r(s, a) + epsilon(s, a) + gamma V(s'(s, a))], with sampled successors and noisy rewards.

    In the sup norm the Lipschitz constant of each map is exactly gamma: it is at most gamma because maxima and averages
    do not increase the sup norm, and at least gamma because the images of V and V + c are gamma c apart.

    Parameters
    ----------
    rewards
        r, shape (S, A).
    transitions
        Probabilities of the successor, shape (S, A, S), summing to one over the last axis.
    discount
        gamma in [0, 1). Any finite number >= 0 is accepted, so that counterexamples can be built.
    noise
        Law of epsilon(s, a), independent for all entries; None for no noise.
    sampled
        Whether the successor of every (s, a) is sampled; if false, the expectation over it is used.

    References
    ----------
    Puterman, M. L. (1994). Markov Decision Processes. Wiley, Chapter 6.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> rewards = np.array([[1.0, 0.0], [0.0, 2.0]])  # of 2 states and 2 actions
    >>> transitions = np.full((2, 2, 2), 0.5)  # state, action, next state
    >>> family = ct.families.BellmanOperators(rewards, transitions, discount=0.5)
    >>> family.contraction.value
    0.5
    """

    vectorized = True
    dim: int

    def __init__(
        self,
        rewards: ArrayLike,
        transitions: ArrayLike,
        discount: float = 0.9,
        noise: Noise | None = None,
        *,
        sampled: bool = True,
    ) -> None:
        self.rewards = finite_array("rewards", rewards, (None, None))
        S, A = self.rewards.shape
        self.transitions = finite_array("transitions", transitions, (S, A, S))
        if np.any(self.transitions < 0) or np.any(np.abs(self.transitions.sum(-1) - 1) > S * EPS * 4):
            raise ValueError("transitions must be >= 0 and sum to one over the successor (last axis)")
        self.discount = check_finite("the discount gamma", discount)
        if self.discount < 0:
            raise ValueError(f"the discount gamma must be >= 0, got {discount!r}")
        if noise is not None and noise.dim is not None:
            raise ValueError(f"reward noise must be a law on R, got a law with {noise.dim} coordinates")
        self.noise = None if noise is None else as_noise(noise)
        self.sampled, self.dim, self.actions = check_flag("sampled", sampled), S, A
        self.space, self.name = SupNorm(), "BellmanOperators"
        thresholds = np.cumsum(self.transitions, axis=-1)
        last = S - 1 - np.argmax(self.transitions[..., ::-1] > 0, axis=-1)
        thresholds[np.arange(S) >= last[..., None]] = np.inf  # impossible successors are never drawn
        self._thresholds = thresholds

    def __repr__(self) -> str:
        size = f"{self.dim} states, {self.actions} actions"
        return f"BellmanOperators({size}, discount={self.discount!r}, noise={self.noise!r})"

    def draw_block(self, rng: np.random.Generator, replicas: int | None) -> NDArray:
        """Rewards and successors as floats, shape (2, S, A) or (R, 2, S, A)."""
        lead = () if replicas is None else (replicas,)
        shape = (*lead, self.dim, self.actions)
        noise = np.zeros(shape) if self.noise is None else self.noise.sample(rng, shape)
        successors = np.zeros(shape)
        if self.sampled:
            u = rng.random(shape)
            successors = np.sum(u[..., None] >= self._thresholds[..., :-1], axis=-1).astype(float)
        return np.stack([self.rewards + noise, successors], axis=-3)

    @override
    def apply(self, theta: NDArray, draw: NDArray) -> NDArray:
        rewards, successors = draw[..., 0, :, :], draw[..., 1, :, :].astype(np.int64)
        if not self.sampled:
            ahead = np.einsum("sat,...t->...sa", self.transitions, theta)
        elif successors.ndim == 2:
            ahead = theta[..., successors]
        else:
            batch = np.broadcast_shapes(theta.shape[:-1], successors.shape[:-2])
            values = np.broadcast_to(theta, (*batch, self.dim))
            flat = np.broadcast_to(successors.reshape(*successors.shape[:-2], -1), (*batch, self.dim * self.actions))
            ahead = np.take_along_axis(values, flat, axis=-1).reshape(*batch, self.dim, self.actions)
        return np.max(rewards + self.discount * ahead, axis=-1)

    @override
    def lipschitz(self, draw: NDArray) -> NDArray:
        return np.full(draw.shape[:-3], self.discount)

    @property
    @override
    def contraction(self) -> Constant:
        return Constant(self.discount, "proved", "the discount gamma in the sup norm, an equality")

    @property
    @override
    def is_constant(self) -> bool:
        return self.discount == 0

    def displacement(self, theta0: NDArray) -> Constant:
        """Return the exact sup over the support of max_s |(TV)(s) - V(s)|.

        All rewards and successors vary independently.
        """
        low, high = (0.0, 0.0) if self.noise is None else self.noise.interval
        if math.isinf(low) or math.isinf(high):
            return Constant(math.inf, "proved", "the reward noise is unbounded")
        V = np.asarray(theta0, dtype=float).reshape(-1, self.dim)
        if self.sampled:
            possible = self.transitions > 0
            best = np.max(np.where(possible, V[:, None, None, :], -np.inf), axis=-1)
            worst = np.min(np.where(possible, V[:, None, None, :], np.inf), axis=-1)
        else:
            best = worst = np.einsum("sat,nt->nsa", self.transitions, V)
        above = np.max(self.rewards + high + self.discount * best, axis=-1) - V
        below = V - np.max(self.rewards + low + self.discount * worst, axis=-1)
        value = max(float(np.max(above)), float(np.max(below)))
        return Constant(
            value, "proved" if self.noise is None else self.noise.origin, "sup |TV - V| over rewards and successors"
        )

    def displacement_moment(self, theta0: NDArray, p: float) -> Constant:
        """Return an upper bound: the supremum without the noise, plus ‖max_(s, a) |epsilon|‖_p.

        The latter is at most (S A E |epsilon|^p)^(1/p).
        """
        if self.noise is None or math.isinf(p):
            return self.displacement(theta0)
        q = max(p, 1.0)
        quiet = BellmanOperators(self.rewards, self.transitions, self.discount, sampled=self.sampled)
        push = (self.dim * self.actions) ** (1 / q) * self.noise.absolute_norm(q)
        value = min(quiet.displacement(theta0).value + push, self.displacement(theta0).value)
        return Constant(
            value,
            self.noise.moment_origin(q),
            f"sup without noise + (S A E |eps|^p)^(1/p) {at_exponent(self.noise, q)}",
        )
