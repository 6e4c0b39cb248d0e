"""The rows of the catalogue: Figures 2 to 13 with the paper's settings and sentences (plain data)."""

from __future__ import annotations

from typing import Any

__all__ = ["EXPERIMENTS", "FIGURES"]

_OPEN = {
    "initialisation": "left open; torch's default for Linear and Conv2d layers, drawn with NumPy",
    "sampling": "left open; i.i.d. batches, so that forward and backward agree in law at every step",
    "activation": "left open; ReLU",
}
_REGRESSION_NOTES = _OPEN | {
    "data": "the paper says 100 points and lists 101; the test set is left open: the 100 midpoints between them",
    "loss": "left open; the mean of (f(x) - y)^2, without a factor 1/2",
    "sampling": "left open; i.i.d.: 1400 steps are 14 epochs, under reshuffling the laws need not agree",
}
_IMAGE_NOTES = _OPEN | {
    "scaling": "left open; pixels divided by 255",
    "train_evaluation": "the paper says 'training loss at each update'; here a fixed subset of 2000 images "
    "(the first in canonical order), beside the loss on the newest and on the outermost batch",
}
_MLP_NOTES = _IMAGE_NOTES | {
    "initialisation": "left open; Glorot's uniform weights and zero biases, as Keras has them and Flax nearly. It "
    "matters: with torch's default this network stays at chance for all 2000 steps (seed 0, forward, step 2000: "
    "test loss 2.300, accuracy 0.13; with Glorot's 1.00 and 0.65)",
}
_MLP: dict[str, Any] = {"initialisation": "glorot_uniform", "notes": _MLP_NOTES}


def _regression(name: str, function: str, rate: float) -> dict[str, Any]:
    return {
        "name": name,
        "data": function,
        "model": "mlp-3x300",
        "loss": "mse",
        "optimizer": rate,
        "batch_size": 1,
        "notes": _REGRESSION_NOTES,
    }


def _images(name: str, data: str, model: str, rate: float, batch: int, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "data": data,
        "model": model,
        "loss": "cross_entropy",
        "optimizer": rate,
        "batch_size": batch,
        "train_evaluation": 2000,
        "notes": _IMAGE_NOTES,
    } | more


_CONVOLUTIONAL_NOTES = _IMAGE_NOTES | {
    "model": "left open; 3x3 stem for 32x32 images, one linear layer, batch norm. Training normalises with the batch's "
    "statistics, evaluation with the running ones, which are part of the state (resnet18-7x7: the large images' stem; "
    "vgg19-4096: the large head; -group, -none: other normalisations)",
    "tf32": "whether a GPU may round products to TF32; float32 unless asked for",
    "test_evaluation": "a fixed subset of 2000 test images, since evaluation costs more than training here",
}

_SMALL = {"test_evaluation": "1000", "train_evaluation": "500"}


