"""Jobs whose states are the maps that have been applied: which engine computes a curve, what diagnostics compare."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.paper import curve_names  # noqa: E402
from nn_experiments.paper.catalogue import EXPERIMENTS  # noqa: E402
from nn_experiments.results.increments import INDEPENDENT, Increments  # noqa: E402
from nn_experiments.runs import increments  # noqa: E402
from nn_experiments.runs import job as jobs  # noqa: E402
from nn_experiments.runs.job import Job  # noqa: E402

# --- engines --------------------------------------------------------------------------------------------------------

ORDER, ALONE, RULE = ("forward", "backward"), ("ema-0.5", "stop_when_settled-0.1"), ("regularised-1-h",)


@pytest.mark.parametrize(
    ("engine", "device", "names", "chosen"),
    [
        ("auto", "cpu", (*ORDER, *ALONE, *RULE), "auto"),
        ("auto", "cuda", ORDER, None),  # on a card, orders are an ensemble's
        ("auto", "cuda", (*ALONE, *RULE), "auto"),  # and single chains are not
        ("ensemble", "cpu", ORDER, None),
        ("ensemble", "cuda:1", ORDER, None),
        ("ensemble", "cpu", (*ALONE, *RULE), "auto"),
        ("step", "cuda", (*ORDER, *ALONE, *RULE), "step"),
        ("mlp", "cpu", (*ORDER, *ALONE), "mlp"),
        ("mlp", "cpu", RULE, "auto"),  # which these kernels do not know
        ("compiled", "cpu", RULE, "auto"),
        ("channels_last", "cpu", RULE, "auto"),
        ("step", "cpu", RULE, "step"),
    ],
)
def test_what_computes_a_curve(engine: str, device: str, names: tuple[str, ...], chosen: str | None) -> None:
    for name in names:
        curve: Any = curve_names.parse(name)
        setup: Any = SimpleNamespace(kernel=lambda of, how: (of, how))
        job: Any = SimpleNamespace(engine=engine, problem=SimpleNamespace(device=device))
        assert jobs._kernel(setup, job, curve) == (None if chosen is None else (curve, chosen))


@pytest.mark.parametrize(("engine", "kernel"), [("ensemble", "auto"), ("auto", "auto"), ("step", "step")])
def test_a_policy_is_a_single_chain_and_its_decisions_are_recorded(
    engine: str, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The iterates 3 and 5 hold their own numbers; the policy has stopped at 4."""

    def settled(of: Any, at: Any, start: Any, policy: Any) -> Any:
        assert (start, list(at), policy.eps) == ("start", [3, 5], 0.1)
        yield from ((n, {"n": n}, None, min(n, 4)) for n in at)

    monkeypatch.setattr(jobs, "stop_when_settled", settled)
    monkeypatch.setattr(jobs, "measure", lambda by, state, n, outermost, batches: {"x": np.array([state["n"] + 0.5])})
    setup: Any = SimpleNamespace(
        kernel=lambda curve, how: SimpleNamespace(name=how), state0="start", measurement=None, batches=None
    )
    curve: Any = curve_names.parse("stop_when_settled-0.1")
    job: Any = SimpleNamespace(engine=engine, at=(3, 5))
    name, found = jobs._decided(setup, job, curve)
    assert name == kernel
    assert {key: values.tolist() for key, values in found.items()} == {"x": [3.5, 5.5], "stopped_at": [3.0, 4.0]}


# --- diagnostics ----------------------------------------------------------------------------------------------------


