"""One hook of any kind, on any part, is seen: a pure function of the parameters would leave it out."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from nn_experiments.training.own_loop_reasons import hook_of, why_own_loop  # noqa: E402

OF_MODULES = (
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_full_backward_hook",
    "register_full_backward_pre_hook",
)
OF_PARAMETERS = ("register_hook", "register_post_accumulate_grad_hook")
OF_OPTIMIZERS = ("register_step_pre_hook", "register_step_post_hook")


def ignored(*_):
    """A hook that does nothing."""


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))


@pytest.mark.parametrize("kind", OF_MODULES)
def test_one_hook_of_a_module(kind):
    for part, said in (("", "the module has a hook"), ("2", "the submodule 2 has a hook")):
        model = network()
        handle = getattr(model.get_submodule(part), kind)(ignored)
        assert hook_of(model) == said
        handle.remove()
        assert hook_of(model) is None


@pytest.mark.parametrize("kind", OF_PARAMETERS)
def test_one_hook_of_a_parameter(kind):
    model = network()
    handle = getattr(model[2].bias, kind)(ignored)
    assert hook_of(model) == "the parameter 2.bias has a hook"
    handle.remove()
    assert hook_of(model) is None


@pytest.mark.parametrize("kind", OF_OPTIMIZERS)
def test_one_hook_of_an_optimizer(kind):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert why_own_loop(model, nn.functional.mse_loss, optimizer) is None
    getattr(optimizer, kind)(ignored)
    assert why_own_loop(model, nn.functional.mse_loss, optimizer) == "the optimizer has a hook"
