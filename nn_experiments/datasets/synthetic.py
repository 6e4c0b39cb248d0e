"""Data that needs no download: the functions of Figures 4 to 6 and scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

__all__ = ["FUNCTIONS", "digits", "regression"]

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "square": lambda x: x**2,
    "cosine": lambda x: np.cos(10 * x),
    "cube": lambda x: x**3,
}


def regression(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (train x, train y, test x, test y) of appendix A.1, float64, shapes (101, 1) and (100, 1).

    Training points are x_i = −1 + 2i/100, i = 0, …, 100. The paper does not describe the test set; here it is
    the 100 midpoints between them.
    """
    function = FUNCTIONS[name]
    train = np.arange(-50, 51)[:, None] / 50.0
    test = np.arange(-99, 100, 2)[:, None] / 100.0
    return train, function(train), test, function(test)


def digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return scikit-learn's digits as ((train images, labels), (test images, labels)), 8×8 uint8, 0 … 16.

    Every fifth image in scikit-learn's order is a test image: 1438 and 359.

    Raises
    ------
    ModuleNotFoundError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the data set digits is part of scikit-learn (pip install scikit-learn)") from error
    pixels, classes = cast(tuple[np.ndarray, np.ndarray], load_digits(return_X_y=True))
    images, labels = pixels.reshape(-1, 8, 8).astype(np.uint8), classes.astype(np.int64)
    test = np.arange(len(images)) % 5 == 4
    return (images[~test], labels[~test]), (images[test], labels[test])
