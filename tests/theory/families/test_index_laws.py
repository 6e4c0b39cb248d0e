"""Index laws: exact word laws, where words are reversible (rows 39 and 40), and draws that follow them."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction as ct
from contraction import families as fam
from contraction import strategies

HALF, THIRD, QUARTER = Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)
REVERSIBLE_CHAIN = [[HALF, HALF], [Fraction(1, 4), Fraction(3, 4)]]
THREE_CYCLE = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
LAWS = [
    fam.IID([Fraction(1, 5), Fraction(4, 5)]),
    fam.ExchangeableMixture([[THIRD, 1 - THIRD], [Fraction(3, 4), Fraction(1, 4)]], [Fraction(2, 5), Fraction(3, 5)]),
    fam.Reshuffled(3),
    fam.ShuffledOnce(3),
    fam.Cyclic(3),
    fam.MarkovModulated(REVERSIBLE_CHAIN),
    fam.MarkovModulated(THREE_CYCLE, [1, 0, 0]),
]


@pytest.mark.parametrize("law", LAWS, ids=repr)
@pytest.mark.parametrize("n", [0, 1, 4, 5])
def test_words_are_a_law(law, n):
    words = list(law.words(n))
    assert len({w for w, _ in words}) == len(words)
    assert all(len(w) == n and p > 0 for w, p in words)
    assert sum(p for _, p in words) == 1
    assert all(isinstance(p, Fraction) for _, p in words)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_words_of_one_length_extend_to_the_next(law):
    shorter = Counter()
    for word, p in law.words(4):
        shorter[word[:3]] += p
    assert dict(shorter) == law.word_law(3)


@pytest.mark.parametrize("size", [2, 3])
def test_reshuffling_is_reversible_iff_n_fits_an_epoch(size):
    law = fam.Reshuffled(size)
    for n in range(8):
        assert law.is_reversible(n) == (n <= size or n % size == 0), n


@pytest.mark.parametrize("size", [2, 3, 4])
def test_one_shuffle_is_reversible(size):
    assert all(fam.ShuffledOnce(size).is_reversible(n) for n in range(9))


def test_cycles_and_chains():
    assert [n for n in range(5) if not fam.Cyclic(2).is_reversible(n)] == [2, 4]
    assert not fam.Cyclic(3).is_reversible(3)
    assert all(fam.MarkovModulated(REVERSIBLE_CHAIN).is_reversible(n) for n in range(9))
    assert fam.MarkovModulated(REVERSIBLE_CHAIN).initial == (THIRD, 1 - THIRD)
    assert not fam.MarkovModulated(REVERSIBLE_CHAIN, [HALF, HALF]).is_reversible(2)  # not started in equilibrium
    three = fam.MarkovModulated(THREE_CYCLE)
    assert three.initial == (THIRD, THIRD, THIRD)
    assert [three.is_reversible(n) for n in range(4)] == [True, True, False, False]


@given(st.data())
@settings(max_examples=settings().max_examples // 3)
def test_mixtures_are_exchangeable(data):
    law = data.draw(strategies.index_laws(2, reversible=True))
    if isinstance(law, fam.ExchangeableMixture | fam.IID):
        words = law.word_law(4)
        for word, p in words.items():
            for other in itertools.permutations(word):
                assert words[other] == p


def test_float_weights_are_compared_to_rounding():
    chain = fam.MarkovModulated([[0.3, 0.7], [0.2, 0.8]])
    assert all(chain.is_reversible(n) for n in range(7))
    assert not fam.MarkovModulated([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]).is_reversible(2)


@pytest.mark.parametrize("small", [0.3, 1e-3, 1e-9, 1e-14])
def test_the_stationary_law_of_floats_is_exact_to_rounding(small):
    """However badly conditioned: two letters that are rarely left, by hand, and three in exact arithmetic."""
    chain = fam.MarkovModulated([[1 - small, small], [2 * small, 1 - 2 * small]])
    assert chain.initial == pytest.approx((2 / 3, 1 / 3), rel=2e-15)  # 8 roundings
    assert chain.is_stationary_chain
    P = [[1 - small, small, 0.0], [0.25, 0.5, 0.25], [small / 2, 0.0, 1 - small / 2]]
    law = fam.MarkovModulated(P).initial
    exact = [Fraction(x) for x in (0.25, small, small, small / 2)]
    # balance: π_0 small = π_1/4 + π_2 small/2, π_2 small/2 = π_1/4
    weights = [Fraction(1, 2) / exact[1], Fraction(1), Fraction(1, 4) / exact[3]]
    assert law == pytest.approx([float(w / sum(weights)) for w in weights], rel=54 * 2.0**-53, abs=0)
    assert fam.MarkovModulated([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]).initial == pytest.approx(
        (0.5, 0.5, 0.0)
    )  # the last letter is left for ever
    absorbing = fam.MarkovModulated([[0.5, 0.5], [0.0, 1.0]])  # so is the first: by least squares
    assert absorbing.initial == pytest.approx((0.0, 1.0), abs=1e-15)


@pytest.mark.parametrize("law", LAWS, ids=repr)
@pytest.mark.parametrize("replicas", [None, 4])
def test_a_longer_word_begins_with_the_shorter(law, replicas):
    short, long = law.letters(7, seed=5, replicas=replicas), law.letters(40, seed=5, replicas=replicas)
    assert np.array_equal(short, long[:7])
    assert np.array_equal(long, law.letters(40, seed=5, replicas=replicas))
    assert long.shape == ((40,) if replicas is None else (40, 4))
    assert long.max() < law.size


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_draws_follow_the_word_law(law):
    """Hoeffding over all words: a deviation above .036 has probability below 2 * 243 * exp(-2 n .036^2) < 1e-20."""
    n, replicas = 4, 20_000
    letters = law.letters(n, seed=2, replicas=replicas).T
    seen = Counter(map(tuple, letters.tolist()))
    words = law.word_law(n)
    assert set(seen) <= set(words)
    assert max(abs(seen[w] / replicas - float(p)) for w, p in words.items()) < 0.036


@pytest.mark.control
def test_a_wrong_law_would_be_seen():
    letters = fam.IID(3).letters(4, seed=2, replicas=20_000).T
    seen = Counter(map(tuple, letters.tolist()))
    assert not set(seen) <= set(fam.Reshuffled(3).word_law(4))
    biased = fam.IID([Fraction(3, 5), Fraction(2, 5)]).letters(2, seed=2, replicas=20_000).T
    seen = Counter(map(tuple, biased.tolist()))
    assert abs(seen[(0, 0)] / 20_000 - 0.25) > 0.036


def test_replicas_do_not_share_a_shuffle_or_a_component():
    shuffled = fam.ShuffledOnce(4).letters(4, seed=0, replicas=200)
    assert len({tuple(c) for c in shuffled.T.tolist()}) > 10
    mixed = fam.ExchangeableMixture([[1, 0], [0, 1]]).letters(3, seed=0, replicas=200)
    assert np.all(mixed == mixed[0])  # one component for the whole word
    assert 0 < mixed[0].mean() < 1  # not one for all replicas


def test_a_letter_of_probability_zero_is_never_drawn():
    law = fam.IID([0, 0.1, 0.2, 0.7, 0])
    assert set(law.letters(2000, seed=0).tolist()) == {1, 2, 3}
    assert {w for word, _ in law.words(2) for w in word} == {1, 2, 3}


@pytest.mark.parametrize("back", [False, True])
def test_smallest_reshuffling_counterexample(back):
    """Row 40: N = 2, n = 3, x/2 and x/2 + 1/2 from 0."""
    family = fam.BernoulliConvolution(HALF, law=fam.Reshuffled(2))
    law = Counter()
    for word, p in family.law.words(3):
        theta = np.array([Fraction(0)])
        for letter in reversed(word) if back else word:
            theta = family.maps[letter](theta)
        law[theta[0]] += p
    eighths = (2, 3, 4, 5) if back else (1, 2, 5, 6)
    assert law == {Fraction(a, 8): Fraction(1, 4) for a in eighths}


def test_families_use_their_law():
    family = fam.FiniteFamily([(HALF, 0), (HALF, 1), (HALF, 2)], law=fam.Cyclic(3))
    ops = family.sample(6, seed=9)
    assert [int(op.draw) for op in ops] == [0, 1, 2, 0, 1, 2]
    assert np.array_equal(ct.forward_iterates(ops, 0.0)[:3, 0], [0.0, 0.0, 1.0])
    assert family.weights is None
    with pytest.raises(ValueError, match="no single law"):
        family.support()
    with pytest.raises(ValueError, match="not independent"):
        family.draw_block(np.random.default_rng(0), None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fam.IID([]), "weights must not be empty"),
        (lambda: fam.IID([HALF, THIRD]), r"weights must sum to one, got .* with sum 5/6"),
        (lambda: fam.IID([0.5, 0.4]), r"weights must sum to one, got \[0.5, 0.4\] with sum 0.9"),
        (lambda: fam.IID([1.5, -0.5]), r"weights must be >= 0, got -0.5"),
        (lambda: fam.IID([float("nan"), 1.0]), r"must be a finite number, got nan"),
        (lambda: fam.IID(0), r"must be an integer of at least 1, got 0"),
        (lambda: fam.Reshuffled(0), r"must be an integer of at least 1, got 0"),
        (lambda: fam.Cyclic(True), r"must be an integer of at least 1, got True"),
        (lambda: fam.ExchangeableMixture([[1], [HALF, HALF]]), r"same number of letters, got \[1, 2\]"),
        (lambda: fam.ExchangeableMixture([]), r"at least one"),
        (lambda: fam.MarkovModulated([[HALF, HALF]]), r"P must be a square matrix, got rows of lengths \[2\]"),
        (lambda: fam.MarkovModulated([[HALF, HALF], [1, 1]]), r"a row of P must sum to one"),
        (lambda: fam.MarkovModulated([[1, 0], [0, 1]]), r"more than one stationary law: give the initial one"),
        (lambda: fam.MarkovModulated([[1.0, 0.0], [0.0, 1.0]]), r"more than one stationary law"),
        (lambda: list(fam.IID(2).words(-1)), r"must be an integer of at least 0, got -1"),
        (lambda: list(fam.IID(10).words(7)), r"10000000 words of length 7 over 10 letters, above the limit 1000000"),
        (lambda: fam.FiniteFamily([(0, 0)], law=fam.IID(2)), r"the law has 2 letters for 1 maps"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("law", [*LAWS, fam.MarkovModulated(REVERSIBLE_CHAIN, [HALF, HALF])], ids=repr)
def test_the_marginal_is_the_law_of_every_letter(law):
    """At each of five positions, from all words; None if the positions do not share one law."""
    laws = []
    for position in range(5):
        masses = [Fraction(0)] * law.size
        for word, p in law.words(5):
            masses[word[position]] += p
        laws.append(tuple(masses))
    assert law.marginal == (laws[0] if len(set(laws)) == 1 else None)


class Sticky(fam.MarkovModulated):
    """Letters that often repeat, of a class of one's own that calls them independent."""

    is_iid = True


