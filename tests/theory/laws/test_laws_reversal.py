"""Theorem 2.6 exactly (rows 36-41, 73, 74): where the two laws agree, where they don't, what is stationary."""

from __future__ import annotations

import itertools
from fractions import Fraction as F

import pytest

from contraction.families.finite import FiniteFamily
from contraction.families.index_laws import IID, Cyclic, Reshuffled, ShuffledOnce
from contraction.laws import (
    ExactLaw,
    compare_laws,
    compare_orders,
    exact_bracket,
    exact_law,
    exact_laws,
    exchangeable_pair,
    is_stationary,
    merged_law,
    pair_law,
    push_forward,
    reversible,
    word_law,
)
from contraction.maps.orders import Backward, CustomOrder, Forward, Windowed

HALF = F(1, 2)
BERNOULLI = [(HALF, 0), (HALF, HALF)]  # x/2 and x/2 + 1/2


def uniform_words(words):
    words = list(words)
    return [(w, F(1, len(words))) for w in words]


def shuffled(N, repeat_one):
    """Fresh reshuffling in each epoch of N, or one shuffle repeated."""

    def words(n):
        epochs = -(-n // N)
        draws = itertools.permutations(range(N))
        blocks = ((p,) * epochs for p in draws) if repeat_one else itertools.product(draws, repeat=epochs)
        return uniform_words(sum(b, ())[:n] for b in blocks)

    return words


def markov(transition, stationary):
    def words(n):
        for word in itertools.product(range(len(stationary)), repeat=n):
            mass = stationary[word[0]] if n else F(1)
            for a, b in itertools.pairwise(word):
                mass *= transition[a][b]
            yield word, mass

    return words


# --- Theorem 2.6: where it holds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 7))
def test_iid_nonlinear_maps_unequal_weights(n):
    """Row 36: three maps of the circle of rationals, 729 words at n = 6."""
    maps = [lambda x: x * x / 2, lambda x: 1 - x / 3, lambda x: x / (2 + x)]
    weights = [F(1, 2), F(1, 3), F(1, 6)]
    assert compare_orders(maps, n, F(1, 3), index_law=weights)
    assert exchangeable_pair(maps, n, F(1, 3), index_law=weights)


@pytest.mark.parametrize("N", [2, 3, 4])
def test_one_shuffle_repeated(N):
    maps = [(F(1, 2 + i), F(i, 3)) for i in range(N)]
    for n in range(1, 9):
        law = shuffled(N, repeat_one=True)
        assert reversible(law, n)
        assert compare_orders(maps, n, F(1, 7), index_law=law)


@pytest.mark.parametrize(("N", "failing"), [(2, {3, 5, 7}), (3, {4, 5, 7})])
def test_fresh_reshuffling_holds_iff_n_at_most_N_or_N_divides_n(N, failing):
    maps = [(F(1, 2 + i), F(i + 1, 3)) for i in range(N)]
    law = shuffled(N, repeat_one=False)
    for n in range(1, 8):
        assert reversible(law, n).equal == (n <= N or n % N == 0) == (n not in failing)
        comparison = compare_orders(maps, n, F(1, 7), index_law=law)
        assert comparison.equal == (n not in failing), (n, str(comparison))


def test_smallest_reshuffling_counterexample():
    """Row 40: N = 2, n = 3, from 0; both laws, means and variances as stated."""
    forward, backward = exact_laws(BERNOULLI, 3, index_law=shuffled(2, repeat_one=False))
    quarter = F(1, 4)
    assert forward.counter() == {F(p, 8): quarter for p in (1, 2, 5, 6)}
    assert backward.counter() == {F(p, 8): quarter for p in (2, 3, 4, 5)}
    assert forward.mean() == backward.mean() == F(7, 16)
    assert (forward.variance(), backward.variance()) == (F(17, 256), F(5, 256))
    comparison = compare_laws(forward, backward)
    assert not comparison
    assert comparison.atom is not None
    assert comparison.masses == (forward.counter().get(comparison.atom, 0), backward.counter().get(comparison.atom, 0))
    assert comparison.masses[0] != comparison.masses[1]
    assert comparison.total_variation == HALF


def test_reshuffling_variances_approach_their_limits():
    """Row 40: backward and even n tend to 1/60, odd n forward to 1/15; i.i.d. 1/12."""
    law = shuffled(2, repeat_one=False)
    (f7, b7), (f8, b8) = (exact_laws(BERNOULLI, n, index_law=law) for n in (7, 8))
    for value, limit in ((f8, F(1, 60)), (b8, F(1, 60)), (b7, F(1, 60)), (f7, F(1, 15))):
        assert abs(value.variance() - limit) < F(1, 4**6)
    assert exact_law(BERNOULLI, 8).variance() == F(4**8 - 1, 12 * 4**8)


def test_fixed_cyclic_order_fails_at_two():
    cyclic = lambda n: [(tuple(j % 2 for j in range(n)), 1)]  # noqa: E731
    assert reversible(cyclic, 1)
    assert not reversible(cyclic, 2)
    comparison = compare_orders(BERNOULLI, 2, index_law=cyclic)
    assert not comparison
    assert comparison.masses in ((1, 0), (0, 1))


def test_markov_modulation():
    birth_death = markov([[HALF, HALF, 0], [F(1, 4), HALF, F(1, 4)], [0, HALF, HALF]], [F(1, 4), HALF, F(1, 4)])
    cycle = markov([[0, F(2, 3), F(1, 3)], [F(1, 3), 0, F(2, 3)], [F(2, 3), F(1, 3), 0]], [F(1, 3)] * 3)
    maps = [(HALF, 0), (F(1, 3), 1), (F(-1, 4), 2)]
    for n in range(1, 7):
        assert reversible(birth_death, n)
        assert compare_orders(maps, n, index_law=birth_death)
        assert reversible(cycle, n).equal == (n == 1)
        assert compare_orders(maps, n, index_law=cycle).equal == (n == 1)


def test_exchangeable_mixture_of_biased_coins():
    def mixture(n):
        for word in itertools.product((0, 1), repeat=n):
            ones = sum(word)
            yield word, HALF * (F(1, 5) ** ones * F(4, 5) ** (n - ones) + F(2, 3) ** ones * F(1, 3) ** (n - ones))

    for n in range(1, 8):
        assert reversible(mixture, n)
        assert compare_orders(BERNOULLI, n, F(1, 3), index_law=mixture)
        assert exchangeable_pair(BERNOULLI, n, F(1, 3), index_law=mixture)


def test_the_pair_is_exchangeable_but_not_made_of_equal_iterates():
    law = pair_law(BERNOULLI, 3)
    assert exchangeable_pair(BERNOULLI, 3)
    assert any(f != b for f, b in law)
    assert law.image(lambda p: p[0]) == exact_law(BERNOULLI, 3)
    assert not exchangeable_pair(BERNOULLI, 3, index_law=shuffled(2, repeat_one=False))
    shorter = CustomOrder(lambda n: range(n - 1, 0, -1))  # the forward iterate before: a smaller common denominator
    steps = pair_law(BERNOULLI, 2, F(1, 3), orders=(Forward(), shorter))
    quarter = F(1, 4)
    assert steps == ExactLaw({(F(p, 12), F(q, 6)): quarter for p, q in ((1, 1), (7, 1), (4, 4), (10, 4))})
    planar = [(HALF, [0, 0]), (HALF, [HALF, 1])]
    assert pair_law(planar, 2).image(lambda p: p[1]) == exact_law(planar, 2, order=Backward())


def test_joint_law_is_not_the_product_of_coordinates():
    """Row 38: Example 2.4 with x0 = (0,0), y0 = (1,1): joint 1/2, product of the coordinates 1/4."""
    joint = exact_law([(0, [0, 0]), (0, [1, 1])], 3)
    coordinates = [joint.image(lambda p, j=j: p[j]) for j in range(2)]
    assert joint.cdf((0, 0)) == HALF
    assert coordinates[0].cdf(0) * coordinates[1].cdf(0) == F(1, 4)


def test_windowed_iterates_have_the_forward_law_for_iid_maps():
    """Row 74, w = 3, n <= 8; a word that uses T_1 twice has another law."""
    maps = [(HALF, 0), (F(1, 3), 1)]
    for n in range(1, 9):
        assert compare_orders(maps, n, F(1, 5), orders=(Forward(), Windowed(3)))
    twice = CustomOrder(lambda n: [1] * n)
    assert not compare_orders(maps, 3, F(1, 5), orders=(Forward(), twice))


# --- stationarity ---------------------------------------------------------------------------------------------------


def test_discontinuous_map_has_a_limit_that_is_not_stationary():
    """Row 37: T(x) = x/2, T(0) = 1: backward iterates tend to 0, but T moves the law of their limit to 1."""
    T = [lambda x: x / 2 if x else F(1)]
    assert [next(iter(exact_law(T, n, 1, order=Backward()))) for n in range(4)] == [1, HALF, F(1, 4), F(1, 8)]
    limit = ExactLaw({F(0): 1})
    comparison = is_stationary(limit, T)
    assert not comparison
    assert push_forward(limit, T) == ExactLaw({1: 1})


def test_stationary_laws_are_recognised():
    """Example 2.4, and uniform on {0, 1} under x, x + 1 mod 2 (row 41: forward is stationary, backward wanders)."""
    assert is_stationary(ExactLaw({0: HALF, 1: HALF}), [(0, 0), (0, 1)])
    swap = [lambda x: x, lambda x: (x + 1) % 2]
    assert is_stationary(ExactLaw({0: HALF, 1: HALF}), swap)
    assert not is_stationary(ExactLaw({0: F(1, 3), 1: F(2, 3)}), [(0, 0), (0, 1)])
    assert not is_stationary(exact_law(BERNOULLI, 4), BERNOULLI)
    assert exact_law(swap, 5, 0) == ExactLaw({0: HALF, 1: HALF})
    pair = [exact_law(swap, n, 0, order=Backward()) for n in (4, 5)]
    assert pair[0] == pair[1]


def test_families_bring_their_maps_and_laws():
    """A `FiniteFamily` of exact pairs or functions, and the index laws of the families, beside the words made here."""
    family = FiniteFamily(BERNOULLI, [F(1, 3), F(2, 3)])
    assert exact_law(family, 5, F(1, 7)) == exact_law(BERNOULLI, 5, F(1, 7), index_law=[F(1, 3), F(2, 3)])
    assert compare_orders(FiniteFamily(BERNOULLI, law=ShuffledOnce(2)), 5)
    assert not compare_orders(FiniteFamily(BERNOULLI, law=Reshuffled(2)), 3)
    assert not compare_orders(BERNOULLI, 2, index_law=Cyclic(2))
    assert word_law(Reshuffled(3), 5) == word_law(shuffled(3, repeat_one=False), 5)
    bent = FiniteFamily([lambda x: x * x / 2, lambda x: 1 - x / 3], [F(1, 3), F(2, 3)])
    assert exact_law(bent, 4, F(1, 5)) == exact_law(
        [lambda x: x * x / 2, lambda x: 1 - x / 3], 4, F(1, 5), index_law=IID([F(1, 3), F(2, 3)])
    )
    assert is_stationary(ExactLaw({0: F(1, 3), 1: F(2, 3)}), FiniteFamily([(0, 0), (0, 1)], [F(1, 3), F(2, 3)]))
    with pytest.raises(TypeError, match=r"got 0\.25"):
        exact_law(FiniteFamily([(0.25, 0)]), 2)


def test_iid_words_as_weights_or_as_a_law():
    weights = [F(1, 3), F(2, 3)]
    assert word_law(IID(weights), 3) == word_law(weights, 3)
    assert reversible(IID(weights), 3)


@pytest.mark.parametrize(
    "law", [Cyclic(2), Cyclic(3), Reshuffled(2), ShuffledOnce(3), IID([F(1, 3), F(2, 3)])], ids=repr
)
@pytest.mark.parametrize("n", range(5))
def test_the_answer_of_an_index_law_is_that_of_its_law_of_words(law, n):
    """`reversible`, `IndexLaw.is_reversible` and the comparison of the two laws of words give one answer."""
    words = word_law(law, n)
    expected = compare_laws(words, words.image(lambda word: word[::-1]))
    answer = reversible(law, n)
    assert answer.equal == expected.equal == law.is_reversible(n)
    assert answer.total_variation == expected.total_variation
    if not answer:
        assert answer.masses == (words.get(answer.atom, 0), words.get(answer.atom[::-1], 0))
        assert answer.masses[0] != answer.masses[1]


@pytest.mark.parametrize("size", [2, 3])
def test_laws_of_independent_maps_refuse_other_laws_of_words(size):
    """A fresh shuffle of the maps has words, but no weights that hold at every position independently."""
    shuffled_maps = FiniteFamily(BERNOULLI if size == 2 else [*BERNOULLI, (F(1, 3), F(1))], law=Reshuffled(size))
    with pytest.raises(ValueError, match=r"needs independent maps, got Reshuffled\(.*use exact_law"):
        merged_law(shuffled_maps, 2)
    with pytest.raises(ValueError, match="needs independent maps"):
        push_forward(ExactLaw({0: 1}), shuffled_maps)
    with pytest.raises(TypeError, match="exact_bracket needs affine maps"):
        exact_bracket([lambda x: x / 2], 2)


# --- a negative control


@pytest.mark.control
def test_swapped_words_are_detected():
    """Unreversible words with the order swapped: the law moves, and the comparison names the atom."""
    law = shuffled(2, repeat_one=False)
    reverse = CustomOrder(lambda n: range(n, 0, -1))
    assert exact_law(BERNOULLI, 3, order=reverse, index_law=law) == exact_law(BERNOULLI, 3, index_law=law)
    assert exact_law(BERNOULLI, 3, order=Backward(), index_law=law) != exact_law(BERNOULLI, 3, index_law=law)


@pytest.mark.control
@pytest.mark.parametrize(
    "masses", [(F(3, 2), F(-1, 2)), (F(-1, 4), F(5, 4)), (HALF, F(1, 4))], ids=["last below 0", "first below 0", "3/4"]
)
def test_a_law_of_words_has_masses_of_sum_one_none_below_0(masses) -> None:
    words = [((0,) * 2, masses[0]), ((1,) * 2, masses[1])]
    with pytest.raises(ValueError, match=r"masses >= 0 with sum one, got the sum (1|3/4)$"):
        exact_law(BERNOULLI, 2, index_law=lambda n: words)
