"""The kernels that a graphics card gathers and adds up columns with, program by program on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from nn_experiments.engine.ensemble import columns  # noqa: E402
from nn_experiments.engine.ensemble.conv_shape import ConvolutionShape  # noqa: E402
from tests.nn.engine.small_triton import kernels  # noqa: E402

KERNELS = kernels(Path(columns.__file__).with_name("column_kernels.py"))
SHAPES = [
    ConvolutionShape(2, 3, 5, (5, 4), (3, 3), (1, 1), (1, 1)),
    ConvolutionShape(3, 2, 5, (7, 5), (2, 3), (2, 1), (0, 2)),
    ConvolutionShape(1, 4, 5, (6, 9), (3, 2), (1, 3), (2, 0), (2, 1)),
    ConvolutionShape(2, 1, 5, (8, 7), (2, 2), (3, 2), (1, 1), (1, 3)),
    ConvolutionShape(1, 70, 5, (9, 8), (1, 1)),  # more channels and pixels than one program has
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_columns_are_copies_and_their_gradients_are_added_up(shape: ConvolutionShape, dtype: torch.dtype) -> None:
    """Bitwise as by views of the images: copies are exact, and sums are taken in the order of the taps in both."""
    generator, chains = torch.Generator().manual_seed(3), 3
    images = torch.randn(shape.batch, *shape.size, chains * shape.inputs, dtype=dtype, generator=generator)
    right = columns._gather(images, shape, chains)
    found = KERNELS.gather(images, shape, chains)
    assert torch.equal(found, right)
    slopes = torch.randn(right.shape, dtype=dtype, generator=generator)
    assert torch.equal(KERNELS.scatter(slopes, shape, shape.batch), columns._scatter(slopes, shape, shape.batch))
    assert not torch.equal(KERNELS.gather(images.flip(1), shape, chains), right)


def test_sums_of_half_precision_are_taken_in_single_precision() -> None:
    """Nine ones and 1/512 of them: bfloat16 would lose every small one that it adds to a large one."""
    shape = SHAPES[0]
    generator = torch.Generator().manual_seed(4)
    slopes = torch.randn(1, 2 * 20, 9 * 3, generator=generator).bfloat16()
    found = KERNELS.scatter(slopes, shape, 2)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, columns._scatter(slopes.float(), shape, 2).bfloat16())
    assert not torch.equal(found, columns._scatter(slopes, shape, 2))  # each sum rounded to bfloat16


@pytest.mark.parametrize("sizes", [(KERNELS.PLACES, KERNELS.CHANNELS), (KERNELS.PLACES + 1, KERNELS.CHANNELS + 1)])
def test_there_are_as_many_programs_as_are_needed(sizes: tuple[int, int]) -> None:
    more = int(sizes[0] > KERNELS.PLACES)
    assert KERNELS._grid(sizes[0], 5, sizes[1]) == (1 + more, 5, 1 + more)
