"""One or more of every family, with the start that their tests use."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from contraction import families as fam

_rng = np.random.default_rng(20250204)
X, Y = _rng.standard_normal((6, 3)), _rng.standard_normal(6)
LABELS = np.where(Y < 0, -1.0, 1.0)
H = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 3.0]])
COV = np.array([[1.0, 0.3, 0.0], [0.3, 2.0, 0.5], [0.0, 0.5, 0.5]])
TRANSITIONS = _rng.dirichlet(np.ones(4), size=(4, 2))
REWARDS = _rng.standard_normal((4, 2))
LINKS = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0]])
HALF = Fraction(1, 2)
ONES = np.ones(3)

# name -> (family, start)
EXAMPLES = {
    "quadratic, uniform": (fam.QuadraticSGD(0.3, fam.Uniform(-1, 2), 3), ONES),
    "quadratic, gaussian": (fam.QuadraticSGD(1.7, fam.Gaussian(0.5), 1), np.array([2.0])),
    "quadratic, h = 1": (fam.QuadraticSGD(1.0, fam.TwoPoint(0, 1), 2), np.array([2.0, -1.0])),
    "quadratic, expanding": (fam.QuadraticSGD(-0.05, fam.Laplace(), 2), np.array([2.0, -1.0])),
    "linearized, two points": (fam.LinearizedSGD([1.0, 0.0, -1.0], H, 0.4, fam.TwoPoint(-1, 1)), ONES),
    "linearized, correlated": (fam.LinearizedSGD([1.0, 0.0, -1.0], H, 0.4, fam.GaussianVector(COV)), ONES),
    "ridge": (fam.GradientSteps(fam.RidgeLoss(X, Y, 0.3), 0.15, 4), ONES),
    "ridge, batches": (fam.GradientSteps(fam.RidgeLoss(X, Y, 0.3), 0.15, batches=[[0, 1], [2, 3], [4, 5]]), ONES),
    "logistic": (fam.GradientSteps(fam.RidgeLogisticLoss(X, LABELS, 0.3), 0.5, 2), ONES),
    "softmax": (
        fam.GradientSteps(fam.RidgeSoftmaxLoss(X, [0, 1, 2, 2, 1, 0], 0.3), 0.5, batches=[[0, 1, 2], [3, 4, 5]]),
        np.ones(9),
    ),
    "softplus": (fam.GradientSteps(fam.SoftplusLoss(X, Y, 0.3, 2.0), 0.5, 1), ONES),
    "own loss": (
        fam.OwnLossSteps(
            lambda theta, x, y: np.log1p(np.exp(-y * np.tanh(x @ theta))),
            (X, LABELS),
            3,
            h=0.3,
            batches=[[0, 1], [2, 3], [4, 5]],
            ridge=0.1,
        ),
        ONES,
    ),
    "constant": (
        fam.ConstantMaps([[0, 0], [1, 2], [3, -1]], [HALF, Fraction(1, 4), Fraction(1, 4)]),
        np.array([5.0, 5.0]),
    ),
    "bernoulli, uniform": (fam.BernoulliConvolution(HALF), np.array([0.25])),
    "bernoulli, signs": (fam.BernoulliConvolution(0.7, (-1, 1)), np.array([0.25])),
    "finite, matrices": (fam.FiniteFamily([(0.3 * COV, [1, 0, 0]), (np.eye(3) / 3, [0, 1, 2])], [0.25, 0.75]), ONES),
    "finite, shuffled": (fam.FiniteFamily([(HALF, 0), (Fraction(1, 3), 1)], law=fam.Reshuffled(2)), np.array([1.0])),
    "finite, functions": (
        fam.FiniteFamily([np.sin, np.cos, lambda x: x / 3 + 1], lipschitz=[1, 1, 1 / 3], dim=2),
        np.array([0.5, -2.0]),
    ),
    "random affine, numbers": (fam.RandomAffine([0.5, -0.2], [[1.0, 2.0], [0.0, 1.0]]), np.array([1.0, 1.0])),
    "random affine, diagonals": (fam.RandomAffine([[0.5, 0.1], [0.2, -0.9]], [[1.0, 2.0], [0.0, 1.0]]), np.zeros(2)),
    "random affine, law": (
        fam.RandomAffine.from_law(
            lambda rng: (rng.uniform(-0.5, 0.5, (2, 2)), rng.uniform(0, 1, 2)), 2, contraction=1.0
        ),
        np.zeros(2),
    ),
    "heavy ball": (fam.HeavyBall([1.0, 2.0], 0.3, 0.8, fam.Uniform(-1, 2)), np.array([1.0, 0.0, 0.5, 0.0])),
    "expanding, linear": (fam.ExpandingOnAverage(), np.array([1.0])),
    "expanding, sine": (
        fam.ExpandingOnAverage([1.5, 0.2], [0.25, 0.75], fam.Uniform(-1, 1), "sine"),
        np.array([2.0]),
    ),
    "least squares": (fam.LeastSquares(X[:2], Y[:2], 0.1), ONES),
    "least squares, noise": (fam.LeastSquares(X[:2], Y[:2], 0.1, 1, fam.Uniform(-1, 1)), ONES),
    "least squares, pairs": (fam.LeastSquares(X[:3], Y[:3], 0.1, 2, fam.Uniform(-1, 1)), ONES),
    "prefixes": (fam.PrefixMaps([(0,), (1, 2), (1, 1, 1)], base=3), np.array([5], dtype=object)),
    "bellman": (fam.BellmanOperators(REWARDS, TRANSITIONS, 0.9, fam.Uniform(-1, 1)), np.zeros(4)),
    "bellman, expected": (fam.BellmanOperators(REWARDS, TRANSITIONS, 0.5, fam.TwoPoint(), sampled=False), np.ones(4)),
    "page rank": (fam.PageRank(LINKS), np.full(4, 0.25)),
    "picard": (fam.PicardIteration(np.linspace(0, 2, 9), 2.0, fam.Uniform(-2, 2), fam.TwoPoint(-1, 1)), np.zeros(9)),
}
NAMES = sorted(EXAMPLES)
