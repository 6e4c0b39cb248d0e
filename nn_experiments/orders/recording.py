"""The indices that a sampler, a loader or a file gives, one array per epoch (torch is imported only for loaders)."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import itertools
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from contraction.arguments import check_choice, check_integer
from contraction.files import UNREADABLE, check_numpy_file

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

__all__ = ["Recording", "read_indices", "record"]

#: Where samplers keep what they draw from: the length of the first one that is there is the population.
SOURCES = ("data_source", "dataset", "weights")


@dataclass(frozen=True)
class Recording:
    """Recorded indices.

    Attributes
    ----------
    epochs
        Each (L,) int64, at least one index in all; pieces of one pass that is longer than the population count as
        epochs.
    population
        M: indices are 0, …, M − 1.
    source
        Where they are from, in words.
    set_epoch
        Whether the sampler has ``set_epoch`` and it was not called between the passes.
    """

    epochs: tuple[NDArray, ...]
    population: int
    source: str
    set_epoch: bool = False


def record(
    order: object,
    *,
    epochs: int,
    before_epoch: Callable[[int], object] | None,
    population: int | None,
    epoch_length: int | None,
    rows: str,
) -> Recording:
    """Return the indices of an order; see `nn_experiments.audit_order` for the arguments."""
    for name, value in (("epochs", epochs), ("population", population), ("epoch_length", epoch_length)):
        if value is not None:
            check_integer(name, value, 1)
    check_choice("rows", rows, ("epochs", "batches"))
    if before_epoch is not None and not callable(before_epoch):
        raise TypeError(f"before_epoch must be a function of the number of the epoch, got {before_epoch!r}")
    sampler, known = _sampler(order)
    if sampler is None:
        if before_epoch is not None:
            raise ValueError(
                "before_epoch is called between passes over a sampler or a loader, not for recorded indices"
            )
        parts, source = _rows(cast("Iterable[object]", order), rows), "recorded indices"
    else:
        known = population if population is not None else known
        parts = list(_passes(sampler, epochs, before_epoch, known))
        source = f"{len(parts)} passes over {type(order).__name__}"
    return _cut(parts, population if population is not None else known, epoch_length, source, before_epoch, sampler)


def _cut(
    parts: Sequence[NDArray],
    population: int | None,
    length: int | None,
    source: str,
    before_epoch: object,
    sampler: object,
) -> Recording:
    values = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    if not len(values):
        raise ValueError(f"{source}: there are no indices to audit")
    if values.min() < 0:
        raise ValueError(f"indices must be integers of at least 0, got {values.min()}")
    if population is not None and values.max() >= population:
        raise ValueError(f"the population is {population}, so indices end at {population - 1}, got {values.max()}")
    if length is not None:
        parts = [values]
    elif len(parts) == 1 and sampler is None:
        length = len(np.unique(values))  # the period of a sequence that repeats an epoch
    size = population or int(values.max()) + 1
    cut = [part[i : i + (length or size)] for part in parts for i in range(0, len(part), length or size)]
    forgotten = before_epoch is None and any(hasattr(one, "set_epoch") for one in _nested(sampler))
    return Recording(tuple(piece for piece in cut if len(piece)), size, source, forgotten)


@runtime_checkable
class BatchRule(Protocol):
    """What `nn_experiments.training.sampling.Sampler` has, told by its fields, so that torch is not imported."""

    sampling: str
    batch_size: int
    population: int

    def __call__(self, i: int, /) -> NDArray:
        """Return the indices of batch i."""
        ...


def _sampler(order: object) -> tuple[object, int | None]:
    """Return what yields indices or batches of them, and the population if it is known; None for recorded indices."""
    rule = getattr(order, "sampler", order)
    if isinstance(rule, BatchRule):
        return _EpochsOfRule(rule), rule.population
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(order, torch.utils.data.DataLoader):
        loader = cast("DataLoader[object]", order)
        if isinstance(loader.dataset, torch.utils.data.IterableDataset):
            raise TypeError(
                "the loader is one of an IterableDataset, which has no indices; record which examples come, number "
                "them and pass the numbers"
            )
        return loader.batch_sampler or loader.sampler, _length(loader.dataset)
    if isinstance(order, Sequence | np.ndarray) or (torch is not None and isinstance(order, torch.Tensor)):
        return None, None
    if not isinstance(order, Iterable) or isinstance(order, Iterator):
        raise TypeError(
            "the order must be a sampler or loader that can be iterated again and again, or recorded indices (an array "
            f"or a list), got {type(order).__name__}"
        )
    sizes = (_length(getattr(one, name, None)) for one in _nested(order) for name in SOURCES)
    return order, next((size for size in sizes if size is not None), None)


class _EpochsOfRule:
    """The batches of one epoch of a rule; the next pass has those of the next epoch."""

    def __init__(self, rule: BatchRule) -> None:
        self.rule, self.passes = rule, 0

    def __iter__(self) -> Iterator[NDArray]:
        count = max(self.rule.population // self.rule.batch_size, 1)
        first, self.passes = self.passes * count + 1, self.passes + 1
        return map(self.rule, range(first, first + count))


def _length(source: object) -> int | None:
    return len(source) if isinstance(source, Sized) else None


def _nested(sampler: object) -> Iterator[object]:
    """Yield a sampler and the samplers that it takes its indices from."""
    while sampler is not None:
        yield sampler
        sampler = getattr(sampler, "sampler", None)


def _passes(
    sampler: object, epochs: int, before_epoch: Callable[[int], object] | None, population: int | None
) -> Iterator[NDArray]:
    """Yield the indices of each pass; a pass that would be longer than all epochs of the population is cut there."""
    most = None if population is None else epochs * population
    with _unchanged(list(_nested(sampler))):
        for epoch in range(epochs):
            if before_epoch is not None:
                before_epoch(epoch)
            flat = itertools.chain.from_iterable(_indices(one) for one in sampler)  # pyright: ignore
            indices = np.fromiter(itertools.islice(flat, most), np.int64)
            yield indices
            if most is not None and len(indices) == most:
                return


def _indices(one: object) -> list[int]:
    """Return an index, or the indices of a batch, as a list."""
    return [int(i) for i in np.atleast_1d(_integers(one))]


def _integers(values: object) -> NDArray:
    indices = np.asarray(values)
    if indices.size == 0:
        return indices.astype(np.int64)
    if indices.dtype.kind not in "iu" or indices.max() >= 2**63:
        items = indices.ravel().tolist()
        large = [item for item in items if isinstance(item, int | float) and item >= 2**63]
        others = [item for item in items if not isinstance(item, int)]
        rule = "below 2^63" if large else "integers of at least 0"
        raise ValueError(f"indices must be {rule}, got {(large or others or items)[0]!r}")
    return indices.astype(np.int64)


@contextlib.contextmanager
def _unchanged(objects: list[object]) -> Iterator[None]:
    """Put samplers, their generators and the global generators back to where they were."""
    attributes = [dict(vars(one)) if hasattr(one, "__dict__") else {} for one in objects]
    held = itertools.chain.from_iterable(one.values() for one in attributes)
    restores = [restore for value in (random, np.random, sys.modules.get("torch"), *held) for restore in _kept(value)]
    try:
        yield
    finally:
        for one, before in zip(objects, attributes, strict=True):
            if before:
                vars(one).clear()
                vars(one).update(before)
        for restore in restores:
            restore()


#: Names of the methods that read and set the state of a random generator of Python, NumPy or torch.
GENERATORS = (("getstate", "setstate"), ("get_rng_state", "set_rng_state"), ("get_state", "set_state"))


def _kept(value: object) -> list[Callable[[], object]]:
    """Return the call that puts a generator back into its present state, or none for anything else."""
    if isinstance(value, np.random.Generator):
        bits, state = value.bit_generator, copy.deepcopy(value.bit_generator.state)
        return [lambda: setattr(bits, "state", state)]
    for read, write in GENERATORS:
        if hasattr(value, read) and hasattr(value, write):
            return [functools.partial(getattr(value, write), copy.deepcopy(getattr(value, read)()))]
    return []


def _rows(order: Iterable[object], rows: str) -> list[NDArray]:
    """Return recorded indices as one array per epoch, or as one array of all."""
    if isinstance(order, str | bytes):
        raise TypeError(f"recorded indices must be an array or a list of integers, got {order!r}")
    if hasattr(order, "ndim"):
        array = _integers(order)
        sequences = [array.ravel()] if array.ndim <= 1 else [row.ravel() for row in array]
    elif any(hasattr(one, "__len__") for one in order):
        sequences = [_flat(one) for one in order]
    else:
        sequences = [_flat(order)]
    if rows == "batches" or not sequences:
        return [np.concatenate(sequences)] if sequences else []
    return sequences


def _flat(part: object) -> NDArray:
    """Return an epoch: indices, or batches of them, which need not have one length."""
    if isinstance(part, str | bytes):  # whose parts are text again
        raise TypeError(f"indices must be integers, got {part!r}")
    if not hasattr(part, "ndim"):
        parts = list(cast("Iterable[object]", part))
        if any(hasattr(one, "__len__") for one in parts):
            return np.concatenate([_flat(one) for one in parts])
    return _integers(part).ravel()


def read_indices(path: str | Path) -> NDArray | list[list[int]] | list[int]:
    """Return recorded indices from a file.

    Parameters
    ----------
    path
        A .npy file with an integer array of one, two (one row per epoch) or three dimensions (epoch, batch, place);
        or a text file of integers with commas or blanks between them: one index per line, or one epoch per line.
        Empty lines and what follows a # are ignored.

    Returns
    -------
    numpy.ndarray or list
        What `nn_experiments.audit_order` takes.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds anything but integers, with the line.
    """
    path = Path(path)
    if path.suffix == ".npy":
        raw = io.BytesIO(path.read_bytes())
        try:
            check_numpy_file(raw, archive=False)
            return _integers(np.load(raw, allow_pickle=False))
        except UNREADABLE as error:
            raise ValueError(f"{path}: {error}") from error
    lines: list[list[int]] = []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is neither text in UTF-8 nor a file whose name ends in .npy: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].replace(",", " ").replace(";", " ").split()
        try:
            lines += [[int(word) for word in words]] if words else []
        except ValueError:
            raise ValueError(
                f"{path}, line {number}: expected integers with commas or blanks between them, got {line.strip()!r}"
            ) from None
    return [line[0] for line in lines] if all(len(line) == 1 for line in lines) else lines
