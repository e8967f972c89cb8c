"""Short ways to what a reader makes of a tiny folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stages.core.geometry import decode_mask, tight_box
from stages.core.records import ItemError, Sample
from tests.ingest.sources import ingest_folder


def samples_of(folder: Path, content: dict[str, Any], **changes: Any) -> list[Sample]:
    """Samples of a folder without a lost case."""
    found, results = ingest_folder(folder, content, **changes)
    assert found.errors == [] and [error for result in results for error in result.lost] == []
    return [sample for result in results for sample in result.samples]


def faults_of(folder: Path, content: dict[str, Any], **changes: Any) -> list[ItemError]:
    """All errors: of finding, of cases, of single masks."""
    found, results = ingest_folder(folder, content, **changes)
    return found.errors + [error for result in results for error in (*result.lost, *result.partial)]


def boxes_of(sample: Sample) -> dict[tuple[str, int], list[float]]:
    """Tight boxes by label and number."""
    return {(item.label, item.instance): tight_box(decode_mask(item.mask_rle)) for item in sample.objects}


def masks_of(sample: Sample) -> dict[tuple[str, int], np.ndarray]:
    """Masks by label and number."""
    return {(item.label, item.instance): decode_mask(item.mask_rle) for item in sample.objects}
