"""The Triton kernels: right in Triton's interpreter, and compiled for cards that need not be there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from nn_experiments.engine.convolutions import WAYS, ConvolutionShape, convolve, ways_on  # noqa: E402
from tests.nn.conv_problems import check_way  # noqa: E402
from tests.nn.test_convolutions import SHAPES  # noqa: E402

os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are first imported, which nothing does on a CPU but this
from nn_experiments.engine import implicit  # noqa: E402

#: Sizes that no tile divides, and more than one tile of rows, columns and depth.
LARGER = [
    ConvolutionShape(2, 5, 70, (9, 8), (3, 3), (1, 1), (1, 1)),
    ConvolutionShape(3, 9, 7, (9, 10), (3, 3), (2, 2), (1, 1)),
]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("way", "shape"),
    [
        *[pytest.param("implicit-64", shape, id=str(shape)) for shape in (*SHAPES, *LARGER)],
        *[pytest.param("implicit-128", shape, id=f"128 {shape}") for shape in LARGER],
    ],
)
def test_values_and_gradients_are_those_of_one_chain_after_the_other(way: str, shape, shared: bool) -> None:
    check_way(way, replace(shape, shared=shared))


def test_in_float32_and_under_autocast() -> None:
    """Autocast rounds images and weights, sums stay in float32, and gradients come back in float32.

    Half precision stands for bfloat16, whose products Triton's interpreter cannot do.
    """
    shape = LARGER[1]
    check_way("implicit-64", shape, torch.float32)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(shape.batch, 2 * shape.inputs, *shape.size, generator=generator).requires_grad_()
    weight = torch.randn(2, shape.outputs, shape.inputs, *shape.taps, generator=generator).requires_grad_()
    with torch.autocast("cpu", torch.float16):
        found = convolve("implicit-64", images, weight, None, shape)
    assert found.dtype == torch.float16
    exact, rounded = (
        convolve("grouped", change(images), change(weight), None, shape).detach()
        for change in (torch.Tensor.double, lambda value: value.half().double())
    )
    largest = float(rounded.abs().max())
    unit, terms = 2**-11, shape.inputs * 9  # of half precision; a float32 sum of that many products is below a unit
    assert terms**2 * 2**-24 < unit * largest
    assert float((found.detach().double() - rounded).abs().max()) <= 2 * unit * largest
    assert float((exact - rounded).abs().max()) > 2 * unit * largest / terms  # the rounding is seen
    slopes = torch.autograd.grad(found.float().square().sum(), (images, weight))
    assert [one.dtype for one in slopes] == [torch.float32] * 2
    assert all(bool(torch.isfinite(one).all()) for one in slopes)


def test_where_they_are_candidates(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    card = torch.device("cuda:0")
    assert ways_on(card, torch.float32) == tuple(WAYS)
    assert set(implicit.TILES) == {way for way in WAYS if way.startswith("implicit")}
    others = ("grouped", "products", "separate")
    assert ways_on(card, torch.float64) == ways_on(torch.device("cpu"), torch.float32) == others
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert ways_on(card, torch.float32) == others
    with pytest.raises(ValueError, match="no groups within a chain, got 2"):
        implicit.implicit("implicit-64", torch.zeros(1), torch.zeros(1), None, SHAPES[6])


@pytest.mark.parametrize(("capability", "memory"), [(80, 163), (90, 227)])
def test_they_compile_for_a_card(capability: int, memory: int, tmp_path) -> None:
    """To tensor cores' instructions, within the shared memory (KiB) that a program may have there."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.nn.compile_kernels", str(capability)]
    found = subprocess.run(
        command, env=environment | {"TRITON_CACHE_DIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    rows = json.loads(found.stdout)
    assert [row["kernel"] for row in rows] == ["outputs", "images", "weights"] * 2
    for row in rows:
        assert row["bytes shared"] <= 1024 * memory
        assert row["instruction"] == ("wgmma" if capability == 90 else "mma"), row
