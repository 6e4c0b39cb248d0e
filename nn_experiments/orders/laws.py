"""The laws that an order of indices may have, and what follows from each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contraction.families.index_laws import IID, Cyclic, IndexLaw, Reshuffled, ShuffledOnce

__all__ = ["LAWS", "OrderLaw"]


@dataclass(frozen=True)
class OrderLaw:
    """A law of orders: its title, the law of the batches' numbers if they are N an epoch, and what follows from it."""

    title: str
    make: Callable[[int], IndexLaw] | None
    advice: str


#: Verdict -> what it says. The rows are those of docs/audit.md.
LAWS = {
    "iid": OrderLaw(
        "independent draws with replacement",
        IID,
        "Forward and backward iterate n have the same law at every n (Theorem 2.6), and the paper's setting holds as "
        "it stands: along one path the forward law converges and the backward iterates do (row 35), nne.limit applies, "
        "and pairs of forward runs give the law of every backward increment (row 77).",
    ),
    "reshuffled": OrderLaw(
        "a new shuffle in every epoch",
        Reshuffled,
        "With N batches per epoch, forward and backward iterate n have the same law for n <= N and at multiples of N, "
        "and nowhere else in general (row 39); the same n are those of row 77. Compare the two orders there. Whole "
        "epochs are independent maps of one law, so nne.limit may be asked about the iterates after whole epochs.",
    ),
    "repeated": OrderLaw(
        "one shuffle repeated in every epoch, or a forgotten set_epoch: the recorded indices are the same for both",
        ShuffledOnce,
        "If this is a DistributedSampler, call sampler.set_epoch(epoch) before every epoch. If it is meant, forward "
        "and backward iterate n have the same law at every n over the draw of the shuffle (row 39), but one run sees "
        "one map of a whole epoch again and again: forward iterates settle too, once per epoch, so that a comparison "
        "with backward says little, and row 77 holds within the first epoch only.",
    ),
    "sequential": OrderLaw(
        "a fixed order in ascending or descending steps",
        Cyclic,
        "The order is not random, so Theorem 2.6 does not apply: forward and backward iterates have different laws "
        "from n = 2 on (row 39; with two batches per epoch only at even n), and row 77 does not hold. Theorem 2.2 "
        "needs no law of the order, only its contraction factor and its bound. To compare the two orders, shuffle "
        "(torch: shuffle=True).",
    ),
    "other": OrderLaw(
        "none of these: a curriculum, a fixed order of some other kind, unequal draws without replacement, …",
        None,
        "Nothing is known about the law of the reversed order, so neither Theorem 2.6 nor row 77 may be used. Theorem "
        "2.2 needs no law of the order, only its contraction factor and its bound, and other orders converge under "
        "these as well (row 71). Going through the batches there and back makes the h² term of their effect "
        "independent of their order (row 81).",
    ),
    "undecided": OrderLaw(
        "the recorded indices are too few to tell",
        None,
        "Record more: two epochs at least, and more indices an epoch.",
    ),
}
