"""Exchanging two batches: against closed forms, against the expansions of `contraction`, and the order of its error."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from contraction.expansions.coefficients import difference_coefficients, minus_lie_bracket  # noqa: E402
from nn_experiments.training.vector_fields import Layout, loss_fields, module_loss  # noqa: E402

# torch's own forward mode, which the theory's fields use, compiles a few rules in a way that torch has deprecated
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

PAIRS = [(1, 2), (2, 1), (1, 3), (4, 2)]
OPTIMIZERS = {
    "sgd": {},
    "sgd with decay": {"method": "sgd", "weight_decay": 0.1},
    "momentum": {"momentum": 0.9},
    "nesterov": {"method": "momentum", "momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
    "adam": {"eps": 1e-2},
    "adamw": {"eps": 1e-2, "weight_decay": 0.1},
}


def half(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return 0.5 * ((outputs - targets) ** 2).mean()


def network(*, linear: bool = False, seed: int = 0) -> tuple[torch.nn.Module, list[tuple[torch.Tensor, torch.Tensor]]]:
    rng = np.random.default_rng(seed)
    first = torch.nn.utils.skip_init(torch.nn.Linear, 3, 4)
    layers = [first] if linear else [first, torch.nn.Tanh(), torch.nn.utils.skip_init(torch.nn.Linear, 4, 4)]
    module = torch.nn.Sequential(*layers).double()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.from_numpy(rng.standard_normal(tuple(p.shape))))
    data = [
        (torch.from_numpy(rng.standard_normal((5, 3))), torch.from_numpy(rng.standard_normal((5, 4)))) for _ in range(4)
    ]
    return module, data


def swapped(name: str, h: float = 0.05, *, linear: bool = False, steps: int = 0, **more) -> nne.Brackets:
    """Brackets of a network under an optimizer, after so many steps."""
    module, data = network(linear=linear)
    options = {"method": name} | OPTIMIZERS[name]
    options["method"] = options["method"].split()[0]
    step = nne.TrainingStep(module, half, nne.Optimizer(learning_rate=h, **options))
    state = nne.initial_state(module)
    for t in range(1, steps + 1):
        state = step(state, data[t % 4], t)
    more = {"vectors": True, "t": steps + 1} | more
    return nne.brackets(step, lambda i: nne.Batch(*data[i - 1], i), state, PAIRS, **more)


def test_against_the_expansions_of_the_theory() -> None:
    """h² [V_i, V_j] with the signs of Theorem C.2: `minus_lie_bracket`, and the h² term of two words."""
    module, data = network()
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    layout = Layout.of(parameters)
    fields, theta = loss_fields(module_loss(module, half), data, layout), layout.flatten(parameters)
    found, h = swapped("sgd"), 0.05
    for k, (i, j) in enumerate(PAIRS):
        bracket = minus_lie_bracket(fields[i - 1], fields[j - 1], theta).numpy()
        second = difference_coefficients(fields, (i, j), (j, i), theta, 2)[1].numpy()
        np.testing.assert_allclose(bracket, second, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(found.predicted_vectors[k], h**2 * bracket, rtol=1e-9, atol=1e-14)
        assert found.bracket[k] == pytest.approx(np.linalg.norm(bracket), rel=1e-12)
    assert np.all(found.cosine > 0.5)
    assert np.allclose(found.predicted_vectors[0], -found.predicted_vectors[1], rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("steps", [0, 3])
def test_exact_on_quadratic_losses(name: str, steps: int) -> None:
    """A linear model with squared loss: the gradient is its own linearisation, so prediction and measurement agree."""
    found = swapped(name, linear=True, steps=steps)
    np.testing.assert_allclose(found.predicted_vectors, found.measured_vectors, rtol=1e-9, atol=1e-14)
    assert np.all(found.error <= found.rounding)
    assert np.all(found.measured > 1e3 * found.rounding)
    assert np.isnan(found.memory_error).all() == (name.startswith("sgd"))
    if not name.startswith("sgd"):
        assert np.all(found.memory_error < 1e-13)


def test_closed_form_of_a_quadratic() -> None:
    """L_i = (θ − a_i)ᵀ A_i (θ − a_i) / 2: [V_i, V_j] = A_i A_j (θ − a_j) − A_j A_i (θ − a_i)."""
    rng = np.random.default_rng(0)
    roots, targets = rng.standard_normal((2, 3, 3)), rng.standard_normal((2, 3))
    model = torch.nn.Linear(3, 1, bias=False).double()

    def loss(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 0.5 * ((outputs[:, 0] - y) ** 2).sum()

    step = nne.TrainingStep(model, loss, nne.Optimizer(learning_rate=0.1))
    data = [(torch.from_numpy(r), torch.from_numpy(r @ a)) for r, a in zip(roots, targets, strict=True)]
    state = nne.initial_state(model)
    theta = state["parameters"]["weight"].numpy()[0]
    A, B = (r.T @ r for r in roots)
    bracket = A @ B @ (theta - targets[1]) - B @ A @ (theta - targets[0])
    found = nne.brackets(step, lambda i: data[i - 1], state, [(1, 2)], vectors=True)
    np.testing.assert_allclose(found.predicted_vectors[0], 0.01 * bracket, rtol=1e-10)
    np.testing.assert_allclose(found.measured_vectors[0], 0.01 * bracket, rtol=1e-8)
    assert found.bracket[0] == pytest.approx(np.linalg.norm(bracket))


@pytest.mark.parametrize("name", ["sgd with decay", "nesterov", "adamw"])
def test_the_bracket_has_the_decay_that_is_a_part_of_the_gradient(name: str) -> None:
    """V = −∇L − μθ, whatever the optimizer does with it; AdamW's decay does not belong to the gradient. For SGD the
    prediction is h² times the bracket."""
    found, h = swapped(name), 0.05
    decay = 0.0 if name == "adamw" else OPTIMIZERS[name]["weight_decay"]
    module, data = network()
    step = nne.TrainingStep(module, half, nne.Optimizer(learning_rate=h, weight_decay=decay))
    plain = nne.brackets(step, lambda i: nne.Batch(*data[i - 1], i), nne.initial_state(module), PAIRS)
    np.testing.assert_allclose(found.bracket, plain.bracket, rtol=1e-12)
    np.testing.assert_allclose(plain.predicted, h**2 * plain.bracket, rtol=1e-9)
    if decay:
        assert np.all(np.abs(plain.bracket / swapped("sgd").bracket - 1) > 1e-3)


def test_closed_form_of_momentum() -> None:
    """From rest, θ: h μ (g_i − g_j) + h² (H_i g_j − H_j g_i); velocity: (1 − μ)(g_i − g_j) − h (H_i g_j − H_j g_i)."""
    h, mu = 0.1, 0.7
    model = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.ones_(model.weight)
    step = nne.TrainingStep(model, half, nne.Optimizer(method="momentum", learning_rate=h, momentum=mu))
    data = [(torch.tensor([[1.0]]), torch.tensor([[0.0]])), (torch.tensor([[2.0]]), torch.tensor([[4.0]]))]
    found = nne.brackets(step, lambda i: data[i - 1], nne.initial_state(model), [(1, 2)], vectors=True)
    g, H = (1.0, -4.0), (1.0, 4.0)
    turn = H[0] * g[1] - H[1] * g[0]
    assert found.predicted_vectors[0, 0] == pytest.approx(h * mu * (g[0] - g[1]) + h * h * turn)
    assert found.memory_predicted[0] == pytest.approx(abs((1 - mu) * (g[0] - g[1]) - h * turn))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_error_is_of_third_order(name: str) -> None:
    """Halving h divides it by 8, up to terms of relative size h: between 2^2.5 and 2^3.5 at h = 1e-3."""
    errors = np.stack([swapped(name, h, steps=0).error for h in (1e-3, 5e-4)])
    orders = np.log2(errors[0] / errors[1])
    assert np.all(np.abs(orders - 3) < 0.5), orders


@pytest.mark.control
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_the_other_sign_is_no_prediction(name: str) -> None:
    """With the Jacobian term's sign flipped, what is left is twice that term, of order h² and not h³."""
    found, h = swapped(name, 1e-3), 1e-3
    half_way = swapped(name, h / 2)
    for a, b in ((found, half_way),):
        wrong = [np.linalg.norm(x.measured_vectors + x.predicted_vectors, axis=1) for x in (a, b)]
        assert np.all(np.log2(wrong[0] / wrong[1]) < 2.5)
        assert np.all(wrong[0] > 100 * a.error)
    assert np.all(found.cosine > 0.99)


