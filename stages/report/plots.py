"""Plots as inline SVG that follows the page's theme: same data, same bytes."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stages.report.statistics import target_shares
from stages.report.tables import World

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stands for the page's text colour: replaced by currentColor, so that a plot is readable in the light and the dark theme.
INK = "#010203"
# Told apart by marker and line too. Written as these stand-ins, replaced by the theme's colours (--c0 ... in page.css).
COLOURS = ("#0102f0", "#0102f1", "#0102f2", "#0102f3", "#0102f4")
STYLES = {
    "tuned": (COLOURS[0], "o", "-"),
    "control": (COLOURS[1], "s", "--"),
    "base": (COLOURS[2], "^", "-."),
    "random": (COLOURS[3], "x", ":"),
    "centre": (COLOURS[4], "D", ":"),
}
OTHER = (COLOURS[3], "v", ":")


def slice_plots(rows: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    """(slice kind, SVG) of Acc@0.5 with intervals, one plot per kind of slice."""
    kinds = list(dict.fromkeys(row["slice_kind"] for row in rows))
    return [(kind, _slice_plot([row for row in rows if row["slice_kind"] == kind], kind)) for kind in kinds]


def _slice_plot(rows: Sequence[dict[str, str]], kind: str) -> str:
    slices = list(dict.fromkeys(row["slice"] for row in rows))
    contenders = [name for name in STYLES if any(row["contender"] == name for row in rows)]
    figure, axes = _figure(6.4, 0.7 + 0.42 * len(slices))
    for rank, name in enumerate(contenders):
        colour, marker, _ = STYLES[name]
        own = {row["slice"]: row for row in rows if row["contender"] == name}
        for line, value in enumerate(slices):
            middle, low, high = (float(own[value][key]) for key in ("acc_at_50", "low", "high"))
            y = line + (rank - (len(contenders) - 1) / 2) * 0.15
            axes.plot([low, high], [y, y], color=colour, linewidth=1.4)
            axes.plot([middle], [y], color=colour, marker=marker, markersize=4, label=name if line == 0 else None, linestyle="none")
    counts = {row["slice"]: row["n"] for row in rows}
    axes.set_yticks(range(len(slices)), [f"{value.replace('_', ' ')} ({counts[value]})" for value in slices])
    axes.set_ylim(len(slices) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Acc@0.5, with interval by patient")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False, fontsize=8, handletextpad=0.1, columnspacing=1)
    return to_svg(figure, f"slices {kind}")


def curve_plot(rows: Sequence[dict[str, str]]) -> str:
    """Share of right answers against the IoU threshold."""
    figure, axes = _figure(6.4, 3.2)
    names = dict.fromkeys(row["contender"] for row in rows)
    for name in sorted(names, key=lambda name: list(STYLES).index(name) if name in STYLES else len(STYLES)):
        colour, marker, line = STYLES.get(name, OTHER)
        points = [(float(row["threshold"]), float(row["share"])) for row in rows if row["contender"] == name]
        axes.plot(*zip(*points, strict=True), color=colour, marker=marker, linestyle=line, markersize=3.5, linewidth=1.4, label=name)
    axes.axvline(0.5, color=INK, linewidth=0.6, alpha=0.5)
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), xlabel="IoU threshold", ylabel="share of answers that are right")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False, fontsize=8)
    return to_svg(figure, "curve")


def size_plot(world: World) -> str:
    """How large the targets are: cumulative share of the target boxes against the share of the image that they cover."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, axes = _figure(6.4, 2.8)
    lines = ("-", "--", "-.", ":")
    modalities = sorted({example.modality for example in world.examples})
    smallest = 1.0
    for number, modality in enumerate(modalities):
        shares = sorted(target_shares([example for example in world.examples if example.modality == modality]))
        if shares:
            smallest = min(smallest, shares[0])
            height = [(index + 1) / len(shares) for index in range(len(shares))]
            colour = COLOURS[number % len(COLOURS)]
            axes.step(shares, height, where="post", color=colour, linestyle=lines[number % 4], linewidth=1.5, label=modality)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(
        xlim=(10.0 ** min(-1, math.floor(math.log10(smallest))), 1),
        ylim=(0, 1.02),
        xlabel="share of the image that a target's box covers",
        ylabel="share of the boxes",
    )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8)
    return to_svg(figure, "sizes")


def _figure(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(visible=True, axis="x", color=INK, alpha=0.15, linewidth=0.6)
    return figure, axes


def to_svg(figure: Figure, salt: str) -> str:
    """A figure as an ``<svg>`` element: no date, ids from ``salt``, text as text, ink in the page's colour.

    Elements are named from content only, and ``salt`` keeps the names of two plots of one page apart.
    """
    import matplotlib as mpl

    ink = {key: INK for key in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")}
    axes = figure.axes[0]
    axes.tick_params(colors=INK, labelcolor=INK, labelsize=8.5)
    for text in [axes.xaxis.label, axes.yaxis.label, *(axes.get_legend().get_texts() if axes.get_legend() else [])]:
        text.set_color(INK)
        text.set_fontsize(8.5)
    for spine in axes.spines.values():
        spine.set_edgecolor(INK)
    target = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none", **ink}):
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    svg = target.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[a-z_A-Z0-9.]+">', "<g>", svg)
    svg = re.sub(r'(<svg[^>]*?) (?:width="[^"]*pt" )?(?=[^>]*viewBox)', r"\1 ", svg, count=1)
    for number, colour in enumerate(COLOURS):
        svg = svg.replace(colour, f"var(--c{number})")
    return svg.replace(INK, "currentColor")
