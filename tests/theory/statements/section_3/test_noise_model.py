"""Section 3.2 (row 53): what the noise of batches is, exactly, and when the additive model holds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraction.families import LeastSquares, LinearizedSGD
from contraction.statements.section_3 import noise_model as statement

fractions = st.fractions(-2, 2, max_denominator=4)


@given(d=st.integers(1, 2), m=st.integers(1, 3), h=st.fractions(0, 3, max_denominator=5), data=st.data())
def test_decomposition(d, m, h, data):
    vector = st.lists(fractions, min_size=d, max_size=d)
    x = data.draw(st.lists(vector, min_size=m, max_size=m))
    labels = data.draw(st.lists(fractions, min_size=m, max_size=m))
    verdict = statement.check(x, data.draw(vector), labels, data.draw(vector), h)
    assert verdict, verdict


@given(rows=st.lists(st.integers(1, 5), min_size=2, max_size=4, unique=True), away=st.integers(1, 9))
def test_batches_of_unequal_curvature_are_not_the_model(rows, away):
    assert statement.check_printed([[r] for r in rows], [1] * len(rows), Fraction(away))


def test_interpolation_leaves_no_additive_noise():
    """Remark 2.3's batches do not move θ*: additive noise of any strength would."""
    verdict = statement.check([[1, 2], [0, 1]], [1, 1], [0, 0], [1, 1], Fraction(1, 2))
    assert verdict
    assert verdict.measured == 0


@pytest.mark.control
def test_equal_curvatures_are_the_model():
    """Batches (θ ± y)²/2 have one Hessian: there the additive model is exact."""
    assert not statement.check_printed(((1,), (-1,)), (1, 2))


def failing_parts() -> set[str]:
    verdicts = [statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard")]
    return {verdict.part for verdict in verdicts if not verdict}


@pytest.mark.control
def test_maps_with_another_gradient_are_caught(monkeypatch):
    """The library's maps of one batch replaced by those of the next, of twice the step, and of noisy labels."""
    real = LeastSquares.apply
    for wrong in (
        lambda self, theta, draw: real(self, theta, np.stack([(draw[0] + 1) % len(self.X), draw[1]])),
        lambda self, theta, draw: 2 * real(self, theta, draw) - theta,
        lambda self, theta, draw: real(self, theta, np.stack([draw[0], 1e-6 * draw[0]])),
    ):
        monkeypatch.setattr(LeastSquares, "apply", wrong)
        assert "maps at θ" in failing_parts()


@pytest.mark.control
def test_additive_noise_that_depends_on_the_parameter_is_caught(monkeypatch):
    monkeypatch.setattr(LinearizedSGD, "offset", lambda self, draw: self.h * draw * (1 + 1e-9), raising=True)
    assert failing_parts() == {"additive family at θ"}
    monkeypatch.undo()
    real = LinearizedSGD.apply
    monkeypatch.setattr(LinearizedSGD, "apply", lambda self, theta, draw: real(self, theta, draw * (1 + theta**2)))
    assert failing_parts() == {"additive family at θ"}


@pytest.mark.control
def test_noise_taken_at_the_wrong_point_is_caught(monkeypatch):
    real = statement.noises
    monkeypatch.setattr(statement, "noises", lambda x, y, theta: real(x, y, theta + (1 if np.any(theta) else 0)))
    verdicts = [statement.check(**case) for case in statement.cases(np.random.default_rng(0), "standard")]
    assert not all(verdicts)
