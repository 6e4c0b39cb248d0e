"""Appendix D.2.1 (rows 68, 69): both readings of the settings, in exact numbers."""

from __future__ import annotations

import numpy as np
import pytest

from contraction.statements.appendix_d import regulariser_settings as statement


@pytest.mark.parametrize("case", list(statement.cases(np.random.default_rng(0), "standard")))
def test_settings(case):
    verdict = statement.check(**case)
    assert verdict, verdict


def test_readings_differ():
    verdict = statement.check_printed()
    assert verdict, verdict
    assert verdict.ratio == pytest.approx(16)


@pytest.mark.control
def test_swapped_rates_are_caught(monkeypatch):
    real = statement.ex.regularised_step
    swapped = {"h": "h/c", "h/c": "h"}
    monkeypatch.setattr(
        statement.ex, "regularised_step", lambda f, theta, h, lam, rate: real(f, theta, h, lam, rate=swapped[rate])
    )
    assert not statement.check(3, 0)


@pytest.mark.control
def test_with_one_batch_the_readings_agree():
    assert not statement.check_printed(c=1)
