"""The page itself: what the template is given, and its rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages.core.params import Params
from stages.report import plots, statistics
from stages.report.galleries import Gallery, prediction_galleries, query_galleries
from stages.report.pictures import read_pictures
from stages.report.tables import BASELINES, CONTENDERS, FATES, World

TEMPLATES = Path(__file__).parent / "templates"
MEASURES = {
    "miou": "mean IoU",
    "acc_at_50": "Acc@0.5",
    "multi_object_miou": "mean IoU, several of the class",
    "multi_object_acc_at_50": "Acc@0.5, several of the class",
    "parse_failure_rate": "parse failures",
}


@dataclass(frozen=True)
class Step:
    """A box of the drawn pipeline: what it does, and how much came out of it."""

    name: str
    count: str


def render(world: World, params: Params) -> str:
    """The whole page as HTML. It depends on tables and parameters only: no time, run or path."""
    datasets = list(params.datasets)
    limit = params.report.samples_per_gallery
    galleries = [*query_galleries(world, params.seed, limit), *prediction_galleries(world, params.seed, limit)]
    cards = [card for gallery in galleries for card in gallery.cards]
    pictures = read_pictures(datasets, [card.sample_id for card in cards], params.report.thumbnail_px)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": _count, "percent": _percent, "pixels": _pixels, "outline": _outline}
    return environment.get_template("page.html.j2").render(
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
        seed=params.seed,
        headline=headline(world),
        steps=pipeline_steps(world, datasets),
        sources=statistics.sources(world, datasets),
        modalities=statistics.modality_rows(world),
        fates={fate: len(world.queries[fate]) for fate in FATES},
        n_queries=world.n_queries,
        funnel=statistics.funnel(world.verdicts),
        reasons=statistics.reason_rows(world.verdicts),
        errors=statistics.error_rows([error for listed in world.unread.values() for error in listed] + world.errors),
        contenders=contender_rows(world.table),
        measures=_shown_measures(world.table),
        gains=world.figures["gain"],
        split=world.split,
        language=world.language,
        audit=world.audit,
        texts=world.texts,
        plots=_plots(world),
        galleries=galleries,
        pictures=pictures,
        filters=filter_values(galleries),
        sides=sum(card.left_mark is not None for card in cards),
    )


def headline(world: World) -> dict[str, Any]:
    """The figures of the opening sentence."""
    figures = world.figures
    return {
        "examples": len(world.examples),
        "test": figures["tuned"]["n"],
        "n_multi": figures["n_multi"],
        "accuracy": {name: figures[name]["multi_object_acc_at_50"] for name in CONTENDERS},
        "gain": figures["gain"]["tuned_minus_base"]["multi_object_acc_at_50"],
    }


def pipeline_steps(world: World, datasets: Sequence[str]) -> list[Step]:
    """The pipeline with what came out of each step."""
    adapters = len(CONTENDERS) - 1
    return [
        Step("sources", f"{len(datasets)} datasets"),
        Step("ingest", f"{len(world.samples):,} images"),
        Step("anchor", f"{len(world.anchors):,} anchors"),
        Step("generate", f"{world.n_queries:,} queries"),
        Step("verify", f"{len(world.queries['accepted']):,} accepted"),
        Step("split", f"{len(world.examples):,} examples"),
        Step("finetune", f"{adapters} adapters"),
        Step("predict", f"{len(CONTENDERS)} contenders"),
        Step("evaluate", f"{world.figures['tuned']['n']:,} scored"),
        Step("report", "this page"),
    ]


def contender_rows(table: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """One row per contender, baselines last, with a cell (value, low, high) per measure."""
    names = dict.fromkeys(row["contender"] for row in table)
    rows = []
    for name in sorted(names, key=lambda name: name in BASELINES):
        cells = {row["measure"]: tuple(float(row[key]) for key in ("value", "low", "high")) for row in table if row["contender"] == name}
        rows.append({"name": name, "baseline": name in BASELINES, "cells": cells})
    return rows


def _shown_measures(table: Sequence[dict[str, str]]) -> list[tuple[str, str, int]]:
    counts = {row["measure"]: int(row["n"]) for row in table}
    return [(key, title, counts[key]) for key, title in MEASURES.items() if key in counts]


def _plots(world: World) -> list[dict[str, Any]]:
    drawn = [("curve", "Right answers against the IoU threshold", plots.curve_plot(world.curve))]
    drawn += [("slice", f"By {kind}", svg) for kind, svg in plots.slice_plots(world.slices)]
    return [{"kind": kind, "title": title, "svg": Markup(svg)} for kind, title, svg in drawn] + [
        {"kind": "size", "title": "How large the targets are", "svg": Markup(plots.size_plot(world))}
    ]


def filter_values(galleries: Sequence[Gallery]) -> dict[str, list[str]]:
    """What the buttons choose between; only what is on the page."""
    cards = [card for gallery in galleries for card in gallery.cards]
    return {"modality": sorted({card.modality for card in cards}), "outcome": sorted({card.outcome for card in cards})}


def _count(value: int) -> str:
    return f"{value:,}"


def _percent(value: float) -> str:
    """A share as a percentage with two significant digits below 10%."""
    return f"{100 * value:.1f}%" if value >= 0.1 or value == 0 else f"{100 * value:.2g}%"


def _pixels(value: float) -> str:
    """A coordinate without a needless fraction; three decimals are finer than any screen shows."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _outline(box: Sequence[float]) -> str:
    """A box in words, for people who cannot see it."""
    x0, y0, x1, y1 = (round(value) for value in box)
    return f"x {x0} to {x1}, y {y0} to {y1}"
