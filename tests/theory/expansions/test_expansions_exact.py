"""Lemma C.1 to every order, exactly: trees, formal sums, rational and SymPy fields, against direct composition."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from contraction import expansions as ex

WORDS = [(1, 2), (1, 2, 3), (3, 2, 1), (1, 1, 2), (4, 2, 1, 3), (2, 2, 2, 2)]


def tables(seed: int = 0) -> list[list[dict[tuple[int, int], Fraction]]]:
    """Four fields on Q² as polynomials of degree 3, 2, 3, 2; no gradients."""
    rng = np.random.default_rng(seed)

    def component(degree: int) -> dict[tuple[int, int], Fraction]:
        exponents = [(a, b) for a in range(degree + 1) for b in range(degree + 1 - a)]
        return {e: Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 7))) for e in exponents}

    return [[component(degree), component(degree)] for degree in (3, 2, 3, 2)]


def rational_fields(seed: int = 0) -> list[ex.VectorField]:
    return [ex.polynomial_field(field) for field in tables(seed)]


POINT = ex.rational_vector(["1/3", "-2/5"])


def composed_directly(word, order: int) -> list[list[Fraction]]:
    """Coefficients 1 … order of the composition: polynomials in h over Q composed in full, then read off."""
    h = sympy.Symbol("h")

    def poly(x) -> sympy.Poly:
        return sympy.Poly(sympy.Rational(x.numerator, x.denominator), h, domain="QQ")

    state = [poly(x) for x in POINT]
    for index in reversed(word):
        velocity = [
            sum((poly(c) * state[0] ** a * state[1] ** b for (a, b), c in component.items()), poly(Fraction(0)))
            for component in tables()[index - 1]
        ]
        state = [x + sympy.Poly(h, h, domain="QQ") * v for x, v in zip(state, velocity, strict=True)]
    rows = [[p.coeff_monomial(h**k) for p in state] for k in range(1, order + 1)]
    return [[Fraction(int(c.p), int(c.q)) for c in row] for row in rows]


@pytest.mark.parametrize("word", WORDS)
def test_tree_sums_and_taylor_arithmetic_equal_direct_composition(word):
    direct = composed_directly(word, 5)
    trees = ex.word_coefficients(rational_fields(), word, POINT, 5)
    series = ex.word_series(rational_fields(), word, POINT, 5)
    assert [list(row) for row in trees] == direct
    assert [list(row) for row in series[1:]] == direct
    assert list(series[0]) == list(POINT)


@pytest.mark.control
def test_the_reversed_word_has_other_coefficients_from_order_2_on():
    direct = composed_directly((1, 2, 3), 3)
    wrong = ex.word_coefficients(rational_fields(), (3, 2, 1), POINT, 3)
    assert list(wrong[0]) == direct[0]
    assert list(wrong[1]) != direct[1]
    assert list(wrong[2]) != direct[2]


@settings(max_examples=15)
@given(word=st.lists(st.integers(1, 4), min_size=1, max_size=5), seed=st.integers(0, 10**6))
def test_trees_formal_sums_and_series_agree_on_any_word(word, seed):
    fields = rational_fields(seed)
    trees = ex.word_coefficients(fields, word, POINT, 4)
    series = ex.word_series(fields, word, POINT, 4)
    for p in range(1, 5):
        formal = ex.evaluate_formal(ex.formal_coefficient(word, p), fields, POINT)
        assert list(trees[p - 1]) == list(series[p]) == list(formal)


def test_third_order_formula_of_the_audit():
    """E3 = Σ_{u<v<w}[V_u'V_v'V_w + V_u''(V_v,V_w)] + ½Σ_{u<v}V_u''(V_v,V_v)."""
    v = dict(enumerate(rational_fields(), start=1))
    word, total = (4, 2, 1, 3), POINT * 0

    def at(i):
        return v[i](POINT)

    for a in range(4):
        for b in range(a + 1, 4):
            i, j = word[a], word[b]
            total = total + v[i].differential(POINT, (at(j), at(j))) / 2
            for c in range(b + 1, 4):
                k = word[c]
                total = total + v[i].differential(POINT, (v[j].differential(POINT, (at(k),)),))
                total = total + v[i].differential(POINT, (at(j), at(k)))
    assert list(ex.word_coefficients(rational_fields(), word, POINT, 3)[2]) == list(total)


def test_symbolic_fields_give_lemma_c1_in_sympy():
    x, y = sympy.symbols("x y")
    symbols = np.array([x, y], dtype=object)
    fields = [ex.symbolic_field([x * y, y**2 - x], (x, y)), ex.symbolic_field([sympy.sin(x) + y, x**3], (x, y))]
    first, second = (sympy.Matrix(list(f(symbols))) for f in fields)
    coefficients = ex.word_coefficients(fields, (1, 2), symbols, 3)
    jacobian = first.jacobian([x, y])
    assert sympy.simplify(sympy.Matrix(list(coefficients[1])) - jacobian * second) == sympy.zeros(2, 1)
    h = sympy.Symbol("h")
    inner = [s + h * c for s, c in zip((x, y), second, strict=True)]
    composed = [
        a + h * c.subs({x: inner[0], y: inner[1]}, simultaneous=True) for a, c in zip(inner, first, strict=True)
    ]
    for p in (1, 2, 3):
        direct = [sympy.diff(c, h, p).subs(h, 0) / factorial(p) for c in composed]
        assert all(sympy.simplify(a - b) == 0 for a, b in zip(direct, coefficients[p - 1], strict=True))


def test_difference_of_two_orders_is_the_sum_of_brackets_at_order_2():
    fields = rational_fields()
    for left, right in [((1, 2, 3, 4), (4, 3, 2, 1)), ((2, 1, 3), (3, 1, 2))]:
        difference = ex.difference_coefficients(fields, left, right, POINT, 3)
        ordered = [fields[i - 1] for i in left]
        assert not any(difference[0])
        assert list(difference[1]) == list(ex.minus_lie_bracket_sum(ordered, POINT))
        pairs = [
            ex.minus_lie_bracket(ordered[i], ordered[j], POINT)
            for i in range(len(left))
            for j in range(i + 1, len(left))
        ]
        assert list(difference[1]) == list(sum(pairs[1:], pairs[0]))
        formal = ex.evaluate_formal(ex.formal_difference(left, right, 3), fields, POINT)
        assert list(difference[2]) == list(formal)


def test_bracket_is_minus_the_lie_bracket_of_vector_fields():
    """For V = ∂_x, W = x ∂_y the Lie bracket of differential geometry is +∂_y; the paper's [V, W] is −∂_y."""
    v, w = ex.polynomial_field([{(0, 0): 1}, {}]), ex.polynomial_field([{}, {(1, 0): 1}])
    assert list(ex.minus_lie_bracket(v, w, POINT)) == [0, -1]


