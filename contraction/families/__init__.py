"""Families of random operators, one per module, each with its proved constants and closed forms."""

from contraction.families.bellman import BellmanOperators
from contraction.families.bernoulli import BernoulliConvolution
from contraction.families.constant_maps import ConstantMaps
from contraction.families.expanding import ExpandingOnAverage
from contraction.families.finite import FiniteFamily
from contraction.families.gradient_steps import GradientSteps
from contraction.families.heavy_ball import HeavyBall
from contraction.families.heavy_tails import Cauchy, Laplace, LogHeavy, Student
from contraction.families.index_laws import (
    IID,
    Cyclic,
    ExchangeableMixture,
    IndexLaw,
    Reshuffled,
    ShuffledOnce,
)
from contraction.families.least_squares import LeastSquares
from contraction.families.linearized import LinearizedSGD
from contraction.families.losses import DataLoss, RidgeLogisticLoss, RidgeLoss, SoftplusLoss
from contraction.families.markov_modulated import MarkovModulated
from contraction.families.noise import Gaussian, GaussianVector, Noise, TwoPoint, Uniform
from contraction.families.own_loss import OwnLossSteps
from contraction.families.own_noise import FunctionNoise, ScipyNoise
from contraction.families.page_rank import PageRank
from contraction.families.picard import PicardIteration
from contraction.families.prefix_maps import PrefixMaps
from contraction.families.quadratic import QuadraticSGD
from contraction.families.random_affine import AffineLaw, RandomAffine
from contraction.families.softmax_loss import RidgeSoftmaxLoss

__all__ = [
    "IID",
    "AffineLaw",
    "BellmanOperators",
    "BernoulliConvolution",
    "Cauchy",
    "ConstantMaps",
    "Cyclic",
    "DataLoss",
    "ExchangeableMixture",
    "ExpandingOnAverage",
    "FiniteFamily",
    "FunctionNoise",
    "Gaussian",
    "GaussianVector",
    "GradientSteps",
    "HeavyBall",
    "IndexLaw",
    "Laplace",
    "LeastSquares",
    "LinearizedSGD",
    "LogHeavy",
    "MarkovModulated",
    "Noise",
    "OwnLossSteps",
    "PageRank",
    "PicardIteration",
    "PrefixMaps",
    "QuadraticSGD",
    "RandomAffine",
    "Reshuffled",
    "RidgeLogisticLoss",
    "RidgeLoss",
    "RidgeSoftmaxLoss",
    "ScipyNoise",
    "ShuffledOnce",
    "SoftplusLoss",
    "Student",
    "TwoPoint",
    "Uniform",
]
