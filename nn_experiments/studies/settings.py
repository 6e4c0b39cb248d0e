"""The settings of the atlas and of the optimizers' study."""

from __future__ import annotations

from dataclasses import replace

from nn_experiments.studies.setting import Setting

__all__ = ["ATLAS", "OPTIMIZERS", "STEPS"]

#: Steps of a setting, by its group.
STEPS = {
    "certified": 4000,
    "convex": 4000,
    "least squares": 4000,
    "linear network": 4000,
    "weight decay": 2400,
    "width": 2400,
    "learning rate": 2400,
    "activation": 2400,
    "batch size": 2400,
    "start and inputs": 2400,
    "optimizer": 2400,
}


def _convex() -> list[Setting]:
    plain = {"learning_rate": 0.05, "batch_size": 8}
    images = {"learning_rate": 0.005, "batch_size": 8}
    return [
        Setting(
            name="ridge logistic, digits, μ = 0.1", data="digits-halves", weight_decay=0.1, group="certified", **plain
        ),
        Setting(
            name="ridge logistic, digits, μ = 0.02", data="digits-halves", weight_decay=0.02, group="certified", **plain
        ),
        Setting(name="ridge softmax, digits, μ = 0.1", data="digits", weight_decay=0.1, group="certified", **plain),
        Setting(name="ridge softmax, digits, μ = 0.02", data="digits", weight_decay=0.02, group="certified", **plain),
        Setting(
            name="ridge logistic, Fashion-MNIST, μ = 1",
            data="fashion_mnist-halves",
            weight_decay=1.0,
            group="certified",
            **images,
        ),
        Setting(
            name="ridge softmax, Fashion-MNIST, μ = 1",
            data="fashion_mnist",
            weight_decay=1.0,
            group="certified",
            **images,
        ),
        Setting(
            name="ridge softmax, Fashion-MNIST, μ = 0.1",
            data="fashion_mnist",
            weight_decay=0.1,
            group="certified",
            **images,
        ),
        Setting(
            name="linear probe, μ = 0.02",
            data="fashion_mnist-features",
            weight_decay=0.02,
            learning_rate=0.5,
            group="certified",
        ),
        Setting(
            name="linear probe, μ = 0.002",
            data="fashion_mnist-features",
            weight_decay=0.002,
            learning_rate=0.5,
            group="certified",
        ),
        Setting(name="softmax, digits, μ = 0", data="digits", group="convex", **plain),
        Setting(name="linear probe, μ = 0", data="fashion_mnist-features", learning_rate=0.5, group="convex"),
    ]


def _least_squares() -> list[Setting]:
    base = Setting(
        name="least squares, 10 data in 50 dimensions",
        data="least-squares-10x50",
        loss="mse",
        learning_rate=0.3,
        batch_size=1,
        group="least squares",
    )
    many = replace(base, name="least squares, 200 data in 20 dimensions", data="least-squares-200x20")
    return [
        base,
        replace(base, name=f"{base.name}, label noise", label_noise=0.3),
        many,
        replace(many, name=f"{many.name}, label noise", label_noise=0.3),
    ]


def _linear_networks() -> list[Setting]:
    base = Setting(name="", data="digits", hidden=(32,), activation="identity", group="linear network")
    settings = [replace(base, name=f"linear network, μ = {mu:g}", weight_decay=mu) for mu in (0.0, 0.01, 0.1)]
    noisy = replace(
        base,
        name="linear network, least squares, label noise",
        data="least-squares-10x50",
        loss="mse",
        learning_rate=0.02,
        batch_size=1,
        label_noise=0.3,
    )
    return [*settings, noisy]


MLP = Setting(name="", data="digits", hidden=(50, 50), learning_rate=0.05, batch_size=8)


def _networks() -> list[Setting]:
    settings = [
        replace(MLP, name=f"MLP, μ = {mu:g}", weight_decay=mu, group="weight decay")
        for mu in (0, 0.001, 0.01, 0.03, 0.1, 0.2)
    ]
    decayed = replace(MLP, weight_decay=0.03)
    settings += [replace(decayed, name=f"MLP, width {w}", hidden=(w, w), group="width") for w in (10, 25, 100)]
    settings += [
        replace(decayed, name=f"MLP, h = {h:g}", learning_rate=h, group="learning rate") for h in (0.01, 0.02, 0.2)
    ]
    settings += [
        replace(MLP, name=f"MLP, {kind}, μ = {mu:g}", activation=kind, weight_decay=mu, group="activation")
        for kind in ("tanh", "gelu")
        for mu in (0, 0.03)
    ]
    settings += [replace(decayed, name=f"MLP, batch {b}", batch_size=b, group="batch size") for b in (1, 32, 128)]
    settings += [
        replace(decayed, name="MLP, He", initialisation="he_normal", group="start and inputs"),
        replace(
            decayed,
            name="MLP, He, standardised",
            initialisation="he_normal",
            standardise=True,
            group="start and inputs",
        ),
    ]
    return settings


ATLAS: tuple[Setting, ...] = (*_convex(), *_least_squares(), *_linear_networks(), *_networks())


def _optimizers() -> tuple[Setting, ...]:
    problems = (
        ("ridge softmax", replace(MLP, hidden=(), weight_decay=0.1)),
        ("MLP, μ = 0.03", replace(MLP, weight_decay=0.03)),
        ("MLP, μ = 0", MLP),
    )
    methods = (
        ("SGD", {}),
        ("momentum 0.9", {"method": "momentum", "momentum": 0.9, "learning_rate": 0.005}),
        ("Adam", {"method": "adam", "learning_rate": 0.001}),
        ("Adam, ε = 0.1", {"method": "adam", "learning_rate": 0.01, "eps": 0.1}),
        ("AdamW", {"method": "adamw", "learning_rate": 0.001}),
        ("sign-SGD", {"method": "sign", "learning_rate": 0.001}),
    )
    return tuple(
        replace(base, name=f"{method}, {problem}", group="optimizer", **changes)
        for problem, base in problems
        for method, changes in methods
    )


OPTIMIZERS = _optimizers()
