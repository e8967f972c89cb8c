"""Pictures as files, and the list of those whose licence keeps them at home."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from stages.export.holdings import Holdings, Picture
from stages.export.layout import write_json


def write_pictures(holdings: Holdings, folder_of: Callable[[Picture], Path], change: Callable[[bytes], bytes] | None = None) -> None:
    """One PNG for each picture that goes along, below ``folder_of`` it; ``change`` makes other PNG bytes of it."""
    for picture, png in tqdm(holdings.images(), total=len(holdings.pictures), desc="pictures", unit="picture"):
        if holdings.goes_along(picture):
            path = folder_of(picture) / picture.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png if change is None else change(png))


def write_withheld(holdings: Holdings, path: Path) -> int:
    """List the pictures that do not go along, with what is needed to make each again from its source; returns how many.

    Checksums say whether it came out the same: of the source's files and of the PNG bytes. Without such a picture no
    file is written.
    """
    rows = [
        {
            "sample_id": picture.sample_id,
            "file_name": picture.file_name,
            "split": picture.split,
            "dataset": picture.dataset,
            "licence": picture.licence,
            "url": holdings.sources[picture.dataset].url,
            "source_sha256": picture.source_sha256,
            "transform": json.loads(picture.transform),
            "width": picture.width,
            "height": picture.height,
            "png_sha256": hashlib.sha256(png).hexdigest(),
        }
        for picture, png in holdings.images()
        if not holdings.goes_along(picture)
    ]
    if rows:
        write_json(path, rows)
    return len(rows)
