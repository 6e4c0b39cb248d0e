"""Optimizers: those of torch, with their options, and a user's own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.nn.training.zoo.case import Setup, classes, images, mlp, refused, right, sgd

O = torch.optim


def plain(make: Any, model: nn.Module | None = None, **more: Any) -> Setup:
    model = model or mlp()
    return Setup(model, make(model), *classes(3), **more)


@right
def sgd_plain() -> Setup:
    return plain(sgd)


@right
def sgd_weight_decay() -> Setup:
    return plain(lambda m: sgd(m, weight_decay=0.1))


@right
def sgd_momentum() -> Setup:
    return plain(lambda m: sgd(m, momentum=0.9))


@right
def sgd_nesterov() -> Setup:
    return plain(lambda m: sgd(m, momentum=0.9, nesterov=True, weight_decay=0.01))


@right
def sgd_dampening() -> Setup:
    return plain(lambda m: sgd(m, momentum=0.9, dampening=0.3))


@right
def sgd_maximize() -> Setup:
    return plain(lambda m: sgd(m, maximize=True))


@right
def sgd_rate_zero() -> Setup:
    return plain(lambda m: sgd(m, lr=0.0, momentum=0.9))


@right
def adam() -> Setup:
    return plain(lambda m: O.Adam(m.parameters(), lr=0.01))


@right
def adam_weight_decay() -> Setup:
    return plain(lambda m: O.Adam(m.parameters(), lr=0.01, weight_decay=0.1, betas=(0.5, 0.7)))


@right
def adam_amsgrad() -> Setup:
    return plain(lambda m: O.Adam(m.parameters(), lr=0.01, amsgrad=True))


@right
def adamw() -> Setup:
    return plain(lambda m: O.AdamW(m.parameters(), lr=0.01, weight_decay=0.1))


@right
def adadelta() -> Setup:
    return plain(lambda m: O.Adadelta(m.parameters()))


@right
def adagrad() -> Setup:
    return plain(lambda m: O.Adagrad(m.parameters(), lr=0.1))


@right
def adagrad_constructor_state() -> Setup:
    return plain(lambda m: O.Adagrad(m.parameters(), lr=0.1, initial_accumulator_value=0.5, lr_decay=0.1))


@right
def adamax() -> Setup:
    return plain(lambda m: O.Adamax(m.parameters()))


@right
def asgd() -> Setup:
    return plain(lambda m: O.ASGD(m.parameters(), t0=1, lambd=0.1))


@right
def nadam() -> Setup:
    return plain(lambda m: O.NAdam(m.parameters()))


@right
def radam() -> Setup:
    return plain(lambda m: O.RAdam(m.parameters()))


@right
def rmsprop_centered() -> Setup:
    return plain(lambda m: O.RMSprop(m.parameters(), lr=0.01, centered=True, momentum=0.5))


@right
def rprop() -> Setup:
    return plain(lambda m: O.Rprop(m.parameters(), lr=0.01))


@right
def muon() -> Setup:
    return plain(lambda m: O.Muon(m.parameters(), lr=0.01), nn.Sequential(nn.Linear(3, 4, bias=False)).double())


@right
def adafactor() -> Setup:
    return plain(lambda m: O.Adafactor(m.parameters(), lr=0.01))


@right
def sparse_adam() -> Setup:
    model = nn.Sequential(nn.Embedding(7, 4, sparse=True), nn.Flatten()).double()
    words = torch.randint(7, (30, 1), generator=torch.Generator().manual_seed(1))
    return Setup(model, O.SparseAdam(list(model.parameters()), lr=0.1), words, words[:, 0] % 4)


@right
def parameter_groups() -> Setup:
    return plain(lambda m: O.SGD([{"params": m[0].parameters(), "lr": 0.2}, {"params": m[2].parameters()}], lr=0.05))


@right
def groups_without_decay_on_biases() -> Setup:
    def make(m: nn.Module) -> Any:
        decayed = [p for p in m.parameters() if p.dim() > 1]
        rest = [p for p in m.parameters() if p.dim() == 1]
        return O.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0}], lr=0.01)

    return plain(make)


@right
def frozen_backbone_given_to_the_optimizer() -> Setup:
    model = mlp()
    model[0].requires_grad_(False)
    return plain(lambda m: O.AdamW(m.parameters(), lr=0.01), model)


@right
def frozen_backbone_left_out() -> Setup:
    model = mlp()
    model[0].requires_grad_(False)
    return plain(lambda m: O.SGD(m[2].parameters(), lr=0.1, momentum=0.9), model)


class Clipping(O.SGD):
    """SGD with a constructor argument that it keeps as an attribute."""

    def __init__(self, params: Any, lr: float, max_norm: float = 1e9) -> None:
        super().__init__(params, lr=lr)
        self.max_norm = max_norm

    def step(self, closure: Any = None) -> None:
        """Clip and step."""
        nn.utils.clip_grad_norm_([p for g in self.param_groups for p in g["params"]], self.max_norm)
        super().step()


@right
def own_subclass_with_an_argument() -> Setup:
    return plain(lambda m: Clipping(m.parameters(), 0.5, max_norm=0.05))


class Signs(O.Optimizer):
    """A user's own optimizer with required arguments and momentum in the state."""

    def __init__(self, params: Any, rate: float, beta: float) -> None:
        super().__init__(params, {"rate": rate, "beta": beta})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Step along signs; the number of steps is a Python int."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                own = self.state[p]
                own["step"] = own.get("step", 0) + 1
                own["m"] = own["m"] * group["beta"] + p.grad if "m" in own else p.grad.clone()
                p.add_(torch.sign(own["m"]), alpha=-group["rate"] / (1 - 0.3 ** own["step"]))


