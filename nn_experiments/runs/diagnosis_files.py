"""The files that ``diagnose`` writes, and a check before those of another diagnosis are replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any  # Any: what a JSON file holds

from contraction.files import check_writable_folder, write_text
from nn_experiments.diagnosis.diagnosis import Diagnosis
from nn_experiments.paper.experiment import Experiment
from nn_experiments.results.records import record_path
from nn_experiments.results.settings import different_settings

__all__ = ["check_replaceable", "diagnosis_path", "write_diagnosis"]


def diagnosis_path(name: str, folder: Path, tag: str | None = None) -> Path:
    """Return the file of a diagnosis' numbers, ``diagnosis-NAME.json``, or ``diagnosis-NAME--TAG.json``.

    Raises
    ------
    ValueError
        If the tag has other characters than letters, digits, dots, underscores and single dashes.
    """
    return record_path(f"diagnosis-{name}", folder, tag).with_suffix(".json")


def check_replaceable(
    path: Path, experiment: Experiment, *, seed: int, device: str, steps: int, replicates: int | None
) -> None:
    """Check that a diagnosis may be written to a file: what the file has must be a part of it.

    Replicate r is drawn with the seed ``seed`` + r, so a diagnosis with more replicates of as many steps has those of
    the file. One with another number of steps measures at other n and at another lag, so it has none of them.

    Parameters
    ----------
    path
        The file of the numbers. It need not exist.
    experiment, seed, device, steps
        What is diagnosed, and where.
    replicates
        The number of replicates; None if a budget decides it, which is refused for a file that exists.

    Raises
    ------
    ValueError
        If the file has another experiment, seed, device or number of steps, or more replicates, or names no settings;
        if it exists and the number of replicates is not known.
    """
    if not path.exists():
        return
    remedy = "Nothing was written: give another folder with --out or a name with --tag, or delete the file"
    here = {"seed": seed, "device": _kind(device), "steps": steps}
    try:
        held: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        there = {"experiment": held["experiment"], "seed": held["settings"]["seed"]}
        there |= {"device": _kind(held["settings"]["device"]), "steps": held["measured"]["steps"]}
        count = len(held["measured"]["parameter"])
        differing = different_settings(there, {"experiment": experiment.to_json()} | here)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} does not say of which settings it is ({why}). {remedy}") from error
    if differing:
        names = "; ".join(text.removeprefix("experiment.") for text in differing)
        raise ValueError(f"{path} holds a diagnosis of other settings: {names}. {remedy}")
    if replicates is None:
        raise ValueError(
            f"{path} holds {count} replicates, and a budget may end with fewer: give --replicates R with R at least "
            f"{count}, whose first {count} are those of the file. {remedy}"
        )
    if replicates < count:
        raise ValueError(f"{path} holds more: {count} replicates in place of {replicates}. {remedy}")


def _kind(device: str) -> str:
    """Return the kind of a device, ``cpu`` or ``cuda``."""
    return device.partition(":")[0]


def write_diagnosis(
    diagnosis: Diagnosis, folder: Path, experiment: Experiment, *, seed: int, tag: str | None = None
) -> list[Path]:
    """Write the report, the numbers and the picture of a diagnosis into a folder; return their paths.

    Parameters
    ----------
    diagnosis
        The diagnosis.
    folder
        Is created if needed.
    experiment, seed
        What was diagnosed; they are written with the numbers.
    tag
        A name of other settings than the catalogue's.

    Raises
    ------
    ValueError
        If that would lose measurements that are in the file (`check_replaceable`).
    """
    folder = check_writable_folder(folder)
    path = diagnosis_path(diagnosis.name, folder, tag)
    measured = diagnosis.measured
    device = str(diagnosis.settings["device"])
    check_replaceable(path, experiment, seed=seed, device=device, steps=measured.steps, replicates=measured.replicates)
    about = diagnosis.to_dict() | {"experiment": experiment.to_json()}
    numbers = json.dumps(about, indent=1, allow_nan=False, ensure_ascii=False)
    write_text(path, numbers + "\n")  # first, since it says what the others are of
    text = write_text(path.with_suffix(".txt"), diagnosis.report() + "\n")
    return [text, path, diagnosis.plot(path.with_suffix(".png"))]
