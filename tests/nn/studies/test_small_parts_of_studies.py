"""Parts of the studies on numbers that are known: problems, grids, matrices whose exponents have a formula."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.studies import baselines, conjectures, coupled, influence, order_averaging, quadratics  # noqa: E402
from nn_experiments.studies.bank import Bank, _activate, join  # noqa: E402
from nn_experiments.studies.certified import certificate  # noqa: E402
from nn_experiments.studies.problems import problem  # noqa: E402
from nn_experiments.studies.setting import Setting  # noqa: E402

SMALL = Setting(name="small", data="digits", hidden=(3,), learning_rate=0.05, batch_size=4)


def test_halves_are_the_upper_labels_against_the_lower_ones() -> None:
    whole, halves = problem("digits"), problem("digits-halves")
    assert (whole.outputs, halves.outputs) == (10, 2)
    assert np.array_equal(halves.targets, [int(label in (5, 6, 7, 8, 9)) for label in whole.targets])
    assert np.array_equal(halves.test_targets, [int(label >= 5) for label in whole.test_targets])
    assert np.array_equal(halves.inputs, whole.inputs)
    assert (whole.inputs.max(), whole.inputs.min()) == (1.0, 0.0)
    assert len(whole.test_inputs) == min(500, 359)
    with pytest.raises(ValueError, match="unknown problem 'digits-thirds'"):
        problem("digits-thirds")


@pytest.mark.parametrize(("rows", "columns", "noisy"), [(30, 4, True), (5, 4, True), (4, 4, False), (3, 8, False)])
def test_least_squares_have_noise_where_there_are_more_data_than_dimensions(rows, columns, noisy) -> None:
    """Rows of length about 1; test targets are exact, and 0.3 of normal noise is on the others, or none."""
    made = problem(f"least-squares-{rows}x{columns}")
    assert made.inputs.shape == (rows, columns)
    assert (made.test_inputs.shape, made.test_targets.shape, made.outputs) == ((100, columns), (100, 1), 1)
    truth, *_ = np.linalg.lstsq(made.test_inputs, made.test_targets, rcond=None)
    assert np.allclose(made.test_inputs @ truth, made.test_targets, atol=1e-12)
    rest = made.targets - made.inputs @ truth
    assert (np.abs(rest).max() > 1e-3) == noisy
    if rows == 30:
        assert 0.15 < rest.std() < 0.5
        assert 0.5 < float((made.test_inputs**2).sum(1).mean()) < 2.0


def test_exponents_of_numbers_are_means_of_logarithms() -> None:
    """One matrix: log of its largest eigenvalue, without an error; two numbers with one size: that size's logarithm."""
    rate, error = quadratics.top_exponent(np.array([[[3.0]]]), steps=4000)
    assert rate == pytest.approx(math.log(3.0), abs=1e-3)  # the length of the first vector counts for 1/4000
    assert error < 1e-3
    twice = quadratics.top_exponent(np.array([[[2.0]], [[-2.0]]]), steps=4000)[0]
    assert twice == pytest.approx(math.log(2.0), abs=1e-3)
    assert quadratics.top_exponent(np.diag([2.0, 0.5])[None], steps=4000)[0] == pytest.approx(math.log(2.0), abs=1e-3)


@pytest.mark.parametrize("seed", [0, 1])
def test_exponents_of_two_numbers_are_counts_of_the_larger_one(seed: int) -> None:
    """4 or 1 with the same chance: each replica grows by log 4 times the number of its fours.

    Each replica adds 400 logarithms to a number below 1024, so each sum is rounded by 2⁻⁴⁴ at most. Divided by 400
    steps, that is 6e-14 for a replica, and 1e-12 is far more than that for their mean and its error.
    """
    rate, error = quadratics.top_exponent(np.array([[[4.0]], [[1.0]]]), steps=400, replicas=16, seed=seed)
    rng = np.random.default_rng(seed)
    begin = np.log(np.abs(rng.standard_normal(16)))
    fours = sum((rng.integers(2, size=16) == 0).astype(int) for _ in range(400))
    rates = (begin + fours * math.log(4.0)) / 400
    mean = sum(rates) / 16
    assert rate == pytest.approx(mean, abs=1e-12)
    assert error == pytest.approx(math.sqrt(sum((one - mean) ** 2 for one in rates) / 15 / 16), abs=1e-12)
    assert abs(rate - math.log(2.0)) < 6 * error


