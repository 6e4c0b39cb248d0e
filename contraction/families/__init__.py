"""Families of random operators, one a file, each with what is proved for it."""

from contraction.families.heavy_tails import Cauchy, Laplace, LogHeavy, Student
from contraction.families.linearized import LinearizedSGD
from contraction.families.noise import Gaussian, GaussianVector, Noise, TwoPoint, Uniform
from contraction.families.quadratic import QuadraticSGD

__all__ = [
    "Cauchy",
    "Gaussian",
    "GaussianVector",
    "Laplace",
    "LinearizedSGD",
    "LogHeavy",
    "Noise",
    "QuadraticSGD",
    "Student",
    "TwoPoint",
    "Uniform",
]