def test_float32_says_that_rounding_hides_the_difference() -> None:
    found = swapped("sgd", 1e-4, dtype=torch.float32)
    assert found.dtype == "float32"
    assert np.all(found.rounding > 0.01 * found.measured)
    fine = swapped("sgd", 1e-4)
    assert fine.dtype == "float64"
    assert np.all(fine.rounding < 1e-4 * fine.measured)


@pytest.mark.parametrize("loss", [torch.nn.functional.mse_loss, torch.nn.functional.smooth_l1_loss])
def test_losses_of_torch(loss) -> None:
    module, data = network()
    step, state = nne.from_torch(module, loss, torch.optim.SGD(module.parameters(), lr=1e-3))
    found = nne.brackets(step, lambda i: data[i - 1], state, [(1, 2)])
    assert found.error[0] < 0.02 * found.measured[0]


def test_frozen_dropout_batch_norm_and_unused_parameters() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.3))
            self.head, self.unused = torch.nn.Linear(6, 4), torch.nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.tanh(self.body(x)))

    torch.manual_seed(0)
    model = Net()
    _, data = network()
    ready = [(x.float(), y.float()) for x, y in data]
    errors = []
    for h in (1e-3, 5e-4):
        optimizer = torch.optim.SGD(model.parameters(), lr=h, momentum=0.5, weight_decay=0.1)
        step, state = nne.from_torch(model, half, optimizer)
        kept = {part: {name: value.clone() for name, value in own.items()} for part, own in state.items()}
        found = nne.brackets(step, lambda i: nne.Batch(*ready[i - 1], i), state, [(1, 2)])
        errors.append(found.error[0])
        assert found.memory_measured[0] > 0
        assert all(torch.equal(state[part][name], value) for part, own in kept.items() for name, value in own.items())
    assert abs(np.log2(errors[0] / errors[1]) - 3) < 0.5
    assert found.dimension == sum(p.numel() for p in model.parameters())