def test_a_weighted_norm_is_that_of_its_own_definition() -> None:
    """P = Σ (M/k)ʲᵀ(M/k)ʲ, so that ‖Mx‖² in P is k²(‖x‖² in P − ‖x‖²)."""
    matrix, k = np.array([[0.5, 2.0], [0.0, -0.25]]), 0.75
    powers = [np.linalg.matrix_power(matrix / k, j) for j in range(400)]
    P = sum(power.T @ power for power in powers)
    root = np.linalg.cholesky(P).T
    expected = np.linalg.norm(root @ matrix @ np.linalg.inv(root), 2)
    assert quadratics.weighted_norm(matrix, k) == pytest.approx(expected, rel=1e-9)
    assert expected < k < np.linalg.norm(matrix, 2)


def test_a_weight_needs_a_factor_above_the_larger_radius() -> None:
    matrix = np.diag([0.5, -0.75])
    for k in (0.5, 0.6, 0.75):
        with pytest.raises(ValueError, match=f"k must be above the spectral radius, got {k}"):
            quadratics.weighted_norm(matrix, k)
    assert quadratics.weighted_norm(matrix, 0.8) == pytest.approx(0.75)


def test_adam_is_torchs() -> None:
    """The largest |θ| over the last 2,000 of 2,500 steps, against torch's Adam."""
    theta = torch.tensor([0.01], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([theta], lr=1e-3, eps=1e-6)
    path = []
    for _ in range(2500):
        theta.grad = theta.detach().clone()
        optimizer.step()
        path.append(abs(float(theta.detach())))
    assert quadratics.adam_amplitude(1e-6, steps=2500) == pytest.approx(max(path[500:]), rel=1e-6, abs=0)
    assert max(path[499:]) == path[499] > max(path[500:])  # one step more would be seen


def test_signs_move_on_a_lattice_of_one_parity() -> None:
    """Iterates n and n + 1 are an odd number of steps h apart; h scales everything."""
    for n in (1, 2, 7):
        one = quadratics.sign_parity(n=n, seeds=5)
        assert one >= 1
        assert one % 2 == 1
        assert quadratics.sign_parity(h=0.25, n=n, seeds=5) == 0.25 * one


def test_the_study_of_quadratics_has_polyaks_tuning(tmp_path: Path, monkeypatch) -> None:
    """For curvatures 1 and κ both maps then have the radius (√κ − 1)/(√κ + 1).

    It is a double eigenvalue, which moves by the root of what rounding changes: M is at most 3 in norm, some ten
    roundings of it are below 30 · 2.2e-16 = 7e-15, whose root is 8e-8. The radius is at least 1/3, and 1e-6 of it is
    four times as much.
    """
    told: list[str] = []
    monkeypatch.setattr(quadratics, "top_exponent", lambda pair, *, replicas: (float(pair[1, 0, 0]), replicas / 4))
    monkeypatch.setattr(quadratics, "adam_amplitude", lambda eps: 2 * eps)
    monkeypatch.setattr(quadratics, "sign_parity", lambda: 3.0)
    study = quadratics.run(tmp_path, report=told.append, seeds=8)
    roots = np.sqrt(quadratics.KAPPAS)
    assert study["radius"] == pytest.approx((roots - 1) / (roots + 1), rel=1e-6)
    h, beta = (2 / (1 + roots)) ** 2, ((roots - 1) / (roots + 1)) ** 2
    assert study["exponent"] == pytest.approx(1 + beta - h * np.array(quadratics.KAPPAS))
    assert study["exponent_error"].tolist() == [2.0] * 4
    assert study["amplitude"].tolist() == [2 * eps for eps in quadratics.EPSILONS]
    norm, radius, weighted = study["heavy_ball"]
    assert (norm, radius) == pytest.approx((np.linalg.norm([[1.4, -0.9], [1, 0]], 2), math.sqrt(0.9)))
    assert radius < weighted < (1 + radius) / 2
    assert (float(study["sign_gap"]), len(told)) == (3.0, 4)


def test_exchanged_batches_are_the_first_ten_and_twenty_more() -> None:
    found = influence._exchanged(1200)
    assert found[:10] == list(range(1, 11))
    assert found[10] == 11
    assert found[-1] == 1200
    assert found == sorted(set(found))
    assert 25 <= len(found) <= 30
    apart = np.diff(np.log(found[15:]))
    assert apart.max() < 2 * np.log(1200 / 11) / 19


def test_the_grid_of_the_atlas_has_24_even_parts() -> None:
    assert coupled.grid(48) == list(range(0, 49, 2))
    assert coupled.grid(1200) == list(range(0, 1201, 50))


@pytest.mark.parametrize("budget", [1, 2, 3, 5, 6, 9, 10, 100])
def test_backward_goes_as_far_as_its_budget_allows(budget: int, monkeypatch) -> None:
    """n(n + 1)/2 maps for n steps, from a switch on; POINTS of the path are recorded at most."""
    asked: dict[str, Any] = {}

    class Fake:
        test_inputs = np.zeros((2, 1))

        def start(self) -> Any:
            return type("Chains", (), {"theta": torch.zeros(1, 1, 1)})()

        def forward(self, chains: Any, at: list[int]) -> Any:
            asked["switch"] = at
            return iter(at)

        def backward(self, at: range, *, theta: torch.Tensor, offset: int) -> Any:
            asked.update(at=list(at), offset=offset)
            return type("Chains", (), {"theta": torch.zeros(1, len(at), 1)})()

    monkeypatch.setattr(conjectures._Curves, "numbers", lambda self, theta: torch.zeros(1, theta.shape[1], 4))
    _, gradients, steps = conjectures._late(Fake(), 7, 7 + budget)  # type: ignore[arg-type]
    far = max(n for n in range(1, 40) if n * (n + 1) // 2 <= budget)
    assert (gradients, steps) == (7 + far * (far + 1) // 2, 7 + far)
    assert asked == {"switch": [7], "at": list(range(max(1, far - 39), far + 1)), "offset": 7}


def test_curves_have_their_last_forty_points() -> None:
    bank: Any = type("Fake", (), {"test_inputs": np.zeros((2, 1))})()
    for count in (3, 40, 43):
        curves = conjectures._Curves(bank)
        curves.rows = [torch.full((2, 1, 4), float(n)) for n in range(count)]
        last = curves.last()
        assert last.shape == (2, 40, 4)
        assert np.isnan(last[:, : 40 - min(count, 40)]).all()
        assert last[0, max(40 - count, 0) :, 0].tolist() == list(range(max(count - 40, 0), count))


@pytest.mark.parametrize("kind", ["relu", "tanh", "gelu", "identity"])
def test_activations_are_torchs_with_their_slopes(kind: str) -> None:
    z = torch.linspace(-3, 3, 13, dtype=torch.float64).requires_grad_()
    right = {"relu": torch.relu, "tanh": torch.tanh, "gelu": torch.nn.functional.gelu, "identity": lambda x: 1 * x}[
        kind
    ](z)
    (slope,) = torch.autograd.grad(right.sum(), z)
    value, found = _activate(kind, z.detach())
    assert torch.allclose(value, right.detach(), atol=1e-15)
    assert torch.allclose(torch.as_tensor(found).double().expand(13), slope, atol=1e-15)


def test_outputs_are_judged_by_hand() -> None:
    """Cross entropy, squares of one-hot labels, and squares of numbers, which have no accuracy."""
    bank = Bank(SMALL, (0,))
    out = torch.tensor([[[[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]]]]).double()
    loss, accuracy = bank.judge(out, torch.tensor([0, 0, 1]))
    expected = np.mean([math.log(1 + math.exp(-2)), math.log(1 + math.exp(1)), math.log(1 + math.exp(2))])
    assert (float(loss), float(accuracy)) == (pytest.approx(expected), pytest.approx(1 / 3))
    squares = Bank(Setting(name="s", data="digits", loss="mse"), (0,))
    loss, accuracy = squares.judge(out, torch.tensor([0, 0, 1]))
    assert (float(loss), float(accuracy)) == (pytest.approx((1 + 2 + 9) / 3), pytest.approx(1 / 3))
    loss, accuracy = squares.judge(out, torch.tensor([[1.0, 0.0], [0.0, 0.0], [3.0, 3.0]]).double())
    assert float(loss) == pytest.approx((1 + 1 + 4) / 3)
    assert math.isnan(float(accuracy))


def test_inputs_are_standardised_by_one_mean_and_one_deviation() -> None:
    plain, scaled = (Bank(Setting(name="s", data="digits", standardise=s), (0,)) for s in (False, True))
    mean, deviation = plain.inputs.mean(), plain.inputs.std(correction=0)
    assert torch.allclose(scaled.inputs, (plain.inputs - mean) / deviation)
    assert torch.allclose(scaled.test_inputs, (plain.test_inputs - mean) / deviation)
    assert (plain.widths, plain.size) == ((64, 10), 650)


def test_chains_side_by_side_keep_their_memory() -> None:
    bank = Bank(Setting(name="s", data="digits", method="adam"), (0, 1))
    one, two = bank.start(), bank.start("second start")
    bank.step(two, bank.batch(1))
    both = join([one, two])
    assert both.t.tolist() == [0, 1]
    assert torch.equal(both.theta[:, 1], two.theta[:, 0])
    assert all(torch.equal(slot[:, 1], own[:, 0]) for slot, own in zip(both.slots, two.slots, strict=True))
    assert not both.slots[0][:, 0].any()
    both.theta += 1
    assert not torch.equal(both.theta[:, 1], two.theta[:, 0])  # copies


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True),
        ({"hidden": (3,)}, False),
        ({"method": "sign"}, False),
        ({"weight_decay": 0.0}, False),
        ({"label_noise": 0.1}, False),
        ({"learning_rate": 1.0}, False),  # no contraction
    ],
)
def test_only_linear_models_with_decay_are_certified(changes: dict, known: bool) -> None:
    about = {"name": "s", "data": "least-squares-6x2", "loss": "mse", "learning_rate": 0.05, "weight_decay": 0.2}
    setting = Setting(**(about | changes))
    found = certificate(setting, range(1))
    assert (found is not None) == known
    if found is not None:
        x = problem("least-squares-6x2").inputs
        largest = max(2 * (1 + float(row @ row)) for row in x)
        assert found[0] == pytest.approx(max(abs(1 - 0.05 * 0.2), abs(1 - 0.05 * (0.2 + largest))))


