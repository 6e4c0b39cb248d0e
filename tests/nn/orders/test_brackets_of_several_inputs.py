"""Brackets in another precision, where the inputs of a batch are one tensor, a tuple, or a dictionary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import nn_experiments as nne  # noqa: E402


class Two(torch.nn.Module):
    """One linear layer of two inputs that are added."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1, bias=False)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return self.layer(first + second)


def data(i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(i)
    return rng.standard_normal((3, 2)), rng.standard_normal((3, 2)), rng.standard_normal((3, 1))


def single(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values).float()


FORMS: dict[str, Any] = {
    "a tensor": lambda x, z: single(x) + single(z),
    "a tuple": lambda x, z: (single(x), single(z)),
    "a list": lambda x, z: [single(x), single(z)],
    "a dictionary": lambda x, z: {"second": single(z), "first": single(x)},
}


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, None], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_inputs_of_every_form_are_converted(form: str, dtype: Any, batch: bool) -> None:
    """Gradients 2/3 Z'(Z w - y), second derivatives 2/3 Z'Z: h² (H_1 g_2 - H_2 g_1) is exact for quadratic losses.

    In single precision its entries, of size 0.1, are sums of some ten products of numbers of size 1 at most 10: 1e-5.
    """
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1, bias=False) if form == "a tensor" else Two()
    step, state = nne.from_torch(model, torch.nn.functional.mse_loss, torch.optim.SGD(model.parameters(), lr=0.1))
    (weight,) = state["parameters"].values()

    def batches(i: int) -> Any:
        x, z, y = data(i)
        made = FORMS[form](x, z), single(y)
        return nne.Batch(*made, i) if batch else made

    found = nne.brackets(step, batches, state, [(1, 2)], dtype=dtype, vectors=True)
    assert found.dtype == ("float64" if dtype == torch.float64 else "float32")
    gradients, curved = [], []
    for i in (1, 2):
        x, z, y = data(i)
        total = single(x).double().numpy() + single(z).double().numpy()
        gradients.append(2 / 3 * total.T @ (total @ weight[0].double().numpy() - y[:, 0]))
        curved.append(2 / 3 * total.T @ total)
    expected = 0.1**2 * (curved[0] @ gradients[1] - curved[1] @ gradients[0])
    assert found.predicted_vectors is not None
    assert found.measured_vectors is not None
    for vectors in (found.predicted_vectors, found.measured_vectors):
        assert vectors[0] == pytest.approx(expected, abs=1e-5)
