"""Small pictures as data URIs. Only the samples that are shown are read, a row group at a time."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from stages.core.shards import shard_paths
from stages.core.stage import StageError

JPEG_QUALITY = 88


@dataclass(frozen=True)
class Picture:
    """A picture ready for the page; ``width`` and ``height`` are the stored image's, in which boxes are drawn."""

    uri: str
    width: int
    height: int


def read_pictures(datasets: Sequence[str], wanted: Iterable[str], longer_side_px: int) -> dict[str, Picture]:
    """Pictures of the wanted samples, scaled down to ``longer_side_px``; never scaled up.

    Raises:
        StageError: a sample is in no table, or its picture cannot be decoded.
    """
    missing = set(wanted)
    found: dict[str, Picture] = {}
    for name in datasets:
        for path in shard_paths(f"data/samples/{name}/samples"):
            for sample_id, content in _images(pq.ParquetFile(path), missing):
                found[sample_id] = small_picture(content, longer_side_px, sample_id)
        missing -= set(found)
    if missing:
        raise StageError(f"{len(missing)} samples are in no table of data/samples: {', '.join(sorted(missing)[:5])}: run `dvc repro`")
    return found


def _images(shard: pq.ParquetFile, wanted: set[str]) -> Iterable[tuple[str, bytes]]:
    for group in range(shard.num_row_groups):
        ids = shard.read_row_group(group, columns=["sample_id"]).column(0).to_pylist()
        rows = [row for row, sample_id in enumerate(ids) if sample_id in wanted]
        if rows:
            images = shard.read_row_group(group, columns=["image"]).column(0)
            yield from ((ids[row], images[row].as_py()) for row in rows)


def small_picture(content: bytes, longer_side_px: int, owner: str) -> Picture:
    """Scale PNG bytes down and encode them as JPEG."""
    try:
        with Image.open(io.BytesIO(content)) as opened:
            image = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise StageError(f"data/samples: the picture of {owner} cannot be decoded ({error}): `dvc repro ingest`") from error
    width, height = image.size
    scale = min(1.0, longer_side_px / max(width, height))
    if scale < 1:
        image = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS)
    return Picture(_uri(image), width, height)


def _uri(image: Image.Image) -> str:
    target = io.BytesIO()
    image.save(target, "jpeg", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(target.getvalue()).decode('ascii')}"
