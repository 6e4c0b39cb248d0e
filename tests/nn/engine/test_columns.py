"""The Triton kernels that gather and add up columns: interpreted by Triton, and compiled for absent GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from nn_experiments.engine.ensemble import columns  # noqa: E402
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape  # noqa: E402
from tests.nn.conv_problems import check_way  # noqa: E402
from tests.nn.engine.test_convolutions import SHAPES  # noqa: E402

if torch.cuda.is_available():  # this process may run the kernels themselves: see test_gpu
    pytest.skip("the interpreter is for machines without a GPU", allow_module_level=True)
os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are first imported, which nothing does on a CPU but this
from nn_experiments.engine.ensemble import column_kernels  # noqa: E402

#: More places and channels than one program copies, and sizes that it does not divide.
LARGER = [
    ConvolutionShape(2, 70, 5, (9, 8), (3, 3), (1, 1), (1, 1)),
    ConvolutionShape(3, 65, 7, (9, 10), (3, 3), (2, 2), (1, 1)),
]
WITH_COLUMNS = [shape for shape in (*SHAPES, *LARGER) if shape.groups == 1]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("shape", WITH_COLUMNS, ids=str)
def test_columns_are_those_of_views_bitwise(shape: ConvolutionShape, dtype: torch.dtype) -> None:
    """Copies are copies; sums of up to nine gradients are taken in the order of the taps in both."""
    chains = 3
    images = torch.randn(shape.batch, *shape.size, chains * shape.inputs, dtype=dtype)
    right = columns._gather(images, shape, chains)
    assert torch.equal(column_kernels.gather(images, shape, chains), right)
    slopes = torch.randn_like(right)
    assert torch.equal(column_kernels.scatter(slopes, shape, shape.batch), columns._scatter(slopes, shape, shape.batch))
    if right.shape[1] > 1:  # a wrong place is seen
        assert not torch.equal(right.roll(1, 1), right)


def test_views_are_those_of_unfold() -> None:
    """The views that stand in for the kernels elsewhere, against torch's own im2col."""
    for shape in WITH_COLUMNS:
        images = torch.randn(shape.batch, 2 * shape.inputs, *shape.size, dtype=torch.float64)
        unfolded = torch.nn.functional.unfold(images, shape.taps, shape.dilation, shape.padding, shape.stride)
        taps = shape.taps[0] * shape.taps[1]
        right = unfolded.unflatten(1, (2, shape.inputs, taps)).permute(1, 0, 4, 3, 2).flatten(3).flatten(1, 2)
        assert torch.equal(columns._gather(images.permute(0, 2, 3, 1).contiguous(), shape, 2), right)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[4], LARGER[1]], ids=str)
def test_values_and_gradients_with_the_kernels(shape: ConvolutionShape, shared: bool, monkeypatch) -> None:
    monkeypatch.setattr(columns, "_in_triton", lambda tensor: True)
    check_way("products", replace(shape, shared=shared))


def test_under_autocast_images_and_weights_are_rounded_and_gradients_come_back_in_float32() -> None:
    shape = LARGER[1]
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(shape.batch, 2 * shape.inputs, *shape.size, generator=generator).requires_grad_()
    weight = torch.randn(2, shape.outputs, shape.inputs, *shape.taps, generator=generator).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = columns.by_columns(images, weight, shape)
    assert found.dtype == torch.bfloat16
    exact, rounded = (
        columns.by_columns(change(images), change(weight), shape).detach()
        for change in (torch.Tensor.double, lambda value: value.bfloat16().double())
    )
    unit, largest = 2**-8, float(rounded.abs().max())  # of bfloat16; sums are taken in float32
    assert float((found.detach().double() - rounded).abs().max()) <= 2 * unit * largest
    assert float((exact - rounded).abs().max()) > unit * largest / (9 * shape.inputs)  # the rounding is seen
    slopes = torch.autograd.grad(found.float().square().sum(), (images, weight))
    assert [one.dtype for one in slopes] == [torch.float32] * 2


@pytest.mark.parametrize("capability", [80, 90])
def test_they_compile_for_a_card(capability: int, tmp_path) -> None:
    code = f"""
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from nn_experiments.engine.ensemble import column_kernels
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape
shape = ConvolutionShape(8, 64, 64, (32, 32), (3, 3), (2, 2), (1, 1))
kernels = column_kernels._gather_kernel, column_kernels._scatter_kernel
for kernel, more in zip(kernels, ({{}}, {{"SUM": triton.language.float32}})):
    constants = column_kernels._constants(shape) | more
    kinds = {{name: "constexpr" if name in constants else "*fp32" if name in ("images", "columns") else "i32"
             for name in kernel.arg_names}}
    places = {{(kernel.arg_names.index(name),): value for name, value in constants.items()}}
    source = ASTSource(fn=kernel, signature=kinds, constexprs=places)
    made = triton.compile(source, target=GPUTarget("cuda", {capability}, 32))
    print(kernel.__name__, made.metadata.shared)
"""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert [line.split()[0] for line in found.stdout.splitlines()] == ["_gather_kernel", "_scatter_kernel"]
