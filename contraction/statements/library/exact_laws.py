"""Exact laws against the statements' own enumeration of words, which applies maps one by one in rationals."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

import mpmath
import numpy as np

from contraction.families.index_laws import Cyclic, ExchangeableMixture, Reshuffled, ShuffledOnce
from contraction.laws import ExactLaw
from contraction.maps.orders import Backward, Forward, Order, PairedReversal
from contraction.statements import comparisons
from contraction.statements.cases.exact_words import Law, affine_map, iid, iterate_law, law_of_words, rows
from contraction.statements.library.oracle import Bend, Check, Function, Oracle
from contraction.statements.records import Verdict

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)
WEIGHTS = [THIRD, 1 - THIRD]


def _pairs(seed: int) -> list[tuple[Fraction, Fraction]]:
    """Return two maps a x + b that do not commute."""
    rng = np.random.default_rng([seed, 7])
    a, b, c = (int(x) for x in rng.integers(1, 9, 3))
    return [(Fraction(a, 9), Fraction(b, 4)), (Fraction(-c, 10), Fraction(-1))]


def _flat(law: Law | ExactLaw) -> list[Fraction]:
    """Return atoms and masses in order, for comparison."""
    items = law.counter().items() if isinstance(law, ExactLaw) else law.items()
    return [
        x for point, mass in sorted((p if isinstance(p, tuple) else (p,), m) for p, m in items) for x in (*point, mass)
    ]


def _laws_equal(name: str, result: Law | ExactLaw, claimed: Law | ExactLaw) -> Verdict:
    """Check that two laws have the same atoms with the same masses."""
    measured, expected = _flat(result), _flat(claimed)
    if len(measured) != len(expected):
        return Verdict(name, (), "exact", False, len(measured), len(expected))
    return comparisons.equal(name, (), measured, expected)


def _iterate(seed: int, n: int, order: Order, theta0: Fraction = THIRD) -> Law:
    return iterate_law([affine_map(*p) for p in _pairs(seed)], iid(WEIGHTS, n), [theta0], order)


def exact_law(f: Function, seed: int) -> Verdict:
    """Compare the law of iterate 6 under paired reversal with that over all words."""
    result = f(_pairs(seed), 6, THIRD, order=PairedReversal(), index_law=WEIGHTS)
    return _laws_equal("exact_law", result, _iterate(seed, 6, PairedReversal()))


def exact_laws(f: Function, seed: int) -> Verdict:
    """Compare the laws of iterate 5 under two orders with those over all words."""
    result = f(_pairs(seed), 5, THIRD, orders=(Backward(), PairedReversal()), index_law=WEIGHTS)
    claimed = [_iterate(seed, 5, order) for order in (Backward(), PairedReversal())]
    return _both("exact_laws", result, claimed)


def _both(name: str, result: Sequence[ExactLaw], claimed: Sequence[Law]) -> Verdict:
    verdicts = [_laws_equal(name, a, b) for a, b in zip(result, claimed, strict=True)]
    return next((v for v in verdicts if not v.holds), verdicts[0])


def merged_law(f: Function, seed: int) -> Verdict:
    """Compare the laws of both orders of 7 i.i.d. maps with unequal weights with those over all words."""
    result = [f(_pairs(seed), 7, THIRD, order=order, weights=WEIGHTS) for order in (Forward(), Backward())]
    return _both("merged_law", result, [_iterate(seed, 7, order) for order in (Forward(), Backward())])


def pair_law(f: Function, seed: int) -> Verdict:
    """Compare the joint law of forward and backward iterate 5 with that over all words."""
    maps, words = [affine_map(*p) for p in _pairs(seed)], iid(WEIGHTS, 5)
    array = np.array(list(words), dtype=int)
    ends = [rows(maps, array, [THIRD], order, at=[5])[:, 0, 0] for order in (Forward(), Backward())]
    claimed: Law = {}
    for point, mass in zip(zip(*ends, strict=True), words.values(), strict=True):
        claimed[point] = claimed.get(point, Fraction(0)) + mass
    return _laws_equal("pair_law", f(_pairs(seed), 5, THIRD, index_law=WEIGHTS), claimed)


def bernoulli_law(f: Function, seed: int) -> Verdict:
    """Compare with (1-h)^n x + h Σ (1-h)^j e_j over all 2^8 signs, added one by one."""
    h, k, x = Fraction(2, 5), Fraction(3, 5), Fraction(1, 7)
    sums = Counter(
        k**8 * x + h * sum((k**j * e for j, e in enumerate(word)), Fraction(0))
        for word in itertools.product((-1, 2), repeat=8)
    )
    claimed = {(point,): Fraction(count, 2**8) for point, count in sums.items()}
    return _laws_equal("bernoulli_law", f(h, 8, x, values=(-1, 2)), claimed)


def golden_law(f: Function, seed: int) -> Verdict:
    """Compare with all 2^9 words in the integers of Q(√5): (a, b) -> (b - a, a), plus (2, -1) if the bit is 1."""
    counts: Counter = Counter()
    for word in itertools.product((0, 1), repeat=9):
        a = b = 0
        for bit in word:
            a, b = b - a + 2 * bit, a - bit
        counts[Fraction(a), Fraction(b)] += 1
    return _laws_equal("golden_law", f(9), {point: Fraction(m, 2**9) for point, m in counts.items()})


def golden_value(f: Function, seed: int) -> Verdict:
    """Compare with a + b phi to 60 digits."""
    points = [(Fraction(3), Fraction(-1)), (Fraction(-7, 3), Fraction(5)), (Fraction(0), Fraction(1))]
    with mpmath.workdps(60):
        phi = (1 + mpmath.sqrt(5)) / 2
        exact = [
            float(mpmath.mpf(a.numerator) / a.denominator + phi * mpmath.mpf(b.numerator) / b.denominator)
            for a, b in points
        ]
    return Verdict.tight("golden_value", (), [f(p) for p in points], exact, rounding=4e-15)


def cantor_cdf(f: Function, seed: int) -> Verdict:
    """Compare with the rank of each of the 2^6 intervals of level 6, over 2^6, at its right end and beyond."""
    lefts = sorted(
        sum((Fraction(2 * bit, 3 ** (j + 1)) for j, bit in enumerate(word)), Fraction(0))
        for word in itertools.product((0, 1), repeat=6)
    )
    ends = [x + Fraction(1, 3**6) for x in lefts]
    ranks = [Fraction(i + 1, 2**6) for i in range(len(lefts))]
    beyond = [f(x + Fraction(1, 3**7)) for x in ends]
    return comparisons.equal("cantor_cdf", (), [*map(f, ends), *beyond], [*ranks, *ranks])


def push_forward(f: Function, seed: int) -> Verdict:
    """Compare the image of the law of forward iterate 5 with the law of iterate 6."""
    law = ExactLaw({point[0]: mass for point, mass in _iterate(seed, 5, Forward()).items()})
    return _laws_equal("push_forward", f(law, _pairs(seed), WEIGHTS), _iterate(seed, 6, Forward()))


def word_law(f: Function, seed: int) -> Verdict:
    """Compare with every word of 4 letters under fresh shuffles of 3, listed by hand."""
    claimed: Law = {}
    for first in itertools.permutations(range(3)):
        for last in range(3):
            word = tuple(Fraction(i) for i in (*first, last))
            claimed[word] = claimed.get(word, Fraction(0)) + Fraction(1, 18)
    return _laws_equal("word_law", f(Reshuffled(3), 4), claimed)


def _decisions(name: str, result: list[bool], claimed: list[bool]) -> Verdict:
    return comparisons.equal(name, (), [int(x) for x in result], [int(x) for x in claimed])


def compare_laws(f: Function, seed: int) -> Verdict:
    """Check the answer for equal laws, laws that differ in one mass, and laws that differ in one atom."""
    law = {Fraction(0): HALF, Fraction(1): HALF}
    others = [dict(law), {Fraction(0): THIRD, Fraction(1): 1 - THIRD}, {Fraction(0): HALF, Fraction(2): HALF}]
    return _decisions("compare_laws", [bool(f(ExactLaw(law), ExactLaw(o))) for o in others], [law == o for o in others])


def compare_orders(f: Function, seed: int) -> Verdict:
    """Compare the answer with the enumerated laws of both iterates 4, under five laws of words."""
    result, claimed = [], []
    maps = [affine_map(*p) for p in _pairs(seed)]
    for law in (ShuffledOnce(2), Reshuffled(2), Cyclic(2), ExchangeableMixture([[THIRD, 1 - THIRD], [1, 0]])):
        for n in (2, 3):
            words = law_of_words(law, n)
            laws = [iterate_law(maps, words, [THIRD], order) for order in (Forward(), Backward())]
            claimed.append(laws[0] == laws[1])
            result.append(bool(f(_pairs(seed), n, THIRD, index_law=law)))
    return _decisions("compare_orders", result, claimed)


def exchangeable_pair(f: Function, seed: int) -> Verdict:
    """Compare the answer with the enumerated pair of both iterates 3 and the exchanged pair.

    They have one law for reversible words, and not for a cyclic order.
    """
    maps, result, claimed = [affine_map(*p) for p in _pairs(seed)], [], []
    for law in (ShuffledOnce(2), Reshuffled(2), Cyclic(2)):
        for n in (2, 3):
            words = law_of_words(law, n)
            array = np.array(list(words), dtype=int)
            ends = [rows(maps, array, [THIRD], order, at=[n])[:, 0, 0] for order in (Forward(), Backward())]
            counts = [Counter(), Counter()]
            for a, b, p in zip(*ends, words.values(), strict=True):
                counts[0][a, b] += p
                counts[1][b, a] += p
            claimed.append(counts[0] == counts[1])
            result.append(bool(f(_pairs(seed), n, THIRD, index_law=law)))
    return _decisions("exchangeable_pair", result, claimed)


def reversible(f: Function, seed: int) -> Verdict:
    """Compare the answer with the probabilities of words and their reversals, for four laws at n up to 4."""
    result, claimed = [], []
    for law in (ShuffledOnce(3), Reshuffled(2), Cyclic(2), ExchangeableMixture([[THIRD, 1 - THIRD], [1, 0]])):
        for n in range(1, 5):
            words = law_of_words(law, n)
            claimed.append(all(words.get(w[::-1], 0) == p for w, p in words.items()))
            result.append(bool(f(law, n)))
    return _decisions("reversible", result, claimed)


def is_stationary(f: Function, seed: int) -> Verdict:
    """Check that x -> x + a mod 3 leaves the uniform law unchanged, and no other law on three points."""
    maps: list[Callable] = [lambda x, a=a: (x + a) % 3 for a in range(3)]
    uniform = ExactLaw({Fraction(i): THIRD for i in range(3)})
    other = ExactLaw({Fraction(0): HALF, Fraction(1): Fraction(1, 4), Fraction(2): Fraction(1, 4)})
    two = maps[:2]  # x and x + 1 mod 3
    return _decisions(
        "is_stationary", [bool(f(uniform, maps)), bool(f(other, two)), bool(f(uniform, two))], [True, False, True]
    )


def _other_order(f: Function) -> Function:
    def bent(maps: object, n: int, theta0: object, *, order: Order | None = None, **named: object) -> object:
        return f(maps, n, theta0, order=Backward() if not isinstance(order, Backward) else Forward(), **named)

    return bent


def _always(value: bool):
    return lambda f: lambda *arguments, **named: value


def _swapped_weights(f: Function) -> Function:
    def bent(*arguments: object, **named: Sequence[object]) -> object:
        return f(*arguments, **{k: w[::-1] if k in ("weights", "index_law") else w for k, w in named.items()})

    return bent


def _oracle(check: Check, against: str, wrong: str, bent: Bend) -> Oracle:
    return Oracle(f"contraction.laws.{check.__name__}", against, check, wrong, bent)


WORDS = "all words, evaluated one by one in rationals"
ORACLES = [
    _oracle(exact_law, WORDS, "another order", _other_order),
    _oracle(
        exact_laws, WORDS, "both orders the same", lambda f: lambda *a, orders, **k: f(*a, orders=orders[:1] * 2, **k)
    ),
    _oracle(merged_law, WORDS, "the weights exchanged", _swapped_weights),
    _oracle(pair_law, WORDS, "the weights exchanged", _swapped_weights),
    _oracle(
        bernoulli_law,
        "sums over all 256 words",
        "another start",
        lambda f: lambda h, n, x, values: f(h, n, x + 1, values=values),
    ),
    _oracle(golden_law, "all 512 words in integer pairs", "one map fewer", lambda f: lambda n: f(n - 1)),
    _oracle(golden_value, "60 digits", "the other root of x² = x + 1", lambda f: lambda p: f((p[0] + p[1], -p[1]))),
    _oracle(cantor_cdf, "ranks of the 64 intervals of level 6", "mirrored", lambda f: lambda x: f(1 - x)),
    _oracle(push_forward, WORDS, "the weights exchanged", lambda f: lambda law, maps, w: f(law, maps, w[::-1])),
    _oracle(word_law, "all words by hand", "i.i.d. letters", lambda f: lambda law, n: f([THIRD] * 3, n)),
    _oracle(compare_laws, "equality of dictionaries", "always equal", _always(True)),
    _oracle(compare_orders, WORDS, "always equal", _always(True)),
    _oracle(exchangeable_pair, WORDS, "always exchangeable", _always(True)),
    _oracle(reversible, "words and their reversals, counted", "always reversible", _always(True)),
    _oracle(is_stationary, "rotations of three points", "always stationary", _always(True)),
]
