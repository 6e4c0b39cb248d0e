"""The numbers on the increments in law and the networks, by plain NumPy."""

from __future__ import annotations

import json

import numpy as np
from scipy import stats

from tests.nn.results.stated_numbers import RESULTS, Said, between, fixed, recorded, said, shown, spread


def cell(value: float) -> str:
    """Return a number of a table of distances: two decimals, or two digits of a small one."""
    return fixed(value) if value >= 0.095 else shown(value)


def increments_in_law() -> list[Said]:
    ratios, rows, growth, nearness = {}, [], {}, {}
    for path in sorted((RESULTS / "increments").glob("increments-*.npz")):
        name = path.stem.removeprefix("increments-")
        with np.load(path, allow_pickle=False) as file:
            starts = json.loads(str(file["about"]))["starts"]
            one, near, other = (starts.index(start) for start in ("1 ahead", "nudged", "independent"))
            with np.errstate(invalid="ignore", divide="ignore"):
                spaces = [file[space][..., one] / file[space][..., other] for space in ("parameter", "function")]
            ratios[name] = (file["at"], *spaces)
            nudged = file["parameter"][..., near]
            ends = [spaces[0][:, -1], spaces[1][:, -1], nudged[:, -1] / file["parameter"][:, -1, other]]
            cells = [cell(f(end)) for end in ends for f in (np.median, np.min, np.max)]
            rows.append(said(f"| {name} | {{}} | " + " | ".join(["{} ({} to {})"] * 3), str(file["at"][-1]), *cells))
            fiftieth = file["at"] == 50
            growth[name] = nudged[:, fiftieth][:, 0] / nudged[:, 0]
            nearness[name] = nudged[:, fiftieth][:, 0] / file["parameter"][:, fiftieth, other][:, 0]
    networks = [ratios["resnet18-cifar10"], ratios["vgg19-cifar10"]]
    early = np.concatenate([parameter[:, n >= 50].ravel() for n, parameter, _ in networks])
    late = [function[:, n >= 1000] for n, _, function in networks]
    medians = np.concatenate([np.median(values, axis=0) for values in late])
    draws = np.concatenate([values.ravel() for values in late])
    narrow = ratios.pop("resnet18-cifar10--stem-7x7")
    assert len(narrow[1]) == 4
    assert len(ratios) == 7
    for _, _, function in ratios.values():
        assert (function[:, -1] < 1).sum() == len(function) == 8  # "eight of eight each"
    outputs = [fixed(np.median(function[:, -1])) for _, _, function in networks]
    apart = np.array([nearness[name] for name in ("resnet18-cifar10", "vgg19-cifar10")])
    stem = nearness["resnet18-cifar10--stem-7x7"]
    residual, plain = growth["resnet18-cifar10"], growth["vgg19-cifar10"]
    return [
        *rows,
        said("nudge grows {}-fold ({} to {}) with ResNet-18", *spread(residual)),
        said("and {}-fold ({} to {}) with VGG-19", *spread(plain)),
        said("{}-fold ({} to {}) with the 7×7 stem", *spread(growth["resnet18-cifar10--stem-7x7"])),
        said(
            "in the outputs ({} of four draws are nearer at n = 500, and from n = 50 on single draws have {} to {}",
            str(int((narrow[2][:, -1] < 1).sum())),
            *(fixed(f(narrow[2][:, narrow[0] >= 50])) for f in (np.min, np.max)),
        ),
        said(
            "{} a step for ResNet-18 and {} for VGG-19", *(shown(np.log(np.median(v)) / 50) for v in (residual, plain))
        ),
        said("for these two ({} to {} of it, every draw)", *(fixed(f(apart)) for f in (np.min, np.max))),
        said("and {} to {} of it with the 7×7 stem", *(fixed(f(stem)) for f in (np.min, np.max))),
        said("from step 50 on ({} to {} of that distance, every draw)", *(fixed(f(early)) for f in (np.min, np.max))),
        said("(eight of eight each: p = {}, two-sided sign test)", fixed(2 / 2**8, 3)),
        said("stays between {} and {} for the two", *(fixed(f(medians)) for f in (np.min, np.max))),
        said("single draws {} to {})", *(fixed(f(draws)) for f in (np.min, np.max))),
        said("in outputs {} and {} of that distance", *outputs, page="README.md"),
    ]


def kinks() -> list[Said]:
    """The table of the study of the paper's networks: means with t intervals, medians with order statistics."""
    study, rows = recorded("networks"), []
    middle, far, gaps, slopes = {}, [], [], []  # of each setting, apart for ReLU and the smooth activations
    for k, setting in enumerate(study.about["settings"]):
        count = setting["replicates"]
        derivative, values = study[f"derivative {k}"].mean(), study[f"pairs {k}"]
        pairs, half = values.mean(), stats.t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count)
        exponents = [shown(value) for value in (derivative, pairs, pairs - half, pairs + half)]
        rank = {20: 6, 12: 3}[count]  # P(Bin(20, ½) ≤ 5) = .021 and P(Bin(12, ½) ≤ 2) = .019, each below .025
        distances = []
        for space in ("parameter", "function"):
            values = study[f"{space} {k}"][:, -1]
            unit = np.maximum(values[:, 2], 0.01 * values[:, 3])
            for column in (0, 1):
                ordered = np.sort(values[:, column] / unit)
                distances += [cell(np.median(ordered)), cell(ordered[rank - 1]), cell(ordered[-rank])]
        jumps = study[f"jumps {k}"]
        ends = [study[f"{space} {k}"][:, -1] for space in ("parameter", "function")]
        middle[setting["name"]] = [np.median(d[:, 0] / np.maximum(d[:, 2], 0.01 * d[:, 3])) for d in ends]
        far.append(np.median(ends[0][:, 1] / np.maximum(ends[0][:, 2], 0.01 * ends[0][:, 3])))
        slopes.append(derivative)
        gaps.append(abs(pairs - derivative) if "activation" in setting["name"] else pairs)
        assert (jumps > 0).all() if "activation" not in setting["name"] else (jumps == 0).all(), setting["name"]
        name = setting["name"].replace(", activation=", ", ")
        name = name if name != setting["experiment"] else f"{name}, relu"
        row = f"| {name.removeprefix('regression-')} | {{}} | {{}} ({{}} to {{}}) | {{}} of {{}} | "
        row += " | ".join(["{} ({} to {})"] * 4) + " | "
        rows.append(said(row, *exponents, (jumps > 0).sum(), np.isfinite(jumps).sum(), *distances))
    smooth = ["activation" in name for name in middle]
    nearer = np.array([np.divide(middle[name.partition(",")[0]], middle[name]) for name in middle if "," in name])
    odd, others = nearer[0], nearer[1:]  # x² with tanh
    switching = [gap for gap, plain in zip(gaps, smooth, strict=True) if not plain]
    return [
        *rows,
        said("grow apart by {} to {} a step", *(fixed(f(switching), d) for f, d in ((min, 4), (max, 3)))),
        said("(at most {} a step)", shown(max(np.abs(slopes)))),
        said(
            "(the two exponents agree to {} a step)",
            shown(max(gap for gap, plain in zip(gaps, smooth, strict=True) if plain)),
        ),
        said(
            "{} to {} times in seven of the eight settings, and {} times in one", *between(others[:, 0]), shown(odd[0])
        ),
        said(
            "seven are {} to {} times nearer; in the other one the factor is {}.",
            shown(others[:, 1].min()),
            f"{round(others[:, 1].max(), -1):.0f}",
            fixed(odd[1]),
        ),
        said("every network moves by {} to {} units", *between(far)),
    ]
