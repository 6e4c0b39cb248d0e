"""What a user states by overriding a part of a class of this package, in contrast to what the package proves.

A proved constant holds for the maps of the class that states it. A subclass outside this package that overrides
``apply``, a draw, an answer, or a part such as a loss, a noise or a metric, changes the maps or the answers; what is
said about it is then declared, and searched for violations like every declaration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["overridden", "stated_about_maps", "stated_about_noise"]

PACKAGE = __name__.partition(".")[0]
#: names that change neither a map nor a constant
HARMLESS = frozenset({"name", "dim", "vectorized", "batched"})


def _ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == PACKAGE


def overridden(thing: object) -> tuple[str, ...]:
    """Names of the methods and attributes of this package's classes that a subclass, or the object itself, replaces.

    New names, the constructor and ``__repr__`` are not counted, because no constant depends on them.

    Examples
    --------
    >>> from contraction.families import QuadraticSGD
    >>> class Mine(QuadraticSGD):
    ...     def apply(self, theta, draw):
    ...         return 2 * theta
    >>> Mine.__module__ = "mine"
    >>> overridden(Mine(0.1)), overridden(QuadraticSGD(0.1))
    (('Mine.apply',), ())
    """
    order = type(thing).__mro__

    def counts(name: str, bases: Sequence[type]) -> bool:
        return not name.startswith(("__", "_abc_")) and name not in HARMLESS and any(hasattr(c, name) for c in bases)

    found: list[str] = []
    for i, cls in enumerate(order):
        if not _ours(cls):
            bases = [base for base in order[i + 1 :] if _ours(base)]
            found += [f"{cls.__name__}.{name}" for name in vars(cls) if counts(name, bases)]
    ours = [cls for cls in order if _ours(cls)]
    for name, value in getattr(thing, "__dict__", {}).items():  # such as family.apply = lambda theta, draw: …
        if callable(value) and any(callable(getattr(cls, name, None)) for cls in ours) and counts(name, ours):
            found.append(f"{type(thing).__name__}.{name}")
    return tuple(found)


def _parts(thing: object, depth: int = 2) -> Iterator[object]:
    """Yield the objects with a class of this package among its bases that are attributes of an object, and theirs."""
    for value in getattr(thing, "__dict__", {}).values():
        if not isinstance(value, type) and any(_ours(cls) for cls in type(value).__mro__):
            yield value
            if depth > 1:
                yield from _parts(value, depth - 1)


def stated_about_maps(family: object) -> tuple[str, ...]:
    """Names that a user's class overrides in a family or in its parts, apart from noise."""
    parts = (part for part in _parts(family) if not getattr(part, "is_added", False))
    return (*overridden(family), *(name for part in parts for name in overridden(part)))


def stated_about_noise(family: object) -> tuple[str, ...]:
    """Names of the noises of a family whose interval and moments a user states.

    They concern D, and k only in families that say so themselves, such as `contraction.families.PicardIteration`.
    """
    added = [part for part in _parts(family) if getattr(part, "is_added", False)]
    return tuple(type(part).__name__ for part in added if getattr(part, "origin", "proved") != "proved")
