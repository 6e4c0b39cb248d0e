"""How studies are put together: the seeds of a part, its file, where its arrays stand; what is slow is replaced."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES  # noqa: E402
from nn_experiments.studies import (  # noqa: E402
    baselines,
    certified,
    conjectures,
    influence,
    one_law,
    order_averaging,
    order_stability,
    problems,
    settings,
    settling,
)
from nn_experiments.studies import run as studies  # noqa: E402
from nn_experiments.studies.bank import Bank  # noqa: E402
from nn_experiments.studies.certified import certificate  # noqa: E402
from nn_experiments.studies.problems import problem  # noqa: E402
from nn_experiments.studies.setting import Setting  # noqa: E402
from nn_experiments.training.rng import generator  # noqa: E402

SMALL = Setting(name="small", data="digits", hidden=(3,), learning_rate=0.05, batch_size=4)


def files_in(folder: Path) -> set[str]:
    """Return the files of a folder, from there on: those of a part keep it for a study that is stopped."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- which seeds a part has, and where it is kept --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seeds", "parts"),
    [
        (1, [range(1)]),
        (20, [range(20)]),
        (21, [range(20), range(20, 21)]),
        (45, [range(20), range(20, 40), range(40, 45)]),
    ],
    ids=str,
)
def test_one_law_has_twenty_seeds_in_a_part(
    seeds: int, parts: list[range], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def part(setting: Setting, chosen: range, at: list[int], data_dir: str | None) -> dict[str, np.ndarray]:
        asked.append((setting, chosen, at, data_dir))
        return {"values": np.array(chosen)[:, None], "logits": -np.array(chosen)[:, None]}

    monkeypatch.setattr(one_law, "_part", part)
    lines: list[str] = []
    study = one_law.run(tmp_path, seeds=seeds, steps=25, every=10, setting=SMALL, data_dir="d", report=lines.append)
    assert asked == [(SMALL, chosen, [0, 10, 20], "d") for chosen in parts]
    assert lines == [f"seeds {chosen[0]} to {chosen[-1]}" for chosen in parts]
    assert files_in(tmp_path) == {f"one-law.parts/{chosen[0]}.npz" for chosen in parts}
    assert study["n"].tolist() == [0, 10, 20]
    assert study["values"].tolist() == [[seed] for seed in range(seeds)]
    assert study["logits"].tolist() == [[-seed] for seed in range(seeds)]
    assert (study.name, study.about["seeds"], study.about["steps"]) == ("one-law", seeds, 25)
    assert study.about["setting"] == SMALL.to_json()
    one_law.run(tmp_path, seeds=seeds, steps=25, every=10, setting=SMALL)
    assert len(asked) == len(parts)  # the parts are read from their files
    one_law.run(tmp_path, seeds=seeds, steps=25, every=5, setting=SMALL)
    assert len(asked) == 2 * len(parts)  # those of another grid are not


@pytest.mark.parametrize(
    ("seeds", "parts"),
    [(1, [range(1)]), (10, [range(10)]), (23, [range(10), range(10, 20), range(20, 23)])],
    ids=str,
)
def test_conjectures_have_ten_seeds_in_a_part(
    seeds: int, parts: list[range], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def part(chosen: range, budget: int, data_dir: str | None) -> dict[str, np.ndarray]:
        asked.append((chosen, budget, data_dir))
        costs = np.array([10 + chosen[0], 20])
        return {"curves": np.array([chosen, chosen]), "gradients": costs, "steps": 2 * costs}

    monkeypatch.setattr(conjectures, "_strategies", part)
    monkeypatch.setattr(conjectures, "_judgement", lambda runs, data_dir: {"judged": np.array([runs, len(data_dir)])})
    lines: list[str] = []
    study = conjectures.run(tmp_path, seeds=seeds, budget=70, runs=3, data_dir="abcd", report=lines.append)
    assert asked == [(chosen, 70, "abcd") for chosen in parts]
    assert lines == [f"seeds {chosen[0]} to {chosen[-1]}" for chosen in parts]
    assert files_in(tmp_path) == {f"conjectures.parts/{k}.npz" for k in ["judged", *(chosen[0] for chosen in parts)]}
    assert study["curves"].tolist() == [list(range(seeds))] * 2
    assert study["gradients"].tolist() == [10, 20]
    assert study["steps"].tolist() == [20, 40]
    assert study["judged"].tolist() == [3, 4]
    names = ("seeds", "budget", "runs", "window", "beta", "judged_at")
    assert [study.about[name] for name in names] == [seeds, 70, 3, 20, 0.99, 150]


def test_the_influence_of_each_setting_is_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def measure(setting: Setting, seeds: range, steps: int, at: list[int], data_dir: str | None) -> dict[str, Any]:
        asked.append((setting.name, seeds, steps, data_dir))
        return {"parameter": np.full((len(seeds), len(at)), setting.learning_rate), "factor": np.array(len(asked))}

    monkeypatch.setattr(influence, "_measure", measure)
    lines: list[str] = []
    study = influence.run(tmp_path, seeds=2, steps=30, data_dir="d", report=lines.append)
    assert lines == [one.name for one in settings.ATLAS if one.name in influence.CHOSEN]
    assert asked == [(name, range(2), 30, "d") for name in lines]
    assert files_in(tmp_path) == {f"influence.parts/{k:02d}.npz" for k in range(7)}
    assert study["j"].tolist() == influence._exchanged(30)
    assert study["factor"].tolist() == list(range(1, 8))
    assert study["parameter"].shape == (7, 2, len(study["j"]))
    assert [one["name"] for one in study.about["settings"]] == lines
    assert (study.about["seeds"], study.about["steps"]) == (2, 30)
    one = influence.run(tmp_path / "one", settings=[SMALL], seeds=1, steps=30)
    assert one["parameter"][0, 0, 0] == 0.05


@pytest.mark.parametrize("name", ["atlas", "optimizers"])
@pytest.mark.parametrize("steps", [None, 60])
def test_every_setting_is_predicted_on_other_seeds_before_it_is_measured(
    name: str, steps: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two files each, with the number of steps of the setting's group unless another one is asked for."""
    asked: list[tuple[Any, ...]] = []

    def exponents(setting: Setting, seeds: range, length: int, *, data_dir: str | None) -> np.ndarray:
        asked.append(("exponents", setting.name, list(seeds), length, data_dir))
        return np.zeros((5, 2))

    def measure(setting: Setting, seeds: range, length: int, *, data_dir: str | None) -> dict[str, np.ndarray]:
        asked.append(("measure", setting.name, list(seeds), length, data_dir))
        return {"n": np.array([0, length])}

    def known(setting: Setting, seeds: range, *, data_dir: str | None) -> tuple[float, np.ndarray] | None:
        return (0.5, 1.0 + np.array(seeds)) if setting.weight_decay else None

    for what in (exponents, measure):
        monkeypatch.setattr(settling, what.__name__, what)
    monkeypatch.setattr(settling, "certificate", known)
    chosen = settling.STUDIES[name][:2] + settling.STUDIES[name][-2:]
    lines: list[str] = []
    study = settling.run(name, tmp_path, seeds=3, settings=chosen, steps=steps, data_dir="d", report=lines.append)
    right = []
    for setting in chosen:
        length = steps or settling.STEPS[setting.group]
        right.append(("exponents", setting.name, [100, 101, 102, 103, 104], length, "d"))
        right.append(("measure", setting.name, [0, 1, 2], length, "d"))
    assert asked == right
    assert lines == [f"{k} of 4: {setting.name}" for k, setting in enumerate(chosen, 1)]
    ends = ("predicted", "measured")
    assert files_in(tmp_path) == {f"{name}.parts/{k:02d}-{end}.npz" for k in range(4) for end in ends}
    assert study["n"].tolist() == [[0, one[3]] for one in right[::2]]
    for k, setting in enumerate(chosen):
        certain = known(setting, range(3), data_dir=None)
        assert np.array_equal(study["factor"][k], certain[0] if certain else np.nan, equal_nan=True)
        assert np.array_equal(study["displacement"][k], certain[1] if certain else np.full(3, np.nan), equal_nan=True)
    assert (study["predicted_at"] <= study["measured_at"]).all()
    assert (study.name, study.about["seeds"], list(study.about["runs"])) == (name, 3, list(settling.RUNS))
    settling.run(name, tmp_path, seeds=4, settings=chosen, steps=steps)
    assert [one[0] for one in asked[len(right) :]] == ["measure"] * 4  # predictions do not depend on the seeds


def test_ends_of_baselines_are_a_part_for_each_figure_and_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def ends(setting: Setting, seed: int, steps: int, data_dir: str | None) -> np.ndarray:
        asked.append((setting.name, seed, steps, data_dir))
        return np.full((4, 4), 10 * steps + seed)

    monkeypatch.setattr(baselines, "_ends", ends)
    lines: list[str] = []
    study = baselines.run(tmp_path, seeds=2, figures=("fig7", "fig4"), data_dir="d", report=lines.append)
    steps = {"mlp-fashion": 2000, "regression-square": 1400}
    assert asked == [(name, seed, steps[name], "d") for name in steps for seed in (0, 1)]
    assert lines == ["fig7, seed 0", "fig7, seed 1", "fig4, seed 0", "fig4, seed 1"]
    assert files_in(tmp_path) == {f"baselines.parts/{line.replace(', seed ', '-')}.npz" for line in lines}
    assert study["fig7"][:, 0, 0].tolist() == [20_000, 20_001]
    assert study["fig4"][:, 3, 3].tolist() == [14_000, 14_001]
    baselines.run(tmp_path / "short", seeds=1, figures=("fig5",), steps=7)
    assert asked[-1] == ("regression-cosine", 0, 7, None)


def test_ends_of_order_averaging_stand_at_their_c_rate_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is changed in the experiment, and what is asked of the expansion, too."""
    changed: list[dict[str, str]] = []

    class Experiment:
        def override(self, changes: dict[str, str]) -> dict[str, str]:
            changed.append(changes)
            return changes

    def curves_of(place: tuple[dict[str, str], int], curves: tuple[str, ...], steps: int) -> dict[str, np.ndarray]:
        changes, seed = place
        value = 100 * int(changes["parts"]) + 10 * float(changes["learning_rate"]) + seed
        return {"ends": np.full((len(curves), 2, 4), value), "eigenvalue": np.array([value, steps])}

    monkeypatch.setattr(order_averaging, "EXPERIMENTS", {"mlp-digits": Experiment()})
    monkeypatch.setattr(order_averaging, "prepare", lambda experiment, seed: (experiment, seed))
    monkeypatch.setattr(order_averaging, "run_curves", curves_of)
    monkeypatch.setattr(order_averaging, "_expansion", lambda activation, h, seed: (h, len(activation) + seed / 8))
    lines: list[str] = []
    study = order_averaging.run(
        tmp_path, seeds=2, rates=(0.5, 0.25), curves=("forward", "small"), parts=(4, 2), steps=9, report=lines.append
    )
    cells = [(a, b, seed) for a in (0, 1) for b in (0, 1) for seed in (0, 1)]
    assert study["ends"].shape == (2, 2, 2, 2, 2, 4)
    assert study["eigenvalue"].shape == (2, 2, 2, 2)
    for a, b, seed in cells:
        value = 100 * (4, 2)[a] + 10 * (0.5, 0.25)[b] + seed
        assert (study["ends"][a, b, :, seed] == value).all()
        assert study["eigenvalue"][a, b, seed].tolist() == [value, 9]
    assert lines == [f"c = {(4, 2)[a]}, h = {('0.5', '0.25')[b]}, seed {seed}" for a, b, seed in cells]
    names = {f"order-averaging.parts/{(4, 2)[a]}-{('0.5', '0.25')[b]}-{seed}.npz" for a, b, seed in cells}
    assert files_in(tmp_path) == names
    right = {"batch_size": "256", "parts": "4", "learning_rate": "0.5", "initialisation": "he_normal"}
    assert changed[0] == right
    expansion = [[[[h, len(kind) + s / 8] for s in (0, 1)] for h in order_averaging.SIZES] for kind in ("relu", "tanh")]
    assert study["expansion"].tolist() == expansion
    about = {key: study.about[key] for key in ("parts", "rates", "curves", "seeds", "steps", "batch", "prices")}
    assert list(about.values()) == [[4, 2], [0.5, 0.25], ["forward", "small"], 2, 9, 256, [1.0, 1.0]]


def test_the_expansion_is_measured_at_the_start_with_two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    place = SimpleNamespace(
        model="model", step=SimpleNamespace(loss="loss"), state0={"parameters": "θ"}, batches=lambda i: f"B_{i}"
    )

    def measures(*given: Any, **more: Any) -> dict[str, float]:
        asked.append((given, more))
        return {"orders_alignment_cosine": 0.75, "orders_remainder": 3.0, "orders_norm": 12.0}

    def prepare(experiment: Any, seed: int) -> Any:
        fields = ("batch_size", "parts", "activation", "initialisation")
        asked.append(([getattr(experiment, name) for name in fields], seed))
        return place

    monkeypatch.setattr(order_averaging, "prepare", prepare)
    monkeypatch.setattr(order_averaging, "order_averaging_measures", measures)
    monkeypatch.setattr(order_averaging, "module_loss", lambda model, loss: (model, loss))
    assert order_averaging._expansion("tanh", 0.125, 5) == (0.75, 0.25)
    right = ((("model", "loss"), "θ", "B_1"), {"c": 2, "h": 0.125})
    assert asked == [([256, 2, "tanh", "he_normal"], 5), right]


@pytest.mark.parametrize("end", [1.0, np.inf, np.nan], ids=str)
def test_curves_are_recorded_after_as_many_steps_and_after_as_many_products(
    end: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors are 1 less accuracies. Λ at the end is that of forward, and NaN where one of its numbers is not finite."""

    class Kernel:
        def apply(self, state: tuple[int, ...], maps: range, done: int) -> tuple[int, ...]:
            assert done == len(state)
            return (*state, *maps)

    def evaluation(state: tuple[int, ...], *none: None) -> dict[str, float]:
        n = float(len(state))
        last = {"train_accuracy": n / 64, "test_accuracy": n / 128 if n < 28 else end / 4}
        return {"train_loss": n, "test_loss": -n, **last}

    place: Any = SimpleNamespace(
        kernel=lambda curve, engine: Kernel(), state0=(), evaluation=evaluation, batches=None, step=None, model=None
    )
    asked: list[tuple[Any, int]] = []

    def top(place: Any, state: tuple[int, ...], *, iterations: int) -> float:
        asked.append((state, iterations))
        return 7.0 + len(asked)

    monkeypatch.setattr(order_averaging, "top_eigenvalue", top)
    names = ("regularised-1", "forward", "small")
    found = order_averaging.run_curves(place, names, 28, iterations=9)
    whole = [28.0, -28.0, 1 - 28 / 64, 1 - end / 4]
    cheaper = [10.0, -10.0, 1 - 10 / 64, 1 - 10 / 128]  # 28 plain steps cost ten of 2.8
    np.testing.assert_array_equal(found["ends"], [[whole, cheaper], [whole, whole], [whole, whole]])
    np.testing.assert_array_equal(found["eigenvalue"], [8.0, 9.0 if end == 1.0 else np.nan])
    assert asked == [((), 9), (tuple(range(1, 29)), 9)][: 2 if end == 1.0 else 1]
    assert np.isnan(order_averaging.run_curves(place, ("small",), 28)["eigenvalue"][1])
    assert asked[-1] == ((), 60)


# --- numbers of the studies ------------------------------------------------------------------------------------------


def test_rates_of_the_stability_study_are_10_to_320_times_the_papers() -> None:
    """Each is twice the one before it; sixty steps, three seeds, twenty products for each Λ."""
    paper = EXPERIMENTS[order_stability.EXPERIMENT]
    assert (paper.parts, paper.batch_size, paper.optimizer.learning_rate) == (2, 2048, 0.001)
    assert pytest.approx([paper.optimizer.learning_rate * 10 * 2**k for k in range(6)]) == order_stability.RATES
    assert order_stability.run.__kwdefaults__ == {
        "seeds": 3,
        "rates": order_stability.RATES,
        "curves": ("forward", "regularised-1", "regularised-4"),
        "steps": 60,
        "iterations": 20,
        "data_dir": None,
        "report": None,
    }


@pytest.mark.parametrize("name", baselines.EXPERIMENTS)
def test_baselines_are_the_experiments_of_their_figures(name: str) -> None:
    """Starts and batches are those of the records, and so are the images that losses are computed on."""
    (setting, steps), paper = baselines.EXPERIMENTS[name], EXPERIMENTS[FIGURES[name].experiment]
    assert (setting.name, steps) == (paper.name, FIGURES[name].steps)
    assert f"mlp-{len(setting.hidden)}x{setting.hidden[0]}" == paper.model
    assert set(setting.hidden) == {setting.hidden[0]}
    assert setting.learning_rate == paper.optimizer.learning_rate
    for field in ("loss", "batch_size", "activation", "initialisation"):
        assert getattr(setting, field) == getattr(paper, field)
    assert setting.data == {"fashion_mnist": "fashion_mnist-whole"}.get(paper.data, paper.data)
    assert (setting.method, setting.weight_decay, setting.standardise) == ("sgd", 0.0, False)
    assert paper.train_evaluation in (None, baselines.SUBSET)
    assert (paper.train_evaluation is None) == (paper.data in ("square", "cosine", "cube"))


@pytest.mark.parametrize("subset", [1200, 2000])
def test_end_values_are_of_the_first_images_and_of_all_test_images(
    subset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train loss, test loss, train error, test error; a thousand images at a time, or all at once."""
    monkeypatch.setattr(baselines, "SUBSET", subset)
    bank = Bank(SMALL, (0,))
    bank.test_inputs = torch.cat([bank.test_inputs] * 3 + [bank.inputs[:700]])
    bank.test_targets = torch.cat([bank.test_targets] * 3 + [bank.targets[:700]])
    assert (len(bank.inputs), len(bank.test_inputs)) == (1438, 3 * 359 + 700)
    theta = bank.start().theta
    x, y = bank.inputs[:subset], bank.targets[:subset]
    train, test = bank.judge(bank.outputs(theta, x), y), bank.judge(bank.outputs(theta))
    right = [float(train[0]), float(test[0]), 1 - float(train[1]), 1 - float(test[1])]
    # sums of at most 2000 numbers below 10, in another order
    assert baselines._numbers(bank, theta) == pytest.approx(right, rel=0, abs=1e-12)


@pytest.mark.parametrize("study", ["one-law", "atlas", "optimizers"])
def test_a_study_by_name_is_its_own_function(study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(settling, "run", lambda *given, **more: asked.append((given, more)))
    description, run = studies.STUDIES[study]
    assert "minutes" in description
    if study == "one-law":
        assert run is one_law.run
        return
    run(tmp_path, seeds=2)
    assert asked == [((study, tmp_path), {"seeds": 2})]


# --- problems and certificates ---------------------------------------------------------------------------------------


def images(train: int, test: int) -> Any:
    """Return random images of Fashion-MNIST's shape, as `load_dataset` gives them."""
    rng = np.random.default_rng(3)
    inputs = [rng.integers(256, size=(count, 28, 28, 1), dtype=np.uint8) for count in (train, test)]
    targets = [rng.integers(10, size=count) for count in (train, test)]
    return SimpleNamespace(
        train_inputs=inputs[0],
        test_inputs=inputs[1],
        train_targets=targets[0],
        test_targets=targets[1],
        levels=255,
        classes=10,
    )


def test_five_hundred_test_images_unless_all_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    data = images(8, 503)
    monkeypatch.setattr(problems, "load_dataset", lambda name, *, data_dir: data)
    problem.cache_clear()
    some, whole, halves = (problem(f"fashion_mnist{form}", "folder") for form in ("", "-whole", "-halves"))
    problem.cache_clear()
    flat = [part.reshape(len(part), 784) / 255 for part in (data.train_inputs, data.test_inputs)]
    assert np.array_equal(some.inputs, flat[0])
    assert np.array_equal(whole.inputs, flat[0])
    assert np.array_equal(some.test_inputs, flat[1][:500])
    assert np.array_equal(whole.test_inputs, flat[1])
    assert np.array_equal(some.test_targets, data.test_targets[:500])
    assert np.array_equal(whole.test_targets, data.test_targets)
    assert np.array_equal(halves.targets, data.train_targets >= 5)
    assert (some.outputs, whole.outputs, halves.outputs) == (10, 10, 2)


def test_features_are_hidden_units_on_the_second_half_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an optimizer that counts its steps and moves nothing, so that the network is the one that is drawn.

    Weights are normal with He's variance, batches are 64 images of the first half, and the mean of the norms over the
    first half is 1. In float32: sums of 784 products are right to some 784 · 2⁻²⁴ = 5e-5 of the largest.
    """
    data = images(10, 5)
    seen: list[Any] = []

    class Still:
        def __init__(self, weights: list[Any], *, lr: float) -> None:
            self.weights, self.lr = weights, lr

        def zero_grad(self) -> None:
            for weight in self.weights:
                weight.grad = None

        def step(self) -> None:
            seen.append([weight.grad for weight in self.weights] if len(seen) < 2 else None)
            assert self.lr == 1e-3
            if len(seen) == 2:
                for weight in self.weights:
                    weight.requires_grad_(False)

    loss_of = torch.nn.functional.cross_entropy

    def loss_while_it_counts(out: Any, labels: Any) -> Any:
        return loss_of(out, labels) if len(seen) < 2 else SimpleNamespace(backward=lambda: None)

    monkeypatch.setattr(problems, "load_dataset", lambda name, *, data_dir: data)
    monkeypatch.setattr(torch.optim, "Adam", Still)
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", loss_while_it_counts)
    found = problems._features("folder")
    rng = generator(0, "features")
    first = torch.from_numpy(rng.normal(0, np.sqrt(2 / 784), (784, 64)))
    second = torch.from_numpy(rng.normal(0, np.sqrt(2 / 64), (64, 10)))
    flat = torch.from_numpy(data.train_inputs.reshape(10, 784) / 255)
    hidden = torch.relu(flat @ first).numpy()
    scale = np.linalg.norm(hidden[:5], axis=1).mean()
    np.testing.assert_allclose(found.inputs, hidden[5:] / scale, rtol=0, atol=1e-4)
    test = torch.from_numpy(data.test_inputs.reshape(5, 784) / 255)
    np.testing.assert_allclose(found.test_inputs, torch.relu(test @ first).numpy() / scale, rtol=0, atol=1e-4)
    assert np.array_equal(found.targets, data.train_targets[5:])
    assert np.array_equal(found.test_targets, data.test_targets)
    assert found.outputs == 10
    assert len(seen) == 2000
    for k in (0, 1):  # the gradients of the first two batches
        rows = torch.from_numpy(rng.integers(5, size=64))
        weights = [first.clone().requires_grad_(), second.clone().requires_grad_()]
        out = torch.relu(flat[rows] @ weights[0]) @ weights[1]
        loss = loss_of(out, torch.from_numpy(data.train_targets)[rows])
        for right, gradient in zip(torch.autograd.grad(loss, weights), seen[k], strict=True):
            assert torch.allclose(gradient.double(), right, rtol=0, atol=1e-4 * float(right.abs().max()))


@pytest.mark.parametrize(("rows", "columns"), [(6, 2), (3, 3), (2, 5)])
def test_least_squares_are_drawn_inputs_first(rows: int, columns: int) -> None:
    """Inputs, test inputs, the truth, and noise of deviation 0.3 where there are more data than dimensions."""
    rng = generator(0, "least squares", rows, columns)
    inputs, test = (rng.standard_normal((count, columns)) / np.sqrt(columns) for count in (rows, 100))
    truth = rng.standard_normal((columns, 1))
    noise = 0.3 * rng.standard_normal((rows, 1)) if rows > columns else 0.0
    found = problem(f"least-squares-{rows}x{columns}")
    assert np.array_equal(found.inputs, inputs)
    assert np.array_equal(found.test_inputs, test)
    np.testing.assert_allclose(found.targets, inputs @ truth + noise, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.test_targets, test @ truth, rtol=0, atol=1e-14)
    assert found.outputs == 1


@pytest.mark.parametrize("place", [0, 1, 499, 500, 501, 999, 1000, 1001, 1098, 1099])
def test_the_certified_step_may_be_that_of_any_datum(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 1100 data is ten times as long as it was, and its target a hundred: it has the largest step from θ_0."""

    class Stretched(Bank):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self.inputs[place] *= 10
            self.targets[place] = 100

    setting = Setting(name="s", data="least-squares-1100x3", loss="mse", learning_rate=1e-4, weight_decay=0.5)
    problem.cache_clear()
    monkeypatch.setattr(certified, "Bank", Stretched)
    known = certificate(setting, range(2))
    problem.cache_clear()
    assert known is not None
    bank = Stretched(setting, range(2))
    problem.cache_clear()
    theta = bank.start().theta[:, 0].numpy()
    x = np.append(bank.inputs[place].numpy(), 1.0)
    for row, found in zip(theta, known[1], strict=True):
        gradient = 2 * (x @ row - 100) * x + 0.5 * row
        assert found == pytest.approx(1e-4 * np.linalg.norm(gradient), rel=1e-12)