@right
def own_optimizer_with_required_arguments() -> Setup:
    return plain(lambda m: Signs(m.parameters(), 0.01, beta=0.9))


class InState(O.SGD):
    """Counts in ``self.state`` under a name, and in its groups."""

    def step(self, closure: Any = None) -> None:
        """Step; every second one is half as long."""
        self.state["k"] = self.state.get("k", 0) + 1
        for group in self.param_groups:
            group["lr"] = 0.1 / self.state["k"]
        super().step()


@right
def own_optimizer_with_state_under_a_name() -> Setup:
    return plain(lambda m: InState(m.parameters(), lr=0.1))


class InAttribute(O.SGD):
    """Counts in an attribute."""

    n = 0

    def step(self, closure: Any = None) -> None:
        """Step; what it counts matters from the ninth step on."""
        self.n += 1
        super().step()
        if self.n > 8:
            super().step()


@refused("the optimizer's n is not part of the state")
def own_optimizer_with_a_counter() -> Setup:
    return plain(lambda m: InAttribute(m.parameters(), lr=0.1))


class Lookahead(O.SGD):
    """Slow weights in a dictionary of its own, put in place every second step."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)
        self.slow = [p.detach().clone() for p in self.param_groups[0]["params"]]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Step and move the slow weights."""
        super().step()
        for p, slow in zip(self.param_groups[0]["params"], self.slow, strict=True):
            slow.lerp_(p, 0.5)
            p.copy_(slow)


@refused(r"the optimizer's slow\[0\] is not part of the state")
def lookahead_with_weights_of_its_own() -> Setup:
    return plain(lambda m: Lookahead(m.parameters(), lr=0.1))


class Accumulating(O.SGD):
    """Steps every second call, and keeps gradients between."""

    calls = 0

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Keep what is to be accumulated."""

    def step(self, closure: Any = None) -> None:
        """Step every second time."""
        self.calls += 1
        if self.calls % 2 == 0:
            super().step()
            super().zero_grad()


@refused("is not zero after optimizer.zero_grad")
def gradient_accumulation_in_the_optimizer() -> Setup:
    return plain(lambda m: Accumulating(m.parameters(), lr=0.1))


class SAM(O.SGD):
    """Sharpness-aware minimisation: needs a closure."""

    def step(self, closure: Any) -> None:
        """Evaluate the loss again."""


@refused("needs a closure")
def sam() -> Setup:
    return plain(lambda m: SAM(m.parameters(), lr=0.1))


@refused("LBFGS")
def lbfgs() -> Setup:
    return plain(lambda m: O.LBFGS(m.parameters()))


@refused("already taken steps")
def used_optimizer() -> Setup:
    model = mlp()
    optimizer = sgd(model, momentum=0.9)
    model(classes(3)[0]).sum().backward()
    optimizer.step()
    return Setup(model, optimizer, *classes(3))


@refused("learning rate scheduler")
def scheduled_optimizer() -> Setup:
    setup = plain(sgd)
    O.lr_scheduler.StepLR(setup.optimizer, 10)
    return setup


@refused("must be one optimizer")
def several_optimizers() -> Setup:
    model = mlp()
    return Setup(model, [sgd(model[0]), sgd(model[2])], *classes(3))


@refused(r"lacks 0\.weight")
def part_of_the_parameters() -> Setup:
    model = mlp()
    return Setup(model, sgd(model[2]), *classes(3))


@refused(r"lacks 0\.weight")
def parameters_of_another_model() -> Setup:
    return Setup(mlp(), sgd(mlp()), *classes(3))


class Langevin(O.SGD):
    """SGD with noise."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Step and add noise."""
        super().step()
        for p in self.param_groups[0]["params"]:
            p.add_(torch.randn_like(p), alpha=0.01)


@refused("randomness='frozen'")
def langevin() -> Setup:
    return plain(lambda m: Langevin(m.parameters(), lr=0.1))


@right
def langevin_frozen() -> Setup:
    return plain(lambda m: Langevin(m.parameters(), lr=0.1), options={"randomness": "frozen", "seed": 3})


class Scaled(O.SGD):
    """A GradScaler inside the optimizer."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)
        self.growth = torch.tensor(1.0, dtype=torch.float64)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Scale and grow."""
        for p in self.param_groups[0]["params"]:
            p.grad.mul_(self.growth)
        self.growth.mul_(1.1)
        super().step()


@refused("the optimizer's growth is not part of the state")
def scale_that_grows() -> Setup:
    return plain(lambda m: Scaled(m.parameters(), lr=0.1))


@right
def adam_before_batch_norm() -> Setup:
    """A bias whose gradient is zero but for rounding."""
    return plain(lambda m: O.Adam(m.parameters(), lr=0.01), mlp(nn.BatchNorm1d(6)))


@right
def lr_as_tensor() -> Setup:
    return plain(lambda m: O.Adam(m.parameters(), lr=torch.tensor(0.01), foreach=False))


@right
def conv_momentum() -> Setup:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 1), nn.Flatten(1), nn.Linear(12, 4)).double()
    return Setup(model, sgd(model, momentum=0.9, weight_decay=0.1), *images())


class WithScaler(O.SGD):
    """Loss scaling by torch's own GradScaler, kept by the optimizer."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0, growth_interval=1)

    def step(self, closure: Any = None) -> None:
        """Let the scaler grow, and step."""
        self.scaler.scale(torch.zeros(()))
        self.scaler.update(self.scaler.get_scale() * 2)
        super().step()


@refused("the optimizer's scaler.* is not part of the state")
def grad_scaler() -> Setup:
    return plain(lambda m: WithScaler(m.parameters(), lr=0.1))
