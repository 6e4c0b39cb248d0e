"""Forward and backward training of networks: any order of the steps, any model."""

from contraction.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
