"""What `nn_experiments.run` refuses or warns of, by the name of the argument."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import contraction as ct  # noqa: E402
import nn_experiments as nne  # noqa: E402
from tests.nn.runs.small_network import MSE, Small, X, Y  # noqa: E402


def test_what_cannot_be_sent_to_processes_says_so(tmp_path: Path) -> None:
    own = Small()
    with (tmp_path / "open.txt").open("w") as file:
        metric = {"loss": lambda state: state["parameters"]["0.weight"].sum() + 0.0 * file.fileno()}
        with pytest.raises(TypeError, match="cannot be sent to worker processes"):
            own.run(tmp_path / "out", [ct.Forward()], measure=metric, workers=1)


@pytest.mark.control
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"curves": [ct.CustomOrder(lambda n: range(1, n + 1))]}, "has no name"),
        ({"curves": [ct.Forward]}, r"write Forward\(\), not Forward"),
        ({"curves": []}, "curves must be a list"),
        ({"curves": ["decayed-5"]}, "for experiments of the catalogue"),
        ({"curves": [nne.ResetIfBetter("accuracy", every=2)]}, "a metric that is not measured; there are test_loss"),
        ({"name": "fig4"}, "not be one of the catalogue's"),
        ({"measure": {"my loss": lambda state: 0.0}}, "letters, digits"),
        ({"measure": {"iterate": lambda state: 0.0}}, "a metric cannot be called 'iterate': .*seed, order, iterate"),
        ({"measure": {"reset_at": lambda state: 0.0}}, "a metric cannot be called 'reset_at'"),
        ({"measure": {"weights": lambda state: state["parameters"]["0.weight"]}}, "must be one number"),
        ({"batches": lambda i: (X[:2], Y[:2]), "seeds": (0, 1)}, "a method with_seed"),
        ({"seeds": ()}, "must not be empty"),
        ({"engine": "warp"}, "unknown engine 'warp'"),
        ({"describe": {"steps": 1}}, "the parts are step, batches"),
        ({"at": []}, "names no iterate"),
    ],
)
def test_what_has_no_meaning_is_refused(tmp_path: Path, more: dict, message: str) -> None:
    given = dict(more)
    with pytest.raises(ValueError, match=message):
        Small().run(tmp_path, given.pop("curves", [ct.Forward()]), **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.control
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"at": 10}, r"at must be a sequence of iterates, .* got 10"),
        ({"seeds": 3}, r"seeds must be a sequence of integers, .* got 3"),
        ({"measure": lambda state: 0.0}, "measure must map names to functions .* got function"),
        ({"state": torch.nn.Linear(1, 1).state_dict()}, "state must be a state, .* from_torch"),
    ],
)
def test_what_is_of_another_type_is_refused_by_the_name_of_its_argument(
    tmp_path: Path, more: dict, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Small().run(tmp_path, [ct.Forward()], **more)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.control
@pytest.mark.parametrize("name", ["seed", "order", "iterate", "gradients"])
def test_a_metric_does_not_take_the_name_of_a_column(name: str) -> None:
    own = Small()
    with pytest.raises(ValueError, match=f"a metric cannot be called '{name}'"):
        nne.iterates(own.step, own.batches, own.state, ct.Forward(), [0], {name: lambda state: torch.zeros(())})


def test_a_second_start_that_is_a_model_is_told_what_a_state_is() -> None:
    own = Small()
    with pytest.raises(TypeError, match=r"start must be a state, .* got Sequential"):
        nne.limit(own.step, own.batches, own.state, Small(seed=1).model, eps=0.1)


def test_a_state_takes_curves_and_no_names() -> None:
    own = Small()
    with pytest.raises(TypeError, match=r"such as contraction\.Backward\(\), got 'backward'"):
        nne.state_at(own.step, own.batches, own.state, "backward", 5)  # pyright: ignore[reportArgumentType]


@pytest.mark.control
def test_a_loss_that_is_a_class_is_told_to_be_an_instance() -> None:
    model = torch.nn.Linear(1, 1)
    message = r"the loss is the class MSELoss: give an instance of it, such as MSELoss\(\)"
    with pytest.raises(TypeError, match=message):
        nne.from_torch(model, torch.nn.MSELoss, torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(TypeError, match=message):
        nne.measures(model, torch.nn.MSELoss, test=(X, Y))


CONSTANT = copy.deepcopy(Small().model)


@pytest.mark.control
def test_a_metric_that_does_not_look_at_the_state_gets_a_warning(tmp_path: Path) -> None:
    """One that reads a model in place of the state does; one of the state, one of its buffers, do not."""
    own = Small(norm=True)
    metrics = own.measure | {"mean": lambda state: state["buffers"]["1.running_mean"].sum()}
    own.run(tmp_path, [ct.Forward()], measure=metrics)
    with pytest.warns(UserWarning, match=r"metric of_the_model .*nne.measures") as caught:
        own.run(
            tmp_path, [ct.Forward()], measure=metrics | {"of_the_model": lambda state: MSE(CONSTANT(X), Y).detach()}
        )
    assert len(caught) == 1
    assert Path(caught[0].filename).name == "small_network.py"


def test_nothing_of_a_name_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        nne.load("network", out=tmp_path / "nowhere")
    Small().run(tmp_path, [ct.Forward()], name="mine")
    with pytest.raises(ValueError, match=r"no figure, experiment or folder 'mein'.* holds runs of mine"):
        nne.load("mein", out=tmp_path)


@pytest.mark.control
def test_an_unknown_order_is_told_all_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown order 'sideways'.*backward.*swa-START.*stop_when_settled-EPS"):
        Small().run(tmp_path, ["sideways"])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    own = Small()
    given = (own.step, own.batches, own.state, [ct.Forward()])
    with pytest.raises(TypeError, match=r"run needs at=, the iterates to compute, such as at=range"):
        nne.run(*given, measure=own.measure, out=tmp_path)
    with pytest.raises(TypeError, match=r"run needs measure=, .*nne\.measures\(model, loss, test="):
        nne.run(*given, at=range(3), out=tmp_path)
    for out in (None, 3):
        with pytest.raises(TypeError, match=f"out must be the name of a folder, .*got {out}"):
            nne.run(*given, at=range(3), measure=own.measure, out=out)


def test_a_folder_of_runs_says_how_to_load_one(tmp_path: Path) -> None:
    Small().run(tmp_path, [ct.Forward()], name="mine")
    with pytest.raises(ValueError, match=r"holds runs of mine: load\('mine', out='"):
        nne.load(tmp_path)
