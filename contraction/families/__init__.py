"""Families of random operators, one a file, each with what is proved for it."""

from contraction.families.bernoulli import BernoulliConvolution
from contraction.families.constant_maps import ConstantMaps
from contraction.families.finite import FiniteFamily
from contraction.families.heavy_tails import Cauchy, Laplace, LogHeavy, Student
from contraction.families.index_laws import (
    IID,
    Cyclic,
    ExchangeableMixture,
    IndexLaw,
    MarkovModulated,
    Reshuffled,
    ShuffledOnce,
)
from contraction.families.linearized import LinearizedSGD
from contraction.families.noise import Gaussian, GaussianVector, Noise, TwoPoint, Uniform
from contraction.families.quadratic import QuadraticSGD

__all__ = [
    "IID",
    "BernoulliConvolution",
    "Cauchy",
    "ConstantMaps",
    "Cyclic",
    "ExchangeableMixture",
    "FiniteFamily",
    "Gaussian",
    "GaussianVector",
    "IndexLaw",
    "Laplace",
    "LinearizedSGD",
    "LogHeavy",
    "MarkovModulated",
    "Noise",
    "QuadraticSGD",
    "Reshuffled",
    "ShuffledOnce",
    "Student",
    "TwoPoint",
    "Uniform",
]
