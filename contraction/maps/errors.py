"""The errors of both packages' base class, and those of this one: each says which rule was broken and what to do."""

from __future__ import annotations

__all__ = [
    "DeclarationRefuted",
    "MapRefused",
    "NotCertified",
    "NotDeterministic",
    "TrainingInReverseError",
    "changes_argument",
]


class TrainingInReverseError(Exception):
    """Base class of every error that `contraction` and `nn_experiments` define.

    Arguments without a meaning, such as a negative number of maps, raise Python's own ValueError or TypeError.
    """


class NotCertified(TrainingInReverseError, ValueError):
    """A hypothesis of the theorem fails, so no certificate exists.

    Read ``hypothesis`` for the name of the hypothesis that fails and ``alternatives`` for what to ask instead.

    Attributes
    ----------
    hypothesis : str
        The hypothesis that fails, in one line with its numbers.
    alternatives : tuple of str
        Calls or changes that give a bound of another kind; empty when none is known.
    tried : tuple of str
        What was tried before giving up (norms, bounds), in order.
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
        """Pickle the three parts, from which the message is made again."""
        return type(self), (self.hypothesis, self.alternatives, self.tried)


class NotDeterministic(TrainingInReverseError, ValueError):
    """A map, or a batch or a step of training, gave two values at one point.

    Backward iteration replays T_1 … T_n at every n, so it has no meaning for maps that change between calls. Draw the
    randomness in ``draw`` and use only that draw in ``apply``; make batch i and step i functions of i.
    """


class DeclarationRefuted(TrainingInReverseError, ValueError):
    """A declared constant is violated by a pair of points that was found; the message holds the pair.

    Declare a larger constant, or none: then a bound is an estimate and says so.
    """


class MapRefused(TrainingInReverseError, ValueError):
    """A map breaks a rule that every result rests on; the message has the rule, what was seen, and what to write.

    The rules of ``apply(theta, draw)``: points (..., d) with any leading batch axes go to points of the same shape,
    each by itself; the argument is left as it is; the result is an array of its own, of real numbers.
    """


def changes_argument(name: str) -> MapRefused:
    """Return the refusal of a map that writes into its argument, which is passed read-only."""
    return MapRefused(
        f"a map must leave its argument as it is: {name} writes into theta, which is read-only. Return a new array: "
        "theta - h * g in place of theta -= h * g, or start with theta = theta.copy()"
    )
