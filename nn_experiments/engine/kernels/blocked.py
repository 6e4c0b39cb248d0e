"""Compiled passes through one layer for batches of four and more: blocks of 4 × 4, so that products take the time."""

from __future__ import annotations

import numpy as np

from nn_experiments.engine.kernels.compiling import compiled

__all__ = ["backward", "forward", "through_activation"]


@compiled
def _activation(value, relu):  # pragma: no cover - compiled
    if relu:
        return value if value > 0 or value != value else value * 0
    return np.tanh(value)


@compiled
def through_activation(below, under, relu):  # pragma: no cover - compiled
    """Multiply the error of a layer's inputs by the slope of the activation that gave them."""
    for j in range(below.shape[0]):
        for k in range(below.shape[1]):
            a = below[j, k]
            if relu:
                if a <= 0:
                    under[j, k] = 0
            else:
                under[j, k] *= 1 - a * a


@compiled
def forward(weight, bias, below, above, last, relu):  # pragma: no cover - compiled
    """Two rows of the weights times four of the batch at once, so that products, not loads, take the time."""
    outs, ins = weight.shape
    rows = below.shape[0]
    fours = rows - rows % 4
    for o in range(0, outs - outs % 2, 2):
        v, w = weight[o], weight[o + 1]
        for j in range(0, fours, 4):
            a, b, c, d = below[j], below[j + 1], below[j + 2], below[j + 3]
            va = vb = vc = vd = bias[o]
            wa = wb = wc = wd = bias[o + 1]
            for k in range(ins):
                va += v[k] * a[k]
                vb += v[k] * b[k]
                vc += v[k] * c[k]
                vd += v[k] * d[k]
                wa += w[k] * a[k]
                wb += w[k] * b[k]
                wc += w[k] * c[k]
                wd += w[k] * d[k]
            above[j, o], above[j + 1, o], above[j + 2, o], above[j + 3, o] = va, vb, vc, vd
            above[j, o + 1], above[j + 1, o + 1], above[j + 2, o + 1], above[j + 3, o + 1] = wa, wb, wc, wd
    for j in range(rows):
        for o in range(0 if j >= fours else outs - outs % 2, outs):
            total = bias[o]
            for k in range(ins):
                total += weight[o, k] * below[j, k]
            above[j, o] = total
    if not last:
        for j in range(rows):
            for o in range(outs):
                above[j, o] = _activation(above[j, o], relu)


@compiled
def _pass_down(weight, error, under, o, j):  # pragma: no cover - compiled
    """Add to four rows of the error below what four units of the layer pass down."""
    p, q, r, s = weight[o], weight[o + 1], weight[o + 2], weight[o + 3]
    for i in range(j, j + 4, 2):
        x, y = under[i], under[i + 1]
        xp, xq, xr, xs = error[i, o], error[i, o + 1], error[i, o + 2], error[i, o + 3]
        yp, yq, yr, ys = error[i + 1, o], error[i + 1, o + 1], error[i + 1, o + 2], error[i + 1, o + 3]
        for k in range(weight.shape[1]):
            x[k] += xp * p[k] + xq * q[k] + xr * r[k] + xs * s[k]
            y[k] += yp * p[k] + yq * q[k] + yr * r[k] + ys * s[k]


@compiled
def _change(weight, below, error, o, j, h):  # pragma: no cover - compiled
    """Change four rows of the weights by four items of the batch."""
    a, b, c, d = below[j], below[j + 1], below[j + 2], below[j + 3]
    for i in range(o, o + 4, 2):
        x, y = weight[i], weight[i + 1]
        xa, xb, xc, xd = h * error[j, i], h * error[j + 1, i], h * error[j + 2, i], h * error[j + 3, i]
        i += 1
        ya, yb, yc, yd = h * error[j, i], h * error[j + 1, i], h * error[j + 2, i], h * error[j + 3, i]
        for k in range(weight.shape[1]):
            x[k] -= xa * a[k] + xb * b[k] + xc * c[k] + xd * d[k]
            y[k] -= ya * a[k] + yb * b[k] + yc * c[k] + yd * d[k]


@compiled
def _backward_one(weight, bias, below, error, under, first, h, o, j):  # pragma: no cover - compiled
    """One unit and one item: nothing to pass on and nothing to change where a ReLU is off."""
    delta = error[j, o]
    if delta != 0:
        if not first:
            for k in range(weight.shape[1]):
                under[j, k] += delta * weight[o, k]
        bias[o] -= h * delta


@compiled
def _change_one(weight, below, error, h, o, j):  # pragma: no cover - compiled
    delta = h * error[j, o]
    if delta != 0:
        for k in range(weight.shape[1]):
            weight[o, k] -= delta * below[j, k]


@compiled
def backward(weight, bias, below, error, under, first, relu, h):  # noqa: C901 - unrolled by hand
    """Read each row of the weights once: its share of the error below with the old values, then its update."""
    outs = weight.shape[0]
    rows = error.shape[0]
    fours = rows - rows % 4
    blocks = outs - outs % 4 if fours else 0
    if not first:
        under[:] = 0
    for o in range(0, blocks, 4):
        for j in range(0, fours, 4):
            if not first:
                _pass_down(weight, error, under, o, j)
        for i in range(o, o + 4):
            for j in range(fours):
                bias[i] -= h * error[j, i]
            for j in range(fours, rows):
                _backward_one(weight, bias, below, error, under, first, h, i, j)
        for j in range(0, fours, 4):
            _change(weight, below, error, o, j, h)
        for i in range(o, o + 4):
            for j in range(fours, rows):
                _change_one(weight, below, error, h, i, j)
    for o in range(blocks, outs):
        for j in range(rows):
            _backward_one(weight, bias, below, error, under, first, h, o, j)
        for j in range(rows):
            _change_one(weight, below, error, h, o, j)
    if not first:
        through_activation(below, under, relu)
