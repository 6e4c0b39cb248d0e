"""The figures of the paper, 2 to 19, and one more figure on data that needs no download."""

from __future__ import annotations

from nn_experiments.paper.figure import Figure, Reduced

__all__ = ["FIGURES"]

_MORE_STABLE = (
    "We observe that the training loss for the backward trajectory is more stable, converges faster, and has less "
    "variability than the forward trajectory, and similarly for all the other learning curves."
)
_RESET = (
    "As a result we see that the backward trajectory from that reset point seems to converge again, but to a "
    "different point (with different test accuracy), while forward SGD seems to oscillate between these two "
    "points."
)
_AGAIN = (
    "Note that for each seed, we observe that the training loss for the backward iterations is again more stable, "
    "converges faster, and has less variability than the forward iterations."
)
_OUTPERFORM = (
    "The experiment shows that our method can outperform vanilla training both for large and small batches with "
    "minimal tuning of λ for this specific experiment."
)

#: Curves with which a path with a reset is compared: the baselines, and the backward path without the reset.
_BESIDE_A_RESET = ("polyak", "ema-0.99", "decayed-100", "backward")


_ALL = (
    Figure(
        name="fig2",
        title="ResNet-18 on CIFAR-10",
        section="4",
        experiment="resnet18-cifar10",
        steps=2000,
        seeds=(0,),
        compared_at=(500, 1000, 1500, 2000),
        reduced=Reduced(500, 25, (0,), {"model": "resnet18-7x7", "test_evaluation": "1000", "train_evaluation": "500"}),
        claim=_MORE_STABLE,
    ),
    Figure(
        name="fig3",
        title="MLP on Fashion-MNIST, backward reset at step 1000",
        section="4",
        experiment="mlp-fashion",
        steps=2000,
        orders=("forward", "reset-1000"),
        baselines=_BESIDE_A_RESET,
        metrics=("test_accuracy",),
        seeds=(0, 1),
        compared_at=(1000, 1500, 2000),
        claim=_RESET,
    ),
    *(
        Figure(
            name=name,
            title=f"Regression of {short}",
            section="A.1",
            experiment=experiment,
            steps=1400,
            metrics=("train_loss", "test_loss"),
            diagnostics_every=50,
            compared_at=(350, 700, 1050, 1400),
            claim="Decreased variance and increased stability in train (left) and test (right) losses for backward SGD "
            f"compared to forward SGD for all 5 seeds. The data was sampled from {function} and the training performed "
            f"with batch size 1 and learning rate {rate} for 1400 steps.",
        )
        for name, short, experiment, function, rate in (
            ("fig4", "x²", "regression-square", "f(x) = x²", "0.05"),
            ("fig5", "cos(10x)", "regression-cosine", "f(x) = cos(10x)", "0.02"),
            ("fig6", "x³", "regression-cube", "f(x) = x³", "0.02"),
        )
    ),
    Figure(
        name="fig7",
        title="MLP on Fashion-MNIST",
        section="A.2",
        experiment="mlp-fashion",
        steps=2000,
        compared_at=(500, 1000, 1500, 2000),
        claim="For each seed, we observe that the training loss for the backward iterations is more stable and "
        "converges faster with less variability when compared to the forward iterations. We also observe "
        "stability improvements for all other learning curves for the backward trajectories.",
    ),
    Figure(
        name="fig8",
        title="VGG-19 on CIFAR-10",
        section="A.3",
        experiment="vgg19-cifar10",
        steps=2000,
        compared_at=(500, 1000, 1500, 2000),
        reduced=Reduced(500, 25, (0, 1), {"test_evaluation": "1000", "train_evaluation": "500"}),
        claim=_AGAIN,
    ),
    Figure(
        name="fig9",
        title="ResNet-50 on CIFAR-100",
        section="A.4",
        experiment="resnet50-cifar100",
        steps=2000,
        compared_at=(500, 1000, 1500, 2000),
        reduced=Reduced(
            500, 25, (0, 1), {"model": "resnet50-7x7", "test_evaluation": "1000", "train_evaluation": "500"}
        ),
        claim=_AGAIN,
    ),
    Figure(
        name="fig10",
        title="MLP on Fashion-MNIST, backward switched on at step 1000",
        section="A.5",
        experiment="mlp-fashion",
        steps=2000,
        orders=("forward", "late-1000"),
        compared_at=(1000, 1500, 2000),
        claim="We observe that the training loss for the backward iterations has again more stable convergence once "
        "backward iterations are switched on after step 1000 than the forward iterations.",
    ),
    Figure(
        name="fig11",
        title="ResNet-18 on CIFAR-10, 25,000 steps",
        section="A.6",
        experiment="resnet18-cifar10",
        steps=25_000,
        every=100,
        seeds=(0,),
        diagnostics_every=1000,
        compared_at=(10000, 20000, 25000),
        window=5000,
        at_least=10000,
        claim="Throughout training we continue to notice that the training loss (as well as all the other learning "
        "curves) for the backward iterations is again more stable, converges faster, and has less variability "
        "than the forward iterations.",
    ),
    Figure(
        name="fig12",
        title="All seeds of Figure 2",
        section="B.1",
        experiment="resnet18-cifar10",
        steps=2000,
        compared_at=(500, 1000, 1500, 2000),
        reduced=Reduced(
            500, 25, (0, 1, 2, 3, 4), {"model": "resnet18-7x7", "test_evaluation": "1000", "train_evaluation": "500"}
        ),
        claim=_MORE_STABLE,
    ),
    Figure(
        name="fig13",
        title="All seeds of Figure 3",
        section="B.2",
        experiment="mlp-fashion",
        steps=2000,
        orders=("forward", "reset-1000"),
        baselines=_BESIDE_A_RESET,
        compared_at=(1000, 1500, 2000),
        claim=_RESET,
    ),
    *(
        Figure(
            name=f"fig{number}",
            title=f"Order-averaging regulariser, c = {parts}, {what} loss",
            section="D.2.1",
            experiment=f"mlp-fashion-split-{parts}",
            steps=1000,
            every=50,
            orders=("large", "small", "regularised-0.5", "regularised-1", "regularised-2", "regularised-4"),
            baselines=("forward",),
            metrics=(metric,),
            seeds=(0, 1, 2),  # the paper shows one
            diagnostics_every=0,
            compared_at=(1000,),
            claim=_OUTPERFORM,
        )
        for number, parts, what, metric in (
            (14, 2, "training", "train_loss"),
            (15, 2, "test", "test_loss"),
            (16, 3, "training", "train_loss"),
            (17, 3, "test", "test_loss"),
            (18, 4, "training", "train_loss"),
            (19, 4, "test", "test_loss"),
        )
    ),
    Figure(
        name="digits",
        title="MLP on scikit-learn's digits (ours, no download)",
        section="-",
        experiment="mlp-digits",
        steps=400,
        every=4,
        diagnostics_every=50,
        compared_at=(200, 400),
        window=100,
        claim="Not a figure of the paper: the layout of Figure 7 on embedded data.",
    ),
)

#: Name -> figure.
FIGURES: dict[str, Figure] = {figure.name: figure for figure in _ALL}
