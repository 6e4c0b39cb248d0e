"""A certificate holds for one start, one family and one metric: it knows them, and is refused for others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contraction.certificates.error_bound import ErrorBound
from contraction.maps.comparing import shown
from contraction.maps.constants import Constant
from contraction.maps.errors import MapRefused, NotCertified
from contraction.maps.operators import RandomOperator, drawn
from contraction.maps.points import apply_read_only
from contraction.maps.probe_checks import points_around
from contraction.maps.spaces import Space
from contraction.maps.support import probabilities

__all__ = ["check_certified_for", "signed"]

MAPS, SEED = 8, 0x5EED  # so many maps are compared, drawn with this seed
UNANSWERED = (ArithmeticError, LookupError, NotCertified, MapRefused, RuntimeError, TypeError, ValueError)
LISTED = 64  # so many maps of a list are compared, too


def signed(bound: ErrorBound, family: RandomOperator, start: NDArray, space: Space | None = None) -> ErrorBound:
    """Return the bound with its start, its metric (default: the family's), and what tells the family from others.

    These are images of the start and of points around it under a few maps, and the numbers that the family states.
    """
    metric = family.space if space is None else space
    return replace(
        bound,
        start=start,
        images=_images(family, start)[0],
        stated=_stated(family, start),
        metric=metric if repr(metric) == bound.distance else None,
    )


def _images(family: RandomOperator, start: NDArray) -> tuple[NDArray, NDArray]:
    """Images (points, maps, *event) of the start and of points around it, NaN where a map has none, and their rounding.

    The maps are some that are drawn and some of those that the family lists.
    """
    points = [start, *points_around(family, start, None)]
    support = family.finite_support() or []
    chosen = np.unique(np.linspace(0, len(support) - 1, min(len(support), LISTED)).astype(int))
    draws = [T.draw for T in drawn(family, MAPS, SEED)] + [support[i][1] for i in chosen]
    images = np.full((len(points), len(draws), *start.shape), np.nan)
    room = np.zeros(images.shape)
    with np.errstate(all="ignore"):
        for i, x in enumerate(points):
            for j, draw in enumerate(draws):
                try:
                    image = np.asarray(apply_read_only(family, x.copy(), draw, "a map"))
                    images[i, j] = image.astype(float)
                except UNANSWERED:  # outside the domain of the map
                    continue
                digits = np.finfo(image.dtype).eps if image.dtype.kind == "f" else np.finfo(float).eps
                sizes = [np.max(np.abs(v.astype(float)), initial=0.0) for v in (x, image)]
                room[i, j] = digits**0.75 * max(sizes)  # other machines sum in another order
    return images, room


def _stated(family: RandomOperator, start: NDArray) -> NDArray:
    """Return the numbers that the family states: k, D, factors of maps, and probabilities."""

    def number(ask: Callable[[], Constant | ArrayLike | None]) -> float:
        try:
            found = ask()
            found = found.value if isinstance(found, Constant) else found
            return math.nan if found is None else float(np.max(np.asarray(found, dtype=float)))
        except UNANSWERED:
            return math.nan

    factors = [number(lambda T=T: family.lipschitz(T.draw)) for T in drawn(family, MAPS, SEED)]
    support = family.finite_support()
    weights = None if support is None else probabilities(support)
    k, D = number(lambda: family.contraction), number(lambda: family.displacement(start))
    return np.array([k, D, *factors, *([] if weights is None else weights)])


def check_certified_for(bound: ErrorBound, family: RandomOperator, start: NDArray) -> None:
    """Refuse a certificate of another start, of another metric or of another family.

    Families are compared through images of a few points under some of their maps, drawn and listed, and through the
    numbers that they state, so that an equal family passes. Two families that differ elsewhere only are not told apart.
    Metrics are compared with ``==``. Bounds of drawn maps and estimates are not certificates of the limit, and are left
    to the caller.

    Raises
    ------
    NotCertified
        If the start or the family is another one, or not known.
    ValueError
        If the metric is another one, or not known.
    """
    if bound.horizon is not None or not bound.certified:
        return
    if bound.distance != repr(family.space):
        raise ValueError(f"eps is in the family's metric {family.space!r}, the certificate in {bound.distance}")
    if bound.start is None or bound.images is None or bound.stated is None:
        raise NotCertified("the start of the certificate is not known", ("a certificate of certify(family, theta0)",))
    if bound.metric is None or bound.metric != family.space:
        raise ValueError(
            f"eps is in the family's metric {family.space!r}, the certificate in another one that is written alike, or "
            "in one that was lost when it was copied: certify this family, or give both families the same space"
        )
    if not np.array_equal(np.asarray(bound.start, dtype=float), np.asarray(start, dtype=float)):
        raise NotCertified(
            f"the certificate is for iterates from {shown(bound.start)}, not from theta0 = {shown(start)}",
            ("certify(family, theta0)", "certify(family, other, start=theta0)"),
        )
    images, room = _images(family, start)
    stated = _stated(family, start)
    if not (_near(images, bound.images, room) and _near(stated, bound.stated, 2.0**-40 * np.abs(stated))):
        raise NotCertified(f"the certificate is for another family than {family!r}", ("certify(family, theta0)",))


def _near(a: NDArray, b: NDArray, room: NDArray) -> bool:
    """Whether two arrays agree to ``room``; NaN and infinity agree with themselves only."""
    if a.shape != b.shape:
        return False
    with np.errstate(invalid="ignore"):
        return bool(np.all((a == b) | (np.isnan(a) & np.isnan(b)) | (np.isfinite(room) & (np.abs(a - b) <= room))))
