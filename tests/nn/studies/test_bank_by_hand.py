"""The bank of networks, and what studies do with it: starts, noise, steps, orders and exchanged batches by hand."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.studies import conjectures, coupled, influence  # noqa: E402
from nn_experiments.studies.bank import Bank, Chains, join  # noqa: E402
from nn_experiments.studies.certified import certificate  # noqa: E402
from nn_experiments.studies.setting import METHODS, Setting  # noqa: E402
from nn_experiments.training.rng import generator  # noqa: E402

LINEAR = Setting(name="linear", data="least-squares-6x3", loss="mse", learning_rate=0.1, batch_size=2)
DIGITS = Setting(name="digits", data="digits", hidden=(3,), learning_rate=0.05, batch_size=4)
#: Sums of a few products of numbers below 10 in another order.
close = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-13)


def of(method: str, base: Setting = LINEAR, **changes: Any) -> Setting:
    momentum = {"momentum": 0.5} if method == "momentum" else {}
    return dataclasses.replace(base, method=method, **(momentum | changes))


def walk(bank: Bank, word: list[int], *, stream: str = "batch", chains: Chains | None = None) -> Chains:
    """Return one chain a replicate after the maps of a word, innermost first."""
    chains = bank.start() if chains is None else chains
    for i in word:
        bank.step(chains, bank.batch(i, stream))
    return chains


# --- states and maps -------------------------------------------------------------------------------------------------


def test_a_start_at_zero_and_an_independent_one() -> None:
    bank = Bank(dataclasses.replace(LINEAR, initialisation="zero"), (4, 7))
    first, second, third = bank.start(), bank.start("second start"), bank.start("third")
    assert first.theta.shape == second.theta.shape == (2, 1, 4)
    assert not first.theta.any()
    for purpose, found in (("second start", second), ("third", third)):
        for r, seed in enumerate((4, 7)):
            assert found.theta[r, 0].tolist() == generator(seed, purpose).standard_normal(4).tolist()


@pytest.mark.parametrize("method", METHODS)
def test_each_method_has_its_own_memory(method: str) -> None:
    """Momentum has a velocity, Adam and AdamW two moments; no step has been taken."""
    bank = Bank(of(method), (0, 1, 2))
    chains = bank.at(torch.ones(3, 2, 4, dtype=torch.float64))
    assert len(chains.slots) == {"sgd": 0, "sign": 0, "momentum": 1, "adam": 2, "adamw": 2}[method]
    assert all(slot.shape == (3, 2, 4) and not slot.any() for slot in chains.slots)
    assert chains.t.tolist() == [0, 0]
    theta = torch.ones(3, 2, 4, dtype=torch.float64)
    bank.step(bank.at(theta), bank.batch(1))
    assert (theta == 1).all()  # a copy was moved


def test_a_batch_is_of_the_rows_of_its_own_seed_and_stream() -> None:
    bank = Bank(dataclasses.replace(LINEAR, batch_size=3), (0, 5))
    x, y = bank.batch(4, "ahead")
    assert (x.shape, y.shape) == ((2, 1, 3, 3), (2, 1, 3, 1))
    for r, seed in enumerate((0, 5)):
        alone, targets = Bank(dataclasses.replace(LINEAR, batch_size=3), (seed,)).batch(4, "ahead")
        assert torch.equal(x[r], alone[0])
        assert torch.equal(y[r], targets[0])
        for row, target in zip(x[r, 0], y[r, 0], strict=True):
            place = int((bank.inputs == row).all(1).nonzero())
            assert target.tolist() == bank.targets[place].tolist()


def test_labels_are_their_own_unit_vectors_where_squares_are_measured() -> None:
    plain, squares = Bank(DIGITS, (0, 1)), Bank(dataclasses.replace(DIGITS, loss="mse"), (0, 1))
    labels, vectors = plain.batch(2)[1], squares.batch(2)[1]
    assert (labels.shape, vectors.shape, vectors.dtype) == ((2, 4), (2, 1, 4, 10), torch.float64)
    for r in (0, 1):
        for k in range(4):
            assert vectors[r, 0, k].tolist() == [float(j == labels[r, k]) for j in range(10)]


@pytest.mark.parametrize("stream", ["batch", "other batch"])
def test_noise_of_labels_is_drawn_for_each_seed_stream_and_batch(stream: str) -> None:
    noisy = Bank(dataclasses.replace(LINEAR, label_noise=0.25), (3, 8))
    (x, y), (same, exact) = noisy.batch(6, stream), Bank(LINEAR, (3, 8)).batch(6, stream)
    assert torch.equal(x, same)
    for r, seed in enumerate((3, 8)):
        drawn = torch.from_numpy(generator(seed, f"{stream} noise", 6).standard_normal((2, 1)))
        close(y[r, 0], exact[r, 0] + 0.25 * drawn)


@pytest.mark.parametrize("decay", [0.0, 0.25])
def test_signs_are_those_of_the_decayed_gradient(decay: float) -> None:
    bank = Bank(of("sign", weight_decay=decay), (0, 1))
    chains = join([bank.start(), bank.start("second start")])
    theta, batch = chains.theta.clone(), bank.batch(1)
    gradient = bank.gradient(theta, batch) + decay * theta
    bank.step(chains, batch)
    close(chains.theta, theta - 0.1 * torch.sign(gradient))


@pytest.mark.parametrize("method", ["adam", "adamw"])
def test_moments_have_their_own_decay_and_each_chain_its_own_count(method: str) -> None:
    """Chains that have taken two steps and none are moved together; with betas and ε that are not the usual ones."""
    h, b1, b2, eps, mu = 0.1, 0.5, 0.75, 0.125, 0.25
    bank = Bank(of(method, betas=(b1, b2), eps=eps, weight_decay=mu), (0, 1))
    older = walk(bank, [1, 2])
    chains = join([older, bank.start("second start")])
    theta, mean, square = chains.theta.clone(), *(slot.clone() for slot in chains.slots)
    batch = bank.batch(3)
    gradient = bank.gradient(theta, batch) + (mu * theta if method == "adam" else 0)
    mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient**2
    t = torch.tensor([[3.0], [1.0]], dtype=torch.float64)
    shrunk = theta * (1 - h * mu) if method == "adamw" else theta
    expected = shrunk - h * (mean / (1 - b1**t)) / ((square / (1 - b2**t)).sqrt() + eps)
    bank.step(chains, batch)
    close(chains.theta, expected)
    close(chains.slots[0], mean)
    close(chains.slots[1], square)
    assert chains.t.tolist() == [3, 1]


# --- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [[0, 2, 5], [5, 0, 2, 2], [1], [0], [3, 4]], ids=str)
@pytest.mark.parametrize("first", [1, 4])
def test_forward_stops_at_each_iterate_that_is_asked_for(at: list[int], first: int) -> None:
    bank = Bank(LINEAR, (0, 1))
    chains, seen = bank.start(), {}
    for n in bank.forward(chains, at, first=first, stream="ahead"):
        seen[n] = chains.theta.clone()
    assert list(seen) == sorted(set(at))
    for n, theta in seen.items():
        close(theta, walk(bank, list(range(first, first + n)), stream="ahead").theta)
    assert chains.t.tolist() == [max(at)]


@pytest.mark.parametrize("method", METHODS)
def test_backward_iterates_have_the_state_of_the_plain_loop(method: str) -> None:
    """Parameters, memory and number of steps, in the order that was asked for, some of them twice."""
    bank, at = Bank(of(method), (0, 1)), [2, 5, 0, 5, 1]
    theta = bank.start("second start").theta[:, 0]
    plain, moved = bank.backward(at), bank.backward(at, stream="ahead", theta=theta, offset=7)
    assert plain.t.tolist() == moved.t.tolist() == at
    for k, n in enumerate(at):
        alone = walk(bank, list(range(n, 0, -1)))
        other = walk(bank, list(range(7 + n, 7, -1)), stream="ahead", chains=bank.at(theta[:, None]))
        for found, right in ((plain, alone), (moved, other)):
            close(found.theta[:, k], right.theta[:, 0])
            for slot, own in zip(found.slots, right.slots, strict=True):
                close(slot[:, k], own[:, 0])


# --- pairs that are near each other ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_near_run_begins_in_the_direction_of_its_seed(method: str) -> None:
    """Second moments are those of the other run, since they must be at least 0."""
    bank = Bank(of(method), (2, 6))
    chains = join([walk(bank, [1, 2]), bank.start("second start")])
    base = coupled._state(chains)[:, 0].clone()
    coupled._near(chains, bank, 0, 1)
    for r, seed in enumerate((2, 6)):
        direction = torch.from_numpy(np.random.default_rng([seed, 7]).standard_normal(base.shape[-1]))
        if method in ("adam", "adamw"):
            direction[-4:] = 0
        direction /= direction.norm()
        moved = coupled._state(chains)[r, 1]
        torch.testing.assert_close(moved, base[r] + 1e-7 * (1 + base[r].norm()) * direction, rtol=0, atol=1e-14)
        if method in ("adam", "adamw"):
            assert torch.equal(moved[-4:], base[r, -4:])
    assert torch.equal(coupled._state(chains)[:, 0], base)


def test_two_runs_that_have_met_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = Bank(of("adam"), (0, 1))
    chains = join([bank.start(), bank.start()])
    before = coupled._state(chains).clone()
    coupled._renew(chains, 0, 1)
    assert torch.equal(coupled._state(chains), before)
    monkeypatch.setattr(coupled, "_near", lambda *given: None)
    growth = coupled.exponents(LINEAR, (0, 1), 48)
    assert growth.shape == (2, 25)
    assert (growth[:, 0] == 0).all()
    assert (growth[:, 1:] == -np.inf).all()


def test_second_moments_are_at_least_zero_where_the_near_run_is_moved_away() -> None:
    """The pair is nearer than it is held: along its own direction all four second moments would become negative."""
    bank = Bank(of("adam"), (0,))
    theta = torch.zeros(1, 2, 4, dtype=torch.float64)
    moments = torch.stack([torch.full((4,), 1e-9, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)])[None]
    chains = Chains(theta.clone(), (theta.clone(), moments.clone()), torch.ones(2, dtype=torch.long))
    coupled._renew(chains, 0, 1)
    assert chains.slots[1][0].tolist() == [[1e-9] * 4, [0.0] * 4]
    assert not chains.theta.any()
    momentum = Chains(theta.clone(), (moments.clone(),), torch.ones(2, dtype=torch.long))
    coupled._renew(momentum, 0, 1)  # a velocity may have any sign
    assert (momentum.slots[0][0, 1] < -4e-8).all()
    assert bank.size == 4


# --- influence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "decay"), [("sgd", 0.5), ("momentum", 0.0), ("adam", 0.0)])
def test_an_exchanged_batch_moves_parameters_outputs_and_the_state_after_its_map(method: str, decay: float) -> None:
    """Against plain loops: each exchanged batch, and two independent runs; an optimizer keeps its memory.

    Distances after at most 48 steps whose sums have another order: 1e-11 is more than what these make.
    """
    setting = of(method, weight_decay=decay)
    seeds, steps, at = range(2), 48, [1, 2, 3, 30, 48]
    found = influence._measure(setting, seeds, steps, at, None)
    bank = Bank(setting, seeds)
    whole = walk(bank, list(range(steps, 0, -1)))
    other = walk(bank, list(range(1, steps + 1)), stream="other batch")

    def gap(one: Chains, two: Chains) -> tuple[Any, Any]:
        outputs = bank.outputs(one.theta) - bank.outputs(two.theta)
        return (one.theta - two.theta)[:, 0].norm(dim=-1), (outputs**2).sum(-1).mean(-1).sqrt()[:, 0]

    for k, j in enumerate(at):
        before, plain = (walk(bank, list(range(steps, j, -1))) for _ in range(2))
        bank.step(before, bank.batch(j, "other batch"))
        bank.step(plain, bank.batch(j))
        torch.testing.assert_close(torch.from_numpy(found["step"][:, k]), gap(before, plain)[0], rtol=0, atol=1e-11)
        moved = gap(walk(bank, list(range(j - 1, 0, -1)), chains=before), whole)
        for name, right in zip(("parameter", "function"), moved, strict=True):
            torch.testing.assert_close(torch.from_numpy(found[name][:, k]), right, rtol=0, atol=1e-11)
    for name, right in zip(("independent", "independent_function"), gap(other, whole), strict=True):
        torch.testing.assert_close(torch.from_numpy(found[name]), right, rtol=0, atol=1e-11)
    known = certificate(setting, seeds)
    assert np.array_equal(found["factor"], known[0] if known else np.nan, equal_nan=True)
    growth = coupled.exponents(setting, seeds, steps)
    assert float(found["exponent"]) == pytest.approx(np.median(growth[:, 24] - growth[:, 12]) / 24, rel=1e-12)


# --- conjectures -----------------------------------------------------------------------------------------------------


def test_snapshots_begin_after_three_quarters_and_suffixes_after_the_half() -> None:
    """Of 160 steps: every twentieth iterate above 120, and all above 80. The step of each border itself is left out."""
    bank = Bank(LINEAR, (0, 1))
    theta = bank.start().theta
    path = [theta.clone()]
    chains = bank.at(theta)
    for n in range(1, 161):
        bank.step(chains, bank.batch(n))
        path.append(chains.theta.clone())
    ends = {"suffix mean": torch.stack(path[81:]).mean(0), "average of snapshots": (path[140] + path[160]) / 2}
    found = conjectures._forward(bank, 160)
    for name, mean in ends.items():
        right = conjectures._Curves(bank).numbers(mean)[:, 0].numpy()
        np.testing.assert_allclose(found[name][0][:, -1], right, rtol=1e-11)
        assert found[name][0].shape == (2, 40, 4)


def test_strategies_stand_in_their_order_with_their_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late backward starts after half of the budget, backward at once; only one kind of windows may refuse."""
    asked: list[Any] = []

    def path(name: str, value: float) -> Any:
        asked.append(name)
        return np.full((2, 40, 4), value), int(value), int(value) + 100

    monkeypatch.setattr(
        conjectures, "Bank", lambda setting, seeds, *, data_dir, dtype: (setting, seeds, data_dir, dtype)
    )
    names = ("forward", "moving average", "suffix mean", "average of snapshots")
    monkeypatch.setattr(
        conjectures, "_forward", lambda bank, n: {name: path(name, 10.0 * n + k) for k, name in enumerate(names)}
    )
    monkeypatch.setattr(conjectures, "_decayed", lambda bank, n: path(str(bank), n + 4.0))
    monkeypatch.setattr(conjectures, "_late", lambda bank, switch, n: path(f"late {switch}", 5.0 + switch))
    monkeypatch.setattr(
        conjectures, "_windows", lambda bank, n, *, only_if_better: path("windows", 6.0 + only_if_better)
    )
    found = conjectures._strategies(range(2), 81, "folder")
    values = [810.0, 811.0, 812.0, 813.0, 85.0, 5.0, 6.0, 7.0, 45.0]
    assert found["curves"].shape == (9, 2, 40, 4)
    assert found["curves"][:, 1, 5, 2].tolist() == values
    assert found["gradients"].tolist() == values
    assert found["steps"].tolist() == [value + 100 for value in values]
    assert asked[4] == str((conjectures.SETTING, range(2), "folder", torch.float32))


@pytest.mark.parametrize("better", [False, True])
def test_an_end_that_is_as_good_is_not_better(better: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All losses are equal: each window begins at the start again, or at the end of the one before it."""
    monkeypatch.setattr(conjectures, "WINDOW", 2)
    begun: list[float] = []

    class Fake:
        test_inputs = np.zeros((2, 1))

        def start(self) -> Any:
            return Chains(torch.zeros(1, 1, 1), (), torch.zeros(1))

        def backward(self, at: range, *, theta: Any, offset: int) -> Any:
            begun.append(float(theta))
            assert offset == 2 * (len(begun) - 1)
            return Chains(theta[:, None] + torch.arange(1.0, 1 + len(at)).reshape(1, -1, 1), (), torch.zeros(1))

    monkeypatch.setattr(conjectures._Curves, "numbers", lambda self, theta: torch.ones(1, theta.shape[1], 4))
    conjectures._windows(Fake(), 9, only_if_better=better)  # type: ignore[arg-type]
    assert begun == ([0.0, 0.0, 0.0] if better else [0.0, 2.0, 4.0])
