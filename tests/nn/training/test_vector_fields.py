"""Networks as flat vector fields: layouts, products, series, and the regularised step, against plain torch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from contraction import expansions as ex  # noqa: E402
from nn_experiments.training.order_averaging import regularised, regularised_module_step  # noqa: E402
from nn_experiments.training.vector_fields import (  # noqa: E402
    Layout,
    batch_coupled_layers,
    loss_field,
    loss_fields,
    module_loss,
    split_batch,
    tensor_field,
)

# torch's own forward mode compiles a few rules on first use in a way that torch has deprecated
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")


def vector(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.from_numpy(rng.standard_normal(shape))


def network(seed: int = 0, batches: int = 3, rows: int = 4):
    """A tanh network of 21 parameters in float64, with its mean squared loss, parameters and batches."""
    rng = np.random.default_rng(seed)
    module = torch.nn.Sequential(
        torch.nn.utils.skip_init(torch.nn.Linear, 3, 4),
        torch.nn.Tanh(),
        torch.nn.utils.skip_init(torch.nn.Linear, 4, 1),
    ).double()
    parameters = {name: vector(rng, *p.shape) for name, p in module.named_parameters()}
    data = [(vector(rng, rows, 3), vector(rng, rows)) for _ in range(batches)]
    loss = module_loss(module, lambda outputs, targets: 0.5 * ((outputs[:, 0] - targets) ** 2).mean())
    return module, loss, parameters, data


def losses_on_vectors(loss, data, layout):
    return [lambda v, batch=batch: loss(layout.unflatten(v), batch) for batch in data]


def test_layout_there_and_back():
    _, _, parameters, _ = network()
    layout = Layout.of(parameters)
    theta = layout.flatten(parameters)
    assert theta.shape == (layout.dimension,) == (21,)
    back = layout.unflatten(theta)
    assert list(back) == list(parameters)
    assert all(torch.equal(back[k], parameters[k]) for k in parameters)
    nested = {"encoder": {"w": torch.ones(2, 3)}, "b": torch.zeros(())}
    layout = Layout.of(nested)
    assert torch.equal(layout.unflatten(layout.flatten(nested) + 1)["encoder"]["w"], torch.full((2, 3), 2.0))
    assert layout.unflatten(layout.flatten(nested))["b"].shape == ()


def test_layout_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="no parameters"):
        Layout.of({})
    with pytest.raises(TypeError, match="floating"):
        Layout.of({"steps": torch.tensor(1)})
    layout = Layout.of({"a": torch.ones(2)})
    with pytest.raises(ValueError, match="shape"):
        layout.unflatten(torch.ones(3))
    with pytest.raises(ValueError, match="other names or shapes"):
        layout.flatten({"a": torch.ones(3)})
    with pytest.raises(ValueError, match="other names or shapes"):
        layout.flatten({"b": torch.ones(2)})
    two = Layout.of({"a": torch.ones(2), "b": torch.ones(1, 2)})
    for wrong in ({"a": torch.ones(2), "b": torch.ones(2)}, {"a": torch.ones(1, 2), "b": torch.ones(1, 2)}):
        with pytest.raises(ValueError, match="other names or shapes"):  # one of the two is enough
            two.flatten(wrong)
    assert two.flatten({"b": torch.ones(1, 2), "a": torch.zeros(2)}).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_products_equal_dense_hessians_by_all_routes():
    _, loss, parameters, data = network()
    layout = Layout.of(parameters)
    theta, v = layout.flatten(parameters), vector(np.random.default_rng(1), 21)
    for scalar, field in zip(losses_on_vectors(loss, data, layout), loss_fields(loss, data, layout), strict=True):
        hessian = torch.autograd.functional.hessian(scalar, theta)
        gradient = torch.autograd.functional.jacobian(scalar, theta)
        value, product = field.linearized(theta)
        torch.testing.assert_close(field(theta), -gradient, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(value, -gradient, rtol=1e-12, atol=1e-13)
        for result in (field.jvp(theta, v), product(v), product(v), field.derivative(theta, (v,))):
            torch.testing.assert_close(result, -hessian @ v, rtol=1e-12, atol=1e-13)
            assert not result.requires_grad


def test_series_equal_the_recurrences_in_numpy():
    """The same network in `contraction.expansions`, whose series are written out by hand."""
    _, loss, parameters, data = network()
    layout = Layout.of(parameters)
    fields = loss_fields(loss, data, layout)
    theta = layout.flatten(parameters)
    theirs = [ex.tanh_network_field(x.numpy(), y.numpy(), 4) for x, y in data]
    # rows of (W | b), then a, a_0: a permutation of the module's order
    order = np.concatenate(
        [np.concatenate([np.arange(3 * i, 3 * i + 3), [12 + i]]) for i in range(4)] + [np.arange(16, 21)]
    )
    for word in ((1, 2, 3), (3, 2, 1), (2, 2)):
        ours = ex.word_series(fields, word, theta, 4)
        assert isinstance(ours, torch.Tensor)
        np.testing.assert_allclose(
            ours.numpy()[:, order], ex.word_series(theirs, word, theta.numpy()[order], 4), rtol=1e-9, atol=1e-10
        )
    trees = ex.word_coefficients(fields, (1, 2, 3), theta, 3)
    for p, coefficient in enumerate(trees, start=1):
        torch.testing.assert_close(coefficient, ex.word_series(fields, (1, 2, 3), theta, 3)[p], rtol=1e-10, atol=1e-11)


def test_a_field_that_is_no_gradient_keeps_its_jvp():
    a = torch.tensor([[0.0, 2.0], [-1.0, 0.5]], dtype=torch.float64)
    field = tensor_field(lambda x: a @ torch.tanh(x))
    theta, v = torch.tensor([0.3, -0.4], dtype=torch.float64), torch.tensor([1.0, 2.0], dtype=torch.float64)
    jacobian = a * (1 - torch.tanh(theta) ** 2)
    torch.testing.assert_close(field.jvp(theta, v), jacobian @ v)
    torch.testing.assert_close(field.linearized(theta)[1](v), jacobian @ v)
    assert not torch.allclose(jacobian @ v, jacobian.T @ v)
    series = ex.word_series([field], (1, 1), theta, 2)
    torch.testing.assert_close(series[2], jacobian @ field(theta))


def test_a_linear_loss_has_no_curvature():
    slope = torch.tensor([1.0, -2.0])
    value, product = loss_field(lambda x: slope @ x).linearized(torch.zeros(2))
    assert torch.equal(value, -slope)
    assert torch.equal(product(torch.ones(2)), torch.zeros(2))


def test_streaming_and_reach_take_networks():
    _, loss, parameters, data = network(batches=4)
    layout = Layout.of(parameters)
    fields, theta = loss_fields(loss, data, layout), layout.flatten(parameters)
    streams = [ex.ApproximateBackward(theta, 0.01, variant) for variant in ("dense", "replay")]
    for field in fields:
        for stream in streams:
            stream.step(field)
    once = ex.approximate_backward_iterate(fields, theta, 0.01)
    for stream in streams:
        torch.testing.assert_close(stream.iterate, once, rtol=1e-12, atol=1e-12)
    series = ex.difference_coefficients(fields, (1, 2, 3, 4), (4, 3, 2, 1), theta, 2)
    torch.testing.assert_close(series[1], streams[0].correction, rtol=1e-10, atol=1e-11)
    reach = ex.correction_reach(fields, theta, [1e-3, 1e-2], at=(4,), orders=(1, 2, 3))
    assert np.all(reach.errors[1:, 0, 0] < reach.errors[:-1, 0, 0])


def test_regularised_step_ascends_the_alignment_of_the_batch_gradients():
    """θ + rate V_B + λ∇R with R = Σ_{i<j} ⟨g_i, g_j⟩ differentiated by autograd, in both readings."""
    _, loss, parameters, _ = network()
    rng = np.random.default_rng(7)
    h, c, multiple = 0.05, 3, 2.0
    batch = (vector(rng, 6, 3), vector(rng, 6))
    state = {"parameters": parameters, "buffers": {"count": torch.tensor(3)}}
    layout = Layout.of(parameters)
    leaf = layout.flatten(parameters).requires_grad_()
    losses = [loss(layout.unflatten(leaf), part) for part in split_batch(batch, c)]
    gradients = [torch.autograd.grad(value, leaf, create_graph=True)[0] for value in losses]
    alignment = sum(gradients[i] @ gradients[j] for i in range(c) for j in range(i))
    (ascent,) = torch.autograd.grad(alignment, leaf, retain_graph=True)
    (gradient,) = torch.autograd.grad(loss(layout.unflatten(leaf), batch), leaf)
    for rate, unit, step_size, lam in (
        ("h", "h", h, 2 * h * h),
        ("h/c", "h", h / c, 2 * h * h),
        ("h", "h/c", h, 2 * (h / c) ** 2),
        ("h", "derived", h, (h / c) ** 2),
    ):
        expected = leaf.detach() - step_size * gradient + lam * ascent
        for hold in (True, False):
            step = regularised(loss, h=h, c=c, multiple=multiple, unit=unit, rate=rate, hold=hold)
            moved = step(state, batch, 1)
            torch.testing.assert_close(layout.flatten(moved["parameters"]), expected, rtol=1e-12, atol=1e-12)
            assert moved["buffers"] is state["buffers"]
            assert not any(p.requires_grad for p in moved["parameters"].values())
        given = regularised(loss, h=h, c=c, lam=lam, rate=rate)(state, batch, 5)
        torch.testing.assert_close(layout.flatten(given["parameters"]), expected, rtol=1e-12, atol=1e-12)
        descent = leaf.detach() - step_size * gradient - lam * ascent  # control: the other sign is far away
        assert (descent - expected).norm() > 1e-6


def test_regularised_step_refuses_what_has_no_meaning():
    module, loss, parameters, data = network()
    state = {"parameters": parameters}
    with pytest.raises(ValueError, match="exactly one"):
        regularised(loss, h=0.1, c=2)
    with pytest.raises(ValueError, match="exactly one"):
        regularised(loss, h=0.1, c=2, lam=0.1, multiple=1)
    with pytest.raises(ValueError, match="at least 2"):
        regularised(loss, h=0.1, c=1, lam=0.1)
    with pytest.raises(ValueError, match="positive"):
        regularised(loss, h=0.0, c=2, lam=0.1)
    with pytest.raises(ValueError, match="at least 0"):
        regularised(loss, h=0.1, c=2, lam=-0.1)
    with pytest.raises(ValueError, match="rate"):
        regularised(loss, h=0.1, c=2, lam=0.1, rate="large")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="3 equal parts"):
        regularised(loss, h=0.1, c=3, lam=0.1)(state, data[0], 1)
    coupled = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    assert batch_coupled_layers(coupled) == ["1"]
    assert batch_coupled_layers(coupled.eval()) == []
    assert batch_coupled_layers(module) == []
    with pytest.raises(ValueError, match="normalises over the batch"):
        regularised_module_step(coupled.train(), torch.nn.functional.mse_loss, h=0.1, c=2, lam=0.1)


def test_module_step_is_the_step_of_its_loss():
    module, loss, parameters, data = network()
    criterion = lambda outputs, targets: 0.5 * ((outputs[:, 0] - targets) ** 2).mean()  # noqa: E731
    before = {name: p.clone() for name, p in module.named_parameters()}
    one = regularised_module_step(module, criterion, h=0.1, c=2, multiple=1.0)({"parameters": parameters}, data[0], 1)
    two = regularised(loss, h=0.1, c=2, multiple=1.0)({"parameters": parameters}, data[0], 1)
    assert all(torch.equal(one["parameters"][k], two["parameters"][k]) for k in parameters)
    for name, parameter in module.named_parameters():  # never initialised, so they may hold NaN
        assert torch.allclose(before[name], parameter, rtol=0, atol=0, equal_nan=True)


def test_split_batches():
    x = torch.arange(6)
    assert [part.tolist() for part in split_batch(x, 3)] == [[0, 1], [2, 3], [4, 5]]
    assert split_batch({"x": x, "y": x}, 2)[1]["y"].tolist() == [3, 4, 5]
    assert split_batch([x, x], 2)[0][1].tolist() == [0, 1, 2]
    for bad in (x[:5], torch.tensor(1.0), torch.ones(0)):
        with pytest.raises(ValueError, match="2 equal parts"):
            split_batch(bad, 2)
    with pytest.raises(ValueError, match="number of parts"):
        split_batch(x, 0)
    with pytest.raises(ValueError, match="must be a tensor"):
        split_batch(np.ones(4), 2)


@pytest.mark.control
def test_batch_normalisation_breaks_the_sum_over_parts():
    """Row 63: with batch statistics the large batch's gradient is not the mean of its parts' gradients."""
    rng = np.random.default_rng(0)
    for norm, holds in ((torch.nn.BatchNorm1d(4, track_running_stats=False), False), (torch.nn.Identity(), True)):
        module = torch.nn.Sequential(
            torch.nn.utils.skip_init(torch.nn.Linear, 3, 4),
            norm,
            torch.nn.Tanh(),
            torch.nn.utils.skip_init(torch.nn.Linear, 4, 1),
        ).double()
        parameters = {name: vector(rng, *p.shape) for name, p in module.named_parameters()}
        layout = Layout.of(parameters)
        theta = layout.flatten(parameters)
        loss = module_loss(module, lambda outputs, targets: ((outputs[:, 0] - targets) ** 2).mean())
        batch = (vector(rng, 8, 3), vector(rng, 8))
        (large,) = loss_fields(loss, [batch], layout)
        small = loss_fields(loss, split_batch(batch, 2), layout)
        gap = (large(theta) - (small[0](theta) + small[1](theta)) / 2).norm()
        assert bool(gap < 1e-12) == holds
