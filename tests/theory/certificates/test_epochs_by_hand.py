"""Epochs of two quadratic losses on an interval: how far they lead, and what is said where they leave a box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contraction.certificates.region import _of_epochs
from contraction.certificates.region_epochs import epoch_bounds
from contraction.families import OwnLossSteps, Reshuffled
from contraction.maps.domains import RotatedBox
from contraction.maps.errors import NotCertified
from contraction.maps.intervals import Intervals

FAILURE = NotCertified("single maps fail")


def steps(h: float = 0.01, **options: Any) -> OwnLossSteps:
    """Steps on (t - 1)² and (t + 1)², each once in every epoch."""
    return OwnLossSteps(
        lambda t, x: (t[0] - x) ** 2, ([1.0, -1.0],), 1, **{"h": h, "batches": [[0], [1]], "law": Reshuffled, **options}
    )


def box(radius: float = 10.0, center: float = 0.0) -> RotatedBox:
    return RotatedBox(np.array([center]), np.array([radius]))


def test_how_far_an_epoch_leads() -> None:
    """On 5/4 of the box steps of 1/100 lead by (2 + 25)/100 and (2 + 50)/100; aside by 2/100 of the first."""
    epoch = epoch_bounds(steps(), box())
    assert epoch.wide.radii == pytest.approx([12.5], rel=1e-14)
    assert epoch.drift == pytest.approx([0.52], rel=1e-12)
    assert epoch.aside == pytest.approx([0.02 * 0.27], rel=1e-12)
    assert epoch.rate == pytest.approx(0.02, rel=1e-14)
    assert epoch.image(np.array([10.0])) == pytest.approx([9.6 + 0.0054], rel=1e-12)
    assert 0.98**2 <= epoch.factor() <= 0.98**2 * (1 + 1e-12)


def test_a_box_is_widened_until_an_epoch_stays_in_it() -> None:
    """With h = 1/10 an epoch leads by 0.4 w + 0.2 from a box whose steps stay within w; w = 1.1 (r + s) then grows."""
    epoch = epoch_bounds(steps(0.1), box())
    w = 12.5
    while 10 + 0.4 * w + 0.2 > w:
        w = 1.1 * (10 + 0.4 * w + 0.2)
    assert epoch.wide.radii == pytest.approx([w], rel=1e-9)
    assert epoch.drift == pytest.approx([0.4 * w + 0.2], rel=1e-9)
    with pytest.raises(NotCertified, match="the steps of an epoch may lead further and further: out of "):
        epoch_bounds(steps(0.3), box())
    with pytest.raises(NotCertified, match="has no epochs"):
        epoch_bounds(steps(law=None), box())


def test_the_certificate_of_an_epoch() -> None:
    found = _of_epochs(steps(), box(), Intervals([3.0]), FAILURE)
    assert found.k == pytest.approx(0.9604, rel=1e-12)
    assert abs(found.D - 0.52) < 1e-12
    assert found.constants["reach"].value == pytest.approx(13.0, rel=1e-12)
    assert found.constants["k"].source == "factor of 2 maps over the box that no epoch leaves"
    assert found.hypotheses[0].startswith(
        "every epoch of 2 maps, in any order, sends the box into itself (at most 0.96054 "
    )


def test_where_an_epoch_does_not_stay() -> None:
    """Off their middle the losses pull: 0.02 · 2 · 9 beside 0.96 of the radius 1 lead out of the box."""
    with pytest.raises(NotCertified) as outside:
        _of_epochs(steps(), box(1.0, 9.0), Intervals([0.0]), FAILURE)
    w = 1.25
    s1, s2 = 0.01 * (20 + 2 * w), 0.01 * (36 + 4 * w)
    while 1 + s2 > w:
        w = 1.1 * (1 + s2)
        s1, s2 = 0.01 * (20 + 2 * w), 0.01 * (36 + 4 * w)
    reach = 0.96 + 0.36 + 0.02 * s1
    text = outside.value.hypothesis
    assert text.startswith("region not invariant: an epoch may send coordinate 0 of the box to ")
    assert float(text.split("box to ")[1].split(" r_0")[0]) == pytest.approx(reach, rel=1e-6)
    assert float(text.split("of which ")[1].split(" r_0")[0]) == pytest.approx(0.02 * s1, rel=1e-2)
    assert outside.value.tried == ("every single map (single maps fail)",)


@pytest.mark.parametrize(("start", "inside"), [(9.479, True), (9.481, False), (-9.481, False)])
def test_an_unfinished_epoch_stays_in_the_box(start: float, inside: bool) -> None:
    """From 9.48 it may lead by 0.52 to the edge at 10."""
    if inside:
        assert _of_epochs(steps(), box(), Intervals([start]), FAILURE).certified
    else:
        with pytest.raises(NotCertified, match=r"coordinate 0 may reach 1\.0001 r_0"):
            _of_epochs(steps(), box(), Intervals([start]), FAILURE)
