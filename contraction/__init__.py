"""Random contractions, their forward and backward iterates, certificates and laws.

The theory of "Training in reverse" (arXiv, 4 February 2025) as a toolkit. Names are loaded when first used, so that
``import contraction`` and `contraction.maps.orders` cost nothing; ``__init__.pyi`` lists them.
"""

from contraction.lazy import attach

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = attach(__name__, __file__)