def test_what_diagnostics_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter of two numbers, n² of iterate n and one that says what was run; outputs are twice the parameter.

    The curve itself has (n², 0), another start (n², 3) and the independent run (n², 4): so the increment at n is
    2n + 1, and the distance to the last iterate, 9, is 81 − n².
    """
    asked: list[tuple[str, list[int], Any]] = []

    def path(setup: Any, job: Any, curve: Any, at: Any, start: float, *, ensemble: Any) -> Any:
        asked.append((curve.name, list(at), setup.batches))
        apart = 4.0 if setup.batches == "other" else start
        return "kernel", ((n, {"parameters": {"w": torch.tensor([float(n) ** 2, apart])}}, None) for n in at)

    class Place(SimpleNamespace):
        pass

    evaluation = SimpleNamespace(
        predictions=lambda state: 2 * state["parameters"]["w"].expand(5, 2),
        gradient_norm=lambda state: state["parameters"]["w"][0] + 0.5,
    )
    place: Any = Place(evaluation=evaluation, batches="own", other_batches="other", state0=0.0, second=3.0)
    monkeypatch.setattr(jobs, "_path", path)
    monkeypatch.setattr(jobs.dataclasses, "replace", lambda of, **changes: Place(**(vars(of) | changes)))
    problem: Any = SimpleNamespace(name="toy", device="cpu")
    at = (0, 2, 3, 9)
    name, found = jobs._diagnostics(place, Job(problem, 0, "backward", "diagnostics", at, last=9), None)  # type: ignore[arg-type]
    assert name == "kernel"
    assert sorted(map(str, asked)) == sorted(
        map(
            str,
            [
                ("backward", [0, 1, 2, 3, 4, 9, 10], "own"),
                ("backward", list(at), "own"),
                ("forward", list(at), "other"),
                ("backward", [9], "own"),
            ],
        )
    )
    n = np.array(at, float)
    expected = {
        "parameter_increment": 2 * n + 1,
        "function_increment": 2 * (2 * n + 1),
        "parameter_to_9": 81 - n**2,
        "function_to_9": 2 * (81 - n**2),
        "parameter_norm": n**2,
        "gradient_norm": n**2 + 0.5,
        "parameter_coupling": np.full(4, 3.0),
        "function_coupling": np.full(4, 6.0),
        "parameter_independent": np.full(4, 4.0),
        "function_independent": np.full(4, 8.0),
    }
    assert set(found) == set(expected)
    for key, values in expected.items():
        assert found[key].tolist() == values.tolist(), key


def test_distances_of_outputs_are_means_over_examples() -> None:
    """Sums over the outputs of each example, the mean over examples, and then the root."""
    assert jobs._rms(torch.tensor([[3.0, 4.0], [0.0, 1.0]])) == math.sqrt((25 + 1) / 2)


def test_one_thread_is_for_the_cpu_and_for_a_while() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for device, threads in (("cpu", 1), ("cuda", 2)):
            with contextlib.suppress(KeyError), jobs.one_thread(device):
                assert torch.get_num_threads() == threads
                raise KeyError
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("name", "batched", "recorded"),
    [
        ("ensemble", [False, False], False),
        ("ensemble", [False, True], True),  # the start is measured alone
        ("ensemble", [True, True], True),
        ("step", [False, False], None),
    ],
)
def test_how_chains_were_batched_is_recorded_of_an_ensemble(
    name: str, batched: list[bool], recorded: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form and the chunk size are recorded as well. Without an ensemble, states are measured one at a time."""
    counts: list[int] = []

    def path(setup: Any, job: Any, curve: Any, at: Any, start: Any, *, ensemble: Any) -> Any:
        ensemble.form = "wide"
        return name, iter(at)

    def measure_path(measurement: Any, states: Any, batches: Any, *, together: int) -> Any:
        counts.append(together)
        yield from (
            SimpleNamespace(values={"x": np.array(n + 0.5)}, batched=one)
            for n, one in zip(states, batched, strict=True)
        )

    monkeypatch.setattr(jobs, "_path", path)
    monkeypatch.setattr(jobs, "measure_path", measure_path)
    place = SimpleNamespace(state0=None, measurement=None, batches=None)
    problem: Any = SimpleNamespace(
        name="toy", device="cpu", arithmetic=contextlib.nullcontext, prepare=lambda seed: place, seed=0
    )
    for asked, used in ((None, jobs.TOGETHER), (3, 3)):
        block = jobs.run_job(Job(problem, 5, "forward", "curves", (0, 4), last=4, chunk=7, together=asked))
        assert block.iterate.tolist() == [0, 4]
        assert block.values["x"].tolist() == [0.5, 4.5]
        assert (block.meta["kernel"], block.meta["chunk"]) == (name, 7)
        assert block.meta.get("metrics batched") == recorded
        assert block.meta.get("form") == ("wide" if name == "ensemble" else None)
        assert counts.pop() == (used if name == "ensemble" else 1)


