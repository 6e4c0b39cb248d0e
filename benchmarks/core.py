"""Speed of the theory core against the obvious way: ``python -m benchmarks.core --out DIR [--quick]``.

All backward iterates n = 1 … N by the plain double loop cost N(N+1)/2 maps. Run with one thread a process
(OMP_NUM_THREADS=1) for numbers that compare.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

import contraction as ct
from benchmarks._measure import Result, compare, seconds, write_results
from contraction.families import LinearizedSGD, QuadraticSGD
from contraction.maps.draws import map_generator

SEED = 0


def double_loop(operators: ct.Operators, start: np.ndarray, last: int, first: int = 1) -> np.ndarray:
    """Backward iterates first … last by restarts, with nothing but the family's own map."""
    apply, draws = operators.family.apply, [operators.draws[i] for i in range(last)]
    rows = np.empty((last - first + 1, *start.shape))
    for n in range(first, last + 1):
        theta = start
        for j in range(n - 1, -1, -1):
            theta = apply(theta, draws[j])
        rows[n - first] = theta
    return rows


def drawn(family: ct.RandomOperator, n: int) -> ct.Operators:
    """Sampled maps whose draws are already in memory."""
    operators = family.sample(n, seed=SEED)
    for i in range(n):
        operators.draws[i]
    return operators


def own_matrices(d: int) -> ct.RandomOperator:
    def draw(rng):
        A = rng.normal(size=(d, d))
        return 0.9 * A / np.linalg.norm(A, 2), rng.normal(size=d)

    return ct.RandomOperator(draw=draw, apply=lambda theta, m: theta @ m[0].T + m[1], affine=lambda m: m)


def common_symmetric(d: int) -> ct.RandomOperator:
    rng = np.random.default_rng(SEED)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    H = Q * np.linspace(0.1, 1.0, d) @ Q.T
    return LinearizedSGD(theta_star=np.zeros(d), H=(H + H.T) / 2, h=0.5)


def elementwise(kind: str, d: int) -> ct.RandomOperator:
    maps: dict[str, Callable] = {
        "arithmetic": lambda theta, u: 0.5 * theta + u,
        "tanh": lambda theta, u: np.tanh(0.5 * theta + u),
        "sin": lambda theta, u: 0.5 * np.sin(theta) + u,
    }
    return ct.RandomOperator(draw=lambda rng: rng.uniform(-1, 1, d), apply=maps[kind])


def against_double_loop(name: str, family: ct.RandomOperator, d: int, n: int, goal: float) -> Result:
    """The plain loop runs the last tenth of the iterates (19 % of its maps) and is scaled by counted maps."""
    operators, start = drawn(family, n), np.zeros(d)
    first = n - n // 10
    share = (n * (n + 1) - first * (first - 1)) / (n * (n + 1))
    fast = ct.backward_iterates(operators, start)
    plain = double_loop(operators, start, n, first)
    if not np.allclose(fast[first:], plain, rtol=1e-9, atol=1e-9):
        raise AssertionError(f"{name}: the fast path does not give the iterates of the double loop")
    return compare(
        name,
        lambda: ct.backward_iterates(operators, start),
        lambda: double_loop(operators, start, n, first),
        goal,
        settings=f"N={n}, d={d}; loop timed on iterates {first}..{n}, scaled by maps",
        fraction=share,
    )


def replicas(copies: int, n: int) -> Result:
    operators = QuadraticSGD(0.1).sample(n, seed=SEED, replicas=copies)
    return compare(
        "replicas: forward and backward / drawing",
        lambda: ct.paired_iterates(operators, 1.0, at=[n]),
        lambda: [map_generator(SEED, i).standard_normal((copies, 1)) for i in range(n)],
        1.5,
        settings=f"{copies} copies of n={n} scalar iterates, Gaussian noise",
        at_least=False,
    )


def exact_laws(n: int) -> Result:
    """Words a second for both laws, forward and backward, of two maps, and their comparison."""
    from contraction.families import BernoulliConvolution
    from contraction.laws import compare_orders

    family, words = BernoulliConvolution(), 2 * 2**n
    spent = min(seconds(lambda: compare_orders(family, n, 0)) for _ in range(3))
    result = Result("exact laws: words a second", spent, None, words / spent, 1e6, True, f"{words} words of length {n}")
    print(result, flush=True)
    return result


def replicas_of_own_maps(copies: int, n: int) -> Result:
    """A scalar family of one's own with ``draw(rng, size)`` against NumPy by hand."""
    family = ct.RandomOperator(
        lambda rng, size: rng.standard_normal((size, 1)), lambda x, u: 0.9 * x + u, vectorized=True
    )

    def by_hand() -> np.ndarray:
        draws = [map_generator(SEED, i).standard_normal((copies, 1)) for i in range(n)]
        x = np.zeros((copies, 1))
        for u in reversed(draws):
            x = 0.9 * x + u
        return x

    return compare(
        "replicas: own map with draw(rng, size) / by hand",
        lambda: ct.backward_iterates(family.sample(n, seed=SEED, replicas=copies), 0.0, at=[n]),
        by_hand,
        3,
        settings=f"{copies} copies of n={n} scalar iterates",
        at_least=False,
    )


