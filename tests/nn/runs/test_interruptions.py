"""Killed, interrupted, doubled, on a cluster: the numbers stay the same bit by bit."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402
from nn_experiments import cli  # noqa: E402
from nn_experiments.cli import main  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES  # noqa: E402
from nn_experiments.results import blocks as store  # noqa: E402
from nn_experiments.runs import executors  # noqa: E402
from nn_experiments.runs.request import Request  # noqa: E402
from nn_experiments.runs.run import Options, run  # noqa: E402
from tests.nn.runs.workers import always_kill, kill_once, wait_long  # noqa: E402
from tests.nn.synthetic_results import assert_equal  # noqa: E402

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "nn_experiments", "run", "fig4", "--seeds", "0", "--steps", "220", "--no-baselines"]
COMMAND += ["--block-seconds", "0.05", "--set", "model=mlp-2x150"]


#: The command line, deaf to no Ctrl-C: what a shell starts in the background ignores it, and so do its children.
HEARING = """
import signal, sys
from nn_experiments.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[1:]))
"""


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def blocks(out: Path) -> int:
    return len([path for path in out.rglob("*.npz") if not path.name.startswith(".")])


def interrupt(started: subprocess.Popen, out: Path) -> str:
    """Send SIGINT once two blocks are on disk, wait for the end, and return what went to stderr."""
    while started.poll() is None and blocks(out) < 2:
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    return started.communicate(timeout=60)[1]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> nne.Curves:
    """The command that others interrupt, left alone."""
    out = tmp_path_factory.mktemp("alone")
    subprocess.run([*COMMAND, "--out", str(out), "--workers", "1"], check=True, env=environment(), capture_output=True)
    return nne.load("fig4", out=out)


def test_killed_five_times_at_random_and_resumed_bitwise(tmp_path: Path, alone: nne.Curves) -> None:
    """kill -9 in the middle of the work five times: what was written stays whole, and the end is the same."""
    rng = np.random.default_rng()
    for k in range(5):
        before = blocks(tmp_path)
        started = subprocess.Popen(
            [*COMMAND, "--out", str(tmp_path), "--workers", str(k % 2)],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while started.poll() is None and blocks(tmp_path) < before + 2:
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0, 0.1)))
        started.kill()
        started.wait()
    for path in tmp_path.rglob("*.npz"):
        if not path.name.startswith("."):
            store.read_block(path)
    assert not nne.load("fig4", out=tmp_path).complete("train_loss", range(221))
    assert main([*COMMAND[3:], "--out", str(tmp_path), "--workers", "0"]) == 0
    assert_equal(nne.load("fig4", out=tmp_path), alone)


def test_interrupting_says_so_and_keeps_what_is_done(tmp_path: Path) -> None:
    started = subprocess.Popen(
        # minutes: not done before the signal
        [sys.executable, "-c", HEARING, *COMMAND[3:], "--steps", "3000", "--out", str(tmp_path), "--workers", "1"],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors = interrupt(started, tmp_path)
    assert started.returncode == 130
    assert "goes on from here" in errors
    assert blocks(tmp_path) >= 2


def test_two_runs_on_one_folder_do_each_other_no_harm(tmp_path: Path, alone: nne.Curves) -> None:
    both = [
        subprocess.Popen(
            [*COMMAND, "--out", str(tmp_path), "--workers", "0"],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [one.wait(timeout=120) for one in both] == [0, 0]
    assert_equal(nne.load("fig4", out=tmp_path), alone)


def test_a_worker_that_dies_is_replaced_without_loss(tmp_path: Path) -> None:
    items = [(k, str(tmp_path / "died")) for k in range(8)]
    found = dict(executors.run_all(lambda: executors.process_executor(2), kill_once, items, at_once=lambda: 2))
    assert found == {item: item[0] ** 2 for item in items}
    assert (tmp_path / "died").exists()
    with pytest.raises(executors.JobFailed, match="died 4 times"):
        list(executors.run_all(lambda: executors.process_executor(1), always_kill, [1], at_once=lambda: 1))


def test_an_interrupted_run_ends_its_workers(tmp_path: Path) -> None:
    marker = tmp_path / "begun"
    pool = executors.process_executor(1)
    future = pool.submit(wait_long, str(marker))
    while not marker.exists():
        assert not future.done()
        time.sleep(0.01)
    (worker,) = multiprocessing.active_children()
    assert worker.pid is not None
    executors.stop(pool)
    for _ in range(6000):  # the pool's own thread may be the one that collects the exit code, so ask the system
        try:
            os.kill(worker.pid, 0)
        except ProcessLookupError:
            return
        worker.join(0.01)
    raise AssertionError("the worker outlived its pool by a minute")


def test_an_error_on_a_cluster_is_the_jobs_own(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs=50
        ) as cluster,
        executors.dask_executor(cluster.scheduler_address) as (make, at_once),
        pytest.raises(executors.JobFailed, match="nonsense failed: ValueError"),
    ):
        list(executors.run_all(make, int, ["1", "nonsense"], at_once=at_once))


def test_dask_gives_the_same_numbers_when_a_worker_is_killed(tmp_path: Path, alone: nne.Curves) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
    ):
        killed: list[int] = []

        def kill_one(progress) -> None:
            if not killed and progress.done_blocks >= 2:
                process = next(iter(cluster.workers.values())).process
                killed.append(process.pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)

        experiment = EXPERIMENTS["regression-square"].override({"model": "mlp-2x150"})
        figure = FIGURES["fig4"]
        request = Request.of(figure, experiment, seeds=[0], orders=figure.orders, steps=220)
        outcome = run(
            request,
            Options(out=tmp_path, dask=cluster.scheduler_address, block_seconds=0.05),
            report=kill_one,
        )
    assert killed
    assert outcome.missing == 0
    assert_equal(nne.load("fig4", out=tmp_path), alone)


def test_help_and_list_do_not_import_torch() -> None:
    code = "import sys; from nn_experiments.cli import main; main(['list']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment(), capture_output=True)


@pytest.mark.parametrize(("words", "kept"), [(["diagnose", "digits"], False), (["study", "one-law"], True)])
def test_an_interrupted_command_says_whether_it_goes_on(
    words: list[str], kept: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("nn_experiments.runs.diagnose.main", interrupted)
    monkeypatch.setattr(cli, "_study", interrupted)
    assert cli.main(words) == 130
    assert ("goes on from here" in capsys.readouterr().err) is kept