def test_formal_coefficients_read_as_in_the_paper():
    second = {ex.tree_text(t): w for t, w in ex.formal_difference((1, 2, 3), (3, 2, 1), 2).items()}
    assert second == {"V1'V2": 1, "V1'V3": 1, "V2'V3": 1, "V2'V1": -1, "V3'V1": -1, "V3'V2": -1}
    third = {ex.tree_text(t): w for t, w in ex.formal_coefficient((1, 1, 2), 3).items()}
    assert third == {"V1'V1'V2": 1, "V1''(V1, V2)": 1, "V1''(V2, V2)": 1, "V1''(V1, V1)": Fraction(1, 2)}


@pytest.mark.parametrize("c", [1, 2, 3, 4])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_closed_form_of_the_mean_over_orders_equals_enumeration(c, order):
    assert ex.average_coefficient(c, order) == ex.average_coefficient_by_enumeration(c, order)


def test_mean_over_orders_has_weight_one_over_density_for_distinct_labels():
    for tree, weight in ex.average_coefficient(4, 4).items():
        labels, stack = [], [tree]
        while stack:
            label, children = stack.pop()
            labels.append(label)
            stack.extend(children)
        if len(set(labels)) == len(labels):

            def bare(node):
                return tuple(sorted(bare(child) for child in node[1]))

            assert weight == Fraction(1, ex.density(bare(tree)))


