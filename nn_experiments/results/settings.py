"""Settings of experiments, as they are on disk, compared with others (no torch)."""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ["different_settings", "flat_settings"]


def flat_settings(experiment: Mapping[str, object]) -> dict[str, str]:
    """Return every setting's name, ``optimizer.schedule.kind`` for example, with its value as JSON text, without notes.

    Examples
    --------
    >>> flat_settings({"name": "a", "optimizer": {"rate": 0.5}, "notes": {"source": "a book"}})
    {'name': '"a"', 'optimizer.rate': '0.5'}
    """
    return _flat(experiment, "")


def _flat(experiment: Mapping[str, object], inside: str) -> dict[str, str]:
    found = {}
    for name, value in experiment.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{inside}{name}.") if name != "notes" else {}
        else:
            found[inside + name] = json.dumps(value)
    return found


def different_settings(there: Mapping[str, object], here: Mapping[str, object]) -> list[str]:
    """Return the settings that have other values in two experiments, in words; notes do not count.

    A setting that only one of both names, because another version of this package wrote it, is not compared.

    Examples
    --------
    >>> different_settings({"steps": 5, "rate": 1, "old": 2}, {"steps": 6, "rate": 1, "new": 3})
    ['steps is 5 there and 6 here']
    """
    held = flat_settings(there)
    return [
        f"{name} is {held[name]} there and {value} here"
        for name, value in flat_settings(here).items()
        if name in held and held[name] != value
    ]
