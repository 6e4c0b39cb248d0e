"""The law of an order of indices: each law is recognised at the stated error rate, and others are told from it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch")

from torch.utils.data import (  # noqa: E402
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

import nn_experiments as nne  # noqa: E402
from contraction.families.index_laws import IID, Cyclic, Reshuffled, ShuffledOnce  # noqa: E402
from nn_experiments.cli import main  # noqa: E402
from nn_experiments.orders.laws import LAWS  # noqa: E402

M, EPOCHS, SEEDS, LEVEL = 60, 3, 400, 0.05


def shuffles(rng: np.random.Generator) -> np.ndarray:
    return np.stack([rng.permutation(M) for _ in range(EPOCHS)])


def jittered(rng: np.random.Generator) -> np.ndarray:
    """A curriculum: sorted by a difficulty that is seen with noise."""
    difficulty = rng.permutation(M)
    return np.stack([np.argsort(difficulty + rng.normal(0, 10, M)) for _ in range(EPOCHS)])


def growing(rng: np.random.Generator) -> np.ndarray:
    """A curriculum with replacement: the pool to draw from grows."""
    return rng.permutation(M)[rng.integers(np.linspace(2, M, M * EPOCHS).astype(int))].reshape(EPOCHS, M)


def growing_in_epochs(rng: np.random.Generator) -> np.ndarray:
    """The same, begun anew in every epoch."""
    names = rng.permutation(M)
    return np.stack([names[rng.integers(np.linspace(2, M, M).astype(int))] for _ in range(EPOCHS)])


def buffered(rng: np.random.Generator) -> np.ndarray:
    """A shuffle buffer of 8: indices leave a small buffer at random, so that they come nearly in order."""
    rows = []
    for _ in range(EPOCHS):
        buffer, row = list(range(8)), []
        for i in range(8, M + 8):
            row.append(buffer.pop(rng.integers(len(buffer))))
            buffer += [i] * (i < M)
        rows.append(row)
    return np.array(rows)


def unequal(rng: np.random.Generator) -> np.ndarray:
    """Draws without replacement with weights, as `WeightedRandomSampler(replacement=False)` makes them."""
    weights = np.exp(2 * rng.normal(size=M))
    return np.stack([np.argsort(rng.exponential(size=M) / weights) for _ in range(EPOCHS)])


def shifted(rng: np.random.Generator) -> np.ndarray:
    """Batches of four that stay together; the order of the batches is new in every epoch."""
    batches = rng.permutation(M).reshape(-1, 4)
    return np.stack([batches[rng.permutation(len(batches))].ravel() for _ in range(EPOCHS)])


#: Law -> an order of this law, made from a seed. Where `contraction` has the law, its letters are the indices.
TRUE: dict[str, Callable[[int], np.ndarray]] = {
    "iid": lambda seed: IID(M).letters(M * EPOCHS, seed).reshape(EPOCHS, M),
    "reshuffled": lambda seed: Reshuffled(M).letters(M * EPOCHS, seed).reshape(EPOCHS, M),
    "repeated": lambda seed: ShuffledOnce(M).letters(M * EPOCHS, seed).reshape(EPOCHS, M),
    "sequential": lambda seed: Cyclic(M).letters(M * EPOCHS, seed).reshape(EPOCHS, M),
}
WRONG: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "a curriculum with noise": jittered,
    "a growing pool": growing,
    "a pool that grows in every epoch": growing_in_epochs,
    "a shuffle buffer": buffered,
    "unequal weights without replacement": unequal,
    "batches that stay together": shifted,
    "two shuffles in turn": lambda rng: shuffles(rng)[[0, 1, 0]],
    "a shuffle and the same reversed": lambda rng: np.stack([(a := rng.permutation(M)), a[::-1], rng.permutation(M)]),
}


@pytest.mark.parametrize("law", TRUE)
def test_the_tests_of_a_law_share_its_level(law: str) -> None:
    """Equally, and whichever law is the true one: a law is refuted by mistake with at most the stated chance."""
    found = nne.audit_order(TRUE[law](0), level=0.01)
    of_law = {name: [test.level for test in found.tests if test.law == name] for name in TRUE}
    assert max(map(len, of_law.values())) > 1
    for levels in of_law.values():
        assert levels == pytest.approx([0.01 / len(levels)] * len(levels))


@pytest.mark.parametrize("law", TRUE)
def test_each_law_is_recognised_at_the_stated_rate(law: str) -> None:
    """Among SEEDS independent orders at most a binomial quantile is refuted: 1e-6 for all four tests together."""
    verdicts = [nne.audit_order(TRUE[law](seed), level=LEVEL).verdict for seed in range(SEEDS)]
    missed = sum(verdict != law for verdict in verdicts)
    most = 0 if law == "sequential" else stats.binom.isf(1e-6 / 4, SEEDS, LEVEL)
    assert missed <= most


@pytest.mark.control
@pytest.mark.parametrize("what", WRONG)
def test_other_orders_are_none_of_the_laws(what: str) -> None:
    """Each is refuted at level 0.05 in at least 4 of 5 seeds, where the true law would be in at most 1 of 20."""
    verdicts = [nne.audit_order(WRONG[what](np.random.default_rng(seed)), level=0.05).verdict for seed in range(50)]
    assert verdicts.count("other") >= 40, verdicts


def test_one_sequence_batches_and_epochs_are_the_same_recording() -> None:
    rows = TRUE["reshuffled"](1)
    for order in (
        rows,
        rows.ravel(),
        rows.reshape(EPOCHS, -1, 6),
        [row.tolist() for row in rows],
        rows.ravel().tolist(),
    ):
        found = nne.audit_order(order)
        assert (found.verdict, found.lengths) == ("reshuffled", (M,) * EPOCHS)
    ragged = [[row[:7].tolist(), row[7:].tolist()] for row in rows]
    assert nne.audit_order(ragged).tests == nne.audit_order(rows).tests
    batches = [batch for row in rows for batch in row.reshape(-1, 6).tolist()]
    assert nne.audit_order(batches, rows="batches").tests == nne.audit_order(rows).tests
    assert nne.audit_order(torch.from_numpy(rows)).tests == nne.audit_order(rows).tests
    assert nne.audit_order(TRUE["repeated"](1).ravel()[: 2 * M + 5]).verdict == "repeated"  # by its period
    part = np.stack([np.random.default_rng(e).permutation(200)[:M] for e in range(EPOCHS)])  # of a part of the data
    assert nne.audit_order(part.ravel(), epoch_length=M).verdict == "reshuffled"


DATA = TensorDataset(torch.zeros(200, 2))


def distributed(shuffle: bool = True) -> DistributedSampler:
    return DistributedSampler(DATA, num_replicas=3, rank=1, shuffle=shuffle)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


SAMPLERS: dict[str, tuple[Callable[[], object], str]] = {
    "shuffled loader": (lambda: DataLoader(DATA, batch_size=16, shuffle=True, generator=seeded()), "reshuffled"),
    "loader without the last batch": (
        lambda: DataLoader(DATA, batch_size=16, shuffle=True, drop_last=True, generator=seeded()),
        "reshuffled",
    ),
    "loader of single examples": (
        lambda: DataLoader(DATA, batch_size=None, shuffle=True, generator=seeded()),
        "reshuffled",
    ),
    "plain loader": (lambda: DataLoader(DATA, batch_size=16), "sequential"),
    "random sampler": (lambda: RandomSampler(DATA, generator=seeded()), "reshuffled"),
    "long random sampler": (lambda: RandomSampler(DATA, num_samples=500, generator=seeded()), "reshuffled"),
    "random sampler with replacement": (lambda: RandomSampler(DATA, replacement=True, generator=seeded()), "iid"),
    "batch sampler": (lambda: BatchSampler(RandomSampler(DATA, generator=seeded()), 7, True), "reshuffled"),
    "batches in sequence": (lambda: BatchSampler(SequentialSampler(DATA), 7, False), "sequential"),
    "subset": (lambda: SubsetRandomSampler(range(50, 150), generator=seeded()), "reshuffled"),
    "weighted": (lambda: WeightedRandomSampler([1.0, 3.0] * 100, 200, generator=seeded()), "iid"),
    "forgotten set_epoch": (distributed, "repeated"),
    "distributed loader": (lambda: DataLoader(DATA, batch_size=8, sampler=distributed()), "repeated"),
    "distributed, not shuffled": (lambda: distributed(False), "sequential"),
    "own, iid": (lambda: nne.ArrayBatches(torch.zeros(200, 2), torch.zeros(200), batch_size=8, seed=0), "iid"),
    "own, reshuffled": (
        lambda: (
            nne.ArrayBatches(torch.zeros(200, 2), torch.zeros(200), batch_size=8, seed=0, sampling="reshuffle").sampler
        ),
        "reshuffled",
    ),
    "own, shuffled once": (
        lambda: nne.ArrayBatches(torch.zeros(200, 2), torch.zeros(200), batch_size=8, seed=0, sampling="shuffle_once"),
        "repeated",
    ),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_and_loaders(name: str) -> None:
    """Level 1e-9: a right order is refuted in one of 10^9 seeds, and two epochs of 67 or more suffice."""
    make, verdict = SAMPLERS[name]
    found = nne.audit_order(make(), level=1e-9)
    assert found.verdict == verdict, str(found)
    assert found.possible == (verdict,)


def test_a_forgotten_set_epoch_is_found_in_two_epochs_and_a_called_one_is_not_reported() -> None:
    sampler = distributed()
    found = nne.audit_order(sampler)
    assert found.verdict == "repeated"
    assert "before_epoch=sampler.set_epoch" in found.reason
    assert "sampler.set_epoch(epoch) before every epoch" in found.advice
    assert nne.audit_order(sampler, before_epoch=sampler.set_epoch).verdict == "reshuffled"
    assert sampler.epoch == 0  # put back


def test_weights() -> None:
    assert nne.audit_order(SAMPLERS["weighted"][0](), epochs=5).even_weights is False
    assert nne.audit_order(TRUE["iid"](0)).even_weights is True
    assert nne.audit_order(TRUE["reshuffled"](0)).even_weights is None


class Counting:
    """A sampler of one's own, with generators and a counter in Python."""

    def __init__(self) -> None:
        self.rng, self.old, self.plain, self.epoch = (
            np.random.default_rng(0),
            np.random.RandomState(0),
            random.Random(0),
            0,
        )

    def __iter__(self):
        self.epoch += 1
        self.drawn = [random.random(), np.random.rand(), self.old.rand(), self.plain.random(), torch.rand(())]  # noqa: NPY002
        return iter(self.rng.permutation(200).tolist())


