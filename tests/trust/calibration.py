"""Do the statistical checks keep their stated error rates? Counted over seeds on which nothing was tuned.

Four statements are checked on simulated paths; the tests of laws and of orders state a false alarm rate, a miss rate
at a stated discrepancy, or a p-value. Each is run under every seed. The table holds counts, the stated rate, the chance
of so many failures at that rate (binomial, exact), and for p-values the Kolmogorov–Smirnov test against the uniform
law: on both sides where the law is uniform, against too small p-values where the stated one is an upper bound.

    python -m tests.trust.calibration --seeds 200 --journal calibration.jsonl --out results/benchmarks/calibration.json

Every (part, seed) is one line of the journal; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from contraction.files import write_text
from contraction.laws import exact_law
from contraction.laws.calibrated import Rates, one_sample_test, sample_size, two_sample_size, two_sample_test
from contraction.laws.means import mean_sample_size, mean_test
from contraction.laws.paired import sign_flip_test
from contraction.statements.records import Statement
from contraction.statements.section_2 import time_averages
from contraction.statements.section_3 import log_moment, unbounded_noise
from contraction.statements.section_4_5 import settling_times

__all__ = ["FIRST_SEED", "PARTS", "Events", "main", "summary", "table"]

FIRST_SEED = 20262000
RATES = Rates(0.05, 0.05)
REPEATS = 10  # trials of a cheap test under one seed
STATEMENTS = (time_averages, log_moment, unbounded_noise, settling_times)

#: What one part does under one seed: row -> (trials, failures, stated rate) and row -> p-values.
Events = dict[str, Any]


def _of_statement(statement: Statement, seed: int) -> Events:
    out: Events = {"counts": {}, "pvalues": {}}
    for verdict in statement.run(seed):
        what = "checks" if verdict.kind == "statistical" else "printed text"
        out["counts"][f"`{statement.name}`: {what}"] = (verdict.cases, int(not verdict.holds), 1e-9)
    missed = len([c for c in statement.controls if not c.detected(seed)])
    out["counts"][f"`{statement.name}`: wrong claims not detected"] = (len(statement.controls), missed, 1e-6)
    return out


def _biased(u: np.ndarray, delta: float) -> np.ndarray:
    """Uniform draws turned into a law whose distribution function is off by delta at 1/2, and less elsewhere."""
    low = u < 0.5 + delta
    return np.where(low, u * 0.5 / (0.5 + delta), 0.5 + (u - 0.5 - delta) * 0.5 / (0.5 - delta))


def _uniform(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 1)


def _of_laws(seed: int) -> Events:
    rng, delta = np.random.default_rng(seed), 0.2
    coin = exact_law([(0, 0), (0, 1)], 1)
    one, two = sample_size(delta, RATES), two_sample_size(delta, RATES)
    many = mean_sample_size(0.1, RATES, 0, 1)
    right: dict[str, list] = {}
    wrong: dict[str, list] = {}
    for _ in range(REPEATS):
        u, v, w = rng.random(one), rng.random(two), rng.random(many)
        right.setdefault("one sample", []).append(one_sample_test(u, _uniform, RATES))
        wrong.setdefault("one sample", []).append(one_sample_test(_biased(rng.random(one), delta), _uniform, RATES))
        right.setdefault("one sample with atoms", []).append(one_sample_test((u < 0.5) * 1.0, coin, RATES))
        wrong.setdefault("one sample with atoms", []).append(one_sample_test((u < 0.5 + delta) * 1.0, coin, RATES))
        right.setdefault("two dependent samples", []).append(two_sample_test(v, 1 - v, RATES))
        wrong.setdefault("two dependent samples", []).append(two_sample_test(v, _biased(rng.random(two), delta), RATES))
        for method in ("hoeffding", "bernstein"):
            found = mean_test(w**4, 0.2, RATES, low=0, high=1, method=method)
            right.setdefault(f"mean ({method})", []).append(found)
            off = 0.2 + found.discrepancy
            wrong.setdefault(f"mean ({method})", []).append(mean_test(w**4, off, RATES, low=0, high=1, method=method))
    counts = {f"{name}: false alarms": (REPEATS, sum(not r for r in tests), 0.05) for name, tests in right.items()}
    counts |= {f"{name}: misses": (REPEATS, sum(map(bool, tests)), 0.05) for name, tests in wrong.items()}
    pvalues = {f"{name}, p at most uniform": [tests[0].pvalue] for name, tests in right.items()}
    return {"counts": counts, "pvalues": pvalues}


def _of_pairs(seed: int) -> Events:
    """Sign flips of symmetric differences; ties of a discrete p-value are broken at random, which makes it uniform."""
    rng, out = np.random.default_rng([seed, 1]), {}
    for name, n, options in (
        ("sign flips, all listed", 12, {}),
        ("sign flips, drawn", 30, {"n_resamples": 999, "seed": seed}),
    ):
        found = sign_flip_test(rng.standard_t(2, n), **options)
        step = found.smallest_pvalue if found.exact else 1 / found.flips
        out[f"{name}, p uniform"] = [found.pvalue - rng.random() * step]
    return {"counts": {}, "pvalues": out}


def _of_orders(seed: int) -> Events:
    import nn_experiments as nne
    from nn_experiments.orders.exact_tests import SIGNS, sign_chance
    from tests.nn.orders.test_audit import TRUE, WRONG

    counts, pvalues = {}, {}
    for law, make in TRUE.items():
        found = nne.audit_order(make(seed), level=0.05)
        counts[f"order audit of {law}: refuted"] = (1, int(found.verdict != law), 0.05)
        of_law = [test.pvalue for test in found.tests if test.law == law]
        if of_law and law != "sequential":
            pvalues[f"order audit of {law}, least p times number at most uniform"] = [
                min(1.0, min(of_law) * len(of_law))
            ]
    rng = np.random.default_rng([seed, 2])
    for name in SIGNS:
        pvalues[f"order test {name}, p at most uniform"] = [sign_chance(name, [rng.permutation(60)] * 1)[2]]
    for what, make in WRONG.items():
        found = nne.audit_order(make(np.random.default_rng([seed, 3])), level=0.05)
        counts[f"order audit of {what}: not found"] = (1, int(found.verdict != "other"), 0.2)
    return {"counts": counts, "pvalues": pvalues}


def _statement_part(module: Any) -> Callable[[int], Events]:
    return lambda seed: _of_statement(module.STATEMENT, seed)


PARTS: dict[str, Callable[[int], Events]] = {
    "pairs": _of_pairs,
    "orders": _of_orders,
    "laws": _of_laws,
    **{module.STATEMENT.name: _statement_part(module) for module in reversed(STATEMENTS)},  # the quick ones first
}


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the record of all lines of a journal: counts with the chance of so many failures, and KS tests."""
    counts: dict[str, list[float]] = {}
    pvalues: dict[str, list[float]] = {}
    for line in lines:
        for name, (trials, failures, rate) in line["counts"].items():
            row = counts.setdefault(name, [0, 0, rate])
            row[0] += trials
            row[1] += failures
        for name, values in line["pvalues"].items():
            pvalues.setdefault(name, []).extend(values)
    rows = {}
    for name, (trials, failures, rate) in counts.items():
        upper = float(stats.beta.ppf(0.99, failures + 1, trials - failures)) if failures < trials else 1.0
        chance = float(stats.binom.sf(failures - 1, trials, rate))
        rows[name] = {"trials": trials, "failures": failures, "rate": rate, "chance": chance, "upper 99 %": upper}
    uniform = {}
    for name, values in pvalues.items():
        side = "two-sided" if name.endswith("p uniform") else "greater"  # too many small ones
        found = stats.kstest(values, "uniform", alternative=side)
        uniform[name] = {"n": len(values), "statistic": float(found.statistic), "pvalue": float(found.pvalue)}
    return {"counts": rows, "uniform": uniform}