@pytest.mark.parametrize(
    ("data", "loss", "curvature"), [("least-squares-6x2", "mse", 2.0), ("digits", "cross_entropy", 0.5)]
)
@pytest.mark.parametrize("reach", [0.5, 1.99])
def test_the_factor_is_that_of_the_flattest_or_of_the_steepest_direction(
    data: str, loss: str, curvature: float, reach: float
) -> None:
    """With h(μ + M) = 0.5 it is 1 − hμ, and with 1.99 it is 0.99. M is of the longest datum with a one behind it."""
    steepest = curvature * max(1 + float(row @ row) for row in problem(data).inputs)
    h = reach / (0.2 + steepest)
    found = certificate(Setting(name="s", data=data, loss=loss, learning_rate=h, weight_decay=0.2), range(1))
    assert found is not None
    assert found[0] == pytest.approx(1 - h * 0.2 if reach == 0.5 else 0.99, rel=1e-12)
    too_large = h * 2.01 / reach
    assert (
        certificate(Setting(name="s", data=data, loss=loss, learning_rate=too_large, weight_decay=0.2), range(1))
        is None
    )


@pytest.mark.parametrize("steps", [10, 9])
def test_averages_of_a_baseline_are_those_of_its_iterates(steps: int, monkeypatch) -> None:
    """The last iterate, β-averages, the mean of the last five steps, and rates h(1 − (n − 1)/N) for N = 10 and 9.

    In float64 in place of float32, so that the order of the sums does not matter: N steps of a few roundings each move
    parameters below 1 by less than 100 · 2⁻⁵³ = 1e-14, and losses of slopes below 100 by less than 1e-12.
    """
    monkeypatch.setattr(baselines, "Bank", lambda *given, **more: Bank(*given, **{**more, "dtype": torch.float64}))
    found = baselines._ends(SMALL, 3, steps, None)
    bank = Bank(SMALL, (3,))
    chains, decayed = bank.start(), bank.start().theta
    average, path = chains.theta.clone(), []
    for n in range(1, steps + 1):
        decayed = decayed - 0.05 * (1 - (n - 1) / steps) * bank.gradient(decayed, bank.batch(n))
        bank.step(chains, bank.batch(n))
        average = 0.99 * average + 0.01 * chains.theta
        path.append(chains.theta.clone())
    suffix = torch.stack(path[-5:]).mean(0)
    right = [baselines._numbers(bank, theta) for theta in (path[-1], average, suffix, decayed)]
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-12)
    loss, accuracy = bank.judge(bank.outputs(path[-1]))
    assert right[0][1] == pytest.approx(float(loss))
    assert right[0][3] == pytest.approx(1 - float(accuracy))


def test_settings_of_the_expansion_are_every_activation_at_every_size() -> None:
    assert order_averaging._settings() == [
        [(activation, h) for h in order_averaging.SIZES] for activation in order_averaging.ACTIVATIONS
    ]
