"""What the probe is for: without it wrong numbers come out, and each part is missed where it is left out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import contraction as ct
from contraction.maps import operators as operators_module
from contraction.maps import probe as probe_module
from contraction.maps import probe_checks, probe_family_checks
from contraction.maps.probe import probe
from tests.theory.maps.probe_examples import A2, A3, ENTRIES, counter, family, minus, project

# --- negative controls: without the probe the wrong number comes out --------------------------------------------------


@pytest.fixture
def off(monkeypatch):
    """No probe in any module, and arguments that can be written to."""

    def nothing(operators, *starts, **_):
        return np.result_type(*(s.dtype for s in starts), float)

    from contraction.certificates import average, certify, falsify
    from contraction.limits import backward, coupling_from_the_past, nested_boxes, stationary
    from contraction.maps import iterates

    for module in (average, certify, falsify, backward, coupling_from_the_past, nested_boxes, stationary, iterates):
        for name in {"probe", "probe_family"} & set(vars(module)):
            monkeypatch.setattr(module, name, nothing)
    monkeypatch.setattr(operators_module, "apply_read_only", lambda f, x, draw, name: f.apply(np.asarray(x), draw))


PURE = family(lambda t, u: t - 0.1 * (t - u), 3)


@pytest.mark.control
@pytest.mark.usefixtures("off")
@pytest.mark.parametrize(
    ("wrong", "right", "start", "entry"),
    [
        (family(lambda t, u: A2 @ t + u), family(lambda t, u: t @ A2.T + u), np.eye(2), ct.apply_backward),
        (
            family(lambda t, u: project(0.8 * t + 0.5 * u), 3),
            family(lambda t, u: project(0.8 * t + 0.5 * u), 3, batched=False),
            np.zeros(3),
            ct.backward_iterates,
        ),
        (family(minus, 3), PURE, np.zeros(3), lambda o, x: ct.plain_iterates(o, x, ct.Backward())),
        (
            family(lambda t, u: t @ A2.T + u, affine=lambda u: (A2.T, u)),
            family(lambda t, u: t @ A2.T + u),
            np.zeros(2),
            ct.backward_iterates,
        ),
        (
            family(lambda t, u: 0.5 * t + u, 2, lambda rng: rng.uniform(-1, 1), vectorized=True),
            family(lambda t, u: 0.5 * t + u, 2, lambda rng: rng.uniform(-1, 1)),
            np.zeros(2),
            lambda o, x: ct.apply_backward(o.family.sample(5, replicas=2), x),
        ),
    ],
    ids=["A @ t", "projection", "in place", "affine", "stacked draws"],
)
def test_without_the_probe_the_wrong_number_comes_out(wrong, right, start, entry):
    seen = entry(wrong.sample(9, 3), start.copy())
    assert np.max(np.abs(seen - entry(right.sample(9, 3), start.copy()))) > 0.01


@pytest.mark.control
@pytest.mark.usefixtures("off")
def test_without_the_probe_the_start_of_the_caller_changes():
    start = np.zeros(3)
    family(minus, 3).sample(4)[0](start)
    assert np.any(start != 0)


@pytest.mark.control
@pytest.mark.usefixtures("off")
def test_without_the_probe_one_seed_gives_two_limits():
    own = np.random.default_rng(0)
    changing = family(lambda t, u: 0.5 * t + u, 2, lambda rng: own.uniform(-1, 1, 2), contraction=0.5, displacement=1.5)
    first, second = (ct.backward_limit(changing, np.zeros(2), 1e-6) for _ in range(2))
    assert first.certified
    assert np.max(np.abs(first.value - second.value)) > 0.01


# --- mistakes in the probe itself, each seen by a map that it then lets through --------------------------------------


def patched(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    stacks, around, tried = probe_checks._stacks, probe_checks.points_around, probe_checks._Tried
    if what == "no stacks":
        monkeypatch.setattr(probe_checks, "_stacks", lambda x0, n: [])
    elif what == "no stack of two":
        monkeypatch.setattr(probe_checks, "_stacks", lambda x0, n: stacks(x0, n)[1:2])
    elif what == "no batches of two axes":
        monkeypatch.setattr(probe_checks, "_stacks", lambda x0, n: stacks(x0, n)[:2])
    elif what == "no far point":
        monkeypatch.setattr(probe_module, "points_around", lambda s, x, r: [0.01 * p for p in around(s, x, r)[:1]])
    elif what == "applied once":
        monkeypatch.setattr(tried, "compare_again", lambda self, x, saved: None)
    elif what == "drawn once":
        monkeypatch.setattr(probe_module, "check_draws", lambda operators, replicas, x0: None)
    elif what == "redrawn twice only":
        monkeypatch.setattr(probe_family_checks, "REDRAWN_IF_UNUSED", 2)
    elif what == "the affine form at zero only":
        compare = tried.compare_affine
        monkeypatch.setattr(tried, "compare_affine", lambda self, points: compare(self, [0 * p for p in points]))
    elif what == "no replicas":
        monkeypatch.setattr(tried, "compare_replicas", lambda self, points, values: None)
    elif what == "a wide tolerance":
        monkeypatch.setattr(probe_checks, "agree", lambda a, b, p, n: np.abs(a - b).max(-1) <= np.abs(p).max() + 1)
    elif what == "the argument is not compared":
        monkeypatch.setattr(tried, "__call__", lambda self, x: np.asarray(self.operators.apply(self.i, x)))
    else:
        assert what == "only the first map"
        check = probe_checks.check_map
        monkeypatch.setattr(probe_module, "check_map", lambda o, i, *rest, **known: check(o, 1, *rest, **known))


def seldom():
    """Draws from a counter that goes on at every eighth call only."""
    count = itertools.count()
    return family(lambda t, u: 0.5 * t + u, 2, lambda rng: float(next(count) // 8))


def flips_pairs(theta, u):
    """Wrong for a batch of two alone."""
    return theta[::-1] if theta.ndim == 2 and len(theta) == 2 else theta


def clips(theta, u):
    """Writes behind the read-only view, and gives the same at what it wrote."""
    memory = theta if theta.base is None else theta.base
    return 0.5 * np.clip(memory, -1, 1, out=memory).reshape(theta.shape) + u


def centred(theta, u):
    """Right for one replica at a time, mixed for more."""
    return 0.5 * theta + u - (np.mean(u, axis=0) if np.ndim(u) > 1 else 0)


LATE = [lambda t: t @ A2.T] * 2 + [lambda t: A2 @ t]
ESCAPES: dict[str, Callable[[], Any]] = {
    "no stacks": lambda: ENTRIES["apply_backward"](family(lambda t, u: A2 @ t + u), 2),
    "no stack of two": lambda: probe(family(flips_pairs, 3).sample(3), np.zeros(3)),
    "no batches of two axes": lambda: probe(family(lambda t, u: (A3 @ t.T).T + u, 3).sample(3), np.zeros(3)),
    "no far point": lambda: probe(family(lambda t, u: project(0.1 * t + 0.1 * u), 3).sample(3), np.zeros(3)),
    "applied once": lambda: probe(family(noisy_once()).sample(3), np.zeros(2)),
    "drawn once": lambda: ENTRIES["forward_iterates"](family(lambda t, u: t + u["i"], 2, counter()), 2),
    "redrawn twice only": lambda: ENTRIES["forward_iterates"](seldom(), 2),
    "the affine form at zero only": lambda: ENTRIES["iterates"](
        family(lambda t, u: t @ A2.T + u, affine=lambda u: (A2.T, u)), 2
    ),
    "no replicas": lambda: probe(family(centred, vectorized=True).sample(5, replicas=4), np.zeros(2)),
    "a wide tolerance": lambda: probe(family(lambda t, u: 0.1 * t + 1e-4 * t.sum(), 3).sample(3), np.zeros(3)),
    "the argument is not compared": lambda: probe(family(clips).sample(3), np.ones(2)),
    "only the first map": lambda: probe(ct.Operators.from_maps(LATE), np.zeros(2)),
}


def noisy_once():
    rng = np.random.default_rng(0)
    return lambda theta, u: 0.5 * theta + (rng.normal(size=2) if theta.ndim == 1 and not theta.any() else u)


@pytest.mark.parametrize("what", ESCAPES)
def test_the_probe_refuses_what_its_mistakes_let_through(what):
    with pytest.raises((ct.MapRefused, ct.NotDeterministic, ct.DeclarationRefuted)):
        ESCAPES[what]()


@pytest.mark.control
@pytest.mark.parametrize("what", ESCAPES)
def test_a_mistake_in_the_probe_is_seen(what, monkeypatch):
    """With one part of the probe taken out, the map of that part passes: the test above would fail."""
    patched(monkeypatch, what)
    ESCAPES[what]()