# --- starts under the same maps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "every", "at"),
    [(10, 5, [0, 5, 10]), (10, 4, [0, 4, 8, 10]), (3, 9, [0, 3]), (1, 1, [0, 1]), (9, 9, [0, 9])],
)
def test_measurements_are_at_multiples_and_at_the_end(steps: int, every: int, at: list[int]) -> None:
    assert increments._measured_at(steps, every) == at


def test_starts_are_named_in_the_order_of_their_chains() -> None:
    assert increments._names((1, 10), others=True) == (
        "θ0",
        "1 ahead",
        "10 ahead",
        "other start",
        "nudged",
        INDEPENDENT,
    )
    assert increments._names((7,), others=False) == ("θ0", "7 ahead", INDEPENDENT)


@pytest.mark.parametrize(
    "changes",
    [{"seeds": []}, {"steps": 0}, {"every": 0}, {"ahead": []}, {"ahead": [3, 0]}, {"images": 0}],
    ids=["no draw", "no step", "never", "nothing ahead", "zero ahead", "no image"],
)
def test_numbers_of_a_measurement_are_at_least_one(changes: dict[str, Any]) -> None:
    right: dict[str, Any] = {"seeds": [0], "steps": 1, "every": 1, "ahead": [1], "images": 1}
    increments._check(**right)
    with pytest.raises(ValueError, match="seeds and ahead must not be empty, and all numbers at least 1"):
        increments._check(**(right | changes))


