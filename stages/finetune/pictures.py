"""The corpus' pictures for training: as the processor of the nano base gives them, or as they are for other families."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.core.records import CorpusImage
from stages.core.stage import StageError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class PixelTable:
    """Preprocessed pictures as one array (pictures, 3, side, side), float32, which worker processes share as mapped memory."""

    place: dict[str, int]
    array: np.ndarray

    def __getitem__(self, sample_id: str) -> np.ndarray:
        return self.array[self.place[sample_id]]


def corpus_pictures(images: Iterable[CorpusImage], wanted: Sequence[str]) -> dict[str, bytes]:
    """PNG bytes by sample id, only of the wanted ones.

    Raises:
        StageError: a picture is missing; the message names samples.
    """
    sought = set(wanted)
    found = {row.sample_id: row.image for row in images if row.sample_id in sought}
    missing = sorted(sought - set(found))
    if missing:
        raise StageError(f"data/corpus/images lacks {', '.join(missing[:5])}: the tables are of different runs, run `dvc repro split`")
    return found


def open_picture(sample_id: str, png: bytes) -> Image:
    """The RGB picture.

    Raises:
        StageError: it cannot be decoded; the message names the sample.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(png)) as picture:
            return picture.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise StageError(f"data/corpus/images: {sample_id}: the picture cannot be decoded ({error}); run `dvc repro ingest`") from error


def pixel_table(pictures: dict[str, bytes], processor: Any) -> PixelTable:
    """All pictures as the nano base's processor gives them, in the order of their ids.

    Raises:
        StageError: see ``open_picture``.
    """
    return PixelTable({sample_id: place for place, sample_id in enumerate(sorted(pictures))}, np.stack(list(_encoded(pictures, processor))))


def _encoded(pictures: dict[str, bytes], processor: Any) -> Iterator[np.ndarray]:
    from tqdm import tqdm

    for sample_id in tqdm(sorted(pictures), desc="pictures", unit="picture"):
        encoded = processor.image_processor(open_picture(sample_id, pictures[sample_id]), return_tensors="np")
        yield encoded["pixel_values"][0, 0].astype(np.float32)
