"""What `contraction.plots` exports and where it is defined; `contraction.lazy` reads this file."""

from contraction.plots.gallery import PLOTS as PLOTS, draw as draw, draw_all as draw_all
from contraction.plots.own_attractor import attractor as attractor
from contraction.plots.own_exponents import exponents as exponents
from contraction.plots.own_paths import paths as paths
from contraction.plots.own_rates import rates as rates