def test_equal_batches_commute() -> None:
    module, data = network()
    step = nne.TrainingStep(module, half, nne.Optimizer(learning_rate=0.1))
    found = nne.brackets(step, lambda i: data[0], nne.initial_state(module), [(1, 2)])
    assert found.bracket[0] == found.predicted[0] == found.measured[0] == 0
    assert np.isnan(found.cosine[0])
    assert "cosine" not in str(found)
    found.plot()


def test_a_result_is_a_value_a_table_and_a_picture(tmp_path: Path) -> None:
    found = swapped("adam")
    assert found == swapped("adam") == pickle.loads(pickle.dumps(found)) != swapped("momentum")
    assert len(found) == len(PAIRS)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["pairs"] == [list(pair) for pair in PAIRS]
    found.to_csv(tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[0].startswith("i,j,bracket,predicted,measured,error,cosine")
    assert float(lines[3].split(",")[3]) == found.predicted[2]
    text = str(found).splitlines()
    assert text[0].startswith("T_i T_j - T_j T_i for Adam, 36 parameters, first step at t = 1 (float64)")
    assert len(text) == 2 + len(PAIRS)
    fig = found.plot(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    points = fig.axes[0].lines[1]
    np.testing.assert_array_equal(points.get_xdata(), found.predicted)
    np.testing.assert_array_equal(points.get_ydata(), found.measured)
    assert "h^2" not in fig.axes[0].get_xlabel()
    assert "h^2" in swapped("sgd").plot().axes[0].get_xlabel()
    with pytest.raises(ValueError, match="read-only"):
        found.measured[0] = 0


def test_what_has_no_brackets_is_refused() -> None:
    module, data = network()
    state = nne.initial_state(module)
    step = nne.TrainingStep(module, half, nne.Optimizer(learning_rate=0.1))
    batches = lambda i: data[i - 1]  # noqa: E731
    for pairs, says in (
        ([], "no pairs"),
        ([(1, 1)], "two different batches"),
        ([(0, 1)], "at least 1, got 0"),
        ([(1, 2, 3)], "two numbers"),
    ):
        with pytest.raises(ValueError, match=says):
            nne.brackets(step, batches, state, pairs)
    with pytest.raises(ValueError, match="position t"):
        nne.brackets(step, batches, state, [(1, 2)], t=0)
    with pytest.raises(TypeError, match="must be a state"):
        nne.brackets(step, batches, {}, [(1, 2)])
    with pytest.raises(TypeError, match="SGD, momentum, Adam or AdamW"):
        nne.brackets(lambda state, batch, t: state, batches, state, [(1, 2)])
    with pytest.raises(TypeError, match="function i -> B_i"):
        nne.brackets(step, data, state, [(1, 2)])


def test_one_pair_that_is_no_list_is_refused_with_an_example() -> None:
    model = torch.nn.Linear(2, 1)
    step, state = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    batches = nne.ArrayBatches(torch.randn(8, 2), torch.randn(8, 1), batch_size=4, seed=0)
    with pytest.raises(TypeError, match=r"such as \[\(1, 2\)\]"):
        nne.brackets(step, batches, state, (1, 2))


def test_a_state_with_memory_needs_its_position() -> None:
    """With t of another step, Adam's two steps are others; momentum and a fresh state need no position."""
    module, data = network()
    batches = lambda i: data[(i - 1) % len(data)]  # noqa: E731
    for method, refused in (("sgd", False), ("momentum", False), ("adam", True), ("adamw", True)):
        momentum = 0.9 if method == "momentum" else 0.0
        step = nne.TrainingStep(module, half, nne.Optimizer(method=method, learning_rate=0.01, momentum=momentum))
        start = nne.initial_state(module)
        assert len(nne.brackets(step, batches, start, [(1, 2)])) == 1
        later = step(step(start, batches(1), 1), batches(2), 2)
        if refused:
            with pytest.raises(ValueError, match=r"Adam's bias correction needs: give t=, .*n \+ 1 for iterate n"):
                nne.brackets(step, batches, later, [(1, 2)])
        assert nne.brackets(step, batches, later, [(1, 2)], t=3).t == 3
    decaying = nne.Optimizer(
        method="momentum", learning_rate=0.01, momentum=0.9, schedule=nne.Schedule(kind="inverse", horizon=10)
    )
    step = nne.TrainingStep(module, half, decaying)
    with pytest.raises(ValueError, match="which the schedule needs"):
        nne.brackets(step, batches, step(nne.initial_state(module), batches(1), 1), [(1, 2)])


@pytest.mark.parametrize(("low", "high"), [(2.1, 4.7), (1.02, 1.07), (2.1e-7, 8e-7), (1e-3, 0.9), (1e-9, 1e3)])
def test_every_axis_has_at_least_two_labels(low: float, high: float) -> None:
    figure = pytest.importorskip("matplotlib.figure")
    from nn_experiments.orders.bracket_table import _few_ticks

    axis = figure.Figure().subplots()
    axis.set(xscale="log", xlim=(low, high))
    _few_ticks(axis.xaxis)
    seen = [tick for tick in axis.xaxis.get_majorticklocs() if low <= tick <= high]
    labels = [axis.xaxis.get_major_formatter()(tick) for tick in seen]
    assert 2 <= len(set(labels)) == len(seen) <= 12, labels


def test_methods_are_written_as_their_names() -> None:
    pytest.importorskip("matplotlib")
    found = swapped("adam")
    assert "for Adam, " in str(found)
    assert found.plot().axes[0].get_title() == "Exchanging two batches, Adam"
