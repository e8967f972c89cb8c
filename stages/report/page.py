"""The page itself: what the templates are given, and their rendering."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages.core.params import Params
from stages.report import dag, results, statistics
from stages.report.answers import Rivals, answer_galleries, rivals
from stages.report.cards import Gallery
from stages.report.pictures import Picture, read_pictures
from stages.report.plots import all_plots
from stages.report.queries import query_galleries, trial_galleries
from stages.report.tables import FATES, World

TEMPLATES = Path(__file__).parent / "templates"
# What a card of text and the rest of the page take, about; what is left of report.max_mb is for pictures.
CARD_BYTES, REST_BYTES = 2_500, 600_000
FILTERS = ("modality", "dataset", "outcome")


def render(world: World, params: Params) -> str:
    """The whole page as HTML. It depends on tables and parameters only: no time, run or path.

    ``data-digest`` of its root is the digest of everything else, by which the record of a run knows its page.
    """
    settings, datasets = params.report, list(params.datasets)
    who = rivals(world.results.models, settings)
    limit = settings.samples_per_gallery
    galleries = [
        *query_galleries(world, params.seed, limit),
        *trial_galleries(world, params.seed, limit),
        *answer_galleries(world, who, params.seed, limit),
    ]
    pictures = _pictures(world, datasets, galleries, settings.thumbnail_px, settings.max_mb * 1_000_000)
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"count": _count, "percent": _percent, "pixels": _pixels, "outline": _outline, "title_of": results.title, "by_number": _by_number}
    page = environment.get_template("page.html.j2").render(
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
        seed=params.seed,
        who=who,
        drawing=dag.draw(dag.drawn_pipeline()),
        counts=stage_counts(world, datasets),
        galleries=galleries,
        pictures=pictures,
        picture_data=_as_script({name: picture.uri for name, picture in pictures.items()}),
        filters=filter_values(galleries),
        sides=sum(card.left_mark is not None for gallery in galleries for card in gallery.cards),
        plots=[{"kind": plot.kind, "title": plot.title, "svg": Markup(plot.svg)} for plot in all_plots(world)],
        **_corpus(world, datasets),
        **_results(world, who),
    )
    return page.replace('data-digest=""', f'data-digest="{hashlib.sha256(page.encode()).hexdigest()[:16]}"', 1)


def _corpus(world: World, datasets: Sequence[str]) -> dict[str, Any]:
    """Everything about data, language and verification."""
    errors = [error for listed in world.unread.values() for error in listed] + world.errors
    return {
        "sources": statistics.sources(world, datasets),
        "modalities": statistics.modality_rows(world),
        "fates": {fate: len(world.queries[fate]) for fate in FATES},
        "n_queries": world.n_queries,
        "funnel": statistics.funnel(world.verdicts),
        "reasons": statistics.reason_rows(world.verdicts),
        "errors": statistics.error_rows(errors),
        "split": world.split,
        "language": world.language,
        "audit": world.audit,
        "review": world.review,
        "agreement": statistics.agreement_rows(world.review),
        "sheet": statistics.sheet(world.examples),
        "codecs": world.codecs,
        "texts": world.texts,
    }


def _results(world: World, who: Rivals) -> dict[str, Any]:
    """Everything about the contenders."""
    found = world.results
    measures = results.measures_of(found.table)
    further = [measure for measure in measures if measure not in results.LEADING]
    leading = [measure for measure in results.LEADING if measure in measures]
    groups, precision = results.precision_lines(found)
    outcomes, readings = results.outcome_lines(found)
    return {
        "headline": headline(world, who),
        "leading": leading,
        "contenders": results.contender_lines(found, leading),
        "further": further,
        "contenders_further": results.contender_lines(found, further),
        "pairs": results.pair_rows(found),
        "suites": results.suites(found),
        "groups": groups,
        "precision": precision,
        "precision_draws": max((int(row["draws"]) for row in found.precision), default=0),
        "outcomes": outcomes,
        "readings": readings,
        "calibration": results.calibration_errors(found),
    }


def headline(world: World, who: Rivals) -> dict[str, Any]:
    """The figures of the opening sentence: the models on the hard part of the test, and how far the subject is from the reference."""
    found = world.results
    cells = {row["contender"]: row for row in found.table if row["measure"] == "multi_object_acc_at_50"}
    pairs = [row for row in found.pairs if row["measure"] == "multi_object_acc_at_50" and {row["first"], row["second"]} == {who.subject, who.reference}]
    return {
        "examples": len(world.examples),
        "test": max((int(row["n"]) for row in found.table), default=0),
        "n_multi": int(cells[who.subject]["n"]),
        "accuracy": {name: float(cells[name]["value"]) for name in found.models},
        "pair": pairs[0] if pairs else None,
    }


def stage_counts(world: World, datasets: Sequence[str]) -> dict[str, str]:
    """What came out of each stage, by its name in dvc.yaml."""
    return {
        "ingest": f"{len(world.samples):,} images",
        "ingest_across": f"{len(datasets)} datasets",
        "anchor": f"{len(world.anchors):,} anchors",
        "generate": f"{world.n_queries:,} queries",
        "verify": f"{len(world.queries['accepted']):,} accepted",
        "audit": f"{len(world.trials):,} faults",
        "split": f"{len(world.examples):,} examples",
        "predict": f"{len(world.results.models)} contenders",
        "evaluate": f"{len(world.results.contenders)} scored",
        "report": "this page",
    }


def _pictures(world: World, datasets: Sequence[str], galleries: Sequence[Gallery], longer_side_px: int, page_bytes: int) -> dict[str, Picture]:
    cards = [card for gallery in galleries for card in gallery.cards]
    patched = {card.picture: card.sample_id for card in cards if card.picture != card.sample_id}
    trials = world.trials.set_index("trial_id")["patch"] if patched else {}
    patches = {name: (sample_id, trials[name]) for name, sample_id in patched.items()}
    plain = [card.sample_id for card in cards if card.picture not in patched]
    return read_pictures(datasets, plain, longer_side_px, patches, page_bytes - REST_BYTES - CARD_BYTES * len(cards))


def _as_script(value: Any) -> Markup:
    """JSON that may stand in a script element: no character of it can end the element."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def filter_values(galleries: Sequence[Gallery]) -> dict[str, list[str]]:
    """What the filters choose between; only what is on the page."""
    cards = [card for gallery in galleries for card in gallery.cards]
    return {key: sorted({getattr(card, key) for card in cards}) for key in FILTERS}


def _by_number(names: Iterable[str]) -> list[str]:
    """Names in the order of the number that each begins with ("3pct" before "10pct")."""
    return sorted(names, key=lambda name: (int(re.match(r"\d*", name)[0] or 0), name))


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
