"""Pictures of the atlas and of the optimizers' study."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure as Picture

from contraction.plots.style import BACKWARD, CLAIM, FORWARD, SHADE, figure, style
from nn_experiments.analysis.settling import SETTLES
from nn_experiments.analysis.settling_studies import rows
from nn_experiments.results.studies import Study

__all__ = ["draw_atlas", "draw_exponents"]

COLUMNS = 5


def draw_atlas(study: Study) -> Picture:
    """Return a panel a setting: backward and forward increments over the distance of independent runs, in parameters.

    Where Theorem 2.2 gives a bound on the backward increment it is drawn as well, in the same units.
    """
    runs = list(study.about["runs"])
    settings = study.about["settings"]
    columns = min(COLUMNS, len(settings))
    lines = -(-len(settings) // columns)
    with style():
        fig, axes = figure(lines, columns, width=2.35 * columns, height=1.8 * lines + 0.8, squeeze=False)
        for axis in axes.flat[len(settings) :]:
            axis.set_axis_off()
        for k, (axis, setting) in enumerate(zip(axes.flat, settings, strict=False)):
            n, distances = study["n"][k], study["parameter"][k]
            kept = n > 0
            scale = np.median(distances[..., runs.index("independent")][:, n >= n[-1] / 2])
            unit = scale if scale > 1e-12 else np.median(distances[:, 0, runs.index("half ahead")])
            for run, colour, label in (
                ("1 ahead", BACKWARD, "backward iterates n and n + 1"),
                ("next", FORWARD, "forward iterates n and n + 1"),
                ("other start", SHADE, "two independent starts, same maps"),
            ):
                values = np.maximum(distances[:, kept, runs.index(run)] / unit, 1e-17)
                axis.plot(n[kept], np.median(values, 0), color=colour, lw=1.2, label=label)
                axis.fill_between(n[kept], values.min(0), values.max(0), color=colour, alpha=0.2, lw=0)
            factor = float(study["factor"][k])
            if np.isfinite(factor):
                bound = np.median(study["displacement"][k]) * factor ** n[kept].astype(float) / unit
                axis.plot(n[kept], bound, color=CLAIM, lw=0.9, ls="--", label="Theorem 2.2's bound on the former")
            axis.axhline(1, color=CLAIM, lw=0.5, ls=":")
            axis.set_yscale("log")
            axis.set_ylim(1e-17 if axis.get_ylim()[0] < 1e-8 else 1e-4, 1e3)
            axis.set_title("\n".join(textwrap.wrap(setting["name"].replace(" = ", "\u00a0=\u00a0"), 30)), fontsize=6.8)
            axis.tick_params(labelsize=6)
        names: dict[str, Artist] = {}
        for axis in axes.flat:
            handles, labels = axis.get_legend_handles_labels()
            names |= dict(zip(labels, handles, strict=True))
        fig.legend(names.values(), names.keys(), loc="outside lower center", ncols=2)
        fig.supylabel("distance in the parameters / that of two runs", fontsize=8)
    return fig


def draw_exponents(study: Study) -> Picture:
    """Return a scatter plot: exponent a step, estimated on other seeds before, against the rate of the increments."""
    kept = [row for row in rows(study) if np.isfinite(row.exponent) and np.isfinite(row.rate)]
    with style():
        fig, axis = figure(1, 1, width=7.6, height=4.6)
        reach = 1.15 * max((max(abs(row.exponent), abs(row.rate)) for row in kept), default=1.0)
        axis.plot([-reach, reach], [-reach, reach], color=CLAIM, lw=0.8, ls=":", label="equal")
        groups = list(dict.fromkeys(row.group for row in kept))
        markers = "osD^v<>Ph*X"
        for k, group in enumerate(groups):
            for settled in (True, False):
                some = [row for row in kept if row.group == group and (set(row.backward) == {SETTLES}) == settled]
                if some:
                    axis.plot(
                        [row.exponent for row in some],
                        [row.rate for row in some],
                        markers[k % len(markers)],
                        ms=5,
                        color=BACKWARD if settled else FORWARD,
                        mfc=BACKWARD if settled else "none",
                        label=f"{group}, {'settles' if settled else 'does not'}",
                    )
        axis.axhline(0, color=SHADE, lw=0.5)
        axis.axvline(0, color=SHADE, lw=0.5)
        for scale in (axis.set_xscale, axis.set_yscale):
            scale("symlog", linthresh=1e-4)
        axis.set_xlabel("top exponent a step (other seeds)")
        axis.set_ylabel("rate of backward increments per step (measured)")
        axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return fig