def test_only_maps_that_are_independent_and_do_not_know_their_position() -> None:
    plain = EXPERIMENTS["mlp-digits"].override({"sampling": "iid"})
    increments._refuse(plain)
    with pytest.raises(ValueError, match="sampling must be iid, got 'reshuffle'"):
        increments._refuse(plain.override({"sampling": "reshuffle"}))
    for changes, words in (
        ({"optimizer.method": "adam"}, "got adam with the schedule 'constant'"),
        (
            {"optimizer.schedule.kind": "inverse", "optimizer.schedule.horizon": "5"},
            "got sgd with the schedule 'inverse'",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            increments._refuse(plain.override(changes))


@pytest.mark.parametrize("others", [True, False])
def test_each_draw_has_its_starts_under_its_own_maps(others: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is k ahead has taken k steps under the other maps of its draw; the independent run comes last."""

    def state(value: float) -> Any:
        return {"parameters": {"w": torch.tensor([value, 0.0])}}

    runs: list[Any] = []

    def under(step: Any, draws: Any, at: Any, *, ensemble: Any) -> Any:
        runs.append([(draw.batches, len(draw.starts)) for draw in draws])
        first = torch.stack([draw.starts[0]["parameters"]["w"] for draw in draws])
        for n in at:
            yield n, {"parameters": {"w": first + 100 * n}}

    monkeypatch.setattr(increments, "under_the_same_maps", under)
    setups: Any = [
        SimpleNamespace(
            step=None, seed=k, batches=f"B{k}", other_batches=f"O{k}", state0=state(k + 1.0), second=state(-k - 1.0)
        )
        for k in range(2)
    ]
    draws = increments._draws(setups, (1, 3), None, others=others)  # type: ignore[arg-type]
    assert runs == [[("O0", 1), ("O1", 1)]]
    assert [draw.batches for draw in draws] == ["B0", "B1", "O0", "O1"]
    for k in range(2):
        values = [float(start["parameters"]["w"][0]) for start in draws[k].starts]
        assert values[:3] == [k + 1.0, k + 101.0, k + 301.0]
        if others:
            assert values[3] == -k - 1.0
            moved = draws[k].starts[4]["parameters"]["w"] - torch.tensor([k + 1.0, 0.0])
            assert 0 < float(moved.norm()) < 0.01
        assert len(values) == (5 if others else 3)
        assert [float(start["parameters"]["w"][0]) for start in draws[2 + k].starts] == [k + 1.0]


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 9])
def test_outputs_are_computed_in_slices_of_rows(rows: int) -> None:
    """Chain c adds c to each input; the members 2 and 0 are asked for."""
    sizes: list[int] = []

    def predict(single: Any, inputs: torch.Tensor) -> torch.Tensor:
        sizes.append(len(inputs))
        return inputs + single["parameters"]["w"]

    place: Any = SimpleNamespace(evaluation=SimpleNamespace(rows=rows, predict=predict))
    stacked: Any = {"parameters": {"w": torch.arange(3.0)[:, None]}, "buffers": {}}
    found = increments._outputs(place, stacked, [2, 0], torch.arange(5.0)[:, None])
    assert found[:, :, 0].tolist() == [[2.0, 3.0, 4.0, 5.0, 6.0], [0.0, 1.0, 2.0, 3.0, 4.0]]
    assert sizes == [min(rows, 5 - k) for k in range(0, 5, rows)] * 2


@pytest.mark.parametrize("others", [True, False])
def test_all_starts_of_all_draws_run_together(others: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two draws of θ_0, two runs that are ahead, the independent run and, if asked for, two more starts each."""

    class Stop(Exception):
        pass

    chunks: list[int] = []

    def under(step: Any, draws: Any, at: Any, *, ensemble: Any) -> Any:
        chunks.append(ensemble.chunk)
        raise Stop

    def prepare(experiment: Any, seed: int, **more: Any) -> Any:
        sets = {"test": (torch.zeros(3, 1), torch.zeros(3))}
        return SimpleNamespace(
            step=SimpleNamespace(gradients=SimpleNamespace(random=False)),
            evaluation=SimpleNamespace(sets=sets),
            other_batches=None,
            state0=None,
        )

    prepare.cache_clear = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setattr(increments, "under_the_same_maps", under)
    monkeypatch.setattr(increments, "prepare", prepare)
    plain = EXPERIMENTS["mlp-digits"].override({"sampling": "iid"})
    with pytest.raises(Stop):
        increments.measure_increments(plain, [3, 5], steps=4, every=2, ahead=(1, 2), others=others)
    assert chunks == [2 * (6 if others else 4)]


def test_each_draw_has_a_file_of_its_own_that_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two draws, and then three with one of these files altered: what can be read is not measured again."""
    made: list[int] = []
    said: list[tuple[int, int | None]] = []

    def measure(experiment: Any, seeds: Any, *, report: Any, **more: Any) -> Any:
        (seed,) = seeds
        made.append(seed)
        report(4)
        numbers = np.full((1, 3, 5), float(seed))
        arrays = dict.fromkeys(("parameter", "function", "norm", "loss", "accuracy"), numbers)
        about = {"experiment": experiment.to_json(), "fingerprint": "f", "images": 5, "chains": 5, "seconds": 0.5}
        names = increments._names(more["ahead"], others=True)
        return Increments(np.array(seeds), np.array([0, 2, 4]), names, metadata=about | {"revision": "one"}, **arrays)

    monkeypatch.setattr(increments, "measure_increments", measure)
    place = SimpleNamespace(dataset=SimpleNamespace(fingerprint="f"))
    monkeypatch.setattr(increments, "prepare", lambda *given, **more: place)
    plain = EXPERIMENTS["mlp-digits"].override({"sampling": "iid"})

    def measured(*seeds: int) -> Any:
        made.clear()
        said.clear()
        return increments.increments_by_draw(
            plain, seeds, tmp_path, steps=4, every=2, ahead=(1,), report=lambda seed, n: said.append((seed, n))
        )

    assert measured(5, 3).draws.tolist() == [5, 3]
    assert (made, said) == ([5, 3], [(5, 4), (3, 4)])
    assert {path.name for path in tmp_path.iterdir()} == {"draw-3.npz", "draw-5.npz"}
    (tmp_path / "draw-3.npz").write_bytes(b"?")
    found = measured(5, 3, 4)
    assert (made, said) == ([3, 4], [(5, None), (3, 4), (4, 4)])
    assert found.draws.tolist() == [5, 3, 4]
    assert found.loss[:, 0, 0].tolist() == [5.0, 3.0, 4.0]
    assert {path.name for path in tmp_path.iterdir()} == {"draw-3.npz", "draw-4.npz", "draw-5.npz"}
