"""Row 85: what a certified region states holds at random points; each wrong claim fails by its own part."""

from __future__ import annotations

from fractions import Fraction

import pytest

from contraction.statements.section_2 import certified_region as statement


@pytest.mark.parametrize(("kind", "seed"), [("linear", 11), ("neuron", 12), ("epochs", 13)])
def test_networks_of_random_data(kind, seed):
    verdict = statement.check(kind, seed)
    assert verdict, verdict.failure


def test_the_counterexample_leaves_the_box():
    verdict = statement.check_printed()
    assert verdict.holds
    assert verdict.measured == float(Fraction(61, 60))
    assert not statement.check_printed(Fraction(0)).holds


@pytest.mark.control
def test_controls_are_detected():
    for control in statement.CONTROLS:
        assert control.detected(0), control.wrong