def test_what_is_audited_stays_as_it_was() -> None:
    sampler = Counting()
    loader = DataLoader(DATA, batch_size=16, shuffle=True, generator=seeded())
    expected = [list(Counting()), loader.generator.get_state(), torch.get_rng_state(), random.getstate()]
    np_state = np.random.get_state()[1].copy()  # noqa: NPY002
    torch.set_rng_state(expected[2])
    random.setstate(expected[3])
    assert nne.audit_order(sampler, population=200).verdict == "reshuffled"
    assert nne.audit_order(loader).verdict == "reshuffled"
    assert sampler.epoch == 0
    assert sampler.old.rand() == np.random.RandomState(0).rand()
    assert sampler.plain.random() == random.Random(0).random()
    assert torch.equal(loader.generator.get_state(), expected[1])
    assert torch.equal(torch.get_rng_state(), expected[2])
    assert random.getstate() == expected[3]
    assert np.array_equal(np.random.get_state()[1], np_state)  # noqa: NPY002
    assert list(sampler) == expected[0]


def test_too_few_indices_are_undecided() -> None:
    found = nne.audit_order(TRUE["reshuffled"](0)[:1])
    assert (found.verdict, found.possible) == ("undecided", ("reshuffled", "repeated"))
    assert "whether the next has the same order" in found.reason
    assert nne.audit_order([5, 2], population=1000).verdict == "undecided"
    assert nne.audit_order([[0]]).verdict == "undecided"


