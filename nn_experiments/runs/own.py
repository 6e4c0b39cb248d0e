"""A user's network as a problem of the runner, with its identity.

The network is sent to worker processes once, when they start; jobs then refer to it by its key.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeVar, cast

import torch

from nn_experiments.engine import measure
from nn_experiments.engine.gpu import repeatable
from nn_experiments.engine.kernels.choose import make_kernel
from nn_experiments.engine.kernels.mlp import Kernel
from nn_experiments.paper.curve_names import OrderCurve
from nn_experiments.results.blocks import Behaviour, Settings, different_behaviour
from nn_experiments.runs.fingerprint import fingerprint
from nn_experiments.runs.job import one_thread
from nn_experiments.training.batches import Batches
from nn_experiments.training.loop_step import OwnLoopStep
from nn_experiments.training.metrics import Measurement
from nn_experiments.training.optimizers import Optimizer
from nn_experiments.training.step import State, Step, TrainingStep
from nn_experiments.training.trees import widened

__all__ = ["Network", "NetworkProblem", "NetworkSetup", "StateOfSeed"]

#: A state, or a function of the seed that returns one.
StateOfSeed = State | Callable[[int], State]
Part = TypeVar("Part")


@dataclass(frozen=True)
class NetworkSetup:
    """All tensors of one seed of a user's network; see `nn_experiments.runs.problem.Setup`."""

    step: Step
    batches: Batches
    state0: State
    measurement: Measurement

    def step_of(self, curve: OrderCurve) -> Step:
        """Return the user's step."""
        return self.step

    def kernel(self, curve: OrderCurve, engine: str) -> Kernel:
        """Return the kernel that applies the maps of a curve, one chain at a time."""
        return make_kernel(self.step, self.batches, engine)


