"""The networks of the paper: sizes as published, forward passes as an independent reference computes them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn_experiments.paper.catalogue import EXPERIMENTS, FIGURES  # noqa: E402
from nn_experiments.paper.cost import figure_rows, figure_seconds, flops_per_item, settings_lines  # noqa: E402
from nn_experiments.training.initialisation import initialise  # noqa: E402
from nn_experiments.training.models import build  # noqa: E402
from tests.nn.training.reference_networks import Reference  # noqa: E402

CIFAR, IMAGENET = (3, 32, 32), (3, 224, 224)
#: ImageNet sizes: torchvision's model pages. CIFAR: kuangliu/pytorch-cifar's networks;
#: ResNet-50 with 100 outputs has 90 · 2049 parameters more than with 10 (23,520,842).
PUBLISHED = [
    ("resnet18-7x7", IMAGENET, 1000, 11_689_512),
    ("resnet50-7x7", IMAGENET, 1000, 25_557_032),
    ("vgg19-4096-none", IMAGENET, 1000, 143_667_240),
    ("vgg19-4096", IMAGENET, 1000, 143_678_248),
    ("resnet18", CIFAR, 10, 11_173_962),
    ("resnet50", CIFAR, 100, 23_520_842 + 90 * 2049),
    ("vgg19", CIFAR, 10, 20_040_522),
]


@pytest.mark.parametrize(("name", "shape", "outputs", "count"), PUBLISHED)
def test_parameter_counts_as_published(name: str, shape: tuple[int, ...], outputs: int, count: int) -> None:
    assert sum(p.numel() for p in build(name, shape, outputs).parameters()) == count


def prepared(name: str, outputs: int):
    """Return a module in float64 with drawn parameters and running statistics, normalisation included."""
    model = build(name, CIFAR, outputs).double()
    values = initialise(model, 3, initialisation="he_normal", dtype=torch.float64)
    rng = np.random.default_rng(5)
    for key, value in values.items():
        if value.dim() == 1:  # biases and normalisation: away from 0 and 1, so that leaving one out is seen
            values[key] = value + torch.from_numpy(rng.uniform(-0.2, 0.2, tuple(value.shape)))
    model.load_state_dict(values, strict=False)
    for value in model.buffers():
        if value.is_floating_point():
            value.copy_(torch.from_numpy(rng.uniform(0.5, 1.5, tuple(value.shape))))
    return model


def reference(name: str, model, training: bool) -> tuple[Reference, dict[str, str]]:
    norm = next((n for n in ("group", "none") if name.endswith(n)), "batch")
    values = {key: value.numpy() for key, value in model.state_dict().items()}
    return Reference(values, norm=norm, training=training), {
        "stem": "7x7" if "7x7" in name else "3x3",
        "head": "4096" if "4096" in name else "linear",
    }


def forward(found: Reference, kinds: dict[str, str], name: str, images: np.ndarray) -> np.ndarray:
    if name.startswith("vgg"):
        return found.vgg19(images, head=kinds["head"])
    return found.resnet(images, int(name[6:8]), stem=kinds["stem"])


NAMES = ["resnet18", "resnet18-7x7-group", "resnet18-none", "resnet50-7x7", "vgg19", "vgg19-4096-none", "vgg19-group"]


@pytest.mark.parametrize(
    ("name", "training"),
    [*itertools.product(NAMES, (False,)), ("resnet18-7x7", True), ("resnet50-7x7", True), ("vgg19", True)],
)
def test_forward_passes_equal_the_reference(name: str, training: bool) -> None:
    model = prepared(name, 7).train(training)
    images = np.random.default_rng(0).standard_normal((4 if training else 2, *CIFAR))
    independent, kinds = reference(name, model, training)
    expected = forward(independent, kinds, name, images)
    with torch.no_grad():
        found = model(torch.from_numpy(images)).numpy()
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() <= 1e-10 * scale
    for key, value in model.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            assert np.allclose(value.numpy(), independent.values[key], rtol=1e-10, atol=1e-10 * scale)
    if training and name == "resnet18-7x7":  # evaluation mode is another function: the reference sees it
        independent.training = False
        assert np.abs(forward(independent, kinds, name, images) - expected).max() > 1e-3 * scale


@pytest.mark.parametrize(
    "name", ["resnet34", "resnet18-3x3", "resnet18-batch", "resnet18-group-7x7", "vgg19-linear", "vgg16", "resnet180"]
)
def test_one_model_has_one_name(name: str) -> None:
    with pytest.raises(ValueError, match="unknown model"):
        build(name, CIFAR, 10)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        build("vgg19", (3, 28, 28), 10)
    with pytest.raises(ValueError, match=r"\(C, H, W\)"):
        build("resnet18", (784,), 10)
    with pytest.raises(ValueError, match="the activation must be one of relu, tanh, gelu; got 'swish'"):
        build("resnet18", CIFAR, 10, activation="swish")
    with pytest.raises(ValueError, match="mlp-LxW"):
        build("transformer", CIFAR, 10)


def test_reduced_forms_name_models_that_can_be_built() -> None:
    for figure in FIGURES.values():
        if figure.reduced:
            smaller, changes = figure.smaller()
            experiment = EXPERIMENTS[figure.experiment].override(changes)
            outputs = 100 if experiment.data == "cifar100" else 10
            assert build(experiment.model, CIFAR, outputs)(torch.zeros(2, *CIFAR)).shape == (2, outputs)
            assert experiment.test_evaluation == 1000
            assert "--reduced: N = 500" in "".join(settings_lines(figure))
            assert smaller.steps == 500
            assert smaller.every == 25
            assert all(n <= 500 for n in smaller.compared_at)
    with pytest.raises(ValueError, match="no reduced form"):
        FIGURES["fig4"].smaller()


def test_the_list_has_a_row_for_every_reduced_form() -> None:
    """Aligned under the figure's own row, with the steps of the reduced form."""
    header, *rows = figure_rows()
    ends = [header.index(head) + len(head) for head in ("steps", "every", "seeds", "steps in all", "time")]
    assert all(row[end - 1] != " " and row[end] == " " for row in rows[:-1] for end in ends)
    below = {rows[k - 1].split()[0]: row.split() for k, row in enumerate(rows) if "--reduced" in row}
    assert below.keys() == {name for name, figure in FIGURES.items() if figure.reduced}
    assert below["fig12"][:5] == ["--reduced", "500", "25", "5", "64,280"]
    assert below["fig2"][-1] == "resnet18-7x7"
    for name in below:
        figure = FIGURES[name]
        experiment = EXPERIMENTS[figure.experiment]
        smaller, changes = figure.smaller()
        assert figure_seconds(smaller, experiment.override(changes), 1e11)[1] < (
            0.05 * figure_seconds(figure, experiment, 1e11)[1]
        )


@pytest.mark.parametrize("model", ["resnet18-7x7", "resnet50-7x7", "vgg19-4096", "resnet18", "resnet50", "vgg19"])
def test_the_multiply_adds_of_an_estimate_are_those_of_the_layers(model: str) -> None:
    counted = []

    def count(layer: torch.nn.Module, _: object, out: torch.Tensor) -> None:
        inner = layer.weight[0].numel() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear) else 0
        counted.append(inner * out.numel())

    network = build(model, CIFAR, 10).eval().to("meta")  # shapes alone, without numbers
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    network(torch.zeros(1, *CIFAR, device="meta"))
    experiment = EXPERIMENTS["resnet18-cifar10"].override({"model": model})
    assert flops_per_item(experiment) == pytest.approx(2 * sum(counted), rel=5e-3)