def test_same_law_is_what_enumeration_says() -> None:
    """Row 39: for up to three batches per epoch, against the probabilities of all words."""
    verdicts = {law: nne.audit_order(order(0)) for law, order in TRUE.items()}
    for verdict in verdicts.values():
        for size in (1, 2, 3):
            law = verdict.index_law(size)
            assert [verdict.same_law(n, size) for n in range(7)] == [law.is_reversible(n) for n in range(7)], law
    assert nne.audit_order(growing(np.random.default_rng(0))).same_law(1, 3) is None


def test_a_result_is_a_value_and_prints_its_evidence() -> None:
    found = nne.audit_order(TRUE["reshuffled"](0))
    assert found == nne.audit_order(TRUE["reshuffled"](0)) != nne.audit_order(TRUE["reshuffled"](1))
    text = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert text["verdict"] == "reshuffled"
    assert {test["law"] for test in text["tests"]} == {"iid", "reshuffled", "repeated", "sequential"}
    assert str(found).startswith("reshuffled: a new shuffle in every epoch\n")
    assert LAWS["reshuffled"].advice in " ".join(str(found).split())
    assert max(map(len, str(found).splitlines())) <= 120
    assert "refutes iid: repeats within an epoch, 0 among 180 draws" in str(found)


def test_the_command_reads_npy_csv_and_text(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = TRUE["repeated"](3)
    np.save(tmp_path / "rows.npy", rows)
    (tmp_path / "rows.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
    (tmp_path / "one.txt").write_text("# indices\n\n" + "\n".join(map(str, rows.ravel())) + "\n")
    (tmp_path / "batches.txt").write_text("\n".join(" ".join(map(str, row)) for row in rows.reshape(-1, 5)))
    for name, more in (("rows.npy", []), ("rows.csv", []), ("one.txt", []), ("batches.txt", ["--batches"])):
        assert main(["order-test", str(tmp_path / name), *more]) == 0
        assert capsys.readouterr().out.startswith(
            "repeated: one shuffle repeated in every epoch, or a forgotten set_epoch"
        )
    assert main(["order-test", str(tmp_path / "rows.npy"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lengths"] == [M] * EPOCHS
    (tmp_path / "bad.csv").write_text("index\n3\n")
    for name, says in (("bad.csv", "bad.csv, line 1: expected integers"), ("none.npy", "none.npy")):
        assert main(["order-test", str(tmp_path / name)]) == 2
        assert says in capsys.readouterr().err
    (tmp_path / "bad.npy").write_text("1")
    assert main(["order-test", str(tmp_path / "bad.npy")]) == 2
    assert "bad.npy" in capsys.readouterr().err


class Stream(IterableDataset):
    def __iter__(self):
        yield from range(5)


@pytest.mark.parametrize(
    ("order", "more", "error", "says"),
    [
        ([], {}, ValueError, "no indices"),
        ([[1, -2]], {}, ValueError, "at least 0, got -2"),
        ([0.5], {}, ValueError, "must be integers of at least 0, got 0.5"),
        ([3], {"population": 3}, ValueError, "indices end at 2, got 3"),
        ([3], {"level": 0}, ValueError, "level must be between 0 and 1"),
        ([3], {"rows": "columns"}, ValueError, "rows must be one of epochs, batches; got 'columns'"),
        ([3], {"epoch_length": 0}, ValueError, "epoch_length must be an integer of at least 1"),
        ([3], {"before_epoch": print}, ValueError, "not for recorded indices"),
        (iter([3]), {}, TypeError, "again and again"),
        (DataLoader(Stream()), {}, TypeError, "IterableDataset"),
        (5, {}, TypeError, "got int"),
    ],
)
def test_what_cannot_be_audited_is_refused(order: object, more: dict, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        nne.audit_order(order, **more)


def test_batches_as_rows_are_told_from_epochs() -> None:
    """Sixty batches of eight indices, one per line, look like epochs; longer rows, and rows='batches', have no hint."""
    batches = np.random.default_rng(0).integers(100, size=(60, 8))
    assert "if the rows are batches, pass rows='batches'" in nne.audit_order(batches).reason
    assert "rows='batches'" not in nne.audit_order(batches, rows="batches").reason
    epochs = np.array([np.random.default_rng(seed).permutation(100) for seed in range(4)])
    assert "rows='batches'" not in nne.audit_order(epochs).reason


@pytest.mark.parametrize(
    ("rows", "hint"),
    [
        ([[0, 1], [2, 3], [4]], "has at most 2 of the 5"),
        ([[0], [1], [2, 3]], "has at most 2 of the 4"),  # the longest row has just half of what occurs
        ([[0, 1, 2], [3], [4]], ""),  # the longest has more than half
        ([[0, 1], [2, 3, 4, 5]], ""),  # two rows may be two epochs
        ([[0, 1], [2, 3], [0, 2]], "has at most 2 of the 4"),
    ],
)
def test_the_longest_of_unlike_rows_tells_batches_from_epochs(rows: list[list[int]], hint: str) -> None:
    reason = nne.audit_order(rows).reason
    assert ("rows='batches'" in reason) == bool(hint)
    assert hint in reason


@pytest.mark.parametrize("law", ["iid", "reshuffled", "repeated", "sequential"])
@pytest.mark.parametrize("batches", [1, 2, 3])
def test_equal_laws_are_those_of_row_39(law: str, batches: int) -> None:
    """The two words of indices, forward and reversed, have one law or two: by their laws themselves, for n up to 7."""
    audit = replace(nne.audit_order([[0, 1]]), verdict=law)
    make = LAWS[law].make
    assert make is not None
    for n in range(8):
        words: dict[tuple[int, ...], object] = {}
        for word, mass in make(batches).words(n):
            words[tuple(word)] = words.get(tuple(word), 0) + mass
        reverse = {word[::-1]: mass for word, mass in words.items()}
        assert audit.same_law(n, batches) == (words == reverse), (n, words)
