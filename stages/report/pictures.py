"""Small pictures as data URIs. Only the samples that are shown are read, a row group at a time; each is stored once."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from stages.core.shards import shard_paths
from stages.core.stage import StageError

# Tried in turn until a picture fits its share of the page.
JPEG_QUALITIES = (88, 75, 60, 45)
# Then its sides shrink, down to this.
SHRINK, SMALLEST_PX = 0.8, 48


@dataclass(frozen=True)
class Picture:
    """A picture ready for the page; ``width`` and ``height`` are the stored image's, in which boxes are drawn."""

    uri: str
    width: int
    height: int


def read_pictures(
    datasets: Sequence[str], wanted: Iterable[str], longer_side_px: int, patches: Mapping[str, tuple[str, Mapping[str, Any]]], budget_bytes: int
) -> dict[str, Picture]:
    """Pictures of the wanted samples, scaled down to ``longer_side_px``; never scaled up.

    ``patches``: further pictures by name, each a sample with a part (``x_px``, ``y_px``, ``png``) laid over it.
    ``budget_bytes`` is what all of them together may take: each picture has its share and loses quality beyond it.

    Raises:
        StageError: a sample is in no table, or its picture cannot be decoded.
    """
    plain = set(wanted)
    sources = plain | {sample_id for sample_id, _ in patches.values()}
    changed: dict[str, list[str]] = {}
    for name, (sample_id, _) in patches.items():
        changed.setdefault(sample_id, []).append(name)
    share = budget_bytes // max(1, len(plain) + len(patches))
    found: dict[str, Picture] = {}
    read: set[str] = set()
    for sample_id, content in _stored(datasets, sources):
        read.add(sample_id)
        if sample_id in plain:
            found[sample_id] = small_picture(content, longer_side_px, sample_id, share)
        for name in changed.get(sample_id, ()):
            found[name] = small_picture(content, longer_side_px, name, share, patches[name][1])
    if missing := sources - read:
        raise StageError(f"{len(missing)} samples are in no table of data/samples: {', '.join(sorted(missing)[:5])}: run `dvc repro`")
    return found


def _stored(datasets: Sequence[str], wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    """(sample id, encoded picture) of the wanted samples."""
    for name in datasets:
        for path in shard_paths(f"data/samples/{name}/samples"):
            shard = pq.ParquetFile(path)
            for group in range(shard.num_row_groups):
                ids = shard.read_row_group(group, columns=["sample_id"]).column(0).to_pylist()
                rows = [row for row, sample_id in enumerate(ids) if sample_id in wanted]
                if rows:
                    images = shard.read_row_group(group, columns=["image"]).column(0)
                    yield from ((ids[row], images[row].as_py()) for row in rows)


def small_picture(content: bytes, longer_side_px: int, owner: str, most_bytes: int, patch: Mapping[str, Any] | None = None) -> Picture:
    """Scale PNG bytes down, with ``patch`` laid over them, and encode them as JPEG of at most ``most_bytes`` where quality allows it."""
    try:
        with Image.open(io.BytesIO(content)) as opened:
            image = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
        if patch is not None:
            with Image.open(io.BytesIO(patch["png"])) as part:
                image.paste(part.convert(image.mode), (int(patch["x_px"]), int(patch["y_px"])))
    except (UnidentifiedImageError, OSError) as error:
        raise StageError(f"data/samples: the picture of {owner} cannot be decoded ({error}): `dvc repro ingest`") from error
    width, height = image.size
    scale = min(1.0, longer_side_px / max(width, height))
    if scale < 1:
        image = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS)
    return Picture(_uri(image, most_bytes), width, height)


def _uri(image: Image.Image, most_bytes: int) -> str:
    """The picture in the best quality that fits; where none does, smaller."""
    for quality in JPEG_QUALITIES:
        target = io.BytesIO()
        image.save(target, "jpeg", quality=quality, optimize=True)
        uri = f"data:image/jpeg;base64,{base64.b64encode(target.getvalue()).decode('ascii')}"
        if len(uri) <= most_bytes:
            return uri
    if min(image.size) <= SMALLEST_PX:
        return uri
    return _uri(image.resize((round(image.width * SHRINK), round(image.height * SHRINK)), Image.Resampling.LANCZOS), most_bytes)
