"""What the law of backward increments may be read off forward runs of (row 77 of the audit of statements).

Let T_1, T_2, … be the maps. If reversing the first n of them does not change the joint law of all that are used, then

    (θ_n^B, θ_m^B)  =  (T_n … T_1 θ_0,  T_n … T_1 X)   in law,   X = T_{n+1} … T_m θ_0.

This holds for independent batches of one law at every n and m. It holds for shuffled data as long as no batch is used
twice, that is within one epoch. It fails beyond an epoch, in a cyclic order, and if a map depends on the index of its
batch in another way than through the batch itself, as with a learning rate that is a function of that index.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from contraction.maps.errors import TrainingInReverseError
from nn_experiments.training.batches import Batches, check_batch
from nn_experiments.training.optimizers import Schedule
from nn_experiments.training.sampling import Sampler
from nn_experiments.training.trees import bytes_of, leaves

__all__ = ["Law", "NotDiagnosable", "check_schedule", "digest", "law_of"]

#: Batches of an undeclared source that are compared with each other, and those of two replicates.
COMPARED = 64


class NotDiagnosable(TrainingInReverseError, ValueError):
    """Forward runs do not determine the law of backward iterates of this training; the message says why.

    Examples
    --------
    >>> import torch
    >>> import nn_experiments as nne
    >>> model, loss = torch.nn.Linear(1, 1), torch.nn.functional.mse_loss
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> batches = nne.ArrayBatches(torch.ones(20, 1), torch.ones(20, 1), batch_size=4, seed=0, sampling="reshuffle")
    >>> try:
    ...     nne.diagnose(model, loss, sgd, batches, steps=100, replicates=11, progress=False)
    ... except nne.NotDiagnosable as error:
    ...     print(str(error).partition(":")[0])
    the batches are reshuffled in every epoch, and 150 batches are needed where an epoch has 5
    """


@dataclass(frozen=True)
class Law:
    """The law of the maps, as far as the diagnosis needs it.

    Attributes
    ----------
    independent
        Whether the batches are independent draws of one law; otherwise they are shuffled, within one epoch.
    constant
        Whether a map does not depend on its position in the run by a schedule. Only then does what is measured up to
        N say anything about larger n.
    """

    independent: bool
    constant: bool

    @property
    def homogeneous(self) -> bool:
        """Whether the same law goes on beyond the steps that were measured."""
        return self.independent and self.constant

    def __str__(self) -> str:
        """Return the law in words."""
        batches = "independent batches" if self.independent else "shuffled batches within one epoch"
        return batches + ("" if self.constant else ", learning rate by position in the run")


def check_schedule(schedule: Schedule) -> bool:
    """Return whether the learning rate is constant.

    Raises
    ------
    NotDiagnosable
        If it is a function of the index of the batch.
    """
    if schedule.constant:
        return True
    if schedule.index == "batch":
        raise NotDiagnosable(
            f"the schedule {schedule.kind!r} gives each batch the learning rate of its index: T_1, T_2, … "
            "then have different laws, and forward runs do not determine the law of backward increments (row 77). Use "
            "index='position', or a constant learning rate"
        )
    return False


def law_of(batches: Batches, used: int, *, sampling: str | None, constant: bool) -> Law:
    """Return the law of the maps.

    Parameters
    ----------
    batches
        i -> B_i.
    used
        How many batches of one sequence are used.
    sampling
        ``"iid"`` if the user vouches that B_1, B_2, … are independent draws of one law, else None: a source with a
        `Sampler` says it itself.
    constant
        What `check_schedule` returns.

    Raises
    ------
    NotDiagnosable
        If the batches are reshuffled or repeated beyond an epoch, come in a cyclic order, are all the same, or if their
        law is not known.
    ValueError
        If ``sampling`` is another word, or contradicts the source.
    TypeError
        If the source returns no batches.
    """
    if sampling not in (None, "iid"):
        raise ValueError(f"sampling must be 'iid', which you then vouch for, or None; got {sampling!r}")
    sampler = getattr(batches, "sampler", None)
    if isinstance(sampler, Sampler):
        if sampling == "iid" and sampler.sampling != "iid":
            raise ValueError(f"sampling='iid' contradicts these batches, which are drawn by {sampler.sampling!r}")
        return Law(_independent(sampler, used), constant)
    if sampling is None:
        raise NotDiagnosable(
            f"whether the batches of a {type(batches).__name__} are drawn independently cannot be seen, and the law of "
            "backward increments follows from forward runs only if reversing them changes no law (row 77). Pass "
            "sampling='iid' if B_1, B_2, … are independent draws of one law, or use nn_experiments.ArrayBatches"
        )
    some = {i: batches(i) for i in range(1, min(COMPARED, used) + 1)}
    for i, batch in some.items():
        check_batch(i, batch)
    _check_distinct([digest(batch) for batch in some.values()])
    return Law(True, constant)


def _independent(sampler: Sampler, used: int) -> bool:
    """Return whether a sampler draws independently; refuse what goes beyond an epoch."""
    if sampler.sampling == "iid":
        if sampler.population == 1:
            raise NotDiagnosable("there is one example only, so every batch is the same: T_1 = T_2 = …, and no order")
        return True
    epoch = sampler.population // sampler.batch_size
    if used <= epoch:
        return False
    what, why = {
        "reshuffle": (
            "reshuffled in every epoch",
            "a batch that an epoch has used cannot come again in it, so reversing n batches changes their law unless n "
            "is a multiple of the epoch",
        ),
        "shuffle_once": (
            "one shuffle, repeated",
            "the order is cyclic: the batches that come next are those that have been, and an independent "
            "continuation, which row 77 needs, does not exist",
        ),
    }[sampler.sampling]
    raise NotDiagnosable(
        f"the batches are {what}, and {used} batches are needed where an epoch has {epoch}: {why} (row 77). Take fewer "
        f"steps (at most {(2 * epoch + 1) // 3}), or ArrayBatches(…, sampling='iid')"
    )


def digest(batch: object) -> str:
    """Return a hash of the tensors and arrays of a batch, and of its other values as `repr` shows them."""
    hashed = hashlib.sha256()
    for path, value in leaves(batch):
        if isinstance(value, torch.Tensor):
            hashed.update(repr((path, value.dtype, tuple(value.shape))).encode())
            hashed.update(bytes_of(value if value.layout is torch.strided else value.detach().to_dense()))
        elif isinstance(value, np.ndarray):
            hashed.update(repr((path, value.dtype, value.shape)).encode())
            hashed.update(repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes())
        else:
            hashed.update(repr((path, value)).encode())
    return hashed.hexdigest()


def _check_distinct(digests: list[str]) -> None:
    """Refuse batches that are all the same, or come again with a period."""
    if len(set(digests)) == 1 and len(digests) > 1:
        raise NotDiagnosable("every batch is the same: T_1 = T_2 = …, and the orders do not differ")
    for period in range(2, len(digests) // 2 + 1):
        if all(one == other for one, other in zip(digests, digests[period:], strict=False)):
            raise NotDiagnosable(
                f"the batches come in a cyclic order: B_1, B_2, … repeat after {period}, so that reversing them "
                "changes their law, and forward runs do not determine that of backward increments (row 77)"
            )
