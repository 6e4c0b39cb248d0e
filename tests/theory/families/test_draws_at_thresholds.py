"""Which letter, value, row or page a uniform number stands for, at and around every threshold; and what is refused.

A generator with given numbers takes the place of the random one. u in [0, 1) stands for the first letter whose
cumulative probability exceeds u, so that a letter of probability p has exactly the numbers of an interval of length p,
and one of probability 0 has none: not even u = 0, which generators do return.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from contraction import families as fam
from contraction.families import index_laws, markov_modulated
from contraction.families.gradient_steps import BATCHES_LIMIT, ENCLOSED_DIM
from contraction.families.index_laws import WORDS_LIMIT
from contraction.families.tail_quadrature import absolute_moment
from contraction.maps.domains import RotatedBox

QUARTER, HALF = Fraction(1, 4), Fraction(1, 2)
EPOCHS = (fam.Reshuffled, fam.ShuffledOnce, fam.Cyclic)
STEPS = fam.RidgeLoss(np.eye(3), np.ones(3))


class Given:
    """A generator that returns one number in every entry."""

    def __init__(self, u: float) -> None:
        self.u = u

    def random(self, size=None):
        return self.u if size is None else np.full(size, self.u)


def letter(weights, u: float) -> int:
    """The first letter whose cumulative probability exceeds u."""
    return next(a for a, total in enumerate(itertools.accumulate(map(float, weights))) if u < total)


#: Dyadic, so that sums are exact; with letters of probability 0 first, between and last.
WEIGHTS = [
    (0, QUARTER, 0, HALF, QUARTER, 0),
    (1, 0),
    (0, 1),
    (HALF, HALF),
    (0, *[Fraction(1, 16)] * 8, 0, *[Fraction(1, 16)] * 8, 0),  # many letters are looked up in another way
]
NUMBERS = sorted({k / 16 for k in range(16)} | {k / 16 - 2.0**-40 for k in range(1, 17)} | {2.0**-40})


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_a_letter_has_the_numbers_of_an_interval(weights):
    law = fam.IID(weights)
    for u in NUMBERS:
        assert int(law.letter(Given(u), None)) == letter(weights, u)
        many = law.letter(Given(u), 3)
        assert many.tolist() == [letter(weights, u)] * 3
    share = [sum(letter(weights, k / 16) == a for k in range(16)) / 16 for a in range(len(weights))]
    assert share == [float(w) for w in weights]


@pytest.mark.parametrize("weight", [0, QUARTER, HALF, 1])
def test_the_second_of_two_values_has_the_numbers_below_its_weight(weight):
    noise = fam.TwoPoint(-1, 2, weight)
    for u in NUMBERS:
        assert noise.sample(Given(u), (2,)).tolist() == [2.0 if u < weight else -1.0] * 2


@pytest.mark.parametrize("weights", WEIGHTS[:4], ids=str)
def test_pages_and_successors_have_the_numbers_of_an_interval(weights):
    n = len(weights)
    links = np.array([[float(w) for w in weights]] * n).T
    family = fam.PageRank(links, teleport=[float(w) for w in weights])
    bellman = fam.BellmanOperators(np.zeros((n, 2)), np.broadcast_to([float(w) for w in weights], (n, 2, n)), 0.5)
    for u in NUMBERS:
        assert family.draw_block(Given(u), None).tolist() == [letter(weights, u)] * (n + 1)
        assert family.draw_block(Given(u), 2).shape == (2, n + 1)
        drawn = bellman.draw_block(Given(u), None)
        assert drawn.shape == (2, n, 2)
        assert np.all(drawn[1] == letter(weights, u))


@pytest.mark.parametrize("which", ["mixture", "markov"])
def test_letters_that_depend_on_each_other(which, monkeypatch):
    """The same number for every choice: first the component or the first letter, then each letter given that."""
    rows = [(0, HALF, HALF), (QUARTER, 0, 3 * QUARTER), (1, 0, 0)]
    for u in NUMBERS:
        for module in (index_laws, markov_modulated):
            monkeypatch.setattr(module, "map_generator", lambda seed, i, u=u: Given(u))
        monkeypatch.setattr(index_laws, "sequence_generator", lambda seed, *key, u=u: Given(u))
        first = letter([QUARTER, QUARTER, HALF], u)
        if which == "mixture":
            law = fam.ExchangeableMixture(rows, [QUARTER, QUARTER, HALF])
            expected = [letter(rows[first], u)] * 4
        else:
            law = fam.MarkovModulated(rows, [QUARTER, QUARTER, HALF])
            expected = [first]
            for _ in range(3):
                expected.append(letter(rows[expected[-1]], u))
        assert law.letters(4, 0).tolist() == expected
        assert law.letters(4, 0, 2).tolist() == [[a, a] for a in expected]


@pytest.mark.parametrize(
    "make",
    [
        fam.IID,
        fam.Reshuffled,
        fam.ShuffledOnce,
        fam.Cyclic,
        lambda n: fam.MarkovModulated(np.eye(n), [1] + [0] * (n - 1)),
    ],
)
@pytest.mark.parametrize("size", [255, 256, 257])
def test_letters_have_room_for_their_number(make, size):
    """One byte holds 0 … 255: 256 letters fit and 257 do not."""
    law = make(size)
    for replicas in (None, 2):
        word = law.letters(3 * size if make in EPOCHS else 5, 1, replicas)
        assert word.dtype == (np.uint8 if size <= 256 else np.int64)
        if make in EPOCHS:
            assert word.max() == size - 1
            assert all(len(np.unique(epoch)) == size for epoch in np.split(word.reshape(3 * size, -1)[:, 0], 3))


# --- limits, at exact equality --------------------------------------------------------------------------------------


def test_a_million_words_are_listed_and_one_more_letter_is_refused():
    assert WORDS_LIMIT == 10**6
    assert next(fam.IID(10).words(6)) == ((0,) * 6, Fraction(1, 10**6))
    with pytest.raises(ValueError, match="up to 1002001 words of length 2 over 1001 letters, above the limit 1000000"):
        next(fam.IID(1001).words(2))
    with pytest.raises(ValueError, match="the length of a word n must be an integer of at least 0, got -1"):
        next(fam.IID(2).words(-1))


@pytest.mark.parametrize(("rows", "batch", "listed"), [(4096, 1, True), (4097, 1, False)])
def test_4096_batches_are_listed_and_4097_are_not(rows, batch, listed):
    assert BATCHES_LIMIT == 4096
    family = fam.GradientSteps(fam.RidgeLoss(np.ones((rows, 1)), np.ones(rows)), 0.1, batch)
    assert (family.batches is not None) == listed
    assert (family.finite_support() is not None) == listed


def test_steps_are_enclosed_up_to_64_coordinates():
    assert ENCLOSED_DIM == 64
    for d in (64, 65):
        family = fam.GradientSteps(fam.RidgeLoss(np.eye(1, d), [0.0], 0.5), 0.1)
        found = family.step_enclosures(RotatedBox(np.zeros(d), np.ones(d)))
        assert (found is None) == (d > 64)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_batch_may_hold_every_row_and_not_one_more(batch):
    loss = fam.RidgeLoss(np.eye(3), np.ones(3))
    assert fam.GradientSteps(loss, 0.1, batch).batch_size == batch
    with pytest.raises(ValueError, match="at most 3 rows, got 4"):
        fam.GradientSteps(loss, 0.1, 4)


ENDS = {
    "weights": lambda x: fam.IID([x, 1 - x]),
    "weight": lambda x: fam.TwoPoint(0, 1, x),
    "the damping c": lambda x: fam.PageRank(np.ones((2, 2)), x),
    "teleport": lambda x: fam.PageRank(np.ones((2, 2)), 0.5, [x, 1 - x]),
    "transitions": lambda x: fam.BellmanOperators([[0.0], [0.0]], [[[x, 1 - x]], [[0.5, 0.5]]]),
}


@pytest.mark.parametrize("what", sorted(ENDS))
def test_probabilities_may_be_0_and_1(what):
    for good in (0.0, 0.5, 1.0):
        ENDS[what](good)
    for bad in (-1e-9, 1 + 1e-9, -1.0, 2.0, math.nan):
        with pytest.raises(ValueError, match=what):
            ENDS[what](bad)


def test_numbers_that_may_be_0_and_those_that_may_not():
    X, y = np.eye(2), np.ones(2)
    for allowed in (
        lambda x: fam.RidgeLoss(X, y, x),
        lambda x: fam.Gaussian(x),
        lambda x: fam.BellmanOperators([[0.0]], [[[1.0]]], x),
        lambda x: fam.FiniteFamily([np.sin], lipschitz=[x]),
        lambda x: fam.FunctionNoise(lambda rng, size: np.zeros(size), variance=x),
    ):
        allowed(0.0)
        with pytest.raises(ValueError, match=r"-1e-300"):
            allowed(-1e-300)
    for refused in (
        lambda x: fam.SoftplusLoss(X, y, 0.0, x),
        lambda x: fam.Laplace(x),
        lambda x: fam.Student(x),
        lambda x: fam.Student(1.0, x),
        lambda x: fam.Cauchy(x),
    ):
        refused(1e-300)
        with pytest.raises(ValueError, match=r"must be a finite number > 0, got 0.0"):
            refused(0.0)
    fam.Uniform(1.0, 1.0)
    fam.TwoPoint(1, 1)


# --- each element of a list is looked at ----------------------------------------------------------------------------

LISTS = {
    "weights": (lambda v: fam.IID(v), [0.5, 0.5, 0.0], -0.5),
    "rows of P": (lambda v: fam.MarkovModulated([v, [0.5, 0.25, 0.25], [0, 0.5, 0.5]]), [0.5, 0.25, 0.25], 1.25),
    "factors": (fam.ExpandingOnAverage, [0.5, 0.25, 0.1], math.inf),
    "lipschitz": (lambda v: fam.FiniteFamily([np.sin] * 3, lipschitz=v), [1.0, 1.0, 1.0], -1.0),
    "offsets": (lambda v: fam.RandomAffine([0.1] * 3, v), [1.0, 1.0, 1.0], math.nan),
    "labels": (lambda v: fam.RidgeLogisticLoss(np.eye(3), v), [1.0, -1.0, 1.0], 0.0),
    "targets": (lambda v: fam.RidgeLoss(np.eye(3), v), [1.0, -1.0, 1.0], math.inf),
    "rows of a batch": (lambda v: fam.GradientSteps(STEPS, 0.1, batches=[v]), [0, 1, 2], 3),
    "letters of a prefix": (lambda v: fam.PrefixMaps([(0,), v]), [0, 1, 0], 2),
    "kinds of letters": (lambda v: fam.PrefixMaps([(0,), v]), [0, 1, 0], 1.0),
    "truth values as letters": (lambda v: fam.PrefixMaps([(0,), v]), [0, 1, 0], True),
    "maps": (fam.FiniteFamily, [(0.5, 1.0), (0.5, 0.0), (0.1, 1.0)], np.sin),
    "teleport": (lambda v: fam.PageRank(np.ones((3, 3)), 0.5, v), [0.5, 0.25, 0.25], -0.25),
    "links": (lambda v: fam.PageRank([v, [1, 1, 1], [1, 0, 1]]), [1.0, 1.0, 0.0], -1.0),
    "rewards": (lambda v: fam.BellmanOperators([v], np.ones((1, 3, 1))), [0.0, 1.0, 2.0], math.nan),
    "theta_star": (lambda v: fam.LinearizedSGD(v, np.eye(3), 0.1), [0.0, 1.0, 2.0], math.inf),
    "grid": (fam.PicardIteration, [0.0, 1.0, 2.0], math.nan),
}


@pytest.mark.parametrize("what", sorted(LISTS))
def test_one_bad_element_among_good_ones_is_refused(what):
    make, good, bad = LISTS[what]
    make(list(good))
    for place in range(len(good)):
        with pytest.raises((ValueError, TypeError)):
            make([bad if i == place else x for i, x in enumerate(good)])


@pytest.mark.parametrize("place", range(3))
def test_one_transition_that_is_off_is_refused(place):
    good = np.full((3, 2, 3), 1 / 3)
    fam.BellmanOperators(np.zeros((3, 2)), good)
    for other in (-1 / 3, 2 / 3):
        bad = good.copy()
        bad[place, place % 2, 0] = other
        with pytest.raises(ValueError, match="sum to one over the successor"):
            fam.BellmanOperators(np.zeros((3, 2)), bad)


# --- shapes and types of what maps return ---------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [None, 1, 3])
def test_numbers_act_on_as_many_coordinates_as_asked(dim):
    family = fam.FiniteFamily([(0.5, 1.0), (0.25, 0.0)], dim=dim)
    d = 1 if dim is None else dim
    assert family.dim == d
    assert family.apply(np.zeros(d), 0).tolist() == [1.0] * d
    assert fam.FiniteFamily([(0.5, np.zeros(3)), (0.25, 0.0)]).dim == 3
    assert fam.FiniteFamily([(0.5, 1.0), (np.eye(3), 0.0)]).dim == 3


def test_maps_with_unlike_types_keep_the_digits_of_each():
    """One map returns integers and one floats: a batch over both holds floats, in either order of the maps."""
    maps = [lambda x: np.round(x).astype(int), lambda x: x / 4, lambda x: x * (1 + 0j)]
    points = np.array([[1.0], [1.0], [3.0]])
    for order in itertools.permutations(range(3)):
        family = fam.FiniteFamily([maps[i] for i in order], lipschitz=[1, 1, 1], dim=1)
        expected = np.concatenate([np.asarray(maps[i](x)) for i, x in zip(order, points, strict=True)])
        values = family.apply(points, np.arange(3))
        assert values.dtype == complex
        assert values[:, 0].tolist() == expected.tolist()
        two = family.apply(points[:2], np.array([0, 1]))
        assert two[:, 0].tolist() == expected[:2].tolist()


def test_laws_that_are_left_out_are_the_documented_ones():
    assert fam.PicardIteration([0.0, 1.0]).slope == fam.PicardIteration([0.0, 1.0]).forcing == fam.Uniform(-1, 1)
    assert fam.QuadraticSGD(0.5).noise == fam.LinearizedSGD([0.0], [[1.0]], 0.5).noise == fam.Gaussian(1.0, center=0.0)
    assert fam.HeavyBall(1.0, 0.5, 0.5).noise == fam.Gaussian(1.0, center=0.0)
    assert fam.PageRank(np.ones((2, 2))).damping == 0.85
    assert fam.PageRank(np.ones((4, 4))).teleport.tolist() == [0.25] * 4
    assert fam.BellmanOperators([[0.0]], [[[1.0]]]).discount == 0.9
    assert fam.BernoulliConvolution().h == HALF
    assert fam.BernoulliConvolution().values == (0, 1)
    assert fam.BernoulliConvolution().weights == (HALF, HALF)
    assert fam.PrefixMaps().prefixes == ((0,), (1,))
    expanding = fam.ExpandingOnAverage()
    assert (expanding.factors, expanding.weights, expanding.shape) == ((2, QUARTER), (HALF, HALF), "linear")
    assert expanding.offset == fam.TwoPoint(1.0, 1.0)
    assert (fam.Uniform().interval, fam.TwoPoint().atoms) == ((-1.0, 1.0), ((-1, HALF), (1, HALF)))
    assert fam.Laplace() == fam.Laplace(1.0, center=0.0)
    assert fam.Student() == fam.Student(3.0, 1.0, center=0.0)
    assert fam.Cauchy() == fam.Cauchy(1.0, center=0.0)
    assert fam.GradientSteps(fam.RidgeLoss(np.eye(2), np.ones(2)), 0.1).batch_size == 1
    assert fam.RidgeLoss(np.eye(2), np.ones(2)).ridge == 0
    assert fam.SoftplusLoss(np.eye(2), np.ones(2)).sharpness == 1


class Tail:
    """A law on [0, ∞) with a given survival function, as far as quadrature asks."""

    def __init__(self, sf) -> None:
        self.sf = sf

    def cdf(self, x):
        return np.where(np.asarray(x) < 0, 0.0, 1 - self.sf(np.maximum(x, 0.0)))


def test_a_tail_that_ends_early_or_rises_has_no_bound():
    """What is not seen far enough out says nothing of the tail, and neither does a survival function that rises."""
    power_law = Tail(lambda t: (1 + np.asarray(t)) ** -3.0)
    assert absolute_moment(power_law, 1.0) == pytest.approx(0.5, rel=0.02)
    assert absolute_moment(Tail(lambda t: np.where(np.asarray(t) < 0.5, 1.0, 0.0)), 1.0) == math.inf
    bumpy = Tail(lambda t: (1 + np.asarray(t)) ** -3.0 * (1 + 0.5 * (np.abs(np.asarray(t) - 1000.0) < 10.0)))
    assert absolute_moment(bumpy, 1.0) == math.inf
