"""The pieces of a session on a card, in order of worth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import convolutions
from benchmarks.card import equality, measures
from contraction.files import write_atomically, write_text
from nn_experiments.engine import gpu
from nn_experiments.paper.catalogue import EXPERIMENTS, Experiment
from nn_experiments.runs.increments import measure_increments
from nn_experiments.runs.request import Request
from nn_experiments.runs.run import Options, run

__all__ = ["PIECES", "Piece", "Place"]

#: Chains of a convolutional network that run together; a multiple of sixteen that holds every twentieth of 2000.
CHUNK = 112


@dataclass
class Place:
    """Where and how pieces run.

    Attributes
    ----------
    out, data, device
        Folders of results and data sets, and the device.
    small
        Whether this is a rehearsal: the same pieces of tiny size.
    deadline
        When all must be done (`time.monotonic`).
    log
        Takes a line.
    """

    out: Path
    data: Path
    device: str
    small: bool
    deadline: float
    log: Callable[[str], None]
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """Seconds."""
        return self.deadline - time.monotonic()

    def write(self, name: str, body: Any) -> None:
        """Write a file of results: JSON, or text as it is."""
        text = body if isinstance(body, str) else json.dumps(body, indent=1, ensure_ascii=False) + "\n"
        write_text(self.out / name, text)


@dataclass(frozen=True)
class Piece:
    """Something to do on a card.

    Attributes
    ----------
    name
        On the command line.
    minutes
        What it took on an H200 (the last two kinds of piece: an estimate); it is not begun with less time left.
    data
        The data set it needs, or None.
    work
        Does it; returns whether all of it is done.
    """

    name: str
    minutes: float
    data: str | None
    work: Callable[[Place], bool]


def _equality(place: Place) -> bool:
    networks = ("regression", "mlp") if place.small else ("regression", "mlp", "resnet18", "vgg19", "resnet50")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    rows, samples = [], {}
    for network in networks:
        found, picked = equality.check(network, place.device)
        rows += [row.to_json() for row in found]
        samples |= picked
        for row in found:
            place.log(f"  {row.network} {row.order} {row.n}: {row.ensemble:.1e}, loop {row.loop:.1e}; {row.equal}")
    place.write("equality.json", rows)
    write_atomically(place.out / "equality.npz", lambda path: np.savez_compressed(path, **samples))
    return True


def _ceilings(place: Place) -> bool:
    place.rates.update(measures.ceilings(place.device, small=place.small))
    place.write("ceilings.json", place.rates)
    place.log("  " + ", ".join(f"{name} {value:.0f}" for name, value in place.rates.items()))
    return True


def _convolutions(place: Place) -> bool:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    rows: list[dict[str, Any]] = []
    chains = 1 if place.small else 64
    with gpu.repeatable():
        for name in ("resnet18", "vgg19", "resnet50"):
            few = place.small or name == "resnet50"
            rows += convolutions.measure(
                name, torch.device(place.device), 16 if few and not place.small else chains, rounds=1, quick=place.small
            )
            place.write("convolutions.json", rows)
    return True


def _sweeps(place: Place) -> bool:
    rows = []
    sizes = {
        "resnet18": (1, 8, 16, 64, 112),
        "vgg19": (1, 8, 16, 64, 112),
        "resnet50": (16,),
        "mlp": (16, 112, 1008, 2000),
    }
    if place.small:
        sizes = {"mlp": (2,), "resnet18-7x7": (2,)}
    for network, counts in sizes.items():
        for chains in counts:
            rows.append(measures.sweep_times(network, place.device, chains, rates=place.rates))
            place.write("sweeps.json", rows)
            place.log(
                "  " + ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in rows[-1].items())
            )
            gpu.free()
    for network, chains in (("mlp", 2),) if place.small else (("resnet18", 64), ("vgg19", 64), ("mlp", 1008)):
        kinds, table = measures.profile(network, place.device, chains)
        place.write(f"profile-{network}.txt", json.dumps(kinds, ensure_ascii=False) + "\n" + table + "\n")
        place.log(f"  {kinds}")
        gpu.free()
    return True


def _experiment(place: Place, name: str) -> Experiment:
    """Return the paper's experiment, convolutional ones with TF32; in a rehearsal of tiny size."""
    changes = {} if name == "mlp-fashion" else {"tf32": "true"}
    if place.small:
        changes |= {"train_evaluation": "12", "test_evaluation": "12"}
        changes["model"] = "mlp-2x12" if name == "mlp-fashion" else "resnet18-7x7-none"
    return EXPERIMENTS[name].override(changes)


