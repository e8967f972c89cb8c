"""The plots of the page. Contenders are told apart by colour, marker and line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.report.results import MEASURES
from stages.report.statistics import target_shares
from stages.report.svg import COLOURS, INK, legend, new_figure, to_svg
from stages.report.tables import Results, Rows, World

MARKERS = ("o", "s", "^", "D", "v", "P", "x", "*", "<")
LINES = ("-", "--", "-.", ":")
COMPARED = ("acc_at_50", "multi_object_acc_at_50", "miou", "pointing", "f1", "no_target_acc", "wrong_object_rate")


@dataclass(frozen=True)
class Plot:
    """A drawn plot: the section that it stands in, a title, and an ``<svg>`` element."""

    kind: str
    title: str
    svg: str


@dataclass(frozen=True)
class Style:
    """How a contender is drawn."""

    colour: str
    marker: str
    line: str


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A style for each name: no two are alike for as many as anybody compares."""
    return {name: Style(COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)], LINES[at % len(LINES)]) for at, name in enumerate(names)}


def all_plots(world: World) -> list[Plot]:
    """Every plot of the page."""
    results, looks = world.results, styles(world.results.contenders)
    drawn = [
        Plot("size", "How large the targets are", size_plot(world)),
        Plot("contenders", "Contenders with their intervals", interval_plot(results, looks)),
        Plot("contenders", "Right answers against the IoU threshold", curve_plot(results.curve, looks)),
        Plot("precision", "AP50 by group", precision_plot(results.precision, looks)),
    ]
    if results.reliability:
        drawn += [
            Plot("calibration", "Reliability: right answers at a confidence", reliability_plot(results.reliability, looks)),
            Plot("calibration", "Risk and coverage: wrong answers among the most confident", risk_plot(results.risk, looks)),
        ]
    return drawn + [Plot("slice", f"By {kind.replace('_', ' ')} (exploratory)", svg) for kind, svg in slice_plots(results.slices, looks)]


def slice_plots(rows: Rows, looks: Mapping[str, Style]) -> list[tuple[str, str]]:
    """(slice kind, SVG) of Acc@0.5 with intervals, one plot per kind of slice."""
    drawn = []
    for kind in dict.fromkeys(row["slice_kind"] for row in rows):
        own = [row for row in rows if row["slice_kind"] == kind]
        labels = {row["slice"]: f"{row['slice'].replace('_', ' ')} ({row['n']})" for row in own}
        cells = {(row["slice"], row["contender"]): _interval(row, "acc_at_50") for row in own}
        drawn.append((kind, _forest(labels, cells, looks, "Acc@0.5, with interval by patient", f"slices {kind}")))
    return drawn


def interval_plot(results: Results, looks: Mapping[str, Style]) -> str:
    """The leading measures of all contenders, each with its interval."""
    own = [row for row in results.table if row["measure"] in COMPARED and int(row["n"])]
    labels = {key: f"{MEASURES.get(key, key.replace('_', ' '))}" for key in COMPARED if any(row["measure"] == key for row in own)}
    cells = {(row["measure"], row["contender"]): _interval(row, "value") for row in own}
    return _forest(labels, cells, looks, "with interval by patient", "contenders")


def _interval(row: Mapping[str, str], value: str) -> tuple[float, float, float]:
    return float(row[value]), float(row["low"]), float(row["high"])


def _forest(labels: Mapping[str, str], cells: Mapping[tuple[str, str], tuple[float, float, float]], looks: Mapping[str, Style], axis: str, salt: str) -> str:
    """Lines of intervals: a block a label, in it a line a contender. ``cells``: (label, contender) -> value, low, high."""
    names = [name for name in looks if any(contender == name for _, contender in cells)]
    step = 0.8 / max(len(names), 1)
    figure, axes = new_figure(6.4, 0.8 + len(labels) * max(0.34, 0.1 * len(names) + 0.1))
    for rank, name in enumerate(names):
        look, named = looks[name], False
        for line, label in enumerate(labels):
            if (label, name) not in cells:
                continue
            middle, low, high = cells[label, name]
            y = line + (rank - (len(names) - 1) / 2) * step
            axes.plot([low, high], [y, y], color=look.colour, linewidth=1.3)
            axes.plot([middle], [y], color=look.colour, marker=look.marker, markersize=4, label=None if named else name, linestyle="none")
            named = True
    axes.set_yticks(range(len(labels)), list(labels.values()))
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(axis)
    legend(axes)
    return to_svg(figure, salt)


def _lines(rows: Rows, x: str, y: str, looks: Mapping[str, Style], size: tuple[float, float]) -> tuple:
    figure, axes = new_figure(*size, grid="both")
    for name in (name for name in looks if any(row["contender"] == name for row in rows)):
        look = looks[name]
        points = [(float(row[x]), float(row[y])) for row in rows if row["contender"] == name]
        axes.plot(*zip(*points, strict=True), color=look.colour, marker=look.marker, linestyle=look.line, markersize=3.5, linewidth=1.4, label=name)
    legend(axes)
    return figure, axes


def curve_plot(rows: Rows, looks: Mapping[str, Style]) -> str:
    """Share of right answers against the IoU threshold."""
    figure, axes = _lines(rows, "threshold", "share", looks, (6.4, 3.2))
    axes.axvline(0.5, color=INK, linewidth=0.6, alpha=0.5)
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), xlabel="IoU threshold", ylabel="share of answers that are right")
    return to_svg(figure, "curve")


def reliability_plot(rows: Rows, looks: Mapping[str, Style]) -> str:
    """Share of right answers against the stated confidence, bin by bin; the diagonal is perfect calibration."""
    figure, axes = _lines(rows, "confidence", "accuracy", looks, (6.4, 3.6))
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.6, linestyle=":")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="stated confidence (mean of the bin)", ylabel="share that is right")
    return to_svg(figure, "reliability")


def risk_plot(rows: Rows, looks: Mapping[str, Style]) -> str:
    """Share of wrong answers among the most confident ones."""
    figure, axes = _lines(rows, "coverage", "risk", looks, (6.4, 3.2))
    axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="share of the answers that is kept, the most confident first", ylabel="share that is wrong")
    return to_svg(figure, "risk")


def precision_plot(rows: Rows, looks: Mapping[str, Style]) -> str:
    """AP50 of every contender with its interval, by group of examples."""
    labels = {row["group"]: f"{row['group']} ({row['targets']})" for row in rows}
    cells = {(row["group"], row["contender"]): (float(row["ap50"]), float(row["ap50_low"]), float(row["ap50_high"])) for row in rows if int(row["targets"])}
    return _forest(labels, cells, looks, "AP at an IoU of 0.5, with interval by patient", "precision")


def size_plot(world: World) -> str:
    """How large the targets are: cumulative share of the target boxes against the share of the image that they cover."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, axes = new_figure(6.4, 2.8)
    smallest = 1.0
    for number, modality in enumerate(sorted({example.modality for example in world.examples})):
        shares = sorted(target_shares([example for example in world.examples if example.modality == modality]))
        if shares:
            smallest = min(smallest, shares[0])
            height = [(index + 1) / len(shares) for index in range(len(shares))]
            look = (COLOURS[number % len(COLOURS)], LINES[number % len(LINES)])
            axes.step(shares, height, where="post", color=look[0], linestyle=look[1], linewidth=1.5, label=modality)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(
        xlim=(10.0 ** min(-1, math.floor(math.log10(smallest))), 1),
        ylim=(0, 1.02),
        xlabel="share of the image that a target's box covers",
        ylabel="share of the boxes",
    )
    legend(axes)
    return to_svg(figure, "sizes")
