"""Faults: runs that are killed at random moments, full disks, read-only folders, altered files, two runs at once.

Every fault meets the real commands in a child process that is forked after all imports, so that the random moments fall
into the work and not into the start of Python. Afterwards no file may be half written, the same command must go on, and
its numbers must be those of a run that nothing disturbed, bit by bit.

    python -m tests.trust.faults --kills 50 --out results/benchmarks/faults.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from contraction.__main__ import main as theory
from contraction.files import write_text
from nn_experiments import cli
from nn_experiments.results import blocks as store
from nn_experiments.results.curves import Curves
from nn_experiments.results.load import load
from tests.trust.children import Work, child, kill_after, outcome, succeed, wait
from tests.trust.hostile_files import altered, hostile, loaders

__all__ = ["FAULTS", "RUN", "complete", "main", "same", "table", "unharmed", "verify_work"]

#: A run of a second or two that writes about 40 blocks.
RUN = ["run", "fig4", "--seeds", "0", "--orders", "forward", "backward", "--steps", "40", "--block-seconds", "0.005"]
RUN += ["--diagnostics-every", "0", "--workers", "0", "--set", "model=mlp-2x100", "--engine", "step"]


def run_into(out: Path) -> Work:
    """The run as a function of no arguments."""
    return lambda: cli.main([*RUN, "--out", str(out)])


def _refused(out: Path, before: Callable[[], object] = lambda: None) -> bool:
    """Whether a run into a folder ends with an error that names it; False if it comes to its end."""
    status, said = outcome(run_into(out), before)
    assert status in (0, 1, 2), f"status {status}: {said}"
    assert status == 0 or str(out) in said, f"the folder is not named: {said}"
    return status != 0


def unharmed(folder: Path) -> int:
    """Read every file below a folder, and return their number.

    Raises
    ------
    AssertionError
        If a file is half written. Hidden files are those of a writer that was killed; nothing reads them.
    """
    count = 0
    for path in folder.rglob("*"):
        if path.is_dir() or path.name.startswith("."):
            continue
        count += 1
        if path.suffix in (".npz", ".json"):
            try:
                _ = store.read_block(path) if path.suffix == ".npz" else json.loads(path.read_text())
            except ValueError as error:  # a BrokenBlock is one
                raise AssertionError(f"{path} is half written: {error}") from error
        elif path.suffix == ".png":
            assert path.read_bytes()[-12:] == b"\x00\x00\x00\x00IEND\xaeB`\x82", f"{path} is half written"
        elif path.suffix == ".svg":
            assert path.read_text().rstrip().endswith("</svg>"), f"{path} is half written"
    return count


def same(a: Curves, b: Curves) -> None:
    """Assert that two results are equal bit by bit."""
    assert (a.seeds, a.orders, a.metrics.keys()) == (b.seeds, b.orders, b.metrics.keys()), f"{a} and {b}"
    assert np.array_equal(a.iterates, b.iterates), "other iterates"
    for name, values in a.metrics.items():
        assert np.array_equal(a.recorded[name], b.recorded[name]), f"other iterates of {name}"
        assert values.tobytes() == b[name].tobytes(), f"{name} differs"


def complete(out: Path, alone: Curves) -> None:
    """Run to the end what a fault has left, and compare."""
    succeed(run_into(out), "the run does not go on")
    unharmed(out)
    same(load("fig4", out=out), alone)


# --- faults -----------------------------------------------------------------------------------------------------------


def killed_runs(place: Path, alone: Curves, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Kill -9 at random moments; the folder starts anew whenever a run has come to its end."""
    started = time.monotonic()
    succeed(run_into(place / "timed"), "the run fails without any fault")
    whole, killed, ended, seen, folder = time.monotonic() - started, 0, 0, 0, 0
    while killed < count:
        out = place / f"kills-{folder}"
        if kill_after(run_into(out), float(rng.uniform(0, whole))):
            killed += 1
        else:
            same(load("fig4", out=out), alone)
            ended, folder = ended + 1, folder + 1
        if out.exists():
            seen += unharmed(out)
    complete(out, alone)
    return {"kills": killed, "runs that reached the end": ended + 1, "files read after kills": seen}


def verify_work(out: Path) -> Work:
    """The commands of ``make verify``, with two statements, two plots of rates and a small run."""

    def work() -> int:
        status = theory(["verify", "backward_contraction", "equality_of_laws"])
        status |= theory(["rates", "sample_paths", "law_distance", "--out", str(out / "rates")])
        status |= run_into(out / "networks")()
        return status | cli.main(["plot", "fig4", "--out", str(out / "networks"), "--pictures", str(out / "figures")])

    return work