def test_numbers_of_rooted_trees():
    assert [len(ex.rooted_trees(p)) for p in range(1, 10)] == [1, 1, 2, 4, 9, 20, 48, 115, 286]


@pytest.mark.parametrize("p", range(1, 8))
def test_symmetries_and_densities_agree_with_butcher_counts(p):
    """Σ_τ p!/(σγ) = (p−1)! counts increasing labellings of p nodes."""
    assert sum(Fraction(factorial(p), ex.symmetry(t) * ex.density(t)) for t in ex.rooted_trees(p)) == factorial(p - 1)


@pytest.mark.parametrize("p", range(1, 8))
def test_trees_agree_with_an_independent_library(p):
    kauri = pytest.importorskip("kauri", reason="kauri, an independent oracle for rooted trees, is not installed")
    theirs = sorted((t.sigma(), t.factorial(), t.height()) for t in kauri.trees_of_order(p))

    def height(tree):
        return 1 + max((height(child) for child in tree), default=-1) if tree else 0

    least = min(t[2] for t in theirs)
    ours = sorted((ex.symmetry(t), ex.density(t), height(t)) for t in ex.rooted_trees(p))
    shift = least - min(t[2] for t in ours)  # heights counted in nodes or in edges
    assert [(s, d, k + shift) for s, d, k in ours] == theirs


def test_numbers_of_increasing_maps():
    chain, cherry = (((),),), ((), ())
    for n in range(8):
        assert ex.increasing_maps(chain, n) == n * (n - 1) * (n - 2) // 6
        assert ex.increasing_maps(cherry, n) == (n - 1) * n * (2 * n - 1) // 6
    for tree in ex.rooted_trees(5):  # leading term n^5/γ
        assert abs(ex.increasing_maps(tree, 4000) * ex.density(tree) / 4000**5 - 1) < 5 * 5 / 4000 * 5


@pytest.mark.control
def test_printed_index_order_of_small_batches_is_wrong():
    """T_small = (1+h'V_c)…(1+h'V_1) has Σ_{i>j} V_i'V_j at h'²; the paper prints i < j."""
    fields = rational_fields()[:3]
    second = ex.word_coefficients(fields, (3, 2, 1), POINT, 2)[1]
    values = [f(POINT) for f in fields]

    def total(pairs):
        terms = [fields[i].differential(POINT, (values[j],)) for i, j in pairs]
        return list(sum(terms[1:], terms[0]))

    assert list(second) == total([(1, 0), (2, 0), (2, 1)]) == list(ex.fixed_order_term(fields, POINT))
    assert list(second) != total([(0, 1), (0, 2), (1, 2)])


@pytest.mark.parametrize("word", [(0, 1), (1, 5), (-1,), (True,), (1.0,)])
def test_words_count_from_one(word):
    for call in (
        lambda: ex.word_coefficients(rational_fields(), word, POINT, 2),
        lambda: ex.word_series(rational_fields(), word, POINT, 2),
        lambda: ex.compose(rational_fields(), word, POINT, Fraction(1, 10)),
    ):
        with pytest.raises(ValueError, match="counted from 1"):
            call()


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match="exact vectors"):
        ex.rational_vector([0.1])
    with pytest.raises(ValueError, match="exponents"):
        ex.polynomial_field([{(1,): 1}, {(1, 0): 1}])
    with pytest.raises(ValueError, match="components"):
        ex.symbolic_field([1], sympy.symbols("x y"))
    with pytest.raises(ValueError, match="order"):
        ex.word_coefficients(rational_fields(), (1,), POINT, 0)
    with pytest.raises(ValueError, match="counted from 1"):
        ex.formal_coefficient((0, 1), 2)
    with pytest.raises(ex.MissingDerivative, match="order 1"):
        ex.word_series([ex.VectorField(value=lambda x: x)], (1, 1), np.ones(2), 2)
