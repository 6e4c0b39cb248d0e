"""Pictures of the paper's examples by name, and of any family of maps; matplotlib is imported when one is drawn.

`rates`, `paths`, `attractor` and `exponents` draw a family of your own into matplotlib axes. `draw` and `draw_all` draw
the pictures in `PLOTS`, as ``python -m contraction rates`` does. Names are loaded on first use.
"""

from contraction.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
