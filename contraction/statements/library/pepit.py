"""The worst-case factor of one gradient step by PEPit's semidefinite program, where PEPit is installed."""

from __future__ import annotations

import importlib.util
import math

__all__ = ["SOLVER_ERROR", "installed", "worst_factor"]

SOLVER_ERROR = 1e-4  # relative; semidefinite solvers stop at about 1e-6 of the squared factor


def installed() -> bool:
    """Whether PEPit can be imported."""
    return importlib.util.find_spec("PEPit") is not None


def worst_factor(m: float, M: float, h: float) -> float:
    """Return the largest ‖x' - y'‖/‖x - y‖ of x' = x - h∇f(x) over m-strongly convex f with M-Lipschitz gradient.

    PEPit (Goujaud et al., 2022) finds it as a semidefinite program that knows interpolation inequalities and nothing of
    eigenvalues.
    """
    from PEPit import PEP  # pyright: ignore[reportMissingImports]
    from PEPit.functions import SmoothStronglyConvexFunction  # pyright: ignore[reportMissingImports]

    problem = PEP()
    f = problem.declare_function(SmoothStronglyConvexFunction, mu=m, L=M)
    x, y = problem.set_initial_point(), problem.set_initial_point()
    problem.set_initial_condition((x - y) ** 2 <= 1)
    problem.set_performance_metric((x - h * f.gradient(x) - y + h * f.gradient(y)) ** 2)
    return math.sqrt(problem.solve(verbose=0))
