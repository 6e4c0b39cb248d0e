"""Bad input to families: each is refused with the rule and the value."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import contraction as ct
from contraction import families as fam

X, Y = np.ones((4, 2)), np.ones(4)
RIDGE = fam.RidgeLoss(X, Y)
HALF = Fraction(1, 2)
P = np.full((2, 1, 2), 0.5)

CASES = {
    "h nan": (lambda: fam.QuadraticSGD(math.nan), r"learning rate h must be a finite number, got nan"),
    "h text": (lambda: fam.LinearizedSGD([0.0], [[1.0]], "a"), r"learning rate h must be a finite number, got 'a'"),
    "dim 0": (lambda: fam.QuadraticSGD(0.1, dim=0), r"dim must be an integer of at least 1, got 0"),
    "dim bool": (lambda: fam.QuadraticSGD(0.1, dim=True), r"dim must be an integer of at least 1, got True"),
    "noise dim": (
        lambda: fam.QuadraticSGD(0.1, fam.GaussianVector(np.eye(2)), 3),
        r"noise has 2 coordinates, .* dim=3",
    ),
    "H asymmetric": (
        lambda: fam.LinearizedSGD([0.0, 0.0], [[1.0, 2.0], [0.0, 1.0]], 0.1),
        r"H must be symmetric, got 2.0 at \(0, 1\) and 0.0 at \(1, 0\)",
    ),
    "H shape": (
        lambda: fam.LinearizedSGD([0.0, 0.0], np.eye(3), 0.1),
        r"H must have shape \(2, 2\), got shape \(3, 3\)",
    ),
    "H nan": (lambda: fam.LinearizedSGD([0.0], [[math.nan]], 0.1), r"H must have finite entries, got nan at \(0, 0\)"),
    "theta_star shape": (lambda: fam.LinearizedSGD(np.eye(2), np.eye(2), 0.1), r"theta_star must have shape \(any\)"),
    "theta_star inf": (lambda: fam.LinearizedSGD([math.inf], [[1.0]], 0.1), r"finite entries, got inf at \(0,\)"),
    "no maps": (lambda: fam.FiniteFamily([]), r"at least one map, got none"),
    "no points": (lambda: fam.ConstantMaps([]), r"at least one map, got none"),
    "weights": (lambda: fam.FiniteFamily([(0, 0), (0, 1)], [HALF, Fraction(1, 3)]), r"sum to one, got .* with sum 5/6"),
    "float weights": (lambda: fam.FiniteFamily([(0, 0), (0, 1)], [0.5, 0.6]), r"sum to one, got \[0.5, 0.6\]"),
    "weights count": (lambda: fam.FiniteFamily([(0, 0)], [HALF, HALF]), r"one entry per map, got 2 for 1 maps"),
    "negative weight": (lambda: fam.ConstantMaps([0, 1], [-1, 2]), r"weights must be >= 0, got Fraction\(-1, 1\)"),
    "two laws": (lambda: fam.FiniteFamily([(0, 0)], [1], law=fam.IID(1)), r"pass weights or law, not both"),
    "mixed maps": (lambda: fam.FiniteFamily([(0, 0), np.sin]), r"all functions or all pairs"),
    "pair shapes": (
        lambda: fam.FiniteFamily([(np.eye(2), [1, 2, 3])]),
        r"on 3 coordinates .* got shapes \(2, 2\) and \(3,\)",
    ),
    "pair nan": (lambda: fam.FiniteFamily([(0.5, math.nan)]), r"A and b must have finite entries"),
    "finite dim": (lambda: fam.FiniteFamily([(0.5, [1.0, 2.0])], dim=1), r"act on 2 coordinates, but dim is 1"),
    "lipschitz count": (lambda: fam.FiniteFamily([np.sin], lipschitz=[1, 1]), r"one entry per map, got 2 for 1"),
    "lipschitz sign": (lambda: fam.FiniteFamily([np.sin], lipschitz=[-1]), r"Lipschitz constants must be >= 0"),
    "three values": (lambda: fam.BernoulliConvolution(HALF, (0, 1, 2)), r"needs two values, got 3"),
    "bernoulli h": (lambda: fam.BernoulliConvolution(math.inf), r"learning rate h must be a finite number, got inf"),
    "affine count": (lambda: fam.RandomAffine([0.5, 0.5], [1.0]), r"got 2 linear parts and 1 offsets"),
    "affine law": (
        lambda: fam.RandomAffine.from_law(lambda rng: (np.eye(3), np.zeros(2)), 2).sample(1)[0](np.zeros(2)),
        r"A of shape \(\), \(2,\) or \(2, 2\) and b \(2,\), got \(3, 3\) and \(2,\)",
    ),
    "X nan": (lambda: fam.RidgeLoss([[math.nan]], [0.0]), r"X must have finite entries"),
    "y shape": (lambda: fam.RidgeLoss(X, np.ones(3)), r"y must have shape \(4\), got shape \(3,\)"),
    "X empty": (lambda: fam.RidgeLoss(np.ones((0, 2)), []), r"X must have shape \(any, any\), got shape \(0, 2\)"),
    "ridge": (lambda: fam.RidgeLoss(X, Y, -1.0), r"ridge rho must be a finite number >= 0, got -1.0"),
    "labels": (lambda: fam.RidgeLogisticLoss(X, [0, 1, 1, 1]), r"logistic labels must be -1 or 1, got 0.0"),
    "sharpness": (lambda: fam.SoftplusLoss(X, Y, 0.0, 0.0), r"sharpness must be a finite number > 0, got 0.0"),
    "no loss": (lambda: fam.GradientSteps(3, 0.1), r"loss must be a DataLoss"),
    "batch too large": (lambda: fam.GradientSteps(RIDGE, 0.1, 5), r"at most 4 rows, got 5"),
    "batch 0": (lambda: fam.GradientSteps(RIDGE, 0.1, 0), r"batch_size must be an integer of at least 1, got 0"),
    "two batches": (lambda: fam.GradientSteps(RIDGE, 0.1, 1, batches=[[0]]), r"batch_size or batches, not both"),
    "no batches": (lambda: fam.GradientSteps(RIDGE, 0.1, batches=[]), r"at least one batch, got none"),
    "ragged": (lambda: fam.GradientSteps(RIDGE, 0.1, batches=[[0], [1, 2]]), r"equal length, got shapes"),
    "row numbers": (lambda: fam.GradientSteps(RIDGE, 0.1, batches=[[0, 4]]), r"row numbers 0 … 3, got 0 … 4"),
    "heavy ball H": (lambda: fam.HeavyBall([[1.0, 2.0], [0.0, 1.0]], 0.1, 0.9), r"H must be symmetric"),
    "beta": (lambda: fam.HeavyBall(1.0, 0.1, math.nan), r"momentum beta must be a finite number, got nan"),
    "factors": (lambda: fam.ExpandingOnAverage([math.nan]), r"a factor K must be a finite number, got nan"),
    "no factors": (lambda: fam.ExpandingOnAverage([]), r"at least one"),
    "shape": (lambda: fam.ExpandingOnAverage(shape="cosine"), "shape must be one of linear, sine; got 'cosine'"),
    "label noise": (
        lambda: fam.LeastSquares(X, Y, 0.1, 1, fam.GaussianVector(np.eye(2))),
        r"label noise must be a law on R",
    ),
    "empty prefix": (lambda: fam.PrefixMaps([()]), r"non-empty sequence of letters 0 … 1, got \(\)"),
    "letter": (lambda: fam.PrefixMaps([(2,)]), r"letters 0 … 1, got \(2,\)"),
    "no prefix": (lambda: fam.PrefixMaps([]), r"at least one prefix"),
    "float words": (
        lambda: fam.PrefixMaps().sample(1)[0](np.array([0.5])),
        r"exact integers, got points of dtype float64",
    ),
    "transitions": (lambda: fam.BellmanOperators([[0.0], [0.0]], P * 0.9), r"sum to one over the successor"),
    "rewards shape": (lambda: fam.BellmanOperators([0.0], P), r"rewards must have shape \(any, any\)"),
    "discount": (lambda: fam.BellmanOperators([[0.0], [0.0]], P, -0.5), r"discount gamma must be >= 0, got -0.5"),
    "links": (lambda: fam.PageRank([[0, -1], [1, 0]]), r"links must be >= 0, got -1.0"),
    "links shape": (lambda: fam.PageRank(np.ones((2, 3))), r"square matrix, got shape \(2, 3\)"),
    "damping": (lambda: fam.PageRank(np.ones((2, 2)), 1.5), r"damping c must be in \[0, 1\], got 1.5"),
    "teleport": (lambda: fam.PageRank(np.ones((2, 2)), 0.5, [0.5, 0.6]), r"teleport must .* sum 1.1"),
    "off the simplex": (lambda: fam.PageRank(np.ones((2, 2))).displacement(np.ones(2)), r"entries >= 0 with sum 1"),
    "grid": (lambda: fam.PicardIteration([1.0, 0.0]), r"strictly increasing"),
    "vector slope": (
        lambda: fam.PicardIteration([0.0, 1.0], slope=fam.GaussianVector(np.eye(2))),
        r"slope must be a law on R",
    ),
    "start nan": (
        lambda: ct.forward_iterates(fam.QuadraticSGD(0.1).sample(2), math.nan),
        r"start must not contain NaN",
    ),
    "start shape": (
        lambda: ct.forward_iterates(fam.QuadraticSGD(0.1, dim=3).sample(2), np.zeros(2)),
        r"points with 3 coordinates, got a start of shape \(2,\)",
    ),
    "negative N": (
        lambda: fam.QuadraticSGD(0.1).sample(-1),
        r"number of maps n must be an integer of at least 0, got -1",
    ),
    "negative seed": (
        lambda: fam.QuadraticSGD(0.1).sample(1, seed=-1),
        r"seed must be an integer of at least 0, got -1",
    ),
    "no replicas": (
        lambda: fam.QuadraticSGD(0.1).sample(1, replicas=0),
        r"replicas must be an integer of at least 1",
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_refused(name):
    make, message = CASES[name]
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@pytest.mark.control
def test_counterexamples_can_be_built():
    """Whether a theorem's hypotheses hold is for certify to say: these constructors do not refuse."""
    for family in (
        fam.QuadraticSGD(3.0),
        fam.QuadraticSGD(-0.1),
        fam.LinearizedSGD([0.0, 0.0], np.diag([-1.0, 4.0]), 0.4),
        fam.HeavyBall([100.0], 1.0, 2.0),
        fam.BellmanOperators([[0.0], [0.0]], P, 1.5),
        fam.PageRank(np.ones((2, 2)), 1.0),
        fam.GradientSteps(RIDGE, 10.0),
        fam.FiniteFamily([(3, 0)]),
    ):
        assert family.contraction.value >= 1 or isinstance(family, fam.PageRank)
