"""What the h-series of a composition and the regulariser cost, as multiples of the plain way, in one run.

``python -m benchmarks.expansions [--quick] [--reach] [--out DIR]``: the series of 100 maps in dimension 1000 to third
order against the composition itself; the regularised step by autograd (c = 4) and by hand against one plain large-batch
step (torch). With ``--reach`` also the figure of how far corrections of order 1 to 5 reach. One thread is used. The
goals are for the full sizes: on batches as small as those of ``--quick`` the regularised step is bound by reading
weights and writing gradients for each of the c parts, and costs 10 plain steps and more.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

from benchmarks._measure import Result, compare, write_results  # noqa: E402
from contraction import expansions as ex  # noqa: E402

ORDER = 3


def series_of(name: str, fields: list[ex.VectorField], theta: np.ndarray, goal: float, rounds: int) -> Result:
    """Time the series to third order against the composition of the same maps."""
    word = range(1, len(fields) + 1)
    return compare(
        name,
        lambda: ex.word_series(fields, word, theta, ORDER),
        lambda: ex.compose(fields, word, theta, 1e-3),
        goal,
        settings=f"{len(fields)} maps, d={len(theta)}, order {ORDER}",
        rounds=rounds,
        at_least=False,
    )


def quadratic(maps: int, d: int, rounds: int) -> Result:
    """Dense Hessians of their own: each map reads d² numbers, for one vector or for a stack of three."""
    rng = np.random.default_rng(0)
    fields = []
    for _ in range(maps):
        matrix = rng.standard_normal((d, d)) / np.sqrt(d)
        fields.append(ex.quadratic_field((matrix + matrix.T) / 2, rng.standard_normal(d)))
    return series_of("series, quadratic losses / composition", fields, rng.standard_normal(d), 5, rounds)


def network(maps: int, d: int, rows: int, rounds: int) -> Result:
    """One tanh layer with 7 inputs (d = 9·width + 1), a batch of its own for each map."""
    rng = np.random.default_rng(0)
    width = (d - 1) // 9
    fields = [
        ex.tanh_network_field(rng.standard_normal((rows, 7)), rng.standard_normal(rows), width) for _ in range(maps)
    ]
    theta = 0.3 * rng.standard_normal(ex.tanh_network_dimension(7, width))
    return series_of(f"series, tanh network, batch {rows} / composition", fields, theta, 8, rounds)


def regulariser(activation: str, rows: int, rounds: int) -> list[Result]:
    """The regularised step, c = 4, of the paper's network against the plain step on the same large batch."""
    import torch

    from nn_experiments.training.models.mlp import MLP
    from nn_experiments.training.order_averaging import regularised
    from nn_experiments.training.vector_fields import Layout, module_loss

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    module = MLP((784, 500, 500, 500, 500, 500, 10), activation=activation)
    parameters = {
        name: torch.from_numpy(0.05 * rng.standard_normal(tuple(p.shape), dtype=np.float32))
        for name, p in module.named_parameters()
    }
    loss = module_loss(module, torch.nn.functional.cross_entropy)
    batch = (
        torch.from_numpy(rng.standard_normal((rows, 784), dtype=np.float32)),
        torch.from_numpy(rng.integers(10, size=rows)),
    )
    state = {"parameters": parameters}

    def plain():
        leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
        gradients = torch.autograd.grad(loss(leaves, batch), list(leaves.values()))
        with torch.no_grad():
            return [p - 0.001 * g for p, g in zip(leaves.values(), gradients, strict=True)]

    results = []
    for hold, goal in ((True, 3.3), (False, 4.2)):
        step = regularised(loss, h=0.001, c=4, multiple=1.0, hold=hold)
        results.append(
            compare(
                f"regularised step, {activation}, graphs {'held' if hold else 'recomputed'}",
                lambda step=step: step(state, batch, 1),
                plain,
                goal,
                settings=f"MLP 784-5x500-10, float32, batch {rows}, c=4, d={Layout.of(parameters).dimension}",
                rounds=rounds,
                at_least=False,
            )
        )
    return results


