"""The base class of all errors of both packages, and this package's errors; messages state the rule and the remedy."""

from __future__ import annotations

__all__ = [
    "DeclarationRefuted",
    "MapRefused",
    "NotCertified",
    "NotDeterministic",
    "TrainingInReverseError",
    "argument_changed",
]


class TrainingInReverseError(Exception):
    """Base class of every error that `contraction` and `nn_experiments` define.

    Invalid arguments, such as a negative number of maps, raise Python's built-in ValueError or TypeError.

    Examples
    --------
    >>> import contraction as ct
    >>> mine = ct.RandomOperator(lambda rng: rng.normal(), lambda x, u: 2 * x + u)
    >>> try:
    ...     ct.certify(mine, [0.0])
    ... except ct.TrainingInReverseError as error:
    ...     print(type(error).__name__)
    NotCertified
    """


class NotCertified(TrainingInReverseError, ValueError):
    """A hypothesis of the theorem fails, so no certificate exists.

    Read ``hypothesis`` for the hypothesis that fails and ``alternatives`` for calls that may succeed instead.

    Attributes
    ----------
    hypothesis : str
        The hypothesis that fails, in one line with its numbers.
    alternatives : tuple of str
        Calls or changes that give a bound of another kind; empty when none is known.
    tried : tuple of str
        What was tried before giving up (norms, bounds), in order.

    Examples
    --------
    >>> import contraction as ct
    >>> try:
    ...     ct.certify(ct.families.QuadraticSGD(h=2.5), [0.0])
    ... except ct.NotCertified as error:
    ...     print(error.hypothesis.split(':')[0])
    k ≥ 1
    """

    def __init__(self, hypothesis: str, alternatives: tuple[str, ...] = (), tried: tuple[str, ...] = ()):
        self.hypothesis, self.alternatives, self.tried = hypothesis, tuple(alternatives), tuple(tried)
        text = f"not certified: {hypothesis}"
        if self.tried:
            text += "; tried: " + ", ".join(self.tried)
        if self.alternatives:
            text += "; alternatives: " + ", or ".join(self.alternatives)
        super().__init__(text)

    def __reduce__(self) -> tuple[type[NotCertified], tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Pickle the three parts, from which the message is rebuilt."""
        return type(self), (self.hypothesis, self.alternatives, self.tried)


class NotDeterministic(TrainingInReverseError, ValueError):
    """A map, or a batch or a step of training, gave two values at one point.

    Backward iteration replays T_1 … T_n at every n, so it is undefined for maps that change between calls. Draw all
    randomness in ``draw`` and use only that draw in ``apply``; make batch i and step i functions of i.

    Examples
    --------
    >>> import contraction as ct
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> noisy = ct.RandomOperator(lambda rng: None, lambda x, u: 0.5 * x + rng.normal())  # draws in apply
    >>> try:
    ...     ct.backward_iterates(noisy.sample(3), [0.0])
    ... except ct.NotDeterministic as error:
    ...     print(str(error).partition(" (")[0])
    T_1 gave two values at one point
    """


class DeclarationRefuted(TrainingInReverseError, ValueError):
    """The search for violations has found a pair of points that violates a declared constant; the message shows it.

    Declare a larger constant, or none; bounds are then estimates and are labelled as such.

    Examples
    --------
    >>> import contraction as ct
    >>> wrong = ct.RandomOperator(lambda rng: rng.normal(), lambda x, u: 0.9 * x + u, contraction=0.5)
    >>> try:
    ...     ct.certify(wrong, [0.0])
    ... except ct.DeclarationRefuted as error:
    ...     print(str(error).partition(" is violated")[0])
    the declared contraction factor (contraction=) = 0.5
    """


class MapRefused(TrainingInReverseError, ValueError):
    """A map breaks a rule on which every result relies; the message states the rule, the observation and the remedy.

    The rules of ``apply(theta, draw)``: it maps points (..., d) with any leading batch axes to points of the same
    shape, each independently of the others; it leaves its argument unchanged; it returns a new array of real numbers.

    Examples
    --------
    >>> import contraction as ct
    >>> inplace = ct.RandomOperator(lambda rng: rng.normal(), lambda x, u: x.__imul__(0.5))
    >>> try:
    ...     ct.backward_iterates(inplace.sample(3), [1.0])
    ... except ct.MapRefused:
    ...     print("refused")
    refused
    """


def argument_changed(name: str) -> str:
    """Return the message about a map that writes into its argument, which is passed read-only."""
    return (
        f"a map must leave its argument unchanged: {name} writes into theta, which is read-only. Return a new array: "
        "theta - h * g in place of theta -= h * g, or start with theta = theta.copy()"
    )