def table(record: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of two Markdown tables."""
    yield "| test | trials | failures | stated rate | chance of so many | rate is below (99 %) |"
    yield "| --- | --: | --: | --: | --: | --: |"
    for name, row in record["counts"].items():
        yield (
            f"| {name} | {row['trials']:,} | {row['failures']} | {row['rate']:g} | {row['chance']:.2g} "
            f"| {row['upper 99 %']:.2g} |"
        )
    yield ""
    yield "| p-values | n | Kolmogorov–Smirnov distance | its p-value |"
    yield "| --- | --: | --: | --: |"
    for name, row in record["uniform"].items():
        yield f"| {name} | {row['n']} | {row['statistic']:.3f} | {row['pvalue']:.2g} |"


def passes(record: dict[str, Any]) -> bool:
    """Whether nothing in a record contradicts a stated rate, at 1e-4 divided among its rows."""
    chances = [row["chance"] for row in record["counts"].values()]
    chances += [row["pvalue"] for row in record["uniform"].values()]
    return min(chances, default=1.0) > 1e-4 / max(1, len(chances))


def main(arguments: list[str] | None = None) -> int:
    """Run what the journal lacks, print the tables, write the record; return 1 if a rate is contradicted."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.calibration", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, help="number of seeds (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="the first of them (default: %(default)s)")
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS), help="(default: all)")
    parser.add_argument("--journal", type=Path, required=True, help="a file of lines, which a later run goes on from")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing after that (default: no limit)")
    parser.add_argument("--out", type=Path, help="the record, a JSON file (default: none)")
    options = parser.parse_args(arguments)
    lines = [json.loads(x) for x in options.journal.read_text().splitlines()] if options.journal.exists() else []
    wanted = [(part, options.first_seed + k) for part in options.parts for k in range(options.seeds)]
    end = time.monotonic() + 60 * options.minutes
    done = {(line["part"], line["seed"]) for line in lines}
    with options.journal.open("a") as journal:
        for part, seed in wanted:
            if (part, seed) not in done and time.monotonic() < end:
                line = {"part": part, "seed": seed, **PARTS[part](seed)}
                lines.append(line)
                journal.write(json.dumps(line) + "\n")
                journal.flush()
    chosen = set(wanted)
    record = {
        "command": f"python -m tests.trust.calibration --seeds {options.seeds} --first-seed {options.first_seed}",
        "seeds": {
            part: sum((line["part"], line["seed"]) in chosen and line["part"] == part for line in lines)
            for part in options.parts
        },
        **summary([line for line in lines if (line["part"], line["seed"]) in chosen]),
    }
    record["contradicted"] = not passes(record)
    print("\n".join(table(record)))
    if options.out is not None:
        write_text(options.out, json.dumps(record, indent=1) + "\n")
    return int(record["contradicted"])


if __name__ == "__main__":
    raise SystemExit(main())
