"""Messages that refuse a certificate advise only what can help, with arguments that exist."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

import contraction as ct
from contraction.families import FiniteFamily, OwnLossSteps
from contraction.plots.style import style

HALVES = [lambda x: x / 2, lambda x: x / 2 + 1]
Q = "q= for contraction after q maps"


def refused(*arguments, **options) -> ct.NotCertified:
    with pytest.raises(ct.NotCertified) as caught:
        ct.certify(*arguments, **options)
    return caught.value


def test_maps_of_ones_own_are_told_what_from_maps_takes() -> None:
    advice = refused(ct.Operators.from_maps(HALVES), [0.0]).alternatives[0]
    assert advice == "give from_maps lipschitz=[…], one constant per map, or affine=[(A, b), …]"
    for maps in (
        ct.Operators.from_maps(HALVES, lipschitz=[0.5, 0.5]),
        ct.Operators.from_maps(HALVES, affine=[(0.5, 0.0), (0.5, 1.0)]),
    ):
        assert ct.certify(maps, [0.0]).bound(0) < np.inf


def test_drawn_maps_are_told_what_their_family_takes() -> None:
    own = ct.RandomOperator(lambda rng: rng.uniform(), lambda x, u: np.sin(x) * u)
    assert refused(own.sample(2), [0.0]).alternatives[0] == "declare contraction=, lipschitz= or affine="
    functions = FiniteFamily(HALVES)
    assert refused(functions.sample(2), [0.0]).alternatives[0] == "declare lipschitz="
    assert "declare lipschitz=" in refused(functions, [0.0]).alternatives
    losses = OwnLossSteps(lambda t, x: np.sin(t[0] - x), ([1.0],), 1, h=0.1, batches=[[0]])
    assert refused(losses.sample(2), [0.0]).alternatives[0].startswith("ct.RandomOperator(draw, apply, contraction=k)")


@pytest.mark.parametrize("given", [0.5, abs])
def test_one_number_for_all_maps_is_refused_in_words(given: object) -> None:
    with pytest.raises(TypeError, match=r"lipschitz must be a list with one constant per map, such as \[0\.5, 0\.5\]"):
        ct.Operators.from_maps(HALVES, lipschitz=given)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"affine must be a list with one pair \(A, b\) per map, such as "):
        ct.Operators.from_maps(HALVES, affine=given)  # pyright: ignore[reportArgumentType]


def test_longer_words_are_not_advised_where_a_word_expands() -> None:
    one = FiniteFamily([(1.5, 1.0), (0.3, -1.0)])
    error = refused(one, 0.0)
    assert Q not in error.alternatives
    assert error.tried[-1].endswith("product (1,) has spectral radius 1.5 ≥ 1 (maps are numbered from 1)")
    pair = FiniteFamily([([[0, 2.0], [0, 0]], [1.0, 0]), ([[0, 0], [2.0, 0]], [0, 1.0])])  # A B has the eigenvalue 4
    assert Q not in refused(pair, [0.0, 0.0]).alternatives


def test_a_larger_q_is_advised_only_where_no_map_expands() -> None:
    never = refused(FiniteFamily([(1.5, 1.0), (0.3, -1.0)]), 0.0, q=2)
    assert never.hypothesis == (
        "kappa ≥ 1: 4 words of length 2 give 2.25 (kappa is the largest Lipschitz constant of a word of q maps); "
        "a map has spectral radius ≥ 1, so that no q helps"
    )
    assert never.alternatives == ("moment=p for contraction in p-mean",)
    shear = FiniteFamily([([[0.5, 10.0], [0.0, 0.5]], [0.0, 1.0])])
    assert "a larger q" in refused(shear, [0.0, 0.0], q=2).alternatives
    assert ct.certify(shear, [0.0, 0.0], q=8).k < 1
    rare = FiniteFamily([(1.5, 1.0), (0.3, -1.0)], weights=[0.99, 0.01])
    assert refused(rare, 0.0, q=2, moment=1).alternatives == ("a larger q",)  # a mean over words, not the largest


def test_a_factor_that_is_violated_recalls_the_order_of_the_arguments() -> None:
    hint = r"is violated: .*; is apply a function of \(theta, draw\), in this order\?$"
    swapped = ct.RandomOperator(
        lambda rng: rng.uniform(-1, 1), lambda u, x: 0.6 * x + u, contraction=0.6, displacement=1.0
    )
    with pytest.raises(ct.DeclarationRefuted, match=hint):
        ct.certify(swapped, [0.0])
    with pytest.raises(ct.DeclarationRefuted) as caught:
        ct.certify(ct.Operators.from_maps(HALVES, lipschitz=[0.1, 0.1]), [0.0])
    assert "order" not in str(caught.value)  # these maps have one argument


def test_where_matplotlib_is_missing_the_hint_can_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(name)
        return imported(name, *rest)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(ImportError, match=r'pip install matplotlib, or in a checkout pip install -e "\.\[plots\]"'),
        style(),
    ):
        pass
