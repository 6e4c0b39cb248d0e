"""Losses of one's own on symbols: what is refused, functions of whole arrays, and numbers of a row beside arrays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import contraction as ct
from contraction.families import OwnLossSteps


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda t, x: np.abs(t[0] - x), "absolute"),
        (lambda t, x: (t[0] - x) ** 0.5, "power 0.5"),
        (lambda t, x: t[0] * x if t[0] > 0 else x * t[1], "must not branch"),
        (lambda t, x: x * 2.0, "one number for one row"),
        (lambda t, x: t, r"return one number for one row of data, got an array of shape \(2,\)"),
    ],
)
def test_losses_without_an_enclosure_are_refused(loss, message):
    with pytest.raises(ct.MapRefused, match=message):
        OwnLossSteps(loss, ([1.0, 2.0],), 2, h=0.1, batches=[[0], [1]])


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda t, x: np.hypot(t, x).sum(), "a loss uses hypot, which has no enclosure"),
        (lambda t, x: np.abs(t).sum() * x, "a loss uses absolute"),
        (lambda t, x: np.var(t) * x, "a loss uses conjugate"),
        (lambda t, x: np.maximum(t, x).sum(), "a loss must not branch"),
        (lambda t, x: np.where(t == 0, 0, t).sum() * x, "a loss must not branch"),
        (lambda t, x: (t + None).sum() * x, "a loss uses add in a way that has no enclosure: .*NoneType"),
        (
            lambda t, x: np.logaddexp.reduce([t[0], t[1] * x]),
            "in arrays and NumPy's smooth functions: ufunc 'logaddexp'",
        ),
        (lambda t: t[0] ** 2, "a function of theta and one row of data, .* takes 1 positional argument"),
    ],
)
def test_what_numpy_cannot_do_with_symbols_is_refused_in_words(loss, message):
    with pytest.raises(ct.MapRefused, match=message):
        OwnLossSteps(loss, ([1.0, 2.0],), 2, h=0.1, batches=[[0], [1]])


ROW = np.array([[1.0, 2.0], [3.0, 1.0]])


@pytest.mark.parametrize(
    ("loss", "right", "wrong"),
    [
        (lambda t, x: np.logaddexp(0, x @ t), 2, 3),
        (lambda t, x: np.logaddexp(0, x @ t), 2, 1),
        (lambda t, x: t[2] * np.tanh(x @ t[:2]), 3, 2),
        (lambda t, x: np.sum(np.tanh(x @ t.reshape(2, 2))), 4, 5),
    ],
    ids=["too many for a product", "too few for a product", "too few for an index", "no matrix of that size"],
)
def test_a_number_of_parameters_that_does_not_fit_is_refused_by_name(loss, right, wrong):
    assert OwnLossSteps(loss, (ROW,), right, h=0.1, batches=[[0], [1]]).dim == right
    with pytest.raises(
        ValueError, match=rf"cannot be computed with dim={wrong} parameters: .*\(2,\) it raises"
    ) as error:
        OwnLossSteps(loss, (ROW,), wrong, h=0.1, batches=[[0], [1]])
    assert not isinstance(error.value, ct.MapRefused)


@pytest.mark.control
def test_a_function_that_symbols_do_not_have_is_no_question_of_the_number_of_parameters():
    with pytest.raises(ct.MapRefused, match="absolute"):
        OwnLossSteps(lambda t, x: np.abs(x @ t), (ROW,), 2, h=0.1, batches=[[0], [1]])


@pytest.mark.parametrize(
    "loss",
    [
        lambda t, x: np.logaddexp.reduce(x * t),
        lambda t, x: np.logaddexp(*(x * t)),
        lambda t, x: np.log(np.exp(x * t).sum()),
        lambda t, x: np.logaddexp(0, x * t)[0] + np.logaddexp(0, t * x)[1],
        lambda t, x: np.logaddexp(0, x * t).sum(),
        lambda t, x: special.expit(x * t).sum(),
        lambda t, x: np.add.reduce(np.tanh(t * x) ** 2) + np.mean(t),
    ],
)
def test_functions_of_whole_arrays_have_the_gradient_that_differences_have(loss):
    X = np.array([[1.0, 2.0], [3.0, -1.0]])
    family = OwnLossSteps(loss, (X,), 2, h=0.1, batches=[[0], [1]])
    theta, size = np.array([0.3, -0.2]), 1e-6
    for i, x in enumerate(X):
        slope = [(loss(theta + e, x) - loss(theta - e, x)) / (2 * size) for e in size * np.eye(2)]
        assert family.gradient(theta, np.array([i])) == pytest.approx(slope, rel=1e-8)


ROWS = {
    "θ times a number": lambda t, x, y: np.sum(np.tanh(t * x)),
    "a number times θ": lambda t, x, y: np.sum(np.tanh((-x) * t)),
    "θ plus a number": lambda t, x, y: np.sum(np.tanh(t + x)),
    "θ over a number": lambda t, x, y: np.sum(np.tanh(t / x)),
    "a number over θ": lambda t, x, y: np.sum(x / (2 + t * t)),
    "logaddexp": lambda t, x, y: np.logaddexp(x, t).sum() + np.logaddexp.reduce(t * x),
    "an entry of a row": lambda t, x, y: np.sum(np.tanh(y[0] * t)) + np.sum(y[1] * t),
    "functions of the row": lambda t, x, y: np.exp(y) @ t * np.exp(x) + np.mean(y) * t[0],
    "a list of symbols": lambda t, x, y: np.sum(np.tanh(x * np.array([t[0], 2 * t[1]]))),
    "an outer product": lambda t, x, y: np.sum(np.tanh(np.outer(y, t) * x)),
}


@pytest.mark.parametrize("loss", ROWS.values(), ids=ROWS)
def test_a_number_of_a_row_is_one_number_beside_an_array(loss):
    """As many rows as parameters, so that arrays over rows would fit to arrays over parameters."""
    X, Y = np.array([0.7, -1.3]), np.array([[1.0, 2.0], [3.0, -1.0]])
    family = OwnLossSteps(loss, (X, Y), 2, h=0.1, batches=[[0, 1], [1, 0]])
    theta, size = np.array([0.3, -0.4]), 1e-6
    slopes = [
        [(loss(theta + e, *row) - loss(theta - e, *row)) / (2 * size) for e in size * np.eye(2)]
        for row in zip(X, Y, strict=True)
    ]
    found = family.gradient(theta, np.array([0, 1]))
    assert found == pytest.approx(np.mean(slopes, axis=0), rel=1e-7)
    assert family.gradient(np.array([2 * theta, theta, 0 * theta]), np.array([0, 1]))[1] == pytest.approx(found)
    enclosed = family.step_enclosures(ct.RotatedBox(theta, [1e-3, 1e-3]))[0].gradient
    assert np.all(enclosed.contains(found) | (np.abs(enclosed.mid - found) <= enclosed.rad + 1e-14))


@pytest.mark.parametrize("loss", [lambda t, x: x[0] * t[0] + t[1] ** 2, lambda t, x: np.sum(x) * t[0] + t[1] ** 2])
def test_a_number_of_a_row_that_is_taken_for_an_array_is_refused(loss):
    OwnLossSteps(loss, ([0.7, -1.3],), 2, h=0.1, batches=[[0], [1]])  # of one row nothing can be mixed
    with pytest.raises(
        ct.MapRefused, match=r"written for one row of data, where a number is not an array: .* in place"
    ):
        OwnLossSteps(loss, ([0.7, -1.3],), 2, h=0.1, batches=[[0, 1]])


def logistic(theta, x, y):
    return np.log1p(np.exp(-y * theta[0] * x))


def test_a_parameter_that_the_loss_does_not_use_is_moved_by_weight_decay_alone():
    """So statements on it are true: with decay its map is multiplication by 1 - h ρ = 0.95, without it the identity."""
    data, batches = ([2.0, -1.0, 1.0, 2.0], [1.0, 1.0, 1.0, -1.0]), [[0, 1], [2, 3]]
    one = OwnLossSteps(logistic, data, 1, h=0.1, batches=batches, ridge=0.5)
    two = OwnLossSteps(logistic, data, 2, h=0.1, batches=batches, ridge=0.5)
    for rows in two.batches:
        assert two.apply(np.array([0.3, 0.7]), rows) == pytest.approx(
            [*one.apply(np.array([0.3]), rows), 0.95 * 0.7], rel=1e-14
        )
    region = ct.find_region(two, [0.0, 0.0])
    certificate = ct.certify(two, region.center, region=region)
    assert 0.95 <= certificate.k < 1


@pytest.mark.control
def test_without_weight_decay_such_a_parameter_has_no_certificate():
    data, batches = ([2.0, -1.0, 1.0, 2.0], [1.0, 1.0, 1.0, -1.0]), [[0, 1], [2, 3]]
    two = OwnLossSteps(logistic, data, 2, h=0.1, batches=batches)
    with pytest.raises(ct.NotCertified):
        ct.certify(two, [0.0, 0.0], region=ct.RotatedBox([0.0, 0.0], [0.5, 0.5]))