def killed_verify(place: Path, alone: Curves, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """The same for the commands of ``make verify``: tables, pictures, a run, its picture."""
    started = time.monotonic()
    first = place / "verify"
    succeed(verify_work(first), "the commands fail without any fault")
    whole, killed, ended, seen, folder = time.monotonic() - started, 0, 0, 0, 0
    pictures = sorted(path.relative_to(first) for path in first.rglob("*.png"))
    assert pictures
    while killed < count:
        out = place / f"verify-{folder}"
        if kill_after(verify_work(out), float(rng.uniform(0, whole))):
            killed += 1
        else:
            ended, folder = ended + 1, folder + 1
        if out.exists():
            seen += unharmed(out)
    succeed(verify_work(out), "the commands do not go on")
    assert sorted(path.relative_to(out) for path in out.rglob("*.png") if not path.name.startswith(".")) == pictures
    complete(out / "networks", alone)
    return {"kills": killed, "passes that reached the end": ended + 1, "files read after kills": seen}


def full_disk(place: Path, alone: Curves, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """No file may grow beyond a random number of bytes, then, where a disk can be mounted, a disk that is full."""

    def limited(size: int) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    refused = 0
    for k in range(count):
        out = place / f"limited-{k}"
        size = int(rng.integers(1, 2000))
        refused += _refused(out, lambda size=size: limited(size))
        if out.exists():
            unharmed(out)
        complete(out, alone)
    mounted = 0
    for kilobytes in (64, 96) if _can_mount(place) else ():
        with _disk(place / f"disk-{kilobytes}", f"size={kilobytes}k") as disk:
            assert _refused(disk / "out"), "a full disk is not noticed"
            unharmed(disk)
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            complete(disk / "out", alone)
        mounted += 1
    assert refused
    return {"limited runs": count, "refused by name": refused, "full disks": mounted}


def _can_mount(place: Path) -> bool:
    try:
        with _disk(place / "try", "size=64k"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextlib.contextmanager
def _disk(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def read_only(place: Path, alone: Curves, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """A folder that cannot be written is refused by name and stays as it was."""
    out = place / "read-only"
    out.mkdir()
    if os.geteuid():
        out.chmod(0o555)
        how = "permissions"
        assert _refused(out), "the folder was written"
        out.chmod(0o755)
    elif _can_mount(place):
        how = "a read-only disk"
        with _disk(place / "disk-read-only", "size=8m") as disk:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            assert _refused(disk / "out"), "the folder was written"
            assert not list(disk.iterdir())
    else:
        how = "a file in the place of the folder"
        (out / "file").write_text("")
        assert _refused(out / "file" / "out"), "the folder was written"
        (out / "file").unlink()
    assert not list(out.iterdir())
    complete(out, alone)
    return {"how": how}


def corrupted_blocks(place: Path, alone: Curves, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Blocks are altered under a finished run; the command computes them again."""
    out, broken, harmless = place / "corrupted", 0, 0
    succeed(run_into(out), "the run fails without any fault")
    for _ in range(count):
        files = sorted(path for path in out.rglob("*.npz") if not path.name.startswith("."))
        path = files[int(rng.integers(len(files)))]
        whole = store.read_block(path)
        path.write_bytes(altered(path.read_bytes(), rng))
        try:
            again = store.read_block(path)
        except store.BrokenBlock:
            broken += 1
        else:  # a byte that carries no number, such as a date in the archive
            numbers = [again.iterate.tobytes(), *(again.values[k].tobytes() for k in sorted(again.values))]
            assert numbers == [whole.iterate.tobytes(), *(whole.values[k].tobytes() for k in sorted(whole.values))]
            harmless += 1
        complete(out, alone)
    return {"altered blocks": count, "refused by name": broken, "without effect": harmless}


def two_runs(place: Path, alone: Curves, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Two runs on one folder at the same time, the second a random moment later."""
    for k in range(count):
        out = place / f"two-{k}"
        first = child(run_into(out))
        time.sleep(float(rng.uniform(0, 0.3)))
        second = child(run_into(out))
        assert (wait(first), wait(second)) == (0, 0), "one of two runs at once fails"
        unharmed(out)
        same(load("fig4", out=out), alone)
    return {"pairs": count}


def untrusted_files(place: Path, alone: Curves, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Altered and hostile files: a loader answers with its error or with what the file holds, and executes nothing."""
    mark, folder = place / "executed", place / "untrusted"
    folder.mkdir()
    block = next(path for path in (place / "alone").rglob("*-*.npz"))
    settings = next((place / "alone").rglob("experiment.json"))
    tried = refused = 0
    for name, read in loaders().items():
        path = folder / ("experiment.json" if name == "settings" else "order.npy" if "order" in name else "file.npz")
        good = settings.read_bytes() if name == "settings" else block.read_bytes()
        for data in (*hostile(mark), *(altered(good, rng) for _ in range(count))):
            path.write_bytes(data)
            tried += 1
            try:
                read(path)
            except (ValueError, OSError) as error:  # DataError and BrokenBlock are ValueErrors
                message, refused = str(error), refused + 1
            else:
                message = path.name
            assert path.name in message, f"{name} does not name the file: {message}"
            assert not mark.exists(), f"{name} has executed a pickle"
    return {"loaders": len(loaders()), "files": tried, "refused by name": refused}


class _Unrest:
    """Called when a run reports its progress: after 2 blocks a second worker joins, after 12 the first is killed."""

    def __init__(self, cluster: Any) -> None:
        self.cluster, self.killed = cluster, False
        self.joined: set[str] = set()  # a worker that stands in for the killed one has another name
        self.busy: set[str] = set()

    def __call__(self, progress: Any) -> None:
        workers = self.cluster.scheduler.workers
        self.busy |= {name for name, one in list(workers.items()) if one.processing}
        if progress.done_blocks >= 2 and not self.joined:
            first = set(workers)
            self.cluster.scale(2)
            self.cluster.wait_for_workers(2)  # nothing new is submitted before it is there
            self.joined = set(workers) - first
        if progress.done_blocks >= 12 and not self.killed:
            os.kill(next(iter(self.cluster.workers.values())).process.pid, signal.SIGKILL)
            self.killed = True


def dask_workers(place: Path, alone: Curves, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Workers of a cluster that are killed and that join late; the late ones must be used."""
    from distributed import LocalCluster

    from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES
    from nn_experiments.runs.request import Request
    from nn_experiments.runs.run import Options, run

    experiment = EXPERIMENTS["regression-square"].override({"model": "mlp-2x100"})
    orders = ("forward", "backward")
    request = Request.of(FIGURES["fig4"], experiment, seeds=[0], orders=orders, steps=40, diagnostics_every=0)
    killed = late = 0
    for k in range(count):
        out = place / f"dask-{k}"
        with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
            unrest = _Unrest(cluster)
            options = Options(out=out, dask=cluster.scheduler_address, block_seconds=0.01, engine="step")
            assert run(request, options, report=unrest).missing == 0
        late += bool(unrest.busy & unrest.joined)
        killed += unrest.killed
        same(load("fig4", out=out), alone)
    assert killed == count, f"{killed} workers killed in {count} clusters"
    assert late == count, f"the late worker had jobs in {late} of {count} clusters"
    return {"clusters": count, "workers killed": killed, "clusters whose late worker was used": late}


#: Fault -> how it is done, and how often for each of the 50 kills that are the unit.
FAULTS: dict[str, tuple[Callable[..., dict[str, Any]], float]] = {
    "kill -9 of a run": (killed_runs, 1.0),
    "kill -9 of the commands of make verify": (killed_verify, 1.0),
    "full disk": (full_disk, 0.2),
    "read-only folder": (read_only, 0.02),
    "altered blocks": (corrupted_blocks, 0.6),
    "two runs on one folder": (two_runs, 0.1),
    "untrusted files": (untrusted_files, 2.0),
    "Dask workers killed and late": (dask_workers, 0.06),
}


def table(record: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| fault | what happened | command |"
    yield "| --- | --- | --- |"
    for fault, one in record["faults"].items():
        facts = [f"{k}: {v:,}" if isinstance(v, int) else f"{k}: {v}" for k, v in one.items()]
        shown = [fact for fact in facts if not fact.startswith(("harm:", "command:"))]
        yield f"| {fault} | {'harm' if one['harm'] else 'no harm'}; {', '.join(shown)} | `{one['command']}` |"


def main(arguments: list[str] | None = None) -> int:
    """Try all faults and write the record; return 0, or 1 if one of them does harm."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="kills of each command (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the moments (default: %(default)s)")
    parser.add_argument("--faults", nargs="*", choices=list(FAULTS), default=list(FAULTS), help="(default: all)")
    parser.add_argument("--out", type=Path, help="the record, a JSON file whose other faults stay (default: none)")
    options = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch  # before any fork

    torch.set_num_threads(1)
    command, found = f"python -m tests.trust.faults --kills {options.kills} --seed {options.seed}", {}
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        place = Path(name)
        succeed(run_into(place / "alone"), "the run fails without any fault")
        alone = load("fig4", out=place / "alone")
        for fault in options.faults:
            act, share = FAULTS[fault]
            try:
                result = act(
                    place,
                    alone,
                    np.random.default_rng([options.seed, list(FAULTS).index(fault)]),
                    max(1, round(options.kills * share)),
                )
                found[fault] = {"harm": False, **result}
            except AssertionError as error:
                found[fault] = {"harm": True, "what": str(error)}
            found[fault]["command"] = f'{command} --faults "{fault}"'
            print(f"{fault}: {found[fault]}", flush=True)
            if options.out is not None:  # written after each fault, so that an interrupted run keeps its results
                old = json.loads(options.out.read_text())["faults"] if options.out.exists() else {}
                write_text(options.out, json.dumps({"faults": old | found}, indent=1) + "\n")
    return int(any(one["harm"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
