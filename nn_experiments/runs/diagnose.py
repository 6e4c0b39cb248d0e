"""The diagnosis of an experiment of the catalogue: ``python -m nn_experiments diagnose FIGURE``."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from contraction.arguments import check_seed
from contraction.command_line import DONE
from contraction.files import check_writable_folder
from nn_experiments.diagnosis.coupled import batches_used
from nn_experiments.diagnosis.diagnose import check_plan, diagnose_subject
from nn_experiments.diagnosis.diagnosis import Diagnosis
from nn_experiments.diagnosis.law import Law, check_schedule, law_of
from nn_experiments.diagnosis.subject import APART, Replicate, seed_of
from nn_experiments.paper import catalogue
from nn_experiments.paper.experiment import Experiment, changes_of
from nn_experiments.results.curves import DEFAULT_OUT
from nn_experiments.results.settings import flat_settings
from nn_experiments.runs.diagnosis_files import check_replaceable, diagnosis_path, write_diagnosis
from nn_experiments.runs.precision import products
from nn_experiments.runs.run import Options, device_of
from nn_experiments.runs.setup import Workplace, prepare
from nn_experiments.training.step import State

__all__ = ["diagnose_experiment", "main"]

#: Predictions are compared on the first so many test images, in canonical order.
IMAGES = 256


@dataclass
class _Experiment:
    """Replicates of an experiment: each seed has its own batches and its own θ_0, those of the paper's figures."""

    experiment: Experiment
    law: Law
    seed: int
    data_dir: str | None
    official: bool
    device: str

    def place(self, seed: int) -> Workplace:
        """Return the tensors of a seed."""
        return prepare(self.experiment, seed, data_dir=self.data_dir, official=self.official, device=self.device)

    def replicate(self, r: int) -> Replicate:
        """Return replicate r."""
        place = self.place(seed_of(self.seed, r))
        others, other_step = None, None
        if not self.law.independent:
            others, other_step = place.other_batches, place.step.with_seed(seed_of(place.seed, APART))
        return Replicate(place.step, place.batches, place.state0, others, other_step, place.second, place.seed)

    def outputs(self, state: State) -> torch.Tensor:
        """Return the outputs on the first test images, (images, outputs), float64."""
        evaluation = self.place(self.seed).evaluation
        inputs = evaluation.sets["test"][0][:IMAGES]
        with torch.no_grad():
            rows = range(0, len(inputs), evaluation.rows)
            pieces = [evaluation.predict(state, inputs[k : k + evaluation.rows]) for k in rows]
        return torch.cat(pieces).double()


def diagnose_experiment(
    experiment: Experiment,
    *,
    steps: int = 2000,
    replicates: int | None = None,
    budget: str | float = "5 min",
    seed: int = 0,
    eps: float = 0.05,
    device: str = "cpu",
    data_dir: str | None = None,
    official: bool = True,
    report: Callable[[str], object] | None = None,
) -> Diagnosis:
    """Diagnose an experiment; see `nn_experiments.diagnose`.

    Parameters
    ----------
    experiment
        From the catalogue. Each replicate has its own batches and its own θ_0, and another start besides.
    steps, replicates, budget, seed, eps
        As in `nn_experiments.diagnose`.
    device, data_dir, official
        As in ``python -m nn_experiments run``.
    report
        Called with one line now and then.

    Returns
    -------
    Diagnosis

    Raises
    ------
    NotDiagnosable
        If the batches are reshuffled or repeated beyond an epoch, or the learning rate goes by the index of the batch.
    ValueError
        If an argument is out of its range, or the experiment compares training steps instead of orders.
    """
    catalogue.check_compares_orders(experiment)
    check_seed(seed)
    check_plan(steps, budget, replicates, eps)
    constant = check_schedule(experiment.optimizer.schedule)
    independent = experiment.sampling == "iid"
    first = prepare(experiment, seed, data_dir=data_dir, official=official, device=device)
    law = law_of(
        first.batches, batches_used(steps, steps // 2, independent=independent), sampling=None, constant=constant
    )
    subject = _Experiment(experiment, law, seed, data_dir, official, device)
    with products(experiment, device):
        return diagnose_subject(
            subject,
            experiment.name,
            steps=steps,
            budget=budget,
            replicates=replicates,
            eps=eps,
            report=report,
            about={"seed": seed, "device": device} | _changes(experiment),
        )


def _changes(experiment: Experiment) -> dict[str, object]:
    """Return the settings that are not the catalogue's under the key "changes", or nothing if all of them are."""
    known = catalogue.EXPERIMENTS.get(experiment.name)
    if known is None:
        return {}
    there, here = (flat_settings(one.to_json()) for one in (known, experiment))
    changed = [f"{key}={value}" for key, value in here.items() if there.get(key) != value]
    return {"changes": ", ".join(changed).replace('"', "")} if changed else {}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the diagnosis of a figure's experiment and write it; return the exit status 0, whatever the verdict."""
    parser = argparse.ArgumentParser(
        prog="python -m nn_experiments diagnose",
        description="Say whether the backward iterates of an experiment settle, with evidence and advice.",
    )
    orders = catalogue.in_words(catalogue.COMPARE_ORDERS)
    parser.add_argument("figure", help=f"whose experiment is diagnosed: {orders} (see list)")
    parser.add_argument("--steps", type=int, default=2000, help="N, how far the question reaches (default: 2000)")
    parser.add_argument(
        "--replicates", type=int, help="number of independent draws of batches and θ_0 (default: what fits the budget)"
    )
    parser.add_argument("--budget", default="5 min", help="time it may take, such as 90s, 5min, 1h (default: 5 min)")
    parser.add_argument("--seed", type=int, default=0, help="the first replicate's seed (default: 0)")
    parser.add_argument("--device", default="auto", help="as in run (default: auto)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="as in run (default: no change)"
    )
    parser.add_argument(
        "--tag",
        help="write diagnosis-EXPERIMENT--TAG.txt and so on, for other settings than the catalogue's "
        "(default: diagnosis-EXPERIMENT.txt)",
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, help=f"folder for report, numbers and picture (default: {DEFAULT_OUT})"
    )
    parser.add_argument("--data-dir", help="as in run")
    parser.add_argument("--any-data", action="store_true", help="accept files that are not the official data")
    args = parser.parse_args(argv)
    experiment = catalogue.EXPERIMENTS[catalogue.find(args.figure).experiment].override(changes_of(args.set))
    catalogue.check_compares_orders(experiment)
    path = diagnosis_path(experiment.name, check_writable_folder(args.out), args.tag)
    device = device_of(Options(out=args.out, device=args.device))
    check_replaceable(path, experiment, seed=args.seed, device=device, steps=args.steps, replicates=args.replicates)
    diagnosis = diagnose_experiment(
        experiment,
        steps=args.steps,
        replicates=args.replicates,
        budget=args.budget,
        seed=args.seed,
        device=device,
        data_dir=args.data_dir,
        official=not args.any_data,
        report=functools.partial(print, file=sys.stderr),
    )
    print(diagnosis.report())
    written = write_diagnosis(diagnosis, args.out, experiment, seed=args.seed, tag=args.tag)
    print("Written:", *written, sep="\n  ")
    return DONE