def regulariser_by_hand(c: int, rows: int, rounds: int) -> Result:
    """The regularised step by hand against the plain step by hand, both as the figures of appendix D run them.

    The goal is 1.1 times 2.8 plain steps: counting multiply-adds gives 2.8, and 10 % is allowed for other operations.
    """
    import torch

    from nn_experiments.engine.kernels.choose import make_kernel
    from nn_experiments.training.batches import ArrayBatches
    from nn_experiments.training.models.mlp import MLP
    from nn_experiments.training.optimizers import Optimizer
    from nn_experiments.training.order_averaging import OrderAveragingStep
    from nn_experiments.training.step import LOSSES, TrainingStep, initial_state

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    model = MLP((784, 500, 500, 500, 500, 500, 10))
    values = {
        name: torch.from_numpy(0.05 * rng.standard_normal(tuple(p.shape), dtype=np.float32))
        for name, p in model.named_parameters()
    }
    inputs, targets = rng.standard_normal((3 * rows, 784), dtype=np.float32), rng.integers(10, size=3 * rows)
    batches = ArrayBatches(inputs, targets, batch_size=rows, seed=0)
    plain = TrainingStep(model, LOSSES["cross_entropy"], Optimizer(learning_rate=0.001))
    state = initial_state(model, values)
    one, other = (make_kernel(step, batches) for step in (OrderAveragingStep(plain, c=c, lam=1e-6), plain))
    return compare(
        f"regularised step by hand, c = {c}",
        lambda: one.apply(state, [1, 2], 0),
        lambda: other.apply(state, [1, 2], 0),
        3.1,
        settings=f"MLP 784-5x500-10, float32, batch {rows}, two steps by each kernel ({one.name}, {other.name})",
        rounds=rounds,
        at_least=False,
    )


def reach_figure(folder: Path) -> None:
    """Draw how far corrections of order 1 to 5 reach: quadratic losses, and a small tanh network in torch."""
    import torch

    from contraction.plots.style import save
    from nn_experiments.training.models.mlp import MLP
    from nn_experiments.training.vector_fields import Layout, loss_fields, module_loss

    rng = np.random.default_rng(0)
    rates, at = np.geomspace(1e-3, 0.3, 19), (10, 30)
    quadratics = []
    for _ in range(max(at)):
        root = rng.standard_normal((10, 10)) / np.sqrt(10)
        quadratics.append(ex.quadratic_field(root @ root.T, rng.standard_normal(10)))
    module = MLP((2, 16, 1), activation="tanh").double()
    parameters = {n: torch.from_numpy(0.5 * rng.standard_normal(tuple(p.shape))) for n, p in module.named_parameters()}
    inputs = [torch.from_numpy(rng.standard_normal((4, 2))) for _ in range(max(at))]
    batches = [(x, torch.sin(2 * x[:, 0]) * x[:, 1]) for x in inputs]
    layout = Layout.of(parameters)
    loss = module_loss(module, lambda outputs, targets: 0.5 * ((outputs[:, 0] - targets) ** 2).mean())
    networks = loss_fields(loss, batches, layout)
    figure = ex.plot_correction_reach(
        {
            "quadratic losses, d = 10": ex.correction_reach(quadratics, rng.standard_normal(10), rates, at=at),
            f"tanh network, d = {layout.dimension}": ex.correction_reach(
                networks, layout.flatten(parameters), rates, at=at
            ),
        }
    )
    print(*save(figure, folder, "correction_reach"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="smaller sizes: a check that everything runs")
    parser.add_argument("--reach", action="store_true", help="also draw the figure of the corrections' reach")
    arguments = parser.parse_args()
    maps, d, rows, rounds = (10, 100, 64, 2) if arguments.quick else (100, 1000, 2048, 7)
    results = [
        quadratic(maps, d, rounds),
        network(maps, d, 8, rounds),
        network(maps, d, 128, rounds),
        *regulariser("relu", rows, rounds),
        *regulariser("tanh", rows, rounds),
        regulariser_by_hand(2, rows, rounds),
        regulariser_by_hand(4, rows, rounds),
    ]
    write_results(arguments.out / "expansions.json", results)
    if arguments.reach:
        reach_figure(arguments.out)
    return 0 if arguments.quick or all(r.met for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
