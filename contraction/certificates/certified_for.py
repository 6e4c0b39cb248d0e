"""A certificate holds for one start, one family and one metric: it knows them, and is refused for others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contraction.certificates.error_bound import ErrorBound
from contraction.maps.comparing import shown
from contraction.maps.errors import NotCertified
from contraction.maps.operators import RandomOperator, drawn

__all__ = ["check_certified_for", "signed"]

MAPS, SEED = 8, 0x5EED  # so many maps are compared, drawn with this seed


def signed(bound: ErrorBound, family: RandomOperator, start: NDArray) -> ErrorBound:
    """Return the bound with its start, and with the images of the start under a few maps of the family."""
    return replace(bound, start=start, images=_images(family, start))


def _images(family: RandomOperator, start: NDArray) -> NDArray:
    with np.errstate(all="ignore"):
        return np.stack([np.asarray(T(start.copy())) for T in drawn(family, MAPS, SEED)]).astype(float)


def check_certified_for(bound: ErrorBound, family: RandomOperator, start: NDArray) -> None:
    """Refuse a certificate of another start, of another metric or of another family.

    Families are compared through images of the start under a few maps, so that an equal family passes. Bounds of drawn
    maps and estimates are not certificates of the limit, and are left to the caller.

    Raises
    ------
    NotCertified
        If the start or the family is another one, or not known.
    ValueError
        If the metric is another one.
    """
    if bound.horizon is not None or not bound.certified:
        return
    if bound.distance != repr(family.space):
        raise ValueError(f"eps is in the family's metric {family.space!r}, the certificate in {bound.distance}")
    if bound.start is None or bound.images is None:
        raise NotCertified("the start of the certificate is not known", ("a certificate of certify(family, theta0)",))
    if not np.array_equal(np.asarray(bound.start, dtype=float), np.asarray(start, dtype=float)):
        raise NotCertified(
            f"the certificate is for iterates from {shown(bound.start)}, not from theta0 = {shown(start)}",
            ("certify(family, theta0)", "certify(family, other, start=theta0)"),
        )
    images = _images(family, start)
    if images.shape != bound.images.shape or not np.allclose(images, bound.images, rtol=1e-6, atol=0, equal_nan=True):
        raise NotCertified(f"the certificate is for another family than {family!r}", ("certify(family, theta0)",))
