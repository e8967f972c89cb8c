"""Figures as inline SVG that follows the page's theme: same data, same bytes."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stands for the page's text colour: replaced by currentColor, so that a plot is readable in the light and the dark theme.
INK = "#010203"
LEGEND_COLUMNS = 6
# Written as these stand-ins, replaced by the theme's colours (--c0 ... in page.css).
COLOURS = ("#0102f0", "#0102f1", "#0102f2", "#0102f3", "#0102f4", "#0102f5", "#0102f6")


def new_figure(width_in: float, height_in: float, grid: str = "x") -> tuple[Figure, Axes]:
    """A figure with one plain plot."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(visible=True, axis=grid, color=INK, alpha=0.15, linewidth=0.6)
    return figure, axes


def legend(axes: Axes) -> None:
    """The legend above the plot, where it covers nothing, as wide as the figure; none without a named line. Names stay in their order, row by row."""
    handles, names = axes.get_legend_handles_labels()
    if not names:
        return
    rows = -(-len(names) // LEGEND_COLUMNS)
    columns = -(-len(names) // rows)
    # matplotlib fills column by column.
    order = [row * columns + column for column in range(columns) for row in range(rows) if row * columns + column < len(names)]
    axes.figure.legend(
        [handles[at] for at in order], [names[at] for at in order],
        loc="outside upper left", ncols=columns, frameon=False, fontsize=8, handletextpad=0.3, columnspacing=1,
    )  # fmt: skip


def to_svg(figure: Figure, salt: str) -> str:
    """A figure as an ``<svg>`` element: no date, ids from ``salt``, text as text, ink in the page's colour.

    Elements are named from content only, and ``salt`` keeps the names of two plots of one page apart.
    """
    import matplotlib as mpl

    _ink(figure.axes[0])
    target = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
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


def _ink(axes: Axes) -> None:
    axes.tick_params(colors=INK, labelcolor=INK, labelsize=8.5)
    for text in [axes.xaxis.label, axes.yaxis.label, *(axes.get_legend().get_texts() if axes.get_legend() else [])]:
        text.set_color(INK)
        text.set_fontsize(8.5)
    for spine in axes.spines.values():
        spine.set_edgecolor(INK)
