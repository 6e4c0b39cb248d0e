"""Families of random operators, one a file, each with what is proved for it."""

from contraction.families.noise import Gaussian, Noise, Uniform
from contraction.families.quadratic import QuadraticSGD

__all__ = ["Gaussian", "Noise", "QuadraticSGD", "Uniform"]