class Weighted(fam.IndexLaw):
    """Independent letters of a class of one's own."""

    size, is_iid, marginal = 2, True, (QUARTER, 3 * QUARTER)

    def letters(self, n: int, seed: int, replicas: int | None = None):
        return fam.IID(self.marginal).letters(n, seed, replicas)

    def _words(self, n: int):
        yield from fam.IID(self.marginal).words(n)


@pytest.mark.control
def test_letters_of_ones_own_that_are_called_independent_are_compared_with_their_words():
    maps = [(HALF, 0), (HALF, 1)]
    assert fam.FiniteFamily(maps, law=Weighted()).weights == Weighted.marginal
    sticky = Sticky([[3 * QUARTER, QUARTER], [QUARTER, 3 * QUARTER]])
    message = r"the word \(0, 0\) has the probability 3/8 by words\(2\), and 1/4 if its letters were independent"
    with pytest.raises(ct.DeclarationRefuted, match=message):
        fam.FiniteFamily(maps, law=sticky)


@pytest.mark.parametrize(
    ("P", "expected"),
    [
        ([[0.5, 0.5], [0.0, 1.0]], (0, 1)),
        (
            [[0.3, 0.3, 0.2, 0.2], [0.1, 0.1, 0.4, 0.4], [0.0, 0.0, 0.3, 0.7], [0.0, 0.0, 0.6, 0.4]],
            (0, 0, 6 / 13, 7 / 13),
        ),
        ([[0.7, 0.3, 0.0], [0.2, 0.8, 0.0], [0.1, 0.2, 0.7]], (0.4, 0.6, 0)),
        ([[0.0, 0.25, 0.75], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]], (0, 0.5, 0.5)),
    ],
)
def test_letters_that_are_left_for_ever_have_probability_zero(P, expected):
    chain = fam.MarkovModulated(P)
    assert [p == 0 for p in chain.initial] == [p == 0 for p in expected]
    np.testing.assert_allclose(chain.initial, expected, rtol=1e-15)
    assert chain.marginal == chain.initial


def test_two_groups_of_letters_have_no_single_law():
    with pytest.raises(ValueError, match="more than one stationary law"):
        fam.MarkovModulated([[0.2, 0.4, 0.4], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def test_words_that_are_too_many_to_count_are_refused():
    with pytest.raises(ValueError, match=r"up to 2\^20000 words of length 20000 over 2 letters"):
        list(fam.IID(2).words(20_000))
    with pytest.raises(ValueError, match=r"up to 1048576 words of length 20 over 2 letters"):
        list(fam.IID(2).words(20))
    assert [word for word, _ in fam.IID(1).words(5000)] == [(0,) * 5000]
    with pytest.raises(ValueError, match="the length of a word n must be an integer"):
        list(fam.Reshuffled(3).words("3"))
