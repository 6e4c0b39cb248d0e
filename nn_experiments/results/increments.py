"""Increments of backward iterates, in law, at the cost of forward runs.

Let the maps be drawn independently of each other and of θ_0. Reading a draw in the other order changes no law, so

    (θ_n^B, θ_m^B)  =  (T_n … T_1 θ_0,  T_n … T_1 X)   in law,   X = T_{n+1} … T_m θ_0,

where X is θ_0 after m − n steps of an independent run. So the distance of backward iterates n and m has the law of the
distance of two *forward* runs under the same maps T_1 … T_n, one from θ_0 and one that is m − n steps ahead. Two such
runs give it for all n at once, with 2N maps instead of N²/2. This is the law for each single n, not the law of the
whole path. (A corollary of Theorem 2.6; row 77 of the audit of statements.)

So the question whether backward iterates settle becomes the question whether forward runs on the same batches meet.
`nn_experiments.runs.increments.measure_increments` trains several starts for each of several draws at once; its
results are stored in `Increments` (NumPy, no torch).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from contraction.files import write_atomically
from contraction.maps.errors import TrainingInReverseError
from contraction.values import Value
from nn_experiments.results.archives import read_archive
from nn_experiments.results.settings import different_settings

__all__ = [
    "INDEPENDENT",
    "NUDGE",
    "Increments",
    "check_keeps",
    "check_same_settings",
    "joined",
    "load_increments",
    "ratios",
    "summary",
    "tag_of",
]

#: The nudged start is this far from θ_0, in units of ‖θ_0‖.
NUDGE = 1e-3
#: Name of the run from θ_0 under other maps.
INDEPENDENT = "independent"


@dataclass(frozen=True, eq=False)
class Increments(Value):
    """Distances of forward runs under the same maps from the run that starts at θ_0.

    Attributes
    ----------
    draws
        Seeds: each is one draw of maps and of θ_0.
    at
        Steps n.
    starts
        Names of the runs, the last axis of the arrays: ``θ0``; ``1 ahead``, ``10 ahead``, … (k steps of an independent
        run from θ_0: its distance from ``θ0`` is in law that of backward iterates n and n + k); ``other start`` (an
        independent θ_0'); ``nudged`` (θ_0 moved by `NUDGE`); all these under the same maps; and ``independent``, the
        run from θ_0 under other maps, whose distance is that of two independent runs.
    parameter, function
        (draw, n, start): Euclidean distance from the run ``θ0`` in the parameters, and root mean square over the
        ``images`` test images of the distance of the outputs (logits).
    norm
        (draw, n, start): Euclidean norm of the parameters.
    loss, accuracy
        (draw, n, start): on those test images; accuracy is NaN for regression.
    metadata
        What was run: experiment, precision, images, device, versions.
    """

    draws: np.ndarray
    at: np.ndarray
    starts: tuple[str, ...]
    parameter: np.ndarray
    function: np.ndarray
    norm: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray
    metadata: Mapping[str, object]

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return str(cast(Mapping[str, object], self.metadata["experiment"])["name"])

    @property
    def model(self) -> str:
        """Name of the network, which need not be the one that the experiment has in the catalogue."""
        return str(cast(Mapping[str, object], self.metadata["experiment"])["model"])

    def save(self, path: Path) -> None:
        """Write everything into a ``.npz``, atomically (see `load_increments`)."""
        arrays = {key: getattr(self, key) for key in _ARRAYS}
        text = json.dumps({"starts": self.starts, "about": dict(self.metadata)}, ensure_ascii=False)
        write_atomically(path, lambda temporary: np.savez_compressed(temporary, about=np.array(text), **arrays))


class UnreadableIncrements(TrainingInReverseError, ValueError):
    """A file does not hold increments, or is truncated or altered."""


_ARRAYS = ("draws", "at", "parameter", "function", "norm", "loss", "accuracy")


def load_increments(path: Path) -> Increments:
    """Read what `Increments.save` wrote.

    Raises
    ------
    UnreadableIncrements
        If the file is something else: a ValueError.
    """
    if path.is_dir():
        raise UnreadableIncrements(f"{path} is a folder: give a file of increments, such as increments-EXPERIMENT.npz")
    with read_archive(path, lambda error: UnreadableIncrements(f"{path} does not hold increments ({error})")) as file:
        text = json.loads(str(file["about"]))
        found = Increments(starts=tuple(text["starts"]), metadata=text["about"], **{key: file[key] for key in _ARRAYS})
        _check_whole(found)
        return found


def _check_whole(found: Increments) -> None:
    """Raise an error if something is missing that every measurement has, or an array has another shape than it must."""
    _ = found.experiment, found.model
    if INDEPENDENT not in found.starts or not any(name.endswith(" ahead") for name in found.starts):
        raise ValueError(f"the starts are {', '.join(found.starts)}")
    shape = len(found.draws), len(found.at), len(found.starts)
    if 0 in shape or any(getattr(found, key).shape != shape for key in _ARRAYS[2:]):
        raise ValueError(f"an array has another shape than its draws, steps and starts, {shape}, or there are none")


def check_same_settings(path: Path, experiment: Mapping[str, object]) -> None:
    """Refuse a file that holds increments of other settings, before they are replaced.

    Parameters
    ----------
    path : Path
        Where increments are to be written. It need not exist.
    experiment : mapping
        Their experiment's settings, as `Experiment.to_json` gives them.

    Raises
    ------
    ValueError
        If the file is there and a setting, other than a note, has another value in it. A setting that only one of both
        names, because another version of this package wrote the file, is not compared.
    """
    if not path.exists():
        return
    held = cast(Mapping[str, object], load_increments(path).metadata["experiment"])
    if differing := different_settings(held, experiment):
        raise ValueError(
            f"{path} holds increments of other settings: {'; '.join(differing)}. "
            "Give another folder with --out or a name of these settings with --tag"
        )


def check_keeps(path: Path, draws: Sequence[int], at: Sequence[int], starts: Sequence[str]) -> None:
    """Check that writing increments to a file loses no draw, step or start that was measured.

    Parameters
    ----------
    path : Path
        Where increments are to be written. It need not exist.
    draws, at, starts : sequence
        What they will have, as in `Increments`.

    Raises
    ------
    ValueError
        If the file has draws, steps or starts besides these.
    """
    if not path.exists():
        return
    held = load_increments(path)
    kinds = (("draws", held.draws.tolist(), draws), ("steps", held.at.tolist(), at), ("starts", held.starts, starts))
    gone = {name: [one for one in there if one not in here] for name, there, here in kinds}
    texts = [f"{len(lost)} {name} ({_first_and_last(lost)})" for name, lost in gone.items() if lost]
    if texts:
        raise ValueError(
            f"{path} would lose what was measured: {', '.join(texts)}. Nothing was written: ask for these too, give "
            "another folder with --out or a name with --tag, or delete the file"
        )


def _first_and_last(items: Sequence[object]) -> str:
    return f"{items[0]}" if len(items) == 1 else f"{items[0]} to {items[-1]}"


def joined(parts: Sequence[Increments]) -> Increments:
    """Return the increments of all draws of several measurements of the same settings.

    Parameters
    ----------
    parts : sequence of Increments
        At least one. Their draws differ.

    Returns
    -------
    Increments
        With the metadata of the first, but for the numbers of chains and seconds, which are added up, and for the
        revisions, each of which is named.

    Raises
    ------
    ValueError
        If there are none; if experiment, data, iterates, starts or images differ, or a draw occurs twice.
    """
    if not parts:
        raise ValueError("there must be increments to join, got none")
    first = parts[0]
    draws = np.concatenate([one.draws for one in parts])
    if len(set(draws.tolist())) < len(draws):
        raise ValueError(f"a draw can be joined once, got the draws {draws.tolist()}")
    for one in parts[1:]:
        differing = [
            name for name in ("experiment", "fingerprint", "images") if one.metadata[name] != first.metadata[name]
        ]
        differing += ["iterates"] * (one.at.tolist() != first.at.tolist()) + ["starts"] * (one.starts != first.starts)
        if differing:
            raise ValueError(f"draws of different settings cannot be joined; these differ: {', '.join(differing)}")
    arrays = {
        key: np.concatenate([getattr(one, key) for one in parts]) for key in _ARRAYS if key not in ("draws", "at")
    }
    added = {key: sum(cast(float, one.metadata[key]) for one in parts) for key in ("chains", "seconds")}
    revisions = ", ".join(dict.fromkeys(str(one.metadata["revision"]) for one in parts))
    metadata = {**first.metadata, **added, "revision": revisions}
    return Increments(draws, first.at, first.starts, **arrays, metadata=metadata)


def ratios(increments: Increments, space: str, start: str) -> np.ndarray:
    """Return (draw, n > 0): distances of a run from that of θ_0, over the distances of two independent runs."""
    values = getattr(increments, space)[:, increments.at > 0]
    return values[..., increments.starts.index(start)] / values[..., increments.starts.index(INDEPENDENT)]


def tag_of(path: Path) -> str | None:
    """Return TAG of ``increments-EXPERIMENT--TAG.npz``, and None for a file without a tag."""
    _, dashes, tag = path.stem.partition("--")
    return tag if dashes else None


def summary(increments: Increments, tag: str | None = None) -> list[str]:
    """Return one line per space: the ratio for backward iterates n and n + k, for the last n and the smallest k.

    A line begins with the names of the experiment and of the model, and with the tag of the file if it has one.
    """
    about = f"{increments.experiment}, {increments.model}" + ("" if tag is None else f", tag {tag}")
    ahead = min((name for name in increments.starts if name.endswith(" ahead")), key=lambda name: int(name.split()[0]))
    n, k = int(increments.at[-1]), int(ahead.split()[0])
    lines = []
    for space, name in (("parameter", "parameters"), ("function", "outputs")):
        last = ratios(increments, space, ahead)[:, -1]
        lines.append(
            f"{about}, {name}: backward iterates {n} and {n + k} are "
            f"{np.median(last):.3g} of two independent runs' distance apart "
            f"({last.min():.3g} to {last.max():.3g} over {len(last)} draws)"
        )
    return lines
