"""What `nn_experiments` exports and where it is defined; `contraction.lazy` reads this file."""

from contraction.maps.errors import (
    NotDeterministic as NotDeterministic,
    TrainingInReverseError as TrainingInReverseError,
)
from nn_experiments.datasets.errors import DataError as DataError, MissingData as MissingData
from nn_experiments.diagnosis.diagnose import diagnose as diagnose
from nn_experiments.diagnosis.diagnosis import Diagnosis as Diagnosis
from nn_experiments.diagnosis.law import NotDiagnosable as NotDiagnosable
from nn_experiments.engine import iterates as iterates
from nn_experiments.engine.limit import Limit as Limit, limit as limit
from nn_experiments.engine.state_at import state_at as state_at, state_dict as state_dict
from nn_experiments.engine.trajectory import Trajectory as Trajectory
from nn_experiments.orders.audit import OrderAudit as OrderAudit, audit_order as audit_order
from nn_experiments.orders.bracket_table import Brackets as Brackets
from nn_experiments.orders.brackets import brackets as brackets
from nn_experiments.report.own import plot as plot
from nn_experiments.results.blocks import BrokenBlock as BrokenBlock
from nn_experiments.results.curves import Curves as Curves
from nn_experiments.results.load import load as load
from nn_experiments.runs.executors import JobFailed as JobFailed
from nn_experiments.runs.network import run as run
from nn_experiments.training.averages import EMA as EMA, SWA as SWA, Polyak as Polyak, SuffixMean as SuffixMean
from nn_experiments.training.batches import ArrayBatches as ArrayBatches, Batch as Batch
from nn_experiments.training.calls import Broadcasts as Broadcasts, CallFailed as CallFailed
from nn_experiments.training.dataset_batches import DatasetBatches as DatasetBatches
from nn_experiments.training.dropout import FrozenDropout as FrozenDropout
from nn_experiments.training.errors import CannotReplay as CannotReplay, CannotRun as CannotRun
from nn_experiments.training.from_loop import RecordedBatches as RecordedBatches, from_loop as from_loop
from nn_experiments.training.from_torch import from_torch as from_torch
from nn_experiments.training.measures import measures as measures
from nn_experiments.training.optimizers import Optimizer as Optimizer, Schedule as Schedule
from nn_experiments.training.policies import ResetIfBetter as ResetIfBetter, StopWhenSettled as StopWhenSettled
from nn_experiments.training.step import (
    TorchOptimizerStep as TorchOptimizerStep,
    TrainingStep as TrainingStep,
    initial_state as initial_state,
)
from nn_experiments.training.transforms import clip_norm as clip_norm