@dataclass(frozen=True, eq=False)
class Network:
    """The step, batches, state and metrics that a user passes to `nn_experiments.run`.

    Attributes
    ----------
    step, batches, measurement
        As in `nn_experiments.iterates`. If the step or the batches have a method ``with_seed``, it is called for each
        seed.
    state
        θ_0, or a function of the seed that returns it.
    """

    step: Step
    batches: Batches
    state: StateOfSeed
    measurement: Measurement

    def setup(self, seed: int) -> NetworkSetup:
        """Return the tensors of a seed."""
        step, batches = _with_seed(self.step, seed), _with_seed(self.batches, seed)
        return NetworkSetup(step, batches, _of_seed(self.state, seed), self.measurement)

    def decides(self, described: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
        """Return everything that the numbers depend on, as JSON, and descriptions of what a hash cannot identify.

        Parameters
        ----------
        described
            Part -> JSON that replaces its hash.

        Raises
        ------
        ValueError
            If ``described`` has a part that does not exist.
        """
        unknown: list[str] = []
        parts: dict[str, object] = {
            "step": self.step,
            "batches": self.batches,
            "state": self.state,
            "measure": self.measurement,
        }
        if others := described.keys() - parts.keys():
            raise ValueError(f"describe has {sorted(others)}; the parts are {', '.join(parts)}")
        decides: dict[str, object] = {}
        for name, part in parts.items():
            if name in described:
                decides[name] = described[name]
                continue
            decides[name] = fingerprint(part, name, unknown=unknown.append, outlined=_modules(self.step))
            if name == "state" and callable(part):
                decides["state of seed 0"] = fingerprint(part(0), name)
        kind = torch.device(_device(_of_seed(self.state, 0))).type
        if kind != "cpu" and _seeds_torch(self.step):  # whose generators draw other numbers on another kind of device
            decides["device"] = kind
        if "batches" not in described and not hasattr(self.batches, "describe"):
            decides["first batches"] = [fingerprint(self.batches(i), "a batch") for i in (1, 2)]
        return decides, unknown


def _device(state: State) -> str:
    """Return the name of the device that a state is on."""
    return str(next(iter(state["parameters"].values())).device)


def _seeds_torch(step: Step) -> bool:
    """Whether a step draws from torch's generators, which it seeds by the index of the batch."""
    if isinstance(step, TrainingStep):
        return step.gradients.seeded
    return isinstance(step, OwnLoopStep) and step.loop.frozen


def _modules(step: Step) -> list[torch.nn.Module]:
    """Return the modules that a step trains, the user's own among them: their weights are those of a state.

    A metric or a loss may close over one. What it reads there but the structure is not a part of a run's identity, so
    that loading weights into a model that has been trained does not begin another run.
    """
    loop = getattr(getattr(step, "self_check", None), "loop", None) or getattr(step, "loop", None)
    models = [getattr(step, "model", None), getattr(loop, "model", None)]
    return [module for model in models if isinstance(model, torch.nn.Module) for module in model.modules()]


def _with_seed(part: Part, seed: int) -> Part:
    """Return the step or the batches of a seed; without a method ``with_seed`` they are the same for every seed."""
    return getattr(part, "with_seed")(seed) if hasattr(part, "with_seed") else part  # noqa: B009


def _of_seed(state: StateOfSeed, seed: int) -> State:
    return state(seed) if callable(state) else state


class NetworkProblem:
    """A user's network as a `nn_experiments.runs.problem.Problem`.

    Parameters
    ----------
    network
        What is trained.
    name
        Name of the run.
    described
        Part -> JSON that replaces its hash in the identity.
    seed
        The seed for which the behaviour of the step is recorded.
    notes
        Recorded beside the settings, such as the result of the self-check.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        *,
        described: Mapping[str, object],
        seed: int,
        notes: Mapping[str, object],
    ) -> None:
        self.network, self.name, self.seed, self.notes = network, name, seed, dict(notes)
        self.described = dict(described)
        self.device = _device(_of_seed(network.state, seed))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the problem as its key, since workers receive the network once."""
        return GivenNetwork, (self.key, self.name, self.device)

    def __hash__(self) -> int:
        """Return the hash of the key."""
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        """Whether ``other`` is the same run."""
        return isinstance(other, NetworkProblem) and self.key == other.key

    @cached_property
    def _settings(self) -> Settings:
        decides, unknown = self.network.decides(self.described)
        text = json.dumps({"name": self.name} | decides, sort_keys=True)
        settings: Settings = {
            "identity": hashlib.sha256(text.encode()).hexdigest()[:16],
            "experiment": {"name": self.name} | _readable(self.network, self.seed),
            "decides": json.loads(text),
            "own": True,
            "unknown": unknown,
        }
        return cast(Settings, {**settings, **self.notes})

    @property
    def key(self) -> str:
        """The identity, by which worker processes refer to the problem."""
        return self._settings["identity"]

    def settings(self) -> Settings:
        """Return the contents of ``experiment.json``, for which the behaviour of the step is measured."""
        return {**self._settings, "behaviour": self.behaviour(self.seed)}

    def metric_names(self, kind: str, n: int, last: int) -> tuple[str, ...]:
        """Return the metrics of iterate n; iterate 0 has no batch losses."""
        names = tuple(self.network.measurement.names)
        if n == 0 and self.network.measurement.on_batches:
            names = tuple(name for name in names if not name.endswith("_batch_loss"))
        return names

    def require(self, kind: str, seeds: Sequence[int], last: int) -> None:
        """Do nothing: the batches are the user's."""

    def prepare(self, seed: int) -> NetworkSetup:
        """Return the tensors of a seed; the last two are kept."""
        return _prepare(self, seed)

    def arithmetic(self) -> AbstractContextManager[None]:
        """Return the context in which steps and measurements are computed."""
        return repeatable()

    def behaviour(self, seed: int) -> Behaviour:
        """Return how far T_1 T_2 moves each tensor of θ_0, and the metrics there, as a check of the identity."""
        with one_thread(self.device), self.arithmetic():
            setup = self.prepare(seed)
            end = setup.step(setup.step(setup.state0, setup.batches(2), 1), setup.batches(1), 2)
            moved = {
                name: float((widened(value) - widened(setup.state0["parameters"][name])).norm())
                for name, value in end["parameters"].items()
            }
            row = measure(setup.measurement, end, 0, 0, setup.batches)
        return {"seed": seed, "moved": moved, "measured": {name: value.item() for name, value in row.items()}}

    def check_same(self, recorded: Settings, where: str) -> None:
        """Check that a run in a folder is the same as this one, before it is continued.

        Parameters
        ----------
        recorded
            The settings in the run's folder.
        where
            The folder, for messages.

        Raises
        ------
        ValueError
            If a part of the run cannot be identified by a hash, or T_1 T_2 moves θ_0 by another distance than recorded.
        """
        unknown = self._settings.get("unknown", ())
        if unknown:
            parts = ", ".join(sorted({text.split(" ")[0].split(".")[0].split("[")[0] for text in unknown}))
            raise ValueError(
                f"{where} holds a run that looks the same, but whether it is cannot be seen of {'; '.join(unknown)}. "
                f"Pass describe={{…}} with plain data that stands for {parts}, or write to another folder"
            )
        before = recorded.get("behaviour")
        if not before:
            return
        if differing := different_behaviour(before, self.behaviour(before["seed"])):
            raise ValueError(
                f"{where} holds a run whose settings are the same, but which behaves differently: {differing}. "
                "Something that the step, the batches or the measurement read has changed; write to another folder, or "
                "give another name"
            )


def _readable(network: Network, seed: int) -> dict[str, object]:
    """Return a description for plots and reports; the numbers do not depend on it."""
    state = _of_seed(network.state, seed)
    parameters = list(state["parameters"].values())
    described: dict[str, object] = {
        "parameters": sum(value.numel() for value in parameters),
        "dtype": str(parameters[0].dtype).removeprefix("torch."),
    }
    if isinstance(model := getattr(network.step, "model", None), torch.nn.Module):
        described["model"] = type(model).__name__
    optimizer = getattr(network.step, "optimizer", getattr(getattr(network.step, "loop", None), "optimizer", None))
    if isinstance(optimizer, Optimizer):
        described["optimizer"] = optimizer.to_json()
    elif optimizer is not None:
        described["method"] = type(optimizer).__name__
    if (sampler := getattr(network.batches, "sampler", None)) is not None:
        described |= {"batch_size": sampler.batch_size, "sampling": sampler.sampling}
    return described


@lru_cache(maxsize=2)
def _prepare(problem: NetworkProblem, seed: int) -> NetworkSetup:
    return problem.network.setup(seed)


def forget() -> None:
    """Forget the tensors of earlier runs. A run that looks the same may read other data: a file that has changed."""
    _prepare.cache_clear()


#: Key -> problem, for the problems that this process has received.
_KNOWN: dict[str, NetworkProblem] = {}


@dataclass(frozen=True)
class GivenNetwork:
    """A `NetworkProblem` in a worker process, which receives the network before its first job."""

    key: str
    name: str
    device: str

    @property
    def _problem(self) -> NetworkProblem:
        if self.key not in _KNOWN:
            raise RuntimeError(f"this process was not given the network of the run {self.key}")
        return _KNOWN[self.key]

    def settings(self) -> Settings:
        """Return the contents of ``experiment.json``."""
        return self._problem.settings()

    def metric_names(self, kind: str, n: int, last: int) -> tuple[str, ...]:
        """Return the metrics of iterate n."""
        return self._problem.metric_names(kind, n, last)

    def require(self, kind: str, seeds: Sequence[int], last: int) -> None:
        """Do nothing: the batches are the user's."""

    def prepare(self, seed: int) -> NetworkSetup:
        """Return the tensors of a seed."""
        return self._problem.prepare(seed)

    def arithmetic(self) -> AbstractContextManager[None]:
        """Return the context in which steps and measurements are computed."""
        return self._problem.arithmetic()


def _register(payload: bytes) -> None:
    fields = pickle.loads(payload)
    problem = NetworkProblem.__new__(NetworkProblem)
    problem.__dict__.update(fields)
    _KNOWN[problem.key] = problem
    forget()


class Delivery:
    """A function that worker processes call before their first job, to receive the network of a run.

    Raises
    ------
    ModuleNotFoundError
        When it is pickled, if cloudpickle is not installed.
    TypeError
        When it is pickled, if the network cannot be pickled.
    """

    def __init__(self, problem: NetworkProblem) -> None:
        self.problem = problem

    def __call__(self) -> None:
        _register(self.payload)

    def __getstate__(self) -> dict[str, object]:
        return {"payload": self.payload}

    @cached_property
    def payload(self) -> bytes:
        """The pickled network; functions of the main script are pickled by value."""
        try:
            import cloudpickle
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "worker processes need cloudpickle (pip install cloudpickle); workers=0 computes in this process",
                name="cloudpickle",
            ) from error
        problem = self.problem
        step = problem.network.step
        if hasattr(step, "self_check"):
            step = copy.copy(step)
            step.self_check = None  # it has been done
        fields = problem.__dict__ | {"network": dataclasses.replace(problem.network, step=step)}
        try:
            return cloudpickle.dumps(fields)
        except Exception as error:
            raise TypeError(
                f"the network cannot be sent to worker processes ({type(error).__name__}: {error}); workers=0 computes "
                "in this process"
            ) from error
