"""Small real tables with pictures for the stage: polyps in endoscopy, liver lesions in CT."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from stages.core.geometry import encode_mask
from stages.core.params import Params, load_params
from stages.core.records import Anchor, Sample
from stages.core.shards import write_table
from tests.generate.scenes import Blob, make_anchor, make_sample
from tests.import_closure import ROOT

BLOBS = [Blob("polyp", 60, 60, 20), Blob("polyp", 140, 150, 35), Blob("polyp", 150, 40, 12)]


def write_tables(folder: Path, pictures: int = 3) -> None:
    """Samples and anchors of a dataset "one" below ``folder``/data."""
    rows, columns = np.mgrid[:200, :200]
    masks = [(columns - blob.x) ** 2 + (rows - blob.y) ** 2 <= blob.radius**2 for blob in BLOBS]
    shapes = np.any(masks, axis=0)
    known = {"modality": "endoscopy", "body_part": "colon", "spacing_mm": None, "image_left_is": None, "annotated_labels": ["polyp"]}
    samples = [make_sample(f"one/c{n}/v0", dataset="one", image=_png(np.where(shapes, 180, 60 + n)), **known) for n in range(pictures)]
    anchors = [dataclasses.replace(make_anchor(blob, n, sample, BLOBS), mask_rle=encode_mask(masks[n])) for sample in samples for n, blob in enumerate(BLOBS)]
    write_table(folder / "data/samples/one/samples", Sample, samples)
    write_table(folder / "data/anchors/one/anchors", Anchor, anchors)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def write_params(folder: Path, generate: dict | None = None, endpoint: dict | None = None, local: dict | None = None) -> Params:
    """The repository's params.yaml with the dataset "one" and changes of blocks, written below ``folder``."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["datasets"] = {"one": {"card": "card.yaml", "root": "raw"}}
    content["engine"]["workers"] = 1
    content["generate"] |= {"queries_per_image": 6, "texts_per_target": 2, **(generate or {})}
    content["vlm"]["endpoint"] |= {"model": "tiny", "max_retries": 1, "timeout_s": 20, "concurrency": 3, **(endpoint or {})}
    content["vlm"]["local"] |= local or {}
    (folder / "params.yaml").write_text(json.dumps(content), encoding="utf-8")
    return load_params(folder / "params.yaml")


def query_bytes(folder: Path) -> dict[str, bytes]:
    """Every table of the stage by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted((folder / "data/queries").rglob("*.parquet"))}
