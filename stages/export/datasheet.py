"""The data sheet of an export, after Gebru et al., Datasheets for Datasets (CACM 2021): ``datasheet.md``, and the same
facts as a Hugging Face data set card. Every figure is counted on the tables; the words stand in ``datasheet.md.j2``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml

from stages.core.records import Example
from stages.core.shards import shard_paths
from stages.export.croissant import NAME
from stages.export.holdings import Holdings
from stages.export.layout import Layout
from stages.export.parquet import SPLIT_NAMES
from stages.export.sources import redistributable

TEMPLATE = Path(__file__).with_name("datasheet.md.j2")
ASPECTS = ("modality", "dataset", "kind", "size_bin", "label")


def datasheet(holdings: Holdings, format_name: str, layout: Layout, withheld: int) -> str:
    """The page as Markdown."""
    import jinja2

    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    pictures = holdings.pictures.values()
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        name=NAME,
        holdings=holdings,
        format=format_name,
        usage=layout.usage,
        settings=json.dumps(layout.settings, indent=2, sort_keys=True) if layout.settings else "",
        totals=totals(holdings),
        tables={aspect.replace("_", " "): counts(holdings.examples, aspect, holdings.splits) for aspect in ASPECTS},
        funnel=funnel(Path("data/verified")),
        sources=list(holdings.sources.values()),
        pictures_of=Counter(picture.dataset for picture in pictures),
        free={name: redistributable(source.licence or "unknown") for name, source in holdings.sources.items()},
        withheld=withheld,
        sided=sum(picture.image_left_is is not None for picture in pictures),
        spaced=sum(picture.spacing_mm is not None for picture in pictures),
        unseen=sum(example.unseen for example in holdings.examples),
        limits=limits(holdings),
    )


def totals(holdings: Holdings) -> list[list[str]]:
    """Expressions, pictures, patients and boxes by split, with the sum last; rows of a table with its head."""
    rows = [["split", "expressions", "pictures", "patients", "boxes"]]
    for splits in [*[(split,) for split in holdings.splits], holdings.splits]:
        chosen = [example for example in holdings.examples if example.split in splits]
        patients = {(example.dataset, example.patient_id) for example in chosen}
        figures = [len(chosen), len({example.sample_id for example in chosen}), len(patients), sum(len(example.boxes_xyxy_px) for example in chosen)]
        rows.append([splits[0] if len(splits) == 1 else "all", *map(str, figures)])
    return rows if len(holdings.splits) > 1 else rows[:-1]


def counts(examples: Sequence[Example], aspect: str, splits: Sequence[str]) -> list[list[str]]:
    """Expressions by the values of a field and by split; rows of a table with its head."""
    counted = Counter((getattr(example, aspect), example.split) for example in examples)
    values = sorted({value for value, _ in counted})
    return [[aspect.replace("_", " "), *splits], *[[value.replace("|", " + "), *[str(counted[value, split]) for split in splits]] for value in values]]


def funnel(folder: Path) -> dict[str, int]:
    """How many queries the verification accepted, rejected and left undecided, over all splits."""
    import pyarrow.parquet as pq

    return {name: sum(pq.read_metadata(part).num_rows for part in shard_paths(folder / name)) for name in ("accepted", "rejected", "undecided")}


def limits(holdings: Holdings) -> list[str]:
    """What a user has to know before drawing conclusions, as far as the tables and cards tell."""
    sources = holdings.sources.values()
    artificial = [source.name for source in sources if source.verified_on == "phantom"]
    untried = [source.name for source in sources if source.verified_on == "miniature"]
    unnamed = [source.name for source in sources if not source.licence]
    said = {
        f"Synthetic pictures, drawn by a program; they say nothing about a clinic: {', '.join(artificial)}.": artificial,
        f"Cards that follow the documentation of the source and have not met its files: {', '.join(untried)}.": untried,
        f"Sources without a stated licence: {', '.join(unnamed)}.": unnamed,
        "Expressions are English.": True,
        "Most expressions come from a grammar: what they say is right, how they say it varies less than people do.": any(
            writer.startswith("grammar") for writer in holdings.writers
        ),
        "Not every object of a picture is marked: absence means absence only for the labels that a source marks everywhere (annotated_labels).": True,
        "Specks below the size limits of ingest and anchor in params.yaml are no objects here.": True,
        "Where the side of the patient is unknown, no expression speaks of the patient's left or right.": True,
        "Class names are unified across sources; their definitions of a structure's border are not.": len(holdings.sources) > 1,
    }
    return [sentence for sentence, holds in said.items() if holds]


def hub_card(holdings: Holdings, page: str) -> str:
    """README.md of a Hugging Face data set: the front matter that its hub and ``load_dataset`` read, then the page."""
    licences = sorted({picture.licence for picture in holdings.pictures.values()})
    one = licences[0].lower() if len(licences) == 1 and redistributable(licences[0]) else "other"
    files = [{"split": SPLIT_NAMES[split], "path": f"data/{SPLIT_NAMES[split]}/*.parquet"} for split in holdings.splits]
    front = {
        "pretty_name": NAME,
        "language": ["en"],
        "license": one,
        "task_categories": ["object-detection", "image-text-to-text"],
        "tags": ["medical", "referring-expressions", "visual-grounding"],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n{page}"