def _reduced(model: str | None, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Return what two cores do of a convolutional figure in minutes to an hour."""
    changes = _SMALL if model is None else {"model": model} | _SMALL
    return {"steps": 500, "every": 25, "seeds": seeds, "set": changes}


def _split(parts: int) -> dict[str, Any]:
    """Return appendix D's experiment: a batch of 2048 (2049 for c = 3) cut into c parts, h = 0.001."""
    notes = _MLP_NOTES | {
        "parts": "the rule is ambiguous in the paper; here θ + hV_B + λΣ V'_iV_j with λ in units of h², as printed, "
        "beside the baselines at h/c, as printed, and SGD at h, which is what the rule is derived from",
    }
    batch = 2049 if parts == 3 else 2048
    more = _MLP | {"parts": parts, "notes": notes}
    return _images(f"mlp-fashion-split-{parts}", "fashion_mnist", "mlp-5x500", 0.001, batch, **more)


EXPERIMENTS: tuple[dict[str, Any], ...] = (
    *(_split(parts) for parts in (2, 3, 4)),
    _regression("regression-square", "square", 0.05),
    _regression("regression-cosine", "cosine", 0.02),
    _regression("regression-cube", "cube", 0.02),
    _images("mlp-fashion", "fashion_mnist", "mlp-5x500", 0.001, 8, **_MLP),
    _images(
        "mlp-digits",
        "digits",
        "mlp-2x100",
        0.05,
        8,
        train_evaluation=None,
        notes=_OPEN
        | {
            "data": "not in the paper: scikit-learn's digits, embedded, for a first figure without a download",
        },
    ),
    _images("resnet18-cifar10", "cifar10", "resnet18", 0.025, 8, test_evaluation=2000, notes=_CONVOLUTIONAL_NOTES),
    _images("vgg19-cifar10", "cifar10", "vgg19", 0.001, 8, test_evaluation=2000, notes=_CONVOLUTIONAL_NOTES),
    _images(
        "resnet50-cifar100",
        "cifar100",
        "resnet50",
        0.001,
        16,
        test_evaluation=2000,
        notes=_CONVOLUTIONAL_NOTES,
    ),
)

_FOUR = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
_TWO = ("train_loss", "test_loss")
_BASELINES = ("polyak", "ema-0.99", "decayed-100")
_MORE_STABLE = (
    "We observe that the training loss for the backward trajectory is more stable, converges faster, and has "
    "less variability than the forward trajectory, and similarly for all the other learning curves."
)
_RESET = (
    "As a result we see that the backward trajectory from that reset point seems to converge again, but to a "
    "different point (with different test accuracy), while forward SGD seems to oscillate between these two "
    "points."
)


def _row(name: str, title: str, section: str, experiment: str, steps: int, claim: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "section": section,
        "experiment": experiment,
        "steps": steps,
        "claim": claim,
        "orders": ("forward", "backward"),
        "baselines": _BASELINES,
        "metrics": _FOUR,
    } | more


def _regression_row(name: str, title: str, experiment: str, function: str, rate: str) -> dict[str, Any]:
    claim = (
        "Decreased variance and increased stability in train (left) and test (right) losses for backward SGD "
        "compared "
        f"to forward SGD for all 5 seeds. The data was sampled from {function} and the training performed "
        "with batch "
        f"size 1 and learning rate {rate} for 1400 steps."
    )
    more = {"metrics": _TWO, "compared_at": (350, 700, 1050, 1400), "diagnostics_every": 50}
    return _row(name, title, "A.1", experiment, 1400, claim, **more)


def _regulariser_row(number: int, parts: int, metric: str) -> dict[str, Any]:
    claim = (
        "The experiment shows that our method can outperform vanilla training both for large and small batches "
        "with minimal tuning of λ for this specific experiment."
    )
    what = "training" if metric == "train_loss" else "test"
    return {
        "name": f"fig{number}",
        "title": f"Order-averaging regulariser, c = {parts}, {what} loss",
        "section": "D.2.1",
        "experiment": f"mlp-fashion-split-{parts}",
        "steps": 1000,
        "every": 20,
        "claim": claim,
        "orders": ("large", "small", "regularised-0.5", "regularised-1", "regularised-2", "regularised-4"),
        "baselines": ("forward",),
        "seeds": (0,),
        "metrics": (metric,),
        "diagnostics_every": 0,
        "compared_at": (1000,),
    }


FIGURES: tuple[dict[str, Any], ...] = (
    _row(
        "fig2",
        "ResNet-18 on CIFAR-10",
        "4",
        "resnet18-cifar10",
        2000,
        _MORE_STABLE,
        seeds=(0,),
        reduced=_reduced("resnet18-7x7", (0,)),
        compared_at=(500, 1000, 1500, 2000),
    ),
    _row(
        "fig3",
        "MLP on Fashion-MNIST, backward reset at step 1000",
        "4",
        "mlp-fashion",
        2000,
        _RESET,
        orders=("forward", "reset-1000"),
        baselines=(*_BASELINES, "backward"),
        seeds=(0, 1),
        metrics=("test_accuracy",),
        compared_at=(1000, 1500, 2000),
    ),
    _regression_row("fig4", "Regression of x²", "regression-square", "f(x) = x²", "0.05"),
    _regression_row("fig5", "Regression of cos(10x)", "regression-cosine", "f(x) = cos(10x)", "0.02"),
    _regression_row("fig6", "Regression of x³", "regression-cube", "f(x) = x³", "0.02"),
    _row(
        "fig7",
        "MLP on Fashion-MNIST",
        "A.2",
        "mlp-fashion",
        2000,
        "For each seed, we observe that the training loss for the backward iterations is more stable and "
        "converges faster with less variability when compared to the forward iterations. We also observe "
        "stability improvements for all other learning curves for the backward trajectories.",
        compared_at=(500, 1000, 1500, 2000),
    ),
    _row(
        "fig8",
        "VGG-19 on CIFAR-10",
        "A.3",
        "vgg19-cifar10",
        2000,
        reduced=_reduced(None, (0, 1)),
        claim="Note that for each seed, we observe that the training loss for the backward iterations is again more "
        "stable, converges faster, and has less variability than the forward iterations.",
        compared_at=(500, 1000, 1500, 2000),
    ),
    _row(
        "fig9",
        "ResNet-50 on CIFAR-100",
        "A.4",
        "resnet50-cifar100",
        2000,
        reduced=_reduced("resnet50-7x7", (0, 1)),
        claim="Note that for each seed, we observe that the training loss for the backward iterations is again more "
        "stable, converges faster, and has less variability than the forward iterations.",
        compared_at=(500, 1000, 1500, 2000),
    ),
    _row(
        "fig10",
        "MLP on Fashion-MNIST, backward switched on at step 1000",
        "A.5",
        "mlp-fashion",
        2000,
        "We observe that the training loss for the backward iterations has again more stable convergence once "
        "backward iterations are switched on after step 1000 than the forward iterations.",
        orders=("forward", "late-1000"),
        compared_at=(1000, 1500, 2000),
    ),
    _row(
        "fig11",
        "ResNet-18 on CIFAR-10, 25,000 steps",
        "A.6",
        "resnet18-cifar10",
        25_000,
        "Throughout training we continue to notice that the training loss (as well as all the other learning "
        "curves) for the backward iterations is again more stable, converges faster, and has less variability "
        "than the forward iterations.",
        seeds=(0,),
        every=100,
        diagnostics_every=1000,
        compared_at=(10_000, 20_000, 25_000),
        at_least=10_000,
        window=5000,
    ),
    _row(
        "fig12",
        "All seeds of Figure 2",
        "B.1",
        "resnet18-cifar10",
        2000,
        _MORE_STABLE,
        reduced=_reduced("resnet18-7x7", (0, 1, 2, 3, 4)),
        compared_at=(500, 1000, 1500, 2000),
    ),
    _row(
        "fig13",
        "All seeds of Figure 3",
        "B.2",
        "mlp-fashion",
        2000,
        _RESET,
        orders=("forward", "reset-1000"),
        baselines=(*_BASELINES, "backward"),
        compared_at=(1000, 1500, 2000),
    ),
    *(
        _regulariser_row(number, parts, metric)
        for number, (parts, metric) in enumerate(
            ((c, metric) for c in (2, 3, 4) for metric in ("train_loss", "test_loss")), start=14
        )
    ),
    _row(
        "digits",
        "MLP on scikit-learn's digits (ours, no download)",
        "-",
        "mlp-digits",
        400,
        "Not a figure of the paper: the layout of Figure 7 on embedded data.",
        every=4,
        compared_at=(200, 400),
        window=100,
        diagnostics_every=50,
    ),
)
