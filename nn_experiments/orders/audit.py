"""Which law the order of recorded indices has: exact tests, a verdict, and what follows from it."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contraction.arguments import check_integer, check_probability
from contraction.families.index_laws import Cyclic, IndexLaw, Reshuffled
from contraction.values import Value
from nn_experiments.orders.exact_tests import (
    SIGNS,
    arithmetic_chance,
    equal_places_chance,
    few_repeats_chance,
    matching_chance,
    sign_chance,
    uneven_chance,
)
from nn_experiments.orders.laws import LAWS
from nn_experiments.orders.recording import Recording, record

__all__ = ["OrderAudit", "OrderTest", "audit_order"]


@dataclass(frozen=True, eq=False)
class OrderTest(Value):
    """One exact test.

    Attributes
    ----------
    law
        The law that the test speaks of, a key of `LAWS`.
    name, measured
        What is tested, and what was found, in words.
    pvalue
        The probability of so extreme a finding under the law, or an upper bound; 0 where the law excludes the finding.
    level
        The law is refuted if the p-value is at most this.
    """

    law: str
    name: str
    measured: str
    pvalue: float
    level: float

    @property
    def refutes(self) -> bool:
        """Whether the law is refuted by this test."""
        return self.pvalue <= self.level


@dataclass(frozen=True, eq=False)
class OrderAudit(Value):
    """Which law an order has; made by `audit_order`.

    Attributes
    ----------
    verdict
        ``iid``, ``reshuffled``, ``repeated``, ``sequential``, ``other`` or ``undecided``.
    reason
        The finding that decided, as a sentence.
    advice
        Which theorems and comparisons of orders apply, in plain words.
    source, population
        Where the indices are from, and M: they are 0, …, M − 1.
    lengths
        Number of indices of each epoch.
    tests
        Every test that was made.
    level
        The law that the order has is refuted with at most this probability.
    even_weights
        For ``iid``: whether the test of equal weights passes at this level; None for other verdicts.

    Examples
    --------
    >>> from nn_experiments import audit_order
    >>> audit = audit_order([[3, 1, 0, 2, 4, 6, 5, 7, 9, 8], [8, 0, 6, 1, 9, 3, 7, 5, 2, 4]], level=0.01)
    >>> audit.verdict, audit.population, audit.lengths
    ('reshuffled', 10, (10, 10))
    >>> audit.index_law(5)  # the law of the numbers of 5 batches of 2 in every epoch
    Reshuffled(5)
    """

    verdict: str
    reason: str
    advice: str
    source: str
    population: int
    lengths: tuple[int, ...]
    tests: tuple[OrderTest, ...]
    level: float
    even_weights: bool | None = None

    @property
    def possible(self) -> tuple[str, ...]:
        """The laws that no test refutes."""
        refuted = {test.law for test in self.tests if test.refutes}
        return tuple(law for law in ("iid", "reshuffled", "repeated", "sequential") if law not in refuted)

    def index_law(self, batches: int) -> IndexLaw | None:
        """Return the law of the batches' numbers if there are so many batches per epoch, None where it is not known.

        Raises
        ------
        ValueError
            If ``batches`` is not an integer of at least 1.
        """
        make = LAWS[self.verdict].make
        check_integer("the number of batches per epoch", batches, 1)
        return None if make is None else make(batches)

    def same_law(self, n: int, batches: int) -> bool | None:
        """Return whether forward and backward iterate n have the same law (row 39 of docs/audit.md).

        Parameters
        ----------
        n
            Number of the iterate.
        batches
            N, the number of batches per epoch.

        Returns
        -------
        bool or None
            None where nothing is known, for the verdicts ``other`` and ``undecided``.

        Raises
        ------
        ValueError
            If an argument is not an integer, n of at least 0 and N of at least 1.

        Examples
        --------
        >>> from nn_experiments import audit_order
        >>> audit = audit_order([[3, 1, 0, 2, 4, 6, 5, 7, 9, 8], [8, 0, 6, 1, 9, 3, 7, 5, 2, 4]], level=0.01)
        >>> audit.verdict, [audit.same_law(n, 5) for n in (5, 6, 10)]
        ('reshuffled', [True, False, True])
        """
        check_integer("the number of an iterate n", n)
        law = self.index_law(batches)
        if law is None:
            return None
        if isinstance(law, Reshuffled):
            return n <= batches or n % batches == 0 or batches == 1
        return not isinstance(law, Cyclic) or n < 2 or batches == 1 or (batches == 2 and n % 2 == 1)

    def __str__(self) -> str:
        """Return the verdict, its reason, a line for each test, and the advice."""
        indices, epochs = sum(self.lengths), len(self.lengths)
        weights = {None: "", True: ", equal weights", False: ", unequal weights"}[self.even_weights]
        lines = [
            f"{self.verdict}: {LAWS[self.verdict].title}{weights}",
            f"  {self.reason}",
            f"  {indices:,} indices below {self.population:,} in {epochs} epoch{'s' * (epochs > 1)} ({self.source})",
            f"  a law that the order does have is refuted with probability at most {self.level:g}",
        ]
        lines += [
            f"  {'refutes' if test.refutes else 'agrees with'} {test.law}: {test.name}, {test.measured}, "
            f"p = {test.pvalue:.2g}"
            for test in self.tests
        ]
        return "\n".join([*lines, textwrap.fill(self.advice, 110, initial_indent="  ", subsequent_indent="  ")])


def audit_order(
    order: object,
    *,
    epochs: int = 2,
    before_epoch: Callable[[int], object] | None = None,
    population: int | None = None,
    epoch_length: int | None = None,
    rows: str = "epochs",
    level: float = 1e-3,
) -> OrderAudit:
    """Return which law an order of indices has, by exact tests, and which theorems apply to it.

    The theorems are Theorem 2.6, which needs words that have the law of their reversal (row 39), and its form for
    pairs of iterates (row 77).

    Parameters
    ----------
    order
        A sampler, a batch sampler or a ``DataLoader`` of torch, whose samplers are iterated without reading data and
        are put back as they were; `nn_experiments.ArrayBatches`; or recorded indices. These are one sequence (n,), or a
        row per epoch: an array (epochs, n) or (epochs, batches, batch size), or a list of lists of any lengths.
    epochs
        How many passes over a sampler are recorded (default: 2).
    before_epoch
        Called with 0, 1, … before each pass, as your training loop does: ``sampler.set_epoch``, say.
    population
        M, the number of examples (default: that of the sampler's data; the largest index + 1 for recorded indices).
    epoch_length
        Number of indices of an epoch, for one sequence that holds several epochs. By default the number of different
        indices in it, which is the period of an order that is repeated, and right wherever an epoch has all of them.
    rows
        ``"batches"`` if rows are batches and not epochs: they are joined to one sequence.
    level
        Bound on the probability that the law which the order does have is refuted.

    Returns
    -------
    OrderAudit
        The verdict, its reason, every test, and advice.

    Raises
    ------
    ValueError
        If there are no indices, or some are not integers in 0, …, M − 1.
    TypeError
        For an iterator, which can be gone through only once, and for an ``IterableDataset``, which has no indices.

    Notes
    -----
    A law is refuted if one of its k tests has a p-value of at most ``level`` / k (Bonferroni). The verdict is the one
    law that is left, ``other`` if none is, and ``undecided`` if several are. A fixed order that looks like a shuffle,
    such as one sorted by length, cannot be told from a shuffle that is repeated.

    Examples
    --------
    >>> import torch
    >>> from nn_experiments import audit_order
    >>> data = torch.utils.data.TensorDataset(torch.zeros(1000, 3))
    >>> sampler = torch.utils.data.DistributedSampler(data, num_replicas=2, rank=0)
    >>> audit_order(sampler).verdict
    'repeated'
    >>> audit_order(sampler, before_epoch=sampler.set_epoch).verdict
    'reshuffled'
    """
    check_probability("level", level)
    recording = record(
        order,
        epochs=epochs,
        before_epoch=before_epoch,
        population=population,
        epoch_length=epoch_length,
        rows=rows,
    )
    outcomes = [*_iid_tests(recording), *_shuffle_tests(recording), *_sequential_tests(recording)]
    number = {law: sum(one[0] == law for one in outcomes) for law in LAWS}
    tests = tuple(OrderTest(*one, level / number[one[0]]) for one in outcomes)
    left = [law for law in ("iid", "reshuffled", "repeated", "sequential") if not _refuted(law, tests)]
    verdict = left[0] if len(left) == 1 else "undecided" if left else "other"
    even = None
    if verdict == "iid":
        even = uneven_chance(np.concatenate(recording.epochs), recording.population)[2] > level
    lengths = tuple(map(len, recording.epochs))
    reason = _reason(verdict, left, recording, tests) + (_short_rows(recording) if rows == "epochs" else "")
    return OrderAudit(
        verdict, reason, LAWS[verdict].advice, recording.source, recording.population, lengths, tests, level, even
    )


def _short_rows(recording: Recording) -> str:
    """Return a hint where the rows of recorded indices are so short that they must be batches, or an empty text."""
    if recording.source != "recorded indices" or len(recording.epochs) < 3:
        return ""
    longest, seen = max(map(len, recording.epochs)), len(np.unique(np.concatenate(recording.epochs)))
    if 2 * longest > seen:
        return ""
    return (
        f" Each of the {len(recording.epochs)} rows counts as an epoch, but has at most {longest} of the {seen} "
        "indices that occur: if the rows are batches, pass rows='batches' (on the command line --batches)."
    )


def _refuted(law: str, tests: tuple[OrderTest, ...]) -> bool:
    return any(test.refutes for test in tests if test.law == law)


Outcome = tuple[str, str, str, float]


def _signs(law: str, what: str, sequences: Sequence[NDArray], kinds: Iterable[str] = SIGNS) -> list[Outcome]:
    outcomes = []
    for name in kinds:
        ascending, pairs, p = sign_chance(name, sequences)
        outcomes.append((law, f"{name} of {what}", f"{ascending} of {pairs} pairs ascend", p))
    return outcomes


def _iid_tests(recording: Recording) -> list[Outcome]:
    """Return tests that independent draws pass, whatever their weights."""
    values = np.concatenate(recording.epochs)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    outcomes = _signs("iid", "indices", [values])
    often = counts[place]
    outcomes += _signs("iid", "how often an index occurs", [often], ["drift"])
    if len(recording.epochs) > 1:
        ends = np.cumsum([len(epoch) for epoch in recording.epochs])[:-1]
        outcomes += _signs("iid", "indices within an epoch", list(recording.epochs), ["drift"])
        outcomes += _signs("iid", "how often an index occurs within an epoch", np.split(often, ends), ["drift"])
    repeats, drawn, p = few_repeats_chance(recording.epochs, recording.population)
    outcomes.append(("iid", "repeats within an epoch", f"{repeats} among {drawn} draws", p))
    if len(recording.epochs) > 1:
        both, pairs, p = matching_chance(*recording.epochs[:2])
        outcomes.append(("iid", "indices seen twice", f"{both} of {pairs} once in each of two epochs", p))
    return outcomes


def _shuffle_tests(recording: Recording) -> list[Outcome]:
    """Return tests that shuffled epochs pass: first those of every epoch, then those of a new shuffle in each."""
    epochs = list(recording.epochs)
    repeats = sum(len(epoch) - len(np.unique(epoch)) for epoch in epochs)
    outcomes: list[Outcome] = []
    for law in ("reshuffled", "repeated"):
        outcomes.append((law, "repeats within an epoch", str(repeats), float(repeats == 0)))
    if repeats:
        return outcomes
    step, p = arithmetic_chance(epochs[0], recording.population)
    steps = f"{step} throughout" if step else "not constant"
    outcomes += [(law, "steps of the first epoch", steps, p) for law in ("reshuffled", "repeated")]
    outcomes += _signs("reshuffled", "indices", epochs) + _signs("repeated", "indices of the first epoch", epochs[:1])
    if len(epochs) > 1:
        same = sum(_same(epochs[0], epoch) for epoch in epochs[1:])
        measured = f"{same} of {len(epochs) - 1} later epochs have the first one's order"
        outcomes.append(("repeated", "equal epochs", measured, float(same == len(epochs) - 1)))
        outcomes += _signs("reshuffled", "places in the epoch before", _places(epochs))
        places, p = equal_places_chance(epochs)
        outcomes.append(("reshuffled", "places in which two epochs agree", f"up to {places}", p))
    return outcomes


def _same(first: NDArray, later: NDArray) -> bool:
    n = min(len(first), len(later))
    return bool(np.array_equal(first[:n], later[:n]))


def _places(epochs: list[NDArray]) -> list[NDArray]:
    """Return, for each epoch but the first, where its indices stood in the epoch before (those that did)."""
    places = []
    for before, epoch in itertools.pairwise(epochs):
        place = np.full(max(before.max(), epoch.max()) + 1, -1)
        place[before] = np.arange(len(before))
        places.append(place[epoch][place[epoch] >= 0])
    return places


def _sequential_tests(recording: Recording) -> list[Outcome]:
    values, M = np.concatenate(recording.epochs), recording.population
    steps = [np.unique(np.diff(one) % M) for one in (values, *recording.epochs)]
    constant = len(steps[0]) == 1 or all(len(one) <= 1 for one in steps[1:])
    same = len(steps[0]) == 1 or all(_same(recording.epochs[0], epoch) for epoch in recording.epochs[1:])
    holds = constant and same and steps[0][:1].tolist() != [0]
    return [("sequential", "constant steps", "yes" if holds else "no", float(holds))]


def _reason(verdict: str, left: list[str], recording: Recording, tests: tuple[OrderTest, ...]) -> str:
    if verdict == "undecided":
        if len(recording.epochs) == 1 and set(left) == {"reshuffled", "repeated"}:
            return "One epoch was recorded: whether the next has the same order cannot be seen in it."
        return f"Several laws agree with the indices: {', '.join(left)}."
    if verdict == "other":
        ways = [min((t for t in tests if t.law == law), key=lambda t: t.pvalue) for law in ("iid", "reshuffled")]
        return "Every law is refuted: " + "; ".join(f"{t.law} by {t.name} ({t.measured})" for t in ways) + "."
    if verdict == "repeated" and recording.set_epoch:
        return (
            "Every epoch has the same order. The sampler has set_epoch, which was not called between the passes: if "
            "your loop calls it, audit with before_epoch=sampler.set_epoch."
        )
    return {
        "iid": "Indices repeat within an epoch as in independent draws, and no trend or dependence is seen.",
        "reshuffled": "No index repeats within an epoch, and every epoch has another order.",
        "repeated": "No index repeats within an epoch, and every epoch has the same order, which is not sorted.",
        "sequential": "Indices go up or down by one constant step, in the same way in every epoch.",
    }[verdict]
