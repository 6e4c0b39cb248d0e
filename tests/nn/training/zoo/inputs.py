"""Modules of several inputs, in tuples and dictionaries, as a plain loop spreads them over the arguments."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.nn.training.zoo.case import Setup, classes, images, refused, right, sgd


class Two(nn.Module):
    """A module of two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(2, 4)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Map (B, 3) and (B, 2) to (B, 4)."""
        return self.a(first) + 2 * self.b(second).tanh()


def star(model: Any, inputs: Any) -> Any:
    """Call a module as a plain loop does with several inputs."""
    return model(**inputs) if isinstance(inputs, dict) else model(*inputs)


def given(model: nn.Module, inputs: Any, make: Any = sgd, call: Any = star, **more: Any) -> Setup:
    """Return a set-up with these inputs."""
    model = model.double()
    return Setup(model, make(model), inputs, classes(3)[1], call=call, **more)


X, Z = classes(3)[0], classes(3)[0][:, 1:].flip(0)


@right
def tuple_of_two() -> Setup:
    return given(Two(), (X, Z))


@right
def tuple_of_two_with_adam() -> Setup:
    return given(Two(), (X, Z), lambda m: torch.optim.Adam(m.parameters(), lr=0.01))


@right
def tuple_of_two_with_rmsprop() -> Setup:
    return given(Two(), (X, Z), lambda m: torch.optim.RMSprop(m.parameters(), lr=0.01))


@right
def dictionary_of_two() -> Setup:
    return given(Two(), {"second": Z, "first": X})


@right
def numpy_arrays_in_a_dictionary() -> Setup:
    return given(Two(), {"second": Z.numpy(), "first": X.numpy()})


@right
def list_of_two_from_a_function() -> Setup:
    setup = given(Two(), X)
    whole = setup.source()

    def batches(i: int) -> tuple[Any, Any]:
        batch = whole(i)
        return [batch[0], batch[0][:, :2]], batch[1]

    setup.batches = batches
    return setup


@right
def compiled_module_of_two() -> Setup:
    model = Two().double()
    return Setup(torch.compile(model, backend="eager"), sgd(model), (X, Z), classes(3)[1], call=star)  # type: ignore[arg-type]


@right
def data_parallel_of_two() -> Setup:
    return given(nn.DataParallel(Two()), (X, Z))


class Options(nn.Module):
    """A forward pass like a language model's, in which every argument has a default."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.end = nn.Embedding(7, 3), nn.Linear(3, 4)

    def forward(self, ids: Any = None, mask: Any = None, embedded: Any = None) -> torch.Tensor:
        """Map (B, L) words and their mask to (B, 4)."""
        h = self.words(ids) if embedded is None else embedded
        return self.end((h * mask[..., None]).sum(1))


WORDS = torch.randint(7, (30, 5), generator=torch.Generator().manual_seed(3))


@right
def dictionary_for_arguments_with_defaults() -> Setup:
    return given(Options(), {"ids": WORDS, "mask": (WORDS > 2).double()})


@refused(r"was given the tuple as one argument.*model\(\*inputs\)")
def tuple_for_arguments_with_defaults() -> Setup:
    return given(Options(), (WORDS, (WORDS > 2).double()))


class Whole(nn.Module):
    """The remedy: a module that takes the tuple and spreads it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Any) -> torch.Tensor:
        """Spread the tuple."""
        return self.model(*inputs)


@right
def tuple_for_arguments_with_defaults_wrapped() -> Setup:
    return given(Whole(Options()), (WORDS, (WORDS > 2).double()), call=lambda model, inputs: model(inputs))


class OfDictionary(nn.Module):
    """A module that takes the dictionary itself."""

    def __init__(self) -> None:
        super().__init__()
        self.two = Two()

    def forward(self, inputs: dict[str, torch.Tensor], scale: float = 1.0) -> torch.Tensor:
        """Map the entries x and z."""
        return self.two(inputs["x"], inputs["z"]) * scale


@right
def dictionary_taken_whole() -> Setup:
    return given(OfDictionary(), {"x": X, "z": Z}, call=lambda model, inputs: model(inputs))


class Bare(nn.Module):
    """A tensor and a pair inside, and an argument that must be named."""

    def __init__(self) -> None:
        super().__init__()
        self.two = Two()

    def forward(self, pair: Any, *, scale: torch.Tensor) -> torch.Tensor:
        """Map a pair and a (B, 1) factor."""
        return self.two(*pair) * scale


@right
def nested_with_a_named_argument() -> Setup:
    return given(Bare(), {"pair": (X, Z), "scale": X[:, :1]})


@right
def convolution_of_two_inputs() -> Setup:
    class Images(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.end = nn.Conv2d(2, 3, 1), nn.Linear(51, 4)

        def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
            return self.end(torch.cat([self.one(x).relu().flatten(1), z], 1))

    return given(Images(), (images()[0], X))


@right
def targets_in_a_tuple() -> Setup:
    def loss(outputs: torch.Tensor, targets: Any) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs, targets[0]) + (outputs[:, 0] - targets[1]).square().mean()

    setup = given(Two(), (X, Z), loss=loss)
    setup.targets = (setup.targets, Z[:, 0])
    return setup


@refused("takes more than one argument.*as a tuple or a dictionary of all arguments")
def one_tensor_for_two_arguments() -> Setup:
    return given(Two(), X)


@refused("the model fails on inputs.*takes 3 positional arguments but 4 were given")
def three_for_two_arguments() -> Setup:
    return given(Two(), (X, Z, Z))


@refused("30 inputs but 29 targets")
def inputs_and_targets_of_two_lengths() -> Setup:
    setup = given(Two(), (X, Z))
    setup.targets = setup.targets[1:]
    return setup


@refused("29 or 30 inputs but 30 targets")
def inputs_of_two_lengths() -> Setup:
    return given(Two(), (X, Z[1:]))


@right
def lazily_built_and_run_once() -> Setup:
    model = nn.Sequential(nn.LazyLinear(6), nn.Tanh(), nn.LazyLinear(4)).double()
    model(X)
    return given(model, X, call=lambda model, inputs: model(inputs))


@right
def compiled_in_place() -> Setup:
    model = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 4))
    model.compile(backend="eager")
    return given(model, X, call=lambda model, inputs: model(inputs))


@right
def numpy_arrays() -> Setup:
    return given(nn.Linear(3, 4), X.numpy(), call=lambda model, inputs: model(inputs))


@refused("The inputs are float64 and the parameters float32: convert the data")
def numpy_arrays_of_another_type() -> Setup:
    model = nn.Linear(3, 4)
    return Setup(model, sgd(model), X.numpy(), classes(3)[1])


@right
def muon_of_two_layers() -> Setup:
    model = nn.Sequential(nn.Linear(3, 6, bias=False), nn.Tanh(), nn.Linear(6, 4, bias=False))
    return given(
        model,
        X,
        lambda m: torch.optim.Muon(m.parameters(), lr=0.02, momentum=0.9, nesterov=True),
        lambda model, inputs: model(inputs),
    )


@refused("must be one optimizer, got a list")
def muon_for_matrices_and_adam_for_biases() -> Setup:
    model = nn.Linear(3, 4).double()
    pair = [torch.optim.Muon([model.weight]), torch.optim.AdamW([model.bias])]
    return Setup(model, pair, X, classes(3)[1])