def _figure(name: str, orders: tuple[str, ...], seed: int, every: int) -> Callable[[Place], bool]:
    def work(place: Place) -> bool:
        half = 2 if place.small else 1000
        request = Request(
            experiment=_experiment(place, name),
            seeds=(seed,),
            orders=tuple(order.format(half) for order in orders),
            steps=2 * half,
            every=1 if place.small else every,
        )
        chunk = 4 if place.small else 2000 if name == "mlp-fashion" else CHUNK
        options = Options(
            out=place.out / "runs",
            device=place.device,
            chunk=chunk,
            data_dir=str(place.data),
            official=not place.small,
            time_limit=max(0.0, place.left),
            block_seconds=120.0,
        )
        outcome = run(request, options)
        place.log(f"  {outcome.made} blocks made, {outcome.missing} missing, {outcome.seconds:.1f} s")
        return outcome.missing == 0

    return work


def _increments(
    name: str, draws: int, ahead: tuple[int, ...], steps: int, every: int, others: bool, file: str
) -> Callable[[Place], bool]:
    def work(place: Place) -> bool:
        begin = time.monotonic()

        def report(n: int) -> None:
            if n and n % (5 * every) == 0:
                place.log(f"  n = {n}, {time.monotonic() - begin:.0f} s")

        small = {"steps": 4, "every": 2, "ahead": (1, 2), "images": 5}
        full = {"steps": steps, "every": every, "ahead": ahead, "images": 500}
        found = measure_increments(
            _experiment(place, name),
            range(2 if place.small else draws),
            others=others,
            device=place.device,
            data_dir=str(place.data),
            official=not place.small,
            report=report,
            **(small if place.small else full),
        )
        found.save(place.out / f"increments-{file}.npz")
        return True

    return work


_LAWS = (1, 10, 100, 300, 1000)
_MLP = ("forward", "backward", "reset-{}", "late-{}")
_BOTH = ("forward", "backward")


def _all() -> tuple[Piece, ...]:
    resnet, vgg, mlp = "resnet18-cifar10", "vgg19-cifar10", "mlp-fashion"

    def figures(
        label: str, name: str, orders: tuple[str, ...], seeds: range, every: int, minutes: float
    ) -> list[Piece]:
        data = "fashion_mnist" if name == mlp else "cifar10"
        return [Piece(f"{label}-{seed}", minutes, data, _figure(name, orders, seed, every)) for seed in seeds]

    return (
        Piece("ceilings", 0.1, None, _ceilings),
        Piece("equality", 0.7, None, _equality),
        Piece("convolutions", 0.2, None, _convolutions),
        Piece("sweeps", 0.4, None, _sweeps),
        Piece("increments-resnet18", 1.7, "cifar10", _increments(resnet, 8, _LAWS, 2000, 50, True, resnet)),
        *figures("fig12", resnet, _BOTH, range(2), 20, 1.0),
        *figures("mlp", mlp, _MLP, range(1), 1, 1.0),
        Piece("increments-vgg19", 1.5, "cifar10", _increments(vgg, 8, _LAWS, 2000, 50, True, vgg)),
        Piece(
            "increments-resnet18-long",
            2.5,
            "cifar10",
            _increments(resnet, 4, (1,), 10_000, 250, False, f"{resnet}--10000"),
        ),
        *figures("fig12", resnet, _BOTH, range(2, 5), 20, 1.0),
        *figures("mlp", mlp, _MLP, range(1, 5), 1, 1.0),
        *figures("fig8", vgg, _BOTH, range(5), 20, 1.0),
    )


PIECES: dict[str, Piece] = {piece.name: piece for piece in _all()}
