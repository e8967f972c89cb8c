"""Tables of the stages before ``split``, in small."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from stages.core.params import DatasetParams, Params, load_params
from stages.core.records import Anchor, Appearance, Location, Query, Ranks, Rle, Sample, Shape, Writer
from stages.core.shards import write_table

ROOT = Path(__file__).resolve().parents[2]


def params_for(*datasets: str, val_share: float = 0.2, test_share: float = 0.3, seed: int = 7, keep_source_split: bool = False) -> Params:
    """The repository's parameters with other datasets and shares, on one worker."""
    base = load_params(ROOT / "params.yaml")
    return dataclasses.replace(
        base,
        seed=seed,
        datasets={name: DatasetParams(card="card.yaml", root="raw") for name in datasets},
        engine=dataclasses.replace(base.engine, workers=1),
        split=dataclasses.replace(base.split, val_share=val_share, test_share=test_share, keep_source_split=keep_source_split),
    )


def picture(seed: int, side: int = 96) -> np.ndarray:
    """A smooth random grey picture, unlike those of other seeds."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6)).astype(np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def png(pixels: np.ndarray, level: int = 1) -> bytes:
    """PNG bytes; another compression level gives other bytes of the same picture."""
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, level])[1].tobytes()


def sample(dataset: str, patient: str, view: int, image: bytes, side: int = 96) -> Sample:
    """A sample without objects."""
    return Sample(
        f"{dataset}/{patient}/{view}", dataset, patient, patient, "ct", "abdomen", "axial", view, image, side, side, None,
        None, "{}", [], ["liver lesion"], [], "CC-BY-4.0", [],
    )  # fmt: skip


def anchor(sample_id: str, number: int, box: list[float], label: str = "liver lesion") -> Anchor:
    """An anchor of which only id, label and box matter."""
    shape = Shape(1.0, 1.0, 1.0, None, None, None, None, None)
    look = Appearance(1.0, 0.0, None, None, None, None)
    place = Location("centre", "middle", "central", None, [])
    return Anchor(
        f"{sample_id}#{number}", sample_id, label, "lesion", number, box, 4, None, None, [1.0, 1.0], 0.1, shape, look, place,
        Ranks(1, 1, 1, 1), [], Rle([96, 96], ""),
    )  # fmt: skip


def query(sample_id: str, number: int, anchors: list[str], text: str = "the lesion", kind: str = "single", claims: list[str] | None = None) -> Query:
    """An accepted query about liver lesions."""
    writer = Writer("grammar", "grammar", "1", "0", 7)
    return Query(f"{sample_id}~{number}", sample_id, anchors, text, "liver lesion", kind, claims, "plain", writer)


def write_inputs(root: Path, samples: list[Sample], anchors: list[Anchor], queries: list[Query]) -> None:
    """Write the tables that ``split`` reads under ``root``."""
    for dataset in {row.dataset for row in samples}:
        own = [row for row in samples if row.dataset == dataset]
        ids = {row.sample_id for row in own}
        write_table(root / "data/samples" / dataset / "samples", Sample, own)
        write_table(root / "data/anchors" / dataset / "anchors", Anchor, [row for row in anchors if row.sample_id in ids])
    write_table(root / "data/verified/accepted", Query, queries)