def forward_rows(n: int) -> Result:
    """All forward rows of a map that is not affine, against a plain loop."""
    operators = drawn(ct.RandomOperator(lambda rng: rng.uniform(-1, 1, 1), lambda x, u: 0.5 * np.sin(x) + u), n)

    def loop() -> np.ndarray:
        x, rows = np.zeros(1), [np.zeros(1)]
        for i in range(n):
            x = operators.family.apply(x, operators.draws[i])
            rows.append(x)
        return np.array(rows)

    return compare(
        "forward rows / plain loop",
        lambda: ct.forward_iterates(operators, 0.0),
        loop,
        3,
        settings=f"N={n}, d=1",
        at_least=False,
    )


def wide_search(d: int) -> Result:
    """Seconds of a certificate with a declared factor in dimension d: the search makes no d x d matrix."""
    family = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1, d) / np.sqrt(d),
        lambda x, u: 0.5 * np.sin(x) + u,
        contraction=0.5,
        displacement=1.0,
    )
    spent = seconds(lambda: ct.certify(family, np.zeros(d)))
    result = Result(f"certify, declared factor, d={d}: seconds", spent, None, spent, 30, False, "one run")
    print(result, flush=True)
    return result


def help_time() -> Result:
    command = [sys.executable, "-m", "contraction", "--help"]
    spent = min(seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(5))
    result = Result("python -m contraction --help, seconds", spent, None, spent, 0.3, False, "best of 5")
    print(result, flush=True)
    return result


def peak_memory(n: int, d: int) -> Result:
    """Peak allocation of the wavefront at 2N over that at N: O(N d) means 2, a table of all chains would mean 4."""

    def peak(last: int) -> int:
        operators = drawn(elementwise("arithmetic", d), last)
        tracemalloc.start()
        ct.backward_iterates(operators, np.zeros(d))
        bytes_used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return bytes_used

    low, high = peak(n), peak(2 * n)
    result = Result(
        "wavefront: peak memory, 2N against N", high, low, high / low, 2.2, False, f"N={n}, d={d}", unit="B"
    )
    print(result, flush=True)
    return result


def growth(folder: Path, quick: bool) -> None:
    """Seconds for all backward iterates against N and d, fast and plain, as one plot."""
    from contraction.plots.style import BACKWARD, CLAIM, FORWARD, OTHER, figure, save, style

    horizons = (125, 250, 500, 1000) if quick else (125, 250, 500, 1000, 2000, 4000)
    dims = (2, 5, 10, 20, 50) if quick else (2, 5, 10, 20, 50, 100)
    kinds = (
        ("matrices of their own", own_matrices, BACKWARD, "o"),
        ("one common symmetric matrix", common_symmetric, OTHER, "s"),
        ("wavefront, tanh", lambda d: elementwise("tanh", d), FORWARD, "^"),
    )

    def backward(family: ct.RandomOperator, n: int, d: int) -> float:
        operators = drawn(family, n)
        return seconds(lambda: ct.backward_iterates(operators, np.zeros(d)), 3)

    def looped(n: int) -> float:
        operators = drawn(elementwise("tanh", 10), n)
        return seconds(lambda: double_loop(operators, np.zeros(10), n))

    with style():
        fig, (left, right) = figure(1, 2, height=3.4)
        for label, make, color, marker in kinds:
            times = [backward(make(10), n, 10) for n in horizons]
            left.loglog(horizons, times, color=color, marker=marker, label=label)
            times = [backward(make(d), horizons[-2], d) for d in dims]
            right.loglog(dims, times, color=color, marker=marker, label=label)
        loop = [n for n in horizons if n <= 500]
        times = [looped(n) for n in loop]
        left.loglog(loop, times, color=CLAIM, linestyle="--", marker="x", label="double loop, tanh")
        left.set(xlabel="number of maps N (d = 10)", ylabel="seconds for all backward iterates")
        right.set(xlabel=f"dimension d (N = {horizons[-2]})", ylabel="seconds")
        for axis, sizes in ((left, horizons), (right, dims)):
            axis.set_xticks(sizes, [str(size) for size in sizes])
            axis.minorticks_off()
        handles, labels = left.get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper center", ncols=2)
        save(fig, folder, "growth")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="smaller sizes: a check that everything runs")
    arguments = parser.parse_args()
    if arguments.quick:
        print("small sizes: a check that everything runs; the goals are for the full ones")
    n, copies = (400, 10**4) if arguments.quick else (2000, 10**6)
    results = [
        against_double_loop("affine, matrices of their own", own_matrices(50), 50, n, 200),
        against_double_loop("affine, one common symmetric matrix", common_symmetric(50), 50, n, 1500),
        against_double_loop("affine, 3.1 in dimension 50", QuadraticSGD(0.1, dim=50), 50, n, 1500),
        against_double_loop("wavefront, arithmetic maps", elementwise("arithmetic", 10), 10, n, 50),
        against_double_loop("wavefront, tanh", elementwise("tanh", 10), 10, n, 30),
        against_double_loop("wavefront, sin", elementwise("sin", 10), 10, n, 12),
        peak_memory(n, 10),
        replicas(copies, 200),
        replicas_of_own_maps(copies, 50),
        forward_rows(10 * n),
        wide_search(10**4 if arguments.quick else 10**5),
        exact_laws(12 if arguments.quick else 20),
        help_time(),
    ]
    write_results(arguments.out / "core.json", results)
    growth(arguments.out, arguments.quick)
    return 0 if arguments.quick or all(r.met for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
